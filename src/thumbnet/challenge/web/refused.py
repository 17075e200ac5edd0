"""What the header of a refusal says, on pages and in the API alike."""

from http import HTTPStatus

from thumbnet.challenge.moments import iso
from thumbnet.challenge.refusals import RefusalError

NEXT_ALLOWED = "Next-Submission"
"""Header that says when the team may submit again."""


def refusal_headers(refusal: RefusalError) -> dict[str, str]:
    """Return the headers of the response that tells of `refusal`."""
    sent = {}
    if refusal.retry_after is not None:
        sent["Retry-After"] = str(refusal.retry_after)
    if refusal.next_allowed is not None:
        sent[NEXT_ALLOWED] = iso(refusal.next_allowed)
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        sent["WWW-Authenticate"] = "Bearer"
    return sent

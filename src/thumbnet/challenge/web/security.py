"""Who is asking, and whether a browser was made to ask by another site."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from anyio import to_thread
from fastapi import Depends, Path, Request, Response
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import Headers

from thumbnet.challenge.people import tokens
from thumbnet.challenge.people.accounts import Account
from thumbnet.challenge.refusals import RefusalError
from thumbnet.challenge.settings import Settings
from thumbnet.challenge.state import Challenge

Result = TypeVar("Result")

LARGEST = 2**31 - 1
"""The greatest number that something in the database has."""
COOKIE = "thumbnet_session"
_SAFE = ("GET", "HEAD", "OPTIONS")
_bearer = HTTPBearer(auto_error=False, description="An API token.")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="A browser's session.")


@dataclass(frozen=True)
class Viewer:
    """Who is asking.

    Attributes:
        account: their account.
        session: secret of their session; empty where a token was sent.
    """

    account: Account
    session: str


def challenge_of(request: Request) -> Challenge:
    """Return the challenge that the app serves."""
    challenge = request.app.state.challenge
    assert isinstance(challenge, Challenge)
    return challenge


def find_viewer(request: Request) -> Viewer | None:
    """Return who is asking, by token or session; `None` where nobody is known.

    Raises:
        RefusalError: a token that is not valid, or a session in a request that another site may have made.
    """
    challenge = challenge_of(request)
    header = request.headers.get("authorization")
    if header is not None:
        kind, _, secret = header.partition(" ")
        account = tokens.find_by_secret(challenge, secret.strip(), "api") if kind.lower() == "bearer" else None
        if account is None:
            raise RefusalError("this API token is not valid; make another one", code="bad_token", status=401)
        return Viewer(account, "")
    secret = request.cookies.get(cookie_name(challenge.settings), "")
    account = tokens.find_by_secret(challenge, secret, "session") if secret else None
    if account is None:
        return None
    if request.method not in _SAFE:
        check_origin(request, needed=True)
    return Viewer(account, secret)


def need_viewer(
    request: Request,
    _token: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    _session: Annotated[str | None, Depends(_cookie)],
) -> Viewer:
    """Return who is asking.

    Raises:
        RefusalError: nobody that is known.
    """
    viewer = find_viewer(request)
    if viewer is None:
        raise RefusalError("sign in first, or send an API token", code="sign_in", status=401)
    return viewer


def need_admin(viewer: Annotated[Viewer, Depends(need_viewer)]) -> Viewer:
    """Return the admin who is asking.

    Raises:
        RefusalError: nobody that is known, or a participant.
    """
    if viewer.account.role != "admin":
        raise RefusalError("this is for admins", code="forbidden", status=403)
    return viewer


def need_participant(viewer: Annotated[Viewer, Depends(need_viewer)]) -> Viewer:
    """Return the participant who is asking.

    Raises:
        RefusalError: nobody that is known, or an admin, who has no team.
    """
    if viewer.account.team_id is None:
        raise RefusalError("this is for participants; your account has no team", code="no_team", status=403)
    return viewer


Open = Annotated[Challenge, Depends(challenge_of)]
Anyone = Annotated[Viewer | None, Depends(find_viewer)]
Known = Annotated[Viewer, Depends(need_viewer)]
Participant = Annotated[Viewer, Depends(need_participant)]
Admin = Annotated[Viewer, Depends(need_admin)]
Number = Annotated[int, Path(ge=1, le=LARGEST)]


def check_origin(request: Request, *, needed: bool = False) -> None:
    """Check that a browser sent a request from the challenge's own pages.

    Args:
        request: the request.
        needed: whether a request without an Origin header, as programs send it, is refused too.

    Raises:
        RefusalError: it came from another site.
    """
    origin = request.headers.get("origin")
    if origin is None and not needed:
        return
    if origin is None or _origin(origin) != _origin(own_address(request)):
        message = "this request does not come from the challenge's own pages; open them and try again"
        raise RefusalError(message, code="other_origin", status=403)


def own_address(request: Request) -> str:
    """Return how browsers reach the server: as the settings say, else as this one did."""
    return challenge_of(request).settings.public_url or f"{request.url.scheme}://{request.headers.get('host', '')}"


def cookie_name(settings: Settings) -> str:
    """Return the name of the session's cookie; behind HTTPS browsers bind this name to the host."""
    return f"__Host-{COOKIE}" if settings.is_https else COOKIE


def set_session(response: Response, settings: Settings, secret: str) -> None:
    """Send the secret of a session to the browser."""
    response.set_cookie(
        cookie_name(settings),
        secret,
        max_age=round(settings.session_days * 86_400),
        secure=settings.is_https,
        httponly=True,
        samesite="lax",
        path="/",
    )


def clear_session(response: Response, settings: Settings) -> None:
    """Make the browser forget its session."""
    response.delete_cookie(cookie_name(settings), secure=settings.is_https, httponly=True, samesite="lax", path="/")


async def with_passwords(request: Request, work: Callable[[], Result]) -> Result:
    """Return what `work` returns, which hashes a password; few at once, and the others wait without a thread."""
    return await to_thread.run_sync(work, limiter=request.app.state.passwords)


def address_of(request: Request) -> str:
    """Return where a request comes from; behind a trusted proxy, as it says."""
    return request.client.host if request.client else "unknown"


def media_type(headers: Headers) -> str:
    """Return the type of a request's body, without its parameters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return "", "", None
    return parts.scheme, (parts.hostname or "").lower(), port

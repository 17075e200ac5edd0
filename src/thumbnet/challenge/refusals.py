"""Why a server says no: one kind of error, with the HTTP status and the code that a program can tell apart."""

from thumbnet.errors import ChallengeError


class RefusalError(ChallengeError):
    """A request that the challenge refuses.

    Args:
        message: one line: what is wrong and what to do.
        code: a word for programs, such as 'cooldown'.
        status: the HTTP status.
        line: number of the line of a submission that is wrong.
        retry_after: seconds after which the same request may succeed.
        next_allowed: when the team may submit again, in milliseconds since 1970.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int,
        line: int | None = None,
        retry_after: int | None = None,
        next_allowed: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.line = line
        self.retry_after = retry_after
        self.next_allowed = next_allowed


def bad_request(message: str) -> RefusalError:
    """Return the refusal of a request with a wrong value."""
    return RefusalError(message, code="invalid_request", status=422)


def not_found(message: str) -> RefusalError:
    """Return the refusal of what is not there, or not there for who asks."""
    return RefusalError(message, code="not_found", status=404)


def conflict(message: str) -> RefusalError:
    """Return the refusal of what does not fit the state of the challenge."""
    return RefusalError(message, code="conflict", status=409)

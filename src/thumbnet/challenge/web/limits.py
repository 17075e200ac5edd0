"""The size of requests, judged before their body is read and while it comes; and nothing is decompressed."""

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from thumbnet.challenge.refusals import RefusalError
from thumbnet.challenge.web.errors import answer

SMALL = 64 * 1024
"""Largest body of a request that sends no file, in bytes."""

LARGE_PATHS = ("/api/submissions", "/submit", "/api/admin/roster", "/admin/roster")


class BodyLimit:
    """Middleware that refuses bodies that are too large or encoded (a zip bomb needs somebody to unpack it).

    Args:
        app: what comes behind.
        max_bytes: largest file; a form may have `SMALL` bytes around it.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = SMALL + (self._max_bytes if scope["path"].rstrip("/") in LARGE_PATHS else 0)
        refusal = _judge_headers(scope, limit)
        if refusal is not None:
            await answer(Request(scope), refusal, {"Connection": "close"})(scope, receive, send)
            return
        received, refused, started = 0, False, False

        async def limited() -> Message:
            nonlocal received, refused
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                refused = True
                return {"type": "http.disconnect"}
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or not refused
            if started:
                await send(message)

        try:
            await self._app(scope, limited, watched)
        except Exception:
            if not refused or started:
                raise
        if refused and not started:
            await answer(Request(scope), _too_large(limit), {"Connection": "close"})(scope, receive, send)


def _judge_headers(scope: Scope, limit: int) -> RefusalError | None:
    headers = dict(scope["headers"])
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        message = "the body is compressed; send it as it is"
        return RefusalError(message, code="encoded", status=415)
    stated = headers.get(b"content-length", b"0")
    if not stated.isdigit():
        return RefusalError("Content-Length is no number of bytes", code="invalid_request", status=400)
    return _too_large(limit) if int(stated[:20]) > limit else None


def _too_large(limit: int) -> RefusalError:
    return RefusalError(f"the request is larger than {limit:,} bytes; send less", code="too_large", status=413)

"""The size and pace of requests, judged before their body is read and while it comes; and nothing is decompressed."""

import asyncio
import time

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from thumbnet.challenge.refusals import RefusalError
from thumbnet.challenge.web.errors import answer

SMALL = 64 * 1024
"""Largest body of a request that sends no file, in bytes."""

LARGE_PATHS = ("/api/submissions", "/submit", "/api/admin/roster", "/admin/roster")

PATIENCE_SECONDS = 20.0
"""Longest time without a part of the body."""

LONGEST_SECONDS = 120.0
"""Longest time for a whole body."""


class BodyLimit:
    """Middleware that refuses bodies that are too large, too slow or encoded (a zip bomb needs an unpacker).

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
        body = _Body(receive, limit)
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or body.refusal is None
            if started:
                await send(message)

        try:
            await self._app(scope, body.receive, watched)
        except Exception:
            # An app that was given a part of a body may fail in any way; that is the sender's fault, who is told so.
            if body.refusal is None or started:
                raise
        if body.refusal is not None and not started:
            await answer(Request(scope), body.refusal, {"Connection": "close"})(scope, receive, send)


class _Body:
    """A request's body as it comes in; one that is too large or too slow ends as if its sender had gone.

    Args:
        receive: gives its parts.
        limit: most bytes.
    """

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._received = 0
        self._is_over = False
        self._ends = time.monotonic() + LONGEST_SECONDS
        self.refusal: RefusalError | None = None

    async def receive(self) -> Message:
        """Return the next part; after the last, what comes is no part of the body and may take its time."""
        if self._is_over:
            return await self._receive()
        patience = min(PATIENCE_SECONDS, self._ends - time.monotonic())
        try:
            message = await asyncio.wait_for(self._receive(), max(patience, 0))
        except TimeoutError:
            return self._refuse(_too_slow())
        self._received += len(message.get("body", b""))
        if self._received > self._limit:
            return self._refuse(_too_large(self._limit))
        self._is_over = not message.get("more_body", False)
        return message

    def _refuse(self, refusal: RefusalError) -> Message:
        self.refusal, self._is_over = refusal, True
        return {"type": "http.disconnect"}


def _judge_headers(scope: Scope, limit: int) -> RefusalError | None:
    headers = dict(scope["headers"])
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        message = "the body is compressed; send it as it is"
        return RefusalError(message, code="encoded", status=415)
    if b"content-length" in headers and b"transfer-encoding" in headers:
        # A proxy that goes by the other of the two would see another request (RFC 9112, 6.3).
        return RefusalError("the body has two lengths; state one", code="invalid_request", status=400)
    stated = headers.get(b"content-length", b"0")
    if not stated.isdigit():
        return RefusalError("Content-Length is no number of bytes", code="invalid_request", status=400)
    return _too_large(limit) if int(stated[:20]) > limit else None


def _too_large(limit: int) -> RefusalError:
    return RefusalError(f"the request is larger than {limit:,} bytes; send less", code="too_large", status=413)


def _too_slow() -> RefusalError:
    return RefusalError("the request came too slowly; send it again", code="too_slow", status=408)

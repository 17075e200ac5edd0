"""What every response tells browsers, also that of a server which failed."""

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from thumbnet.challenge.settings import Settings
from thumbnet.challenge.web.errors import failed

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class SafeHeaders:
    """Middleware that tells browsers what no page of the challenge does, and answers where the server failed.

    What the framework answers then comes from outside all middleware, without headers. The error goes on to the log.

    Args:
        app: what comes behind.
        settings: of the challenge.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._fixed = {
            "Content-Security-Policy": _POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        if settings.is_https:
            self._fixed["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add the headers to its response."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def with_headers(message: Message) -> None:
            nonlocal started
            started = True
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._fixed.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._app(scope, receive, with_headers)
        except Exception as error:
            if not started:
                await failed(Request(scope), error)(scope, receive, with_headers)
            raise

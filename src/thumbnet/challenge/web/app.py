"""The application: middleware, routes and one challenge."""

import contextlib
from collections.abc import AsyncIterator

from anyio import CapacityLimiter
from fastapi import FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from thumbnet import __version__
from thumbnet.challenge.state import Challenge, check_settings, sweep
from thumbnet.challenge.web import admin, errors, people, scores
from thumbnet.challenge.web.headers import SafeHeaders
from thumbnet.challenge.web.limits import BodyLimit
from thumbnet.challenge.web.live import LiveBoard
from thumbnet.challenge.web.pages import ROUTERS as PAGES
from thumbnet.challenge.web.table import LiveTable

SUBMISSIONS_AT_ONCE = 4
"""Submissions that are worked on at one moment; the others wait in their order. Most of the work is the processor's,
so that more at once would only be slower, and slow down everything else."""

PASSWORDS_AT_ONCE = 2
"""Requests at one moment that hash a password, which takes 19 MiB; the others wait without a thread, so that a class
that signs in at once leaves memory and threads to others."""

_ABOUT = """
Scores submissions of a class challenge. Sign in at `/api/sign-in`, which sets a session's cookie, or send an API token
as `Authorization: Bearer TOKEN`. Every error is `{"error": {"code", "message", ...}}`.
"""


def make_app(challenge: Challenge) -> FastAPI:
    """Return the server of `challenge`, which was set up (`state.set_up`).

    `app.state.challenge` is the `Challenge`, `app.state.board` its `LiveBoard`, `app.state.table`
    that board as HTML, `app.state.submitting` how many submissions are worked on at once, `app.state.passwords`
    how many passwords, `app.state.routers` what it answers. The challenge is closed with the app.

    Raises:
        ChallengeError: not set up, or a setting is not as it was at the first start.
    """
    settings = challenge.settings
    with challenge.database.read() as connection:
        challenge.state(connection)
    check_settings(challenge)
    sweep(challenge)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        challenge.close()

    app = FastAPI(
        title=settings.title,
        version=__version__,
        description=_ABOUT,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.challenge = challenge
    app.state.board = LiveBoard(challenge)
    app.state.submitting = CapacityLimiter(SUBMISSIONS_AT_ONCE)
    app.state.passwords = CapacityLimiter(PASSWORDS_AT_ONCE)
    app.state.table = LiveTable(settings)
    errors.add_handlers(app)
    app.state.routers = (scores.router, people.router, admin.router, *PAGES)
    for router in app.state.routers:
        app.include_router(router)
    # The last is the outermost.
    app.add_middleware(BodyLimit, max_bytes=settings.max_bytes)
    app.add_middleware(SafeHeaders, settings=settings)
    if settings.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies))
    return app

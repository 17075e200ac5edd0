"""Every error of the API as one JSON shape, {"error": {"code", "message", "line", "retry_after", "next_allowed"}}.

What is asked for outside /api is for people, who get a page.
"""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from thumbnet.challenge.moments import iso
from thumbnet.challenge.refusals import RefusalError
from thumbnet.challenge.web import models
from thumbnet.challenge.web.frame import error_page
from thumbnet.challenge.web.refused import refusal_headers
from thumbnet.errors import ThumbnetError

_log = logging.getLogger("thumbnet.challenge")


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the description of errors of these statuses, for a route."""
    return {status: {"model": models.Error, "description": HTTPStatus(status).phrase} for status in statuses}


def answer(request: Request, refusal: RefusalError, headers: dict[str, str] | None = None) -> Response:
    """Return the response that tells of `refusal`: JSON in the API, else a page; who is to sign in is led there."""
    sent = {**(headers or {}), **refusal_headers(refusal)}
    if not request.url.path.startswith("/api/"):
        if refusal.code == "sign_in":
            return RedirectResponse("/sign-in", status_code=303)
        return error_page(request, refusal, sent)
    moment = None if refusal.next_allowed is None else iso(refusal.next_allowed)
    detail = {"code": refusal.code, "message": " ".join(str(refusal).split()), "line": refusal.line}
    detail |= {"retry_after": refusal.retry_after, "next_allowed": moment}
    return JSONResponse({"error": detail}, refusal.status, sent)


def failed(request: Request, error: Exception) -> Response:
    """Return the response of a server that failed, and log `error`."""
    # What failed may name paths of the server, so it goes to the log alone.
    _log.error("request failed: %s", error)
    message = (
        "the server failed; a submission may have been counted, and can be sent again, which counts once; tell who "
        "runs the challenge if it stays so"
    )
    return answer(request, RefusalError(message, code="internal", status=500))


def add_handlers(app: FastAPI) -> None:
    """Make `app` answer errors in this shape; those that nobody expected are left to `SafeHeaders`."""
    app.add_exception_handler(RefusalError, _refused)
    app.add_exception_handler(ThumbnetError, _failed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusalError)
    return answer(request, error)


async def _failed(request: Request, error: Exception) -> Response:
    return failed(request, error)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    # The value itself is not repeated: it may be a password.
    where = ".".join(str(part) for part in first["loc"] if isinstance(part, str | int))
    message = f"{ascii(where)[1:-1][:200]}: {first['msg']}"
    return answer(request, RefusalError(message, code="invalid_request", status=422))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    headers = dict(error.headers or {})
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        # Of several routes of one path, the framework names the first one's methods alone.
        headers["Allow"] = ", ".join(sorted(_methods(request)))
    remedy = "see the API's description" if request.url.path.startswith("/api/") else "go on from the scoreboard"
    refusal = RefusalError(f"{status.phrase.lower()}; {remedy}", code=_code(status), status=int(status))
    return answer(request, refusal, headers)


def _methods(request: Request) -> set[str]:
    """Return the methods that the path of `request` takes."""
    found: set[str] = set()
    for router in request.app.state.routers:
        for route in router.routes:
            if isinstance(route, Route) and route.path_regex.match(request.url.path):
                found |= route.methods or set()
    return found


def _code(status: HTTPStatus) -> str:
    return "invalid_request" if status is HTTPStatus.BAD_REQUEST else status.name.lower()

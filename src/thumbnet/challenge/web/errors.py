"""Every error as one JSON shape: {"error": {"code", "message", "line", "retry_after", "next_allowed"}}."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Route

from thumbnet.challenge.moments import iso
from thumbnet.challenge.refusals import RefusalError
from thumbnet.challenge.web import models
from thumbnet.errors import ThumbnetError

NEXT_ALLOWED = "Next-Submission"
"""Header that says when the team may submit again."""

_log = logging.getLogger("thumbnet.challenge")


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the description of errors of these statuses, for a route."""
    return {status: {"model": models.Error, "description": HTTPStatus(status).phrase} for status in statuses}


def error_response(refusal: RefusalError, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return the response that tells of `refusal`."""
    moment = None if refusal.next_allowed is None else iso(refusal.next_allowed)
    detail = {"code": refusal.code, "message": " ".join(str(refusal).split()), "line": refusal.line}
    detail |= {"retry_after": refusal.retry_after, "next_allowed": moment}
    sent = dict(headers or {})
    if refusal.retry_after is not None:
        sent["Retry-After"] = str(refusal.retry_after)
    if moment is not None:
        sent[NEXT_ALLOWED] = moment
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        sent["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": detail}, refusal.status, sent)


def add_handlers(app: FastAPI) -> None:
    """Make `app` answer errors of every kind in this shape."""
    app.add_exception_handler(RefusalError, _refused)
    app.add_exception_handler(ThumbnetError, _failed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _failed)


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RefusalError)
    return error_response(error)


async def _failed(_request: Request, error: Exception) -> JSONResponse:
    # What failed may name paths of the server, so it goes to the log alone.
    _log.error("request failed: %s", error)
    message = "the server failed; nothing was counted, so try again, and tell who runs the challenge if it stays so"
    return error_response(RefusalError(message, code="internal", status=500))


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    # The value itself is not repeated: it may be a password.
    where = ".".join(str(part) for part in first["loc"] if isinstance(part, str | int))
    return error_response(
        RefusalError(f"{ascii(where)[1:-1][:200]}: {first['msg']}", code="invalid_request", status=422)
    )


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    headers = dict(error.headers or {})
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        # Of several routes of one path, the framework names the first one's methods alone.
        headers["Allow"] = ", ".join(sorted(_methods(request)))
    refusal = RefusalError(
        f"{status.phrase.lower()}; see the API's description", code=_code(status), status=int(status)
    )
    return error_response(refusal, headers)


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

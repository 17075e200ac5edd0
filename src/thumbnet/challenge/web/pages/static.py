"""Style, script and icon."""

from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request, Response

from thumbnet.challenge.refusals import not_found
from thumbnet.challenge.web.live import Content

router = APIRouter(prefix="/static", include_in_schema=False)
_TYPES = {"challenge.css": "text/css", "challenge.js": "text/javascript", "icon.svg": "image/svg+xml"}


@router.get("/{name}")
def static(name: str, request: Request) -> Response:
    """Return a file of the pages."""
    if name not in _TYPES:
        raise not_found("there is no such file")
    return _content(name).answer(request)


@cache
def _content(name: str) -> Content:
    return Content.of((files("thumbnet.challenge.web") / "static" / name).read_bytes(), _TYPES[name])

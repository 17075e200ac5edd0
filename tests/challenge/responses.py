"""What the server answered, read as a test reads it."""

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

ORIGIN = {"Origin": "http://testserver"}
_SHAPE = {"code", "message", "line", "retry_after", "next_allowed"}


def error(found: Any, status: int, code: str) -> dict[str, Any]:
    """Return the error of a response, which must have this status and code and the one shape."""
    assert found.status_code == status, found.text
    value = found.json()
    assert value.keys() == {"error"}
    assert value["error"].keys() == _SHAPE
    assert value["error"]["code"] == code, value
    assert "\n" not in value["error"]["message"]
    return dict(value["error"])


def problem(found: Any, status: int) -> str:
    """Return the problem that a page tells of, which must have this status."""
    assert found.status_code == status, found.text
    assert found.headers["Content-Type"] == "text/html; charset=utf-8"
    shown = re.search(r'id="problem">\s*<p><b>(.*?)</b>', found.text)
    assert shown is not None, found.text
    return unescape(shown[1])


class _Rows(HTMLParser):
    """Reads the cells of all table rows that name a team."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self._inside = "data-team" in dict(attrs)
            if self._inside:
                self.rows.append([])
        elif self._inside and tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self._inside and self.rows[-1]:
            self.rows[-1][-1] += data.strip()


def rows(html: str) -> list[list[str]]:
    """Return the cells of the rows of a page that name a team."""
    parser = _Rows()
    parser.feed(html)
    return parser.rows

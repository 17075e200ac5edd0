"""The scoreboard as HTML: made once for each change, for the page and for those that follow it."""

from typing import Any

from markupsafe import escape
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from thumbnet.challenge import board
from thumbnet.challenge.settings import Settings
from thumbnet.challenge.web.frame import render
from thumbnet.challenge.web.live import Content, Shared, Snapshot

_MARGIN = 0.05
"""Room at both ends of the axis of intervals, as a share of it."""


class LiveTable:
    """Keeps the newest board as HTML.

    Args:
        settings: of the challenge.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._last: tuple[Snapshot, Content] | None = None
        self._making: Shared[Content] = Shared()

    async def get(self, snapshot: Snapshot) -> Content:
        """Return `snapshot` as HTML; while one request makes it, the others get the last."""
        if self._last is not None and (self._last[0] is snapshot or self._making.is_running):
            return self._last[1]
        return await self._making.get(lambda: self._make(snapshot))

    async def _make(self, snapshot: Snapshot) -> Content:
        self._last = snapshot, await run_in_threadpool(self._made, snapshot)
        return self._last[1]

    def _made(self, snapshot: Snapshot) -> Content:
        # From what the API shows of the board, so that the page can tell nothing more.
        shown = board.to_json(snapshot.board, self._settings.board)
        add_whiskers(shown["rows"])
        return Content.of(render("table", board=shown, settings=self._settings).encode(), "text/html")


def live_table(request: Request) -> LiveTable:
    """Return the table of the app."""
    found = request.app.state.table
    assert isinstance(found, LiveTable)
    return found


def with_own_row(table: str, shown_name: str) -> str:
    """Return `table` with the row of the reader's own team marked."""
    row = f'<tr data-team="{escape(shown_name)}"'
    return table.replace(row, f'{row} class="own" aria-current="true"', 1)


def add_whiskers(rows: list[dict[str, Any]]) -> None:
    """Give each row its interval and score as places from 0 to 100 on an axis that holds all intervals."""
    ends = [end for row in rows for end in row["interval"]]
    if not ends:
        return
    low, high = min(ends), max(ends)
    room = _MARGIN * (high - low) or _MARGIN
    start, length = low - room, high - low + 2 * room
    for row in rows:
        places = (row["interval"][0], row["top1"], row["interval"][1])
        row["whisker"] = [round(100 * (place - start) / length, 1) for place in places]

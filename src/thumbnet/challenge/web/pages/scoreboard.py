"""The scoreboard, its live part, and the history of a team."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from markupsafe import Markup

from thumbnet.challenge import board
from thumbnet.challenge.board import Row
from thumbnet.challenge.web import plot
from thumbnet.challenge.web.frame import show
from thumbnet.challenge.web.live import Content
from thumbnet.challenge.web.pages.parts import Now, own_row
from thumbnet.challenge.web.security import Anyone, Open, Viewer, need_participant, need_viewer
from thumbnet.challenge.web.table import live_table, with_own_row

router = APIRouter(include_in_schema=False)
POLL_SECONDS = 5.0
"""How often an open page asks for a newer board: with 2,000 readers, 400 requests a second."""


async def _table(request: Request, snapshot: Now) -> Content:
    return await live_table(request).get(snapshot)


Table = Annotated[Content, Depends(_table)]


@router.get("/")
def scoreboard(request: Request, viewer: Anyone, challenge: Open, snapshot: Now, table: Table) -> Response:
    """Show the scoreboard."""
    own, mode = own_row(snapshot, viewer), challenge.settings.board
    content = table.plain.decode()
    if own is not None:
        content = with_own_row(content, board.shown_name(own, mode))
    teams, often = len(snapshot.board.rows), POLL_SECONDS
    values: dict[str, Any] = {
        "own": own,
        "teams": teams,
        "etag": table.etag,
        "poll_seconds": often,
        "table": Markup(content),
    }
    page = Content.of(bytes(show(request, viewer, "scoreboard", **values).body), "text/html").answer(request)
    # Packed, as it is large with hundreds of teams; but it is the reader's own and nothing to keep.
    del page.headers["ETag"]
    page.headers["Cache-Control"] = "no-store"
    return page


@router.get("/board/live")
async def live(request: Request, table: Table) -> Response:
    """Return the part of the scoreboard that changes. To follow it, ask again with the last ETag."""
    return table.answer(request)


@router.get("/team")
def team(
    request: Request,
    viewer: Anyone,
    challenge: Open,
    snapshot: Now,
    name: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Show the submissions of a team on the board, or of the own one."""
    row: Row | None
    if name:
        row = board.find_shown(snapshot.board, challenge.settings.board, name)
        number = row.team
    else:
        number = _own_team(request, viewer)
        row = own_row(snapshot, viewer)
    with challenge.database.read() as connection:
        points = board.history(challenge, connection, number)
    is_own = viewer is not None and viewer.account.team_id == number
    scored_on, drawn = snapshot.board.scored_on, plot.make(points)
    return show(
        request, viewer, "team", name=name, is_own=is_own, row=row, points=points, plot=drawn, scored_on=scored_on
    )


def _own_team(request: Request, viewer: Viewer | None) -> int:
    """Return the number of the viewer's team; whoever has none is told what `need_participant` says."""
    own = need_participant(viewer or need_viewer(request, None, None))
    assert own.account.team_id is not None
    return own.account.team_id

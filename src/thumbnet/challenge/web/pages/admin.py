"""The page of admins. It shows no private score before the reveal, and no label at any time."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request, Response

from thumbnet.challenge import board
from thumbnet.challenge.people import roster, teams
from thumbnet.challenge.people.roster import Invited
from thumbnet.challenge.refusals import RefusalError, bad_request
from thumbnet.challenge.state import Challenge, Phase, set_phase
from thumbnet.challenge.submissions import listing
from thumbnet.challenge.tables import invites_csv
from thumbnet.challenge.web.frame import show
from thumbnet.challenge.web.live import live_board
from thumbnet.challenge.web.pages.parts import FileContent, Text, see
from thumbnet.challenge.web.security import Admin, Open, Viewer

router = APIRouter(prefix="/admin", include_in_schema=False)
LATEST = 50
"""How many submissions the page lists."""


@router.get("")
def admin(
    request: Request, viewer: Admin, challenge: Open, done: Annotated[str, Query(max_length=20)] = ""
) -> Response:
    """Show phase, teams and submissions."""
    return _page(request, viewer, challenge, done=done)


@router.post("/phase")
def phase(
    request: Request,
    viewer: Admin,
    challenge: Open,
    to: Annotated[Phase, Form()],
    sure: Text = "",
) -> Response:
    """Open or close the challenge, or reveal the private scores; the form asks whether one is sure."""
    try:
        if not sure:
            raise bad_request("nothing was changed; tick the box beside the button first")
        set_phase(challenge, to)
    except RefusalError as problem:
        return _page(request, viewer, challenge, problem)
    live_board(request).begin_phase()
    return see(f"/admin?done={to}")


@router.post("/turn")
def turn(request: Request, viewer: Admin, challenge: Open, team: Text = "") -> Response:
    """End the cooldown of the team of this name."""
    try:
        teams.give_turn(challenge, team)
    except RefusalError as problem:
        return _page(request, viewer, challenge, problem)
    return see("/admin?done=turn")


@router.post("/roster")
def invite(
    request: Request,
    viewer: Admin,
    challenge: Open,
    content: FileContent,
    answer: Annotated[Literal["page", "csv"], Form()] = "page",
) -> Response:
    """Invite the people of a roster and show their codes, or send them as a file."""
    try:
        if not content:
            raise bad_request("roster: no file was chosen, or it is empty; choose a CSV with the column name")
        found = roster.invite(challenge, roster.parse(content))
    except RefusalError as problem:
        return _page(request, viewer, challenge, problem)
    if answer == "csv":
        headers = {"Content-Disposition": 'attachment; filename="codes.csv"'}
        return Response(invites_csv(found.made), media_type="text/csv", headers=headers)
    return _page(request, viewer, challenge, invited=found)


def _page(
    request: Request,
    viewer: Viewer,
    challenge: Challenge,
    problem: RefusalError | None = None,
    *,
    invited: Invited | None = None,
    done: str = "",
) -> Response:
    with challenge.database.read() as connection:
        found = board.build(challenge, connection)
        now = challenge.database.now(connection)
        everyone = teams.list_all(connection, now)
        latest = listing.latest(challenge, connection, LATEST)
    places = {row.team: row for row in found.rows}
    rows = sorted(((places.get(team.id), team) for team in everyone), key=_place)
    values = {"rows": rows, "now": now, "latest": latest, "scored_on": found.scored_on, "most": LATEST}
    values |= {"invited": invited, "done": done}
    return show(request, viewer, "admin", problem=problem, **values)


def _place(pair: tuple[board.Row | None, teams.Team]) -> tuple[float, int]:
    row, team = pair
    return (float("inf") if row is None else row.rank, team.id)

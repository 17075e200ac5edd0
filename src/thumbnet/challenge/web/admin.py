"""Routes of admins. None of them shows a private score before the reveal, or a label at any time."""

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from thumbnet.challenge import board
from thumbnet.challenge.keeping.export import grades
from thumbnet.challenge.people import roster, teams
from thumbnet.challenge.refusals import RefusalError
from thumbnet.challenge.state import Challenge, Phase, set_phase
from thumbnet.challenge.web import models
from thumbnet.challenge.web.errors import documented
from thumbnet.challenge.web.live import live_board
from thumbnet.challenge.web.security import Admin, Open, media_type

router = APIRouter(prefix="/api/admin", tags=["admin"])

_CSV_BODY = {"requestBody": {"required": True, "description": "Columns name, id, team.", **models.CSV}}


@router.get("/board", responses=documented(401, 403))
def full_board(_admin: Admin, challenge: Open) -> models.FullBoard:
    """Return the scoreboard with all names, whatever its mode."""
    with challenge.database.read() as connection:
        found = board.build(challenge, connection)
    return models.FullBoard.model_validate(board.to_json(found, challenge.settings.board, full=True))


@router.get("/teams", responses=documented(401, 403))
def list_teams(_admin: Admin, challenge: Open) -> list[models.TeamsRow]:
    """List all teams, oldest first."""
    with challenge.database.read() as connection:
        now = challenge.database.now(connection)
        found = teams.list_all(connection, now)
    return [
        models.TeamsRow(
            name=one.name,
            pseudonym=one.pseudonym,
            members=list(one.members),
            next_allowed=one.waits_until(now),
        )
        for one in found
    ]


@router.get("/grades.csv", response_class=Response, responses={200: models.CSV, **documented(401, 403)})
def export(_admin: Admin, challenge: Open) -> Response:
    """Return one line for each participant, with the team's place."""
    headers = {"Content-Disposition": 'attachment; filename="grades.csv"'}
    return Response(grades(challenge), media_type="text/csv", headers=headers)


@router.post(
    "/roster",
    status_code=201,
    openapi_extra=_CSV_BODY,
    responses=documented(400, 401, 403, 408, 413, 415, 422),
)
async def invite(request: Request, _admin: Admin, challenge: Open) -> models.Invited:
    """Invite the people of a roster, a CSV whose first line names its columns; who is invited already is left out."""
    if media_type(request.headers) != "text/csv":
        raise RefusalError("send the roster as text/csv", code="unsupported_media_type", status=415)
    content = await request.body()
    found = await run_in_threadpool(lambda: roster.invite(challenge, roster.parse(content)))
    return models.Invited(
        invites=[
            models.InviteInfo(name=one.person.name, id=one.person.id, team=one.person.team, code=one.code)
            for one in found.made
        ],
        left_out=[person.id or person.name for person in found.left_out],
    )


@router.post("/turn", status_code=204, responses=documented(400, 401, 403, 404, 408, 413, 415, 422))
def turn(given: models.Turn, _admin: Admin, challenge: Open) -> None:
    """End the cooldown of a team, which the log keeps."""
    teams.give_turn(challenge, given.team)


@router.post("/close", responses=documented(401, 403, 409))
def close(request: Request, _admin: Admin, challenge: Open) -> models.PhaseInfo:
    """Take no more submissions."""
    return _set(request, challenge, "closed")


@router.post("/open", responses=documented(401, 403, 409))
def reopen(request: Request, _admin: Admin, challenge: Open) -> models.PhaseInfo:
    """Take submissions again."""
    return _set(request, challenge, "open")


@router.post("/reveal", responses=documented(401, 403, 409))
def reveal(request: Request, _admin: Admin, challenge: Open) -> models.PhaseInfo:
    """Show the private scores of a closed challenge, for good."""
    return _set(request, challenge, "revealed")


def _set(request: Request, challenge: Challenge, phase: Phase) -> models.PhaseInfo:
    state = set_phase(challenge, phase)
    live_board(request).begin_phase()
    return models.PhaseInfo(phase=state.phase)

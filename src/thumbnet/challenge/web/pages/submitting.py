"""The form that takes a submission, and the page of one that was taken."""

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response

from thumbnet.challenge import board, ledger
from thumbnet.challenge.board import Point
from thumbnet.challenge.refusals import RefusalError, bad_request
from thumbnet.challenge.state import Challenge
from thumbnet.challenge.submissions.intake import submit
from thumbnet.challenge.web.frame import show
from thumbnet.challenge.web.live import live_board
from thumbnet.challenge.web.pages.parts import FileContent, Now, own_row, see
from thumbnet.challenge.web.scores import own_digest
from thumbnet.challenge.web.security import Number, Open, Participant, Viewer

router = APIRouter(include_in_schema=False)


@router.get("/submit")
def submit_form(request: Request, viewer: Participant, challenge: Open) -> Response:
    """Show the form, and what was submitted before."""
    return _form(request, viewer, challenge)


@router.post("/submit")
async def send(request: Request, viewer: Participant, challenge: Open, content: FileContent) -> Response:
    """Score a submission."""
    try:
        if not content:
            raise bad_request("no file was chosen, or it is empty; choose the one that `thumbnet predict` wrote")
        limiter = request.app.state.submitting
        outcome = await to_thread.run_sync(submit, challenge, viewer.account, content, limiter=limiter)
    except RefusalError as problem:
        return await to_thread.run_sync(_form, request, viewer, challenge, problem)
    live_board(request).expire()
    return see(f"/submissions/{outcome.submission}?done={'new' if outcome.is_new else 'seen'}")


@router.get("/submissions/{number}")
def submission(
    *,
    number: Number,
    request: Request,
    viewer: Participant,
    challenge: Open,
    snapshot: Now,
    done: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Show a submission of the own team with its receipt."""
    with challenge.database.read() as connection:
        own_digest(connection, number, viewer)
        receipt = ledger.find(connection, number)
    point = next(point for point in _points(challenge, viewer) if point.submission == number)
    row = own_row(snapshot, viewer) if challenge.settings.board != "hidden" else None
    teams = len(snapshot.board.rows)
    return show(request, viewer, "submission", point=point, receipt=receipt, done=done, row=row, teams=teams)


def _form(request: Request, viewer: Viewer, challenge: Challenge, problem: RefusalError | None = None) -> Response:
    points = _points(challenge, viewer)
    with challenge.database.read() as connection:
        labels = challenge.labels(challenge.state(connection).version)
    values = {"images": len(labels.images), "classes": len(labels.classes), "example": labels.images[0]}
    values |= {"example_class": labels.classes[0], "points": points}
    return show(request, viewer, "submit", problem=problem, **values)


def _points(challenge: Challenge, viewer: Viewer) -> list[Point]:
    assert viewer.account.team_id is not None
    with challenge.database.read() as connection:
        return board.history(challenge, connection, viewer.account.team_id)

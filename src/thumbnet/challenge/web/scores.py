"""Routes of the challenge itself: what it is, submissions, the board and the ledger."""

import json
from functools import lru_cache
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection, select
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from thumbnet.challenge import board, ledger
from thumbnet.challenge.board import Point
from thumbnet.challenge.database.schema import submissions
from thumbnet.challenge.moments import iso, milliseconds
from thumbnet.challenge.refusals import RefusalError, conflict, not_found
from thumbnet.challenge.state import Challenge
from thumbnet.challenge.submissions.intake import Outcome, submit
from thumbnet.challenge.web import models
from thumbnet.challenge.web.errors import documented
from thumbnet.challenge.web.live import Content, live_board
from thumbnet.challenge.web.refused import NEXT_ALLOWED
from thumbnet.challenge.web.security import LARGEST, Number, Open, Participant, Viewer, media_type

router = APIRouter(prefix="/api", tags=["challenge"])

_FILE_TYPES = ("text/plain", "application/octet-stream", "text/csv")
_FILE_BODY = {
    "requestBody": {
        "required": True,
        "description": "The submission: one line an image, its file name, a blank and its class id.",
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in _FILE_TYPES},
    }
}
_NEXT_HEADER = {NEXT_ALLOWED: {"description": "When the team may submit again.", "schema": {"type": "string"}}}
_TEXT_FILE: dict[str, Any] = {"content": {"text/plain": {"schema": {"type": "string"}}}}
_UNCHANGED = {"description": "Not changed since the ETag that was sent."}


@router.get("/challenge")
def about(challenge: Open) -> models.About:
    """Tell what the challenge is and how it stands."""
    settings = challenge.settings
    with challenge.database.read() as connection:
        state = challenge.state(connection)
    labels = challenge.labels(state.version)
    return models.About.model_validate(
        {
            "title": settings.title,
            "phase": state.phase,
            "now": iso(state.now),
            "closes_at": None if settings.closes_at is None else iso(milliseconds(settings.closes_at)),
            "images": len(labels.images),
            "public_images": labels.public_images,
            "classes": len(labels.classes),
            "cooldown_seconds": settings.cooldown_seconds,
            "max_bytes": settings.max_bytes,
            "sign_up": settings.sign_up,
            "team_size": settings.team_size,
            "board": settings.board,
            "version": state.version,
        }
    )


@router.get("/format", response_model=models.Format, responses={304: _UNCHANGED})
def submission_format(request: Request, challenge: Open) -> Response:
    """List the images and classes that a submission has to name, for a check before it is sent."""
    return _format(challenge).answer(request)


@lru_cache(maxsize=4)
def _format(challenge: Challenge) -> Content:
    # Images and classes are the same in every version of the labels.
    labels = challenge.labels(1)
    value = {"images": labels.images, "classes": labels.classes, "max_bytes": challenge.settings.max_bytes}
    return Content.of(json.dumps(value, separators=(",", ":")).encode(), "application/json")


@router.post(
    "/submissions",
    status_code=201,
    openapi_extra=_FILE_BODY,
    responses={
        200: {"model": models.Submitted, "description": "The team had sent the same answers before."},
        201: {"headers": _NEXT_HEADER},
        **documented(400, 401, 403, 408, 409, 413, 415, 422, 429, 500),
    },
)
async def send_submission(
    request: Request, response: Response, viewer: Participant, challenge: Open
) -> models.Submitted:
    """Score a submission. The body is the file itself."""
    if media_type(request.headers) not in _FILE_TYPES:
        raise RefusalError(f"send the file itself as {_FILE_TYPES[0]}", code="unsupported_media_type", status=415)
    try:
        content = await request.body()
    except ClientDisconnect as error:
        raise RefusalError(
            "the connection ended within the file; send it again", code="cut_off", status=400
        ) from error
    sent, outcome = await to_thread.run_sync(_submit, challenge, viewer, content, limiter=request.app.state.submitting)
    live_board(request).expire()
    response.status_code = 201 if outcome.is_new else 200
    response.headers[NEXT_ALLOWED] = iso(outcome.next_allowed)
    return sent


def _submit(challenge: Challenge, viewer: Viewer, content: bytes) -> tuple[models.Submitted, Outcome]:
    outcome = submit(challenge, viewer.account, content)
    with challenge.database.read() as connection:
        return _submitted(challenge, connection, viewer, outcome), outcome


def _submitted(challenge: Challenge, connection: Connection, viewer: Viewer, outcome: Outcome) -> models.Submitted:
    assert viewer.account.team_id is not None
    points = board.history(challenge, connection, viewer.account.team_id)
    point = next(point for point in points if point.submission == outcome.submission)
    return models.Submitted.model_validate(
        {
            "submission": _submission(point),
            "is_new": outcome.is_new,
            "next_allowed": iso(outcome.next_allowed),
            "receipt": ledger.find(connection, outcome.submission).to_json(),
        }
    )


@router.get("/submissions", responses=documented(401, 403))
def list_submissions(viewer: Participant, challenge: Open) -> list[models.SubmissionInfo]:
    """List the own team's submissions, oldest first."""
    assert viewer.account.team_id is not None
    return _submissions(challenge, viewer.account.team_id)


@router.get("/submissions/{number}/receipt", responses=documented(401, 403, 404, 422))
def receipt(number: Number, viewer: Participant, challenge: Open) -> models.ReceiptInfo:
    """Return the receipt of a submission of the own team."""
    with challenge.database.read() as connection:
        own_digest(connection, number, viewer)
        return models.ReceiptInfo.model_validate(ledger.find(connection, number).to_json())


@router.get(
    "/submissions/{number}/file",
    response_class=Response,
    responses={200: _TEXT_FILE, **documented(401, 403, 404, 422)},
)
def submitted_file(number: Number, viewer: Participant, challenge: Open) -> Response:
    """Return the file of a submission of the own team."""
    with challenge.database.read() as connection:
        digest = own_digest(connection, number, viewer)
    headers = {"Content-Disposition": f'attachment; filename="submission-{number}.txt"'}
    return Response(challenge.files.get(digest), media_type="text/plain", headers=headers)


@router.get("/board", response_model=models.Board, responses={304: _UNCHANGED})
async def scoreboard(request: Request) -> Response:
    """Return the scoreboard. To follow it, ask again with the last ETag as If-None-Match."""
    return (await live_board(request).get()).json.answer(request)


@router.get("/board.csv", response_class=Response, responses={200: models.CSV, 304: _UNCHANGED})
async def scoreboard_csv(request: Request) -> Response:
    """Return the scoreboard as CSV."""
    return (await live_board(request).get()).csv.answer(request)


@router.get("/board/version/{number}", responses=documented(404, 422))
def older_board(number: Number, request: Request) -> models.Board:
    """Return the scoreboard by version `number` of the labels."""
    return models.Board.model_validate(live_board(request).older(number))


@router.get("/board/history", responses=documented(404, 422))
async def team_history(
    request: Request,
    challenge: Open,
    team: Annotated[str, Query(max_length=200, description="As the board names it.")],
) -> list[models.SubmissionInfo]:
    """List the submissions of a team on the board, oldest first, with their scores."""
    row = board.find_shown((await live_board(request).get()).board, challenge.settings.board, team)
    return await run_in_threadpool(_submissions, challenge, row.team)


@router.get("/ledger", responses=documented(422))
def chain(
    challenge: Open,
    after: Annotated[int, Query(ge=-1, le=LARGEST)] = -1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> list[models.LinkInfo]:
    """List the links of the ledger's chain, by which anyone can check that it only grew.

    The first, number 0, is of the labels; from the reveal on, `/api/ledger/labels` tells its entry. A link's hash is
    the SHA-256 of the hash before (64 zeros for the first) followed by its entry's hash.
    """
    with challenge.database.read() as connection:
        found = ledger.links(connection, after, limit)
    return [models.LinkInfo(sequence=link.sequence, entry_hash=link.entry_hash, hash=link.hash) for link in found]


@router.get("/ledger/labels", responses=documented(409))
def labels_of_ledger(challenge: Open) -> list[models.LabelsReceipt]:
    """Tell what the ledger says of the labels, from the reveal on; their digests tell nothing of them.

    The SHA-256 of an entry, as JSON with sorted keys and without blanks, is the hash that the chain has shown.
    """
    with challenge.database.read() as connection:
        if challenge.state(connection).phase != "revealed":
            raise conflict("what the ledger says of the labels is told from the reveal on; ask again then")
        found = ledger.of_labels(connection)
    return [models.LabelsReceipt.model_validate(one.to_json()) for one in found]


def own_digest(connection: Connection, number: int, viewer: Viewer) -> str:
    """Return the digest of the file of a submission of the viewer's team.

    Raises:
        RefusalError: it has none of this number.
    """
    chosen = (submissions.c.id == number, submissions.c.team_id == viewer.account.team_id)
    digest = connection.execute(select(submissions.c.digest).where(*chosen)).scalar()
    if digest is None:
        raise not_found("your team has no submission of this number")
    return str(digest)


def _submissions(challenge: Challenge, team: int) -> list[models.SubmissionInfo]:
    with challenge.database.read() as connection:
        points = board.history(challenge, connection, team)
    return [models.SubmissionInfo.model_validate(_submission(point)) for point in points]


def _submission(point: Point) -> dict[str, Any]:
    return {
        "id": point.submission,
        "received_at": iso(point.received_at),
        "public": board.accuracy_json(point.public),
        "private": None if point.private is None else board.accuracy_json(point.private),
    }

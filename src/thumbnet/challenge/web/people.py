"""Routes of accounts and teams."""

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from thumbnet.challenge.board import Board
from thumbnet.challenge.moments import iso
from thumbnet.challenge.people import accounts, teams, tokens
from thumbnet.challenge.people.accounts import Account
from thumbnet.challenge.state import Challenge
from thumbnet.challenge.web import models
from thumbnet.challenge.web.errors import documented
from thumbnet.challenge.web.live import live_board
from thumbnet.challenge.web.security import (
    Known,
    Number,
    Open,
    Participant,
    address_of,
    check_origin,
    clear_session,
    find_viewer,
    set_session,
    with_passwords,
)

router = APIRouter(prefix="/api", tags=["people"])


@router.post("/sign-up", status_code=201, responses=documented(400, 403, 408, 409, 413, 415, 422, 429))
async def sign_up(given: models.SignUp, request: Request, response: Response, challenge: Open) -> models.AccountInfo:
    """Make a participant's account and start a session."""
    check_origin(request)

    def make() -> models.AccountInfo:
        account = accounts.sign_up(
            challenge,
            given.name,
            given.password,
            code=given.code,
            team=given.team,
            team_code=given.team_code,
            address=address_of(request),
        )
        return _start_session(challenge, account, response)

    return await with_passwords(request, make)


@router.post("/sign-in", responses=documented(400, 401, 403, 408, 413, 415, 422, 429))
async def sign_in(given: models.SignIn, request: Request, response: Response, challenge: Open) -> models.AccountInfo:
    """Start a session, with name and password or with an API token."""
    check_origin(request)

    def start() -> models.AccountInfo:
        found = tokens.enter(
            challenge, token=given.token, name=given.name, password=given.password, address=address_of(request)
        )
        return _start_session(challenge, found, response)

    return await with_passwords(request, start)


@router.post("/sign-out", status_code=204, responses=documented(401, 403))
def sign_out(request: Request, response: Response, challenge: Open) -> None:
    """End the session, where there is one."""
    viewer = find_viewer(request)
    if viewer is not None and viewer.session:
        tokens.end_session(challenge, viewer.session)
    clear_session(response, challenge.settings)


@router.get("/me", responses=documented(401))
def me(viewer: Known, challenge: Open) -> models.AccountInfo:
    """Return the own account."""
    return _info(challenge, viewer.account)


@router.post("/password", status_code=204, responses=documented(400, 401, 403, 408, 413, 415, 422, 429))
async def change_password(given: models.NewPassword, request: Request, viewer: Known, challenge: Open) -> None:
    """Change the own password, which ends all sessions and API tokens. It needs the old one, where there is one."""

    def change() -> None:
        accounts.confirm(challenge, viewer.account, given.old, address_of(request))
        tokens.change_password(challenge, viewer.account, given.new)

    await with_passwords(request, change)


@router.get("/tokens", responses=documented(401))
def list_tokens(viewer: Known, challenge: Open) -> list[models.TokenInfo]:
    """List the own API tokens."""
    with challenge.database.read() as connection:
        found = tokens.list_tokens(connection, viewer.account)
    return [models.TokenInfo(id=one.id, label=one.label, created_at=iso(one.created_at)) for one in found]


@router.post("/tokens", status_code=201, responses=documented(400, 401, 403, 408, 409, 413, 415, 422, 429))
async def make_token(given: models.NewToken, request: Request, viewer: Known, challenge: Open) -> models.MadeToken:
    """Make an API token; the answer is the one time that it is shown. It needs the password, where there is one."""

    def make() -> str:
        accounts.confirm(challenge, viewer.account, given.password, address_of(request))
        return tokens.make_token(challenge, viewer.account, given.label)

    return models.MadeToken(token=await with_passwords(request, make))


@router.delete("/tokens/{number}", status_code=204, responses=documented(401, 403, 404, 422))
def remove_token(number: Number, viewer: Known, challenge: Open) -> None:
    """Remove an own API token."""
    tokens.remove_token(challenge, viewer.account, number)


@router.get("/team", responses=documented(401, 403))
async def team(request: Request, viewer: Participant, challenge: Open) -> models.TeamInfo:
    """Return the own team and its place on the board."""
    found = (await live_board(request).get()).board
    return await run_in_threadpool(_team, challenge, viewer.account, found)


def _team(challenge: Challenge, account: Account, found: Board) -> models.TeamInfo:
    assert account.team_id is not None
    with challenge.database.read() as connection:
        now = challenge.database.now(connection)
        own = teams.find(connection, account.team_id, now)
    shows = challenge.settings.board != "hidden"
    return models.TeamInfo(
        name=own.name,
        pseudonym=own.pseudonym,
        members=list(own.members),
        next_allowed=own.waits_until(now),
        rank=next((row.rank for row in found.rows if shows and row.team == own.id), None),
    )


@router.post("/team/code", status_code=201, responses=documented(401, 403, 409))
def team_code(viewer: Participant, challenge: Open) -> models.Code:
    """Make a new code by which others can join the own team; the one before no longer works."""
    assert viewer.account.team_id is not None
    return models.Code(code=teams.new_code(challenge.database, viewer.account.team_id))


def _start_session(challenge: Challenge, account: Account, response: Response) -> models.AccountInfo:
    set_session(response, challenge.settings, tokens.make_session(challenge, account))
    return _info(challenge, account)


def _info(challenge: Challenge, account: Account) -> models.AccountInfo:
    name = None
    if account.team_id is not None:
        with challenge.database.read() as connection:
            name = teams.find(connection, account.team_id, challenge.database.now(connection)).name
    role = {"name": account.name, "role": account.role, "team": name}
    return models.AccountInfo.model_validate(role)

"""The own account: team, API tokens, password. What is secret is shown in the response that made it alone."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response

from thumbnet.challenge.moments import iso
from thumbnet.challenge.people import accounts, teams, tokens
from thumbnet.challenge.refusals import RefusalError
from thumbnet.challenge.state import Challenge
from thumbnet.challenge.web.frame import show
from thumbnet.challenge.web.pages.parts import Text, see
from thumbnet.challenge.web.security import (
    LARGEST,
    Known,
    Open,
    Participant,
    Viewer,
    address_of,
    clear_session,
    with_passwords,
)

router = APIRouter(prefix="/account", include_in_schema=False)


@router.get("")
def account(
    request: Request, viewer: Known, challenge: Open, done: Annotated[str, Query(max_length=20)] = ""
) -> Response:
    """Show the account."""
    return _page(request, viewer, challenge, done=done)


@router.post("/token")
async def make_token(
    request: Request, viewer: Known, challenge: Open, label: Text = "", password: Text = ""
) -> Response:
    """Make an API token and show it. It needs the password, where there is one."""

    def make() -> Response:
        try:
            accounts.confirm(challenge, viewer.account, password, address_of(request))
            token = tokens.make_token(challenge, viewer.account, label)
        except RefusalError as problem:
            return _page(request, viewer, challenge, problem)
        return _page(request, viewer, challenge, token=token)

    return await with_passwords(request, make)


@router.post("/token/remove")
def remove_token(
    request: Request, viewer: Known, challenge: Open, number: Annotated[int, Form(ge=1, le=LARGEST)]
) -> Response:
    """Remove an own API token."""
    try:
        tokens.remove_token(challenge, viewer.account, number)
    except RefusalError as problem:
        return _page(request, viewer, challenge, problem)
    return see("/account?done=removed")


@router.post("/team-code")
def team_code(request: Request, viewer: Participant, challenge: Open) -> Response:
    """Make a new code by which others can join the own team, and show it."""
    assert viewer.account.team_id is not None
    try:
        code = teams.new_code(challenge.database, viewer.account.team_id)
    except RefusalError as problem:
        return _page(request, viewer, challenge, problem)
    return _page(request, viewer, challenge, code=code)


@router.post("/password")
async def change_password(
    request: Request, viewer: Known, challenge: Open, old: Text = "", new: Text = ""
) -> Response:
    """Change the own password, which ends all sessions and tokens."""

    def change() -> Response:
        try:
            accounts.confirm(challenge, viewer.account, old, address_of(request))
            tokens.change_password(challenge, viewer.account, new)
        except RefusalError as problem:
            return _page(request, viewer, challenge, problem)
        response = see("/sign-in?done=password")
        clear_session(response, challenge.settings)
        return response

    return await with_passwords(request, change)


def _page(
    request: Request,
    viewer: Viewer,
    challenge: Challenge,
    problem: RefusalError | None = None,
    *,
    token: str = "",
    code: str = "",
    done: str = "",
) -> Response:
    with challenge.database.read() as connection:
        found = tokens.list_tokens(connection, viewer.account)
    shown = [(one.id, one.label, iso(one.created_at)) for one in found]
    return show(request, viewer, "account", problem=problem, tokens=shown, token=token, code=code, done=done)

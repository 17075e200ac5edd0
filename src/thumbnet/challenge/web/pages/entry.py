"""Signing up, in and out."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from thumbnet.challenge.people import accounts, tokens
from thumbnet.challenge.people.accounts import Account
from thumbnet.challenge.refusals import RefusalError
from thumbnet.challenge.state import Challenge
from thumbnet.challenge.web.frame import show
from thumbnet.challenge.web.pages.parts import Text, see
from thumbnet.challenge.web.security import (
    Anyone,
    Open,
    address_of,
    check_origin,
    clear_session,
    set_session,
    with_passwords,
)

router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
def sign_in_form(request: Request, viewer: Anyone, done: Annotated[str, Query(max_length=20)] = "") -> Response:
    """Show the form to sign in."""
    return show(request, viewer, "sign-in", name="", done=done)


@router.post("/sign-in")
async def sign_in(
    request: Request, challenge: Open, name: Text = "", password: Text = "", token: Text = ""
) -> Response:
    """Start a session, with name and password or with an API token."""

    def start() -> Response:
        try:
            check_origin(request, needed=True)
            given = {"token": token.strip(), "name": name.strip(), "password": password}
            account = tokens.enter(challenge, **given, address=address_of(request))
        except RefusalError as problem:
            return show(request, None, "sign-in", problem=problem, name=name, done="")
        return _begin(challenge, account, "/admin" if account.role == "admin" else "/")

    return await with_passwords(request, start)


@router.get("/sign-up")
def sign_up_form(request: Request, viewer: Anyone, code: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Show the form to sign up; a link may bring the invite code along."""
    given = {"name": "", "code": code, "team": "", "team_code": ""}
    return show(request, viewer, "sign-up", given=given)


@router.post("/sign-up")
async def sign_up(
    *,
    request: Request,
    challenge: Open,
    name: Text = "",
    password: Text = "",
    code: Text = "",
    team: Text = "",
    team_code: Text = "",
) -> Response:
    """Make a participant's account and start a session."""
    given = {"name": name.strip(), "code": code.strip(), "team": team.strip(), "team_code": team_code.strip()}

    def make() -> Response:
        try:
            check_origin(request, needed=True)
            account = accounts.sign_up(challenge, password=password, address=address_of(request), **given)
        except RefusalError as problem:
            return show(request, None, "sign-up", problem=problem, given=given)
        return _begin(challenge, account, "/submit")

    return await with_passwords(request, make)


@router.post("/sign-out")
def sign_out(viewer: Anyone, challenge: Open) -> Response:
    """End the session, where there is one."""
    if viewer is not None and viewer.session:
        tokens.end_session(challenge, viewer.session)
    response = see("/")
    clear_session(response, challenge.settings)
    return response


def _begin(challenge: Challenge, account: Account, path: str) -> Response:
    response = see(path)
    set_session(response, challenge.settings, tokens.make_session(challenge, account))
    return response

"""Accounts: signing up and signing in."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from thumbnet.challenge.database.schema import accounts, invites
from thumbnet.challenge.people import names, secrets, throttle
from thumbnet.challenge.people import teams as team_rules
from thumbnet.challenge.people.throttle import Limit
from thumbnet.challenge.refusals import RefusalError, conflict, not_found
from thumbnet.challenge.state import Challenge

_TRIES = 5
_HOUR = 3_600_000
_SIGN_UPS = 20
"""Accounts that one address can make in an hour where sign-up is open."""
_FAILED = 100
"""Sign-ups that fail, from one address in an hour where sign-up is open: they are work too, and can guess names and
team codes."""
_BAD_CODES = 100
"""Wrong invite codes from one address in an hour; guessing them is hopeless, this spares the server."""


@dataclass(frozen=True)
class Account:
    """Who is asking.

    Attributes:
        id: number of the account.
        name: the name to sign in with.
        role: 'participant' or 'admin'.
        team_id: number of the team; `None` for an admin.
    """

    id: int
    name: str
    role: str
    team_id: int | None


@dataclass(frozen=True)
class _Wanted:
    """What somebody signs up with."""

    name: str
    password_hash: str
    code: str
    team: str
    team_code: str


def sign_up(
    challenge: Challenge,
    name: str,
    password: str,
    *,
    code: str = "",
    team: str = "",
    team_code: str = "",
    address: str,
) -> Account:
    """Make a participant's account, with a new team or in one that is there, and return it.

    Args:
        challenge: the challenge.
        name: to sign in with.
        password: of 8 to 200 characters.
        code: of the roster; needed unless sign-up is open.
        team: name of a new team; by default the account's name. Who is in a team of the roster chooses none.
        team_code: of a team that is there, which its members give to those they want.
        address: where the request comes from, to limit how many come from there.

    Raises:
        RefusalError: a bad or taken name, a bad code, a full team, or too many sign-ups.
    """
    names.check_account_name(name)
    if not code and challenge.settings.sign_up != "open":
        raise RefusalError("sign-up needs the invite code that you were given", code="code_needed", status=403)
    here = throttle.source(address)
    if code:
        # Codes that work are limited by the roster; a whole class may come from one address.
        _check_code(challenge, code, [Limit(f"bad code {here}", _BAD_CODES, _HOUR)])
    throttle.drop_old(challenge.database)
    with contextlib.nullcontext() if code else _counted(challenge, here):
        wanted = _Wanted(name, secrets.hash_password(password), code, team, team_code)
        for _ in range(_TRIES):
            # Two at once may draw one pseudonym, or make a team of one name; the second then looks again.
            with contextlib.suppress(IntegrityError):
                return challenge.database.change(lambda connection: _sign_up(challenge, connection, wanted))
        raise conflict("this account or team name is being taken by somebody else; choose another one")


@contextlib.contextmanager
def _counted(challenge: Challenge, here: str) -> Iterator[None]:
    """Count the sign-up that the block makes, or where it is refused, a failed one, for the address `here`.

    It is counted as both before it is made, so that many at once cannot pass together.

    Raises:
        RefusalError: too many of one kind came before.
    """
    made, failed = Limit(f"sign-up {here}", _SIGN_UPS, _HOUR), Limit(f"failed sign-up {here}", _FAILED, _HOUR)
    throttle.take(challenge.database, [made, failed], "sign-ups from your address")
    try:
        yield
    except RefusalError:
        throttle.give_back(challenge.database, [made.key])
        raise
    throttle.give_back(challenge.database, [failed.key])


def _sign_up(challenge: Challenge, connection: Connection, wanted: _Wanted) -> Account:
    if connection.execute(select(accounts.c.id).where(accounts.c.name_key == names.key(wanted.name))).first():
        raise conflict("this account name is taken; choose another one")
    now = challenge.database.now(connection)
    invited = _redeem(connection, wanted.code, now) if wanted.code else None
    team_id = _enter_team(connection, wanted, invited, now, challenge.settings.team_size)
    person = {"person": invited.person, "person_id": invited.person_id} if invited else {}
    account = insert_account(
        connection,
        wanted.name,
        now,
        password_hash=wanted.password_hash,
        role="participant",
        team_id=team_id,
        **person,
    )
    if invited:
        connection.execute(update(invites).where(invites.c.id == invited.id).values(account_id=account.id))
    return account


def _enter_team(connection: Connection, wanted: _Wanted, invited: Any, now: int, size: int) -> int:
    """Return the number of the new account's team; the roster's, where it names one, binds."""
    if invited and invited.team_id is not None:
        if wanted.team or wanted.team_code:
            raise conflict(
                "your team is the one that the roster names; leave team and team code empty, or ask who runs the "
                "challenge to move you"
            )
        return team_rules.enter_of_roster(connection, invited.team_id)
    if wanted.team_code:
        return team_rules.enter_by_code(connection, wanted.team_code, size)
    if wanted.team:
        return team_rules.enter_new(connection, wanted.team, now)
    return team_rules.enter_own(connection, wanted.name, now)


def _check_code(challenge: Challenge, code: str, limits: Sequence[Limit]) -> None:
    """Check that an invite code can be used, and count it under `limits` where it cannot.

    Raises:
        RefusalError: it is unknown or used, or too many such codes came before.
    """
    throttle.check(challenge.database, limits, "wrong invite codes from your address")
    chosen = (invites.c.code_digest == secrets.code_digest(code), invites.c.used_at.is_(None))
    with challenge.database.read() as connection:
        found = connection.execute(select(invites.c.id).where(*chosen)).first()
    if found is None:
        throttle.take(challenge.database, limits, "wrong invite codes from your address")
        raise _bad_code()


def sign_in(challenge: Challenge, name: str, password: str, address: str) -> Account:
    """Return the account of this name and password.

    Whether the name or the password is wrong cannot be told, by what is said or by how long it takes. An attempt is
    counted before it is made; after ten for one account from one address, and fifty for one account, it has to wait.
    Those that have to wait count nowhere, so that one address cannot use up the fifty.

    Raises:
        RefusalError: they do not fit, or there were too many attempts.
    """
    known = names.key(name)[:128]
    here = throttle.source(address)
    mine = f"sign-in {known} {here}"[:300]
    limits = [Limit(f"sign-in from {here}", 1000), Limit(mine, 10), Limit(f"sign-in {known}", 50)]
    throttle.take(challenge.database, limits, "attempts to sign in")
    with challenge.database.read() as connection:
        row = connection.execute(select(accounts).where(accounts.c.name_key == known)).first()
    fits = secrets.verify_password(password, row.password_hash if row else None)
    if row is None or not fits:
        raise RefusalError("account name and password do not fit; try again", code="wrong_password", status=401)
    throttle.forget(challenge.database, [mine])
    throttle.give_back(challenge.database, [limit.key for limit in limits if limit.key != mine])
    return account_of(row)


def confirm(challenge: Challenge, account: Account, password: str, address: str) -> None:
    """Check that who asks for `account` knows its password, where it has one; a session or token may be stolen.

    Raises:
        RefusalError: it does not fit, or there were too many attempts.
    """
    with challenge.database.read() as connection:
        chosen = select(accounts.c.password_hash).where(accounts.c.id == account.id)
        has_password = connection.execute(chosen).scalar() is not None
    if has_password:
        sign_in(challenge, account.name, password, address)


def find_account(challenge: Challenge, name: str) -> Account:
    """Return the account called `name`.

    Raises:
        RefusalError: there is none.
    """
    with challenge.database.read() as connection:
        row = connection.execute(select(accounts).where(accounts.c.name_key == names.key(name))).first()
    if row is None:
        raise not_found(f"no account is called {name!a}")
    return account_of(row)


def insert_account(connection: Connection, name: str, now: int, **values: Any) -> Account:
    """Make an account with these values of its columns, and return it."""
    values = {"person": "", "person_id": ""} | values
    made = insert(accounts).values(name=name, name_key=names.key(name), created_at=now, **values)
    return account_of(connection.execute(made.returning(accounts)).one())


def _redeem(connection: Connection, code: str, now: int) -> Any:
    """Use the invite of `code` and return its row; one write, so that a code cannot be used twice."""
    chosen = (invites.c.code_digest == secrets.code_digest(code), invites.c.used_at.is_(None))
    row = connection.execute(update(invites).where(*chosen).values(used_at=now).returning(invites)).first()
    if row is None:
        raise _bad_code()
    return row


def _bad_code() -> RefusalError:
    return RefusalError(
        "this invite code is unknown or used already; ask for another one", code="bad_code", status=403
    )


def account_of(row: Any) -> Account:
    """Return the account of a row of its table."""
    return Account(row.id, row.name, row.role, row.team_id)

"""Sessions and API tokens, by which a request is known, and what ends them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, or_, select, update

from thumbnet.challenge.database.schema import accounts, tokens
from thumbnet.challenge.people import names, secrets
from thumbnet.challenge.people.accounts import Account, account_of, insert_account, sign_in
from thumbnet.challenge.refusals import RefusalError, bad_request, conflict, not_found
from thumbnet.challenge.state import Challenge

_MOST_TOKENS = 20


@dataclass(frozen=True)
class Token:
    """A token of an account, without its secret."""

    id: int
    label: str
    created_at: int


def enter(challenge: Challenge, *, token: str, name: str, password: str, address: str) -> Account:
    """Return the account that somebody signs in to: that of `token`, or where it is empty, of name and password.

    Raises:
        RefusalError: they are not valid, or there were too many attempts.
    """
    if not token:
        return sign_in(challenge, name, password, address)
    found = find_by_secret(challenge, token, "api")
    if found is None:
        raise RefusalError("this API token is not valid", code="bad_token", status=401)
    return found


def make_session(challenge: Challenge, account: Account) -> str:
    """Return the secret of a new session of `account`."""
    lifetime = round(challenge.settings.session_days * 86_400_000)
    with challenge.database.write() as connection:
        now = challenge.database.now(connection)
        connection.execute(delete(tokens).where(tokens.c.expires_at < now))
        return _new_token(connection, account, now, expires_at=now + lifetime)


def make_token(challenge: Challenge, account: Account, label: str) -> str:
    """Return the secret of a new API token of `account`, which is shown this one time.

    Raises:
        RefusalError: a bad label, or too many tokens.
    """
    label = names.check_text(label, "label")
    with challenge.database.write() as connection:
        if len(list_tokens(connection, account)) >= _MOST_TOKENS:
            raise conflict(f"you have {_MOST_TOKENS} tokens; remove one first")
        return _new_token(connection, account, challenge.database.now(connection), label=label)


def list_tokens(connection: Connection, account: Account) -> Sequence[Token]:
    """Return the API tokens of `account`, oldest first."""
    chosen = select(tokens).where(tokens.c.account_id == account.id, tokens.c.kind == "api").order_by(tokens.c.id)
    return [Token(row.id, row.label, row.created_at) for row in connection.execute(chosen)]


def remove_token(challenge: Challenge, account: Account, number: int) -> None:
    """Remove an API token of `account`.

    Raises:
        RefusalError: it has none of this number.
    """
    chosen = (tokens.c.id == number, tokens.c.account_id == account.id, tokens.c.kind == "api")
    with challenge.database.write() as connection:
        if connection.execute(delete(tokens).where(*chosen).returning(tokens.c.id)).first() is None:
            raise not_found("you have no token of this number")


def end_session(challenge: Challenge, secret: str) -> None:
    """End the session of this secret, where there is one."""
    with challenge.database.write() as connection:
        connection.execute(delete(tokens).where(tokens.c.digest == secrets.digest(secret), tokens.c.kind == "session"))


def find_by_secret(challenge: Challenge, secret: str, kind: str) -> Account | None:
    """Return the account of a session's or token's secret; `None` where it is of nobody or over."""
    with challenge.database.read() as connection:
        chosen = (
            select(accounts)
            .join(tokens, tokens.c.account_id == accounts.c.id)
            .where(tokens.c.digest == secrets.digest(secret), tokens.c.kind == kind)
            .where(or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > challenge.database.now(connection)))
        )
        row = connection.execute(chosen).first()
        return None if row is None else account_of(row)


def change_password(challenge: Challenge, account: Account, password: str) -> None:
    """Give `account` another password, and end all its sessions and tokens: whoever stole one has it no longer.

    Raises:
        RefusalError: the password is too short or too long.
    """
    hashed = secrets.hash_password(password)
    with challenge.database.write() as connection:
        connection.execute(update(accounts).where(accounts.c.id == account.id).values(password_hash=hashed))
        _remove_all(connection, account)


def make_admin(challenge: Challenge, name: str, *, only_first: bool = False, revoke: bool = False) -> str | None:
    """Return the secret of a new API token of the admin `name`, who is made where there is no such account.

    Args:
        challenge: the challenge.
        name: the admin's account name.
        only_first: do nothing and return `None` where the challenge has an admin already.
        revoke: end all tokens and sessions that the admin had.

    Raises:
        RefusalError: the name is bad or a participant's.
    """
    names.check_account_name(name)
    with challenge.database.write() as connection:
        challenge.database.start_alone(connection)
        if only_first and connection.execute(select(accounts.c.id).where(accounts.c.role == "admin")).first():
            return None
        now = challenge.database.now(connection)
        row = connection.execute(select(accounts).where(accounts.c.name_key == names.key(name))).first()
        admin = account_of(row) if row else insert_account(connection, name, now, role="admin")
        if admin.role != "admin":
            raise bad_request(f"account {name!a} is a participant's; choose another name for the admin")
        if revoke:
            _remove_all(connection, admin)
        return _new_token(connection, admin, now, label="command line")


def _remove_all(connection: Connection, account: Account) -> None:
    connection.execute(delete(tokens).where(tokens.c.account_id == account.id))


def _new_token(
    connection: Connection, account: Account, now: int, *, label: str = "", expires_at: int | None = None
) -> str:
    """Make a session, which ends at `expires_at`, or an API token, which does not, and return its secret."""
    secret = secrets.new_token()
    kind = "api" if expires_at is None else "session"
    values = {"account_id": account.id, "kind": kind, "label": label, "created_at": now, "expires_at": expires_at}
    connection.execute(insert(tokens).values(digest=secrets.digest(secret), **values))
    return secret

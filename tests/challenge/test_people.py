"""Accounts: signing in, secrets, tokens, admins and full teams."""

import re

import pytest
from argon2 import Parameters, Type, extract_parameters
from benchmarks.challenge.processes import PASSWORD
from sqlalchemy import select

from tests.challenge.world import ROSTER, World, answers
from thumbnet.challenge.database.schema import metadata
from thumbnet.challenge.database.schema import tokens as token_table
from thumbnet.challenge.people import accounts, roster, secrets, tokens
from thumbnet.challenge.people import teams as team_rules
from thumbnet.challenge.refusals import RefusalError


def test_signing_in_needs_the_password(both: World) -> None:
    anna = both.join("Anna")
    assert accounts.sign_in(both.challenge, "anna", PASSWORD, "192.0.2.1") == anna
    for name, password in (("Anna", "wrong horse"), ("nobody", PASSWORD), ("Anna", "")):
        with pytest.raises(RefusalError, match="do not fit") as refused:
            accounts.sign_in(both.challenge, name, password, "192.0.2.1")
        assert refused.value.status == 401


class _Counting:
    """Verifies as the usual hasher does, and notes what each hash costs."""

    def __init__(self) -> None:
        self.costs: list[Parameters] = []
        self._usual = secrets._HASHER

    def verify(self, stored: str, password: bytes) -> bool:
        self.costs.append(extract_parameters(stored))
        return self._usual.verify(stored, password)


@pytest.mark.usefixtures("real_hasher")
def test_a_refusal_does_the_same_work_without_an_account(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.join("anna")
    world.admin_token("no-password")
    counted = []
    for name in ("anna", "nobody", "no-password"):
        with monkeypatch.context() as patch:
            hasher = _Counting()
            patch.setattr(secrets, "_HASHER", hasher)
            with pytest.raises(RefusalError, match="do not fit"):
                accounts.sign_in(world.challenge, name, "wrong horse", "192.0.2.1")
        counted.append(hasher.costs)
    usual = Parameters(Type.ID, 19, 16, 32, 2, 19 * 1024, 1)
    assert counted == [[usual]] * 3


@pytest.mark.usefixtures("real_hasher")
def test_no_secret_is_stored(both: World) -> None:
    anna = both.join("anna")
    session = tokens.make_session(both.challenge, anna)
    token = both.token(anna)
    code = team_rules.new_code(both.challenge.database, anna.team_id or 0)
    (invited, *_) = roster.invite(both.challenge, roster.parse(ROSTER.encode())).made
    kept = []
    with both.challenge.database.read() as connection:
        for table in metadata.sorted_tables:
            kept += [str(value) for row in connection.execute(select(table)) for value in row]
    text = "\n".join(kept)
    for secret in (PASSWORD, session, token, code, invited.code, code.replace("-", ""), invited.code.replace("-", "")):
        assert secret not in text
    assert re.search(r"\$argon2id\$v=19\$m=19456,t=2,p=1\$", text)
    assert secrets.digest(token) in text


def test_tokens_and_sessions_are_no_substitutes_and_end(both: World) -> None:
    anna, bert = both.join("anna"), both.join("bert")
    session, token = tokens.make_session(both.challenge, anna), both.token(anna)
    assert tokens.find_by_secret(both.challenge, session, "session") == anna
    assert tokens.find_by_secret(both.challenge, token, "api") == anna
    assert tokens.find_by_secret(both.challenge, token, "session") is None
    assert tokens.find_by_secret(both.challenge, session, "api") is None
    with both.challenge.database.read() as connection:
        (kept,) = tokens.list_tokens(connection, anna)
    with pytest.raises(RefusalError, match="no token of this number"):
        tokens.remove_token(both.challenge, bert, kept.id)
    tokens.remove_token(both.challenge, anna, kept.id)
    assert tokens.find_by_secret(both.challenge, token, "api") is None
    other = both.token(anna)
    tokens.change_password(both.challenge, anna, "another horse")
    assert tokens.find_by_secret(both.challenge, session, "session") is None
    assert tokens.find_by_secret(both.challenge, other, "api") is None
    assert accounts.sign_in(both.challenge, "anna", "another horse", "192.0.2.1") == anna


def test_a_session_ends_by_itself(world: World) -> None:
    anna = world.join("anna")
    session = tokens.make_session(world.challenge, anna)
    with world.challenge.database.write() as connection:
        connection.execute(token_table.update().values(expires_at=world.challenge.database.now(connection) - 1))
    assert tokens.find_by_secret(world.challenge, session, "session") is None


@pytest.mark.parametrize("password", ["", "short", "x" * 201])
def test_bad_passwords_are_refused(password: str, world: World) -> None:
    with pytest.raises(RefusalError, match="password: give 8 to 200"):
        accounts.sign_up(world.challenge, "anna", password, address="x")


def test_a_full_team_takes_nobody(world: World) -> None:
    anna = world.join("anna")
    code = team_rules.new_code(world.challenge.database, anna.team_id or 0)
    for number in range(3):
        world.join(f"b{number}", team_code=code)
    with pytest.raises(RefusalError, match="has 4 members"):
        world.join("eve", team_code=code)
    newer = team_rules.new_code(world.challenge.database, anna.team_id or 0)
    assert newer != code
    with world.challenge.database.read() as connection:
        assert team_rules.find(connection, anna.team_id or 0, 0).members == ["anna", "b0", "b1", "b2"]


def test_the_first_admin_is_made_once_and_a_token_can_be_made_anew(world: World) -> None:
    token = tokens.make_admin(world.challenge, "admin", only_first=True)
    assert token is not None
    assert tokens.make_admin(world.challenge, "admin", only_first=True) is None
    newer = world.admin_token()
    assert newer != token
    found = tokens.find_by_secret(world.challenge, newer, "api")
    assert found is not None
    assert (found.role, found.team_id) == ("admin", None)
    # An admin without a password cannot sign in with any.
    for password in ("", newer, "None"):
        with pytest.raises(RefusalError, match="do not fit"):
            accounts.sign_in(world.challenge, "admin", password, "x")
    world.join("anna")
    with pytest.raises(RefusalError, match="is a participant's"):
        tokens.make_admin(world.challenge, "anna")


def test_a_token_limit_holds(world: World) -> None:
    anna = world.join("anna")
    for _ in range(20):
        world.token(anna)
    with pytest.raises(RefusalError, match="you have 20 tokens"):
        world.token(anna)
    assert world.send(anna, answers(1)).is_new

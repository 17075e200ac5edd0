"""Every endpoint as every role: nothing that is private gets out before the end.

Two challenges are asked the same, which differ in what is private alone. Whatever they answer has to be the same.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from benchmarks.challenge.processes import PASSWORD
from sqlalchemy import select
from starlette.testclient import TestClient

from tests.challenge.world import TEXT, World, answers, app_of, bearer, requests
from thumbnet.challenge.database.schema import teams
from thumbnet.challenge.people import roster
from thumbnet.challenge.people.accounts import Account
from thumbnet.challenge.settings import Settings
from thumbnet.challenge.state import Challenge, Phase, set_phase
from thumbnet.challenge.web import make_app

ADDRESS = "203.0.113.77"
ROLES = ("nobody", "anna", "bert", "admin")
VICTIM = ("Bertram Brecht", "student-4711", "Die Baeren")
ENDING = {"/api/admin/close", "/api/admin/open", "/api/admin/reveal", "/admin/phase"}
SCORES = re.compile(r"^/$|board|/team|/submissions|/submit|grades|ledger")
"""Routes that tell of scores, or that somebody who looks for them would ask."""
BODIES: dict[str, dict[str, Any]] = {
    "/api/sign-up": {"json": {"name": "new", "password": PASSWORD}},
    "/api/sign-in": {"json": {"name": "bert", "password": "wrong horse"}},
    "/api/password": {"json": {"old": "wrong horse", "new": "x"}},
    "/api/tokens": {"json": {"label": "one more"}},
    "/api/submissions": {"content": answers(1), "headers": TEXT},
    "/api/admin/roster": {"content": "name,id\nDora Dohle,s9\n", "headers": {"Content-Type": "text/csv"}},
    "/api/admin/turn": {"json": {"team": "nobody's"}},
    "/sign-up": {"data": {"name": "newer", "password": PASSWORD}},
    "/sign-in": {"data": {"name": "bert", "password": "wrong horse"}},
    "/submit": {"files": {"file": ("../../x", answers(1))}},
    "/account/password": {"data": {"old": "wrong horse", "new": "x"}},
    "/account/token": {"data": {"label": "another", "password": PASSWORD}},
    "/account/token/remove": {"data": {"number": "999"}},
    "/admin/phase": {"data": {"to": "revealed", "sure": "yes"}},
    "/admin/turn": {"data": {"team": "nobody's"}},
    "/admin/roster": {"files": {"file": ("x.csv", "name,id\nEmil Elster,s8\n")}},
}


@dataclass
class Asked:
    """A challenge in which 'anna' and 'bert' submitted once, with its app."""

    world: World
    client: TestClient
    people: dict[str, Account] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    pseudonyms: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    def enter(self, phase: Phase) -> None:
        """Begin a phase, which the next answer knows of."""
        set_phase(self.world.challenge, phase)
        app_of(self.client).state.board.begin_phase()


@pytest.fixture(params=["open", "pseudonymous", "hidden"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Asked, Asked]]:
    made = [_make(tmp_path / str(number), request.param, number) for number in range(2)]
    with made[0].client, made[1].client:
        yield made[0], made[1]
    for one in made:
        one.world.challenge.close()


def _make(folder: Path, mode: str, number: int) -> Asked:
    settings = Settings(folder=folder, sign_up="open", board=mode, public_fraction=0.5, seed=3)
    world = World(settings)
    client = TestClient(make_app(Challenge.open(settings)), raise_server_exceptions=False, client=(ADDRESS, 50_000))
    asked = Asked(world, client)
    name, identity, team = VICTIM
    (invited,) = roster.invite(
        world.challenge, roster.parse(f"name,id,team\n{name},{identity},{team}\n".encode())
    ).made
    asked.people["anna"] = world.join("anna", team="Ansel and Anna")
    asked.people["bert"] = world.join("bert", code=invited.code)
    private = world.challenge.labels(1).private
    public = np.flatnonzero(~private).tolist()
    hidden = np.flatnonzero(private).tolist()
    # The same on the public images in both challenges; on the private ones each is best in one of them.
    for who, shown, secret in (("anna", 13, (4, 15)), ("bert", 11, (17, 2))):
        asked.files[who] = answers([*public[:shown], *hidden[: secret[number]]])
        world.send(asked.people[who], asked.files[who])
        asked.tokens[who] = world.token(asked.people[who])
    asked.tokens["admin"] = world.admin_token()
    asked.pseudonyms = pseudonyms(world)
    return asked


def pseudonyms(world: World) -> dict[str, str]:
    with world.challenge.database.read() as connection:
        return {row.name: row.pseudonym for row in connection.execute(select(teams))}


def ask(asked: Asked, role: str, method: str, path: str) -> tuple[int, str]:
    """Return status and full text, headers included, of one request."""
    given = BODIES.get(path, {})
    headers = dict(given.get("headers", {}))
    if role != "nobody":
        headers |= bearer(asked.tokens[role])
    team = next(iter(asked.pseudonyms))
    team = team if asked.world.settings.board == "open" else asked.pseudonyms[team]
    query = {"/api/board/history": {"team": team}, "/team": {"name": team} if role == "nobody" else None}.get(path)
    if not path.startswith("/api/"):
        headers |= {"Origin": "http://testserver"}
    asked.client.cookies.clear()
    more = given | {"headers": headers, "follow_redirects": False}
    found = asked.client.request(method, path, params=query, **more)
    sent = "\n".join(f"{name}: {value}" for name, value in found.headers.items())
    return found.status_code, f"{sent}\n\n{found.text}"


def plain(text: str, known: Mapping[str, str]) -> str:
    """Return `text` without what is random or a time, with names in the place of the pseudonyms that are `known`."""
    # A pseudonym drawn twice ends in a number, so it holds the other one.
    for name, pseudonym in sorted(known.items(), key=lambda pair: -len(pair[1])):
        for written in (pseudonym, quote(pseudonym)):
            text = text.replace(written, f"<{name}>")
    # Pseudonyms differ in length.
    text = re.sub(r"content-length: \d+", "", text)
    text = re.sub(r"tn_[\w-]{43}|[0-9a-f]{32,64}|[A-Z2-9]{4}(-[A-Z2-9]{4}){3}", "<secret>", text)
    text = re.sub(r"\d+ \w{3} \d{4}, \d\d:\d\d UTC|\d{4}-\d\d-\d\d \d\d:\d\d UTC", "<time>", text)
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z|retry-after: \d+|\"retry_after\":\d+|(?i:expires=[^;]*)", "<time>", text)


def sweep(asked: Asked, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str, str], tuple[int, str]]:
    """Return what each role is answered to all that is `wanted`, methods and paths."""
    answered = {}
    for role in ROLES:
        # Last what deletes: it takes the role's own token, which is then made anew.
        for method, path in sorted(wanted, key=lambda request: request[0] == "DELETE"):
            if not (role == "admin" and path in ENDING):
                answered[role, method, path] = ask(asked, role, method, path)
        if role == "admin":
            asked.tokens[role] = asked.world.admin_token()
        elif role != "nobody":
            asked.tokens[role] = asked.world.token(asked.people[role])
    return answered


def test_nothing_private_gets_out_before_the_end(pair: tuple[Asked, Asked]) -> None:
    first, second = pair
    mode = first.world.settings.board
    everything = requests(first.client)
    assert everything == requests(second.client)
    # What is closed is no other than what is open but in what is shown of the scores; one mode asks for all again.
    later = everything if mode == "pseudonymous" else [one for one in everything if SCORES.search(one[1])]
    assert len(later) >= 15
    asked: dict[Phase, list[tuple[str, str]]] = {"open": everything, "closed": later}
    for phase, wanted in asked.items():
        for one in pair:
            one.enter(phase)
        answered, also = sweep(first, wanted), sweep(second, wanted)
        assert answered.keys() == also.keys()
        # Read afterwards: those who signed up meanwhile have one too.
        known = [pseudonyms(one.world) for one in pair]
        for key, (status, text) in answered.items():
            role, _, path = key
            assert status < 500, (key, text)
            if not (path.endswith("/file") and status == 200):
                assert (status, plain(text, known[0])) == (also[key][0], plain(also[key][1], known[1])), key
            _check(first, role, path, status, text)
    # The same questions tell the two apart once the scores are revealed, so the comparison could have failed.
    for one in pair:
        one.enter("revealed")
    for path in ("/api/board", "/", "/board/live"):
        shown = [plain(ask(one, "nobody", "GET", path)[1], pseudonyms(one.world)) for one in pair]
        assert (shown[0] == shown[1]) == (mode == "hidden"), path
    assert "85.00%" in ask(first, "bert", "GET", "/submissions/2")[1]
    assert json.loads(ask(first, "bert", "GET", "/api/submissions")[1].split("\n\n", 1)[1])[0]["private"] == {
        "top1": 17 / 20,
        "interval": pytest.approx((0.640, 0.948), abs=0.001),
        "correct": 17,
        "images": 20,
    }


def _check(asked: Asked, role: str, path: str, status: int, text: str) -> None:
    mode = asked.world.settings.board
    assert ADDRESS not in text, path
    assert "argon2" not in text
    if path.startswith("/api/admin") and role != "admin":
        assert status in (401, 403)
    if path.startswith("/admin") and role != "admin":
        # Who is not signed in is led to where they can.
        assert status == (303 if role == "nobody" else 403)
    if not path.endswith("/file"):
        # Image and class never stand together, so no label does.
        assert not re.search(r"test_\d+\.JPEG\W{1,9}n0\d", text), path
        if "test_1.JPEG" in text:
            assert path == "/api/format", path
    else:
        own = {"anna": "1", "bert": "2"}.get(role)
        assert (status == 200) == (own is not None and f"/{own}/" in path)
    if role in ("nobody", "anna"):
        assert asked.files["bert"].decode() not in text
        for secret in (VICTIM[0], VICTIM[1]):
            assert secret not in text, path
        if not path.endswith("/sign-in"):
            assert not re.search(r"\bbert\b", text), path
        if mode != "open":
            assert VICTIM[2] not in text, path
        if mode == "hidden":
            assert asked.pseudonyms[VICTIM[2]] not in text, path


def test_another_teams_submission_is_as_absent_as_one_that_never_was(tmp_path: Path) -> None:
    asked = _make(tmp_path, "open", 0)
    with asked.client, asked.world.challenge:
        for part in ("file", "receipt"):
            others = ask(asked, "anna", "GET", f"/api/submissions/2/{part}")
            assert others[0] == 404
            assert others == ask(asked, "anna", "GET", f"/api/submissions/999/{part}")

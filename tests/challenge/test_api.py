"""The API as programs and browsers meet it."""

import hashlib
import re
from typing import Any

import pytest
from benchmarks.challenge.processes import PASSWORD

from tests.challenge.responses import ORIGIN, error
from tests.challenge.world import CLASSES, DATABASES, IMAGES, TEXT, World, answers, bearer, operations
from thumbnet.challenge import ledger
from thumbnet.challenge.state import Challenge, set_phase
from thumbnet.challenge.web import make_app
from thumbnet.challenge.web.limits import SMALL
from thumbnet.errors import ChallengeError


def test_the_whole_way_with_a_session(world: World) -> None:
    with world.client() as client:
        about = client.get("/api/challenge").json()
        assert (about["phase"], about["images"], about["classes"], about["cooldown_seconds"]) == ("open", 40, 4, 7200)
        known = client.get("/api/format").json()
        assert (tuple(known["images"]), tuple(known["classes"])) == (IMAGES, CLASSES)
        made = client.post("/api/sign-up", json={"name": "anna", "password": PASSWORD, "team": "Owls"}, headers=ORIGIN)
        assert (made.status_code, made.json()) == (201, {"name": "anna", "role": "participant", "team": "Owls"})
        cookie = made.headers["Set-Cookie"]
        assert re.search(r"thumbnet_session=tn_[\w-]{43}; HttpOnly; Max-Age=1209600; Path=/; SameSite=lax$", cookie)
        assert client.get("/api/me").json()["name"] == "anna"
        empty = client.get("/api/board")
        sent = client.post("/api/submissions", content=answers(31), headers=TEXT | ORIGIN)
        assert sent.status_code == 201
        answer = sent.json()
        assert answer["submission"]["public"]["top1"] == 31 / 40
        assert sent.headers["Next-Submission"] == answer["next_allowed"]
        board = client.get("/api/board", headers={"If-None-Match": empty.headers["ETag"]})
        assert board.status_code == 200
        assert [row["correct"] for row in board.json()["rows"]] == [31]
        unchanged = client.get("/api/board", headers={"If-None-Match": board.headers["ETag"]})
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        refused = client.post("/api/submissions", content=answers(32), headers=TEXT | ORIGIN)
        found = error(refused, 429, "cooldown")
        assert refused.headers["Next-Submission"] == found["next_allowed"] == answer["next_allowed"]
        assert int(refused.headers["Retry-After"]) == found["retry_after"]
        again = client.post("/api/submissions", content=answers(31), headers=TEXT | ORIGIN)
        assert (again.status_code, again.json()["is_new"]) == (200, False)
        assert again.json()["receipt"] == answer["receipt"]
        assert client.get("/api/submissions/1/receipt").json() == answer["receipt"]
        assert client.get("/api/submissions/1/file").content == answers(31)
        assert client.get("/api/team").json()["rank"] == 1
        pseudonym = client.get("/api/team").json()["pseudonym"]
        assert pseudonym == board.json()["rows"][0]["team"]
        history = client.get("/api/board/history", params={"team": pseudonym})
        assert history.json() == client.get("/api/submissions").json() == [answer["submission"]]
        assert client.get("/api/board.csv").text.splitlines()[1].startswith(f"1,{pseudonym},0.775,")
        first, link = client.get("/api/ledger").json()
        assert (first["sequence"], link["sequence"]) == (0, 1)
        assert link["hash"] == answer["receipt"]["hash"]
        assert client.post("/api/sign-out", headers=ORIGIN).status_code == 204
        error(client.get("/api/me"), 401, "sign_in")


def test_an_admin_ends_it_and_corrects_nothing_by_accident(world: World) -> None:
    token = world.admin_token()
    world.send(world.join("anna", team="Owls"), answers(3))
    with world.client() as client:
        signed = client.post("/api/sign-in", json={"token": token})
        assert signed.json() == {"name": "admin", "role": "admin", "team": None}
        client.cookies.clear()
        admin = bearer(token)
        error(client.post("/api/admin/reveal", headers=admin), 409, "conflict")
        assert client.post("/api/admin/close", headers=admin).json() == {"phase": "closed"}
        assert client.get("/api/board").json()["phase"] == "closed"
        assert client.post("/api/admin/open", headers=admin).json() == {"phase": "open"}
        client.post("/api/admin/close", headers=admin)
        assert client.post("/api/admin/reveal", headers=admin).json() == {"phase": "revealed"}
        (row,) = client.get("/api/admin/board", headers=admin).json()["rows"]
        assert (row["team"], row["correct"]) == ("Owls", 3)
        (team,) = client.get("/api/admin/teams", headers=admin).json()
        assert (team["name"], team["members"]) == ("Owls", ["anna"])
        grades = client.get("/api/admin/grades.csv", headers=admin)
        assert grades.text.splitlines()[1].startswith("anna,,,Owls,")
        text = admin | {"Content-Type": "text/csv"}
        invited = client.post("/api/admin/roster", content="name,team\nBert Bär,Bats\n", headers=text).json()
        made = client.post(
            "/api/sign-up", json={"name": "bert", "password": PASSWORD, "code": invited["invites"][0]["code"]}
        )
        assert made.json()["team"] == "Bats"
        again = client.post("/api/admin/roster", content="name,team\nBert Bär,Bats\n", headers=text).json()
        assert again == {"invites": [], "left_out": ["Bert Bär"]}
        error(client.post("/api/admin/roster", content=b"\xff", headers=text), 422, "invalid_request")
        error(client.post("/api/admin/roster", content="name\n", headers=admin), 415, "unsupported_media_type")
        error(client.get("/api/board/version/2"), 404, "not_found")
        assert client.get("/api/board/version/1").json() == client.get("/api/board").json()


def test_the_labels_are_those_of_the_start(both: World) -> None:
    """Whoever kept the first hash, and is shown the labels at the end, can check them."""
    with both.client() as client:
        (first,) = client.get("/api/ledger").json()
        for phase in ("closed", "revealed"):
            error(client.get("/api/ledger/labels"), 409, "conflict")
            set_phase(both.challenge, phase)
        (told,) = client.get("/api/ledger/labels").json()
    assert hashlib.sha256(ledger.canonical(told["entry"]).encode()).hexdigest() == first["entry_hash"]
    assert hashlib.sha256((told["previous"] + first["entry_hash"]).encode()).hexdigest() == first["hash"]
    shown = both.challenge.labels(1).encode()
    assert hashlib.sha256(shown).hexdigest() == told["entry"]["labels"]


def test_an_admin_ends_a_cooldown(both: World) -> None:
    anna = both.join("anna", team="Owls")
    both.send(anna, answers(3))
    token, admin = bearer(both.token(anna)), bearer(both.admin_token())
    with both.client() as client:
        assert client.get("/api/team", headers=token).json()["next_allowed"] is not None
        error(client.post("/api/admin/turn", json={"team": "Owls"}, headers=token), 403, "forbidden")
        error(client.post("/api/admin/turn", json={"team": "Bats"}, headers=admin), 404, "not_found")
        error(client.post("/api/admin/turn", json={"team": "a\x00b"}, headers=admin), 422, "invalid_request")
        links = len(client.get("/api/ledger").json())
        given = client.post("/api/admin/turn", json={"team": "owls"}, headers=admin)
        assert (given.status_code, given.content) == (204, b"")
        assert len(client.get("/api/ledger").json()) == links + 1
        assert client.get("/api/team", headers=token).json()["next_allowed"] is None
        assert client.post("/api/submissions", content=answers(4), headers=TEXT | token).status_code == 201


def test_tokens_can_be_made_listed_and_removed(world: World) -> None:
    token = bearer(world.token(world.join("anna")))
    with world.client() as client:
        wanted = {"label": "laptop", "password": PASSWORD}
        other = client.post("/api/tokens", json=wanted, headers=token).json()["token"]
        assert [one["label"] for one in client.get("/api/tokens", headers=token).json()] == ["a test", "laptop"]
        assert client.get("/api/me", headers=bearer(other)).status_code == 200
        assert client.delete("/api/tokens/2", headers=token).status_code == 204
        error(client.delete("/api/tokens/2", headers=token), 404, "not_found")
        error(client.get("/api/me", headers=bearer(other)), 401, "bad_token")
        code = client.post("/api/team/code", headers=token).json()["code"]
        made = client.post("/api/sign-up", json={"name": "bert", "password": PASSWORD, "team_code": code})
        assert made.json()["team"] == "anna"
        changed = {"old": PASSWORD, "new": "another horse"}
        error(client.post("/api/password", json=changed | {"old": "no"}, headers=ORIGIN), 401, "wrong_password")
        assert client.post("/api/password", json=changed, headers=ORIGIN).status_code == 204
        error(client.get("/api/me"), 401, "sign_in")


ERRORS: list[tuple[str, str, dict[str, Any], tuple[int, str]]] = [
    ("GET", "/api/nothing", {}, (404, "not_found")),
    ("PUT", "/api/board", {}, (405, "method_not_allowed")),
    ("OPTIONS", "/api/tokens", {}, (405, "method_not_allowed")),
    ("POST", "/api/sign-up", {"json": {"name": "a"}}, (422, "invalid_request")),
    ("POST", "/api/sign-up", {"json": {"name": "a", "password": PASSWORD, "role": "admin"}}, (422, "invalid_request")),
    ("POST", "/api/sign-up", {"content": b"{"}, (422, "invalid_request")),
    ("POST", "/api/sign-in", {"content": b"x" * (SMALL + 1)}, (413, "too_large")),
    ("GET", "/api/me", {"headers": {"Authorization": "Basic YTpi"}}, (401, "bad_token")),
    ("GET", "/api/me", {"headers": {"Cookie": "thumbnet_session=tn_x"}}, (401, "sign_in")),
]
HARD_FOR_A_DATABASE: list[tuple[str, str, dict[str, Any], tuple[int, str]]] = [
    ("POST", "/api/sign-up", {"content": b'{"name":"\\ud800","password":"12345678"}'}, (422, "invalid_request")),
    ("POST", "/api/sign-in", {"json": {"name": "a\x00b", "password": "x"}}, (401, "wrong_password")),
    ("GET", "/api/ledger?after=99999999999999999999", {}, (422, "invalid_request")),
    ("GET", "/api/board/history?team=%00", {}, (404, "not_found")),
]
"""Values that not every database takes."""


@pytest.mark.parametrize(
    ("method", "path", "given", "expected", "database"),
    [(*one, "sqlite") for one in ERRORS] + [(*one, kind) for one in HARD_FOR_A_DATABASE for kind in DATABASES],
    indirect=["database"],
)
def test_every_error_has_one_shape(
    method: str, path: str, given: dict[str, Any], expected: tuple[int, str], both: World
) -> None:
    with both.client() as client:
        found = error(client.request(method, path, **given), *expected)
        assert client.request("OPTIONS", "/api/tokens").headers["Allow"] == "GET, POST"
    assert PASSWORD not in found["message"]


def test_a_fault_of_the_server_tells_nothing_of_it(world: World) -> None:
    token = bearer(world.token(world.join("anna")))
    world.challenge.files.folder.write_text("in the way")
    with world.client() as client:
        sent = client.post("/api/submissions", content=answers(1), headers=TEXT | token)
    found = error(sent, 500, "internal")
    assert str(world.settings.folder) not in sent.text
    assert "may have been counted, and can be sent again" in found["message"]
    world.challenge.files.folder.unlink()


def test_no_challenge_no_server(tmp_path: Any) -> None:
    from thumbnet.challenge.settings import Settings

    with Challenge.open(Settings(folder=tmp_path)) as challenge, pytest.raises(ChallengeError, match="not set up"):
        make_app(challenge)


def test_openapi_describes_every_route(world: World) -> None:
    with world.client() as client:
        described = client.get("/api/openapi.json").json()
        routes = {(method, path) for method, path in operations(client) if path.startswith("/api/")}
    found = {(method.upper(), path) for path, methods in described["paths"].items() for method in methods}
    assert found == routes - {("GET", "/api/openapi.json")}
    for path, methods in described["paths"].items():
        for method, about in methods.items():
            assert about["summary"], (method, path)
            assert about["description"], (method, path)
            for status, response in about["responses"].items():
                if int(status) >= 400:
                    schema = response["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/Error"}, (method, path, status)

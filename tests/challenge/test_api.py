"""The API as programs and browsers meet it."""

import gzip
import io
import re
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.challenge.world import CLASSES, IMAGES, PASSWORD, TEXT, World, answers, bearer
from thumbnet.challenge.people import accounts
from thumbnet.challenge.web import make_app
from thumbnet.challenge.web.limits import SMALL
from thumbnet.errors import ChallengeError

ORIGIN = {"Origin": "http://testserver"}
SHAPE = {"code", "message", "line", "retry_after", "next_allowed"}


def error(found: Any, status: int, code: str) -> dict[str, Any]:
    """Return the error of a response, which must have this status and code and the one shape."""
    assert found.status_code == status, found.text
    value = found.json()
    assert value.keys() == {"error"}
    assert value["error"].keys() == SHAPE
    assert value["error"]["code"] == code, value
    assert "\n" not in value["error"]["message"]
    return dict(value["error"])


def test_the_whole_way_in_a_browser(world: World) -> None:
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


def test_the_board_is_packed_for_those_who_take_it(world: World) -> None:
    for number in range(20):
        world.send(world.join(f"p{number}"), answers(number))
    with world.client() as client:
        found = {
            accepted: client.get("/api/board", headers={"Accept-Encoding": accepted})
            for accepted in ("gzip, br", "identity", "gzip;q=0")
        }
    assert {accepted: one.headers.get("Content-Encoding") for accepted, one in found.items()} == {
        "gzip, br": "gzip",
        "identity": None,
        "gzip;q=0": None,
    }
    assert len({one.text for one in found.values()}) == 1
    assert int(found["gzip, br"].headers["Content-Length"]) < int(found["identity"].headers["Content-Length"]) / 3
    assert found["identity"].headers["Vary"] == "Accept-Encoding"


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


def test_an_older_board_is_built_once_for_each_state(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from thumbnet.challenge import board

    built = []

    def build(*given: Any) -> Any:
        built.append(given[2:])
        return board_build(*given)

    board_build = board.build
    monkeypatch.setattr(board, "build", build)
    world.send(world.join("anna"), answers(5))
    with world.client() as client:
        for _ in range(5):
            assert client.get("/api/board/version/1").json()["rows"][0]["correct"] == 5
        assert built == [(1,)]
        world.send(world.join("bert"), answers(9))
        assert [row["correct"] for row in client.get("/api/board/version/1").json()["rows"]] == [9, 5]
        assert built == [(1,), (1,)]


def test_a_stolen_token_or_session_cannot_make_itself_at_home(both: World) -> None:
    """Neither replaces the password or makes tokens, and both end with the password."""
    anna = both.join("anna")
    token = bearer(both.token(anna))
    cookie = {"Cookie": f"thumbnet_session={accounts.make_session(both.challenge, anna)}", **ORIGIN}
    with both.client() as client:
        for known in (token, cookie):
            client.cookies.clear()
            assert client.get("/api/me", headers=known).status_code == 200
            for old in ({}, {"old": "wrong horse"}):
                changed = {"new": "another horse", **old}
                error(client.post("/api/password", json=changed, headers=known), 401, "wrong_password")
            error(client.post("/api/tokens", json={"label": "x"}, headers=known), 401, "wrong_password")
        changed = {"old": PASSWORD, "new": "another horse"}
        assert client.post("/api/password", json=changed, headers=token).status_code == 204
        error(client.get("/api/me", headers=token), 401, "bad_token")
        client.cookies.clear()
        error(client.get("/api/me", headers=cookie), 401, "sign_in")
        # An admin has no password, and a new token of theirs can end the others.
        first = bearer(both.admin_token())
        made = client.post("/api/tokens", json={"label": "laptop"}, headers=first).json()["token"]
        newest = accounts.make_admin(both.challenge, "admin", revoke=True)
        for ended in (first, bearer(made)):
            error(client.get("/api/me", headers=ended), 401, "bad_token")
        assert client.get("/api/me", headers=bearer(newest or "")).json()["role"] == "admin"


def test_waiting_passwords_leave_the_threads_to_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred that sign in at once, each of whose hashes takes long, and the rest of the server answers."""
    world.join("anna")
    release = threading.Event()
    monkeypatch.setattr("thumbnet.challenge.people.secrets.verify_password", lambda *_: release.wait(30))
    with world.client() as client, ThreadPoolExecutor(101) as pool:
        given = {"name": "anna", "password": PASSWORD}
        waiting = [pool.submit(client.post, "/api/sign-in", json=given) for _ in range(100)]
        try:
            assert pool.submit(client.get, "/api/challenge").result(10).status_code == 200
        except TimeoutError:
            pytest.fail("no thread was left")
        finally:
            release.set()
        assert {one.result(30).status_code for one in waiting} <= {200, 429}


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://testserver.evil.example", "https://testserver", None]
)
def test_another_site_cannot_use_a_session(origin: str | None, world: World) -> None:
    headers = {} if origin is None else {"Origin": origin}
    with world.client() as client:
        assert client.post("/api/sign-up", json={"name": "anna", "password": PASSWORD}).status_code == 201
        sent = client.post("/api/submissions", content=answers(3), headers=TEXT | headers)
        error(sent, 403, "other_origin")
        assert client.get("/api/submissions").json() == []
        if origin is not None:
            error(
                client.post("/api/sign-in", json={"name": "x", "password": "y"}, headers=headers), 403, "other_origin"
            )


def test_behind_https_cookies_are_secure_and_the_public_origin_counts(world: World) -> None:
    with world.client(public_url="https://a.example") as client:
        given = {"name": "anna", "password": PASSWORD}
        error(client.post("/api/sign-up", json=given, headers=ORIGIN), 403, "other_origin")
        made = client.post("/api/sign-up", json=given, headers={"Origin": "https://a.example:443"})
        assert made.headers["Set-Cookie"].startswith("__Host-thumbnet_session=")
        assert "; Secure" in made.headers["Set-Cookie"]
        assert "max-age" in made.headers["Strict-Transport-Security"]


def test_forwarded_headers_count_from_trusted_proxies_alone(world: World) -> None:
    forwarded = {"X-Forwarded-For": "198.51.100.1", "X-Forwarded-Proto": "https"}
    wrong = {"name": "anna", "password": "wrong horse"}
    for trusted, expected in (((), 429), (("192.0.2.0/24",), 401)):
        app = make_app(world.changed(trusted_proxies=trusted))
        with TestClient(app, client=("192.0.2.9", 1)) as client:
            codes = []
            for number in range(11):
                moved = forwarded | {"X-Forwarded-For": f"198.51.100.{number}"}
                codes.append(client.post("/api/sign-in", json=wrong, headers=moved).status_code)
        assert codes[-1] == expected
    with TestClient(make_app(world.changed(trusted_proxies=("192.0.2.9",))), client=("203.0.113.5", 1)) as client:
        # Not from the proxy: the page's own origin is the http one still.
        sent = client.post("/api/sign-in", json=wrong, headers=forwarded | {"Origin": "https://testserver"})
        error(sent, 403, "other_origin")


def test_every_response_forbids_what_pages_do_not_need(world: World) -> None:
    with world.client() as client:
        for path in ("/api/board", "/api/nothing", "/api/me"):
            headers = client.get(path).headers
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert "unsafe" not in headers["Content-Security-Policy"]
            assert headers["Cache-Control"] in ("no-store", "no-cache")
            assert "server" not in headers


def _bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../evil.txt", bytes(50_000_000))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (_bomb(), {}, 422, "invalid_submission"),
        (gzip.compress(answers(40)), {"Content-Encoding": "gzip"}, 415, "encoded"),
        (gzip.compress(bytes(10_000_000)), {}, 422, "invalid_submission"),
        (answers(40), {"Content-Type": "multipart/form-data; boundary=x"}, 415, "unsupported_media_type"),
        (answers(40), {"Content-Type": "application/json"}, 415, "unsupported_media_type"),
        (bytes(5 * 2**20), {}, 413, "too_large"),
        (iter([bytes(2**20)] * 6), {}, 413, "too_large"),
        (b"x", {"Content-Length": "99999999999999999999"}, 413, "too_large"),
        (b"x", {"Content-Length": "-1"}, 400, "invalid_request"),
        (answers(40).replace(b"test_1.JPEG", b"<script>alert(1)</script>"), {}, 422, "invalid_submission"),
        (b"\r\nSet-Cookie: a=b\r\n\r\n", {}, 422, "invalid_submission"),
    ],
)
def test_hostile_uploads_are_refused(
    content: Any, headers: dict[str, str], status: int, code: str, world: World
) -> None:
    token = bearer(world.token(world.join("anna")))
    with world.client() as client:
        sent = client.post("/api/submissions", content=content, headers=TEXT | token | headers)
        error(sent, status, code)
        assert "evil" not in sent.headers
        assert sorted(path.name for path in world.settings.folder.iterdir() if "sqlite3" not in path.name) == [
            "challenge.id"
        ]
        assert client.post("/api/submissions", content=answers(1), headers=TEXT | token).status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "given", "expected"),
    [
        ("GET", "/api/nothing", {}, (404, "not_found")),
        ("PUT", "/api/board", {}, (405, "method_not_allowed")),
        ("OPTIONS", "/api/tokens", {}, (405, "method_not_allowed")),
        ("POST", "/api/sign-up", {"json": {"name": "a"}}, (422, "invalid_request")),
        (
            "POST",
            "/api/sign-up",
            {"json": {"name": "a", "password": PASSWORD, "role": "admin"}},
            (422, "invalid_request"),
        ),
        ("POST", "/api/sign-up", {"content": b"{"}, (422, "invalid_request")),
        ("POST", "/api/sign-up", {"content": b'{"name":"\\ud800","password":"12345678"}'}, (422, "invalid_request")),
        ("POST", "/api/sign-in", {"json": {"name": "a\x00b", "password": "x"}}, (401, "wrong_password")),
        ("POST", "/api/sign-in", {"content": b"x" * (SMALL + 1)}, (413, "too_large")),
        ("GET", "/api/ledger?after=99999999999999999999", {}, (422, "invalid_request")),
        ("GET", "/api/board/history?team=%00", {}, (404, "not_found")),
        ("GET", "/api/me", {"headers": {"Authorization": "Basic YTpi"}}, (401, "bad_token")),
        ("GET", "/api/me", {"headers": {"Cookie": "thumbnet_session=tn_x"}}, (401, "sign_in")),
    ],
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

    with pytest.raises(ChallengeError, match="not set up"):
        make_app(Settings(folder=tmp_path))


def test_openapi_describes_every_route(world: World) -> None:
    with world.client() as client:
        described = client.get("/api/openapi.json").json()
    for path, methods in described["paths"].items():
        for method, about in methods.items():
            assert about["summary"], (method, path)
            assert about["description"], (method, path)
            for status, response in about["responses"].items():
                if int(status) >= 400:
                    schema = response["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/Error"}, (method, path, status)

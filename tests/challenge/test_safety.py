"""What the API refuses: other sites, stolen secrets, hostile uploads."""

import asyncio
import contextlib
import gzip
import io
import re
import tempfile
import threading
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from benchmarks.challenge.processes import PASSWORD
from starlette.testclient import TestClient

from tests.challenge.responses import ORIGIN, error, problem
from tests.challenge.world import TEXT, World, answers, bearer
from thumbnet.challenge.people import roster, tokens
from thumbnet.challenge.state import Challenge
from thumbnet.challenge.web import make_app
from thumbnet.challenge.web.app import PASSWORDS_AT_ONCE


def test_a_stolen_token_or_session_cannot_make_itself_at_home(both: World) -> None:
    """Neither replaces the password or makes tokens, and both end with the password."""
    anna = both.join("anna")
    token = bearer(both.token(anna))
    cookie = {"Cookie": f"thumbnet_session={tokens.make_session(both.challenge, anna)}", **ORIGIN}
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
        newest = tokens.make_admin(both.challenge, "admin", revoke=True)
        for ended in (first, bearer(made)):
            error(client.get("/api/me", headers=ended), 401, "bad_token")
        assert client.get("/api/me", headers=bearer(newest or "")).json()["role"] == "admin"


def test_waiting_passwords_leave_the_threads_to_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred that sign in at once, each of whose hashes takes long, and the rest of the server answers."""
    full, release, inside, most = threading.Event(), threading.Event(), set[int](), list[int]()

    def verify_slowly(*_: Any) -> bool:
        inside.add(threading.get_ident())
        most.append(len(inside))
        if len(inside) >= PASSWORDS_AT_ONCE:
            full.set()
        assert release.wait(30)
        inside.remove(threading.get_ident())
        return False

    monkeypatch.setattr("thumbnet.challenge.people.secrets._HASHER", SimpleNamespace(verify=verify_slowly))
    with world.client() as client, ThreadPoolExecutor(101) as pool:
        # Each of another name, as one account alone would be made to wait after ten.
        people = [{"name": f"nobody{number}", "password": PASSWORD} for number in range(100)]
        waiting = [pool.submit(client.post, "/api/sign-in", json=given) for given in people]
        try:
            assert full.wait(30)
            assert pool.submit(client.get, "/api/challenge").result(10).status_code == 200
        except TimeoutError:
            pytest.fail("no thread was left")
        finally:
            release.set()
        assert {one.result(30).status_code for one in waiting} == {401}
    assert (len(most), max(most)) == (100, PASSWORDS_AT_ONCE)


def test_nobody_waits_while_an_upload_is_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What may take long is done beside the event loop, which serves everyone."""
    done: list[str] = []

    def noted(name: str, usual: Any) -> Any:
        def work(*given: Any) -> Any:
            with contextlib.suppress(RuntimeError):
                asyncio.get_running_loop()
                pytest.fail(f"{name} keeps the event loop from others")
            done.append(name)
            return usual(*given)

        return work

    monkeypatch.setattr(roster, "parse", noted("parse", roster.parse))
    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "read", noted("read", tempfile.SpooledTemporaryFile.read))
    anna, admin = bearer(world.token(world.join("anna"))), bearer(world.admin_token())
    large = answers(3) + b"\n" * 1_200_000
    people = b"name\nAnna\n" + b"\n" * 1_200_000
    with world.client() as client:
        client.follow_redirects = False
        assert client.post("/submit", files={"file": ("x", large)}, headers=anna).status_code == 303
        assert client.post("/admin/roster", files={"file": ("x", people)}, headers=admin).status_code == 200
        sent = client.post("/api/admin/roster", content=people, headers=admin | {"Content-Type": "text/csv"})
        assert sent.status_code == 201
    assert done == ["read", "read", "parse", "parse"]


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
        app = make_app(Challenge.open(world.changed(trusted_proxies=trusted)))
        with TestClient(app, client=("192.0.2.9", 1)) as client:
            codes = []
            for number in range(11):
                moved = forwarded | {"X-Forwarded-For": f"198.51.100.{number}"}
                codes.append(client.post("/api/sign-in", json=wrong, headers=moved).status_code)
        assert codes[-1] == expected
    with TestClient(
        make_app(Challenge.open(world.changed(trusted_proxies=("192.0.2.9",)))), client=("203.0.113.5", 1)
    ) as client:
        # Not from the proxy: the page's own origin is the http one still.
        sent = client.post("/api/sign-in", json=wrong, headers=forwarded | {"Origin": "https://testserver"})
        error(sent, 403, "other_origin")


def test_every_response_forbids_what_pages_do_not_need(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("thumbnet.challenge.web.scores.ledger.links", lambda *_: 1 // 0)
    monkeypatch.setattr("thumbnet.challenge.web.pages.scoreboard.plot.make", lambda *_: 1 // 0)
    token = bearer(world.token(world.join("anna")))
    expected = {"/api/board": 200, "/api/nothing": 404, "/api/me": 401, "/api/ledger": 500, "/team": 500}
    with world.client() as client:
        for path, status in expected.items():
            found = client.get(path, headers=token if path == "/team" else {})
            assert found.status_code == status
            headers = found.headers
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert not re.search("unsafe|data:|http", headers["Content-Security-Policy"])
            assert headers["Cache-Control"] in ("no-store", "no-cache")
            assert "server" not in headers
        error(client.get("/api/ledger"), 500, "internal")
        assert problem(client.get("/team", headers=token), 500).startswith("The server failed")
    assert "request failed: integer division or modulo by zero" in caplog.messages
    # The error itself reaches whoever runs the app, who logs where it came from.
    with TestClient(make_app(Challenge.open(world.settings))) as client, pytest.raises(ZeroDivisionError):
        client.get("/api/ledger")


def _bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../evil.txt", bytes(1_000_000))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("make", "headers", "status", "code"),
    [
        (_bomb, {}, 422, "invalid_submission"),
        (lambda: gzip.compress(answers(40)), {"Content-Encoding": "gzip"}, 415, "encoded"),
        (lambda: gzip.compress(bytes(1_000_000)), {}, 422, "invalid_submission"),
        (lambda: answers(40), {"Content-Type": "multipart/form-data; boundary=x"}, 415, "unsupported_media_type"),
        (lambda: answers(40), {"Content-Type": "application/json"}, 415, "unsupported_media_type"),
        (lambda: bytes(5 * 2**20), {}, 413, "too_large"),
        (lambda: iter([bytes(2**20)] * 6), {}, 413, "too_large"),
        (lambda: b"x", {"Content-Length": "99999999999999999999"}, 413, "too_large"),
        (lambda: b"x", {"Content-Length": "-1"}, 400, "invalid_request"),
        (lambda: answers(40).replace(b"test_1.JPEG", b"<script>alert(1)</script>"), {}, 422, "invalid_submission"),
        (lambda: b"\r\nSet-Cookie: a=b\r\n\r\n", {}, 422, "invalid_submission"),
    ],
)
def test_hostile_uploads_are_refused(
    make: Callable[[], Any], headers: dict[str, str], status: int, code: str, world: World
) -> None:
    token = bearer(world.token(world.join("anna")))
    with world.client() as client:
        sent = client.post("/api/submissions", content=make(), headers=TEXT | token | headers)
        error(sent, status, code)
        assert "set-cookie" not in sent.headers
        assert "evil" not in f"{sent.headers}{sent.text}"
        assert sorted(path.name for path in world.settings.folder.iterdir() if "sqlite3" not in path.name) == [
            "challenge.id"
        ]
        assert client.post("/api/submissions", content=answers(1), headers=TEXT | token).status_code == 201

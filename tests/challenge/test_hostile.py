"""What somebody may send who wants to break the server or what it writes: refused, or harmless.

Files that are no submissions are in `test_submissions` and `test_safety`, what a browser shows of hostile names is in
`test_browser`.
"""

import asyncio
import contextlib
import csv
import hashlib
import io
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmarks.challenge.processes import write_settings

from tests.challenge.responses import problem
from tests.challenge.world import TEXT, World, answers, bearer, count, server
from thumbnet.challenge.keeping.export import grades
from thumbnet.challenge.settings import load
from thumbnet.challenge.web import limits, make_app

GET = b"GET /api/challenge HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, int, str]]:
    """A running server, its port, and the token of a team in it."""
    folder = tmp_path_factory.mktemp("hostile") / "challenge"
    world = World(load(write_settings(folder, sign_up="open")))
    token = world.token(world.join("anna"))
    with server(folder) as running:
        yield world, running.port, token
    world.challenge.close()


def send_raw(port: int, data: bytes, *, ends: bool = False, wait: float | None = None) -> bytes:
    """Send bytes as they are, and return what comes back until the server closes.

    Args:
        port: of the server.
        data: to send.
        ends: whether the sender closes its side then.
        wait: seconds of silence after which a server that keeps the connection counts as done; by default such a
            server fails the test.
    """
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        with contextlib.suppress(ConnectionError):  # the server may have refused it before the end
            connection.sendall(data)
        if ends:
            connection.shutdown(socket.SHUT_WR)
        connection.settimeout(wait or 10)
        is_end = (ConnectionError,) if wait is None else (ConnectionError, TimeoutError)
        with contextlib.suppress(*is_end):
            while part := connection.recv(65536):
                received += part
    return received


def statuses(received: bytes) -> list[int]:
    return [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]


MAY_BREAK_OFF = ("huge header", "many headers", "huge path")
"""What is refused before it was all sent: the answer may be lost with the connection."""


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00" + bytes(300) + b"\r\n\r\n", id="TLS"),
        pytest.param(GET + b"X-A: b\rSet-Cookie: a=b\r\n\r\n", id="bare CR"),
        pytest.param(GET + b"X-A: b\x00c\r\n\r\n", id="NUL"),
        pytest.param(GET + b"X-A : b\r\n\r\n", id="blank before the colon"),
        pytest.param(GET + b"X-A: " + b"a" * 200_000 + b"\r\n\r\n", id="huge header"),
        pytest.param(GET + b"X: y\r\n" * 50_000 + b"\r\n", id="many headers"),
        pytest.param(b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", id="huge path"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="no host"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", id="two hosts"),
        pytest.param(
            b"POST /api/sign-in HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\n{}",
            id="two lengths",
        ),
        pytest.param(
            b"POST /api/sign-in HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", id="coding"
        ),
        pytest.param(
            b"POST /api/sign-in HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
            id="chunk",
        ),
    ],
)
def test_requests_that_are_no_http_are_refused(
    data: bytes, served: tuple[World, int, str], request: pytest.FixtureRequest
) -> None:
    _, port, _ = served
    received = send_raw(port, data)
    unanswered = not received and request.node.callspec.id in MAY_BREAK_OFF
    assert unanswered or statuses(received) == [400], received[:300]
    assert b"set-cookie" not in received.lower()
    assert statuses(send_raw(port, GET + b"\r\n")) == [200]


def test_a_request_cannot_be_hidden_in_the_body_of_another(served: tuple[World, int, str]) -> None:
    _, port, _ = served
    hidden = b"GET /api/format HTTP/1.1\r\nHost: a\r\n\r\n"
    head = b"POST /api/sign-in HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    # A length and chunks: some proxies go by one of the two and some servers by the other.
    both = head + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden
    for data in (both, head + b"Content-Length: " + str(len(hidden)).encode() + b"\r\n\r\n" + hidden):
        received = send_raw(port, data, wait=1)
        assert b"test_1.JPEG" not in received
        assert len(statuses(received)) == 1
        assert set(statuses(received)) <= {400, 422}


@pytest.mark.parametrize(
    "header",
    [
        "Host: evil.example",
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-For: 127.0.0.1, evil.example",
        "Forwarded: host=evil.example",
        "X-Original-URL: /api/admin/teams",
        "X-Rewrite-URL: /api/admin/teams",
        "X-HTTP-Method-Override: POST",
        "Origin: https://evil.example",
        "If-None-Match: " + "*," * 3000,
        "Accept-Encoding: " + "gzip;q=nonsense," * 2000,
        "Range: bytes=0-0,1-1,2-2,3-3",
        "Cookie: thumbnet_session=" + "a" * 8000,
        "Authorization: Bearer \u00e9",
    ],
)
def test_headers_that_lie_change_nothing(header: str, served: tuple[World, int, str]) -> None:
    _, port, _ = served
    for path in ("/api/board", "/", "/sign-in"):
        first = f"GET {path} HTTP/1.1\r\nConnection: close\r\n" + ("" if header.startswith("Host") else "Host: a\r\n")
        received = send_raw(port, f"{first}{header}\r\n\r\n".encode())
        assert statuses(received)[0] in (200, 304, 401), received[:300]
        assert b"evil" not in received
        assert b"access-control" not in received.lower()


@pytest.mark.parametrize("prefix", ["/static", "/api", "/submissions", ""])
@pytest.mark.parametrize(
    "rest",
    ["/../challenge.toml", "/..%2f..%2fchallenge.sqlite3", "/%2e%2e/challenge.sqlite3", "/....//x", "//etc/passwd",
     "/..\\..\\challenge.toml", "/%00", "/%0d%0aSet-Cookie:%20a=b", "/" + "a/" * 2000],
)  # fmt: skip
def test_paths_lead_to_nothing_else(prefix: str, rest: str, served: tuple[World, int, str]) -> None:
    _, port, _ = served
    received = send_raw(port, f"GET {prefix}{rest} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    # A number of a submission is asked for, whatever it is, of those who are signed in alone.
    is_number = prefix == "/submissions" and rest in ("/..\\..\\challenge.toml", "/%00", "/%0d%0aSet-Cookie:%20a=b")
    assert statuses(received) == [303 if is_number else 404], received[:300]
    assert (b"location: /sign-in\r\n" in received) == is_number
    assert b"SQLite format" not in received
    assert b"sign_up" not in received
    assert b"\r\nset-cookie" not in received.lower()


def test_a_file_that_is_cut_off_counts_for_nothing(served: tuple[World, int, str]) -> None:
    world, port, token = served
    content = answers(20)
    head = (
        f"POST /api/submissions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Type: text/plain\r\n"
    )
    for part in (content[: len(content) // 2], content[:-1], b""):
        received = send_raw(port, f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + part, ends=True)
        # Nobody is there any more to be answered.
        assert received == b""
    assert world.challenge.files.digests() == set()
    with world.challenge.database.read() as connection:
        from thumbnet.challenge.database.schema import teams

        row = connection.execute(teams.select()).one()
    assert (row.next_allowed_at, row.invalid_count) == (0, 0)
    whole = send_raw(port, f"{head}Connection: close\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content)
    assert statuses(whole) == [201]


def test_hundreds_of_half_open_requests_keep_nobody_out(served: tuple[World, int, str]) -> None:
    _, port, _ = served
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(300)]
    try:
        for number, connection in enumerate(idle):
            connection.sendall(
                GET if number % 2 else b"POST /api/sign-in HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{"
            )
        assert statuses(send_raw(port, GET + b"\r\n")) == [200]
    finally:
        for connection in idle:
            connection.close()


@pytest.mark.parametrize(("patience", "longest", "parts"), [(0.05, 60.0, [b"{"]), (60.0, 0.2, [b"{", *[b" "] * 1000])])
def test_a_body_that_comes_too_slowly_is_refused(
    patience: float, longest: float, parts: list[bytes], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PATIENCE_SECONDS", patience)
    monkeypatch.setattr(limits, "LONGEST_SECONDS", longest)
    left, sent = list(parts), list[dict[str, Any]]()

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.01 if left else 30)
        return {"type": "http.request", "body": left.pop(0), "more_body": True}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    async def ask() -> None:
        headers = [(b"host", b"a"), (b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": "/api/sign-in", "headers": headers, "query_string": b""}
        scope |= {"root_path": "", "scheme": "http", "http_version": "1.1", "client": ("192.0.2.1", 1)}
        await make_app(world.challenge)(scope, receive, send)

    asyncio.run(asyncio.wait_for(ask(), 10))
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]
    assert b'"code":"too_slow"' in sent[1]["body"]


FORMULAS = ("=1+1", "+1+1", "-1+1", "@SUM(A1)", '=HYPERLINK("http://evil.example";A1)', "\uff1d2+2", "\uff201")


def test_no_cell_of_an_export_is_a_formula(world: World) -> None:
    for number, formula in enumerate(FORMULAS):
        world.send(world.join(f"p{number}", team=formula), answers(number))
    with world.client(board="open") as client:
        exports = [client.get("/api/board.csv").text, grades(world.challenge)]
    for text in exports:
        rows = list(csv.reader(io.StringIO(text)))
        assert len(rows) == 1 + len(FORMULAS)
        cells = [cell for row in rows for cell in row]
        assert not [cell for cell in cells if cell and cell[0] in "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"]
        # They are told as they are, behind the apostrophe.
        assert {f"'{formula}" for formula in FORMULAS} <= set(cells)


def test_a_form_with_a_hostile_file_name_writes_no_such_file(world: World, tmp_path: Path) -> None:
    token = bearer(world.token(world.join("anna")))
    before = sorted(path.name for path in tmp_path.iterdir())
    names = ("../../evil", "/tmp/evil", "..\\evil.exe", "<script>.txt", "a\r\nSet-Cookie: a=b")
    with world.client() as client:
        client.follow_redirects = False
        for name, done in zip(names, ["new", *["seen"] * 4], strict=True):
            sent = client.post("/submit", files={"file": (name, answers(3))}, headers=token)
            assert (sent.status_code, sent.headers["Location"]) == (303, f"/submissions/1?done={done}")
            assert "set-cookie" not in sent.headers
        too_long = client.post("/submit", files={"file": ("x" * 5000, answers(3))}, headers=token)
        assert problem(too_long, 400).startswith("Bad request")
        bomb = client.post("/api/submissions", content=b"PK\x03\x04" + bytes(100_000), headers=TEXT | token)
        assert bomb.status_code == 422
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert count(world) == (1, 1, 1)
    assert world.challenge.files.digests() == {hashlib.sha256(answers(3)).hexdigest()}

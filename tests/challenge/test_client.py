"""What the client does when the network or the other side is not as it should be."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.serving import serving
from thumbnet.challenge import client, ledger
from thumbnet.challenge.client import RefusedError, Server
from thumbnet.errors import ChallengeError, PredictionError

FORMAT = json.dumps({"images": ["a", "b"], "classes": ["x", "y"], "max_bytes": 100})
CONTENT = b"a x\n"
ENTRY = {"sequence": 1, "file": hashlib.sha256(CONTENT).hexdigest(), "size": len(CONTENT)}
RECEIPT = ledger.seal(ledger.canonical(ENTRY), ledger.FIRST).to_json()
SENT = json.dumps({"receipt": RECEIPT, "is_new": True})


class Asked:
    """A server that gives prepared answers, one after the other, the last one for ever."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, dict[str, str], bytes]] = []

    def next(self) -> tuple[int, str]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def answering(asked: Asked) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            asked.requests.append((self.path, dict(self.headers), self.rfile.read(length)))
            status, text = asked.next()
            if not status:
                # No answer at all: the connection ends.
                return
            self.send_response(status)
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with serving(Handler) as address:
        yield address


def test_a_lost_answer_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thumbnet.challenge.client._PAUSE", 0.01)
    asked = Asked((0, ""), (502, "<html>bad gateway</html>"), (201, SENT))
    with answering(asked) as url:
        assert Server(url, "tn_secret").send(b"a x\n")["is_new"] is True
    assert [path for path, _, _ in asked.requests] == ["/api/submissions"] * 3
    assert {body for _, _, body in asked.requests} == {b"a x\n"}
    assert asked.requests[0][1]["Authorization"] == "Bearer tn_secret"
    away = Asked((503, ""))
    with answering(away) as url, pytest.raises(ChallengeError, match="the server is away"):
        Server(url).check(b"")
    assert len(away.requests) == 3


@pytest.mark.parametrize(
    ("status", "text", "message"),
    [
        (200, "<html>", "not a server of a challenge"),
        (404, '{"detail":"Not Found"}', "not a server of a challenge"),
        (307, "", "not a server of a challenge"),
        (200, "[]", "not a server of a challenge"),
    ],
)
def test_another_server_is_told_from_ours(status: int, text: str, message: str) -> None:
    with answering(Asked((status, text))) as url, pytest.raises(ChallengeError, match=message) as refused:
        Server(url).check(b"a x\nb y\n")
    assert "\n" not in str(refused.value)


def test_a_refusal_is_the_servers_message_and_is_not_repeated() -> None:
    error = {"code": "cooldown", "message": "wait", "line": None, "retry_after": 7, "next_allowed": None}
    asked = Asked((429, json.dumps({"error": error})))
    with answering(asked) as url, pytest.raises(RefusedError, match=r"^wait$") as refused:
        Server(url, "t").send(b"")
    assert (refused.value.code, refused.value.retry_after, len(asked.requests)) == ("cooldown", 7, 1)


def test_a_file_is_checked_before_it_is_sent(tmp_path: Path) -> None:
    with answering(Asked((200, FORMAT))) as url:
        Server(url).check(b"a x\nb y\n")
        with pytest.raises(PredictionError, match="line 2: class 'z'"):
            Server(url).check(b"a x\nb z\n")
        with pytest.raises(PredictionError, match="more than the limit of 100"):
            Server(url).check(b"a" * 101)
    large = tmp_path / "large"
    with large.open("wb") as handle:
        handle.truncate(2**30)
    with pytest.raises(ChallengeError, match="are no submission"):
        client.read_file(large)


@pytest.mark.parametrize("wrong", [{"file": "0" * 64}, {"size": 5}])
def test_a_receipt_of_another_file_is_refused(wrong: dict[str, object]) -> None:
    sealed = ledger.seal(ledger.canonical(ENTRY | wrong), ledger.FIRST).to_json()
    taken = Asked((201, json.dumps({"receipt": sealed, "is_new": True})))
    with answering(taken) as url, pytest.raises(ChallengeError, match="the receipt is of another file"):
        Server(url, "t").send(CONTENT)
    # The same answers may have come in another file before.
    with answering(Asked((200, json.dumps({"receipt": sealed, "is_new": False})))) as url:
        assert Server(url, "t").send(CONTENT)["receipt"] == sealed


def test_a_receipt_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "receipt.json"
    client.save_receipt(path, {"receipt": RECEIPT})
    client.save_receipt(path, {"receipt": RECEIPT})
    other = ledger.seal(ledger.canonical(ENTRY | {"sequence": 2}), ledger.FIRST).to_json()
    with pytest.raises(ChallengeError, match="another receipt is there"):
        client.save_receipt(path, {"receipt": other})
    assert json.loads(path.read_text()) == RECEIPT
    path.write_text("{}")
    with pytest.raises(ChallengeError, match=r"receipt\.json: receipt: not one of ours"):
        client.save_receipt(path, {"receipt": RECEIPT})
    assert path.read_text() == "{}"


def test_a_receipt_that_does_not_fit_is_refused() -> None:
    forged = json.dumps({"receipt": RECEIPT | {"hash": "0" * 64}, "is_new": True})
    with answering(Asked((201, forged))) as url, pytest.raises(ChallengeError, match="changed after it was made"):
        Server(url, "t").send(b"")

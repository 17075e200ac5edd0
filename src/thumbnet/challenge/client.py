"""Sending a submission: what `thumbnet submit` does, in functions that a program can call too.

The file is checked before it is sent, by the validator that the server uses. A submission whose answer was lost on the
way is sent again: the server recognises it, so that it counts once.
"""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2

from thumbnet.challenge.ledger import load_receipt, read_receipt
from thumbnet.errors import ChallengeError
from thumbnet.files import storage_errors, write_json
from thumbnet.submission import MAX_BYTES, read_and_validate

_TIMEOUT = httpx2.Timeout(60, connect=10)
_TRIES = 3
_PAUSE = 1.0


@dataclass(frozen=True)
class Server:
    """A challenge's server, and who asks it.

    Args:
        url: such as 'https://challenge.example.org'.
        token: an API token; empty for what needs none.

    Raises:
        ChallengeError: `url` is no address of a server.
    """

    url: str
    token: str = ""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ChallengeError(f"server {self.url!r}: not like 'https://challenge.example.org'; mend the address")

    def check(self, content: bytes) -> None:
        """Check a submission as the server will.

        Raises:
            PredictionError: it is not valid, with the number of the line.
            ChallengeError: the server cannot be reached.
        """
        known = self._ask("GET", "/api/format")
        try:
            images, classes, limit = known["images"], known["classes"], known["max_bytes"]
        except (KeyError, TypeError) as error:
            raise ChallengeError(f"{self.url}: not a server of a challenge; mend the address") from error
        read_and_validate(content, images, classes, max_bytes=limit)

    def send(self, content: bytes) -> dict[str, Any]:
        """Send a submission and return the server's answer (`web.models.Submitted`), with a checked receipt.

        Raises:
            ChallengeError: the server refuses it or cannot be reached.
        """
        answer = self._ask("POST", "/api/submissions", content=content, headers={"Content-Type": "text/plain"})
        entry = json.loads(read_receipt(answer.get("receipt")).entry)
        sent = {"file": hashlib.sha256(content).hexdigest(), "size": len(content)}
        # Answers that were seen before may have come in another file.
        if answer.get("is_new") and any(entry.get(name) != value for name, value in sent.items()):
            raise ChallengeError(f"{self.url}: the receipt is of another file; tell who runs the challenge")
        return dict(answer)

    def sign_up(self, name: str, password: str, *, code: str = "", team: str = "", team_code: str = "") -> Self:
        """Make an account and return the server with a new API token of it.

        Raises:
            ChallengeError: the server refuses it or cannot be reached.
        """
        given = {"name": name, "password": password, "code": code, "team": team, "team_code": team_code}
        return self._with_token("/api/sign-up", given)

    def sign_in(self, name: str, password: str) -> Self:
        """Return the server with a new API token of an account that is there.

        Raises:
            ChallengeError: the server refuses it or cannot be reached.
        """
        return self._with_token("/api/sign-in", {"name": name, "password": password})

    def _with_token(self, path: str, given: Mapping[str, str]) -> Self:
        with self._client() as client:
            headers = {"Origin": self.url.rstrip("/")}
            _json(self.url, _sent(self.url, client, "POST", path, json=given, headers=headers))
            label = {"label": "thumbnet submit", "password": given["password"]}
            made = _json(self.url, _sent(self.url, client, "POST", "/api/tokens", json=label, headers=headers))
            _sent(self.url, client, "POST", "/api/sign-out", headers=headers)
        return type(self)(self.url, made["token"])

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        for tries_left in reversed(range(_TRIES)):
            try:
                with self._client() as client:
                    return _json(self.url, _sent(self.url, client, method, path, **more))
            except _LostError:
                if not tries_left:
                    raise
                time.sleep(_PAUSE)
        raise AssertionError("unreachable")

    def _client(self) -> httpx2.Client:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        # A redirect could carry the token elsewhere, so none is followed.
        return httpx2.Client(base_url=self.url, headers=headers, timeout=_TIMEOUT, follow_redirects=False)


class RefusedError(ChallengeError):
    """What the server refuses.

    Args:
        message: what it says.
        code: its word for programs, such as 'cooldown'.
        retry_after: seconds after which the same may succeed; `None` where time does not mend it.
    """

    def __init__(self, message: str, code: str, retry_after: int | None) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after


class _LostError(ChallengeError):
    """An answer that did not come."""


def read_file(path: Path) -> bytes:
    """Return the bytes of a submission.

    Raises:
        ChallengeError: it is far too large to be one.
        StorageError: it cannot be read.
    """
    with storage_errors(path):
        size = path.stat().st_size
        if size > 16 * MAX_BYTES:
            raise ChallengeError(
                f"{path}: {size:,} bytes are no submission; give the file that `thumbnet predict` wrote"
            )
        return path.read_bytes()


def save_receipt(path: Path, answer: Mapping[str, Any]) -> None:
    """Write the receipt of the server's `answer` to `path`.

    Raises:
        ChallengeError: another receipt is there, or something else.
        StorageError: the place cannot be read or written, or the disk is full.
    """
    if path.exists():
        if load_receipt(path) == read_receipt(answer["receipt"]):
            return
        raise ChallengeError(
            f"{path}: another receipt is there; the submission was counted, so send the file again with another "
            "--receipt to get its receipt"
        )
    write_json(path, answer["receipt"])


def _sent(url: str, client: httpx2.Client, method: str, path: str, **more: Any) -> httpx2.Response:
    try:
        return client.request(method, path, **more)
    except httpx2.HTTPError as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise _LostError(f"{url}: no answer ({reason}); check the address and your network, and try again") from error


def _json(url: str, response: httpx2.Response) -> Any:
    try:
        value = response.json()
    except ValueError as error:
        if response.status_code in (502, 503, 504):
            raise _LostError(f"{url}: the server is away (status {response.status_code}); try again later") from error
        raise ChallengeError(f"{url}: not a server of a challenge (status {response.status_code})") from error
    if response.is_success:
        return value
    found = value.get("error") if isinstance(value, dict) else None
    if not isinstance(found, dict):
        raise ChallengeError(f"{url}: not a server of a challenge (status {response.status_code})")
    raise RefusedError(str(found.get("message")), str(found.get("code")), found.get("retry_after"))

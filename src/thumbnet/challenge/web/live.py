"""The board as thousands poll it: made once for each change, and answered from memory."""

import asyncio
import gzip
import hashlib
import json
import time
from dataclasses import dataclass
from typing import Self

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from thumbnet.challenge import board
from thumbnet.challenge.board import Board
from thumbnet.challenge.keeping.export import board_csv
from thumbnet.challenge.state import Challenge

REFRESH_SECONDS = 0.5
"""How old an answer may be."""


@dataclass(frozen=True)
class Content:
    """A body that many ask for, made once.

    Attributes:
        plain: as it is.
        packed: compressed with gzip, a fifth as large.
        media_type: what it is.
        etag: changes with the content.
    """

    plain: bytes
    packed: bytes
    media_type: str
    etag: str

    @classmethod
    def of(cls, plain: bytes, media_type: str) -> Self:
        """Return `plain`, ready to send."""
        etag = f'"{hashlib.sha256(plain).hexdigest()[:32]}"'
        return cls(plain, gzip.compress(plain, compresslevel=5, mtime=0), media_type, etag)

    def answer(self, request: Request) -> Response:
        """Return the content, packed where the client takes that, or that it is what the client has already."""
        headers = {"ETag": self.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        known = request.headers.get("if-none-match", "").split(",")
        if self.etag in [tag.strip().removeprefix("W/") for tag in known]:
            return Response(status_code=304, headers=headers)
        if "gzip" in _encodings(request):
            return Response(self.packed, media_type=self.media_type, headers=headers | {"Content-Encoding": "gzip"})
        return Response(self.plain, media_type=self.media_type, headers=headers)


@dataclass(frozen=True)
class Snapshot:
    """The board at one moment, ready to send.

    Attributes:
        board: the board.
        json: as JSON.
        csv: as CSV.
    """

    board: Board
    json: Content
    csv: Content


class LiveBoard:
    """Keeps the newest board.

    Args:
        challenge: the challenge.
    """

    def __init__(self, challenge: Challenge) -> None:
        self._challenge = challenge
        self._snapshot: Snapshot | None = None
        self._checked = float("-inf")
        self._refreshing = asyncio.Lock()

    async def get(self) -> Snapshot:
        """Return the board, at most `REFRESH_SECONDS` old; while one request renews it, the others get the last."""
        if self._snapshot is not None and time.monotonic() - self._checked < REFRESH_SECONDS:
            return self._snapshot
        if self._snapshot is not None and self._refreshing.locked():
            return self._snapshot
        async with self._refreshing:
            if self._snapshot is None or time.monotonic() - self._checked >= REFRESH_SECONDS:
                checked = time.monotonic()
                self._snapshot = await run_in_threadpool(self._renewed, self._snapshot)
                self._checked = checked
            return self._snapshot

    def expire(self) -> None:
        """Make the next request look for a newer board."""
        self._checked = float("-inf")

    def _renewed(self, before: Snapshot | None) -> Snapshot:
        challenge = self._challenge
        with challenge.database.read() as connection:
            state = challenge.state(connection)
            if before and (before.board.state.change, before.board.state.phase) == (state.change, state.phase):
                return before
            found = board.build(challenge, connection)
        mode = challenge.settings.board
        content = json.dumps(board.to_json(found, mode), separators=(",", ":")).encode()
        table = board_csv(found, mode).encode()
        return Snapshot(found, Content.of(content, "application/json"), Content.of(table, "text/csv"))


def live_board(request: Request) -> LiveBoard:
    """Return the board of the app."""
    found = request.app.state.board
    assert isinstance(found, LiveBoard)
    return found


def _encodings(request: Request) -> set[str]:
    """Return the encodings that the client takes; one with a weight of 0 is refused by it."""
    parts = [part.strip().lower().partition(";") for part in request.headers.get("accept-encoding", "").split(",")]
    return {name.strip() for name, _, weight in parts if weight.replace(" ", "") not in ("q=0", "q=0.0")}

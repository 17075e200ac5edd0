"""The board as thousands poll it: made once for each change, and answered from memory."""

import asyncio
import gzip
import hashlib
import json
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from thumbnet.challenge import board
from thumbnet.challenge.board import Board
from thumbnet.challenge.refusals import not_found
from thumbnet.challenge.state import Challenge
from thumbnet.challenge.tables import board_csv

REFRESH_SECONDS = 0.5
"""How old an answer may be, where the board can be made that often."""

_REST = 10
"""For each time that the board was made anew, it is to rest for so many times as long as that took: with hundreds of
teams it takes a tenth of a second, and submissions come first."""

_LONGEST_DEBT = 10.0
"""How many seconds of rest may be put off. Few changes show at once so; under many, the board falls behind."""

_Result = TypeVar("_Result")


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


class Shared(Generic[_Result]):
    """Work that many wait for and one does: who asks meanwhile gets the same result at the same moment.

    A lock would let them through one after the other, each in another round of the loop.
    """

    def __init__(self) -> None:
        self._running: asyncio.Task[_Result] | None = None

    @property
    def is_running(self) -> bool:
        """Whether somebody does the work at this moment."""
        return self._running is not None

    async def get(self, work: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
        """Return the result of `work`, which is begun unless it runs."""
        if self._running is None:
            self._running = asyncio.create_task(work())
            self._running.add_done_callback(self._end)
        # One who goes away takes nothing from the others.
        return await asyncio.shield(self._running)

    def _end(self, _task: asyncio.Task[_Result]) -> None:
        self._running = None


class LiveBoard:
    """Keeps the newest board.

    Args:
        challenge: the challenge.
    """

    def __init__(self, challenge: Challenge) -> None:
        self._challenge = challenge
        self._snapshot: Snapshot | None = None
        self._checked = float("-inf")
        self._expirations = 0
        self._begun_phases = 0
        self._shown_phases = 0
        self._rests_until = float("-inf")
        self._renewing: Shared[Snapshot] = Shared()
        self._older: dict[int, dict[str, Any]] = {}
        self._older_state: tuple[int, str] | None = None
        self._building = threading.Lock()

    async def get(self) -> Snapshot:
        """Return the board, at most `REFRESH_SECONDS` old; older while it rests or another request renews it.

        A phase shows even where the board rests, and at once where `begin_phase` told of it.
        """
        is_new = time.monotonic() - self._checked < REFRESH_SECONDS
        if self._snapshot is not None and (is_new or self._renewing.is_running) and not self._lags:
            return self._snapshot
        renewed = await self._renewing.get(self._renew)
        # What was begun before the phase may not know of it.
        while self._lags:
            renewed = await self._renewing.get(self._renew)
        return renewed

    @property
    def _lags(self) -> bool:
        return self._shown_phases < self._begun_phases

    async def _renew(self) -> Snapshot:
        checked, expirations, phases = time.monotonic(), self._expirations, self._begun_phases
        rests = self._rests_until - checked > _LONGEST_DEBT
        renewed = await run_in_threadpool(self._renewed, self._snapshot, rests)
        self._shown_phases = phases
        # What expired meanwhile may have been read before it changed.
        if expirations == self._expirations:
            self._checked = checked
        if renewed is not self._snapshot:
            now = time.monotonic()
            self._rests_until = max(self._rests_until, now) + _REST * (now - checked)
        self._snapshot = renewed
        return renewed

    def older(self, number: int) -> dict[str, Any]:
        """Return the board by version `number` of the labels, as JSON data; built once for each state.

        Raises:
            RefusalError: there is no such version.
        """
        challenge = self._challenge
        # One at a time: whoever waits then finds it built.
        with self._building, challenge.database.read() as connection:
            state = challenge.state(connection)
            if number > state.version:
                raise not_found("there is no such version of the board")
            if self._older_state != (state.change, state.phase):
                self._older, self._older_state = {}, (state.change, state.phase)
            if number not in self._older:
                found = board.build(challenge, connection, number)
                self._older[number] = board.to_json(found, challenge.settings.board)
            return self._older[number]

    def expire(self) -> None:
        """Make the next request look for a newer board, unless it rests."""
        self._expirations += 1
        self._checked = float("-inf")

    def begin_phase(self) -> None:
        """Make the next request wait for the board of the phase that has just begun."""
        self._begun_phases += 1

    def _renewed(self, before: Snapshot | None, rests: bool) -> Snapshot:
        challenge = self._challenge
        with challenge.database.read() as connection:
            state = challenge.state(connection)
            if before is not None:
                known = before.board.state
                if known.phase == state.phase and (rests or known.change == state.change):
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

"""HTTP/1.1 over kept-alive connections, with no more work than thousands of clients in one process can bear."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What a server answered.

    Attributes:
        status: the HTTP status.
        headers: by their names in lower case.
        body: as it came.
        seconds: from before the connection was made, where it had to be, to the last byte.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    def json(self) -> Any:
        """Return the body as JSON data."""
        return json.loads(self.body)


class Connection:
    """One client's connection to the server on a port of the loopback address; made with the first request."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def get(self, path: str, headers: Mapping[str, str]) -> Answer:
        """Ask for `path`.

        Raises:
            OSError: the connection failed; the next request makes another.
        """
        return await self._ask(self._head("GET", path, headers), b"")

    async def post(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send `body` to `path`.

        Raises:
            OSError: the connection failed; the next request makes another.
        """
        return await self._ask(self._head("POST", path, {**headers, "Content-Length": str(len(body))}), body)

    async def open(self) -> None:
        """Make the connection before it is needed."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    def close(self) -> None:
        """Close the connection."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    def _head(self, method: str, path: str, headers: Mapping[str, str]) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self._port}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")

    async def _ask(self, head: bytes, body: bytes) -> Answer:
        began = time.perf_counter()
        try:
            if self._writer is None:
                await self.open()
            assert self._writer is not None
            assert self._reader is not None
            self._writer.write(head + body)
            await self._writer.drain()
            return await _read_answer(self._reader, began)
        except (OSError, asyncio.IncompleteReadError) as error:
            self.close()
            raise ConnectionError(str(error)) from error


async def _read_answer(reader: asyncio.StreamReader, began: float) -> Answer:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Answer(int(first.split(" ", 2)[1]), headers, body, time.perf_counter() - began)

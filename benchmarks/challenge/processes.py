"""`thumbnet serve` as a process of its own, which can be ended in every way, and the settings that it reads."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from benchmarks.program import THUMBNET

PASSWORD = "correct horse"
"""Of every account here; the servers are on the loopback address and live for minutes."""

_READY_SECONDS = 60


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class ServerProcess:
    """A running server. What it prints goes to a file beside its folder.

    Args:
        folder: of the challenge.
        arguments: of `thumbnet serve`.
        port: of the loopback address; by default a free one.
        variables: of the environment, beside those of this process.
    """

    def __init__(
        self, folder: Path, *arguments: object, port: int | None = None, variables: Mapping[str, str] | None = None
    ) -> None:
        self.port = free_port() if port is None else port
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder.parent / f"{folder.name}-{self.port}.log"
        command = [str(THUMBNET), "serve", "--folder", str(folder), "--port", str(self.port), *map(str, arguments)]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | dict(variables or {}))

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def printed(self) -> str:
        """Return all that the server printed."""
        return self._log.read_text()

    def wait_until_ready(self) -> None:
        """Wait until the server answers.

        Raises:
            RuntimeError: it ended, or does not answer for a minute.
        """
        end = time.monotonic() + _READY_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the server did not start:\n{self.printed()}")
            time.sleep(0.02)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, and return the exit status."""
        self._process.send_signal(how)
        return self._process.wait(30)

    def cpu_seconds(self) -> float:
        """Return the CPU time that the process has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_memory_bytes(self) -> int:
        """Return the most memory that the process has had."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))

    def _answers(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/api/challenge")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


def write_settings(folder: Path, **values: Any) -> Path:
    """Write a settings file; JSON's texts and numbers are TOML's too."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "challenge.toml"
    path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()))
    return path

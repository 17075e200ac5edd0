"""Downloading against a server on this machine: resume, checksum, refusal. The real network is never asked."""

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from thumbnet.errors import DataError, StorageError
from thumbnet.sources import pack
from thumbnet.sources.download import download

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves `content`; may ignore ranges, or stop after `stop_after` bytes; remembers the ranges asked for."""

    content = CONTENT
    ranges = True
    stop_after: int | None = None
    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/data.zip"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        asked = self.headers["Range"]
        server.asked.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and server.ranges else 0
        body = server.content[start:]
        self.send_response(206 if start and server.status == 200 else server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.stop_after])

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Say nothing."""

    def log_error(self, *arguments: object) -> None:
        """Say nothing of a broken connection either."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def fetch(server: Server, folder: Path | None) -> Path:
    return download(folder, url=server.url, size=len(CONTENT), sha256=SHA256)


def test_it_is_downloaded_once(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    archive = download(
        tmp_path / "cache",
        url=server.url,
        size=len(CONTENT),
        sha256=SHA256,
        watch=lambda *told: seen.append(told),
    )
    assert archive.read_bytes() == CONTENT
    assert seen[-1] == ("downloading", len(CONTENT), len(CONTENT))
    assert fetch(server, tmp_path / "cache") == archive
    assert server.asked == [None]


def test_a_broken_download_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.stop_after = 300_000
    with pytest.raises(DataError, match=r"ended after 300,000 of 1,024,000 bytes.*again to go on.*data pack FILE"):
        fetch(server, tmp_path)
    server.stop_after = None
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-"]
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == ["data.zip"]


def test_a_server_without_ranges_sends_everything_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.zip.part").write_bytes(b"x" * 1000)
    server.ranges = False
    assert fetch(server, tmp_path).read_bytes() == CONTENT


def test_a_wrong_checksum_is_refused_and_removed(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT[:-1] + b"!"
    with pytest.raises(DataError, match=r"not the archive of .*; run the command again, or get"):
        fetch(server, tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == []
    server.content = CONTENT
    assert fetch(server, tmp_path).read_bytes() == CONTENT


def test_a_file_that_is_too_long_is_refused(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT * 2
    with pytest.raises(DataError, match="not the archive"):
        fetch(server, tmp_path)


def test_a_finished_archive_that_was_damaged_is_found(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.zip").write_bytes(b"damaged")
    with pytest.raises(DataError, match="not the archive"):
        fetch(server, tmp_path)
    assert fetch(server, tmp_path).read_bytes() == CONTENT


def test_the_archive_lies_in_the_cache(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THUMBNET_CACHE", str(tmp_path / "cache"))
    assert fetch(server, None) == tmp_path / "cache" / "data.zip"


def test_an_http_error_is_one_line(server: Server, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(DataError, match=r"cannot download .*Not Found.*data pack FILE"):
        fetch(server, tmp_path)


def test_a_refused_connection_says_what_to_do(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.shutdown()
    server.server_close()
    with pytest.raises(DataError, match=r"refused.*get the archive by other means and run `thumbnet data pack FILE`"):
        fetch(server, tmp_path)
    monkeypatch.setenv("THUMBNET_CACHE", str(tmp_path))
    monkeypatch.setattr(download, "__kwdefaults__", {**(download.__kwdefaults__ or {}), "url": server.url})
    with pytest.raises(DataError, match=r"by other means"):
        pack(None, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_processes_do_not_download_the_same_file(server: Server, tmp_path: Path) -> None:
    with FileLock(tmp_path / ".data.zip.lock"), pytest.raises(StorageError, match="another process is downloading"):
        fetch(server, tmp_path)


def test_a_folder_that_cannot_be_written_is_named(server: Server) -> None:
    with pytest.raises(StorageError, match="/dev/null"):
        fetch(server, Path("/dev/null/cache"))

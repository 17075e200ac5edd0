"""A challenge's server in this process, and people who look at it in headless Chromium."""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from benchmarks.challenge.processes import PASSWORD, free_port
from playwright.sync_api import Browser, Page

from tests.browser import Pages
from tests.challenge.world import World
from thumbnet.challenge.state import Challenge
from thumbnet.challenge.web import make_app
from thumbnet.challenge.web.pages import scoreboard

PATIENCE_MS = 20_000
"""How long to wait for a page to change by itself."""


class Visitors(Pages):
    """People with a browser each, who meet the challenge at `url`."""

    def __init__(self, browser: Browser, url: str) -> None:
        super().__init__(browser)
        self.url = url

    def come(self, **options: Any) -> Page:
        """Return a page of a browser of its own."""
        usual = {"viewport": {"width": 1200, "height": 900}, "base_url": self.url}
        return self.open(**usual | options)

    def refusals(self) -> list[str]:
        """Return the statuses of refused requests, and forget them; Chromium notes each in the console."""
        start = "error: Failed to load resource: the server responded with a status of "
        found = [line.removeprefix(start)[:3] for line in self.said if line.startswith(start)]
        self.said = [line for line in self.said if not line.startswith(start)]
        return found


@contextlib.contextmanager
def served(world: World, **changes: Any) -> Iterator[str]:
    """Serve the challenge of `world` from a thread; yield its address."""
    port = free_port()
    app = make_app(Challenge.open(world.changed(**changes)))
    options = uvicorn.Config(app, port=port, log_level="warning", server_header=False)
    server = uvicorn.Server(options)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)


@contextlib.contextmanager
def visited(browser: Browser, world: World, **changes: Any) -> Iterator[Visitors]:
    """Serve `world` and yield visitors; at the end, check that nobody's page complained or asked another host.

    Pages ask for a newer board more often than usual, so that nobody waits for long.
    """
    often = pytest.MonkeyPatch.context()
    with often as patch, served(world, **changes) as url:
        patch.setattr(scoreboard, "POLL_SECONDS", 0.5)
        visitors = Visitors(browser, url)
        try:
            yield visitors
        finally:
            visitors.close()
    assert visitors.said == []
    assert {urlsplit(asked).netloc for asked in visitors.asked} == {urlsplit(url).netloc}


def sign_in(page: Page, name: str) -> None:
    page.goto("/sign-in")
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.click("button.main")
    page.wait_for_url("**/")


def send(page: Page, content: bytes, name: str = "submission.txt") -> None:
    """Send a file by the form."""
    page.goto("/submit")
    page.set_input_files("#file", files={"name": name, "mimeType": "text/plain", "buffer": content})
    page.click("main button.main")


def board(page: Page) -> list[list[str]]:
    """Return the board's rows as a reader sees them: rank, team and score."""
    rows = page.locator("table.board tbody tr")
    read = [[".rank", "th", ".score b"]] * rows.count()
    return [[rows.nth(place).locator(part).inner_text() for part in parts] for place, parts in enumerate(read)]

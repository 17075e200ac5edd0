"""Headless Chromium: a browser for the tests of a module, and pages whose every word and wish is kept."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from tools.browser import chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the tests of a module; `asyncio.run` fails while it runs, so it is not the whole session's."""
    with chromium() as started:
        yield started


@dataclass
class Pages:
    """Pages, each in a context of its own: nothing of one is known to another.

    Attributes:
        browser: that shows them.
        said: what their consoles and dialogs said.
        asked: the URLs that they asked for.
    """

    browser: Browser
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    _opened: list[Page] = field(default_factory=list)

    def open(self, **options: Any) -> Page:
        """Return a new page.

        Args:
            options: of Playwright's `new_page`.
        """
        usual = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"}
        page = self.browser.new_page(**usual | options)
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self.said.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: self.asked.append(request.url))
        self._opened.append(page)
        return page

    def close(self) -> None:
        """Close all pages, with their contexts."""
        for page in self._opened:
            page.context.close()


def overflow(page: Page) -> int:
    """How many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

"""A report read: its page with its tags in order, and its tables."""

import csv
import io
from html.parser import HTMLParser

from thumbnet.report import Report

VOID = {"meta", "img", "br", "line", "circle", "rect", "polyline", "input"}


class Reader(HTMLParser):
    """Checks that tags are closed in order, and keeps tags, texts, ids and links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def values(self, attribute: str) -> list[str]:
        return [value for _, found in self.tags if (value := found.get(attribute)) is not None]


def check(report: Report) -> Reader:
    """Check what must hold of every page, and return it read."""
    page = Reader(report.html)
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in page.values("href") if link.startswith("#")} <= set(ids)
    assert all(link.startswith("#") for link in page.values("href"))
    assert all(source.startswith("data:image/") for source in page.values("src"))
    assert set(page.values("aria-labelledby")) <= set(ids)
    for tag, found in page.tags:
        if tag == "img":
            assert found["alt"]
        if tag == "svg":
            assert "aria-hidden" in found or found["aria-label"]
        assert not [name for name in found if name.startswith("on")]
    assert len(report.html) < 10_000_000
    assert "nan" not in {text.strip() for text in page.texts}
    return page


def rows_of(report: Report, table: str) -> list[dict[str, str]]:
    """The rows of a table, each by the names of its columns."""
    return list(csv.DictReader(io.StringIO(report.tables[f"{table}.csv"])))

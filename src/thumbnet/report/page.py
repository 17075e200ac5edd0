"""The whole report: one HTML page, and beside it its figures as JSON and its tables as CSV."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from markupsafe import Markup

from thumbnet import environment
from thumbnet.errors import DataError, RunError, StorageError, ThumbnetError
from thumbnet.files import atomic_file, read_json, storage_errors, write_json
from thumbnet.predictions import Predictions
from thumbnet.report.facts.judged import Judged, judge_images
from thumbnet.report.facts.table import Missing
from thumbnet.report.pictures import Budget, Library
from thumbnet.report.section import Drawn, Made, Part, Scene, Scope, draw_within, render
from thumbnet.report.sections import SECTIONS
from thumbnet.report.subject import Subject, read_subjects
from thumbnet.run import RunDirectory

PAGE_BYTES = 9_700_000
"""What a page may take: its text, and as many images as fit beside it."""


@dataclass(frozen=True, eq=False)
class Report:
    """A report that is made but not yet written.

    Args:
        html: the page.
        figures: the same facts as JSON data, by section.
        tables: the same as CSV text, by file name.
    """

    html: str
    figures: dict[str, Any]
    tables: dict[str, str]


@dataclass(frozen=True, eq=False)
class Block:
    """Sections under one heading, which may be empty: about all runs, one of them, or both."""

    title: str
    key: str
    sections: Sequence[Part]


def make_report(runs: Sequence[RunDirectory], data: Sequence[Path] = (), images: Sequence[str] = ()) -> Report:
    """Return the report of one run or of several.

    Args:
        runs: at least one; of exactly two, the second is compared with the first.
        data: packed data that a run takes its images from where it was made from it, instead of where it found it.
        images: ids of judged images; the nearest neighbours of each in every run are shown besides some of all.

    Raises:
        ThumbnetError: no run, data of none of them, something stored that is damaged, an image that a run was not
            judged on or whose neighbours are not stored, or too much for a page.
    """
    if not runs:
        raise RunError("report: no run is given; give the folder of at least one")
    subjects = read_subjects(runs, data)
    found = _blocks(subjects, tuple(dict.fromkeys(images)))
    parts = [one for _, made in found for one in made]
    html = whole_page(_title(subjects), [block for block, _ in found], subjects)
    tables = _tables(parts)
    figures = {
        "thumbnet": environment.versions()["thumbnet"],
        "runs": [one.label for one in subjects],
        "sections": _figures(subjects, parts),
        "tables": sorted(tables),
    }
    return Report(html, figures, tables)


def write_report(report: Report, out: Path) -> list[Path]:
    """Write the page to `out`, and beside it its figures and the folder of its tables; return all three places.

    What an earlier report of the same name wrote is replaced, and tables that this one does not have are removed.

    Raises:
        StorageError: the place cannot be written, or holds other figures than a report's.
    """
    check_place(out)
    figures, folder = out.with_suffix(".json"), out.with_name(f"{out.stem}-csv")
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    stale = set(_earlier(figures) or ()) - report.tables.keys()
    for name, text in report.tables.items():
        with atomic_file(folder / name, "w") as handle:
            handle.write(text)
    write_json(figures, report.figures)
    with atomic_file(out, "w") as handle:
        handle.write(report.html)
    with storage_errors(folder):
        for name in stale:
            (folder / name).unlink(missing_ok=True)
    return [out, figures, folder]


def check_place(out: Path) -> None:
    """Check that a report can be written to `out`: it names a page, and its figures replace none but a report's.

    Raises:
        StorageError: it does not, or the JSON file of its name is something else, such as a run's own.
    """
    if out.suffix != ".html":
        raise StorageError(f"{out}: a report is a page; give a file that ends in .html")
    figures = out.with_suffix(".json")
    if figures.exists() and _earlier(figures) is None:
        raise StorageError(f"{figures}: not the figures of a report, which would replace it; give another --out")


def _earlier(figures: Path) -> list[str] | None:
    """Return the tables of the report that `figures` belongs to; `None` where it is no report's."""
    try:
        found = read_json(figures)
    except StorageError:
        return None
    tables = found.get("tables") if isinstance(found, dict) and "thumbnet" in found else None
    if not isinstance(tables, list):
        return None
    return [name for name in map(str, tables) if Path(name).name == name and name.endswith(".csv")]


def _blocks(subjects: Sequence[Subject], images: tuple[str, ...]) -> list[tuple[Block, list[Made]]]:
    """Return all sections in the order of the page, and the same with their figures."""
    judged = [_judge(one) for one in subjects]
    count, library = len(subjects), Library()
    every = Scene(tuple(subjects), tuple(judged), library, Budget(0), "all", count)
    blocks = [_block("", "all", every)]
    if count == 2:
        blocks.append(_block("", "pair", replace(every, key="pair")))
    for subject, one in zip(subjects, judged, strict=True):
        scene = Scene((subject,), (one,), library, Budget(0), subject.key, count, images)
        blocks.append(_block(subject.label if count > 1 else "", "run", scene))
    return blocks


def _block(title: str, scope: Scope, scene: Scene) -> tuple[Block, list[Made]]:
    made = []
    for section in SECTIONS:
        if section.scope == scope:
            own = replace(scene, key=f"{scene.key}-{section.key}")
            made.append(Made(section, own, section.make(own)))
    return Block(title, scene.key, [one.part for one in made]), made


def _judge(subject: Subject) -> Judged | Missing:
    return judge_images(subject.judged, subject.names) if isinstance(subject.judged, Predictions) else subject.judged


def _figures(subjects: Sequence[Subject], parts: Sequence[Made]) -> dict[str, Any]:
    """Return the JSON data of each section; of one about single runs, by the run's label."""
    found: dict[str, Any] = {}
    for one in parts:
        value = one.facts.to_json()
        if one.section.scope == "run":
            found.setdefault(one.section.key, {})[one.scene.subject.label] = value
        else:
            found[one.section.key] = value
    found["data"] = {
        one.label: one.dataset.to_json() if isinstance(one.dataset, Missing) else {"at_hand": True} for one in subjects
    }
    return found


def _tables(parts: Sequence[Made]) -> dict[str, str]:
    """Return all tables as CSV text by file name."""
    return {one.scene.file(table.name): table.to_csv() for one in parts for table in one.facts.tables()}


def _title(subjects: Sequence[Subject]) -> str:
    return " and ".join(one.label for one in subjects[:3]) + (" and others" if len(subjects) > 3 else "")


def whole_page(title: str, blocks: Sequence[Block], subjects: Sequence[Subject] = ()) -> str:
    """Return the page; its sections share the bytes that its text leaves for images.

    Args:
        title: its heading.
        blocks: its sections.
        subjects: the runs whose missing data is said at the top.

    Raises:
        DataError: the text alone takes more than `PAGE_BYTES`, without several runs.
        RunError: that of several runs does.
    """
    parts = [one for block in blocks for one in block.sections]
    fixed = {"title": title, "blocks": blocks, "subjects": subjects}

    def page(drawn: Sequence[Drawn]) -> str:
        html = {one.key: found.html for one, found in zip(parts, drawn, strict=True)}
        return _render(html=html, omitted=sum(found.omitted for found in drawn), **fixed)

    bare = len(page([one.draw(0) for one in parts]).encode())
    if bare > PAGE_BYTES:
        raise _too_large(bare, title, len(subjects))
    return page(draw_within(parts, PAGE_BYTES - bare))


def _too_large(size: int, title: str, runs: int) -> ThumbnetError:
    """Return the error of a page whose text alone takes `size` bytes."""
    sizes = f"takes {size / 1e6:.1f} MB without any image, and a page at most {PAGE_BYTES / 1e6:.1f} MB"
    if runs > 1:
        fit = max(1, runs * PAGE_BYTES // size)
        return RunError(f"report: the page of these {runs} runs {sizes}; give fewer runs (about {fit} fit)")
    return DataError(f"report: the page {title!r} {sizes}; its data has too many classes to be shown")


def _render(**values: Any) -> str:
    """Return the page around its sections."""
    script = _asset("report.js")
    return str(
        render(
            "page.html",
            style=Markup(_asset("report.css")),
            script=Markup(script),
            digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            version=environment.versions()["thumbnet"],
            **values,
        )
    )


def _asset(name: str) -> str:
    return resources.files("thumbnet.report").joinpath("templates", name).read_text(encoding="utf-8").strip()

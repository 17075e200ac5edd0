"""The whole report: one HTML page, and beside it its figures as JSON and its tables as CSV."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from markupsafe import Markup

from thumbnet import environment
from thumbnet.errors import RunError, StorageError
from thumbnet.files import atomic_file, read_json, storage_errors, write_json
from thumbnet.predictions import Predictions
from thumbnet.report.facts.judged import Judged, judge_images
from thumbnet.report.facts.table import Missing
from thumbnet.report.pictures import Budget, Pictures, open_pictures
from thumbnet.report.section import Drawn, Scene, render
from thumbnet.report.sections import SECTIONS
from thumbnet.report.subject import Subject, read_subjects
from thumbnet.run import RunDirectory

IMAGE_BYTES = 6_500_000
"""What all images of a page may take, so that it stays below 10 MB with all else."""


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
class _Block:
    """Sections under one heading: all runs, one of them, or both."""

    title: str
    key: str
    sections: Sequence[Drawn]


def make_report(runs: Sequence[RunDirectory], data: Path | None = None) -> Report:
    """Return the report of one run or of several.

    Args:
        runs: at least one; of exactly two, the second is compared with the first.
        data: packed data to take images from, instead of the one that each run names.

    Raises:
        ThumbnetError: no run, or something stored is damaged.
    """
    if not runs:
        raise RunError("report: no run is given; give the folder of at least one")
    subjects = read_subjects(runs, data)
    blocks = _blocks(subjects)
    parts = [one for block in blocks for one in block.sections]
    html = _page(subjects, blocks)
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
        StorageError: the place cannot be written.
    """
    check_place(out)
    figures, folder = out.with_suffix(".json"), out.with_name(f"{out.stem}-csv")
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    stale = set(_earlier(figures)) - report.tables.keys()
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
    """Check that `out` names a page.

    Raises:
        StorageError: it does not.
    """
    if out.suffix != ".html":
        raise StorageError(f"{out}: a report is a page; give a file that ends in .html")


def _earlier(figures: Path) -> list[str]:
    """Return the tables of the report that `figures` belongs to; none where there is no such report."""
    try:
        found = read_json(figures)["tables"]
        return [name for name in found if Path(name).name == name and name.endswith(".csv")]
    except (StorageError, KeyError, TypeError):
        return []


def _blocks(subjects: Sequence[Subject]) -> list[_Block]:
    """Return all sections, made, in the order of the page."""
    judged = [_judge(one) for one in subjects]
    count, share = len(subjects), dict[tuple[str, str], str]()
    pictures = [_pictures(one, Budget(IMAGE_BYTES // (count + (count == 2))), share) for one in subjects]
    every = Scene(tuple(subjects), tuple(judged), tuple(pictures), "all", count)
    blocks = [_Block("", "all", _drawn("all", every))]
    for subject, one, images in zip(subjects, judged, pictures, strict=True):
        scene = Scene((subject,), (one,), (images,), subject.key, count)
        blocks.append(_Block(subject.label if count > 1 else "", subject.key, _drawn("run", scene)))
    if count == 2:
        images = _pictures(subjects[0], Budget(IMAGE_BYTES // 3), share)
        both = Scene(tuple(subjects), tuple(judged), (images, images), "pair", count)
        blocks.insert(1, _Block("", "pair", _drawn("pair", both)))
    return [block for block in blocks if block.sections]


def _drawn(scope: str, scene: Scene) -> list[Drawn]:
    found = []
    for section in SECTIONS:
        if section.scope == scope:
            own = Scene(scene.subjects, scene.judged, scene.pictures, f"{scene.key}-{section.key}", scene.runs)
            found.append(Drawn(section, own, section.make(own)))
    return found


def _judge(subject: Subject) -> Judged | Missing:
    return judge_images(subject.judged, subject.names) if isinstance(subject.judged, Predictions) else subject.judged


def _pictures(subject: Subject, budget: Budget, share: dict[tuple[str, str], str]) -> Pictures:
    split = subject.judged.split if isinstance(subject.judged, Predictions) else ""
    return open_pictures(subject.dataset, split, budget, share)


def _figures(subjects: Sequence[Subject], parts: Sequence[Drawn]) -> dict[str, Any]:
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


def _tables(parts: Sequence[Drawn]) -> dict[str, str]:
    """Return all tables as CSV text by file name."""
    return {one.scene.file(table.name): table.to_csv() for one in parts for table in one.facts.tables()}


def _page(subjects: Sequence[Subject], blocks: Sequence[_Block]) -> str:
    drawn = [(block, [(one.section, one.scene.key, one.html) for one in block.sections]) for block in blocks]
    scenes = {id(images): images for block in blocks for one in block.sections for images in one.scene.pictures}
    title = " and ".join(one.label for one in subjects[:3]) + (" and others" if len(subjects) > 3 else "")
    return whole_page(title, drawn, sum(images.budget.omitted for images in scenes.values()), subjects)


def whole_page(title: str, blocks: Sequence[Any], omitted: int, subjects: Sequence[Subject] = ()) -> str:
    """Return the page around its sections.

    Args:
        title: its heading.
        blocks: each a heading with `title` and `key`, and a list of what has a `title`, its anchor and its HTML.
        omitted: images that were left out to keep the page small.
        subjects: the runs whose missing data is said at the top.
    """
    script = _asset("report.js")
    return str(
        render(
            "page.html",
            title=title,
            subjects=subjects,
            blocks=blocks,
            omitted=omitted,
            style=Markup(_asset("report.css")),
            script=Markup(script),
            digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            version=environment.versions()["thumbnet"],
        )
    )


def _title(subjects: Sequence[Subject]) -> str:
    """Return the names of the runs; of a single one with its recipe, where that has another name."""
    if len(subjects) > 1:
        return " and ".join(one.label for one in subjects[:3]) + (" and others" if len(subjects) > 3 else "")
    (only,) = subjects
    return only.label if only.recipe.name in only.label else f"{only.label} ({only.recipe.name})"


def _asset(name: str) -> str:
    return resources.files("thumbnet.report").joinpath("templates", name).read_text(encoding="utf-8").strip()

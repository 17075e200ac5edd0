"""The pages agree with the records, the registries and the command line."""

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cyclopts import CycloptsError, MissingArgumentError
from tools import pages

from tests.workflows.recorded import run_record
from thumbnet import records
from thumbnet.augment import IMAGE_OPERATIONS, MIXING_OPERATIONS
from thumbnet.cli.main import app
from thumbnet.errors import StorageError
from thumbnet.models import model_names
from thumbnet.optim import optimizer_names, schedule_names
from thumbnet.recipes import RECIPES, ROWS
from thumbnet.records import Measurement, Peak

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md"))]


def test_the_readme_shows_what_the_records_say() -> None:
    page = (ROOT / "README.md").read_text()
    folder = ROOT / "records"
    measured = records.load_all(folder) if folder.is_dir() else []
    assert pages.readme(page, measured) == page, "run: make pages"


def test_the_readmes_figures_are_those_of_the_files() -> None:
    """Read the page and the files once more, by other means than those that wrote it."""
    table = {cells[0]: cells[1:] for cells in map(cells_of, (ROOT / "README.md").read_text().splitlines()) if cells}
    found = [json.loads(path.read_text()) for path in (ROOT / "records").glob("*.json")]
    runs = [record for record in found if record["name"] in ROWS and "figures" not in record]
    runs = [record for record in runs if ROWS[record["name"]].reported.iterations is None]
    assert len(runs) >= 5
    for record in runs:
        name, peak = record["name"], record["peak"] or record
        cells = table[f"[`{name}`](records/{name}.json)"]
        assert float(cells[1].rstrip("%")) == pytest.approx(100 * peak["top1"], abs=0.0501)
        low, high = (float(part) for part in cells[2].rstrip("%").split(" to "))
        assert [low, high] == pytest.approx([100 * end for end in peak["top1_interval"]], abs=0.0501)
        reported = ROWS[name].reported.val
        if reported is not None:
            sides = {"above": low / 100 > reported, "below": high / 100 < reported}
            assert cells[3] == next((side for side, holds in sides.items() if holds), "within")
        assert float(cells[4].rstrip("%")) == pytest.approx(100 * record["top1"], abs=0.0501)


def cells_of(line: str) -> list[str]:
    """The cells of a line of a Markdown table; none of another line."""
    return [cell.strip() for cell in line.split("|")[1:-1]] if line.startswith("| ") else []


@pytest.mark.parametrize(
    "change",
    [
        {"peak": Peak(17, 0.2876, (0.279, 0.2966))},
        {"peak": Peak(18, 0.2676, (0.259014, 0.276365))},
        {"peak": Peak(17, 0.2676, (0.259014, 0.286365))},
        {"top1": 0.2596},
        {"train_seconds": 3600.0},
        {"epochs": 19},
        {"device": {"type": "cuda", "name": "NVIDIA H100"}},
    ],
)
def test_a_page_that_states_another_figure_than_a_record_is_noticed(change: dict[str, Any]) -> None:
    page, measured = (ROOT / "README.md").read_text(), records.load_all(ROOT / "records")
    changed = [
        replace(one, **change) if isinstance(one, records.Record) and one.name == "mkrtchyan-m1" else one
        for one in measured
    ]
    assert changed != measured
    assert pages.readme(page, changed) != page
    assert pages.readme(page, [one for one in measured if one.name != "mkrtchyan-m1"]) != page


def test_the_experiments_page_shows_the_studies() -> None:
    page = (ROOT / "docs" / "experiments.md").read_text()
    measured = records.load_all(ROOT / "records")
    assert pages.experiments_page(page, measured) == page, "run: make pages"
    (row,) = (line for line in page.splitlines() if line.startswith("| `ma-activation-64` |"))
    variants = json.loads((ROOT / "records" / "ma-activation-64.json").read_text())["figures"]["variants"]
    shown = [f"{one['label']} {100 * one['figures']['val_top1']['mean']:.1f}%" for one in variants]
    assert f"[{', '.join(shown)}](../records/ma-activation-64.json)" in row
    assert len(shown) == 3
    assert row.replace(shown[2], "ELU 99.9%") not in pages.experiments_page(page, measured)


def test_the_experiments_page_shows_the_comparisons() -> None:
    page = (ROOT / "docs" / "experiments.md").read_text()
    found = json.loads((ROOT / "records" / "hansen-activation.json").read_text())["figures"]
    (row,) = (line for line in page.splitlines() if "[hansen-activation](../records/hansen-activation.json)" in line)
    difference = 100 * (found["second_top1"] - found["first_top1"])
    cells = cells_of(row)
    networks = {"first": "hansen-alexnet-3x3", "second": "hansen-prelu-development"}
    assert cells[:2] == [f"`{name}` {100 * found[f'{side}_top1']:.2f}%" for side, name in networks.items()]
    assert cells[3].startswith(f"{difference:+.2f} (")


def test_the_experiments_page_tells_of_every_row_that_falls_short() -> None:
    page = (ROOT / "docs" / "experiments.md").read_text()
    section = page.partition("## Rows that fall short")[2].partition("\n## ")[0]
    rows = [cells for cells in map(cells_of, (ROOT / "README.md").read_text().splitlines()) if "below" in cells]
    assert len(rows) >= 5
    names = [cells[0].split("`")[1] for cells in rows]
    assert [name for name in names if f"`{name}`" not in section] == []


def test_its_figures_are_those_of_the_rows_that_it_names() -> None:
    page = (ROOT / "docs" / "experiments.md").read_text()
    section = page.partition("## Rows that fall short")[2].partition("\n## ")[0]
    stated = 0
    for entry in section.split("\n- ")[1:]:
        rows = {row for name in re.findall(r"`([\w.+-]+)`", entry) for row in (name, f"{name}+") if row in ROWS}
        known = [figure for row in rows for figure in figures_of(row)]
        for text in re.findall(r"([\d.]*\d)%", entry):
            stated += 1
            digits = len(text.partition(".")[2])
            assert any(round(100 * figure, digits) == float(text) for figure in known), f"{text}% in: {entry}"
    assert stated > 8


def figures_of(row: str) -> list[float]:
    """What a report says of a row, and its record of the last step and the best one or the ensemble, as fractions."""
    reported = ROWS[row].reported
    found = [figure for figure in (reported.train, reported.val) if figure is not None]
    path = ROOT / "records" / f"{row}.json"
    if not path.exists():
        return found
    record = json.loads(path.read_text())
    if "figures" in record:
        return [*found, record["figures"]["ensemble"]["top1"]]
    last = [value for key, value in record["history"][-1].items() if "top1" in key]
    return [*found, record["top1"], *last, *([record["peak"]["top1"]] if record["peak"] else [])]


def test_the_training_page_shows_what_the_registries_hold() -> None:
    page = (ROOT / "docs" / "training.md").read_text()
    assert pages.training_page(page) == page, "run: make pages"
    names = [*RECIPES, *model_names(), *schedule_names(), *optimizer_names()]
    names += [*IMAGE_OPERATIONS.names(), *MIXING_OPERATIONS.names()]
    for name in names:
        assert f"`{name}`" in page
    assert "`gamma=0.1`" in page
    assert "| `step` | `every`, `gamma=0.1` |" in page


def broken_links(page: Path) -> list[str]:
    """The links and pictures of a page whose file or heading is missing, but for those to other sites."""
    text = page.read_text()
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", text)
    links += [(picture, "") for picture in re.findall(r'src="(?!https?:)([^"]+)"', text)]
    return [f"{target}#{heading}" for target, heading in links if not leads(page, target, heading)]


def leads(page: Path, target: str, heading: str) -> bool:
    """Whether a link of `page` leads to a file, and to a heading of it where it names one."""
    file = page.parent / target if target else page
    if not heading or not file.exists():
        return file.exists()
    headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
    return heading in [re.sub(r"[^\w -]", "", text).strip().lower().replace(" ", "-") for text in headings]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    assert broken_links(ROOT / page) == []


def test_broken_links_are_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    (tmp_path / "other.md").write_text("# Another page\n\n## What's `new`, in 2 lines\n")
    page.write_text(
        "# Here\n[a](other.md) [b](other.md#whats-new-in-2-lines) [c](#here) [d](https://x.org/#y)\n"
        '[e](none.md) [f](none.md#here) [g](other.md#here) [h](#there) <img src="other.md"> <img src="none.png">\n'
    )
    assert broken_links(page) == ["none.md#", "none.md#here", "other.md#here", "#there", "none.png#"]


def refused_commands(text: str) -> list[str]:
    """The command lines of a page that the command line would refuse; within a sentence, values may be left out."""
    text = text.replace("\\\n", " ")
    lines = re.findall(r"^    thumbnet ([^>\n]*)", text, re.MULTILINE)
    spans = re.findall(r"`thumbnet ([^`]*)`", text)
    return [line for line in lines if not parses(line)] + [span for span in spans if not parses(span, whole=False)]


def parses(line: str, *, whole: bool = True) -> bool:
    """Whether the words of a command line make a command, its options and (as a whole) all that it needs."""
    try:
        app.parse_args(shlex.split(line, comments=True), exit_on_error=False, print_error=False)
    except MissingArgumentError:
        return not whole
    except CycloptsError:
        return False
    return True


@pytest.mark.parametrize("page", PAGES)
def test_commands_on_pages_exist(page: str) -> None:
    assert refused_commands((ROOT / page).read_text()) == []


def test_wrong_commands_are_noticed() -> None:
    right = ["data pack SOURCE --out DIR  # packs", "recipes demo --json > it.json", "tune demo \\\n    --trials 3"]
    wrong = ["data pak SOURCE", "nothing", "report", "evaluate RUN --view flip", "study demo --seeds many"]
    spans = ["challenge revel", "study --seed 3", "evaluate --view"]
    lines = [f"    thumbnet {line}" for line in right + wrong]
    page = "\n".join([*lines, *(f"or `thumbnet {span}`" for span in ["study --seeds", "report", *spans])])
    assert refused_commands(page) == wrong + spans


def test_a_record_becomes_a_row() -> None:
    record = run_record("mkrtchyan-m1", correct=2877, best=(7, 3012), train_seconds=1230.0)
    measured = Measurement("startup", "python x", None, {}, {}, {"seconds_median": 0.2149})
    row = (
        "| [`mkrtchyan-m1`](records/mkrtchyan-m1.json) | 29.5% (Mkrtchyan 2022, figure 3) | 30.1% | 29.2 to 31.0% "
        "| within | 28.8% | 7 of 20 | 20 min | 1 of 2 CPU cores |"
    )
    assert row in pages.results([record, measured]).splitlines()


def test_pages_without_records() -> None:
    page = "<!-- results -->\nold\n<!-- /results -->\n<!-- measurements -->\n<!-- /measurements -->\n"
    filled = pages.readme(page, [])
    assert all(f"| `thumbnet reproduce {name}` |" in filled for name in ROWS)
    assert "Nothing is measured yet." in filled
    assert "old" not in filled


@pytest.mark.parametrize("page", ["", "<!-- a -->", "<!-- /a --> <!-- a -->", "<!-- a --><!-- a --><!-- /a -->"])
def test_markers_must_stand_once(page: str) -> None:
    with pytest.raises(StorageError, match="needs one <!-- a -->"):
        pages.fill(page, "a", "content")

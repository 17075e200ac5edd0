"""Write the tables of README.md, docs/experiments.md and docs/training.md anew, from records and registries.

No page states a figure by itself.

python -m tools.pages
"""

from collections.abc import Sequence
from pathlib import Path

from thumbnet.errors import StorageError
from thumbnet.files import atomic_file
from thumbnet.records import load_all
from thumbnet.workflows.reproduction.lines import AnyRecord, make_lines
from thumbnet.workflows.reproduction.table import markdown
from tools import tables

ROOT = Path(__file__).resolve().parents[1]


def fill(page: str, name: str, content: str) -> str:
    """Return `page` with `content` between the markers `<!-- name -->` and `<!-- /name -->`.

    Raises:
        StorageError: the page does not have the two markers once each.
    """
    first, last = f"<!-- {name} -->", f"<!-- /{name} -->"
    if page.count(first) != 1 or page.count(last) != 1 or page.index(first) > page.index(last):
        raise StorageError(f"page: needs one {first} and one {last} behind it; put them where the table goes")
    before, rest = page.split(first)
    return f"{before}{first}\n{content.strip()}\n{last}{rest.split(last)[1]}"


def readme(page: str, records: Sequence[AnyRecord]) -> str:
    """Return the README with its tables of results and measurements as `records` state them."""
    return fill(fill(page, "results", results(records)), "measurements", tables.measurements(records))


def training_page(page: str) -> str:
    """Return docs/training.md with its tables of recipes, networks, schedules, optimisers and operations."""
    for name, content in tables.names().items():
        page = fill(page, name, content)
    return page


def experiments_page(page: str, records: Sequence[AnyRecord]) -> str:
    """Return docs/experiments.md with its tables of what is no run, as `records` state them."""
    for name, make in _EXPERIMENTS.items():
        page = fill(page, name, make(records))
    return page


_EXPERIMENTS = {
    "studies": tables.studies,
    "comparisons": tables.comparisons,
    "ensembles": tables.ensembles,
    "searches": tables.searches,
    "zero-shots": tables.zero_shots,
}


def results(records: Sequence[AnyRecord]) -> str:
    """Return the table of reproduction: what a report reached and what was measured."""
    return markdown(make_lines(records))


def main() -> None:
    """Write the pages."""
    folder = ROOT / "records"
    measured = load_all(folder) if folder.is_dir() else []
    _write(ROOT / "README.md", readme((ROOT / "README.md").read_text(encoding="utf-8"), measured))
    docs = ROOT / "docs"
    _write(docs / "training.md", training_page((docs / "training.md").read_text(encoding="utf-8")))
    _write(
        docs / "experiments.md",
        experiments_page((docs / "experiments.md").read_text(encoding="utf-8"), measured),
    )


def _write(path: Path, text: str) -> None:
    with atomic_file(path, "w") as handle:
        handle.write(text)
    print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()

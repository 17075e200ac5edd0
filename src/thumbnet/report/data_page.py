"""The report on packed data: one HTML page, with the same figures as JSON and its tables as CSV."""

from pathlib import Path
from typing import NamedTuple

from thumbnet import environment
from thumbnet.packed import PackedDataset
from thumbnet.quality.stored import ensure_duplicates
from thumbnet.report.facts.dataset import make_data_facts
from thumbnet.report.facts.twins import make_twins
from thumbnet.report.page import Report, whole_page
from thumbnet.report.panels.dataset import draw_panels
from thumbnet.report.pictures import Budget
from thumbnet.watch import Watch, silent

IMAGE_BYTES = 6_500_000
"""What all images of the page may take, so that it stays below 10 MB with all else."""


class _Heading(NamedTuple):
    """No heading above the sections: there is one block of them."""

    title: str = ""
    key: str = "data"


def make_data_report(dataset: PackedDataset, cache: Path | None = None, watch: Watch = silent) -> Report:
    """Return the report on `dataset`.

    Its duplicates are searched once and then kept in the cache, where reports on runs find them.

    Args:
        dataset: packed.
        cache: folder that duplicates are kept in; by default $THUMBNET_CACHE, else the user's own.
        watch: is told how far it is.

    Raises:
        DataError: the data is damaged, or what was found before is.
        StorageError: what is found cannot be stored.
    """
    # Where the duplicates are known already, no split has been compared with its checksums yet.
    for name in dataset.split_names:
        dataset.split(name)
    twins = make_twins(dataset, ensure_duplicates(dataset, cache, watch))
    facts = make_data_facts(dataset, twins, watch)
    budget = Budget(IMAGE_BYTES)
    panels = draw_panels(facts, budget)
    html = whole_page(
        f"{dataset.name}: the data", [(_Heading(), [(one, one.key, one.html) for one in panels])], budget.omitted
    )
    tables = {f"{table.name}.csv": table.to_csv() for table in facts.tables()}
    figures = {"thumbnet": environment.versions()["thumbnet"], **facts.to_json(), "tables": sorted(tables)}
    return Report(html, figures, tables)

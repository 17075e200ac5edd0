"""The report on packed data: one HTML page, with the same figures as JSON and its tables as CSV."""

from pathlib import Path

from thumbnet import environment
from thumbnet.packed import PackedDataset
from thumbnet.quality.stored import ensure_duplicates, stored_duplicates
from thumbnet.report.facts.dataset import make_data_facts
from thumbnet.report.facts.twins import make_twins
from thumbnet.report.page import Block, Report, whole_page
from thumbnet.report.panels.dataset import data_panels
from thumbnet.watch import Watch, silent


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
    found = stored_duplicates(dataset, cache)
    if found is None:
        found = ensure_duplicates(dataset, cache, watch)  # compares every split with its checksums
    else:
        for name in dataset.split_names:
            dataset.split(name)
    facts = make_data_facts(dataset, make_twins(dataset, found), watch)
    html = whole_page(f"{dataset.name}: the data", [Block("", "data", data_panels(facts))])
    tables = {f"{table.name}.csv": table.to_csv() for table in facts.tables()}
    figures = {"thumbnet": environment.versions()["thumbnet"], **facts.to_json(), "tables": sorted(tables)}
    return Report(html, figures, tables)

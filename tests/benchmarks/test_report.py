"""The runs that a report is measured on are as real ones, and what is measured is what the command writes."""

from pathlib import Path

from benchmarks.made_run import SIDE, TWINS, Size, make_data, make_run
from benchmarks.report import measure

from thumbnet.packed import load
from thumbnet.quality.stored import stored_duplicates
from thumbnet.report import make_report

SMALL = Size(val=80, train=240, classes=4, steps=40)


def test_a_made_run_has_all_that_a_report_shows(tmp_path: Path) -> None:
    dataset = make_data(tmp_path / "packed", SMALL)
    assert (dataset.image_size, dict(dataset.counts)) == (SIDE, {"train": 240, "val": 80})
    run = make_run(tmp_path / "run", dataset, SMALL, 0)
    report = make_report([run])
    assert "Nothing to show" not in report.html
    assert "thumbnet analyze" not in report.html.replace(f"thumbnet analyze {run.path} --only embedding --class", "")
    assert report.figures["sections"]["quality"]["run"]["duplicates"]


def test_a_report_and_a_comparison_are_measured(tmp_path: Path) -> None:
    found = measure(tmp_path, SMALL, 1)
    duplicates = stored_duplicates(load(tmp_path / "packed"), tmp_path / "cache")
    assert duplicates is not None
    # Each image that is there three times makes three pairs.
    assert duplicates.identical.sum() == 3 * TWINS
    both = found["comparison"]
    for one in (found, both):
        assert one["seconds_max"] >= one["seconds_median"] > 0
        assert one["cpu_seconds"] > 0
        assert one["peak_memory_bytes"] > 10**7
        assert 10**5 < one["page_bytes"] <= 9_700_000
    assert both["page_images"] + both["images_left_out"] > found["page_images"] + found["images_left_out"] > 100

"""Each kind of measurement becomes a line of its table."""

from typing import Any

import pytest
from tools import tables
from tools.tables.program import MEASUREMENTS

from thumbnet import environment
from thumbnet.predictions import choice_note
from thumbnet.records import Measurement

LOAD = {"lost": 1, "doubled": 0, "wrong_scores": 2, "server_errors": 0, "without_answer": 4}
LOAD |= {"problems_of_verification": 8, "clients": 500, "readers": 3000, "window_seconds": 60}
RACE = {"rounds": 20, "rounds_with_one_accepted": 19, "posts": 70}
MEASURED: dict[str, tuple[dict[str, Any], str]] = {
    "pack": (
        {"images": {"train": 100_000, "val": 10_000}, "seconds_median": 9.34, "peak_memory_bytes": 456_000_000},
        "9.3 s for 110,000 images, peak memory 0.46 GB",
    ),
    "startup": ({"seconds_median": 0.2149}, "0.21 s"),
    "ensemble": (
        {"seconds_average": 0.114, "members": 5, "images": 10_000, "classes": 200}
        | {"seconds_greedy": 2.26, "seconds_command": 3.51},
        (
            "0.11 s for the average of 5 members with 10,000 images and 200 classes, 2.3 s for greedy selection, "
            "3.5 s for the command"
        ),
    ),
    "report": (
        {"seconds_median": 4.44, "images": 10_000, "classes": 200}
        | {"peak_memory_bytes": 812_000_000, "page_bytes": 3_260_000},
        "4.4 s for 10,000 images of 200 classes, peak memory 0.81 GB, 3.3 MB",
    ),
    "quality": (
        {
            "network": "some-recipe",
            "flipped": {"0.05 to any class": {"class": {"recall": 0.9728, "precision_of_surest_1%": 0.962}}},
            "duplicates": {"identical_pairs": 3, "near_pairs": 12, "images": 110_000},
        },
        (
            "97.3% are among the suspects, and 96.2% of the surest 1% are such; 3 identical and 12 near pairs in "
            "110,000 images"
        ),
    ),
    "robustness": (
        {"network": "some-recipe", "clean": 0.7739, "mean": 0.45712}
        | {"cells": [{"corruption": name} for name in ("blur", "jpeg") for _ in range(5)]},
        "45.7% on average, 77.4% clean",
    ),
    "augmentation": (
        {
            "horizontal_flip": {"microseconds_per_image": 4.84},
            "mkrtchyan set 2": {"microseconds_per_image": 51.26},
        },
        "4.8 microseconds an image for a flip, 51.3 for rotation, flips and blur",
    ),
    "training-loop": ({"b": {"ratio_median": 0.9811}, "a": {"ratio_median": 0.9}}, "`a` 90.0%, `b` 98.1%"),
    "features": (
        {
            "extraction": {"images_per_second": 104.6, "image_size": 224, "ratio_median": 0.9612},
            "linear_probe": {"epochs": 10.0, "total_seconds": 58.7},
        },
        "105 images/s at 224 pixels, 96.1% of the bare forward pass; 10 epochs of a linear head on them in 59 s",
    ),
    "depthwise": (
        {"images_per_second": [23.0, 24.6, 24.0], "images_per_second_fast": [50.0, 51.2, 52.0]}
        | {"image_size": 160, "ratio_median": 2.14},
        "51 images/s instead of 24 at 160 pixels, 2.1 times as fast",
    ),
    "resume-after-kill": ({"identical": 20, "kills": 20}, "20 of 20 runs end with identical results"),
    "challenge-load": (
        {"sqlite": {"accepted": 499, "submissions": {"p99_ms": 812.4}} | LOAD},
        "SQLite: 499 of 500 accepted, 15 lost, doubled or failed, p99 812 ms",
    ),
    "challenge-race": (
        {"sqlite": {"1 processes": RACE, "4 processes": RACE}, "postgresql": {"1 processes": RACE}},
        "one accepted in 57 of 60 rounds",
    ),
    "challenge-kill": (
        {"postgresql": {"good_checks": 9, "checks": 10, "kills": 10, "acknowledged": 1234}},
        (
            "PostgreSQL: 9 of 10 checks after 10 kills found all of 1,234 acknowledged submissions and nothing "
            "half-written"
        ),
    ),
}


def test_every_measurement_has_its_line() -> None:
    known = {name: label for name, label, _ in MEASUREMENTS if isinstance(label, str)} | {
        "quality": "5% of val's labels flipped on purpose, searched with `some-recipe`; duplicates",
        "robustness": "top-1 of `some-recipe` on corrupted images: blur, jpeg, each in five severities",
        "challenge-load": "`thumbnet serve`: 500 teams submit in the last minute while 3,000 watch",
        "challenge-race": "70 posts of one team at the same moment, one and 4 server processes",
    }
    assert set(MEASURED) == set(known)
    about = environment.versions()
    made = [Measurement(name, "python x", None, about, {}, figures) for name, (figures, _) in MEASURED.items()]
    lines = tables.measurements(made).splitlines()
    for name, (_, text) in MEASURED.items():
        assert f"| {known[name]} | {text} | [{name}](records/{name}.json) |" in lines


COMPARED = {"first_top1": 0.3824, "second_top1": 0.4264, "difference": 0.044, "interval": [0.0364713, 0.0515111]}
COMPARED |= {"p_value": 2.16e-30}


def measurement(name: str, figures: dict[str, Any]) -> Measurement:
    return Measurement(name, "thumbnet x", None, {}, {}, figures)


def test_comparisons() -> None:
    plain = {"path": "runs/plain", "views": "none", "weights": "last"}
    viewed = {"path": "runs/other", "views": "ten-crop", "weights": "best"}
    figures = COMPARED | {"first": plain, "second": viewed, "split": "val", "notes": []}
    note = choice_note("it was", "val", tested=True)
    made = [
        measurement("real", figures),
        measurement("chance", figures | {"p_value": 0.031}),
        measurement("chosen", figures | {"notes": [note]}),
        measurement(
            "told", figures | {"first": plain | {"pretrained": False}, "second": viewed | {"pretrained": True}}
        ),
    ]
    lines = tables.comparisons(made).splitlines()[2:]
    row = "| `plain` 38.24% | `other` (ten-crop, best) 42.64% | val | +4.40 (+3.65 to +5.15) | "
    assert lines == [
        f"{row}p below 0.0001 | [real](../records/real.json) |",
        f"{row}p = 0.031 | [chance](../records/chance.json) |",
        f"{row}none: chosen on these images | [chosen](../records/chosen.json) |",
        f"{row}p below 0.0001 | [told](../records/told.json) |".replace(
            "(ten-crop, best)", "(ten-crop, best), pretrained"
        ),
    ]


@pytest.mark.parametrize(
    ("names", "select", "expected"),
    [
        (
            ["m1:snapshot-1", "m1:snapshot-2", "m1:snapshot-3"],
            "holdout",
            "networks of `m1` | 3 of 3, chosen on holdout",
        ),
        (["a", "b"], None, "`a`, `b` | 2 of 2"),
        (["a", "b", "left out"], "val", "`a`, `b` | 2 of 3, chosen on val"),
    ],
)
def test_ensembles(names: list[str], select: str | None, expected: str) -> None:
    members = [{"name": name, "count": 0 if name == "left out" else 2} for name in names]
    figures = {"best_member": names[0], "members": members, "select": select, "comparison": COMPARED}
    figures |= {"split": "val", "notes": []}
    unlabelled = figures | {"best_member": None, "comparison": None}
    made = [measurement("mean", figures), measurement("other", unlabelled)]
    told = [measurement("mean", figures | {"pretrained": pretrained}) for pretrained in (False, True)]
    line, plain, pretrained_too = tables.ensembles(made + told).splitlines()[2:]
    rest = "val | 38.24% | 42.64% | +4.40 (+3.65 to +5.15) | p below 0.0001 | [mean](../records/mean.json) |"
    assert line == plain == f"| {expected} | {rest}"
    assert pretrained_too == f"| {expected.replace(' |', ', pretrained |')} | {rest}"


def test_searches() -> None:
    gain = {"before": {"top1": 0.3824}, "after": {"top1": 0.4264}} | COMPARED
    best = {"values": {"optimizer.lr": "0.00123456", "batch_size": "64"}}
    figures = {
        "space": {},
        "recipe_name": "linear",
        "trials": 100,
        "pruned": 61,
        "failed": 2,
        "best": best,
        "val": gain,
    }
    (line,) = tables.searches([measurement("tune", figures)]).splitlines()[2:]
    assert line == (
        "| `linear` | 100 (61 ended early, 2 failed) | `optimizer.lr` 0.001235, `batch_size` 64 | 38.24% | 42.64% "
        "| +4.40 (+3.65 to +5.15) | p below 0.0001 | [tune](../records/tune.json) |"
    )


def test_zero_shots() -> None:
    figures = {"recipe": {"model": {"name": "timm/one"}}, "image_size": 224, "views": "flip", "split": "val"}
    figures |= {"top1": 0.5442, "top1_interval": [0.5344, 0.554]}
    (line,) = tables.zero_shots([measurement("zero", figures)]).splitlines()[2:]
    assert line == "| `timm/one` | 224 | flip | val | 54.42% | 53.4 to 55.4% | [zero](../records/zero.json) |"


def test_tables_without_records() -> None:
    assert tables.comparisons([]) == "Nothing is compared yet."
    assert tables.ensembles([]) == "No ensemble is measured yet."
    assert tables.searches([]) == "Nothing is searched yet."
    assert tables.zero_shots([]) == tables.measurements([]) == "Nothing is measured yet."

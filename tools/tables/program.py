"""The table of measurements of the program itself."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.challenge.load import FAILURES

from thumbnet.records import Measurement
from thumbnet.text import markdown_table
from thumbnet.workflows.reproduction.lines import AnyRecord
from tools.tables.links import link


def measurements(records: Sequence[AnyRecord]) -> str:
    """Return the table of measurements of the program itself."""
    known = {one.name: one for one in records if isinstance(one, Measurement)}
    rows = [
        (label if isinstance(label, str) else label(known[name].figures), text(known[name].figures), link(name))
        for name, label, text in MEASUREMENTS
        if name in known
    ]
    if not rows:
        return "Nothing is measured yet."
    return markdown_table(("what", "measured", "record"), rows)


def _pack(figures: Mapping[str, Any]) -> str:
    images = sum(figures["images"].values())
    memory = figures["peak_memory_bytes"] / 1e9
    return f"{figures['seconds_median']:.1f} s for {images:,} images, peak memory {memory:.2f} GB"


def _startup(figures: Mapping[str, Any]) -> str:
    return f"{figures['seconds_median']:.2f} s"


def _augmentation(figures: Mapping[str, Any]) -> str:
    flip, second = (figures[key]["microseconds_per_image"] for key in ("horizontal_flip", "mkrtchyan set 2"))
    return f"{flip:.1f} microseconds an image for a flip, {second:.1f} for rotation, flips and blur"


def _loop(figures: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}` {found['ratio_median']:.1%}" for name, found in sorted(figures.items()))


def _kill(figures: Mapping[str, Any]) -> str:
    return f"{figures['identical']} of {figures['kills']} runs end with identical results"


def _ensemble(figures: Mapping[str, Any]) -> str:
    return (
        f"{figures['seconds_average']:.2f} s for the average of {figures['members']} members with "
        f"{figures['images']:,} images and {figures['classes']} classes, {figures['seconds_greedy']:.1f} s for greedy "
        f"selection, {figures['seconds_command']:.1f} s for the command"
    )


def _report(figures: Mapping[str, Any]) -> str:
    return (
        f"{figures['seconds_median']:.1f} s for {figures['images']:,} images of {figures['classes']} classes, peak "
        f"memory {figures['peak_memory_bytes'] / 1e9:.2f} GB, {figures['page_bytes'] / 1e6:.1f} MB"
    )


def _quality_label(figures: Mapping[str, Any]) -> str:
    return f"5% of val's labels flipped on purpose, searched with `{figures['network']}`; duplicates"


def _quality(figures: Mapping[str, Any]) -> str:
    found, twins = figures["flipped"]["0.05 to any class"]["class"], figures["duplicates"]
    return (
        f"{found['recall']:.1%} are among the suspects, and {found['precision_of_surest_1%']:.1%} of the surest 1% "
        f"are such; {twins['identical_pairs']} identical and {twins['near_pairs']} near pairs in "
        f"{twins['images']:,} images"
    )


def _robustness_label(figures: Mapping[str, Any]) -> str:
    names = list(dict.fromkeys(one["corruption"] for one in figures["cells"]))
    return f"top-1 of `{figures['network']}` on corrupted images: {', '.join(names)}, each in five severities"


def _robustness(figures: Mapping[str, Any]) -> str:
    return f"{figures['mean']:.1%} on average, {figures['clean']:.1%} clean"


def _features(figures: Mapping[str, Any]) -> str:
    found, probe = figures["extraction"], figures["linear_probe"]
    return (
        f"{found['images_per_second']:.0f} images/s at {found['image_size']} pixels, {found['ratio_median']:.1%} of "
        f"the bare forward pass; {probe['epochs']:g} epochs of a linear head on them in {probe['total_seconds']:.0f} s"
    )


def _depthwise(figures: Mapping[str, Any]) -> str:
    rates = (statistics.median(figures[key]) for key in ("images_per_second", "images_per_second_fast"))
    before, after = (f"{rate:.0f}" for rate in rates)
    return (
        f"{after} images/s instead of {before} at {figures['image_size']} pixels, "
        f"{figures['ratio_median']:.1f} times as fast"
    )


def _challenge_load_label(figures: Mapping[str, Any]) -> str:
    one = next(iter(figures.values()))
    last = "minute" if one["window_seconds"] == 60 else f"{one['window_seconds']:g} s"
    return f"`thumbnet serve`: {one['clients']:,} teams submit in the last {last} while {one['readers']:,} watch"


def _challenge_load(figures: Mapping[str, Any]) -> str:
    parts = []
    for name, found in figures.items():
        lost = sum(found[key] for key in FAILURES)
        parts.append(
            f"{_DATABASES[name]}: {found['accepted']} of {found['clients']} accepted, {lost} lost, doubled or failed, "
            f"p99 {found['submissions']['p99_ms']:.0f} ms"
        )
    return "; ".join(parts)


def _challenge_race_label(figures: Mapping[str, Any]) -> str:
    by_processes = next(iter(figures.values()))
    posts = next(iter(by_processes.values()))["posts"]
    counts = [{"1": "one", "2": "two"}.get(name.split()[0], name.split()[0]) for name in by_processes]
    return f"{posts} posts of one team at the same moment, {' and '.join(counts)} server processes"


def _challenge_race(figures: Mapping[str, Any]) -> str:
    rounds = [one for found in figures.values() for one in found.values()]
    good = sum(one["rounds_with_one_accepted"] for one in rounds)
    return f"one accepted in {good} of {sum(one['rounds'] for one in rounds)} rounds"


def _challenge_kill(figures: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{_DATABASES[name]}: {found['good_checks']} of {found['checks']} checks after {found['kills']} kills found "
        f"all of {found['acknowledged']:,} acknowledged submissions and nothing half-written"
        for name, found in figures.items()
    )


_DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}

MEASUREMENTS: Sequence[tuple[str, str | Callable[[Mapping[str, Any]], str], Callable[[Mapping[str, Any]], str]]] = (
    ("pack", "`thumbnet data pack tiny-imagenet-200.zip`", _pack),
    ("startup", "`thumbnet --help`", _startup),
    ("ensemble", "`thumbnet ensemble`, from files", _ensemble),
    ("report", "`thumbnet report`", _report),
    ("quality", _quality_label, _quality),
    ("robustness", _robustness_label, _robustness),
    ("augmentation", "augmentation of 64x64 images", _augmentation),
    ("training-loop", "images/s of the training loop, as a share of the bare model step's", _loop),
    ("features", "features of EfficientNet-Lite0, computed once and kept", _features),
    ("depthwise", "training EfficientNet-Lite0 on the CPU with our backward pass of its convolutions", _depthwise),
    ("resume-after-kill", "killed with SIGKILL at a random moment, then resumed", _kill),
    ("challenge-load", _challenge_load_label, _challenge_load),
    ("challenge-race", _challenge_race_label, _challenge_race),
    ("challenge-kill", "`thumbnet serve` killed with SIGKILL under load", _challenge_kill),
)

"""The figure of a row: what a record says that it reached, judged against what the report says."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Literal

from thumbnet.errors import StorageError
from thumbnet.recipes import Reported
from thumbnet.records import Measurement, Record
from thumbnet.run import steps_to_perfect

Verdict = Literal["above", "within", "below"]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Measured:
    """What a record says of a row. Accuracies are fractions of val, unless said otherwise.

    Args:
        record: name of the record.
        figure: what is compared with the report: top-1, or the iterations to 100% training accuracy in evaluation
            mode; `None` where that was never reached.
        verdict: how the figure stands to the reported one; `None` where none is reported.
        interval: 95% interval of a top-1.
        epoch: the epoch of `figure` when it was chosen on val; `None` for the last step.
        last: top-1 of the last step, without test-time views.
        last_interval: 95% interval of `last`.
        running: iterations to 100% training accuracy as it runs (augmented batches in training mode).
        train: top-1 on training images in evaluation mode, at the end.
        epochs: length of training.
        seconds: time of training.
        features_apart: whether it trained on cached features, the time of which `seconds` leaves out; `None`: a study.
        device: where, in short.
        selected_on: split that chose the epoch, or the ensemble's members: 'none', 'holdout' or 'val'.
        views: test-time views with which `figure` is meant; `None` where the record does not say.
        members: of an ensemble, how many it has.
        single: top-1 of its first member alone, which is the best one where they were chosen.
    """

    record: str
    figure: float | int | None
    verdict: Verdict | None
    interval: Interval | None
    epoch: float | None = None
    last: float | None = None
    last_interval: Interval | None = None
    running: int | None = None
    train: float | None = None
    epochs: float | None = None
    seconds: float | None = None
    features_apart: bool | None = None
    device: str | None = None
    selected_on: str | None = None
    views: str | None = None
    members: int | None = None
    single: float | None = None


def measured_run(record: Record, reported: Reported | None) -> Measured:
    """Return what the record of a run says, judged against the report's figures.

    The reports took their best epoch on val, so that is compared where the run chose on val, else the last step. Where
    the recipe names test-time views, it is the last step with them.
    """
    last_row: Mapping[str, Any] = record.history[-1] if record.history else {}
    chosen = record.peak if record.selected_on == "val" and record.views == "none" else None
    last = record.plain or record
    found = Measured(
        record=record.name,
        figure=record.top1 if chosen is None else chosen.top1,
        verdict=None,
        interval=record.top1_interval if chosen is None else chosen.top1_interval,
        epoch=None if chosen is None else chosen.epoch,
        last=last.top1,
        last_interval=last.top1_interval,
        train=last_row.get("eval_train_top1"),
        epochs=record.epochs,
        seconds=record.train_seconds,
        features_apart=any(phase.get("cached_features") for phase in record.recipe["phases"]),
        device=device_name(record.device),
        selected_on=record.selected_on,
        views=record.views,
    )
    if reported is not None and reported.iterations is not None:
        return _with_iterations(found, record, reported.iterations, reported.about)
    return _judged(found, reported)


def measured_study(record: Measurement, reported: Reported) -> Measured:
    """Return what the measurement of a study says, judged against the report's figures.

    Raises:
        StorageError: its ensemble's figures lack `top1`, `top1_interval` or `single`, or the first are not fractions
            with one in the other.
    """
    figures = record.figures
    found = figures.get("ensemble") or {}
    try:
        top1, (low, high) = float(found["top1"]), map(float, found["top1_interval"])
        single = float(found["single"]["top1"])
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(
            f"record {record.name!r}: its figures lack top1, top1_interval or single; measure the row again"
        ) from error
    if not 0 <= low <= top1 <= high <= 1:
        raise StorageError(
            f"record {record.name!r}: top1_interval: [{low:g}, {high:g}] does not hold {top1:g} in [0, 1]; "
            "measure the row again"
        )
    measured = Measured(
        record=record.name,
        figure=top1,
        verdict=None,
        interval=(low, high),
        epochs=figures.get("epochs"),
        seconds=figures.get("seconds"),
        device=device_name(record.device),
        selected_on=found.get("selected_on"),
        members=found.get("size"),
        single=single,
    )
    return _judged(measured, reported)


def verdict(reported: float, interval: Interval) -> Verdict:
    """Return 'above' when the whole interval lies above `reported`, 'below' when below, 'within' otherwise."""
    low, high = interval
    if low > reported:
        return "above"
    return "below" if high < reported else "within"


def iterations_verdict(reported: int, measured: int | None, *, about: bool = False) -> Verdict:
    """Return 'above' for fewer iterations than `reported`, 'within' for as many, 'below' for more, or never.

    Where the report says `about`, as many are those that differ by at most a tenth.
    """
    slack = reported // 10 if about else 0
    if measured is None or measured > reported + slack:
        return "below"
    return "above" if measured < reported - slack else "within"


def device_name(device: Mapping[str, Any]) -> str:
    """Return a device, as a record has it, in a few words.

    Such as '2-core CPU', '1 of 2 CPU cores' (threads that computed, of the cores there were), 'H100', or 'H100, then
    2-core CPU' where a run went on elsewhere.
    """
    names = (_short_name(one) for one in (device, *device.get("then", ())))
    return ", then ".join(name for name, _ in groupby(names))


def _short_name(device: Mapping[str, Any]) -> str:
    kind, name = str(device.get("type", "unknown")), str(device.get("name", "unknown"))
    if kind == "cpu":
        cores, threads = device.get("cpus"), device.get("threads")
        if cores is None:
            return "CPU"
        return f"{threads} of {cores} CPU cores" if threads is not None and threads < cores else f"{cores}-core CPU"
    if kind == "mps":
        return "Apple GPU"
    short = re.sub(r"\b(NVIDIA|AMD|Intel|GeForce|Tesla|Quadro)\b|[ -]\d+ ?GB\b.*|-(SXM|PCIE).*", "", name)
    return re.sub(r"\s+", " ", short).strip() or kind


def _judged(found: Measured, reported: Reported | None) -> Measured:
    if reported is None or reported.val is None or found.interval is None:
        return found
    return replace(found, verdict=verdict(reported.val, found.interval))


def _with_iterations(found: Measured, record: Record, reported: int, about: bool) -> Measured:
    """Return `found` as a check that training images are memorised: how many iterations that took."""
    steps = steps_to_perfect(record.history, "eval_train_top1")
    running = steps_to_perfect(record.history, "running_train_top1")
    judged = iterations_verdict(reported, steps, about=about)
    return replace(found, figure=steps, running=running, verdict=judged, interval=None, epoch=None)

"""The panels of a study's figure: each draws one aspect of all variants into given axes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thumbnet.errors import RecipeError, nearest
from thumbnet.recipes import ROWS
from thumbnet.run import evaluations, iterations
from thumbnet.workflows.study.result import RunResult, StudyResult, VariantResult

Axes = Any
"""Of matplotlib."""

Curve = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""Places, mean over the seeds, and standard deviation over the seeds (zeros for one), f64[N] each."""

_SMOOTHED_PARTS = 40
_LEGEND_SIZE, _TITLE_SIZE = 9, 11
_STYLES = ("-", "--", ":", "-.")


def draw_panel(name: str, axes: Axes, result: StudyResult) -> None:
    """Draw the panel called `name` of a study's result into `axes`.

    Raises:
        RecipeError: there is no such panel, with the nearest names.
        RunError: a run's files are missing or damaged.
    """
    if name not in PANELS:
        raise RecipeError(f"panel {name!r} is unknown; {nearest(name, PANELS)}")
    PANELS[name](axes, result)


def draw_loss(axes: Axes, result: StudyResult) -> None:
    """The loss of each iteration: smoothed, over the raw values of a single seed or a band over several.

    Losses above twice the highest first one are cut off: they are of runs that diverge.
    """
    highest, limit = 0.0, 0.0
    for (colour, style), variant in _styled(result):
        curve = _over_seeds([iterations(run.rows) for run in variant.runs], "loss", "step")
        if curve is None:
            continue
        places, mean, deviation = curve
        highest, limit = max(highest, float(mean.max())), max(limit, 2 * float(mean[0]))
        if len(variant.runs) == 1:
            axes.plot(places, mean, color=colour, linewidth=0.6, alpha=0.25)
        smoothed = smooth(mean)
        axes.plot(places, smoothed, color=colour, linestyle=style, linewidth=1.6, label=variant.label)
        _draw_band(axes, places, smoothed, smooth(deviation), colour)
    if highest > limit:
        axes.set_ylim(-0.03 * limit, limit)
    cut = ", cut off above" if highest > limit else ""
    _finish(axes, f"training loss{cut}{_band_note(result)}", "iteration", "cross-entropy of a batch (nats)")


def draw_accuracy(axes: Axes, result: StudyResult) -> None:
    """The accuracy on the judged split at each evaluation."""
    split = result.split or "val"
    last = 0.0
    for (colour, style), variant in _styled(result):
        curve = _over_seeds([evaluations(run.rows) for run in variant.runs], f"{split}_top1", "epoch")
        if curve is None:
            continue
        places, mean, deviation = curve
        axes.plot(places, 100 * mean, color=colour, linestyle=style, marker="o", markersize=3, label=variant.label)
        _draw_band(axes, places, 100 * mean, 100 * deviation, colour)
        last = max(last, float(places[-1]))
    if last >= 2:
        _whole_numbers(axes)
    _finish(axes, f"accuracy on {split}{_band_note(result)}", "epoch", "top-1 accuracy (%)")


def draw_train_accuracy(axes: Axes, result: StudyResult) -> None:
    """Training accuracy by iteration: in evaluation mode (solid), and of the batches as they were seen (dashed)."""
    for (colour, _), variant in _styled(result):
        for key, style, note in (("eval_train_top1", "-", "eval mode"), ("running_train_top1", "--", "running")):
            curve = _over_seeds([evaluations(run.rows) for run in variant.runs], key, "step")
            if curve is None:
                continue
            places, mean, deviation = curve
            label = f"{variant.label}, {note}"
            axes.plot(places, 100 * mean, color=colour, linestyle=style, linewidth=1.6, label=label)
            _draw_band(axes, places, 100 * mean, 100 * deviation, colour)
    axes.set_ylim(-2, 104)
    _finish(axes, "training accuracy" + _band_note(result), "iteration", "top-1 accuracy (%)")


def draw_weights(axes: Axes, result: StudyResult) -> None:
    """Histograms of the last layer's weights before the first step, of each variant's first seed."""
    found = [(colour, one.label, last_layer_weights(one.runs[0])) for (colour, _), one in _styled(result)]
    limit = max(float(np.abs(values).max()) for _, _, values in found) or 1.0
    bins = np.linspace(-limit, limit, 81)
    for colour, label, values in found:
        axes.hist(values, bins, density=True, histtype="stepfilled", color=colour, alpha=0.25)
        axes.hist(values, bins, density=True, histtype="step", color=colour, linewidth=1.4, label=label)
    _finish(axes, "last layer's initial weights", "weight", "density")


def draw_activations(axes: Axes, result: StudyResult) -> None:
    """The activation function that each variant's network has, over [-4, 4]."""
    import torch

    from thumbnet.models.activations import make_activation

    inputs = torch.linspace(-4, 4, 401)
    for number, ((colour, _), variant) in enumerate(_styled(result)):
        name: Any = variant.runs[0].planned.recipe.model.options.get("activation", "relu")
        with torch.no_grad():
            outputs = make_activation(name, 1)(inputs.clone().reshape(1, 1, -1)).flatten()
        # Later ones are thinner, for the functions are the same above zero.
        width = 5.0 - 1.6 * min(number, 2)
        axes.plot(inputs.numpy(), outputs.numpy(), color=colour, linewidth=width, label=variant.label)
    axes.axhline(0, color="grey", linewidth=0.6)
    axes.axvline(0, color="grey", linewidth=0.6)
    _finish(axes, "activation functions", "input", "output")


def draw_bars(axes: Axes, result: StudyResult) -> None:
    """Accuracy after the last step: the judged split with its 95% interval, training images, and reported figures.

    The best evaluation stands beside it where the recipe selects one: it is what the reports give.
    """
    split = result.split or "val"
    _draw_bars(axes, result, "eval_train_top1", -0.2, colour="0.75", label="train, eval mode")
    _draw_bars(axes, result, f"{split}_top1", 0.2, colour="tab:blue", label=split)
    _draw_intervals(axes, result, 0.2)
    _draw_points(axes, 0.2, [_mean(one, "best_top1") for one in result.variants], "o", "best evaluation")
    rows = [ROWS.get(one.runs[0].planned.recipe.name) for one in result.variants]
    reported = [None if row is None else row.reported.val for row in rows]
    _draw_points(axes, 0.2, reported, "D", "reported")
    _draw_points(axes, -0.2, [None if row is None else row.reported.train for row in rows], "D", "reported")
    axes.set_yticks(range(len(result.variants)), [one.label for one in result.variants])
    axes.set_ylim(len(result.variants) - 0.5, -0.5)
    axes.margins(x=0.14)
    seeds = f", mean of {result.study.seeds} seeds" if result.study.seeds > 1 else ""
    _finish(axes, f"accuracy after the last step{seeds}", "top-1 accuracy (%), 95% interval", "")
    handles = {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    if handles:
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.14), "ncols": 2, "frameon": False}
        axes.legend(handles.values(), handles.keys(), fontsize=_LEGEND_SIZE, **below)


def draw_ensemble(axes: Axes, result: StudyResult) -> None:
    """The accuracy of ensembles of the first 1, 2, ... members; the judged number of members is marked."""
    found = result.ensemble
    if found is None:
        axes.text(0.5, 0.5, "no predictions to average", ha="center", va="center", transform=axes.transAxes)
        return
    counts = np.arange(1, len(found.curve) + 1)
    top1 = 100 * np.array([scores.top1 for scores in found.curve])
    single, judged = top1[0], top1[found.size - 1]
    first, chosen, order = (
        ("best", "best", ", best first") if found.kind.of == "snapshots" else ("first", "judged", "")
    )
    axes.plot(counts, top1, color="tab:blue", marker="o", markersize=4, label=f"mean of {found.kind.over}")
    axes.axhline(single, color="0.4", linestyle="--", linewidth=1, label=f"single {first} network: {single:.2f}%")
    label = f"{chosen}: {found.size} of {len(counts)}, {judged:.2f}%"
    axes.plot([found.size], [judged], "o", color="crimson", label=label)
    row = ROWS.get(result.study.name)
    if row is not None and row.reported.val is not None:
        reported = 100 * row.reported.val
        axes.axhline(reported, color="tab:green", linestyle=":", label=f"reported: {reported:.1f}%")
    _whole_numbers(axes)
    axes.margins(y=0.15)
    kinds = {"snapshots": "snapshots of one run", "seeds": "networks of other seeds"}
    up = f"top-1 accuracy on {found.split} (%)"
    _finish(axes, f"ensembles of {kinds[found.kind.of]}", f"networks in the ensemble{order}", up)


PANELS: Mapping[str, Callable[[Axes, StudyResult], None]] = {
    "loss": draw_loss,
    "accuracy": draw_accuracy,
    "train-accuracy": draw_train_accuracy,
    "weights": draw_weights,
    "activations": draw_activations,
    "bars": draw_bars,
    "snapshots": draw_ensemble,
    "ensemble": draw_ensemble,
}
"""Every panel, by name."""


def smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the centred moving average of `values` f64[N] over a fortieth of them, and over less at the ends."""
    window = max(1, len(values) // _SMOOTHED_PARTS)
    sums = np.convolve(values, np.ones(window), "same")
    return np.asarray(sums / np.convolve(np.ones(len(values)), np.ones(window), "same"))


def _over_seeds(runs: Sequence[Sequence[Mapping[str, Any]]], key: str, place: str) -> Curve | None:
    """Return a figure's mean and sample standard deviation over the rows of runs, up to where all that have it got."""
    points = ([(float(row[place]), float(row[key])) for row in run if row.get(key) is not None] for run in runs)
    found = [one for one in points if one]
    if not found:
        return None
    shortest = min(len(one) for one in found)
    places, values = np.array([one[:shortest] for one in found]).transpose(2, 0, 1)
    deviation = values.std(0, ddof=1) if len(found) > 1 else np.zeros(shortest)
    return places[0], values.mean(0), deviation


def _draw_band(axes: Axes, places: Any, mean: Any, deviation: Any, colour: Any) -> None:
    if deviation.any():
        axes.fill_between(places, mean - deviation, mean + deviation, color=colour, alpha=0.2, linewidth=0)


def _band_note(result: StudyResult) -> str:
    seeds = result.study.seeds
    return f"\nmean of {seeds} seeds, band of one standard deviation" if seeds > 1 else ""


def _styled(result: StudyResult) -> list[tuple[tuple[Any, str], VariantResult]]:
    """Return the variants, each with a colour and a line style of its own.

    Labels of two parts ('M1, 1e-3') have a colour for the first and a style for the second.
    """
    parts = [one.label.partition(", ") for one in result.variants]
    first, second = list(dict.fromkeys(one[0] for one in parts)), list(dict.fromkeys(one[2] for one in parts))
    if len(second) > len(_STYLES) or len(first) * len(second) != len(parts):
        pairs = list(zip(_colours(len(parts)), ["-"] * len(parts), strict=True))
    else:
        colours = _colours(len(first))
        pairs = [(colours[first.index(one[0])], _STYLES[second.index(one[2])]) for one in parts]
    return list(zip(pairs, result.variants, strict=True))


def _colours(count: int) -> list[Any]:
    from matplotlib import colormaps

    if count <= 10:
        return [colormaps["tab10"](number) for number in range(count)]
    return [colormaps["viridis"](number / (count - 1) * 0.92) for number in range(count)]


def last_layer_weights(result: RunResult) -> NDArray[np.float64]:
    """Return all weights of the last fully connected layer before training, f64[N]."""
    from thumbnet.train.state import load_tensors

    tensors = load_tensors(result.run.weights_path("first"))
    classes = len(result.run.data()["classes"])
    matrices = [value for value in tensors.values() if value.ndim == 2 and value.shape[0] == classes]
    return np.asarray(matrices[-1].double().flatten().numpy()) if matrices else np.zeros(1)


def _mean(variant: VariantResult, key: str) -> float | None:
    found = variant.spreads.get(key)
    return None if found is None else found.mean


def _draw_bars(axes: Axes, result: StudyResult, key: str, shift: float, *, colour: str, label: str) -> None:
    """Draw one bar a variant that has the figure `key`, with its value at the foot, where no other mark comes."""
    for place, variant in enumerate(result.variants):
        value = _mean(variant, key)
        if value is not None:
            axes.barh(place + shift, 100 * value, 0.36, color=colour, label=label)
        axes.annotate(
            "none" if value is None else f"{100 * value:.1f}",
            (0, place + shift),
            (6, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1.5},
        )


def _draw_intervals(axes: Axes, result: StudyResult, shift: float) -> None:
    for place, variant in enumerate(result.variants):
        if variant.interval is not None:
            low, high = (100 * value for value in variant.interval)
            axes.plot([low, high], [place + shift] * 2, color="black", linewidth=1.2, marker="|", markersize=6)


def _draw_points(axes: Axes, shift: float, values: Sequence[float | None], marker: str, label: str) -> None:
    colour = "crimson" if marker == "D" else "white"
    for place, value in enumerate(values):
        if value is not None:
            style = {"color": colour, "markeredgecolor": "black", "markeredgewidth": 0.7, "linestyle": "none"}
            axes.plot([100 * value], [place + shift], marker=marker, markersize=5.5, label=label, **style)


def _whole_numbers(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _finish(axes: Axes, title: str, across: str, up: str) -> None:
    axes.set_title(title, fontsize=_TITLE_SIZE)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=_LEGEND_SIZE)

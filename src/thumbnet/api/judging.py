"""The Python API of trained runs: judging, predicting, comparing, averaging, analysing, reporting."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch

from thumbnet.api.training import path_of
from thumbnet.ensemble import Over
from thumbnet.errors import memory_errors
from thumbnet.metrics import Scores
from thumbnet.report import check_place, make_report, write_report
from thumbnet.run import RunDirectory
from thumbnet.train.hardware import choose_device, set_threads
from thumbnet.watch import silent
from thumbnet.workflows.analyzing import AnalysisWish, Done, analyze
from thumbnet.workflows.comparing import Compared, compare_sources
from thumbnet.workflows.ensembling.completing import complete_kept
from thumbnet.workflows.ensembling.ensemble import Ensemble, ask, write_ensemble
from thumbnet.workflows.ensembling.ensemble import Wish as EnsembleWish
from thumbnet.workflows.ensembling.ensemble import make_ensemble as combine
from thumbnet.workflows.ensembling.members import load_members, which
from thumbnet.workflows.ensembling.souping import find_ingredients
from thumbnet.workflows.ensembling.souping import make_soup as average_weights
from thumbnet.workflows.judging import judge
from thumbnet.workflows.prediction import Guess, guess_images
from thumbnet.workflows.stored import How, Source, require_labels


@memory_errors()
def evaluate_run(
    run: RunDirectory,
    split: str = "val",
    views: str = "none",
    *,
    over: Over = "probabilities",
    weights: str = "last",
    data: Path | str | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> Scores:
    """Return a complete run's accuracies (fractions, with 95% intervals), likelihood (nats) and calibration error.

    Args:
        run: the run, from `train_recipe` or `open_run`.
        split: 'holdout', 'val' or another split with labels.
        views: views of each image that are averaged, such as 'none', 'flip' or 'ten-crop' (`thumbnet.views`).
        over: what is averaged over the views: 'probabilities' or 'logits'.
        weights: 'last', 'best', 'first', an epoch such as 'epoch-0007', or a snapshot's tag.
        data: packed data of the same classes; `None` takes the run's own.
        device: 'auto', or torch's name of a device.
        threads: CPU threads; `None` leaves torch's choice.

    Raises:
        ThumbnetError: the run is unfinished or damaged, the data does not fit, or the split has no labels.
    """
    how, place = How(views, over, weights), _place(device, threads)
    predictions = judge(run, split, how, data=path_of(data), device=place)
    require_labels(predictions)
    return predictions.scores()


@memory_errors()
def predict_images(
    run: RunDirectory,
    images: Sequence[Path | str],
    *,
    count: int = 5,
    views: str = "none",
    over: Over = "probabilities",
    weights: str = "last",
    device: str = "auto",
    threads: int | None = None,
) -> list[list[Guess]]:
    """Return for each image file the `count` likeliest classes (id, name, probability in [0, 1]), likeliest first.

    Args:
        run: a complete run.
        images: files that Pillow can read, of any size.
        count: guesses an image, 1 or more; no more come than there are classes.
        views: as in `evaluate_run`.
        over: as in `evaluate_run`.
        weights: as in `evaluate_run`.
        device: 'auto', or torch's name of a device.
        threads: CPU threads; `None` leaves torch's choice.

    Raises:
        DataError: a file is not an image, or a count below 1.
        ThumbnetError: the run is unfinished or damaged, or a file cannot be read.
    """
    how, place = How(views, over, weights), _place(device, threads)
    return guess_images(run, [Path(image) for image in images], how, count=count, device=place)


@memory_errors()
def compare_runs(
    first: RunDirectory,
    second: RunDirectory,
    split: str = "val",
    views: str | tuple[str, str] = "none",
    *,
    over: Over = "probabilities",
    weights: str | tuple[str, str] = "last",
    data: Path | str | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> Compared:
    """Return how `second` stands to `first`: `comparison` (difference, interval, p-value), `sentence` and `notes`.

    Args:
        first: a complete run.
        second: another, or the same with other views or weights.
        split: a split with labels.
        views: test-time views of both, or of each.
        over: what is averaged over the views.
        weights: of both, or of each, as in `evaluate_run`.
        data: packed data of the same classes that both judge; `None` takes each run's own.
        device: 'auto', or torch's name of a device.
        threads: CPU threads; `None` leaves torch's choice.

    Raises:
        ThumbnetError: a run is unfinished or damaged, or the two judge different images or data.
    """
    place = _place(device, threads)
    looks = (views, views) if isinstance(views, str) else views
    tags = (weights, weights) if isinstance(weights, str) else weights
    found = [
        judge(run, split, How(look, over, tag), data=path_of(data), device=place)
        for run, look, tag in zip((first, second), looks, tags, strict=True)
    ]
    return compare_sources([Source(run.path, run) for run in (first, second)], found)


@memory_errors()
def make_ensemble(
    members: Sequence[Path | str],
    out: Path | str | None = None,
    *,
    split: str = "val",
    over: Over = "probabilities",
    select: Literal["holdout", "val"] | None = None,
    size: int | None = None,
    replacement: bool = False,
    snapshots: bool = False,
    kept: bool = False,
    data: Path | str | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> Ensemble:
    """Average saved predictions, and return what they reach together: `predictions`, `comparison()`, `curve`, `notes`.

    Args:
        members: folders of runs and ensembles, and files of predictions.
        out: folder to make for the ensemble, or a file of predictions (.npz); `None` writes nothing.
        split: the split that judges.
        over: what is averaged.
        select: the split on which members are chosen greedily; `None` takes all, or the first `size`.
        size: the most members.
        replacement: whether greedy selection may take a member more than once.
        snapshots: take every snapshot of the runs instead of their last weights.
        kept: take every epoch that the runs kept instead.
        data: where the runs' packed data lies now, for what snapshots or epochs have not predicted yet; `None` takes
            it from where each run found it, else from the default place.
        device: 'auto', or torch's name of a device, for the same.
        threads: CPU threads; `None` leaves torch's choice.

    Raises:
        ThumbnetError: members do not fit together, or `out` exists.
    """
    paths, place, of = [Path(one) for one in members], path_of(out), which(snapshots=snapshots, kept=kept)
    wish = EnsembleWish(split, over, select, size, replacement)
    asked = ask(paths, wish, of=of, out=place, has_data=data is not None)
    if asked.lacking:
        complete_kept(asked.lacking, data=path_of(data), device=_place(device, threads))
    made = combine(load_members(paths, asked.splits, of=of), wish)
    if out is not None:
        write_ensemble(made, Path(out), "thumbnet.make_ensemble")
    return made


@memory_errors()
def make_soup(
    runs: Sequence[Path | str],
    out: Path | str,
    *,
    weights: str = "last",
    snapshots: bool = False,
    kept: bool = False,
    select: bool = False,
    data: Path | str | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> RunDirectory:
    """Average the weights of runs of one network into the new run directory `out`, and return it, complete.

    Args:
        runs: folders of runs.
        out: the run directory to make.
        weights: which weights, as in `evaluate_run`.
        snapshots: take every snapshot of the runs instead.
        kept: take every epoch that the runs kept instead.
        select: add only what does not lower the accuracy on the holdout.
        data: where the runs' packed data lies now; `None` takes it from where the first run found it, else from the
            default place.
        device: 'auto', or torch's name of a device.
        threads: CPU threads; `None` leaves torch's choice.

    Raises:
        ThumbnetError: the networks differ, or `out` exists.
    """
    of = which(snapshots=snapshots, kept=kept)
    ingredients = find_ingredients([Path(run) for run in runs], weights=weights, of=of)
    place = _place(device, threads)
    return average_weights(ingredients, Path(out), select=select, data=path_of(data), device=place)


@memory_errors()
def analyze_run(
    run: RunDirectory,
    only: Sequence[str] = (),
    *,
    again: bool = False,
    data: Path | str | None = None,
    cache: Path | str | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> list[Done]:
    """Compute what a report needs the network for, store it in the run, and return what became of each part.

    What is stored already is kept; what was interrupted goes on.

    Args:
        run: the run, complete.
        only: parts by name (`thumbnet.analyses.PARTS`); all of them without any.
        again: compute anew what is stored.
        data: where the run's packed data lies now; `None` takes it from where the run found it, else from the
            default place.
        cache: place of cached features; `None` takes `$THUMBNET_CACHE`, else the user's cache folder.
        device: 'auto', or torch's name of a device.
        threads: CPU threads; `None` leaves torch's choice.

    Raises:
        ThumbnetError: the run is unfinished, its data is gone, or a part that was asked for is impossible.
    """
    wish, place = AnalysisWish.of(only, again=again), _place(device, threads)
    return analyze(run, wish, device=place, watch=silent, data=path_of(data), cache=path_of(cache))


@memory_errors()
def report_runs(
    runs: Sequence[RunDirectory],
    out: Path | str,
    data: Path | str | Sequence[Path | str] | None = None,
    images: Sequence[str] = (),
) -> Path:
    """Write one HTML page about `runs` to the file `out` and return its path; JSON and CSV lie beside it.

    Of exactly two runs, the second is compared with the first.

    Args:
        runs: at least one.
        out: a file that ends in .html.
        data: where packed data of the runs lies now, in one place or several; a run of which it is not takes its own
            from where it found it, else from the default place.
        images: ids of judged images whose nearest neighbours are shown besides some of all.

    Raises:
        ThumbnetError: a file of a run is damaged, neighbours of one of `images` are not stored, or `out` cannot be
            written.
    """
    place = Path(out)
    places = [data] if isinstance(data, Path | str) else data or ()
    check_place(place)
    page, *_ = write_report(make_report(runs, [Path(one) for one in places], images), place)
    return page


def _place(device: str, threads: int | None) -> torch.device:
    """Return where to compute; of the process nothing changes but its threads, where they are given."""
    set_threads(threads)
    return choose_device(device)

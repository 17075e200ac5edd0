"""The Python API: the steps of the command line as plain calls, for notebooks and programs.

    import thumbnet

    data = thumbnet.pack_data("digits", "digits")
    recipe = thumbnet.make_recipe("demo", {"phases.0.length": "4 epochs"})
    run = thumbnet.train_recipe(recipe, data, "runs/first")
    print(thumbnet.evaluate_run(run).top1)

Every error that the caller can mend is a `thumbnet.ThumbnetError` with one line that says what to do.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from thumbnet import packed, sources
from thumbnet.comparison import Comparison, compare
from thumbnet.ensemble import Over
from thumbnet.errors import RecipeError
from thumbnet.metrics import Scores
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Recipe, assign, to_json
from thumbnet.recipes import find_recipe
from thumbnet.report import make_report, write_report
from thumbnet.run import RunDirectory
from thumbnet.train import Options, load_run_data, resume, start
from thumbnet.train.hardware import choose_device
from thumbnet.workflows.analyzing import Done, Wish, analyze
from thumbnet.workflows.ensembling import Ensemble, write_ensemble
from thumbnet.workflows.ensembling import Wish as EnsembleWish
from thumbnet.workflows.ensembling import make_ensemble as combine
from thumbnet.workflows.judging import judge
from thumbnet.workflows.members import SPLITS, load_members
from thumbnet.workflows.prediction import Guess, guess_images
from thumbnet.workflows.souping import find_ingredients
from thumbnet.workflows.souping import make_soup as average_weights
from thumbnet.workflows.stored import require_labels

__all__ = [
    "analyze_run",
    "compare_runs",
    "evaluate_run",
    "load_data",
    "make_ensemble",
    "make_recipe",
    "make_soup",
    "open_run",
    "pack_data",
    "predict_images",
    "report_runs",
    "resume_run",
    "train_recipe",
]


def load_data(path: Path | str | None = None) -> PackedDataset:
    """Return the packed data in the folder `path`; by default that in `$THUMBNET_DATA`, else in the user's cache.

    Its `split("val")` has `images` u8[N,H,W,3], `labels` i64[N] and `image_ids`.

    Raises:
        DataError: there is no packed data, it is of another version, or a file of it is missing.
    """
    return packed.load(packed.default_path() if path is None else Path(path))


def pack_data(
    source: Path | str | None,
    out: Path | str,
    *,
    size: int | None = None,
    val_fraction: float = 0.1,
    threads: int = 0,
) -> PackedDataset:
    """Check every file of a source, write it as packed data to the new folder `out`, and return it.

    Args:
        source: an archive or folder in Tiny ImageNet's layout or of class folders, or 'digits'; `None` downloads the
            official Tiny ImageNet archive.
        out: the folder to make.
        size: height and width of the packed images, in pixels; by default 64, and 32 for the digits.
        val_fraction: share of each class that becomes val, in (0, 1), where the source has no val split.
        threads: threads that decode; 0 is one for each processor.

    Raises:
        DataError: the source is missing, incomplete or damaged, or an option is out of range.
        StorageError: `out` exists or cannot be written.
    """
    given = None if source is None else Path(source)
    chosen: Path | Literal["digits"] | None = "digits" if source == "digits" else given
    return sources.pack(chosen, Path(out), size=size, val_fraction=val_fraction, threads=threads)


def make_recipe(name: str, settings: Mapping[str, object] | None = None) -> Recipe:
    """Return a recipe by name or path (of a `recipe.json`), with some of its settings replaced.

    Args:
        name: as `thumbnet recipes` lists them, or the path of a JSON file.
        settings: values by dotted key, such as `{"optimizer.lr": 0.01, "phases.0.length": "5 epochs"}`.

    Raises:
        RecipeError: an unknown name or key (with the nearest ones), or a value of the wrong type or range.
        StorageError: the file cannot be read.
    """
    return assign(find_recipe(name), {key: _as_text(key, value) for key, value in (settings or {}).items()})


def train_recipe(
    recipe: Recipe,
    data: PackedDataset,
    out: Path | str,
    *,
    device: str = "auto",
    threads: int | None = None,
    quiet: bool = False,
    cache: Path | str | None = None,
) -> RunDirectory:
    """Train `recipe` on `data` into the new run directory `out`, and return it, complete.

    Args:
        recipe: what to train.
        data: what to train it on.
        out: the run directory to make; it must not exist.
        device: 'auto', or torch's name of a device.
        threads: CPU threads; `None` leaves torch's choice.
        quiet: show no progress.
        cache: place of cached features; `None` takes `$THUMBNET_CACHE`, else the user's cache folder.

    Raises:
        ThumbnetError: what does not fit (then nothing is written), or training that cannot go on.
        KeyboardInterrupt: somebody asked to stop; go on with `resume_run(open_run(out))`.
    """
    options = Options(device=device, threads=threads, quiet=quiet, cache=_path(cache))
    return start(recipe, data, Path(out), options, "thumbnet.train_recipe")


def resume_run(
    run: RunDirectory,
    *,
    data: PackedDataset | None = None,
    device: str = "auto",
    threads: int | None = None,
    quiet: bool = False,
    cache: Path | str | None = None,
) -> RunDirectory:
    """Train an unfinished run to its end, as if nothing had happened, and return it; a complete one as it is.

    Args:
        run: the run, from `open_run`.
        data: the data that the run began with; `None` loads it from where the run found it.
        device: 'auto', or torch's name of a device.
        threads: CPU threads; `None` takes as many as the run began with.
        quiet: show no progress.
        cache: place of cached features; `None` takes `$THUMBNET_CACHE`, else the user's cache folder.

    Raises:
        ThumbnetError: the run or its data is damaged, missing, or other data.
    """
    dataset = data if data is not None else load_run_data(run, None)
    options = Options(device=device, threads=threads, quiet=quiet, cache=_path(cache))
    return resume(run, dataset, options, "thumbnet.resume_run")


def open_run(path: Path | str) -> RunDirectory:
    """Return the run directory `path`.

    Its `recipe()`, `result()`, `metrics.read()` and `predictions_path("val")` give what the run stored.

    Raises:
        RunError: there is no such folder, or it is not a run directory.
    """
    return RunDirectory.open(Path(path))


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
    place = choose_device(device, threads)
    folder = None if data is None else Path(data)
    predictions = judge(run, split, views=views, over=over, weights=weights, data=folder, device=place)
    require_labels(predictions)
    return predictions.scores()


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
        count: guesses an image; no more than there are classes.
        views: as in `evaluate_run`.
        over: as in `evaluate_run`.
        weights: as in `evaluate_run`.
        device: 'auto', or torch's name of a device.
        threads: CPU threads; `None` leaves torch's choice.

    Raises:
        DataError: a file is not an image.
        ThumbnetError: the run is unfinished or damaged, or a file cannot be read.
    """
    files = [Path(image) for image in images]
    place = choose_device(device, threads)
    return guess_images(run, files, count=count, views=views, over=over, weights=weights, device=place)


def _path(path: Path | str | None) -> Path | None:
    return None if path is None else Path(path)


def compare_runs(
    first: RunDirectory,
    second: RunDirectory,
    split: str = "val",
    views: str | tuple[str, str] = "none",
    *,
    over: Over = "probabilities",
    device: str = "auto",
    threads: int | None = None,
) -> Comparison:
    """Return how `second` stands to `first`: the difference of their accuracies, its interval, and McNemar's p-value.

    Args:
        first: a complete run.
        second: another, or the same with other views.
        split: a split with labels.
        views: test-time views of both, or of each.
        over: what is averaged over the views.
        device: 'auto', or torch's name of a device.
        threads: CPU threads; `None` leaves torch's choice.

    Raises:
        ThumbnetError: a run is unfinished or damaged, or the two judge different images or data.
    """
    place = choose_device(device, threads)
    both = (views, views) if isinstance(views, str) else views
    found = [
        judge(run, split, views=look, over=over, device=place) for run, look in zip((first, second), both, strict=True)
    ]
    return compare(*found)


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

    Raises:
        ThumbnetError: members do not fit together, or `out` exists.
    """
    found = load_members([Path(one) for one in members], list(dict.fromkeys([split, *SPLITS])), snapshots=snapshots)
    made = combine(found, EnsembleWish(split, over, select, size, replacement))
    if out is not None:
        write_ensemble(made, Path(out), "thumbnet.make_ensemble")
    return made


def make_soup(
    runs: Sequence[Path | str],
    out: Path | str,
    *,
    weights: str = "last",
    snapshots: bool = False,
    select: bool = False,
    device: str = "auto",
    threads: int | None = None,
) -> RunDirectory:
    """Average the weights of runs of one network into the new run directory `out`, and return it, complete.

    Args:
        runs: folders of runs.
        out: the run directory to make.
        weights: which weights, as in `evaluate_run`.
        snapshots: take every snapshot of the runs instead.
        select: add only what does not lower the accuracy on the holdout.
        device: 'auto', or torch's name of a device.
        threads: CPU threads; `None` leaves torch's choice.

    Raises:
        ThumbnetError: the networks differ, or `out` exists.
    """
    ingredients = find_ingredients([Path(run) for run in runs], weights=weights, snapshots=snapshots)
    return average_weights(ingredients, Path(out), select=select, device=choose_device(device, threads))


def analyze_run(
    run: RunDirectory,
    only: Sequence[str] = (),
    *,
    again: bool = False,
    device: str = "auto",
    threads: int | None = None,
) -> list[Done]:
    """Compute what a report needs the network for, store it in the run, and return what became of each part.

    What is stored already is kept; what was interrupted goes on.

    Args:
        run: the run, complete.
        only: parts by name (`thumbnet.analyses.PARTS`); all of them without any.
        again: compute anew what is stored.
        device: 'auto', or torch's name of a device.
        threads: CPU threads; `None` leaves torch's choice.

    Raises:
        ThumbnetError: the run is unfinished, its data is gone, or a part that was asked for is impossible.
    """
    return analyze(run, Wish.of(only, again=again), device=choose_device(device, threads), watch=lambda *_: None)


def report_runs(runs: Sequence[RunDirectory], out: Path | str, data: Path | str | None = None) -> Path:
    """Write one HTML page about `runs` to the file `out` and return its path; JSON and CSV lie beside it.

    Of exactly two runs, the second is compared with the first.

    Raises:
        ThumbnetError: a file of a run is damaged, or `out` cannot be written.
    """
    page, *_ = write_report(make_report(runs, None if data is None else Path(data)), Path(out))
    return page


def _as_text(key: str, value: object) -> str:
    """Return `value` as the JSON text that `assign` reads."""
    try:
        return json.dumps(to_json(value))
    except TypeError as error:
        raise RecipeError(f"{key}: {value!r} is no setting; give text, a number, a list or a mapping") from error

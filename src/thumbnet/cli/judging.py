"""`thumbnet evaluate`, `thumbnet predict` and `thumbnet record`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from thumbnet.cli.options import (
    ComputeOptions,
    JsonFlag,
    JudgingOptions,
    PredictionsArgument,
    RunArgument,
    RunDataOption,
    open_run,
)
from thumbnet.cli.printing import print_json, table_console
from thumbnet.errors import PredictionError, RunError
from thumbnet.files import check_writable
from thumbnet.text import interval, percent

if TYPE_CHECKING:
    from thumbnet.predictions import Predictions
    from thumbnet.workflows.prediction import Guess
    from thumbnet.workflows.stored import How, Source


def evaluate(
    run: PredictionsArgument,
    /,
    *,
    split: Annotated[str, Parameter(help="The split to judge: holdout, or a split with labels, such as val.")] = "val",
    judging: JudgingOptions = JudgingOptions(),
    data: RunDataOption = None,
    compute: ComputeOptions = ComputeOptions(),
    as_json: JsonFlag = False,
) -> None:
    """Judge a run or an ensemble: accuracy with its 95% interval, likelihood, calibration, and accuracy per class."""
    from thumbnet.workflows.stored import Source, evaluation

    source = Source.open(run)
    predictions = find_predictions(source, split, judging.how(), data=data, compute=compute)
    found = evaluation(source, predictions)
    if as_json:
        print_json(found)
    else:
        _show_evaluation(found)


def find_predictions(
    source: "Source", split: str, how: "How", *, data: Path | None, compute: ComputeOptions
) -> "Predictions":
    """Return the predictions of `source`: what is saved without a run, else what the run stored or computes.

    Args:
        source: a run, an ensemble or a file.
        split: the split to judge.
        how: views, what is averaged over them, and weights.
        data: packed data of the same classes for a run, instead of its own.
        compute: where a run's network computes.

    Raises:
        ThumbnetError: the source has no such predictions, or the device is not there.
    """
    if source.run is not None:
        from thumbnet.workflows.judging import judge

        return judge(source.run, split, how, data=data, device=compute.choose())
    if data is not None:
        raise PredictionError(f"{source.path}: saved predictions, which no other data changes; leave out --data")
    return source.predictions(split, how)


def predict(
    run: PredictionsArgument,
    images: Annotated[list[Path] | None, Parameter(help="Image files; without any, a whole split.")] = None,
    /,
    *,
    split: Annotated[str, Parameter(help="The split to predict, without image files.")] = "test",
    out: Annotated[
        Path | None,
        Parameter(help="File for the split's predictions, in the official format (or with logits, for FILE.npz)."),
    ] = None,
    judging: JudgingOptions = JudgingOptions(),
    data: RunDataOption = None,
    compute: ComputeOptions = ComputeOptions(),
    as_json: JsonFlag = False,
) -> None:
    """Name what image files show, or write a split's predictions as a submission ('test_0.JPEG n02124075' a line)."""
    from thumbnet import submission
    from thumbnet.workflows.stored import Source

    source, how = Source.open(run), judging.how()
    if images and out is not None:
        raise PredictionError("--out is for the predictions of a split; give image files or --out, not both")
    if images:
        _show_guesses(images, _guess(source, images, how, compute), as_json)
        return
    if out is None:
        raise RunError(f"run {run}: predictions of {split!r} need a file; add --out FILE, or give image files")
    _check_place(out, source)
    predictions = find_predictions(source, split, how, data=data, compute=compute)
    if out.suffix == ".npz":
        predictions.save(out)
    else:
        submission.write_predictions(out, predictions)
    if as_json:
        print_json({"file": str(out), "split": split, "images": len(predictions.image_ids)})
    else:
        sys.stdout.write(f"{out}: {len(predictions.image_ids):,} predictions of {split}\n")


def _check_place(out: Path, source: "Source") -> None:
    """Check, before a network judges anything, that its predictions can be written to `out`."""
    from thumbnet import submission

    check_writable(out)
    if out.suffix != ".npz" and source.run is not None:
        submission.check_classes(out, source.run.class_ids())


def _guess(
    source: "Source", images: Sequence[Path], how: "How", compute: ComputeOptions
) -> "Sequence[Sequence[Guess]]":
    from thumbnet.workflows.prediction import guess_images

    if source.run is None:
        raise PredictionError(f"{source.path}: saved predictions, with no network for other images; give a run")
    return guess_images(source.run, images, how, device=compute.choose())


def record(
    run: RunArgument,
    /,
    *,
    out: Annotated[Path, Parameter(help="Folder of records.")] = Path("records"),
    replace: Annotated[bool, Parameter(negative=(), help="Replace a record of the same name.")] = False,
) -> None:
    """Write a finished run's record: its figures, with all that they depend on, in one JSON file."""
    from thumbnet import records
    from thumbnet.workflows.recording import make_record

    path = records.write(make_record(open_run(run)), out, replace=replace)
    sys.stdout.write(f"{path}\n")


def _show_evaluation(found: dict[str, Any]) -> None:
    from rich.table import Table

    from thumbnet.predictions import choice_note
    from thumbnet.workflows.stored import other_data_note

    console = table_console()
    split = f"{found['split']} of other data" if found["other_data"] else found["split"]
    table = Table("figure", "value", "95% interval", title=f"{found['run']}, {split}, views: {found['views']}")
    for key, label in (("top1", "top-1"), ("top5", "top-5")):
        table.add_row(label, percent(found[key], 2), interval(found[f"{key}_interval"], 2))
    table.add_row("negative log-likelihood", f"{found['nll']:.4f} nats", "")
    table.add_row("calibration error (15 bins)", f"{found['ece']:.2%}", "")
    table.add_row("images", f"{found['images']:,}", "")
    if found["other_data"]:
        console.print(f"note: {other_data_note(found['split'])}", soft_wrap=True)
    if found["trained_on"]:
        console.print(f"note: the network trained on images of {found['split']}, so this is no accuracy on new images")
    if found["split"] in found["selected_on"]:
        console.print(f"note: {choice_note('the weights or members were', found['split'])}", soft_wrap=True)
    console.print(table)
    console.print(_class_table(found["classes"]))


def _class_table(classes: list[dict[str, Any]]) -> Any:
    """Return a table of the worst and the best classes, or of all when they are few."""
    from rich.table import Table

    ranked = sorted((entry for entry in classes if entry["images"]), key=lambda entry: entry["top1"])
    few = len(ranked) <= 20
    shown = ranked if few else [*ranked[:5], *ranked[-5:]]
    title = "accuracy per class" if few else "the five worst and five best classes (--json has all)"
    table = Table("class", "name", "top-1", "images", title=title)
    for position, entry in enumerate(shown):
        name = entry["name"].partition(",")[0]
        table.add_row(entry["id"], name, f"{entry['top1']:.1%}", str(entry["images"]))
        if not few and position == 4:
            table.add_section()
    return table


def _show_guesses(images: Sequence[Path], guesses: "Sequence[Sequence[Guess]]", as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {"image": str(path), "guesses": [vars(guess) for guess in found]}
                for path, found in zip(images, guesses, strict=True)
            ]
        )
        return
    from thumbnet.report import words

    for path, found in zip(images, guesses, strict=True):
        sys.stdout.write(f"{path}\n")
        for guess in found:
            sys.stdout.write(f"  {words.percent(guess.probability):>11}  {guess.name} ({guess.class_id})\n")

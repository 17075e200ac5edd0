"""`thumbnet ensemble`, `thumbnet soup` and `thumbnet compare`."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from thumbnet.cli.judging import find_predictions
from thumbnet.cli.options import (
    ComputeOptions,
    JsonFlag,
    KeptOptions,
    OverOption,
    OwnDataOption,
    PredictionsArgument,
    RecordOption,
    RunDataOption,
    WeightsOption,
    command_line,
)
from thumbnet.cli.printing import plain_watch, print_json, table_console
from thumbnet.errors import PredictionError
from thumbnet.text import chance, interval, percent, with_interval

if TYPE_CHECKING:
    from thumbnet.predictions import Predictions
    from thumbnet.workflows.comparing import Compared
    from thumbnet.workflows.ensembling.ensemble import Ensemble, Wish
    from thumbnet.workflows.ensembling.members import Member, Of
    from thumbnet.workflows.stored import How, Source

_Over = Annotated[Literal["probabilities", "logits"], Parameter(help="What is averaged over the members.")]
_Members = Annotated[
    list[Path], Parameter(help="Folders of runs or of ensembles, and files of predictions (.npz).", negative=())
]


def ensemble(
    members: _Members,
    /,
    *,
    networks: KeptOptions = KeptOptions(),
    over: _Over = "probabilities",
    split: Annotated[str, Parameter(help="The split that judges.")] = "val",
    select: Annotated[
        Literal["holdout", "val"] | None, Parameter(help="Choose members greedily by their accuracy on this split.")
    ] = None,
    replacement: Annotated[
        bool, Parameter(negative=(), help="Let greedy selection take a member more than once.")
    ] = False,
    size: Annotated[int | None, Parameter(help="The most members; by default all.")] = None,
    out: Annotated[
        Path | None, Parameter(help="Folder to make for the ensemble, or a file of predictions (.npz).")
    ] = None,
    curve: Annotated[Path | None, Parameter(help="Figure of accuracy against size (.png, .svg, .pdf).")] = None,
    data: OwnDataOption = None,
    compute: ComputeOptions = ComputeOptions(),
    as_json: JsonFlag = False,
    record: RecordOption = None,
) -> None:
    """Average the saved predictions of several networks, and say whether that beats the best of them."""
    from thumbnet.workflows.ensembling.ensemble import Wish, make_ensemble, to_json, write_ensemble
    from thumbnet.workflows.ensembling.figure import draw_curve

    _check_places(curve, record)
    wish = Wish(split, over, select, size, replacement)
    made = make_ensemble(_load(members, wish, out, networks.of(), data=data, compute=compute), wish)
    found = to_json(made)
    if curve is not None:
        draw_curve(made, curve)
    if out is not None:
        found |= {"out": str(out), "splits": write_ensemble(made, out, command_line())}
    if record is not None:
        _record(record, found, _where())
    if as_json:
        print_json(found)
    else:
        _show_ensemble(found, made)


def _check_places(curve: Path | None, record: Path | None) -> None:
    from thumbnet.records import check_place
    from thumbnet.workflows.ensembling.figure import check_figure

    if curve is not None:
        check_figure(curve)
    if record is not None:
        check_place(record)


def _load(
    paths: list[Path], wish: "Wish", out: Path | None, of: "Of", *, data: Path | None, compute: ComputeOptions
) -> "list[Member]":
    """Return the members at `paths`, once the kept networks among them have predicted what they are asked for."""
    from thumbnet.workflows.ensembling.ensemble import ask
    from thumbnet.workflows.ensembling.members import load_members

    asked = ask(paths, wish, of=of, out=out, has_data=data is not None)
    if asked.lacking:
        from thumbnet.workflows.ensembling.completing import complete_kept

        try:
            complete_kept(asked.lacking, data=data, device=compute.choose(), watch=plain_watch())
        except KeyboardInterrupt as error:
            raise KeyboardInterrupt(f"stopped; go on with: {command_line()}") from error
    return load_members(paths, asked.splits, of=of)


def soup(
    runs: Annotated[list[Path], Parameter(help="Folders of runs of the same network.", negative=())],
    /,
    *,
    out: Annotated[Path, Parameter(help="Folder of the run to make.")],
    networks: KeptOptions = KeptOptions(),
    weights: WeightsOption = "last",
    select: Annotated[
        Literal["holdout"] | None, Parameter(help="Add only what does not lower the accuracy on the holdout.")
    ] = None,
    data: OwnDataOption = None,
    compute: ComputeOptions = ComputeOptions(),
    as_json: JsonFlag = False,
) -> None:
    """Average the weights of several runs of one network into a new run, which costs no more than one to use."""
    from thumbnet.predictions import choice_note
    from thumbnet.run import splits_behind
    from thumbnet.workflows.ensembling.souping import find_ingredients, make_soup

    ingredients = find_ingredients(runs, weights=weights, of=networks.of())
    place = compute.choose()
    made = make_soup(ingredients, out, select=select is not None, data=data, device=place, command=command_line())
    result = made.result()
    if as_json:
        print_json({"run": str(out), **result})
        return
    about = result["soup"]
    sys.stdout.write(f"{out}: the average of {', '.join(about['members'])}\n")
    if about["batch_norms"]:
        images = f"{about['batch_norm_images']:,}"
        sys.stdout.write(f"statistics of {about['batch_norms']} batch norms from {images} training images\n")
    for split, scores in result["scores"].items():
        sys.stdout.write(f"{split:<8} top-1 {with_interval(scores['top1'], scores['top1_interval'], 2)}\n")
    for split in splits_behind(about):
        sys.stdout.write(f"note: {choice_note('what is averaged was', split)}\n")
    sys.stdout.write(f"next: thumbnet compare {shlex.quote(str(runs[0]))} {shlex.quote(str(out))}\n")


def compare(
    first: PredictionsArgument,
    second: Annotated[
        Path | None, Parameter(help="What is compared with it; by default the same run, judged another way.")
    ] = None,
    /,
    *,
    split: Annotated[str, Parameter(help="The split that judges.")] = "val",
    views: Annotated[
        list[str] | None,
        Parameter(help="Test-time views; given twice, of the first and of the second.", negative=()),
    ] = None,
    weights: Annotated[
        list[str] | None, Parameter(help="Weights of a run; given twice, of the first and of the second.", negative=())
    ] = None,
    over: OverOption = "probabilities",
    data: RunDataOption = None,
    compute: ComputeOptions = ComputeOptions(),
    as_json: JsonFlag = False,
    record: RecordOption = None,
) -> None:
    """Say whether the second is better than the first on the same images, or differs by chance alone."""
    from thumbnet.records import check_place
    from thumbnet.workflows.comparing import compare_sources
    from thumbnet.workflows.stored import How, Source

    looks, tags = _both("--views", views, "none"), _both("--weights", weights, "last")
    if second is None and looks[0] == looks[1] and tags[0] == tags[1]:
        raise PredictionError("compare: one thing alone; give a second one, or give --views (or --weights) twice")
    if record is not None:
        check_place(record)
    sources = [Source.open(path) for path in (first, second or first)]
    found = [
        _stored(source, split, How(look, over, tag), data)
        or find_predictions(source, split, How(look, over, tag), data=data, compute=compute)
        for source, look, tag in zip(sources, looks, tags, strict=True)
    ]
    compared = compare_sources(sources, found)
    if record is not None:
        _record(record, compared.to_json(), _where(compute if any(source.run for source in sources) else None))
    if as_json:
        print_json(compared.to_json())
    else:
        _show_comparison(compared)


def _stored(source: "Source", split: str, how: "How", data: Path | None) -> "Predictions | None":
    """Return what a run stored, where that answers, which needs neither torch nor a device."""
    from thumbnet.workflows.stored import find_stored

    return None if source.run is None or data is not None else find_stored(source.run, split, how)


def _both(option: str, given: list[str] | None, default: str) -> tuple[str, str]:
    """Return the value of `option` for the first and for the second: two, one for both, or the default."""
    values = given or [default]
    if len(values) > 2:
        raise PredictionError(
            f"{option}: given {len(values)} times; give it once for both, or once for each of the two"
        )
    return values[0], values[-1]


def _show_comparison(compared: "Compared") -> None:
    from rich.table import Table

    found = compared.comparison
    table = Table("figure", "value", title=f"{compared.split}, {found.images:,} images")
    for label, top1 in zip(compared.labels, (found.first_top1, found.second_top1), strict=True):
        table.add_row(f"top-1 of {label}", f"{top1:.2%}")
    low, high = found.interval
    table.add_row("difference, paired 95% interval", f"{found.difference:+.2%} ({low:+.2%} to {high:+.2%})")
    table.add_row("right in the second alone (fixed)", f"{found.fixed:,}")
    table.add_row("right in the first alone (broken)", f"{found.broken:,}")
    table.add_row("McNemar's exact test", chance(found.p_value))
    console = table_console()
    console.print(table)
    for note in compared.notes:
        console.print(f"note: {note}", soft_wrap=True)
    console.print(compared.sentence, soft_wrap=True)


def _show_ensemble(found: dict[str, Any], made: "Ensemble") -> None:
    from rich.table import Table

    console = table_console()
    title = f"{found['split']}, ensemble over {found['over']} of {found['size']}"
    table = Table("member", "counts", "top-1", "95% interval", title=title)
    for member in found["members"]:
        table.add_row(member["name"], str(member["count"]), *_cells(member))
    if found["ensemble"] is not None:
        table.add_section()
        table.add_row("ensemble", str(found["size"]), *_cells(found["ensemble"]))
    console.print(table)
    if found["curve"] is not None and len(found["curve"]) > 1:
        from thumbnet.workflows.ensembling.ensemble import order_text

        title = f"accuracy against size ({order_text(found['select'], found['ordered_by'])})"
        curve = Table("size", "top-1", "95% interval", title=title)
        for entry in found["curve"]:
            curve.add_row(str(entry["size"]), *_cells(entry))
        console.print(curve)
    for note in found["notes"]:
        console.print(f"note: {note}", soft_wrap=True)
    if made.right is not None:
        sides = f"its best member ({found['best_member']})", "the ensemble"
        console.print(made.comparison().sentence(*sides), soft_wrap=True)
    if "out" in found:
        console.print(f"{found['out']}: predictions for {', '.join(found['splits'])}", soft_wrap=True)


def _cells(entry: dict[str, Any]) -> tuple[str, str]:
    if "top1" not in entry:
        return "", ""
    return percent(entry["top1"], 2), interval(entry["top1_interval"], 2)


def _where(compute: ComputeOptions | None = None) -> dict[str, Any]:
    """Return what computed: the device of `compute`, or without it this process, which needs no torch."""
    if compute is not None:
        from thumbnet.train.hardware import describe_hardware

        return describe_hardware(compute.choose())
    from thumbnet import environment

    return environment.describe("cpu", environment.usable_cpus())


def _record(path: Path, figures: dict[str, Any], about: dict[str, Any]) -> None:
    from thumbnet import records

    records.write_measurement(path, figures, about, command_line())

"""`thumbnet analyze`."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from thumbnet.cli.options import CacheOption, ComputeOptions, JsonFlag, OwnDataOption, RunArgument, open_run
from thumbnet.cli.printing import plain_watch, print_json, tell

if TYPE_CHECKING:
    from thumbnet.workflows.analyzing import AnalysisWish, Done


def analyze(
    run: RunArgument,
    /,
    *,
    only: Annotated[
        list[str] | None,
        Parameter(
            name="--only",
            negative=(),
            help="A part alone: layers, maps, robustness, neighbours, embedding or crossfit; may be given again.",
        ),
    ] = None,
    again: Annotated[bool, Parameter(name="--again", negative=(), help="Compute what is stored anew.")] = False,
    classes: Annotated[
        list[str] | None,
        Parameter(name="--class", negative=(), help="A class of the embedding, by its name or id; may be repeated."),
    ] = None,
    data: OwnDataOption = None,
    cache: CacheOption = None,
    compute: ComputeOptions = ComputeOptions(),
    as_json: JsonFlag = False,
) -> None:
    """Compute what the report needs the network for: features, neighbours, Grad-CAM, corruptions, a cross-fit."""
    from thumbnet.workflows import analyzing

    opened, wish = open_run(run), analyzing.AnalysisWish.of(only or (), again=again, classes=classes or ())
    place = compute.choose()
    told: list[Done] = []

    def tell_part(done: "Done") -> None:
        told.append(done)
        if done.state != "kept":
            tell(_describe(done))

    try:
        found = analyzing.analyze(
            opened, wish, device=place, watch=plain_watch(), tell=tell_part, data=data, cache=cache
        )
    except KeyboardInterrupt as error:
        rest = wish.without({done.part for done in told})
        places = {"--data": data, "--cache": cache, **compute.given()}
        raise KeyboardInterrupt(f"stopped; go on with: {_command(run, rest, places)}") from error
    if as_json:
        print_json(analyzing.summary(opened, found))
        return
    for done in found:
        sys.stdout.write(f"{_describe(done)}\n")


def _command(run: Path, wish: "AnalysisWish", places: Mapping[str, object]) -> str:
    """Return the command line that fulfils a wish, with the options of `places` that have a value."""
    words = ["thumbnet", "analyze", str(run)]
    words += [word for part in wish.only for word in ("--only", part)]
    words += [word for name in wish.classes for word in ("--class", name)]
    words += [word for option, value in places.items() if value is not None for word in (option, str(value))]
    return shlex.join([*words, *["--again"] * wish.again])


def _describe(done: "Done") -> str:
    from thumbnet.analyses import PARTS

    what = {"computed": f"{done.seconds:.1f} s", "kept": "stored before", "impossible": f"impossible: {done.reason}"}
    return f"{done.part} ({PARTS[done.part]}): {what[done.state]}"

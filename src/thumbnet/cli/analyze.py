"""`thumbnet analyze`."""

import shlex
import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from thumbnet.cli.options import CacheOption, ComputeOptions, JsonFlag, OwnDataOption, RunArgument, open_run
from thumbnet.cli.printing import plain_watch, print_json, tell

if TYPE_CHECKING:
    from thumbnet.workflows.analyzing import Done


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
    """Compute what the report needs the network for: features, Grad-CAM, filtered images, corruptions."""
    from thumbnet.workflows import analyzing

    opened, wish = open_run(run), analyzing.AnalysisWish.of(only or (), again=again, classes=classes or ())
    place = compute.choose()
    try:
        found = analyzing.analyze(
            opened, wish, device=place, watch=plain_watch(), tell=_tell_part, data=data, cache=cache
        )
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(f"stopped; go on with: thumbnet analyze {shlex.quote(str(run))}") from error
    if as_json:
        print_json(analyzing.summary(opened, found))
        return
    for done in found:
        sys.stdout.write(f"{_describe(done)}\n")


def _tell_part(done: "Done") -> None:
    if done.state != "kept":
        tell(_describe(done))


def _describe(done: "Done") -> str:
    from thumbnet.analyses import PARTS

    what = {"computed": f"{done.seconds:.1f} s", "kept": "stored before", "impossible": f"impossible: {done.reason}"}
    return f"{done.part} ({PARTS[done.part]}): {what[done.state]}"

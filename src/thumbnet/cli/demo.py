"""`thumbnet demo`."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from thumbnet.cli.options import ComputeOptions, JsonFlag
from thumbnet.cli.printing import print_json
from thumbnet.text import interval, percent

if TYPE_CHECKING:
    from thumbnet.workflows.demo import DemoResult, Sample


def demo(
    *,
    out: Annotated[
        Path | None, Parameter(help="Folder to make; by default runs/demo, or the next free runs/demo-2, -3, ...")
    ] = None,
    compute: ComputeOptions = ComputeOptions(),
    as_json: JsonFlag = False,
) -> None:
    """Pack, train, judge and show, on handwritten digits that come along: every step, in about a minute."""
    from thumbnet.train import Options
    from thumbnet.workflows.demo import run_demo

    target = out or _free_folder(Path("runs") / "demo")
    result = run_demo(target, Options(compute.device, compute.threads))
    if as_json:
        places = {"run": result.run.path, "picture": result.picture, "report": result.report}
        print_json({key: str(path) for key, path in places.items()} | result.scores.to_json())
    else:
        _show(result)


def _free_folder(path: Path) -> Path:
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free


def _show(result: "DemoResult") -> None:
    from thumbnet.workflows.demo import as_text

    chosen = [*result.samples[:3], *result.samples[-1:]]
    drawings = [as_text(sample.pixels) for sample in chosen]
    for line in zip(*drawings, strict=True):
        sys.stdout.write("   ".join(line).rstrip() + "\n")
    sys.stdout.write("   ".join(f"{_caption(sample):<16}" for sample in chosen).rstrip() + "\n\n")
    scores = result.scores
    sys.stdout.write(
        f"val top-1 {percent(scores.top1)} (95% interval {interval(scores.top1_interval)}, {scores.images} images)\n"
        f"picture: {result.picture}\n"
        f"report: {result.report} (open it in a browser)\n\n"
        "what to do next\n"
    )
    run = shlex.quote(str(result.run.path))
    steps = {
        f"thumbnet evaluate {run}": "all figures, per class",
        f"thumbnet predict {run} IMAGE ...": "name your own images",
        "thumbnet data pack FOLDER --out DIR": "pack your own classes",
        "thumbnet train resnet18-64 --data DIR": "and train on them",
        "thumbnet recipes": "what else can be trained",
    }
    width = max(map(len, steps))
    for command, purpose in steps.items():
        sys.stdout.write(f"  {command:<{width}}  {purpose}\n")


def _caption(sample: "Sample") -> str:
    note = "" if sample.predicted == sample.truth else f", is {sample.truth}"
    return f"{sample.predicted} {sample.probability:.0%}{note}"

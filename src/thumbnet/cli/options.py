"""Options that several commands share, and how commands print results."""

import json
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from thumbnet.errors import RecipeError

if TYPE_CHECKING:
    from thumbnet.packed import PackedDataset
    from thumbnet.run import RunDirectory

JsonFlag = Annotated[bool, Parameter(name="--json", negative=(), help="Print the result as JSON.")]
DataOption = Annotated[
    Path | None,
    Parameter(name="--data", help="Packed data; by default $THUMBNET_DATA, else the user's cache folder."),
]
RunDataOption = Annotated[
    Path | None, Parameter(name="--data", help="Packed data of the same classes; by default the run's own.")
]
DeviceOption = Annotated[str, Parameter(name="--device", help="Where to compute: auto, cpu, cuda, cuda:1, mps.")]
SettingsOption = Annotated[
    list[str] | None, Parameter(name="--set", help="Replace a setting: KEY=VALUE, as optimizer.lr=0.01.")
]
ThreadsOption = Annotated[
    int | None, Parameter(name="--threads", help="CPU threads; by default as many as torch chooses.")
]
CacheOption = Annotated[
    Path | None,
    Parameter(name="--cache", help="Folder of cached features; by default $THUMBNET_CACHE, else the user's own."),
]
RunArgument = Annotated[Path, Parameter(help="The folder of a run.")]
PredictionsArgument = Annotated[
    Path, Parameter(help="The folder of a run or of an ensemble, or a file of predictions (.npz).")
]
ViewsOption = Annotated[
    str,
    Parameter(
        name="--views",
        help="Views of each image that are averaged: none, flip, ten-crop, or a list such as full+flip,center-48.",
    ),
]
OverOption = Annotated[
    Literal["probabilities", "logits"], Parameter(name="--over", help="What is averaged over the views.")
]
WeightsOption = Annotated[
    str,
    Parameter(name="--weights", help="Which weights: last, best, first, an epoch such as epoch-0007, or a snapshot."),
]
RecordOption = Annotated[
    Path | None, Parameter(name="--record", help="JSON file for the figures, replaced where it exists.")
]


def open_data(path: Path | None) -> "PackedDataset":
    """Return the packed data at `path`, or at the default place."""
    from thumbnet import packed

    return packed.load(path or packed.default_path())


def open_run(path: Path) -> "RunDirectory":
    """Return the run directory `path`."""
    from thumbnet.run import RunDirectory

    return RunDirectory.open(path)


def read_settings(settings: list[str]) -> dict[str, str]:
    """Return the values of `--set` by key.

    Raises:
        RecipeError: one is not of the form KEY=VALUE.
    """
    pairs = {}
    for setting in settings:
        key, found, value = setting.partition("=")
        if not found or not key:
            raise RecipeError(f"--set {setting}: not of the form KEY=VALUE; write --set optimizer.lr=0.01")
        pairs[key] = value
    return pairs


def print_json(value: Any) -> None:
    """Print `value` as JSON on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


_GIVEN: ContextVar[tuple[str, ...]] = ContextVar("given", default=())


def set_command_line(arguments: Sequence[str]) -> None:
    """State what `command_line` returns from now on: the arguments behind `thumbnet`."""
    _GIVEN.set(tuple(arguments))


def command_line() -> str:
    """Return the command line of this call, as a shell would take it, without the folder of the program."""
    import shlex

    return shlex.join(["thumbnet", *_GIVEN.get()])

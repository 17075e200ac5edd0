"""Options that several commands share, and how commands print results."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
ThreadsOption = Annotated[
    int | None, Parameter(name="--threads", help="CPU threads; by default as many as torch chooses.")
]
RunArgument = Annotated[Path, Parameter(help="The folder of a run.")]


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


def command_line() -> str:
    """Return the command line of this process, as a shell would take it, without the folder of the program."""
    import shlex

    return shlex.join(["thumbnet", *sys.argv[1:]])

"""Options that several commands share, alone and in groups."""

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from thumbnet.errors import RecipeError

if TYPE_CHECKING:
    import torch

    from thumbnet.packed import PackedDataset
    from thumbnet.recipe import Recipe
    from thumbnet.run import RunDirectory
    from thumbnet.train import Options
    from thumbnet.workflows.ensembling.members import Of
    from thumbnet.workflows.stored import How

JsonFlag = Annotated[bool, Parameter(name="--json", negative=(), help="Print the result as JSON.")]
DataOption = Annotated[
    Path | None,
    Parameter(name="--data", help="Packed data; by default $THUMBNET_DATA, else one in the cache folder."),
]
RunDataOption = Annotated[
    Path | None, Parameter(name="--data", help="Packed data of the same classes; by default the run's own.")
]
OwnDataOption = Annotated[
    Path | None,
    Parameter(
        name="--data", help="Where the run's packed data lies now; by default where it was, else in the default place."
    ),
]
DeviceOption = Annotated[str, Parameter(name="--device", help="Where to compute: auto, cpu, cuda, cuda:1, mps.")]
SettingsOption = Annotated[
    list[str] | None, Parameter(name="--set", negative=(), help="Replace a setting: KEY=VALUE, as optimizer.lr=0.01.")
]
ThreadsOption = Annotated[
    int | None,
    Parameter(
        name="--threads", help="CPU threads; by default as many as torch chooses, or as a resumed run began with."
    ),
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


@Parameter(name="*")
@dataclass(frozen=True)
class ComputeOptions:
    """Where a command computes.

    Attributes:
        device: 'auto', or a device's name.
        threads: CPU threads; `None` for as many as torch chooses.
    """

    device: DeviceOption = "auto"
    threads: ThreadsOption = None

    def choose(self) -> "torch.device":
        """Return the device, and set this process up to compute on it.

        Raises:
            TrainingError: the device is not there.
        """
        from thumbnet.train.hardware import choose_device, prepare_cpu

        prepare_cpu(self.threads)
        return choose_device(self.device)

    def given(self) -> dict[str, object]:
        """Return the options, by their names on the command line; `None` for what is as by default."""
        return {"--device": None if self.device == "auto" else self.device, "--threads": self.threads}


@Parameter(name="*")
@dataclass(frozen=True)
class TrainingOptions(ComputeOptions):
    """Where a command trains, and where it keeps what it has.

    Attributes:
        checkpoint_seconds: the longest time between two checkpoints.
        cache: folder of cached features; `None` for the default one.
    """

    checkpoint_seconds: Annotated[
        float, Parameter(name="--checkpoint-seconds", help="Longest time between two checkpoints.")
    ] = 120.0
    cache: CacheOption = None

    def options(self, *, tensorboard: bool = False) -> "Options":
        """Return the options of a training."""
        from thumbnet.train import Options

        return Options(self.device, self.threads, self.checkpoint_seconds, tensorboard, cache=self.cache)


@Parameter(name="*")
@dataclass(frozen=True)
class JudgingOptions:
    """How a network judges images.

    Attributes:
        views: views of each image, by name or as a list.
        over: what is averaged over them.
        weights: which of a run's weights judge.
    """

    views: ViewsOption = "none"
    over: OverOption = "probabilities"
    weights: WeightsOption = "last"

    def how(self) -> "How":
        """Return the same as the workflows take it."""
        from thumbnet.workflows.stored import How

        return How(self.views, self.over, self.weights)


@Parameter(name="*")
@dataclass(frozen=True)
class KeptOptions:
    """Which weights of a run are averaged.

    Attributes:
        snapshots: every snapshot instead of the last weights.
        kept: every epoch's that was kept instead.
    """

    snapshots: Annotated[bool, Parameter(name="--snapshots", negative=(), help="Take every snapshot of the runs.")] = (
        False
    )
    kept: Annotated[
        bool, Parameter(name="--kept", negative=(), help="Take every epoch that the runs kept (checkpointing.keep).")
    ] = False

    def of(self) -> "Of":
        """Return the same as the workflows take it.

        Raises:
            PredictionError: both are asked for.
        """
        from thumbnet.workflows.ensembling.members import which

        return which(snapshots=self.snapshots, kept=self.kept)


def open_data(path: Path | None) -> "PackedDataset":
    """Return the packed data at `path`, or at the default place."""
    from thumbnet import packed

    return packed.load(path or packed.default_path())


def open_run(path: Path) -> "RunDirectory":
    """Return the run directory `path`."""
    from thumbnet.run import RunDirectory

    return RunDirectory.open(path)


def choose_recipe(name: str, settings: list[str] | None) -> "Recipe":
    """Return the recipe called `name`, or in the file `name`, with the values of `--set`.

    Raises:
        RecipeError: an unknown name or key, a value that does not fit, or a setting not of the form KEY=VALUE.
        StorageError: the file cannot be read.
    """
    from thumbnet.recipes import find_recipe

    return with_settings(find_recipe(name), settings)


def with_settings(recipe: "Recipe", settings: list[str] | None) -> "Recipe":
    """Return `recipe` with the values of `--set`.

    Raises:
        RecipeError: an unknown key, a value that does not fit, or a setting not of the form KEY=VALUE.
    """
    from thumbnet.recipe import assign

    pairs = {}
    for setting in settings or []:
        key, found, value = setting.partition("=")
        if not found or not key:
            raise RecipeError(f"--set {setting}: not of the form KEY=VALUE; write --set optimizer.lr=0.01")
        pairs[key] = value
    return assign(recipe, pairs)


_GIVEN: ContextVar[tuple[str, ...]] = ContextVar("given", default=())


def set_command_line(arguments: Sequence[str]) -> None:
    """State what `command_line` returns from now on: the arguments behind `thumbnet`."""
    _GIVEN.set(tuple(arguments))


def command_line() -> str:
    """Return the command line of this call, as a shell would take it, without the folder of the program."""
    import shlex

    return shlex.join(["thumbnet", *_GIVEN.get()])

"""Records: what was measured, one JSON object a file, written by the product and never by hand."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from thumbnet.environment import checkout
from thumbnet.errors import RecipeError, StorageError
from thumbnet.files import is_folder, read_json, storage_errors, write_json
from thumbnet.recipe.codec import decode, to_json

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_FRACTIONS = ("top1", "top5", "ece", "fraction")
_AMOUNTS = ("seed", "images", "nll", "epochs", "train_seconds", "images_per_second", "peak_memory_bytes")
# Recipes must run again as they ran, so their numbers stay as they are, at any depth.
_EXACT = ("recipe", "recipes")


@dataclass(frozen=True)
class Peak:
    """The best evaluation of a run on the split that chose it.

    Args:
        epoch: epochs trained until then; whole, where epochs are judged at their ends.
        top1: its accuracy, in [0, 1].
        top1_interval: 95% interval of `top1`, which does not count that the evaluation was chosen.
    """

    epoch: float
    top1: float
    top1_interval: tuple[float, float]


@dataclass(frozen=True)
class Plain:
    """What the last step reaches without test-time views, where the record's figures are with some.

    Args:
        top1: accuracy, in [0, 1].
        top1_interval: its 95% interval.
    """

    top1: float
    top1_interval: tuple[float, float]


@dataclass(frozen=True)
class Record:
    """What one run reached, and how.

    Args:
        name: row of the table of experiments, or our own recipe's name; also the file's name.
        recipe: the recipe as JSON data, fully resolved.
        command: command line that gives this record.
        commit: commit of the source, '-dirty' behind it where files differed; `None` where unknown.
        versions: versions of thumbnet, python and libraries.
        device: as `thumbnet.environment.describe` gives it, with `threads`; `then` lists those with which a run went
            on, where it was resumed on others.
        seed: seed of the run.
        split: split that was judged.
        images: images that were judged.
        top1: accuracy of the last step, in [0, 1].
        top5: top-5 accuracy of the last step, in [0, 1].
        top1_interval: 95% interval of `top1`.
        nll: mean negative log-likelihood, in nats.
        ece: expected calibration error, in [0, 1].
        views: views of each image at test time (`thumbnet.views`), with which top1, top5, nll and ece are meant.
        pretrained: whether training began from pretrained weights.
        selected_on: split that chose anything: 'none', 'holdout' or 'val'.
        fraction: part of the full length that was trained; 1.0 is all of it.
        epochs: epochs that were trained.
        train_seconds: time of training, in seconds.
        images_per_second: training images a second.
        peak_memory_bytes: largest resident memory, in bytes.
        history: one object an epoch.
        peak: the best epoch on the split named by `selected_on`, without test-time views.
        plain: accuracy of the last step without test-time views; `None` where `views` is 'none'.
    """

    name: str
    recipe: Mapping[str, Any]
    command: str
    commit: str | None
    versions: Mapping[str, Any]
    device: Mapping[str, Any]
    seed: int
    split: str
    images: int
    top1: float
    top5: float
    top1_interval: tuple[float, float]
    nll: float
    ece: float
    views: str
    pretrained: bool
    selected_on: Literal["none", "holdout", "val"]
    fraction: float
    epochs: float
    train_seconds: float
    images_per_second: float
    peak_memory_bytes: int
    history: tuple[Mapping[str, Any], ...]
    peak: Peak | None = None
    plain: Plain | None = None


@dataclass(frozen=True)
class Measurement:
    """Another measurement (packing, throughput, load).

    Args:
        name: what was measured; also the file's name.
        command: command line that gives this measurement.
        commit: commit of the source; `None` where unknown.
        versions: versions of thumbnet, python and libraries.
        device: as `thumbnet.environment.describe` gives it.
        figures: what was found, by name; each name states its unit.
    """

    name: str
    command: str
    commit: str | None
    versions: Mapping[str, Any]
    device: Mapping[str, Any]
    figures: Mapping[str, Any]


def write(record: Record | Measurement, folder: Path, *, replace: bool = False) -> Path:
    """Write `record` to `<folder>/<name>.json`, atomically, and return that path.

    Numbers are rounded to six significant decimals, but for those of the recipe.

    Raises:
        StorageError: the record exists and `replace` is not given, a field is out of range or not finite, or the
            place cannot be written.
    """
    if not _NAME.fullmatch(record.name):
        raise StorageError(f"record {record.name!r}: not a plain file name; use letters, digits, '-', '_', '+' or '.'")
    path = folder / f"{record.name}.json"
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    fields = {
        key: value if key in _EXACT else _rounded(value, f"{path}: {key}") for key, value in to_json(record).items()
    }
    _check(record, path)
    if path.exists() and not replace:
        raise StorageError(f"{path}: this record exists already; replace it explicitly, or choose another name")
    write_json(path, fields)
    return path


def check_place(path: Path) -> None:
    """Check that `path` can name a measurement's file, before anything is measured.

    Raises:
        StorageError: it does not end in '.json', its name is not that of a record, or it is a folder.
    """
    if path.suffix != ".json" or not _NAME.fullmatch(path.stem) or is_folder(path):
        raise StorageError(f"{path}: not the file of a record; give FOLDER/NAME.json, with a plain NAME")


def write_measurement(path: Path, figures: Mapping[str, Any], about: Mapping[str, Any], command: str) -> None:
    """Write what a program measured to the JSON file `path`, atomically, in place of what was there.

    Args:
        path: `<folder>/<name>.json`; its name is the measurement's.
        figures: what was found, by name.
        about: where, as `thumbnet.environment.describe` gives it.
        command: command line that gives this measurement.

    Raises:
        StorageError: the name or a figure cannot be stored, or the place cannot be written.
    """
    check_place(path)
    write(measurement(path.stem, figures, about, command), path.parent, replace=True)


def measurement(name: str, figures: Mapping[str, Any], about: Mapping[str, Any], command: str) -> Measurement:
    """Return what was measured as a record.

    Args:
        name: what was measured.
        figures: what was found, by name; each name states its unit.
        about: where, as `thumbnet.environment.describe` gives it.
        command: command line that gives this measurement.
    """
    return Measurement(name, command, about["commit"], about["versions"], device_of(about), figures)


def device_of(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the device of a record, with its threads, from what `thumbnet.environment.describe` gives."""
    return {**about["device"], "threads": about["threads"]}


def load(path: Path) -> Record | Measurement:
    """Return the record in the file `path`: a `Measurement` where it has `figures`, else a `Record`.

    Raises:
        StorageError: the file is missing, not JSON, or a field is missing, unknown, of the wrong type or out of
            range; the message names file and field.
    """
    data = read_json(path)
    kind = Measurement if isinstance(data, dict) and "figures" in data else Record
    try:
        record = cast(Record | Measurement, decode(kind, data, f"{path}: record"))
    except RecipeError as error:
        raise StorageError(f"{error}; write the record anew with the command that makes it") from error
    if record.name != path.stem:
        raise StorageError(f"{path}: name: {record.name!r} is not the file's name; rename one of the two")
    _check(record, path)
    return record


def load_all(folder: Path) -> list[Record | Measurement]:
    """Return every record of `folder`, in order of file names.

    Raises:
        StorageError: there is no such folder, or a record is damaged (see `load`).
    """
    if not is_folder(folder):
        raise StorageError(f"{folder}: no such folder of records; check the path")
    return [load(path) for path in sorted(folder.glob("*.json"))]


def shipped_folder() -> Path:
    """Return the folder of the records that come with thumbnet.

    Raises:
        StorageError: this installation has none.
    """
    installed = Path(__file__).resolve().parent / "_records"
    root = checkout()
    for folder in (installed, *([] if root is None else [root / "records"])):
        if folder.is_dir():
            return folder
    raise StorageError(f"{installed}: the records are missing; install thumbnet again")


def _check(record: Record | Measurement, path: Path) -> None:
    """Check the ranges of `record`'s fields (their types are checked by the decoder)."""
    if isinstance(record, Measurement):
        return
    for key in _FRACTIONS:
        _check_range(path, key, getattr(record, key), 1.0)
    for key in _AMOUNTS:
        _check_range(path, key, getattr(record, key), math.inf)
    _check_interval(path, "top1_interval", record.top1, record.top1_interval)
    if (record.plain is None) != (record.views == "none"):
        raise StorageError(f"{path}: plain: belongs to a record with test-time views, and each of those has it")
    if record.plain is not None:
        _check_range(path, "plain.top1", record.plain.top1, 1.0)
        _check_interval(path, "plain.top1_interval", record.plain.top1, record.plain.top1_interval)
    if record.peak is not None:
        if record.selected_on == "none":
            raise StorageError(f"{path}: peak: given, though selected_on is 'none'; name the split that chose it")
        _check_range(path, "peak.top1", record.peak.top1, 1.0)
        _check_interval(path, "peak.top1_interval", record.peak.top1, record.peak.top1_interval)


def _check_range(path: Path, key: str, value: float, highest: float) -> None:
    if not (math.isfinite(value) and 0 <= value <= highest):
        wanted = "a fraction in [0, 1]" if highest == 1 else "a number of 0 or more"
        raise StorageError(f"{path}: {key}: {value} is not {wanted}; write the record anew")


def _check_interval(path: Path, key: str, value: float, interval: tuple[float, float]) -> None:
    low, high = interval
    if not 0 <= low <= value <= high <= 1:
        raise StorageError(f"{path}: {key}: [{low}, {high}] does not hold {value} in [0, 1]; write the record anew")


def _rounded(value: Any, where: str) -> Any:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise StorageError(f"{where}: {value} is not finite, and JSON has no such number; leave it out")
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {str(key): item if key in _EXACT else _rounded(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item, f"{where}.{i}") for i, item in enumerate(value)]
    return value

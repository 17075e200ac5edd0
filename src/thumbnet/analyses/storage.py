"""The form of a stored analysis: arrays and facts in one npz file, with what they were made from.

A dataclass derived from `Analysis` says by its fields what a file holds. A field that is annotated with a `Form` is an
array of that type and those sizes. Every other field is JSON data.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Self, get_type_hints

import numpy as np
from numpy.typing import NDArray

from thumbnet.arrays import read_arrays
from thumbnet.errors import RunError
from thumbnet.files import atomic_file

FORMAT_VERSION = 1

_ABOUT = "about"


@dataclass(frozen=True)
class Origin:
    """What an analysis was made from.

    Attributes:
        weights: tag of the weights.
        digest: SHA-256 of their file, '' where that file is gone.
        data: fingerprint of the packed data.
    """

    weights: str
    digest: str
    data: str

    def difference(self, wanted: "Origin") -> str | None:
        """Return what of this origin is not as `wanted`, in words; `None` where all is.

        Where the file of the weights is gone, their digest cannot be compared.
        """
        if self.weights != wanted.weights or (self.digest != wanted.digest and "" not in (self.digest, wanted.digest)):
            return "other weights"
        return "other data" if self.data != wanted.data else None


class Form:
    """Of an array: the type of its numbers, as numpy names it, and one size a dimension.

    A size is a number, or a name that stands for the same number in all arrays of an analysis.
    """

    def __init__(self, dtype: str, *sizes: str | int) -> None:
        self.dtype = np.dtype(dtype)
        self.sizes = sizes

    def fits(self, given: object, known: dict[str, int]) -> bool:
        """Return whether `given` is such an array; sizes that `known` lacks are noted there."""
        if not isinstance(given, np.ndarray) or given.dtype != self.dtype or given.ndim != len(self.sizes):
            return False
        return all(
            actual == (size if isinstance(size, int) else known.setdefault(size, actual))
            for size, actual in zip(self.sizes, given.shape, strict=True)
        )


@dataclass(frozen=True, eq=False)
class Analysis:
    """One stored analysis; derived classes add fields.

    Raises:
        RunError: arrays that are not of their type, or do not fit together.
    """

    KIND: ClassVar[str]

    origin: Origin

    def __post_init__(self) -> None:
        known: dict[str, int] = {}
        for name, form in _forms(type(self)).items():
            given = getattr(self, name)
            if not form.fits(given, known):
                raise RunError(f"analysis {self.KIND}: {name} is not an array of {form.dtype} that fits the others")

    def save(self, path: Path) -> None:
        """Write the analysis to `path`, atomically, without pickle.

        Raises:
            StorageError: the place cannot be written or the disk is full.
        """
        stored: dict[str, Any] = {name: getattr(self, name) for name in _forms(type(self))}
        facts = {name: _plain(getattr(self, name)) for name in _facts_of(type(self))}
        about = {"kind": self.KIND, "format_version": FORMAT_VERSION, "origin": asdict(self.origin), "facts": facts}
        stored[_ABOUT] = np.array(json.dumps(about), dtype=np.str_)
        with atomic_file(path) as handle:
            np.savez_compressed(handle, **stored)

    @classmethod
    def load(cls, path: Path, run: str = "RUN") -> Self:
        """Return the analysis in the file `path`.

        Args:
            path: of the file.
            run: how an error names the run that it can be made again for.

        Raises:
            RunError: the file is missing, damaged, holds pickled objects, or another analysis.
        """
        try:
            arrays = read_arrays(path)
            about = json.loads(str(arrays.pop(_ABOUT).item()))
        except PermissionError as error:
            raise RunError(f"{path}: permission denied; choose a run that you may read") from error
        except (FileNotFoundError, KeyError, ValueError, RecursionError) as error:
            raise cls._refused(path, run, "is damaged or not ours") from error
        if not isinstance(about, dict):
            raise cls._refused(path, run, "is damaged or not ours")
        version = about.get("format_version")
        if about.get("kind") != cls.KIND or version != FORMAT_VERSION:
            raise cls._refused(path, run, f"holds {about.get('kind')!r} in version {version}, not {cls.KIND!r}")
        try:
            return cls._of(arrays, about)
        except (KeyError, TypeError, ValueError) as error:
            raise cls._refused(path, run, "is damaged") from error
        except RunError as error:
            raise cls._refused(path, run, f"is damaged ({error})") from error

    @classmethod
    def _of(cls, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> Self:
        facts = about["facts"]
        if set(facts) != set(_facts_of(cls)):
            raise ValueError("other facts")
        frozen = {name: _frozen(value) for name, value in facts.items()}
        return cls(Origin(**about["origin"]), **{name: arrays[name] for name in _forms(cls)}, **frozen)

    @classmethod
    def _refused(cls, path: Path, run: str, reason: str) -> RunError:
        return RunError(f"{path}: this analysis {reason}; {again(cls.KIND, run)}")


def again(part: str, run: str) -> str:
    """Return what to do about a part that cannot be used; `run` is named as on a command line."""
    return f"make it again with: thumbnet analyze {run} --only {part} --again"


def _forms(kind: type[Analysis]) -> dict[str, Form]:
    """Return the forms of the arrays by the names of their fields."""
    hints = get_type_hints(kind, include_extras=True)
    noted = {name: next(iter(getattr(hint, "__metadata__", ())), None) for name, hint in hints.items()}
    return {name: form for name, form in noted.items() if isinstance(form, Form)}


def _facts_of(kind: type[Analysis]) -> list[str]:
    forms = _forms(kind)
    return [one.name for one in fields(kind) if one.name not in forms and one.name != "origin"]


def _plain(value: object) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _frozen(value: object) -> Any:
    """Return JSON data with its lists as tuples."""
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value

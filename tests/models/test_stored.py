"""Weights from files and runs: what is loaded, what stays fresh, and what each unfit file is answered with."""

import pickle
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from tests.models.unsafe import Trap, saved
from thumbnet.errors import RecipeError, RunError, StorageError
from thumbnet.files import sha256
from thumbnet.models import build_model, head_of, with_digest
from thumbnet.models.fitting import _layers
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Head, InitialWeights, Model
from thumbnet.run import RunDirectory

SMALL = Model("small", {"width": 4})
PLAIN = Head()
FOUR = ["a", "b", "c", "d"]


def network(classes: int = 4, head: Head = PLAIN, seed: int = 1) -> nn.Module:
    torch.manual_seed(seed)
    return build_model(replace(SMALL, head=head), classes, 32)


def started(path: Path, classes: list[str] = FOUR, head: Head = PLAIN, **init: Any) -> dict[str, Tensor]:
    """Return the tensors of the small network that starts from `path`; what is fresh is that of seed 2."""
    torch.manual_seed(2)
    model = replace(SMALL, head=head, init=InitialWeights(str(path), **init))
    return build_model(model, len(classes), 32, class_ids=classes).state_dict()


def differing(state: dict[str, Tensor], other: dict[str, Tensor]) -> set[str]:
    assert list(state) == list(other)
    return {
        name for name in state if state[name].shape != other[name].shape or not torch.equal(state[name], other[name])
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "weights.pt"


@pytest.mark.parametrize("wrap", ["plain", "state_dict", "model", "module", "safetensors"])
def test_every_usual_form_of_file_is_read(file: Path, wrap: str) -> None:
    state = network().state_dict()
    forms: dict[str, Any] = {
        "plain": state,
        "state_dict": {"epoch": 3, "state_dict": state},
        "model": {"model": {f"module.{key}": value for key, value in state.items()}, "optimizer": {}},
        "module": {f"module.{key}": value for key, value in state.items()},
    }
    if wrap == "safetensors":
        safetensors.torch.save_file(state, file)
    else:
        torch.save(forms[wrap], file)
    assert differing(started(file), state) == set()


def test_the_head_stays_fresh_for_another_number_of_classes(file: Path) -> None:
    state = network(7).state_dict()
    torch.save(state, file)
    found, fresh = started(file), network(4, seed=2).state_dict()
    assert differing(found, state) == {"14.weight", "14.bias"}
    assert differing(found, fresh) == set(state) - {"14.weight", "14.bias"} - unchanged_by_seed(fresh)


def unchanged_by_seed(fresh: dict[str, Tensor]) -> set[str]:
    return set(fresh) - differing(fresh, network(4, seed=1).state_dict())


def test_heads_are_matched_layer_by_layer(file: Path) -> None:
    dropped = network(4, Head(dropout=0.5))
    torch.save(dropped.state_dict(), file)
    whole = started(file)
    _, head = head_of(dropped)
    assert torch.equal(whole["14.weight"], head.get_parameter("1.weight"))
    assert torch.equal(whole["14.bias"], head.get_parameter("1.bias"))
    # A head of two layers is another head: the body alone fits.
    deep, fresh = started(file, head=Head(hidden=6)), network(4, Head(hidden=6), seed=2).state_dict()
    assert differing(deep, fresh) == {
        name
        for name in differing(dict(dropped.state_dict()), dict(network(4, Head(dropout=0.5), seed=2).state_dict()))
        if not name.startswith("14.")
    }
    # Of two layers, only the last one knows the number of classes.
    torch.save(network(7, Head(hidden=6)).state_dict(), file)
    deep = started(file, head=Head(hidden=6))
    assert differing(deep, fresh) >= {"14.0.weight", "14.0.bias"}
    assert torch.equal(deep["14.3.weight"], fresh["14.3.weight"])


def test_layers_are_counted_as_numbers_whatever_their_order_in_the_file() -> None:
    names = ["fc.10.weight", "fc.0.weight", "fc.2.weight", "fc.10.bias"]
    assert _layers(names) == ["fc.0", "fc.2", "fc.10"]


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "_orig_mod.module.", "module._orig_mod."])
def test_what_wrappers_put_before_names_goes_in_any_order(file: Path, prefix: str) -> None:
    state = network().state_dict()
    torch.save({f"{prefix}{name}": tensor for name, tensor in state.items()}, file)
    assert differing(started(file), state) == set()


def test_a_file_of_a_thousand_classes_gives_the_head_its_rows(file: Path) -> None:
    state = network(1000).state_dict()
    torch.save(state, file)
    found = started(file, ["n01641577", "n02088094"], Head(start="classifier", dropout=0.1))
    assert torch.equal(found["14.1.weight"], state["14.weight"][[30, 160]])
    torch.save(network(999).state_dict(), file)
    with pytest.raises(
        RecipeError, match=r"weights.pt has no classifier of ImageNet's 1,000 classes; use start='fresh'"
    ):
        started(file, ["n01641577"], Head(start="classifier"))


def test_what_does_not_fit_is_counted_and_named(file: Path) -> None:
    state = network().state_dict()
    for name in ("0.weight", "1.bias"):
        del state[name]
    state |= {f"extra.{number}": torch.zeros(1) for number in range(5)}
    state["4.weight"] = torch.zeros(8, 5, 3, 3)
    torch.save(state, file)
    with pytest.raises(RecipeError) as caught:
        started(file)
    said = str(caught.value)
    assert said.startswith(f"model.init: {file} does not fit the network, of whose 20 tensors: ")
    assert "2 missing (0.weight, 1.bias); 5 unexpected (extra.0, extra.1, extra.2, ...); " in said
    assert said.endswith("1 of other shape (4.weight [8, 5, 3, 3] instead of [8, 4, 3, 3])")


def test_a_head_that_is_missing_or_of_other_width_is_not_left_fresh(file: Path) -> None:
    state = network().state_dict()
    torch.save({key: value for key, value in state.items() if not key.startswith("14.")}, file)
    with pytest.raises(RecipeError, match=r"2 missing \(14.weight, 14.bias\); 0 unexpected; 0 of other shape$"):
        started(file)
    torch.save(state | {"14.weight": torch.zeros(4, 9)}, file)
    with pytest.raises(RecipeError, match=r"1 of other shape \(14.weight \[4, 9\] instead of \[4, 16\]\)"):
        started(file)


def test_names_are_those_of_the_file_and_of_the_network(file: Path) -> None:
    torch.save(network().state_dict() | {"14.weight": torch.zeros(4, 9), "14.scale": torch.zeros(1)}, file)
    with pytest.raises(RecipeError, match=r"1 unexpected \(14.scale\); 1 of other shape \(14.weight \[4, 9\] instead"):
        started(file, head=Head(dropout=0.5))
    torch.save({key: value for key, value in network().state_dict().items() if key != "14.bias"}, file)
    with pytest.raises(RecipeError, match=r"1 missing \(14.1.bias\); 0 unexpected; 0 of other shape$"):
        started(file, head=Head(dropout=0.5))


def unfit(kind: str, tensor: Tensor) -> Tensor:
    """Return `tensor` in another form, from which no network can start."""
    forms: dict[str, Callable[[], Tensor]] = {
        "meta": lambda: tensor.to("meta"),
        "sparse": tensor.to_sparse,
        "quantised": lambda: torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8),
        "nan": lambda: torch.full_like(tensor, torch.nan),
        "infinite": lambda: tensor.double() * 1e300 * 1e5,
        "complex": lambda: tensor.to(torch.complex64),
        "uint8": lambda: tensor.to(torch.uint8),
    }
    return forms[kind]()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("meta", "holds a meta tensor under '4.weight'; give dense ones"),
        ("sparse", "holds a sparse tensor under '4.weight'; give dense ones"),
        ("quantised", "holds a quantised tensor under '4.weight'; give dense ones"),
        ("nan", "holds 288 of 288 numbers that are not finite under '4.weight'; give weights of before"),
        ("infinite", "holds 288 of 288 numbers that are not finite under '4.weight'"),
        ("complex", "holds complex64 instead of float32 under '4.weight'"),
        ("uint8", "holds uint8 instead of float32 under '4.weight'"),
    ],
)
def test_tensors_that_are_no_weights_are_refused_in_one_line(file: Path, kind: str, message: str) -> None:
    state = network().state_dict()
    with warnings.catch_warnings(action="ignore"):  # quantised tensors are about to go
        torch.save(state | {"4.weight": unfit(kind, state["4.weight"])}, file)
    with pytest.raises(RecipeError) as caught:
        started(file)
    assert str(caught.value).startswith(f"model.init: {file} {message}")
    assert "\n" not in str(caught.value)


def test_a_counter_that_is_no_number_is_refused(file: Path) -> None:
    torch.save(network().state_dict() | {"1.num_batches_tracked": torch.tensor(torch.nan)}, file)
    with pytest.raises(RecipeError, match=r"holds float32 instead of int64 under '1.num_batches_tracked'"):
        started(file)


def test_weights_of_half_the_bits_are_loaded(file: Path) -> None:
    state = {key: value.half() if value.ndim else value for key, value in network().state_dict().items()}
    torch.save(state, file)
    assert torch.equal(started(file)["4.weight"], state["4.weight"].float())


def test_a_counter_that_old_files_lack_stays_as_it_is(file: Path) -> None:
    state = {key: value for key, value in network().state_dict().items() if "num_batches" not in key}
    torch.save(state, file)
    assert int(started(file)["1.num_batches_tracked"]) == 0


def test_a_network_that_ends_in_a_convolution_is_loaded_too(file: Path) -> None:
    name = "torchvision/squeezenet1_1"
    state = build_model(Model(name), 7, 64).state_dict()
    torch.save(state, file)
    found = build_model(Model(name, init=InitialWeights(str(file))), 4, 64, class_ids=FOUR).state_dict()
    assert differing(found, state) == {"classifier.1.weight", "classifier.1.bias"}


def contents(tmp_path: Path) -> dict[str, bytes]:
    whole = saved(network().state_dict())
    tensors = safetensors.torch.save(network().state_dict())
    return {
        "pickle": pickle.dumps(Trap(tmp_path / "mark")),
        "trap": saved({"state_dict": network().state_dict(), "trap": Trap(tmp_path / "mark")}),
        "network": pickle.dumps({"weights": [1, 2]}),
        "truncated": whole[: len(whole) // 2],
        "truncated-safetensors": tensors[: len(tensors) // 2],
        "empty": b"",
        "text": b"This is no file of weights.\n" * 9,
        "image": b"\x89PNG\r\n\x1a\n" + bytes(200),
        "epoch": saved({"0.weight": torch.zeros(1), "epoch": 3}),
        "tensor": saved(torch.zeros(3)),
    }


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("pickle", "a pickle of more than tensors, which is never executed"),
        ("trap", "a pickle of more than tensors, which is never executed"),
        ("network", "damaged|not tensors by name|under 'weights', not a tensor"),
        ("truncated", "is damaged or no file of weights"),
        ("truncated-safetensors", "is damaged or no file of weights"),
        ("empty", "is damaged"),
        ("text", "is damaged"),
        ("image", "is damaged"),
        ("epoch", "holds int under 'epoch', not a tensor; give a state dict"),
        ("tensor", "holds Tensor, not tensors by name"),
    ],
)
def test_another_file_is_refused_in_one_line_and_never_executed(
    tmp_path: Path, file: Path, kind: str, message: str
) -> None:
    file.write_bytes(contents(tmp_path)[kind])
    with pytest.raises(RecipeError, match=message) as caught:
        started(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "mark").exists()


def test_a_missing_file_and_a_folder_that_is_no_run_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"missing.pt: no such file or run; give a weights file or a run directory"):
        started(tmp_path / "missing.pt")
    with pytest.raises(RunError, match=r"not a run directory \(recipe.json is missing\)"):
        started(tmp_path)


def test_a_file_that_cannot_be_read_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.touch()

    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(StorageError, match="permission denied"):
        started(file)


def test_the_digest_is_filled_in_and_checked(file: Path) -> None:
    torch.save(network().state_dict(), file)
    found = with_digest(InitialWeights(str(file)))
    assert found == InitialWeights(str(file), sha256(file))
    assert with_digest(found) == found
    started(file, sha256=found.sha256)
    torch.save(network(seed=5).state_dict(), file)
    for call in (lambda: with_digest(found), lambda: started(file, sha256=found.sha256)):
        with pytest.raises(
            RecipeError, match=rf"another file than the recipe's \(its SHA-256 is not {found.sha256[:12]}"
        ):
            call()


def test_a_run_gives_all_to_its_own_classes_and_the_body_to_others(
    shapes: PackedDataset, short_run: RunDirectory
) -> None:
    last = torch.load(short_run.weights_path("last"), weights_only=True)
    own = [info.id for info in shapes.classes]
    for path in (short_run.path, short_run.weights_path("last")):
        assert differing(started(path, own), last) == set()
        assert differing(started(path, own[::-1]), last) == {"14.weight", "14.bias"}
        assert differing(started(path, [*own, "e"]), last) == {"14.weight", "14.bias"}

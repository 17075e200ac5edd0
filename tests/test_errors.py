"""Errors: one base class, and hints that help."""

import errno
import inspect
from collections.abc import Callable

import numpy as np
import pytest
import torch

from thumbnet import errors

CLASSES = [one for one in vars(errors).values() if inspect.isclass(one) and one.__module__ == errors.__name__]


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_can_be_caught_as_one(error: type[Exception]) -> None:
    assert issubclass(error, errors.ThumbnetError)


def test_near_names_are_suggested() -> None:
    assert errors.nearest("resnet17", ["resnet18", "m1"]) == "did you mean resnet18?"
    assert errors.nearest("m5", ["m4", "m1"]) == "did you mean m4 or m1?"


def test_all_names_are_listed_when_none_is_near() -> None:
    assert errors.nearest("zzz", ["m4", "m1"]) == "known: m1, m4"


def test_a_librarys_reason_is_one_line_cut_between_words() -> None:
    assert errors.reason_of(ValueError("two\n\tlines")) == "two lines"
    assert errors.reason_of(ValueError()) == "ValueError"
    reason = errors.reason_of(ValueError("word " * 99))
    assert reason == "word " * 31 + "..."


def failing(error: Exception) -> Callable[[], object]:
    def fail() -> object:
        raise error

    return fail


@pytest.mark.parametrize(
    ("exhaust", "said"),
    [
        (
            lambda: np.empty(2**50),
            r"^memory ran out \(Unable to allocate .*\); end other programs, or take fewer runs",
        ),
        (lambda: torch.empty(2**60, dtype=torch.uint8), r"^memory ran out \(.*\); end other programs, or take fewer"),
        (failing(OSError(errno.ENOMEM, "Cannot allocate memory")), r"^memory ran out \(.*\); end other programs"),
        (
            failing(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nGPU 0 has ...")),
            r"^the memory of the device ran out \(CUDA out of .*\); wait until .*, or .* with --device cpu$",
        ),
        (failing(RuntimeError("MPS backend out of memory")), "^the memory of the device ran out .* --device cpu$"),
    ],
    ids=["numpy", "torch", "system", "cuda", "mps"],
)
def test_memory_that_runs_out_becomes_one_line_of_advice(exhaust: Callable[[], object], said: str) -> None:
    with pytest.raises(errors.OutOfMemoryError, match=said) as raised, errors.memory_errors():
        exhaust()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("error", [RuntimeError("something else"), OSError(errno.ENOENT, "no such file")])
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, errors.memory_errors():
        raise error
    assert raised.value is error

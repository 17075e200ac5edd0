"""Errors: one base class, and hints that help."""

import inspect

import pytest

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

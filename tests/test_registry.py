"""The registry: options are checked against the function's signature."""

from typing import Literal

import pytest

from thumbnet.errors import RecipeError
from thumbnet.registry import Registry


def small(classes: int, *, width: float = 1.0, stem: Literal["a", "b"] = "a", sizes: tuple[int, ...] = ()) -> str:
    return f"small {classes} {width} {stem} {sizes}"


def plain(classes: int) -> str:
    return f"plain {classes}"


def needy(classes: int, *, depth: int) -> str:
    return f"needy {classes} {depth}"


MODELS: Registry[str] = Registry("model", {"small": small, "plain": plain, "needy": needy})


def test_names_are_sorted() -> None:
    assert MODELS.names() == ["needy", "plain", "small"]


def test_a_function_is_called_with_context_and_options() -> None:
    assert MODELS.call("small", {"width": 2, "sizes": [1, 2]}, 10) == "small 10 2.0 a (1, 2)"
    assert MODELS.call("plain", {}, 3) == "plain 3"


def test_options_are_typed_and_defaults_filled_in() -> None:
    assert MODELS.check("small", {"width": 2}) == {"width": 2.0, "stem": "a", "sizes": ()}
    assert MODELS.check("plain", {}) == {}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("smal", {}, "model 'smal' is unknown; did you mean small?"),
        ("small", {"witdh": 1}, "model small: unknown option 'witdh'; did you mean width?"),
        ("small", {"classes": 1}, "model small: unknown option 'classes'"),
        ("plain", {"x": 1}, "model plain: unknown option 'x'; it takes none"),
        ("needy", {}, "model needy: the option 'depth' is missing; add it"),
        ("small", {"width": "x"}, "model small.width: 'x' is not a number"),
        ("small", {"stem": "c"}, "model small.stem: 'c' is not one of 'a', 'b'"),
    ],
)
def test_wrong_options_are_one_line(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message.replace("?", r"\?")):
        MODELS.check(name, options)

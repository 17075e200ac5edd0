"""Quick looks: a recipe that is shortened, or begins from random weights, bears that in its name."""

from dataclasses import replace

from thumbnet.recipe import Recipe

_MARK = "@"


def quick_look(recipe: Recipe, fraction: float = 1.0, *, random_weights: bool = False) -> Recipe:
    """Return `recipe` at a part of its length, and that in its name: `<name>@0.1`, or itself where nothing changes.

    Args:
        recipe: what is changed.
        fraction: part of the recipe's own length, in (0, 1].
        random_weights: whether random weights replace pretrained ones: `<name>@random-weights`.

    Raises:
        RecipeError: `fraction` is out of range.
    """
    random = random_weights and recipe.model.weights is not None
    head = replace(recipe.model.head, start="fresh")
    model = replace(recipe.model, weights=None, head=head) if random else recipe.model
    name = look_name(recipe.name, fraction, random_weights=random)
    return replace(recipe, name=name, model=model, fraction=recipe.fraction * fraction)


def look_name(name: str, fraction: float, *, random_weights: bool) -> str:
    """Return the name of a quick look at what is called `name`."""
    marks = ([f"{fraction:g}"] if fraction != 1 else []) + (["random-weights"] if random_weights else [])
    return f"{name}{_MARK}{'-'.join(marks)}" if marks else name


def own_name(name: str) -> str:
    """Return the name of what a quick look called `name` looks at."""
    return name.partition(_MARK)[0]

"""The one way in which a recipe refuses what cannot be."""

from thumbnet.errors import RecipeError


def require(condition: bool, message: str) -> None:
    """Raise `RecipeError` with `message` where `condition` does not hold."""
    if not condition:
        raise RecipeError(message)

"""Values of a recipe's keys as texts."""

import json

from thumbnet.recipe import Recipe, to_json


def split_values(text: str) -> list[str]:
    """Return the parts of `text` between commas, without the spaces around them.

    A comma within brackets, braces or double quotes separates nothing.
    """
    parts, depth, quoted, start = [], 0, False, 0
    for position, (before, character) in enumerate(zip(" " + text, text, strict=False)):
        if character == '"' and before != "\\":
            quoted = not quoted
        elif not quoted:
            depth += (character in "[{") - (character in "]}")
            if character == "," and depth <= 0:
                parts.append(text[start:position].strip())
                start = position + 1
    return [*parts, text[start:].strip()]


def value_of(recipe: Recipe, key: str) -> str:
    """Return the value that the dotted `key` has in `recipe`, as text: JSON but for plain text."""
    place = to_json(recipe)
    for part in key.split("."):
        place = place[int(part)] if isinstance(place, list) else place[part]
    return place if isinstance(place, str) else json.dumps(place)

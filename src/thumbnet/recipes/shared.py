"""What several reports' recipes have in common."""

from thumbnet.recipe import Normalization, Policy, operation

IMAGENET_STATISTICS = Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Of the 224-pixel training images of ImageNet, in which its networks were trained."""

SYMMETRIC = Normalization((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""What brings pixels to [-1, 1], as Google's networks take them."""


def zoom(size: int | None = None) -> Policy:
    """Return random resized crops of at least half of the area, at `size` pixels or the image's own, and flips."""
    sizes = {} if size is None else {"size": size}
    return (operation("random_resized_crop", scale=[0.5, 1.0], **sizes), operation("horizontal_flip"))

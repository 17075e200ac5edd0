"""Networks by name: one table, all of timm under `timm/<name>`, and torchvision's under `torchvision/<name>`."""

from thumbnet.models.fitting import named_as_in
from thumbnet.models.heads import head_of
from thumbnet.models.parts import (
    evaluation_mode,
    first_convolution,
    last_layer,
    multiply_adds,
    parameter_count,
    placed,
)
from thumbnet.models.preprocessing import OwnPreprocessing, own_preprocessing, published_options
from thumbnet.models.pretrained import has_classifier, is_packaged
from thumbnet.models.registry import build_model, check_model, model_names, without_weights
from thumbnet.models.stored import with_digest

__all__ = [
    "OwnPreprocessing",
    "build_model",
    "check_model",
    "evaluation_mode",
    "first_convolution",
    "has_classifier",
    "head_of",
    "is_packaged",
    "last_layer",
    "model_names",
    "multiply_adds",
    "named_as_in",
    "own_preprocessing",
    "parameter_count",
    "placed",
    "published_options",
    "with_digest",
    "without_weights",
]

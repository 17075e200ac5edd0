"""Networks by name: one table, all of timm under `timm/<name>`, and torchvision's under `torchvision/<name>`."""

from thumbnet.models.parts import evaluation_mode, first_convolution, last_layer, multiply_adds, parameter_count
from thumbnet.models.registry import build_model, check_model, model_names

__all__ = [
    "build_model",
    "check_model",
    "evaluation_mode",
    "first_convolution",
    "last_layer",
    "model_names",
    "multiply_adds",
    "parameter_count",
]

"""A network as a recipe states it: its name and options, the weights that it starts from, and its head."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from thumbnet.recipe.checking import require

LAYER_KINDS = ("conv", "linear")
"""Kinds of layer whose initialisation a recipe may choose."""

INITIALIZATIONS = ("default", "xavier", "he", "gaussian", "uniform", "zero")
"""Ways to draw the weights of a kind of layer; 'default' is the network's own."""


@dataclass(frozen=True)
class InitialWeights:
    """A file of weights, or an earlier run's, from which training starts.

    Args:
        path: a safetensors file, a torch state dict, or a run directory (its last weights).
        sha256: digest of the file, filled in when the run begins, so that it cannot change unseen.
        pretrained: whether these weights have seen other images than the run's data; filled in for a run directory,
            and for a file of one.
        selected_on: splits of the run's data whose images chose these weights among others, such as an earlier run's
            best; filled in for a run directory, and for a file of one.
    """

    path: str
    sha256: str = ""
    pretrained: bool = True
    selected_on: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require(bool(self.path), "model.init.path: names no file; give a weights file or a run directory")


@dataclass(frozen=True)
class Head:
    """What turns a network's features into logits.

    Args:
        start: 'fresh' draws it anew; 'classifier' takes the rows of the data's classes from the pretrained ImageNet
            classifier, where each class is one of ImageNet's.
        hidden: units of a hidden layer with ReLU in front of the last layer; 0 has none.
        dropout: part of the last layer's inputs that is dropped in training.
    """

    start: Literal["fresh", "classifier"] = "fresh"
    hidden: int = 0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        require(self.hidden >= 0, f"model.head.hidden: {self.hidden} is negative; 0 has no hidden layer")
        require(0 <= self.dropout < 1, f"model.head.dropout: {self.dropout} is not in [0, 1)")
        require(
            self.start == "fresh" or self.hidden == 0,
            "model.head: the classifier's rows fit only a head of one layer; set hidden=0 or start='fresh'",
        )


@dataclass(frozen=True)
class Model:
    """A network by name (`thumbnet.models` holds them; `timm/<name>` and `torchvision/<name>` reach those libraries').

    Args:
        name: the network.
        options: of the network.
        initialization: how the weights of a kind of layer are drawn instead of the network's own way, as
            `{"linear": "xavier"}`: kinds 'conv' and 'linear', schemes 'xavier', 'he', 'gaussian', 'uniform', 'zero'.
        weights: where training starts: `None` from random weights, 'imagenet' from the weights that the network's
            library publishes, 'package' from those of an installed package.
        init: a file or a run to start from instead.
        head: the layers between features and logits.
    """

    name: str
    options: Mapping[str, object] = field(default_factory=dict)
    initialization: Mapping[str, str] = field(default_factory=dict)
    weights: Literal["imagenet", "package"] | None = None
    init: InitialWeights | None = None
    head: Head = Head()

    @property
    def selected_on(self) -> tuple[str, ...]:
        """Splits of the run's data whose images chose the weights that training starts from."""
        return () if self.init is None else self.init.selected_on

    @property
    def pretrained(self) -> bool:
        """Whether training starts from weights that have seen other images."""
        return self.weights is not None or (self.init is not None and self.init.pretrained)

    def __post_init__(self) -> None:
        for kind, scheme in self.initialization.items():
            require(kind in LAYER_KINDS, f"model.initialization: {kind!r} is not one of {', '.join(LAYER_KINDS)}")
            require(
                scheme in INITIALIZATIONS,
                f"model.initialization.{kind}: {scheme!r} is not one of {', '.join(INITIALIZATIONS)}",
            )
        require(
            not ((self.weights or self.init) and self.initialization),
            "model.initialization: weights to start from would be drawn anew; leave out them or initialization",
        )
        require(
            self.weights is None or self.init is None,
            "model.init: training can start from one set of weights; leave out model.weights or model.init",
        )
        require(
            self.head.start == "fresh" or self.weights is not None or self.init is not None,
            "model.head.start: 'classifier' needs ImageNet's weights; set model.weights or init, or start='fresh'",
        )

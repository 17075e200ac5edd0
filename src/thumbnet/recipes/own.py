"""Our own recipes."""

from thumbnet.recipe import (
    Checkpointing,
    Evaluation,
    Loss,
    Model,
    Optimizer,
    Phase,
    Policy,
    Recipe,
    Schedule,
    epochs,
    operation,
)


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


def _zoom(size: int) -> Policy:
    return (
        operation("random_resized_crop", scale=[0.4, 1.0], size=size),
        operation("horizontal_flip"),
    )


def resnet18_64() -> Recipe:
    """ResNet-18 at 64 pixels, trained from scratch as well as 40 minutes of two CPU cores allow.

    Images grow from 40 to 64 pixels: early epochs need no detail and cost half. One cycle of a high learning rate,
    label smoothing, random resized crops and flips. Nothing was chosen on val: the figure is the last step's.
    Measured: `records/resnet18-64.json`.
    """
    return Recipe(
        name="resnet18-64",
        model=Model("resnet18", {"zero_init_residual": True}),
        optimizer=Optimizer("nesterov", lr=0.5, weight_decay=5e-4, no_decay="norm_and_bias"),
        phases=(
            Phase(epochs(6), policies=(_zoom(40),), image_size=40),
            Phase(epochs(4), policies=(_zoom(48),), image_size=48),
            Phase(epochs(4), policies=(_zoom(64),)),
        ),
        schedule=Schedule("one_cycle", options={"peak_at": 0.2}),
        batch_size=256,
        loss=Loss(label_smoothing=0.1),
        evaluation=Evaluation(every=epochs(2), splits=("val",), train_images=2000),
        precision="bf16",
        channels_last=True,
        train_on="all",
        selected_on="none",
    )

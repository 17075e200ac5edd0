"""Milani, The Power of Inception (2017).

From scratch (section 3): a small Inception-v3 with batch norm before every ReLU, label smoothing 0.1, Adam at 1e-3
decayed by 0.9 an epoch, weight decay 0.08, no augmentation, snapshots at each new best on val. Transfer (section 4):
one linear layer on the 2,048 features of a frozen ImageNet Inception-v3 at 299 pixels.

What the report does not say, and what was chosen: the widths of its network (see the network), batches of 128, what
the weight decay of 0.08 decays (the weights themselves, as AdamW does; as an L2 penalty in the gradient it stops
training), snapshots checked four times an epoch, 30 epochs of its "20 to 50", and the precision (bfloat16 products
with float32 weights, for speed).
"""

from collections.abc import Mapping
from dataclasses import replace

from thumbnet.recipe import (
    Checkpointing,
    Evaluation,
    Head,
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
from thumbnet.recipes.offline import stand_in, with_cached_features
from thumbnet.recipes.rows import Reported, Row
from thumbnet.recipes.shared import SYMMETRIC

_LIGHT: Policy = (operation("brightness", amount=0.2), operation("contrast", amount=0.2))
"""The report does not say how far brightness and contrast go; a fifth each way is chosen."""


def inception() -> Recipe:
    """The small Inception from scratch, with up to 20 snapshots.

    Reported (section 3.3): val 48.5% for the best epoch, overfitting (train above 80% at 30 epochs); 52.2% for an
    ensemble of the best 9 snapshots (see the study `milani-snapshots`).
    """
    return Recipe(
        name="milani-inception",
        model=Model("milani-inception"),
        optimizer=Optimizer("adamw", lr=1e-3, weight_decay=0.08),
        phases=(Phase(epochs(30)),),
        schedule=Schedule("step", options={"every": "1 epochs", "gamma": 0.9}),
        batch_size=128,
        loss=Loss(label_smoothing=0.1),
        evaluation=Evaluation(every=epochs(0.25), splits=("val",), train_images=2000),
        checkpointing=Checkpointing(filters=(1, 10, 20, 30), snapshots=20),
        precision="bf16",
        channels_last=True,
        train_on="all",
        selected_on="val",
    )


def inception_regularized() -> Recipe:
    """The small Inception with dropout, flips and random brightness and contrast.

    Reported (section 3.3): val 46.1%, snapshots 46.8%. Dropout keeps 0.8; the rate is doubled and decays by 0.9 every
    two epochs. Chosen: 50 epochs.
    """
    recipe = inception()
    policy = (operation("horizontal_flip"), *_LIGHT)
    return replace(
        recipe,
        name="milani-inception-regularized",
        model=Model("milani-inception", {"dropout": 0.2}),
        optimizer=replace(recipe.optimizer, lr=2e-3),
        phases=(Phase(epochs(50), policies=(policy,)),),
        schedule=Schedule("step", options={"every": "2 epochs", "gamma": 0.9}),
    )


def transfer_v1() -> Recipe:
    """One linear layer on the features of a frozen ImageNet Inception-v3 at 299 pixels.

    Reported (section 4.2): val 74.75%, test 66.8%; batches of 25 to 100 made no difference. Chosen: the L2 strength of
    0.0116 as half the square of the weights times that, which is torch's weight decay.
    """
    return Recipe(
        name="milani-transfer-v1",
        model=Model("timm/inception_v3.tf_in1k", weights="imagenet"),
        optimizer=Optimizer("adam", lr=6.5e-4, weight_decay=0.0116),
        phases=(Phase(epochs(10), image_size=299, trainable="head"),),
        schedule=Schedule("step", options={"every": "1 epochs", "gamma": 0.713}),
        batch_size=100,
        loss=Loss(label_smoothing=0.1),
        normalization=SYMMETRIC,
        evaluation=Evaluation(splits=("val",), train_images=2000, batch_size=100),
        checkpointing=Checkpointing(filters=()),
        precision="bf16",
        channels_last=True,
        train_on="all",
        selected_on="val",
    )


def transfer_v2() -> Recipe:
    """The same with dropout before the linear layer, judged by ten crops.

    Reported (section 4.2): val 76.1%, test 68.6%, by ten crops at test time; dropout keeps 0.8. Chosen: the rates of
    `milani-transfer-v1`, for those that its second search gave are not stated.
    """
    recipe = transfer_v1()
    return replace(
        recipe,
        name="milani-transfer-v2",
        model=replace(recipe.model, head=Head(dropout=0.2)),
        evaluation=replace(recipe.evaluation, views="ten-crop"),
    )


def transfer_v3() -> Recipe:
    """The same without dropout, with random brightness and contrast and random corner crops, judged by ten crops.

    Reported (section 4.2): val 76.7%, test 69.1%, by ten crops at test time. Chosen: the whole image is kept half of
    the time, else one of its four corners of 56 pixels, all equally likely.
    """
    recipe = transfer_v1()
    return _with_crops(
        replace(recipe, name="milani-transfer-v3", evaluation=replace(recipe.evaluation, views="ten-crop"))
    )


def _with_crops(recipe: Recipe) -> Recipe:
    """Return `recipe` with random brightness, contrast and corner crops.

    A crop goes to the network's size in one resize, as those of the test-time views do.
    """
    (phase,) = recipe.phases
    crop = operation("corner_crop", crop=56, p_full=0.5, size=phase.image_size, interpolation=recipe.interpolation)
    return replace(recipe, phases=(replace(phase, policies=((*_LIGHT, crop),)),))


def transfer_v1_lite2() -> Recipe:
    """`milani-transfer-v1` from a pretrained network that installs offline, EfficientNet-Lite2 at 160 pixels.

    Its features are computed once.
    """
    return with_cached_features(stand_in(transfer_v1(), "lite2"), 1)


def transfer_v2_lite2() -> Recipe:
    """`milani-transfer-v2` in the same way: dropout before the linear layer, judged by ten crops."""
    return with_cached_features(stand_in(transfer_v2(), "lite2"), 1)


def transfer_v3_lite2() -> Recipe:
    """`milani-transfer-v3` in the same way: epochs take turns with two augmented copies, judged by ten crops."""
    return with_cached_features(_with_crops(stand_in(transfer_v3(), "lite2")), 2)


_V1 = Reported("Milani 2017, table 2", val=0.7475, test=0.668)
_V2 = Reported("Milani 2017, table 2", val=0.761, test=0.686)
_V3 = Reported("Milani 2017, table 2", val=0.767, test=0.691)

ROWS: Mapping[str, Row] = {
    "milani-inception": Row(Reported("Milani 2017, table 1 and section 3.3", train=0.8, val=0.485), inception),
    "milani-snapshots": Row(Reported("Milani 2017, table 1", val=0.522, test=0.477), study="milani-snapshots"),
    "milani-inception-regularized": Row(Reported("Milani 2017, table 1", val=0.461), inception_regularized),
    "milani-snapshots-regularized": Row(
        Reported("Milani 2017, table 1", val=0.468, test=0.428), study="milani-snapshots-regularized"
    ),
    "milani-transfer-v1": Row(_V1, transfer_v1),
    "milani-transfer-v1-lite2": Row(_V1, transfer_v1_lite2),
    "milani-transfer-v2": Row(_V2, transfer_v2),
    "milani-transfer-v2-lite2": Row(_V2, transfer_v2_lite2),
    "milani-transfer-v3": Row(_V3, transfer_v3),
    "milani-transfer-v3-lite2": Row(_V3, transfer_v3_lite2),
}

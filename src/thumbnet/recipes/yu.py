"""Yu, Convolutional Neural Networks for Tiny ImageNet Classification (2017), a poster.

Stated for ResNet-20: SGD with momentum 0.9, learning rate 0.1, batches of 256, weight decay 1e-4, 5 epochs; images
centred on the mean. Its table is doubtful: the baseline and ResNet-20 show the same val figure, and the author's
longer paper gives ResNet-20 as 55.4% val and 45% test.

What the poster does not say, and what was chosen: the other networks' training (the same, with a learning rate of 0.01
where there is no batch norm before every activation), a constant rate, no augmentation, the normalisation (channel
statistics), and the precision (bfloat16 products with float32 weights, for speed).
"""

from collections.abc import Mapping
from dataclasses import replace

from thumbnet.recipe import (
    Evaluation,
    Loss,
    Model,
    Optimizer,
    Phase,
    Recipe,
    Schedule,
    epochs,
)
from thumbnet.recipes.offline import stand_in, with_cached_features
from thumbnet.recipes.rows import Reported, Row
from thumbnet.recipes.shared import IMAGENET_STATISTICS, zoom


def resnet20() -> Recipe:
    """A bottleneck ResNet of 20 layers for five epochs.

    Reported (table 1): train 65.1%, val 54.4%, test 55.4%. Five epochs to 54% from scratch is not plausible; this
    row measures it.
    """
    return _trained("yu-resnet20", Model("yu-resnet20"), 0.1)


def resnet20_plus() -> Recipe:
    """The bottleneck ResNet of 20 layers, changed to pass the report's figure.

    What had to change of `yu-resnet20`: four times the epochs, in batches of half the size; random resized crops and
    flips; one cycle of a higher learning rate; label smoothing; and images enlarged to 80 and 96 pixels in the later
    epochs, since the network's first two layers leave but 16x16 places of 64x64 pixels. Judged at 112 pixels, which
    shows things at the scale that crops of 96 pixels have (75% of the area on average).
    """
    return replace(
        _improved("yu-resnet20+", Model("yu-resnet20"), 0.2, {64: 12, 80: 6, 96: 4}, judged_at=112),
        batch_size=128,
    )


def alexnet() -> Recipe:
    """The AlexNet of reduced capacity of table 2.

    Reported (table 1): train 43.2%, val 43.7%, test 33.4%.
    """
    return _trained("yu-alexnet", Model("yu-alexnet"), 0.01)


def alexnet_plus() -> Recipe:
    """The AlexNet of reduced capacity, changed to pass the report's figure.

    What had to change of `yu-alexnet`: three times the epochs, at 48 pixels to pay for them; random resized crops and
    flips, without which the network memorises the images; one cycle of a higher learning rate; label smoothing.
    """
    return _improved("yu-alexnet+", Model("yu-alexnet"), 0.04, {48: 16}, judged_at=48)


def vgg() -> Recipe:
    """A VGGNet of reduced capacity.

    Reported (table 1): train 54.6%, val 45.9%, test 39.4%. The network is not described (see `yu-vgg` of the
    networks).
    """
    return _trained("yu-vgg", Model("yu-vgg"), 0.01)


def inception() -> Recipe:
    """GoogLeNet from scratch.

    Reported (table 1): train 76.0%, val 50.4%, test 49.4%, as "Inception". Chosen: torchvision's GoogLeNet, which has
    batch norm, without side classifiers and from torch's own initial weights: conv7x7-64 stride 2, pool, conv1x1-64,
    conv3x3-192, pool, nine inception blocks of 256 to 1,024 channels with two pools between them, 5,804,904
    parameters and 122 million multiply-adds at 64 pixels.
    """
    return _trained("yu-inception", Model("torchvision/googlenet"), 0.1)


def squeezenet() -> Recipe:
    """SqueezeNet: fire modules.

    No figure reported. Chosen: torchvision's SqueezeNet 1.1 and a learning rate of 0.01: conv3x3-64 stride 2,
    pool, eight fire modules of 128 to 512 channels with two pools between them, conv1x1-200, global average pool,
    825,096 parameters and 18 million multiply-adds at 64 pixels.
    """
    return _trained("yu-squeezenet", Model("torchvision/squeezenet1_1"), 0.01)


def baseline() -> Recipe:
    """A plain network as a baseline: three blocks of convolution, batch norm, ReLU and pool.

    Reported (table 1): train 65.4%, val 54.4%, test 43.0%, without a word on the network. Chosen: `small` at a width
    of 64: 64, 128 and 256 filters of 3x3, 422,664 parameters and 158 million multiply-adds at 64 pixels.
    """
    return _trained("yu-baseline", Model("small", {"width": 64}), 0.1)


def transfer() -> Recipe:
    """The head of ImageNet's GoogLeNet trained anew at 224 pixels.

    No figure reported. Chosen: the head alone, at 0.01, for five epochs.
    """
    model = Model("torchvision/googlenet", {"transform_input": True}, weights="imagenet")
    recipe = _trained("yu-transfer", model, 0.01)
    return replace(
        recipe,
        phases=(Phase(epochs(5), image_size=224, trainable="head"),),
        normalization=IMAGENET_STATISTICS,
    )


def transfer_lite0() -> Recipe:
    """The same from a pretrained network that installs offline, EfficientNet-Lite0, on features computed once."""
    return with_cached_features(stand_in(transfer(), "lite0"), 1)


def _trained(name: str, model: Model, rate: float) -> Recipe:
    return Recipe(
        name=name,
        model=model,
        optimizer=Optimizer("sgd", lr=rate, weight_decay=1e-4, options={"momentum": 0.9}),
        phases=(Phase(epochs(5)),),
        batch_size=256,
        evaluation=Evaluation(splits=("val",)),
        precision="bf16",
        channels_last=True,
        train_on="all",
        selected_on="val",
    )


def _improved(name: str, model: Model, rate: float, lengths: Mapping[int, int], judged_at: int) -> Recipe:
    """Return a twin that trains so many epochs at each size, in pixels, and is judged at a size of its own."""
    return replace(
        _trained(name, model, rate),
        optimizer=Optimizer("nesterov", lr=rate, weight_decay=5e-4, no_decay="norm_and_bias"),
        phases=tuple(
            Phase(epochs(length), policies=(zoom(size),), image_size=size) for size, length in lengths.items()
        ),
        schedule=Schedule("one_cycle", options={"peak_at": 0.25}),
        loss=Loss(label_smoothing=0.1),
        evaluation=Evaluation(every=epochs(4), splits=("val",), train_images=2000, image_size=judged_at),
    )


_TABLE = "Yu 2017, table 1"

ROWS: Mapping[str, Row] = {
    "yu-baseline": Row(Reported(_TABLE, 0.654, 0.544, 0.4304), baseline),
    "yu-alexnet": Row(Reported(_TABLE, 0.432, 0.4365, 0.334), alexnet),
    "yu-alexnet+": Row(Reported(_TABLE, 0.432, 0.4365, 0.334), alexnet_plus),
    "yu-vgg": Row(Reported(_TABLE, 0.5462, 0.4588, 0.394), vgg),
    "yu-inception": Row(Reported(_TABLE, 0.7603, 0.5043, 0.494), inception),
    "yu-resnet20": Row(Reported(_TABLE, 0.6508, 0.544, 0.554), resnet20),
    "yu-resnet20+": Row(Reported(_TABLE, 0.6508, 0.544, 0.554), resnet20_plus),
    "yu-squeezenet": Row(Reported(_TABLE, text="no figure"), squeezenet),
    "yu-transfer": Row(Reported(_TABLE, text="no figure"), transfer),
    "yu-transfer-lite0": Row(Reported(_TABLE, text="no figure"), transfer_lite0),
}

"""Hansen, Tiny ImageNet Challenge Submission (2015).

Common to all rows (section 4): Caffe with AlexNet's settings: SGD with momentum 0.9, learning rate 0.01, weight decay
5e-4, batches of 256, random crops of 60 pixels and mirroring; judged on the central 60 pixels, as Caffe does.

What the report does not say, and what was chosen: the lengths (its rates fall every so many iterations, but it does
not say when training ended), the normalisation (of `hansen-alexnet` Caffe's scale, which its initial weights were made
for, less the channels' means where Caffe subtracts the mean image; of the others channel statistics), and the
precision (bfloat16 products with float32 weights, for speed). Biases learn at the rate of the weights and decay as
they do, and so do the slopes of PReLU; Caffe's file doubles the rate of biases and spares them the decay.
"""

from collections.abc import Mapping
from dataclasses import replace

from thumbnet.recipe import Evaluation, Model, Normalization, Optimizer, Phase, Recipe, Schedule, iterations, operation
from thumbnet.recipes.rows import Reported, Row


def alexnet() -> Recipe:
    """Caffe's AlexNet with local response normalisation, at crops of 60 pixels.

    Reported (section 4.1): val 25%, with the default schedule: 0.01, divided by 10 every 100,000 iterations. Chosen:
    20,000 iterations (51 epochs), which the first step of that schedule outlasts.
    """
    recipe = _trained("hansen-alexnet", Model("hansen-alexnet"), 20_000, 100_000)
    return replace(recipe, normalization=Normalization(std=(1 / 255, 1 / 255, 1 / 255)))


def alexnet_3x3() -> Recipe:
    """AlexNet without normalisation layers, with smaller pools and mostly 3x3 filters.

    Reported (section 4.1): val 35%, with the rate divided by 10 every 5,000 iterations. Chosen: three such stretches,
    15,000 iterations (38 epochs).
    """
    return _trained("hansen-alexnet-3x3", Model("hansen-alexnet-3x3"), 15_000, 5000)


def prelu() -> Recipe:
    """The same with PReLU in place of every ReLU, and Xavier initialisation, on a longer schedule.

    Reported (section 4.1): val 45%, after 1.5 days with the rate lowered by hand. Chosen: divided by 10 every 20,000
    iterations, 60,000 in all (153 epochs).
    """
    return _trained("hansen-prelu", _PRELU, 60_000, 20_000)


def prelu_development() -> Recipe:
    """PReLU under the schedule of `hansen-alexnet-3x3`: what the activation alone changes.

    Reported (section 4.1): "almost 10%" more than ReLU, though under another schedule.
    """
    return _trained("hansen-prelu-development", _PRELU, 15_000, 5000)


def _trained(name: str, model: Model, length: int, every: int) -> Recipe:
    """Return a recipe of `length` iterations that divides the learning rate by 10 after each `every` of them."""
    policy = (operation("random_crop", size=60), operation("horizontal_flip"))
    return Recipe(
        name=name,
        model=model,
        optimizer=Optimizer("sgd", lr=0.01, weight_decay=5e-4, options={"momentum": 0.9}),
        phases=(Phase(iterations(length), policies=(policy,), image_size=60),),
        schedule=Schedule("step", options={"every": f"{every} iterations", "gamma": 0.1}),
        batch_size=256,
        evaluation=Evaluation(every=iterations(1000), policy=(operation("center_crop", crop=60, size=60),)),
        precision="bf16",
        channels_last=True,
        train_on="all",
        selected_on="val",
    )


_PRELU = Model("hansen-alexnet-3x3", {"activation": "prelu"})
_SECTION = "Hansen 2015, section 4.1"

ROWS: Mapping[str, Row] = {
    "hansen-alexnet": Row(Reported(_SECTION, val=0.25), alexnet),
    "hansen-alexnet-3x3": Row(Reported(_SECTION, val=0.35), alexnet_3x3),
    "hansen-prelu": Row(Reported(_SECTION, val=0.45), prelu),
    "hansen-prelu-development": Row(Reported(_SECTION, text="almost 10 points above ReLU"), prelu_development),
    "hansen-ensemble": Row(Reported(_SECTION, text="slightly below the single network"), study="hansen-ensemble"),
}

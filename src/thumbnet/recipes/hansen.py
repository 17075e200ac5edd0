"""Hansen, Tiny ImageNet Challenge Submission (2015).

Common to all rows (section 4): Caffe with AlexNet's settings: SGD with momentum 0.9, learning rate 0.01, weight decay
5e-4, batches of 256, random crops of 60 pixels and mirroring; judged on the central 60 pixels, as Caffe does.

What the report does not say, and what was chosen: the lengths (its rates fall every so many iterations, but it does
not say when training ended), the normalisation (channel statistics; Caffe subtracts the mean image), and the precision
(bfloat16 products with float32 weights, for speed). Caffe's doubled learning rate of biases is left out.
"""

from collections.abc import Mapping
from dataclasses import replace

from thumbnet.recipe import Evaluation, Model, Optimizer, Phase, Recipe, Schedule, iterations, operation
from thumbnet.recipes.rows import Reported, Row


def alexnet() -> Recipe:
    """Caffe's AlexNet with local response normalisation, at crops of 60 pixels.

    Reported (section 4.1): val 25%, with the default schedule: 0.01, divided by 10 every 100,000 iterations. Chosen:
    20,000 iterations (51 epochs), which the first step of that schedule outlasts.
    """
    return Recipe(
        name="hansen-alexnet",
        model=Model("hansen-alexnet"),
        optimizer=Optimizer("sgd", lr=0.01, weight_decay=5e-4, options={"momentum": 0.9}),
        phases=(
            Phase(
                iterations(20_000),
                policies=((operation("random_crop", size=60), operation("horizontal_flip")),),
                image_size=60,
            ),
        ),
        schedule=_annealed(100_000),
        batch_size=256,
        evaluation=Evaluation(every=iterations(1000), policy=(operation("center_crop", crop=60, size=60),)),
        precision="bf16",
        channels_last=True,
        train_on="all",
        selected_on="val",
    )


def alexnet_3x3() -> Recipe:
    """AlexNet without normalisation layers, with smaller pools and mostly 3x3 filters.

    Reported (section 4.1): val 35%, with the rate divided by 10 every 5,000 iterations. Chosen: three such stretches,
    15,000 iterations (38 epochs).
    """
    return _developed("hansen-alexnet-3x3", Model("hansen-alexnet-3x3"))


def prelu() -> Recipe:
    """The same with PReLU in place of every ReLU, and Xavier initialisation, on a longer schedule.

    Reported (section 4.1): val 45%, after 1.5 days with the rate lowered by hand. Chosen: divided by 10 every 20,000
    iterations, 60,000 in all (153 epochs).
    """
    recipe = _developed("hansen-prelu", Model("hansen-alexnet-3x3", {"activation": "prelu"}))
    phase = replace(recipe.phases[0], length=iterations(60_000))
    return replace(recipe, phases=(phase,), schedule=_annealed(20_000))


def prelu_development() -> Recipe:
    """PReLU under the schedule of `hansen-alexnet-3x3`: what the activation alone changes.

    Reported (section 4.1): "almost 10%" more than ReLU, though under another schedule.
    """
    return _developed("hansen-prelu-development", Model("hansen-alexnet-3x3", {"activation": "prelu"}))


def _developed(name: str, model: Model) -> Recipe:
    """Return a recipe under the report's development schedule."""
    recipe = alexnet()
    phase = replace(recipe.phases[0], length=iterations(15_000))
    return replace(recipe, name=name, model=model, phases=(phase,), schedule=_annealed(5000))


def _annealed(every: int) -> Schedule:
    return Schedule("step", options={"every": f"{every} iterations", "gamma": 0.1})


_SECTION = "Hansen 2015, section 4.1"

ROWS: Mapping[str, Row] = {
    "hansen-alexnet": Row(Reported(_SECTION, val=0.25), alexnet),
    "hansen-alexnet-3x3": Row(Reported(_SECTION, val=0.35), alexnet_3x3),
    "hansen-prelu": Row(Reported(_SECTION, val=0.45), prelu),
    "hansen-prelu-development": Row(Reported(_SECTION, text="almost 10 points above ReLU"), prelu_development),
    "hansen-ensemble": Row(Reported(_SECTION, text="slightly below the single network"), study="hansen-ensemble"),
}

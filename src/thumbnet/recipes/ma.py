"""Ma, Tiny ImageNet Challenge (2017).

From scratch (section 5.4): ResNet-18, all training images, batches of 256, Adam at 1e-4 for the first 7 epochs, weight
decay 1e-4, 10 epochs, no augmentation; first-layer filters after initialisation, 2, 6 and 10 epochs.

What the report does not say, and what was chosen: the learning rate of epochs 8 to 10 (1e-5, the value that its
fine-tuning ends with), the input size (see the recipes), weight decay as Adam's own L2 penalty (as torch had it in
2017), the normalisation (channel statistics of the training split), and the precision (bfloat16 products with float32
weights, for speed).
"""

from dataclasses import replace

from thumbnet.recipe import Checkpointing, Evaluation, Model, Optimizer, Phase, Recipe, Schedule, epochs


def scratch() -> Recipe:
    """ResNet-18 from scratch on images resized to 224 pixels.

    Reported: val about 40% after 10 epochs. The report does not state the size; the code that it builds on resizes to
    224. About 12 times the work of `ma-scratch-64`: some 9 hours on two CPU cores.
    """
    return Recipe(
        name="ma-scratch",
        model=Model("resnet18"),
        optimizer=Optimizer("adam", lr=1e-4, weight_decay=1e-4),
        phases=(Phase(epochs(10), image_size=224),),
        schedule=Schedule("step", options={"every": "7 epochs", "gamma": 0.1}),
        batch_size=256,
        evaluation=Evaluation(splits=("val",)),
        checkpointing=Checkpointing(filters=(2, 6, 10)),
        precision="bf16",
        channels_last=True,
        train_on="all",
        selected_on="val",
    )


def scratch_64() -> Recipe:
    """The same at the data's own 64 pixels.

    Reported: val about 40% (of the size that `ma-scratch` discusses). Measured: `records/ma-scratch-64.json`.
    """
    recipe = scratch()
    return replace(recipe, name="ma-scratch-64", phases=(Phase(epochs(10)),))

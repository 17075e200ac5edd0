"""Mkrtchyan, Convolutional Neural Networks on Tiny ImageNet (2022).

Common to all rows (section 2): RAdam with betas 0.9 and 0.999, eps 1e-8 and L2 penalty 1e-4, batches of 256, 20
epochs, learning rate 1e-3 unless the name says otherwise, all 100,000 training images, the best epoch on val reported.

What the report does not say, and what was chosen: the normalisation (channel statistics of the training split), the
order of operations in a set (as listed), the interpolation of the rotation (nearest, torchvision's default) and what
fills its corners (black, likewise), how val is prepared (normalised only), the initialisation (torch's), and the
precision (bfloat16 products with float32 weights, for speed: M1's first 450 losses agree with float32's to 0.005).
The L2 penalty goes into the gradient, as torch's RAdam has it; taken off the weights instead, M1 learns the same.
"""

from dataclasses import replace

from thumbnet.recipe import Evaluation, Model, Optimizer, Phase, Policy, Recipe, Schedule, epochs, operation

SET_1: Policy = (
    operation("horizontal_flip"),
    operation("center_crop", crop=56),
)
"""Augmentation set 1 (section 1): random horizontal flip, centre crop 56, resized back to 64."""

SET_2: Policy = (
    operation("rotation", degrees=10),
    operation("horizontal_flip"),
    operation("vertical_flip"),
    operation("gaussian_blur", kernel_size=5, sigma=[0.1, 2.0]),
)
"""Augmentation set 2 (section 1): rotation up to 10 degrees, both flips, Gaussian blur."""


def m1() -> Recipe:
    """Ting's M1 on both augmentation sets: the effect of more augmentation.

    Reported: val 29.5% after 7 epochs, then oscillating around 29% (figure 3). Each image is seen once under each set
    in an epoch, 200,000 a pass. Measured: `records/mkrtchyan-m1.json`.
    """
    return Recipe(
        name="mkrtchyan-m1",
        model=Model("m1"),
        optimizer=Optimizer("radam", lr=1e-3, weight_decay=1e-4, options={"betas": [0.9, 0.999], "eps": 1e-8}),
        phases=(Phase(epochs(20), policies=(SET_1, SET_2)),),
        schedule=Schedule("constant"),
        batch_size=256,
        evaluation=Evaluation(splits=("val",)),
        precision="bf16",
        channels_last=True,
        train_on="all",
        selected_on="val",
    )


def m1_plus() -> Recipe:
    """Ting's M1 past its report's figure: the learning rate falls to zero, and set 2 neither blurs nor turns upside down.

    What had to change of `mkrtchyan-m1`: a cosine schedule in place of a constant rate, and set 2 without vertical
    flip and Gaussian blur, which the images that are judged never show. Measured: `records/mkrtchyan-m1+.json`.
    """
    gentle = tuple(one for one in SET_2 if one.name not in ("vertical_flip", "gaussian_blur"))
    return replace(
        m1(),
        name="mkrtchyan-m1+",
        phases=(Phase(epochs(20), policies=(SET_1, gentle)),),
        schedule=Schedule("cosine"),
    )


def m1_set1() -> Recipe:
    """Ting's M1 on augmentation set 1 only.

    Reported: val almost 22% after 20 epochs (figure 2). Measured: `records/mkrtchyan-m1-set1.json`.
    """
    recipe = m1()
    return replace(recipe, name="mkrtchyan-m1-set1", phases=(Phase(epochs(20), policies=(SET_1,)),))


def m1_lr1e_4() -> Recipe:
    """Ting's M1 on both sets at a tenth of the learning rate.

    Reported: val 22.8% after 20 epochs, train 28% (figure 4). Measured: `records/mkrtchyan-m1-lr1e-4.json`.
    """
    recipe = m1()
    return replace(recipe, name="mkrtchyan-m1-lr1e-4", optimizer=replace(recipe.optimizer, lr=1e-4))


def m4() -> Recipe:
    """Ting's M4 on both sets.

    Reported: val 35.9%, overfitting from epoch 7 on (figure 6). About 6 times the multiply-adds of M1.
    """
    return replace(m1(), name="mkrtchyan-m4", model=Model("m4"))

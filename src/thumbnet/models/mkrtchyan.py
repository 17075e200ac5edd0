"""Mkrtchyan's AlexNet (Convolutional Neural Networks on Tiny ImageNet, 2022, section 2)."""

from torch import nn

from thumbnet.errors import RecipeError


def alexnet(classes: int, image_size: int) -> nn.Module:
    """Return torchvision's AlexNet with its 1,000 outputs, and one more fully connected layer on top of them.

    The report: "final fully connected layer is of 1000 dimension thus, I added one more fully connected layer to
    transform the output from 1000 to 200 dimensions". Nothing stands between the two layers, since the report names
    nothing else that was added; the two start as torch draws them.

    With 200 outputs: 61,301,040 parameters, 98 million multiply-adds at 64 pixels. The features of a 64-pixel image
    have one position, which the pool to 6x6 repeats.
    """
    if image_size < 63:
        raise RecipeError(f"model mkrtchyan-alexnet: images of {image_size} pixels are too small for it; 63 is enough")
    import torchvision  # takes longer than torch itself, so only the networks that need it import it

    return nn.Sequential(torchvision.models.alexnet(num_classes=1000), nn.Linear(1000, classes))

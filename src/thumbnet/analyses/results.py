"""What each analysis holds."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from thumbnet import metrics
from thumbnet.analyses.storage import Analysis, Form

Choice = Literal["given", "milani", "confused", "all"]
"""Why these classes: they were asked for, are those of Milani's figure 11, are confused most, or are all there are."""


@dataclass(frozen=True, eq=False)
class Embedding(Analysis):
    """Features of the images of a few classes in two dimensions, by PCA and by t-SNE.

    Attributes:
        judged: bool [P], whether a point is an image of `split`; the others are training images.
        positions: i64 [P], of the images in their packed splits.
        labels: i64 [P], their classes.
        pca: f32 [P,2], the first two principal components.
        tsne: f32 [P,2].
        split: packed split of the judged images ('val'; 'train' where they are the holdout).
        subset: what the judged images are called: 'val' or 'holdout'.
        classes: labels of the chosen classes.
        choice: why these.
        explained: shares of the variance that the two components explain; nan where all features are the same.
        perplexity: of t-SNE.
        seed: of t-SNE.
        width: number of features of an image.
    """

    KIND: ClassVar[str] = "embedding"

    judged: Annotated[NDArray[np.bool_], Form("?", "P")]
    positions: Annotated[NDArray[np.int64], Form("i8", "P")]
    labels: Annotated[NDArray[np.int64], Form("i8", "P")]
    pca: Annotated[NDArray[np.float32], Form("f4", "P", 2)]
    tsne: Annotated[NDArray[np.float32], Form("f4", "P", 2)]
    split: str
    subset: str
    classes: tuple[int, ...]
    choice: Choice
    explained: tuple[float, float]
    perplexity: float
    seed: int
    width: int


@dataclass(frozen=True, eq=False)
class Neighbours(Analysis):
    """The training images whose features are most like those of each judged image.

    Attributes:
        positions: i64 [Q], of the judged images in their packed split.
        labels: i64 [Q], theirs.
        found: i64 [Q,k], positions of the nearest training images, nearest first.
        found_labels: i64 [Q,k], theirs.
        similarity: f32 [Q,k], cosines between the features.
        split: packed split of the judged images.
        subset: what they are called: 'val' or 'holdout'.
    """

    KIND: ClassVar[str] = "neighbours"

    positions: Annotated[NDArray[np.int64], Form("i8", "Q")]
    labels: Annotated[NDArray[np.int64], Form("i8", "Q")]
    found: Annotated[NDArray[np.int64], Form("i8", "Q", "k")]
    found_labels: Annotated[NDArray[np.int64], Form("i8", "Q", "k")]
    similarity: Annotated[NDArray[np.float32], Form("f4", "Q", "k")]
    split: str
    subset: str

    def nearest_correct(self) -> NDArray[np.bool_]:
        """Return whether the nearest training image is of the judged image's class, bool [Q]."""
        return np.asarray(self.found_labels[:, 0] == self.labels)


@dataclass(frozen=True, eq=False)
class Maps(Analysis):
    """Grad-CAM: where in an image the evidence for a class lies (Selvaraju et al. 2017).

    Attributes:
        positions: i64 [M], of the images in their packed split.
        labels: i64 [M], theirs.
        predicted: i64 [M], the classes of the highest logits.
        for_predicted: f32 [M,h,h], map for the predicted class, 0 or more, in units of the logit's gradient.
        for_label: f32 [M,h,h], map for the image's own class.
        split: packed split of the images.
        subset: what they are called: 'val' or 'holdout'.
        layer: name of the network's part whose output is mapped.
        channels: of that output.
        box: the part of the image that the network sees: top, left, height and width as shares of the side.
        note: why the maps say little, where they do.
    """

    KIND: ClassVar[str] = "maps"

    positions: Annotated[NDArray[np.int64], Form("i8", "M")]
    labels: Annotated[NDArray[np.int64], Form("i8", "M")]
    predicted: Annotated[NDArray[np.int64], Form("i8", "M")]
    for_predicted: Annotated[NDArray[np.float32], Form("f4", "M", "h", "h")]
    for_label: Annotated[NDArray[np.float32], Form("f4", "M", "h", "h")]
    split: str
    subset: str
    layer: str
    channels: int
    box: tuple[float, float, float, float]
    note: str | None


@dataclass(frozen=True, eq=False)
class Layers(Analysis):
    """A few images on their way through the first layers, and the second convolution's weights (Hansen's figure 4).

    Attributes:
        positions: i64 [A], of the images in their packed split.
        labels: i64 [A], theirs.
        inputs: u8 [A,s,s,3], the images as the network sees them, before normalisation.
        first: f16 [A,C,a,a], output of the first convolution with the norm and activation behind it.
        second: f16 [A,D,b,b], of the second one; without channels where the network has only one.
        weights: f32 [O,I,u,v], the second convolution's weights; empty where there is none.
        split: packed split of the images.
        subset: what they are called: 'val' or 'holdout'.
        names: of the parts of the network whose outputs `first` and `second` are.
        channels: how many channels they have; at most the first 64 are stored.
        convolution: name of the second convolution, '' where there is none.
    """

    KIND: ClassVar[str] = "layers"

    positions: Annotated[NDArray[np.int64], Form("i8", "A")]
    labels: Annotated[NDArray[np.int64], Form("i8", "A")]
    inputs: Annotated[NDArray[np.uint8], Form("u1", "A", "s", "s", 3)]
    first: Annotated[NDArray[np.float16], Form("f2", "A", "C", "a", "a")]
    second: Annotated[NDArray[np.float16], Form("f2", "A", "D", "b", "b")]
    weights: Annotated[NDArray[np.float32], Form("f4", "O", "I", "u", "v")]
    split: str
    subset: str
    names: tuple[str, ...]
    channels: tuple[int, ...]
    convolution: str


@dataclass(frozen=True, eq=False)
class Robustness(Analysis):
    """What the network says of corrupted images, by corruption and severity (1 to 5).

    Attributes:
        positions: i64 [N], of the images in their packed split.
        labels: i64 [N], theirs.
        clean: i64 [N], the classes of the highest logits without corruption.
        predicted: i64 [K,5,N], the same for corrupted images; -1 where not computed yet.
        examples: u8 [K,5,s,s,3], one image under every corruption and severity.
        example: position of that image in the packed split.
        split: packed split of the images.
        subset: what they are called: 'val' or 'holdout'.
        corruptions: K names.
        parameters: of each corruption, one a severity.
        seed: of the noise.
        definition: version of the corruptions' definition.
    """

    KIND: ClassVar[str] = "robustness"

    positions: Annotated[NDArray[np.int64], Form("i8", "N")]
    labels: Annotated[NDArray[np.int64], Form("i8", "N")]
    clean: Annotated[NDArray[np.int64], Form("i8", "N")]
    predicted: Annotated[NDArray[np.int64], Form("i8", "K", 5, "N")]
    examples: Annotated[NDArray[np.uint8], Form("u1", "K", 5, "s", "s", 3)]
    example: int
    split: str
    subset: str
    corruptions: tuple[str, ...]
    parameters: tuple[tuple[float, ...], ...]
    seed: int
    definition: int

    def is_computed(self) -> NDArray[np.bool_]:
        """Return which cells are computed, bool [K,5]."""
        return np.asarray((self.predicted >= 0).all(axis=2))

    @property
    def is_complete(self) -> bool:
        """Whether every cell is computed."""
        return bool(self.is_computed().all())

    def accuracy(self) -> NDArray[np.float64]:
        """Return the top-1 accuracy of each cell, f64 [K,5], nan where it is not computed."""
        found = (self.predicted == self.labels).mean(axis=2)
        return np.asarray(np.where(self.is_computed(), found, np.nan))

    def clean_accuracy(self) -> metrics.Accuracy:
        """Return the accuracy without corruption."""
        return metrics.Accuracy.of(self.clean == self.labels)

    def cell(self, corruption: int, severity: int) -> metrics.Accuracy:
        """Return the accuracy of a computed cell; both numbers count from 0."""
        return metrics.Accuracy.of(self.predicted[corruption, severity] == self.labels)

    def mean_accuracy(self) -> float:
        """Return the mean of all cells' accuracies, nan where one is not computed."""
        return float(self.accuracy().mean())

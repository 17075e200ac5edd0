"""What a packed data set is: images of each class, their mean, colour, boxes, and what it holds twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thumbnet.packed import PackedDataset, PackedSplit
from thumbnet.report.facts.table import Missing, Table, finite, finite_list
from thumbnet.report.facts.twins import Twins
from thumbnet.report.subject import short_names
from thumbnet.watch import Watch, silent

AREA_BINS = 20


@dataclass(frozen=True, eq=False)
class Boxes:
    """The boxes of the splits that have some.

    Args:
        counts: boxes by split.
        area: share of the image that each box covers, i64[20] boxes in equal ranges from 0 to 1.
        mean_area: its mean.
        coverage: f64[H,W], share of the boxes that cover each pixel.
        class_area: f64[K], mean share by class; nan where it has no box.
    """

    counts: Mapping[str, int]
    area: NDArray[np.int64]
    mean_area: float
    coverage: NDArray[np.float64]
    class_area: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DataFacts:
    """A packed data set in figures.

    Args:
        dataset: packed.
        names: short names of its classes.
        per_class: i64[K] images of each class by split, of those with labels.
        unlabelled: images without a label by split, where there are any.
        grey: images without colour by split.
        grey_per_class: i64[K], of labelled images of all splits.
        mean: f64[3], mean of each channel over the split of `means_of`, in [0, 1].
        deviation: f64[3], standard deviation of each channel there.
        means: f32[K,H,W,3], mean image of each class there, in 0 to 255; nan where the class has none.
        means_of: the split that `mean`, `deviation` and `means` are of.
        boxes: or why there are none.
        twins: duplicates.
    """

    dataset: PackedDataset
    names: tuple[str, ...]
    per_class: Mapping[str, NDArray[np.int64]]
    unlabelled: Mapping[str, int]
    grey: Mapping[str, int]
    grey_per_class: NDArray[np.int64]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    means: NDArray[np.float32]
    means_of: str
    boxes: Boxes | Missing
    twins: Twins

    def to_json(self) -> dict[str, Any]:
        """Return the figures of the whole set; shares are fractions."""
        one, counts = self.dataset, self.dataset.counts
        boxes: dict[str, Any] = (
            self.boxes.to_json()
            if isinstance(self.boxes, Missing)
            else {
                "counts": dict(self.boxes.counts),
                "mean_area": finite(self.boxes.mean_area),
                "area_histogram": self.boxes.area.tolist(),
            }
        )
        return {
            "name": one.name,
            "fingerprint": one.fingerprint,
            "image_size": one.image_size,
            "classes": len(one.classes),
            "counts": dict(counts),
            "unlabelled": dict(self.unlabelled),
            "images_per_class": {
                split: {"least": int(found.min()), "most": int(found.max()), "none": int((found == 0).sum())}
                for split, found in self.per_class.items()
            },
            "greyscale": {split: {"images": n, "share": n / counts[split]} for split, n in self.grey.items()},
            "channels": {"of": self.means_of, "mean": self.mean.tolist(), "deviation": self.deviation.tolist()},
            "boxes": boxes,
            "duplicates": self.twins.to_json(),
        }

    def tables(self) -> Sequence[Table]:
        """Return one row a class, and one a pair of duplicates."""
        ids = [info.id for info in self.dataset.classes]
        colours = self.means.mean(axis=(1, 2), dtype=np.float64) / 255
        columns: list[Sequence[Any]] = [ids, [info.name for info in self.dataset.classes]]
        columns += [found.tolist() for found in self.per_class.values()]
        columns += [self.grey_per_class.tolist(), *(finite_list(channel) for channel in colours.T)]
        header = ("class", "name", *self.per_class, "greyscale", "mean_red", "mean_green", "mean_blue")
        if isinstance(self.boxes, Boxes):
            columns.append(finite_list(self.boxes.class_area))
            header = (*header, "mean_box_area")
        return Table("classes", header, list(zip(*columns, strict=True))), self.twins.table(ids)


def make_data_facts(dataset: PackedDataset, twins: Twins, watch: Watch = silent) -> DataFacts:
    """Return the figures of a packed data set.

    Args:
        dataset: packed, and verified before.
        twins: its duplicates.
        watch: is told how far it is.
    """
    splits = [dataset.split(name, verify=False) for name in dataset.split_names]
    count = len(dataset.classes)
    means_of = next((one for one in splits if (one.labels >= 0).any()), splits[0])
    grey = {one.name: _grey(one, watch) for one in splits}
    labelled = [one.labels[grey[one.name] & (one.labels >= 0)] for one in splits]
    mean, deviation, means = _means(means_of, count, watch)
    return DataFacts(
        dataset=dataset,
        names=short_names([(info.id, info.name) for info in dataset.classes]),
        per_class={
            one.name: np.bincount(one.labels[one.labels >= 0], minlength=count)
            for one in splits
            if (one.labels >= 0).any()
        },
        unlabelled={one.name: int((one.labels < 0).sum()) for one in splits if (one.labels < 0).any()},
        grey={name: int(found.sum()) for name, found in grey.items()},
        grey_per_class=np.bincount(np.concatenate(labelled), minlength=count),
        mean=mean,
        deviation=deviation,
        means=means,
        means_of=means_of.name,
        boxes=_boxes(splits, dataset),
        twins=twins,
    )


def _grey(split: PackedSplit, watch: Watch) -> NDArray[np.bool_]:
    """Return which images have three equal channels throughout, bool[N]."""
    found = np.zeros(len(split), dtype=np.bool_)
    for part in split.parts():
        chunk = split.images[part]
        red, green, blue = (chunk[..., channel].reshape(len(chunk), -1) for channel in range(3))
        found[part] = (red == green).all(axis=1) & (green == blue).all(axis=1)
        watch(f"looking for colour in {split.name}", part.stop, len(split))
    return found


def _means(
    split: PackedSplit, classes: int, watch: Watch
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]:
    """Return mean f64[3] and deviation f64[3] of the channels, and mean images f32[K,H,W,3] of the classes."""
    sums = np.zeros((classes, *split.images.shape[1:]), dtype=np.float32)
    total, squares = np.zeros(3), np.zeros(3)
    for part in split.parts():
        chunk = split.images[part].astype(np.float32)
        labels = split.labels[part]
        for label in np.unique(labels[labels >= 0]).tolist():
            sums[label] += chunk[labels == label].sum(axis=0)
        chunk /= 255
        values = chunk.reshape(-1, 3)
        total += values.sum(axis=0, dtype=np.float64)
        np.square(values, out=values)
        squares += values.sum(axis=0, dtype=np.float64)
        watch(f"mean images of {split.name}", part.stop, len(split))
    counts = np.bincount(split.labels[split.labels >= 0], minlength=classes).astype(np.float64)
    counts[counts == 0] = np.nan
    pixels = len(split) * split.images.shape[1] * split.images.shape[2]
    mean = total / pixels
    sums /= counts[:, None, None, None].astype(np.float32)
    return mean, np.sqrt(np.maximum(squares / pixels - mean * mean, 0)), sums


def _boxes(splits: Sequence[PackedSplit], dataset: PackedDataset) -> Boxes | Missing:
    side, classes = dataset.image_size, len(dataset.classes)
    known = [(one.name, one.boxes, one.labels) for one in splits if one.boxes is not None]
    known = [
        (name, boxes[(boxes >= 0).all(axis=1)], labels[(boxes >= 0).all(axis=1)]) for name, boxes, labels in known
    ]
    if not any(len(boxes) for _, boxes, _ in known):
        return Missing("the data has no boxes")
    boxes = np.concatenate([found for _, found, _ in known]).astype(np.int64)
    labels = np.concatenate([found for _, _, found in known])
    converted = dataset.facts.get("converted", {})
    # Boxes are in pixels of the source, and how large that was is not kept: larger or smaller, no area can be told.
    resized = any(converted.get(name, {}).get("resized") for name, found, _ in known if len(found))
    if resized or boxes.max() >= side:
        return Missing(
            "the boxes are in pixels of the source images, which were scaled when they were packed",
            f"pack the data at its own size instead of {side} pixels",
        )
    boxes[:, 2:] += 1  # a box holds its last row and column: one of the whole of 64 pixels ends at 63
    area = np.prod((boxes[:, 2:] - boxes[:, :2]).clip(0), axis=1) / side**2
    sure = labels >= 0
    counts = np.bincount(labels[sure], minlength=classes).astype(np.float64)
    counts[counts == 0] = np.nan
    return Boxes(
        counts={name: len(found) for name, found, _ in known},
        area=np.histogram(area, AREA_BINS, (0, 1))[0].astype(np.int64),
        mean_area=float(area.mean()),
        coverage=_coverage(boxes, side),
        class_area=np.bincount(labels[sure], weights=area[sure], minlength=classes) / counts,
    )


def _coverage(boxes: NDArray[np.int64], side: int) -> NDArray[np.float64]:
    """Return the share of boxes i64[B,4], ends excluded, that cover each pixel, f64[side,side]: sums of corners."""
    corners = np.zeros((side + 1, side + 1))
    left, top, right, bottom = boxes.T
    for rows, columns, sign in ((top, left, 1), (top, right, -1), (bottom, left, -1), (bottom, right, 1)):
        np.add.at(corners, (rows, columns), sign)
    return np.asarray(corners.cumsum(axis=0).cumsum(axis=1)[:side, :side] / len(boxes))

"""A small data set in Tiny ImageNet's layout: coloured shapes, one shape and colour a class, on noise."""

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

COLOURS = ("red", "green", "blue", "yellow", "magenta", "cyan", "white", "orange")
SHAPES = ("circle", "square", "triangle", "cross")


def class_ids(classes: int) -> list[str]:
    """Ids in the form of WordNet's, sorted."""
    return [f"n{10_000_000 + 7 * label}" for label in range(classes)]


def class_name(label: int) -> str:
    return f"{COLOURS[label % len(COLOURS)]} {SHAPES[(label + label // len(COLOURS)) % len(SHAPES)]}"


def draw(label: int, size: int, random: np.random.Generator) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """Draw one image of a class and return it with the box around the shape (x0, y0, x1, y1)."""
    noise: NDArray[np.uint8] = random.integers(0, 120, (size, size, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    colour, shape = class_name(label).split()
    radius = int(random.integers(size // 5, size // 3 + 1))
    x, y = (int(value) for value in random.integers(radius, size - radius, 2))
    box = (x - radius, y - radius, x + radius, y + radius)
    pen = ImageDraw.Draw(image)
    if shape == "circle":
        pen.ellipse(box, fill=colour)
    elif shape == "square":
        pen.rectangle(box, fill=colour)
    elif shape == "triangle":
        pen.polygon([(x, y - radius), (x - radius, y + radius), (x + radius, y + radius)], fill=colour)
    else:
        pen.line([(x - radius, y), (x + radius, y)], fill=colour, width=radius // 2)
        pen.line([(x, y - radius), (x, y + radius)], fill=colour, width=radius // 2)
    return image, box


def make_tiny_imagenet(
    folder: Path, *, classes: int = 4, train: int = 12, val: int = 4, test: int = 4, size: int = 64, seed: int = 0
) -> Path:
    """Write a data set in Tiny ImageNet's layout to `folder` and return it.

    Args:
        folder: made if it is not there.
        classes: number of classes.
        train: train images of each class.
        val: val images of each class.
        test: test images of each class.
        size: height and width of the images.
        seed: of all that is drawn.
    """
    random = np.random.default_rng(seed)
    ids = class_ids(classes)
    folder.mkdir(parents=True, exist_ok=True)
    # Like the original, wnids.txt is not sorted.
    (folder / "wnids.txt").write_text("".join(f"{wnid}\n" for wnid in reversed(ids)))
    (folder / "words.txt").write_text("".join(f"{wnid}\t{class_name(i)}, drawn\n" for i, wnid in enumerate(ids)))
    for label, wnid in enumerate(ids):
        images = folder / "train" / wnid / "images"
        images.mkdir(parents=True)
        lines = []
        for index in range(train):
            image, box = draw(label, size, random)
            image.save(images / f"{wnid}_{index}.JPEG", quality=90)
            lines.append("\t".join([f"{wnid}_{index}.JPEG", *map(str, box)]) + "\n")
        (folder / "train" / wnid / f"{wnid}_boxes.txt").write_text("".join(lines))
    _flat_split(folder, "val", random.permutation(np.repeat(np.arange(classes), val)), size, random)
    _flat_split(folder, "test", random.permutation(np.repeat(np.arange(classes), test)), size, random)
    return folder


def _flat_split(folder: Path, name: str, labels: NDArray[np.int64], size: int, random: np.random.Generator) -> None:
    ids = class_ids(int(labels.max()) + 1 if len(labels) else 0)
    images = folder / name / "images"
    images.mkdir(parents=True)
    lines = []
    for index, label in enumerate(labels.tolist()):
        image, box = draw(label, size, random)
        image.save(images / f"{name}_{index}.JPEG", quality=90)
        lines.append("\t".join([f"{name}_{index}.JPEG", ids[label], *map(str, box)]) + "\n")
    if name == "val":
        (folder / "val" / "val_annotations.txt").write_text("".join(lines))


def zip_folder(folder: Path, out: Path) -> Path:
    """Write the files of `folder`, below its own name, to the zip archive `out` and return it."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, f"{folder.name}/{path.relative_to(folder).as_posix()}")
    return out

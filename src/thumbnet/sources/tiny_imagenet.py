"""The layout of Tiny ImageNet, as an archive or an unpacked folder, of any number of classes and images.

    wnids.txt                          one class id (wnid) a line, in no order
    words.txt                          class id, tab, name
    train/<wnid>/images/<file>
    train/<wnid>/<wnid>_boxes.txt      file, x0, y0, x1, y1, separated by tabs
    val/images/<file>
    val/val_annotations.txt            file, wnid, x0, y0, x1, y1, separated by tabs
    test/images/<file>                 without labels

The data set: Stanford CS231N, http://cs231n.stanford.edu/tiny-imagenet-200.zip.
"""

from collections import Counter

from thumbnet.errors import DataError
from thumbnet.packed import ClassInfo
from thumbnet.sources.listing import ListedSplit, Listing, Row, check_classes, listed_split, text_lines
from thumbnet.sources.tree import FileTree, source_name

ANNOTATIONS = "val/val_annotations.txt"
OFFICIAL_NAME = "tiny-imagenet-200"
OFFICIAL_CLASSES = 200
OFFICIAL_PER_CLASS = {"train": 500, "val": 50}
OFFICIAL_TEST = 10_000

Box = tuple[int, int, int, int]


def is_tiny_imagenet(tree: FileTree) -> bool:
    """Say whether the source has the layout of Tiny ImageNet, or most of it."""
    if "wnids.txt" in tree or ANNOTATIONS in tree:
        return True
    classes = tree.folders("train")
    return bool(classes) and all(tree.folders(f"train/{wnid}") == ["images"] for wnid in classes)


def list_tiny_imagenet(tree: FileTree) -> Listing:
    """Check a source in the layout of Tiny ImageNet and list its images.

    Raises:
        DataError: something is missing, or the class list, annotations, boxes and images disagree.
    """
    wnids = _wnids(tree)
    notes: list[str] = []
    names = _names(tree, wnids, notes)
    labels = {wnid: label for label, wnid in enumerate(wnids)}
    splits = {"train": _train(tree, wnids), "val": _val(tree, labels)}
    test = tree.contents.get("test/images", [])
    if test:
        splits["test"] = listed_split("test", (Row(-1, base, f"test/images/{base}") for base in test))
    full = _is_full(splits, len(wnids))
    if not full:
        notes.append(
            "in Tiny ImageNet's layout, but not the full Tiny ImageNet (200 classes, 500 train, 50 val images each)"
        )
    return Listing(
        kind="tiny-imagenet",
        name=OFFICIAL_NAME if full else source_name(tree.source),
        classes=tuple(ClassInfo(wnid, names[wnid]) for wnid in wnids),
        splits=splits,
        facts={"full_tiny_imagenet": full},
        notes=notes,
    )


def _wnids(tree: FileTree) -> list[str]:
    if "wnids.txt" not in tree:
        raise DataError(f"{tree.where('wnids.txt')} is missing: it lists the classes; get the data again")
    wnids = [line.strip() for line in text_lines(tree, "wnids.txt") if line.strip()]
    wnid, times = Counter(wnids).most_common(1)[0] if wnids else ("", 0)
    if times > 1:
        raise DataError(f"{tree.where('wnids.txt')}: lists {wnid} {times} times; list each class once")
    check_classes(tree, wnids)
    # wnids.txt is not sorted; the packed class list is, as folder-based loaders have it.
    wnids.sort()
    unlisted = sorted(set(tree.folders("train")) - set(wnids))
    if unlisted:
        raise DataError(f"{tree.where('train/' + unlisted[0])}: this class is not in wnids.txt; add it or remove it")
    return wnids


def _names(tree: FileTree, wnids: list[str], notes: list[str]) -> dict[str, str]:
    names = {wnid: wnid for wnid in wnids}
    if "words.txt" not in tree:
        notes.append("words.txt is missing: classes are called by their ids")
        return names
    for line in text_lines(tree, "words.txt"):
        wnid, _, name = line.partition("\t")
        if wnid in names and name.strip():
            names[wnid] = name.strip()
    unnamed = sum(wnid == name for wnid, name in names.items())
    if unnamed:
        notes.append(f"words.txt names no word for {unnamed} classes: they are called by their ids")
    return names


def _train(tree: FileTree, wnids: list[str]) -> ListedSplit:
    rows = [row for label, wnid in enumerate(wnids) for row in _train_class(tree, wnid, label)]
    if len({row.image_id for row in rows}) != len(rows):
        # Other data may number the images of each class from zero.
        rows = [row._replace(image_id=f"{wnids[row.label]}/{row.image_id}") for row in rows]
    return listed_split("train", rows)


def _train_class(tree: FileTree, wnid: str, label: int) -> list[Row]:
    folder = f"train/{wnid}/images"
    bases = tree.contents.get(folder, [])
    if not bases:
        raise DataError(f"{tree.where(folder)}: the class {wnid} has no images; add some or take it out of wnids.txt")
    boxes: dict[str, Box] = {}
    boxes_file = f"train/{wnid}/{wnid}_boxes.txt"
    if boxes_file in tree:
        known = set(bases)
        for number, line in enumerate(text_lines(tree, boxes_file), start=1):
            if not line.strip():
                continue
            base, *fields = line.split("\t")
            where = f"{tree.where(boxes_file)} line {number}"
            if base not in known:
                raise DataError(f"{where}: names {base!r}, which is not in {folder}; correct the file")
            boxes[base] = _box(fields, where)
    return [Row(label, base, f"{folder}/{base}", boxes.get(base)) for base in bases]


def _val(tree: FileTree, labels: dict[str, int]) -> ListedSplit:
    if ANNOTATIONS not in tree:
        raise DataError(f"{tree.where(ANNOTATIONS)} is missing: it labels the val images; get the data again")
    images = set(tree.contents.get("val/images", []))
    rows: dict[str, Row] = {}
    for number, line in enumerate(text_lines(tree, ANNOTATIONS), start=1):
        if not line.strip():
            continue
        base, *rest = line.split("\t")
        where = f"{tree.where(ANNOTATIONS)} line {number}"
        if base not in images:
            raise DataError(f"{where}: names the image {base!r}, which is not in val/images; correct the file")
        wnid = rest[0].strip() if rest else ""
        if wnid not in labels:
            raise DataError(f"{where}: names the class {wnid!r}, which is not in wnids.txt; correct the file")
        if base in rows:
            raise DataError(f"{where}: {base} is annotated twice; keep one line for each image")
        box = _box(rest[1:], where) if rest[1:] else None
        rows[base] = Row(labels[wnid], base, f"val/images/{base}", box)
    missing = sorted(images - rows.keys())
    if missing:
        more = f" (and {len(missing) - 1:,} more)" if len(missing) > 1 else ""
        raise DataError(f"{tree.where('val/images/' + missing[0])}{more}: no line in val_annotations.txt; add it")
    if not rows:
        raise DataError(f"{tree.where('val/images')}: no images; get the data again")
    return listed_split("val", rows.values())


def _box(fields: list[str], where: str) -> Box:
    try:
        x0, y0, x1, y1 = map(int, fields)
    except ValueError as error:
        raise DataError(f"{where}: needs four whole numbers for the box, has {fields!r}; correct the file") from error
    if min(x0, y0, x1, y1) < 0 or max(x0, y0, x1, y1) >= 2**31:
        raise DataError(f"{where}: the box {fields!r} is out of range; correct the file")
    return x0, y0, x1, y1


def _is_full(splits: dict[str, ListedSplit], classes: int) -> bool:
    if classes != OFFICIAL_CLASSES or "test" not in splits or len(splits["test"].image_ids) != OFFICIAL_TEST:
        return False
    for split, expected in OFFICIAL_PER_CLASS.items():
        counts = Counter(splits[split].labels.tolist())
        if set(counts.values()) != {expected} or len(counts) != classes:
            return False
    return True

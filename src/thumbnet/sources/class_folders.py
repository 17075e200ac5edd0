"""Folders of class folders: `train/<class>/...` and `val/<class>/...`, or `<class>/...` with a val split cut from it.

A class is a folder, its id and name are the folder's name, and its images are the files with an image's suffix at any
depth below. `test/` is optional: folders that are all named like classes give labels, images without any such folder
have none.
"""

from collections.abc import Sequence

from thumbnet.errors import DataError, nearest
from thumbnet.packed import ClassInfo
from thumbnet.sources.listing import Listing, Row, check_classes, is_image, listed_split, smallest_by_hash
from thumbnet.sources.tree import FileTree, source_name

_ALSO_CALLED = {
    "train": {"train", "training"},
    "val": {"val", "vals", "valid", "validate", "validation", "dev", "development", "eval", "evaluation", "holdout"},
    "test": {"test", "tests", "testing"},
}
"""What the splits are called, here and elsewhere, in any case."""


def list_class_folders(tree: FileTree, val_fraction: float) -> Listing:
    """Check a source of class folders and list its images.

    Args:
        tree: the archive or folder.
        val_fraction: share of each class that becomes the val split where the source has none.

    Raises:
        DataError: there are no images, fewer than two classes, a class without images, a class of val unknown to train
            or some of test, a split by another name or without train, or no class with an image to spare for val.
    """
    top = tree.folders("")
    if not any(is_image(name) for name in tree.walk("")):
        raise DataError(
            f"{tree.source}: no images; give Tiny ImageNet's archive or folder, or a folder of class folders"
        )
    root = "train" if "train" in top else ""
    _check_names(tree, top)
    ids = tree.folders(root)
    check_classes(tree, ids)
    train = _labelled(tree, root, ids)
    facts: dict[str, object] = {}
    notes: list[str] = []
    if root and "val" in top:
        _check_known(tree, "val", ids)
        val = _labelled(tree, "val", tree.folders("val"), ids)
    else:
        chosen = smallest_by_hash(train, val_fraction)
        val = [row for row in train if row.image_id in chosen]
        train = [row for row in train if row.image_id not in chosen]
        notes += _without_val(tree, val, ids)
        facts["val_cut_from_train"] = {"fraction": val_fraction, "chosen_by": "smallest SHA-256 of the id, per class"}
    rows = {"train": train, "val": val}
    if root and "test" in top:
        rows["test"] = _test(tree, ids, notes)
    notes += _left_out(tree, root, {row.file for split in rows.values() for row in split})
    return Listing(
        kind="class-folders",
        name=source_name(tree.source),
        classes=tuple(ClassInfo(name, name) for name in ids),
        splits={name: listed_split(name, split) for name, split in rows.items() if split},
        facts=facts,
        notes=notes,
    )


def _check_names(tree: FileTree, top: Sequence[str]) -> None:
    """Refuse folders of images that are named like a split: otherwise than it must be called, or without train.

    A class may be called so where it lies in train.
    """
    meant = {
        folder: split
        for folder in top
        for split, names in _ALSO_CALLED.items()
        if folder.lower() in names and any(is_image(name) for name in tree.walk(folder))
    }
    splits = set(meant.values())
    if splits and "train" not in splits and "train" not in top:
        folder, split = next(iter(meant.items()))
        raise DataError(
            f"{tree.where(folder)}: named like the {split} split, which needs train beside it; put the class folders "
            f"into train (with {folder}, if that is a class)"
        )
    if len(splits) < 2:
        return
    for folder, split in meant.items():
        if split not in top:
            raise DataError(
                f"{tree.where(folder)}: looks like the {split} split, which must be called {split}; "
                f"rename it to {split}, or move it away to do without"
            )


def _left_out(tree: FileTree, root: str, listed: set[str]) -> list[str]:
    """Return a note for each reason for which files are not among the `listed`."""
    ignored = [name for name in tree.walk("") if name not in listed]
    reasons = {
        "in no class folder" + (" of train, val or test" if root else ""): [
            name for name in ignored if is_image(name)
        ],
        "not named like an image": [name for name in ignored if not is_image(name)],
    }
    return [
        f"left out, as {reason}: {len(names):,} of the files, first {names[0]}"
        for reason, names in reasons.items()
        if names
    ]


def _labelled(tree: FileTree, root: str, folders: Sequence[str], ids: Sequence[str] | None = None) -> list[Row]:
    """Return the images of the class folders in `root`; a label is the position in `ids` (by default `folders`)."""
    labels = {name: label for label, name in enumerate(ids or folders)}
    start = f"{root}/" if root else ""
    rows: list[Row] = []
    for folder in folders:
        found = [name for name in tree.walk(start + folder) if is_image(name)]
        if not found:
            raise DataError(f"{tree.where(start + folder)}: this class has no images; add some or remove the folder")
        rows += [Row(labels[folder], f"{folder}/{name}", f"{start}{folder}/{name}") for name in found]
    return rows


def _check_known(tree: FileTree, split: str, ids: Sequence[str]) -> None:
    folders = tree.folders(split)
    if not folders:
        raise DataError(f"{tree.where(split)}: no class folders; put the images into folders named as those in train")
    for folder in folders:
        if folder not in ids:
            raise DataError(f"{tree.where(f'{split}/{folder}')}: this class is not in train; {nearest(folder, ids)}")


def _without_val(tree: FileTree, val: Sequence[Row], ids: Sequence[str]) -> list[str]:
    """Return a note of the classes of which no image could be cut for `val`; there must be others."""
    labels = {row.label for row in val}
    single = [name for label, name in enumerate(ids) if label not in labels]
    if len(single) == len(ids):
        raise DataError(
            f"{tree.source}: each class has a single image, so no val split can be cut; "
            "add images, or give val/ beside train/"
        )
    if not single:
        return []
    return [f"val has none of the classes with a single image, which train keeps: {len(single):,}, first {single[0]}"]


def _test(tree: FileTree, ids: Sequence[str], notes: list[str]) -> list[Row]:
    folders = tree.folders("test")
    known = [folder for folder in folders if folder in ids]
    if known:
        _check_known(tree, "test", ids)
        return _labelled(tree, "test", folders, ids)
    if folders:
        notes.append(f"test has no labels: none of its folders is named like a class (first {folders[0]})")
    return [Row(-1, name, f"test/{name}") for name in tree.walk("test") if is_image(name)]

"""`thumbnet data`: pack a source, and tell what packed data holds."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from thumbnet.packed import PackedDataset

app = App(name="data", help="Pack images into one fast folder, and look at packed data.")

JsonFlag = Annotated[bool, Parameter(name="--json", negative=())]


@app.command
def pack(
    source: Annotated[str | None, Parameter(help="Archive, folder, or 'digits'; by default Tiny ImageNet.")] = None,
    /,
    *,
    out: Path | None = None,
    size: int | None = None,
    val_fraction: float = 0.1,
    threads: int = 0,
    as_json: JsonFlag = False,
) -> None:
    """Check every file of SOURCE and write it as packed data.

    SOURCE is a .zip archive or a folder, in Tiny ImageNet's layout or of class folders (train/ and val/, or one level
    of classes), or the word digits. Without SOURCE the official Tiny ImageNet archive is downloaded.

    Args:
        source: Archive, folder, or 'digits'.
        out: Folder to make. By default $THUMBNET_DATA, else one of the source's name in the user's cache folder.
        size: Height and width of the packed images. By default 64, and 32 for the digits. Other images are scaled by
            their shorter side and cropped at the centre.
        val_fraction: Share of each class that becomes val, where SOURCE has no val split.
        threads: Threads that decode; 0 is one for each processor.
        as_json: Print the facts as JSON.
    """
    from thumbnet import packed
    from thumbnet.sources import pack as pack_source

    chosen = None if source is None else Path(source)
    target = out or (packed.default_path() if chosen is None else packed.default_path(chosen.resolve().stem))
    with _progress() as progress:
        dataset = pack_source(
            "digits" if source == "digits" else chosen,
            target,
            size=size,
            val_fraction=val_fraction,
            threads=threads,
            progress=progress,
        )
    _show(dataset, as_json)


@app.command
def info(data: Path | None = None, /, *, as_json: JsonFlag = False) -> None:
    """Print what the packed folder DATA holds.

    Args:
        data: Packed folder. By default $THUMBNET_DATA, else one in the user's cache folder.
        as_json: Print the facts as JSON.
    """
    from thumbnet import packed

    _show(packed.load(data or packed.default_path()), as_json)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Yield a function that shows (done, total) on stderr: a live bar in a terminal, a line each tenth elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain_progress()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        task_of_total: dict[int, Any] = {}

        def show(done: int, total: int) -> None:
            # A download (in bytes) comes before the packing (in images): another total is another bar.
            if total not in task_of_total:
                task_of_total[total] = bars.add_task("reading", total=total)
            bars.update(task_of_total[total], completed=done)

        yield show


def _plain_progress() -> Callable[[int, int], None]:
    last = (0, 0)

    def show(done: int, total: int) -> None:
        nonlocal last
        tenth = (total, 10 * done // total)
        if tenth != last:
            last = tenth
            sys.stderr.write(f"{done:,} of {total:,}\n")

    return show


def facts_of(dataset: "PackedDataset") -> dict[str, Any]:
    """Return what `--json` prints of a packed data set."""
    return {
        "path": str(dataset.path),
        "name": dataset.name,
        "image_size": dataset.image_size,
        "classes": len(dataset.classes),
        "counts": dict(dataset.counts),
        "fingerprint": dataset.fingerprint,
        "facts": dict(dataset.facts),
    }


def _show(dataset: "PackedDataset", as_json: bool) -> None:
    import json

    if as_json:
        sys.stdout.write(json.dumps(facts_of(dataset), indent=2, ensure_ascii=False) + "\n")
        return
    rows = list(_rows(dataset))
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        sys.stdout.write(f"{name:<{width}}  {text}\n")


def _rows(dataset: "PackedDataset") -> Iterator[tuple[str, str]]:
    facts = dataset.facts
    yield "data", f"{dataset.name} ({facts.get('source', 'unknown source')})"
    yield "folder", str(dataset.path)
    yield "images", ", ".join(f"{name} {count:,}" for name, count in dataset.counts.items())
    yield (
        "classes",
        f"{len(dataset.classes)}: {', '.join(item.name.partition(',')[0] for item in dataset.classes[:3])}, ...",
    )
    for split, counts in facts.get("images_per_class", {}).items():
        low, high = min(counts.values()), max(counts.values())
        yield f"  {split}", f"{low:,} in each" if low == high else f"{low:,} to {high:,} in each"
    yield "size", f"{dataset.image_size} x {dataset.image_size} pixels, RGB"
    for split, kinds in facts.get("converted", {}).items():
        if kinds:
            yield f"converted, {split}", ", ".join(f"{kind} {count:,}" for kind, count in kinds.items())
    cut = facts.get("val_cut_from_train")
    if cut:
        yield "val", f"cut from train: {cut['fraction']:.0%} of each class, by {cut['chosen_by']}"
    yield "boxes", ", ".join(facts.get("boxes", [])) or "none"
    yield "identical files", _identical(facts.get("identical_files", {}))
    for note in facts.get("notes", []):
        yield "note", str(note)
    yield "fingerprint", dataset.fingerprint
    if "seconds" in facts:
        yield "packed in", f"{facts['seconds']:.1f} s"


def _identical(found: dict[str, Any]) -> str:
    if not found.get("pairs"):
        return "none"
    conflicting = found.get("conflicting_pairs_by_splits", {})
    parts = []
    for splits, pairs in sorted(found["pairs_by_splits"].items()):
        conflict = f" ({conflicting[splits]} with conflicting labels)" if splits in conflicting else ""
        parts.append(f"{splits} {pairs}{conflict}")
    return f"{found['pairs']} pairs: " + ", ".join(parts)

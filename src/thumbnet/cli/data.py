"""`thumbnet data`: pack a source, and tell what packed data holds."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from thumbnet.cli.options import JsonFlag, open_data
from thumbnet.cli.printing import plain_watch, print_json, show_page

if TYPE_CHECKING:
    from thumbnet.packed import PackedDataset
    from thumbnet.watch import Watch

_PackedArgument = Annotated[
    Path | None, Parameter(help="Packed folder; by default $THUMBNET_DATA, else one in the cache folder.")
]

app = App(name="data", help="Pack images into one fast folder, and look at packed data.")


@app.command
def pack(
    source: Annotated[str | None, Parameter(help="Archive, folder, or 'digits'; by default Tiny ImageNet.")] = None,
    /,
    *,
    out: Annotated[
        Path | None,
        Parameter(
            help="Folder to make; by default $THUMBNET_DATA, else one of the source's name in the cache folder."
        ),
    ] = None,
    size: Annotated[
        int | None, Parameter(help="Height and width of the packed images; by default 64, and 32 for the digits.")
    ] = None,
    val_fraction: Annotated[
        float, Parameter(help="Share of each class that becomes val, where SOURCE has no val split.")
    ] = 0.1,
    threads: Annotated[int, Parameter(help="Threads that decode; 0 is one for each processor.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Check every file of SOURCE and write it as packed data.

    SOURCE is a .zip archive or a folder, in Tiny ImageNet's layout or of class folders (train/ and val/, or one level
    of classes), or the word digits. Without SOURCE the official Tiny ImageNet archive is downloaded. Images of another
    size are scaled by their shorter side and cropped at the centre.
    """
    from thumbnet import packed
    from thumbnet.sources import pack as pack_source
    from thumbnet.sources import source_name, source_of

    chosen = source_of(source)
    target = out or (packed.default_path() if chosen is None else packed.default_path(source_name(chosen)))
    with _progress() as watch:
        dataset = pack_source(
            chosen,
            target,
            size=size,
            val_fraction=val_fraction,
            threads=threads,
            watch=watch,
        )
    _show(dataset, as_json)


@app.command
def info(data: _PackedArgument = None, /, *, as_json: JsonFlag = False) -> None:
    """Print what the packed folder DATA holds."""
    _show(open_data(data), as_json)


@app.command
def report(
    data: _PackedArgument = None,
    /,
    *,
    out: Annotated[Path, Parameter(help="The page (.html); its figures are written beside it.")] = Path(
        "data-report.html"
    ),
    cache: Annotated[
        Path | None,
        Parameter(help="Folder that duplicates are kept in; by default $THUMBNET_CACHE, else the user's own."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write one HTML page about the packed folder DATA, with its figures as JSON and CSV.

    It shows the images of each class and their mean, greyscale, boxes, and the images that are there twice or nearly
    so. Duplicates are searched once (a minute for 120,000 images) and kept in the cache, where `thumbnet report` finds
    them; with another --cache it does not.
    """
    from thumbnet.report.data_page import make_data_report
    from thumbnet.report.page import check_place, write_report

    check_place(out)
    dataset = open_data(data)
    with _progress() as watch:
        made = make_data_report(dataset, cache, watch)
    page, figures, tables = write_report(made, out)
    if as_json:
        print_json({**made.figures, "page": str(page)})
    else:
        show_page(page, figures, tables)


@contextmanager
def _progress() -> Iterator["Watch"]:
    """Yield a function that shows progress on stderr: a live bar in a terminal, a line now and then elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield plain_watch()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done)

        yield show


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
    if as_json:
        print_json(facts_of(dataset))
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
        each = [counts.get(item.id, 0) for item in dataset.classes]
        low, high = min(each), max(each)
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

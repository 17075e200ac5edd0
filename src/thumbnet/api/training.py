"""The Python API up to a trained run: data, recipes, training."""

import json
from collections.abc import Mapping
from pathlib import Path

from thumbnet import packed, sources
from thumbnet.errors import RecipeError
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Recipe, assign, to_json
from thumbnet.recipes import find_recipe
from thumbnet.run import RunDirectory
from thumbnet.train import Options, load_run_data, resume, start


def load_data(path: Path | str | None = None) -> PackedDataset:
    """Return the packed data in the folder `path`; by default that in `$THUMBNET_DATA`, else in the cache.

    Its `split("val")` has `images` u8[N,H,W,3], `labels` i64[N] and `image_ids`.

    Raises:
        DataError: there is no packed data, it is of another version, or a file of it is missing.
    """
    return packed.load(path_of(path) or packed.default_path())


def pack_data(
    source: Path | str | None,
    out: Path | str,
    *,
    size: int | None = None,
    val_fraction: float = 0.1,
    threads: int = 0,
) -> PackedDataset:
    """Check every file of a source, write it as packed data to the new folder `out`, and return it.

    Args:
        source: an archive or folder in Tiny ImageNet's layout or of class folders, or 'digits'; `None` downloads the
            official Tiny ImageNet archive.
        out: the folder to make.
        size: height and width of the packed images, in pixels; by default 64, and 32 for the digits.
        val_fraction: share of each class that becomes val, in (0, 1), where the source has no val split.
        threads: threads that decode; 0 is one for each processor.

    Raises:
        DataError: the source is missing, incomplete or damaged, an option is out of range, or 'digits' is the name of
            something in the current folder too, other than packed data.
        StorageError: `out` exists or cannot be written.
    """
    return sources.pack(sources.source_of(source), Path(out), size=size, val_fraction=val_fraction, threads=threads)


def make_recipe(name: str, settings: Mapping[str, object] | None = None) -> Recipe:
    """Return a recipe by name or path (of a `recipe.json`), with some of its settings replaced.

    Args:
        name: as `thumbnet recipes` lists them, or the path of a JSON file.
        settings: values by dotted key, such as `{"optimizer.lr": 0.01, "phases.0.length": "5 epochs"}`.

    Raises:
        RecipeError: an unknown name or key (with the nearest ones), or a value of the wrong type or range.
        StorageError: the file cannot be read.
    """
    return assign(find_recipe(name), {key: _as_text(key, value) for key, value in (settings or {}).items()})


def train_recipe(
    recipe: Recipe,
    data: PackedDataset,
    out: Path | str,
    *,
    device: str = "auto",
    threads: int | None = None,
    quiet: bool = False,
    cache: Path | str | None = None,
) -> RunDirectory:
    """Train `recipe` on `data` into the new run directory `out`, and return it, complete.

    Args:
        recipe: what to train.
        data: what to train it on.
        out: the run directory to make; it must not exist.
        device: 'auto', or torch's name of a device.
        threads: CPU threads; `None` leaves torch's choice.
        quiet: show no progress.
        cache: place of cached features; `None` takes `$THUMBNET_CACHE`, else the user's cache folder.

    Raises:
        ThumbnetError: what does not fit (then nothing is written), or training that cannot go on.
        KeyboardInterrupt: somebody asked to stop; go on with `resume_run(open_run(out))`.
    """
    options = Options(device=device, threads=threads, quiet=quiet, cache=path_of(cache))
    return start(recipe, data, Path(out), options, "thumbnet.train_recipe")


def resume_run(
    run: RunDirectory,
    *,
    data: PackedDataset | None = None,
    device: str = "auto",
    threads: int | None = None,
    quiet: bool = False,
    cache: Path | str | None = None,
) -> RunDirectory:
    """Train an unfinished run to its end, as if nothing had happened, and return it; a complete one as it is.

    Args:
        run: the run, from `open_run`.
        data: the data that the run began with; `None` loads it from where the run found it, else from the default
            place.
        device: 'auto', or torch's name of a device.
        threads: CPU threads; `None` takes as many as the run began with.
        quiet: show no progress.
        cache: place of cached features; `None` takes `$THUMBNET_CACHE`, else the user's cache folder.

    Raises:
        ThumbnetError: the run or its data is damaged, missing, or other data.
    """
    dataset = data if data is not None else load_run_data(run, None)
    options = Options(device=device, threads=threads, quiet=quiet, cache=path_of(cache))
    return resume(run, dataset, options, "thumbnet.resume_run")


def open_run(path: Path | str) -> RunDirectory:
    """Return the run directory `path`.

    Its `recipe()`, `result()`, `metrics.read()` and `predictions_path("val")` give what the run stored.

    Raises:
        RunError: there is no such folder, or it is not a run directory.
    """
    return RunDirectory.open(Path(path))


def path_of(path: Path | str | None) -> Path | None:
    """Return `path` as a `Path`; `None` stays."""
    return None if path is None else Path(path)


def _as_text(key: str, value: object) -> str:
    """Return `value` as the JSON text that `assign` reads."""
    try:
        return json.dumps(to_json(value))
    except TypeError as error:
        raise RecipeError(f"{key}: {value!r} is no setting; give text, a number, a list or a mapping") from error

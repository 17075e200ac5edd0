"""Where the analyses of a run lie, and whether they are of its weights and its data."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Literal, TypeVar

from thumbnet.analyses.results import Embedding, Layers, Maps, Neighbours, Robustness
from thumbnet.analyses.storage import Analysis, Origin
from thumbnet.errors import PredictionError, RunError
from thumbnet.files import sha256
from thumbnet.predictions import Predictions
from thumbnet.run import RunDirectory

Part = Literal["layers", "maps", "robustness", "neighbours", "embedding", "crossfit"]

PARTS: Mapping[Part, str] = {
    "layers": "images through the first layers, and the second layer's weights",
    "maps": "Grad-CAM of errors and of right answers",
    "robustness": "accuracy on corrupted images",
    "neighbours": "the most similar training images of each judged image",
    "embedding": "features of a few classes by PCA and t-SNE",
    "crossfit": "out-of-sample probabilities of the training images",
}
"""The parts of an analysis in the order in which they are computed, and what each is."""

WEIGHTS = "last"
"""Tag of the weights that are analysed."""

Kind = TypeVar("Kind", bound=Analysis)


def current_origin(run: RunDirectory) -> Origin:
    """Return what an analysis of `run` as it is now is made from."""
    path = run.weights_path(WEIGHTS)
    return Origin(WEIGHTS, sha256(path) if path.is_file() else "", str(run.data()["fingerprint"]))


def read_embedding(run: RunDirectory, origin: Origin | None = None) -> Embedding | None:
    """Return the run's embedding, or `None` where there is none.

    Args:
        run: the run directory.
        origin: as `current_origin` gives it, where that is known already.

    Raises:
        RunError: the file is damaged, or of other weights or data than the run's.
    """
    return _read(run, "embedding", Embedding, origin)


def read_neighbours(run: RunDirectory, origin: Origin | None = None) -> Neighbours | None:
    """Return the run's neighbours, or `None` (see `read_embedding`)."""
    return _read(run, "neighbours", Neighbours, origin)


def read_maps(run: RunDirectory, origin: Origin | None = None) -> Maps | None:
    """Return the run's maps, or `None` (see `read_embedding`)."""
    return _read(run, "maps", Maps, origin)


def read_layers(run: RunDirectory, origin: Origin | None = None) -> Layers | None:
    """Return what the run's first layers make of images, or `None` (see `read_embedding`)."""
    return _read(run, "layers", Layers, origin)


def read_robustness(run: RunDirectory, origin: Origin | None = None) -> Robustness | None:
    """Return the run's figures on corrupted images, complete or not, or `None` (see `read_embedding`)."""
    return _read(run, "robustness", Robustness, origin)


def read_cross_fitted(run: RunDirectory, origin: Origin | None = None) -> Predictions | None:
    """Return out-of-sample predictions for all training images, or `None` where there are none.

    Their split is 'train' and their provenance says how they were made (`cross_fitted`).

    Raises:
        RunError: the file is damaged, or of other weights or data than the run's.
    """
    path = run.analysis_path("crossfit")
    if not path.exists():
        return None
    again = "make it again with: thumbnet analyze RUN --only crossfit --again"
    try:
        found = Predictions.load(path)
        made_from = Origin(**found.provenance["origin"])
    except (PredictionError, KeyError, TypeError) as error:
        raise RunError(f"{path}: these cross-fitted predictions are damaged or not ours; {again}") from error
    _check(path.name, made_from, origin or current_origin(run), run)
    if found.split != "train" or found.classes != tuple(info["id"] for info in run.data()["classes"]):
        raise RunError(f"{path}: these cross-fitted predictions are not for the run's training images; {again}")
    return found


def save_analysis(run: RunDirectory, found: Analysis) -> None:
    """Store an analysis in its run, atomically.

    Raises:
        StorageError: the place cannot be written or the disk is full.
    """
    run.make_analysis_folder()
    found.save(run.analysis_path(found.KIND))


def save_cross_fitted(run: RunDirectory, found: Predictions, origin: Origin) -> None:
    """Store out-of-sample predictions for the training images in their run, atomically.

    Raises:
        StorageError: the place cannot be written or the disk is full.
    """
    run.make_analysis_folder()
    stated = {**found.provenance, "origin": asdict(origin)}
    Predictions(found.split, found.image_ids, found.logits, found.labels, found.classes, stated).save(
        run.analysis_path("crossfit")
    )


def _read(run: RunDirectory, part: Part, kind: type[Kind], origin: Origin | None) -> Kind | None:
    path = run.analysis_path(part)
    if not path.exists():
        return None
    found = kind.load(path)
    _check(path.name, found.origin, origin or current_origin(run), run)
    return found


def _check(name: str, made_from: Origin, wanted: Origin, run: RunDirectory) -> None:
    difference = made_from.difference(wanted)
    if difference is not None:
        part = name.removesuffix(".npz")
        raise RunError(
            f"run {run.path}: its analysis {part!r} was made from {difference}; "
            f"make it again with: thumbnet analyze RUN --only {part} --again"
        )

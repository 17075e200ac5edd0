"""Where the analyses of a run lie, and whether they are of its weights and its data."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict
from typing import Literal, TypeVar

from thumbnet.analyses.results import Embedding, Layers, Maps, Neighbours, Robustness
from thumbnet.analyses.storage import Analysis, Origin, again
from thumbnet.errors import PredictionError, RunError, StorageError
from thumbnet.files import read_json, sha256, storage_errors, write_json
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

KINDS: Mapping[str, type[Analysis]] = {kind.KIND: kind for kind in (Embedding, Layers, Maps, Neighbours, Robustness)}
"""The parts that are analyses of their own; cross-fitted predictions are not."""

WEIGHTS = "last"
"""Tag of the weights that are analysed."""

Kind = TypeVar("Kind", bound=Analysis)


def current_origin(run: RunDirectory) -> Origin:
    """Return what an analysis of `run` as it is now is made from."""
    path = run.weights_path(WEIGHTS)
    return Origin(WEIGHTS, sha256(path) if path.is_file() else "", str(run.data()["fingerprint"]))


def read(run: RunDirectory, kind: type[Kind], origin: Origin | None = None) -> Kind | None:
    """Return the run's analysis of that kind, or `None` where there is none; robustness may be incomplete.

    Args:
        run: the run directory.
        kind: of the analysis.
        origin: as `current_origin` gives it, where that is known already.

    Raises:
        RunError: the file is damaged, or of other weights or data than the run's.
    """
    path = run.analysis_path(kind.KIND)
    if not path.exists():
        return None
    found = kind.load(path, _named(run))
    _check(kind.KIND, found.origin, origin or current_origin(run), run)
    return found


def read_cross_fitted(run: RunDirectory, origin: Origin | None = None) -> Predictions | None:
    """Return out-of-sample predictions for all training images, or `None` where there are none.

    Their split is 'train' and their provenance says how they were made (`cross_fitted`).

    Raises:
        RunError: the file is damaged, or of other weights or data than the run's.
    """
    path = run.analysis_path("crossfit")
    if not path.exists():
        return None
    remedy = again("crossfit", _named(run))
    try:
        found = Predictions.load(path)
        made_from = Origin(**found.provenance["origin"])
    except (PredictionError, KeyError, TypeError) as error:
        raise RunError(f"{path}: these cross-fitted predictions are damaged or not ours; {remedy}") from error
    _check("crossfit", made_from, origin or current_origin(run), run)
    if found.split != "train" or found.classes != run.class_ids():
        raise RunError(f"{path}: these cross-fitted predictions are not for the run's training images; {remedy}")
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


def read_impossible(run: RunDirectory, origin: Origin | None = None) -> dict[Part, str]:
    """Return why parts of an analysis are impossible for the run, as far as `thumbnet analyze` found them to be.

    What was found of other weights or data is left out.

    Raises:
        RunError: the file is damaged.
    """
    path = run.impossible_path
    if not path.exists():
        return {}
    try:
        stored = dict(read_json(path))
        known = {part: stored[part] for part in PARTS if part in stored}
        found = {part: (str(one["reason"]), Origin(**one["origin"])) for part, one in known.items()}
    except (StorageError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path}: is damaged or not ours; remove it, and what it says is found anew") from error
    wanted = origin or current_origin(run)
    return {part: reason for part, (reason, made_from) in found.items() if made_from.difference(wanted) is None}


def save_impossible(run: RunDirectory, reasons: Mapping[Part, str], origin: Origin) -> None:
    """Store in the run why parts of its analysis are impossible, instead of what was stored of that before.

    Raises:
        StorageError: the place cannot be written or the disk is full.
    """
    if reasons:
        run.make_analysis_folder()
        write_json(
            run.impossible_path,
            {part: {"reason": reason, "origin": asdict(origin)} for part, reason in reasons.items()},
        )
    else:
        with storage_errors(run.impossible_path):
            run.impossible_path.unlink(missing_ok=True)


def _check(part: str, made_from: Origin, wanted: Origin, run: RunDirectory) -> None:
    difference = made_from.difference(wanted)
    if difference is not None:
        raise RunError(f"run {run.path}: its analysis {part!r} was made from {difference}; {again(part, _named(run))}")


def _named(run: RunDirectory) -> str:
    return shlex.quote(str(run.path))

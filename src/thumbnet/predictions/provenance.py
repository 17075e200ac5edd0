"""What predictions say of where they come from, and whether they can be scored there."""

import re
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

SPLITS = ("holdout", "val", "test")
"""What a complete run predicts, where the data has it."""

UNTESTED = "the p-value does not hold"
"""What a note says beside a p-value of figures on images that chose what is judged."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def is_split(name: str) -> bool:
    """Return whether `name` can name a split, and so a file of its predictions."""
    return _NAME.fullmatch(name) is not None


def trained_on(provenance: Mapping[str, Any], split: str) -> bool | None:
    """Return whether a network that `provenance` states, or a member of an ensemble, trained on images of `split`.

    If so, its figures there say nothing of new images. `None` where it does not say.
    """
    if split not in ("train", "holdout"):
        return False
    if "members" in provenance:
        said = [trained_on(one, split) for one in provenance["members"]]
        return True if True in said else None if None in said else False
    return True if split == "train" else {"all": True, "fit": False}.get(str(provenance.get("train_on")))


def chosen_on(provenance: Mapping[str, Any]) -> list[str]:
    """Return the splits whose images chose what `provenance` states: weights, or members of an ensemble, or theirs.

    Figures on these images are too high for new ones.
    """
    found = list(provenance.get("selected_on", ()))
    for one in provenance.get("members", ()):
        found += chosen_on(one)
    return list(dict.fromkeys(found))


def choice_note(what: str, split: str, *, tested: bool = False) -> str:
    """Return the sentence beside figures on `split` of what was chosen there.

    Args:
        what: that, with its verb, such as 'the weights were'.
        split: chose, and judges.
        tested: whether a p-value stands with the figures.
    """
    value = f", and {UNTESTED}" if tested else ""
    return f"{what} chosen on {split}, which also judges: new images will be classified worse{value}."


def is_scored(labels: NDArray[np.int64], provenance: Mapping[str, Any], split: str) -> bool:
    """Return whether predictions of `provenance` for `split` say something of new images: labelled, not trained on.

    Args:
        labels: i64[N], -1 where unknown; N is 1 or more.
        provenance: of the predictions.
        split: of the images.
    """
    return labels.min() >= 0 and not trained_on(provenance, split)


def judged_split(
    val: NDArray[np.int64] | None, holdout: NDArray[np.int64] | None, trained_on_holdout: bool | None
) -> Literal["val", "holdout"] | None:
    """Return which images a run is judged on: those of val, else those of the holdout; `None` where neither can be.

    Args:
        val: i64[N], labels of val (-1 where unknown); `None` where there is none. All must be known.
        holdout: the same of the holdout.
        trained_on_holdout: whether the network trained on it; it is judged only where that is known to be not so.
    """
    if val is not None and len(val) and val.min() >= 0:
        return "val"
    if holdout is not None and len(holdout) and holdout.min() >= 0 and trained_on_holdout is False:
        return "holdout"
    return None

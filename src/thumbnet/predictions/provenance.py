"""What predictions say of where they come from."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray


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

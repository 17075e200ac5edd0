"""What predictions say of where they come from."""

from collections.abc import Mapping
from typing import Any


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

"""`thumbnet features`: what is cached, and removing it."""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from thumbnet.cli.options import CacheOption, JsonFlag
from thumbnet.cli.printing import print_json

if TYPE_CHECKING:
    from thumbnet.features.cache import Stored


def features(
    keys: Annotated[list[str] | None, Parameter(help="Keys, or their first digits; all by default.")] = None,
    /,
    *,
    clear: Annotated[bool, Parameter(negative=(), help="Remove them.")] = False,
    cache: CacheOption = None,
    as_json: JsonFlag = False,
) -> None:
    """List the features of frozen networks that are cached on this machine, or remove them."""
    from thumbnet.features.cache import features_folder, remove_features, stored_features

    folder = features_folder(cache)
    found = remove_features(folder, keys or ()) if clear else stored_features(folder, keys or ())
    if as_json:
        print_json([asdict(one) for one in found])
        return
    for one in found:
        sys.stdout.write(f"{one.key}  {one.bytes / 1e6:>8.1f} MB  {_describe(one)}\n")
    size = sum(one.bytes for one in found) / 1e6
    sys.stdout.write(f"{'removed' if clear else 'cached'}: {len(found)}, {size:.1f} MB, in {folder}\n")


def _describe(one: "Stored") -> str:
    if one.description is None:
        return "damaged"
    facts: dict[str, Any] = one.description
    images, width = facts["shape"]
    parts = [
        f"{facts['network']['name']} at {facts['preprocessing']['image_size']} pixels",
        f"{facts['split']}, {images:,} x {width:,}",
    ]
    if facts["seed"] is not None:
        parts.append(f"copy {facts['copy'] + 1}, seed {facts['seed']}")
    if facts["policy"]:
        parts.append(" ".join(operation["name"] for operation in facts["policy"]))
    return ", ".join(parts if one.complete else [*parts, "unfinished"])

"""Section 9 as HTML: first-layer filters by stage, the most changed ones, and images on their way through."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from thumbnet.analyses import Layers, read_layers, recorded_filters
from thumbnet.analyses.filters import Filters
from thumbnet.report.charts.mosaic import mosaic, ranged_tiles, signed_tiles
from thumbnet.report.facts.filters import FirstLayers, stages_of
from thumbnet.report.facts.places import ids_of
from thumbnet.report.facts.table import Missing
from thumbnet.report.pictures import png_uri
from thumbnet.report.section import Scene, Section
from thumbnet.report.subject import short_names

_CHANGED = 12
_KERNELS = 32


class Changed(NamedTuple):
    """A filter before and after, as pictures, with how far it went."""

    number: int
    before: str
    after: str
    distance: float
    relative: float
    cosine: float


class Passing(NamedTuple):
    """An image as the network sees it, and what the first and the second layer make of it."""

    text: str
    image: str
    first: str
    second: str | None


def make(scene: Scene) -> FirstLayers:
    """Return the figures of the section's run."""
    subject = scene.subject
    filters: Mapping[str, Filters] | Missing = recorded_filters(subject.run)
    if not filters:
        filters = Missing("the run recorded no first-layer filters")
    layers = read_layers(subject.run, subject.origin) or subject.not_analyzed("images through its layers", "layers")
    images = [] if isinstance(layers, Missing) else ids_of(subject, layers.split, layers.positions)
    return FirstLayers(filters, [] if isinstance(filters, Missing) else stages_of(filters), layers, images)


def draw(facts: FirstLayers, scene: Scene) -> Markup:
    """Return the section."""
    names = short_names([(info["id"], info["name"]) for info in scene.subject.data["classes"]])
    filters = facts.filters if not isinstance(facts.filters, Missing) else {}
    layers = facts.layers if isinstance(facts.layers, Layers) else None
    shown = filters and next(iter(filters.values())).shape[1] in (1, 3)
    return scene.render(
        "filters.html",
        facts=facts,
        missing=facts.filters if isinstance(facts.filters, Missing) else None,
        stages=[
            (title_of(tag), png_uri(mosaic(tiles, 8))) for tag, tiles in (_tiles(filters) if shown else {}).items()
        ],
        count=len(next(iter(filters.values()))) if filters else 0,
        changed=_changed(facts, _tiles(filters)) if shown else [],
        layers=layers,
        layers_missing=facts.layers if isinstance(facts.layers, Missing) else None,
        kernels=None if layers is None or layers.weights.size == 0 else _kernels(layers),
        shown_kernels=_KERNELS,
        passing=[] if layers is None else _passing(layers, [names[label] for label in layers.labels.tolist()]),
    )


def title_of(tag: str) -> str:
    """Return what a recorded stage is called: 'at the start', 'after epoch 6', 'at the end'."""
    if tag == "initial":
        return "at the start"
    return "at the end" if tag == "last" else f"after epoch {int(tag.removeprefix('epoch-'))}"


def _tiles(filters: Mapping[str, Filters]) -> dict[str, NDArray[np.uint8]]:
    """Return the filters of each stage as tiles; each filter has one scale for all stages."""
    if not filters:
        return {}
    scale = np.max([np.abs(one).max(axis=(1, 2, 3)) for one in filters.values()], axis=0)
    return {
        tag: np.broadcast_to(tiles, (*tiles.shape[:3], 3))
        for tag, one in filters.items()
        for tiles in [signed_tiles(one, scale).transpose(0, 2, 3, 1)]
    }


def _changed(facts: FirstLayers, tiles: Mapping[str, NDArray[np.uint8]]) -> list[Changed]:
    if facts.whole is None:
        return []
    stage = facts.whole
    return [
        Changed(
            number,
            png_uri(np.ascontiguousarray(tiles[stage.before][number])),
            png_uri(np.ascontiguousarray(tiles[stage.after][number])),
            float(stage.change.distance[number]),
            float(stage.change.relative[number]),
            float(stage.change.cosine[number]),
        )
        for number in stage.change.order[:_CHANGED].tolist()
    ]


def _kernels(layers: Layers) -> str:
    """Return the second layer's kernels as a picture: a row for each of the first filters, a column for each input."""
    chosen = layers.weights[:_KERNELS, :_KERNELS]
    scale = np.repeat(np.abs(chosen).max(axis=(1, 2, 3)), chosen.shape[1])
    return png_uri(mosaic(signed_tiles(chosen.reshape(-1, *chosen.shape[2:]), scale), chosen.shape[1]))


def _passing(layers: Layers, names: list[str]) -> list[Passing]:
    return [
        Passing(
            name,
            png_uri(image),
            png_uri(mosaic(ranged_tiles(first), 8)),
            png_uri(mosaic(ranged_tiles(second), 8)) if len(second) else None,
        )
        for name, image, first, second in zip(names, layers.inputs, layers.first, layers.second, strict=True)
    ]


SECTION = Section("filters", "Filters", "run", make, draw)

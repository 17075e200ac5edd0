"""Drawn as HTML: first-layer filters by stage, the most changed ones, and images on their way through."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from thumbnet.analyses import Layers
from thumbnet.analyses.filters import Filters
from thumbnet.report.charts.mosaic import mosaic, ranged_tiles, signed_tiles
from thumbnet.report.facts.filters import FirstLayers, Stage, make_first_layers
from thumbnet.report.facts.table import Missing
from thumbnet.report.pictures import Budget, png_uri
from thumbnet.report.section import Scene, Section

_CHANGED = 12
_COLUMNS = 8
_KERNELS = 32
_CHANNELS, _CHANNELS_OF_SEVERAL = 64, 16
"""How many channels of an image on its way are shown on a page of one run, and of several."""


class Changed(NamedTuple):
    """A filter before and after and the difference, as pictures, with how far it went."""

    number: int
    before: str | None
    after: str | None
    difference: str | None
    distance: float
    relative: float | None


class Passing(NamedTuple):
    """An image as the network sees it, and what the first and the second layer make of it."""

    text: str
    image: str | None
    first: str | None
    second: str | None


def draw(facts: FirstLayers, scene: Scene) -> Markup:
    """Return the section."""
    names, budget = scene.subject.names, scene.budget
    filters = facts.filters if not isinstance(facts.filters, Missing) else {}
    layers = facts.layers if isinstance(facts.layers, Layers) else None
    tiles = _tiles(filters) if filters and next(iter(filters.values())).shape[1] in (1, 3) else {}
    return scene.render(
        "filters.html",
        facts=facts,
        stages=[(title_of(tag), budget.fit(partial(_picture, one))) for tag, one in tiles.items()],
        count=len(next(iter(filters.values()))) if filters else 0,
        changed=_changed(facts.whole, filters, tiles, budget) if tiles and facts.whole else [],
        still=facts.whole is not None and not facts.whole.change.distance.any(),
        layers=layers,
        kernels=None if layers is None or layers.weights.size == 0 else budget.fit(partial(_kernels, layers)),
        shown_kernels=_KERNELS,
        kernel_columns=0 if layers is None else _kernel_columns(layers),
        passing=[] if layers is None else _passing(layers, names, scene),
        channels=_channels(scene),
    )


def title_of(tag: str) -> str:
    """Return what a recorded stage is called: 'at the start', 'after epoch 6', 'at the end'."""
    if tag == "initial":
        return "at the start"
    return "at the end" if tag == "last" else f"after epoch {int(tag.removeprefix('epoch-'))}"


def _tiles(filters: Mapping[str, Filters]) -> dict[str, NDArray[np.uint8]]:
    """Return the filters of each stage as tiles; each filter has one scale for all stages."""
    scale = np.max([np.abs(one).max(axis=(1, 2, 3)) for one in filters.values()], axis=0)
    return {tag: _coloured(one, scale) for tag, one in filters.items()}


def _coloured(filters: Filters, scale: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return filters of one or three colours as tiles u8[N,h,w,3]; `scale` f[N] is white, 0 middle grey."""
    tiles = signed_tiles(filters, scale).transpose(0, 2, 3, 1)
    return np.broadcast_to(tiles, (*tiles.shape[:3], 3))


def _changed(
    stage: Stage, filters: Mapping[str, Filters], tiles: Mapping[str, NDArray[np.uint8]], budget: Budget
) -> list[Changed]:
    """Return the filters that went farthest; those that did not move at all are left out."""
    change = stage.change
    moved = [number for number in change.order[:_CHANGED].tolist() if change.distance[number] > 0]
    difference = (filters[stage.after].astype(np.float64) - filters[stage.before]).astype(np.float32)
    alone = _coloured(difference, np.abs(difference).max(axis=(1, 2, 3)))

    def picture(one: NDArray[np.uint8], number: int) -> str | None:
        return budget.fit(partial(png_uri, one[number]))

    return [
        Changed(
            number,
            picture(tiles[stage.before], number),
            picture(tiles[stage.after], number),
            picture(alone, number),
            distance=float(change.distance[number]),
            relative=float(change.relative[number]) if np.isfinite(change.relative[number]) else None,
        )
        for number in moved
    ]


def _kernels(layers: Layers) -> str:
    """Return the second layer's kernels as a picture: a row for each of the first filters, a column for each input.

    Where each filter has one input channel, as in a depthwise convolution, several filters stand in a row.
    """
    chosen = layers.weights[:_KERNELS, :_KERNELS]
    scale = np.repeat(np.abs(chosen).max(axis=(1, 2, 3)), chosen.shape[1])
    return png_uri(mosaic(signed_tiles(chosen.reshape(-1, *chosen.shape[2:]), scale), _kernel_columns(layers)))


def _kernel_columns(layers: Layers) -> int:
    inputs = layers.weights.shape[1] if layers.weights.size else 0
    return _COLUMNS if inputs == 1 else min(inputs, _KERNELS)


def _passing(layers: Layers, names: Sequence[str], scene: Scene) -> list[Passing]:
    count, fit = _channels(scene), scene.budget.fit
    return [
        Passing(
            names[label],
            fit(partial(png_uri, image)),
            fit(partial(_picture, ranged_tiles(first[:count]))),
            fit(partial(_picture, ranged_tiles(second[:count]))) if len(second) else None,
        )
        for label, image, first, second in zip(
            layers.labels.tolist(), layers.inputs, layers.first, layers.second, strict=True
        )
    ]


def _channels(scene: Scene) -> int:
    return _CHANNELS if scene.runs == 1 else _CHANNELS_OF_SEVERAL


def _picture(tiles: NDArray[np.uint8]) -> str:
    return png_uri(mosaic(tiles, _COLUMNS))


SECTION = Section("filters", "Filters", "run", lambda scene: make_first_layers(scene.subject), draw)

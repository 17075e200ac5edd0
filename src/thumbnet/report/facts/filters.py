"""The first layer's filters at each recorded stage and how far they went, and what lies behind them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from thumbnet.analyses import FilterChange, Layers, filter_change, read, recorded_filters
from thumbnet.analyses.filters import Filters
from thumbnet.report.facts.places import ids_of
from thumbnet.report.facts.table import Missing, Table
from thumbnet.report.subject import Subject


@dataclass(frozen=True, eq=False)
class Stage:
    """How far the filters went from one recorded stage to another."""

    before: str
    after: str
    change: FilterChange


@dataclass(frozen=True, eq=False)
class FirstLayers:
    """The first layers of a network.

    Args:
        filters: by stage: initial, recorded epochs, last; or why there are none.
        stages: from each stage to the next, and at the end from the first to the last, where there are several.
        layers: images on their way through the first two layers, and the second one's weights; or why not.
        images: ids of those images.
    """

    filters: Mapping[str, Filters] | Missing
    stages: Sequence[Stage]
    layers: Layers | Missing
    images: Sequence[str]

    @property
    def whole(self) -> Stage | None:
        """The change from the first stage to the last; `None` where there is one stage."""
        return self.stages[-1] if self.stages else None

    def to_json(self) -> dict[str, Any]:
        """Return shapes, the recorded stages, and the most changed filters first."""
        filters: dict[str, Any] = self.filters.to_json() if isinstance(self.filters, Missing) else {}
        if not isinstance(self.filters, Missing):
            filters = {
                "stages": list(self.filters),
                "shape": list(next(iter(self.filters.values())).shape),
                "most_changed": [] if self.whole is None else self.whole.change.order.tolist(),
            }
        if isinstance(self.layers, Missing):
            return {"first": filters, "second": self.layers.to_json()}
        second = {
            "convolution": self.layers.convolution,
            "shape": list(self.layers.weights.shape),
            "outputs": list(self.layers.names),
            "images": list(self.images),
        }
        return {"first": filters, "second": second}

    def tables(self) -> Sequence[Table]:
        """Return one row a filter and pair of stages."""
        rows = [
            (stage.before, stage.after, number, *values)
            for stage in self.stages
            for number, values in enumerate(
                zip(
                    stage.change.distance.tolist(),
                    stage.change.relative.tolist(),
                    stage.change.cosine.tolist(),
                    strict=True,
                )
            )
        ]
        header = ("from", "to", "filter", "distance", "relative_distance", "cosine")
        return [Table("filters", header, rows)] if rows else []


def make_first_layers(subject: Subject) -> FirstLayers:
    """Return the first layers of a run, as far as they are recorded."""
    filters: Mapping[str, Filters] | Missing = recorded_filters(subject.run)
    if not filters:
        filters = Missing("the run recorded no first-layer filters")
    layers = read(subject.run, Layers, subject.origin) or subject.not_analyzed("images through its layers", "layers")
    images = [] if isinstance(layers, Missing) else ids_of(subject, layers.split, layers.positions)
    return FirstLayers(filters, [] if isinstance(filters, Missing) else stages_of(filters), layers, images)


def stages_of(filters: Mapping[str, Filters]) -> list[Stage]:
    """Return the changes from each stage to the next, and from the first to the last where that is another pair."""
    pairs = list(pairwise(filters))
    if len(pairs) > 1:
        pairs.append((next(iter(filters)), list(filters)[-1]))
    return [Stage(before, after, filter_change(filters[before], filters[after])) for before, after in pairs]

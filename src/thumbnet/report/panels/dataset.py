"""The sections of a report on packed data as HTML."""

from functools import partial
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from thumbnet.report.charts.histogram import Histogram, draw_histogram
from thumbnet.report.facts.dataset import Boxes, DataFacts
from thumbnet.report.facts.table import Missing
from thumbnet.report.panels.quality import show_twins
from thumbnet.report.pictures import Budget, Library, encode, png_uri
from thumbnet.report.section import Part, render

_TWINS = 120
_SAMPLES = 2
_ALL_SAMPLES = 400
_CELLS = 12


class ClassShown(NamedTuple):
    """A class: its name, the URI of its mean image, and those of some of its images."""

    name: str
    mean: str | None
    samples: list[str]


def data_panels(facts: DataFacts) -> list[Part]:
    """Return all sections of data whose splits have been compared with their checksums."""
    return [
        Part("Overview", "overview", partial(_overview, facts)),
        Part("Duplicates", "duplicates", partial(_duplicates, facts, Library(verify=False))),
        Part("Images of each class", "classes", partial(_classes, facts)),
        Part("Colour", "colour", partial(_colour, facts)),
        Part("Boxes", "boxes", partial(_boxes, facts)),
    ]


def _overview(facts: DataFacts, _: Budget) -> Markup:
    return render("data-overview.html", facts=facts, data=facts.dataset)


def _duplicates(facts: DataFacts, library: Library, budget: Budget) -> Markup:
    shown = show_twins(facts.twins.pairs[:_TWINS], lambda split: library.pictures(facts.dataset, split, budget))
    return render("data-duplicates.html", facts=facts, shown=shown)


def _classes(facts: DataFacts, budget: Budget) -> Markup:
    count = len(facts.names)
    uneven = {split: found for split, found in facts.per_class.items() if found.min() != found.max()}
    charts = [
        (split, draw_histogram(f"Images of each class in {split}", "images of a class", "classes", bins), bins.rows)
        for split, bins in ((split, _bins(found)) for split, found in uneven.items())
    ]
    even = {split: int(found[0]) for split, found in facts.per_class.items() if split not in uneven}
    of_each = max(1, min(_SAMPLES, _ALL_SAMPLES // count))
    shown = [ClassShown(name, _mean(facts, label, budget), []) for label, name in enumerate(facts.names)]
    for label, uris in enumerate(_samples(facts, of_each, budget)):
        shown[label].samples.extend(uris)
    return render("data-classes.html", facts=facts, charts=charts, even=even, shown=shown)


def _colour(facts: DataFacts, _: Budget) -> Markup:
    labelled = np.sum(list(facts.per_class.values()), axis=0)
    most = np.argsort(-facts.grey_per_class, kind="stable")[:_CELLS]
    rows = [
        (facts.names[label], int(facts.grey_per_class[label]), int(labelled[label]))
        for label in most.tolist()
        if facts.grey_per_class[label]
    ]
    return render("data-colour.html", facts=facts, counts=facts.dataset.counts, rows=rows)


def _boxes(facts: DataFacts, _: Budget) -> Markup:
    if isinstance(facts.boxes, Missing):
        return render("missing.html", missing=facts.boxes)
    found: Boxes = facts.boxes
    shares = Histogram(found.area.tolist(), (0, 1), percent=True)
    chart = draw_histogram("Share of the image that boxes cover", "share of the image", "boxes", shares)
    order = np.argsort(np.nan_to_num(found.class_area, nan=np.inf), kind="stable")
    order = order[np.isfinite(found.class_area[order])]
    least, most = (
        [(facts.names[label], found.class_area[label]) for label in part] for part in (order[:6], order[:-7:-1])
    )
    return render(
        "data-boxes.html",
        boxes=found,
        chart=chart,
        bars=shares.rows,
        coverage=_coverage(found),
        least=least,
        most=most,
    )


def _coverage(boxes: Boxes) -> str:
    """Return the coverage of each pixel as a picture: the more opaque, the more boxes."""
    picture = np.zeros((*boxes.coverage.shape, 4), dtype=np.uint8)
    picture[..., :3] = (37, 99, 235)
    picture[..., 3] = np.round(255 * boxes.coverage)
    return png_uri(picture)


def _bins(counts: NDArray[np.int64]) -> Histogram:
    """Return a histogram of `counts` in up to 20 ranges of whole numbers."""
    low, high = int(counts.min()), int(counts.max())
    step = -(-(high - low + 1) // 20)
    bins = -(-(high - low + 1) // step)
    found = np.histogram(counts, bins, (low - 0.5, low - 0.5 + bins * step))[0]
    return Histogram(found.tolist(), (low - 0.5, low - 0.5 + bins * step))


def _mean(facts: DataFacts, label: int, budget: Budget) -> str | None:
    mean = facts.means[label]
    return None if np.isnan(mean).any() else budget.fit(partial(encode, np.rint(mean).astype(np.uint8)))


def _samples(facts: DataFacts, of_each: int, budget: Budget) -> list[list[str]]:
    """Return the URIs of the first images of each class in the split of the mean images."""
    split = facts.dataset.split(facts.means_of, verify=False)
    found = []
    for label in range(len(facts.names)):
        rows = np.flatnonzero(split.labels == label)[:of_each]
        uris = [budget.fit(partial(encode, split.images[row])) for row in rows.tolist()]
        found.append([uri for uri in uris if uri is not None])
    return found

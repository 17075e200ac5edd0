"""Drawn as HTML: classes in two dimensions, their images at their places, and nearest neighbours."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from thumbnet.analyses import Embedding
from thumbnet.report.charts.lines import colour
from thumbnet.report.charts.scatter import Group, draw_scatter, shape
from thumbnet.report.facts.features import CHOICES, Alike, Features, Placed, make_features
from thumbnet.report.pictures import Pictures
from thumbnet.report.section import Scene, Section

_SHEET = (16, 12)
_QUERIES = 24
_EACH = 5


class PlacedImage(NamedTuple):
    """An image at its place in the figure: left and top in per cent, and its text."""

    left: float
    top: float
    uri: str | None
    text: str


class Key(NamedTuple):
    """One entry of the legend: its text, and the outline and colour of its points."""

    text: str
    outline: str
    colour: str


class Point(NamedTuple):
    """A judged image in the table of points: its class, its id, and its place in both figures."""

    label: str
    image: str
    tsne: tuple[float, float]
    pca: tuple[float, float]


class Query(NamedTuple):
    """A judged image, its class, and its nearest training images as (uri, class, cosine, whether it is the same)."""

    image: str
    uri: str | None
    label: str
    neighbours: list[tuple[str | None, str, float, bool]]


def draw(facts: Features, scene: Scene) -> Markup:
    """Return the section."""
    placed = facts.placed if isinstance(facts.placed, Placed) else None
    alike = facts.alike if isinstance(facts.alike, Alike) else None
    return scene.render(
        "features.html",
        facts=facts,
        placed=placed,
        choice="" if placed is None else CHOICES[placed.embedding.choice],
        tsne=""
        if placed is None
        else _scatter("t-SNE of the features", placed, placed.embedding.tsne, facts, f"{scene.key}-tsne"),
        pca=""
        if placed is None
        else _scatter("The first two principal components", placed, placed.embedding.pca, facts, f"{scene.key}-pca"),
        legend=[] if placed is None else _legend(placed, facts),
        points=[] if placed is None else _points(placed, facts),
        sheet=[] if placed is None else _sheet(placed, facts, scene.pictures_of(placed.embedding.split)),
        alike=alike,
        asked=[] if alike is None else _queries(alike, alike.asked, facts, scene),
        queries=[] if alike is None else _queries(alike, _spread(alike), facts, scene),
    )


def _scatter(title: str, placed: Placed, points: NDArray[np.float32], facts: Features, key: str) -> Markup:
    one = placed.embedding
    groups = []
    for label in one.classes:
        of_class = one.labels == label
        faint = points[of_class & ~one.judged].tolist()
        rows = np.flatnonzero(of_class & one.judged).tolist()
        clear = [(*points[row].tolist(), f"{facts.names[label]}\n{placed.images[row]}") for row in rows]
        groups.append(Group(facts.names[label], [(x, y) for x, y in faint], clear))
    return draw_scatter(title, groups, key)


def _legend(placed: Placed, facts: Features) -> list[Key]:
    return [Key(facts.names[x], shape(n, 5), colour(n)) for n, x in enumerate(placed.embedding.classes)]


def _points(placed: Placed, facts: Features) -> list[Point]:
    """Return what the figures tell when pointed at: the judged images of each class."""
    one = placed.embedding
    rows = np.flatnonzero(one.judged)
    rows = rows[np.argsort(one.labels[rows], kind="stable")]
    return [
        Point(facts.names[label], placed.images[row], (tsne[0], tsne[1]), (pca[0], pca[1]))
        for row, label, tsne, pca in zip(
            rows.tolist(), one.labels[rows].tolist(), one.tsne[rows].tolist(), one.pca[rows].tolist(), strict=True
        )
    ]


def _sheet(placed: Placed, facts: Features, pictures: Pictures) -> list[PlacedImage]:
    """Return judged images at their places of t-SNE, one a cell of a grid, so that none covers another."""
    one = placed.embedding
    found: dict[tuple[int, int], PlacedImage] = {}
    for row, (across, up) in zip(np.flatnonzero(one.judged).tolist(), _shares(one), strict=True):
        cell = min(int(across * _SHEET[0]), _SHEET[0] - 1), min(int((1 - up) * _SHEET[1]), _SHEET[1] - 1)
        if cell not in found:
            left, top = 100 * cell[0] / _SHEET[0], 100 * cell[1] / _SHEET[1]
            text = f"{facts.names[int(one.labels[row])]}, {placed.images[row]}"
            found[cell] = PlacedImage(left, top, pictures.uri(placed.images[row]), text)
    return [one for one in found.values() if one.uri is not None]


def _shares(one: Embedding) -> list[tuple[float, float]]:
    """Return the places of the judged images as shares of the whole figure, from the left and from below."""
    low, high = one.tsne.min(axis=0), one.tsne.max(axis=0)
    shares = (one.tsne[one.judged] - low) / np.where(high > low, high - low, 1)
    return [(x, y) for x, y in shares.tolist()]


def _spread(alike: Alike) -> list[int]:
    """Return the rows of a few judged images, evenly spread over the split."""
    rows = np.linspace(0, len(alike.images) - 1, _QUERIES).round().astype(np.int64)
    return [int(row) for row in np.unique(rows)]


def _queries(alike: Alike, rows: Sequence[int], facts: Features, scene: Scene) -> list[Query]:
    """Return the judged images of these rows with their neighbours."""
    one = alike.neighbours
    judged, train = scene.pictures_of(one.split), scene.pictures_of("train")
    queries = []
    for row in rows:
        label = int(one.labels[row])
        neighbours = [
            (train.uri(alike.train[found]), facts.names[theirs], cosine, theirs == label)
            for found, theirs, cosine in zip(
                one.found[row, :_EACH].tolist(),
                one.found_labels[row, :_EACH].tolist(),
                one.similarity[row, :_EACH].tolist(),
                strict=True,
            )
        ]
        image = alike.images[row]
        queries.append(Query(image, judged.uri(image), facts.names[label], neighbours))
    return queries


SECTION = Section("features", "Features", "run", lambda scene: make_features(scene.subject, scene.images), draw)

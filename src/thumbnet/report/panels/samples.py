"""Images with captions, as several sections show them."""

from collections.abc import Iterable
from typing import NamedTuple

from thumbnet.report.facts.judged import Judged
from thumbnet.report.section import Scene
from thumbnet.report.words import percent


class Shown(NamedTuple):
    """An image on the page: its data URI (or `None`), what it shows in words, a caption, and whether it is right."""

    uri: str | None
    alt: str
    caption: str
    right: bool


def show_rows(scene: Scene, judged: Judged, rows: Iterable[int], *, named: bool = True) -> list[Shown]:
    """Return the images of these rows, each with the probability that the network gives its answer.

    Args:
        scene: of the section.
        judged: the split.
        rows: of the predictions.
        named: whether the caption names the answer too.
    """
    return [_show_row(scene, judged, int(row), named) for row in rows]


def _show_row(scene: Scene, judged: Judged, row: int, named: bool) -> Shown:
    image = judged.predictions.image_ids[row]
    true, answer = (judged.names[place] for place in (judged.labels[row], judged.predicted[row]))
    probability = percent(float(judged.probabilities[row, judged.predicted[row]]), 0)
    right = not bool(judged.wrong[row])
    alt = f"{image}: {true}, " + ("rightly named" if right else f"named {answer}") + f" with {probability}"
    caption = f"{answer} {probability}" if named else probability
    return Shown(scene.picture(image), alt, caption, right)

"""What a section of a report is: figures that are made from runs, and a drawing of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Generic, Literal, TypeVar

from markupsafe import Markup

from thumbnet import text
from thumbnet.report.facts.judged import Judged
from thumbnet.report.facts.table import Facts, Missing
from thumbnet.report.pictures import Budget, Library, Pictures
from thumbnet.report.subject import Subject
from thumbnet.report.words import amount, brief, percent
from thumbnet.templates import html_templates

F = TypeVar("F", bound=Facts)

Scope = Literal["all", "run", "pair"]
"""What a section is about: all runs together, each by itself, or the two of a report of two."""


@dataclass(frozen=True, eq=False)
class Scene:
    """What one section is made from and drawn with.

    Args:
        subjects: one run, both or all, as the section's scope says.
        judged: of each its judged split, or why there is none.
        library: the packed splits of the whole page.
        budget: bytes that images of this section may take, shared with others.
        key: a prefix of all anchors within the section, unlike that of every other section of the page.
        runs: how many runs the whole report has.
        images: ids of judged images whose neighbours are asked for, where it is about one run.
    """

    subjects: tuple[Subject, ...]
    judged: tuple[Judged | Missing, ...]
    library: Library
    budget: Budget
    key: str
    runs: int
    images: tuple[str, ...] = ()

    @property
    def subject(self) -> Subject:
        """The run of a section that is about one."""
        return self.subjects[0]

    def file(self, table: str) -> str:
        """Return the name of the CSV file of a table; that of one run bears its number where there are several."""
        prefix = f"{self.subject.key}-" if self.runs > 1 and len(self.subjects) == 1 else ""
        return f"{prefix}{table}.csv"

    def render(self, template: str, **values: Any) -> Markup:
        """Return a template of `templates/` filled with `values`; what is no Markup is escaped."""
        # Under the page's heading come sections, or runs with sections.
        level = 4 if self.runs > 1 and len(self.subjects) == 1 else 3
        return render(template, scene=self, key=self.key, level=level, **values)

    def pictures_of(self, split: str) -> Pictures:
        """Return the pictures of a split of the first run's data ('holdout' is in the training split)."""
        return self.library.pictures(self.subject.dataset, split, self.budget)

    @cached_property
    def pictures(self) -> Pictures:
        """The pictures of the judged split of the first run."""
        judged = self.judged[0]
        return self.pictures_of("" if isinstance(judged, Missing) else judged.predictions.split)

    def picture(self, image: str) -> str | None:
        """Return the data URI of an image of the judged split; `None` where it cannot be shown."""
        return self.pictures.uri(image)


@dataclass(frozen=True)
class Section(Generic[F]):
    """A section of a report.

    Args:
        key: its anchor and its place in the JSON file, such as 'per-class'.
        title: its heading.
        scope: what it is about.
        make: returns its figures, or why there are none.
        draw: returns its HTML, without the heading.
    """

    key: str
    title: str
    scope: Scope
    make: Callable[[Scene], F | Missing]
    draw: Callable[[F, Scene], Markup]


@dataclass(frozen=True, eq=False)
class Drawn:
    """A section that is drawn.

    Args:
        html: with a note of the images that were left out.
        used: bytes that its images take.
        omitted: how many images were left out.
    """

    html: Markup
    used: int
    omitted: int


@dataclass(frozen=True, eq=False)
class Part:
    """A section of a page, to be drawn: its heading, its anchor, and what makes its HTML with images of a budget."""

    title: str
    key: str
    html: Callable[[Budget], Markup]

    def draw(self, room: int) -> Drawn:
        """Return it with the images that fit into `room` bytes."""
        budget = Budget(room)
        html = self.html(budget)
        if budget.omitted:
            html += render("omitted.html", omitted=budget.omitted)
        return Drawn(html, room - budget.left, budget.omitted)


@dataclass(frozen=True, eq=False)
class Made:
    """A section with its figures; a note is drawn where there are none."""

    section: Section[Any]
    scene: Scene
    facts: Facts

    @property
    def part(self) -> Part:
        """What is drawn of it."""
        return Part(self.section.title, self.scene.key, self._html)

    def _html(self, budget: Budget) -> Markup:
        scene = replace(self.scene, budget=budget)
        if isinstance(self.facts, Missing):
            return scene.render("missing.html", missing=self.facts)
        return self.section.draw(self.facts, scene)


def draw_within(parts: Sequence[Part], room: int) -> list[Drawn]:
    """Return all sections with images of at most `room` bytes together.

    Each section may take as much as every other. What the smaller ones leave is shared by the larger, so that none is
    without images for the sake of another, and room is left only where every image is on the page.
    """
    drawn = [one.draw(max(0, room)) for one in parts]
    order = sorted(range(len(parts)), key=lambda place: drawn[place].used)
    for number, place in enumerate(order):
        share = max(0, room) // (len(parts) - number)
        if drawn[place].used > share:
            drawn[place] = parts[place].draw(share)
        room -= drawn[place].used
    return drawn


def for_judged(make: Callable[[Judged], F]) -> Callable[[Scene], F | Missing]:
    """Return a section's `make` from a function of the judged split."""

    def make_or_say(scene: Scene) -> F | Missing:
        judged = scene.judged[0]
        return judged if isinstance(judged, Missing) else make(judged)

    return make_or_say


def render(template: str, **values: Any) -> Markup:
    """Return a template of `templates/` filled with `values`; what is no Markup is escaped."""
    return Markup(_ENVIRONMENT.get_template(template).render(**values))


_ENVIRONMENT = html_templates(
    "thumbnet.report",
    percent=percent,
    span=text.interval,
    amount=amount,
    brief=brief,
    duration=text.duration,
    p_figure=text.p_figure,
)
_ENVIRONMENT.tests["missing"] = lambda value: isinstance(value, Missing)

"""What the networks of a study reach when their predictions are averaged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from thumbnet import ensemble
from thumbnet.comparison import Comparison, compare_right
from thumbnet.metrics import Accuracy
from thumbnet.predictions import Predictions, choice_note
from thumbnet.studies import Ensemble


@dataclass(frozen=True)
class EnsembleResult:
    """The ensembles of the first 1, 2, ... members: their accuracy on `split`, and the members' names in order.

    Snapshots are ordered by their accuracy on `split`, best first, and their number is chosen there too, as the
    report did. Networks of other seeds stand in the order of their seeds, and all of them count: nothing is chosen.

    Args:
        kind: whose predictions are averaged, and over what.
        split: the split that judges.
        members: their names.
        curve: the accuracy of each size.
        size: of the judged ensemble: the best number of snapshots (the fewest of those), or all seeds.
        comparison: how the judged ensemble stands to the first member alone.
    """

    kind: Ensemble
    split: str
    members: Sequence[str]
    curve: Sequence[Accuracy]
    size: int
    comparison: Comparison

    @property
    def selected_on(self) -> str:
        """The split that chose the members and their number, or 'none'."""
        return self.split if self.kind.of == "snapshots" else "none"

    @property
    def judged(self) -> Accuracy:
        """The accuracy of the ensemble of `size` members."""
        return self.curve[self.size - 1]

    @property
    def single(self) -> Accuracy:
        """The accuracy of the first member alone."""
        return self.curve[0]

    @property
    def notes(self) -> list[str]:
        """Whether the judged ensemble differs from the first member by more than chance, and whether that holds."""
        if self.size == 1:
            return []
        if self.kind.of == "seeds":
            return [self.comparison.sentence("the first alone", "the ensemble")]
        compared = self.comparison.sentence("the single best", "the ensemble")
        return [compared, choice_note("Members and their number were", self.split, tested=True)]

    def to_json(self) -> dict[str, Any]:
        """Return the figures of the judged number of members, of all and of the first alone, and the curve."""
        judged, every, single = self.judged, self.curve[-1], self.single
        return {
            "of": self.kind.of,
            "over": self.kind.over,
            "top1": judged.top1,
            "top1_interval": list(judged.top1_interval),
            "images": judged.images,
            "size": self.size,
            "selected_on": self.selected_on,
            "curve": [scores.top1 for scores in self.curve],
            "all_members": {"n": len(self.curve), "top1": every.top1, "top1_interval": list(every.top1_interval)},
            "single": {"top1": single.top1, "top1_interval": list(single.top1_interval)},
            "comparison": self.comparison.to_json(),
            "notes": self.notes,
            "members": list(self.members),
        }


def average_members(kind: Ensemble, members: Mapping[str, Predictions], split: str) -> EnsembleResult:
    """Return what `members` (at least one), by name, reach together on `split`.

    Raises:
        PredictionError: they do not fit together.
    """
    given = list(members.items())
    order = ensemble.ranking([one for _, one in given]) if kind.of == "snapshots" else range(len(given))
    ordered = [given[place] for place in order]
    right = ensemble.growth([one for _, one in ordered], kind.over)
    size = 1 + int(right.sum(axis=1).argmax()) if kind.of == "snapshots" else len(right)
    return EnsembleResult(
        kind=kind,
        split=split,
        members=[name for name, _ in ordered],
        curve=[Accuracy.of(one) for one in right],
        size=size,
        comparison=compare_right(right[0], right[size - 1]),
    )

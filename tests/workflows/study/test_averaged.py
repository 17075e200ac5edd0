"""Studies that average what they trained: snapshots of a run, or networks of several seeds."""

from pathlib import Path

import numpy as np
import pytest

from tests.helpers import QUIET
from tests.workflows.study.made import tiny
from thumbnet import records
from thumbnet.comparison import compare_right
from thumbnet.packed import PackedDataset
from thumbnet.predictions import Predictions, choice_note
from thumbnet.recipe import Checkpointing, Evaluation, Phase, epochs, iterations
from thumbnet.run import RunDirectory
from thumbnet.studies import Ensemble, Study
from thumbnet.workflows.study.averaged import average_members
from thumbnet.workflows.study.running import record_study, run_study

pytestmark = pytest.mark.usefixtures("undrawn")


def test_snapshots_are_averaged_best_first(tmp_path: Path, dataset: PackedDataset) -> None:
    recipe = tiny(
        phases=(Phase(epochs(4)),),
        evaluation=Evaluation(every=iterations(1), splits=("val",), train_images=0),
        checkpointing=Checkpointing(snapshots=5, filters=()),
    )
    study = Study(
        "snaps", "Snapshots.", {"one": recipe}, (), ("snapshots",), ensemble=Ensemble("snapshots", "probabilities")
    )
    result = run_study(study, dataset, tmp_path, QUIET)
    run = RunDirectory.open(tmp_path / "tiny")
    kept = sorted(run.snapshots(), key=lambda one: -one.top1)
    assert len(kept) >= 3
    stored = [Predictions.load(run.predictions_path("val", one)) for one in kept]
    curve = []
    for size in range(1, len(kept) + 1):
        exponentials = [np.exp(one.logits.astype(np.float64)) for one in stored[:size]]
        total = np.sum([each / each.sum(1, keepdims=True) for each in exponentials], axis=0)
        curve.append(float(np.mean(total.argmax(1) == stored[0].labels)))
    assert result.ensemble is not None
    assert [scores.top1 for scores in result.ensemble.curve] == curve
    assert result.ensemble.members == [one.tag for one in kept]
    assert result.ensemble.size == 1 + curve.index(max(curve))
    figures = records.load(record_study(result, tmp_path / "records"))
    assert isinstance(figures, records.Measurement)
    assert figures.command == "thumbnet study snaps"
    content = figures.figures["ensemble"]
    assert content["top1"] == pytest.approx(max(curve), rel=1e-5)
    assert content["curve"] == pytest.approx(curve, rel=1e-5)
    assert (content["size"], content["selected_on"]) == (result.ensemble.size, "val")
    assert content["images"] == len(stored[0].labels)
    assert content["all_members"]["n"] == len(kept)
    assert content["all_members"]["top1"] == pytest.approx(curve[-1], rel=1e-5)
    assert content["single"]["top1"] == pytest.approx(curve[0], rel=1e-5)
    paired = content["comparison"]
    assert (paired["first_top1"], paired["second_top1"]) == pytest.approx((curve[0], max(curve)), rel=1e-5)
    assert paired["difference"] == pytest.approx(max(curve) - curve[0], rel=1e-5, abs=1e-9)
    assert content["notes"] == result.ensemble.notes
    low, high = content["top1_interval"]
    assert low <= content["top1"] <= high
    assert (figures.figures["epochs"], figures.figures["pretrained"]) == (4, False)


def test_networks_of_several_seeds_are_averaged(tmp_path: Path, dataset: PackedDataset) -> None:
    study = Study(
        "seeds", "Seeds.", {"one": tiny()}, (), ("ensemble", "accuracy"), seeds=3, ensemble=Ensemble("seeds", "logits")
    )
    result = run_study(study, dataset, tmp_path, QUIET)
    names = ["tiny", "tiny-seed1", "tiny-seed2"]
    stored = [Predictions.load(RunDirectory.open(tmp_path / name).predictions_path("val")) for name in names]
    mean = np.mean([one.logits.astype(np.float64) for one in stored], axis=0)
    assert result.ensemble is not None
    assert result.ensemble.members == names
    judged, single = np.mean(mean.argmax(1) == stored[0].labels), stored[0].scores().top1
    assert len(result.ensemble.curve) == 3
    assert (result.ensemble.judged.top1, result.ensemble.single.top1) == (judged, single)
    content = result.to_json()["ensemble"]
    assert (content["size"], content["selected_on"]) == (3, "none")
    assert (content["top1"], content["single"]["top1"]) == (judged, single)
    together, alone = mean.argmax(1) == stored[0].labels, stored[0].predicted() == stored[0].labels
    paired = content["comparison"]
    assert (paired["fixed"], paired["broken"]) == (np.sum(together & ~alone), np.sum(alone & ~together))
    assert content["notes"] == [compare_right(alone, together).sentence("the first alone", "the ensemble")]


def sure_of(*classes: int) -> Predictions:
    """Predictions that name these classes, for six images of the classes 0, 1, 2, 0, 1 and 2."""
    ids = tuple(f"{number}.png" for number in range(6))
    logits = np.eye(3, dtype=np.float32)[list(classes)] * 5
    return Predictions("val", ids, logits, np.arange(6) % 3, ("a", "b", "c"), {})


def test_what_snapshots_reach_together_is_said_to_be_chosen() -> None:
    right, other = sure_of(0, 1, 2, 0, 0, 0), sure_of(0, 1, 1, 0, 1, 0)
    third = sure_of(0, 0, 2, 1, 1, 2)
    kind = Ensemble("snapshots", "probabilities")
    together = average_members(kind, {"first": right, "second": other, "third": third}, "val")
    assert [scores.top1 for scores in together.curve] == pytest.approx([4 / 6, 3 / 6, 5 / 6])
    assert together.size == 3
    sentence = together.comparison.sentence("the single best", "the ensemble")
    assert together.notes == [sentence, choice_note("Members and their number were", "val", tested=True)]
    assert average_members(kind, {"first": right}, "val").notes == []

"""What is recorded of corrupted images is what the run's analysis holds, computed where it is missing."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks import robustness
from sklearn.metrics import accuracy_score

from tests.helpers import copy_of
from thumbnet import analyses
from thumbnet.errors import RunError
from thumbnet.run import RunDirectory


def test_a_run_is_analysed_and_recorded(
    run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = copy_of(run, tmp_path / "run")
    with pytest.raises(RunError, match="the run has no figures on corrupted images yet"):
        robustness.corrupted_figures(run)
    monkeypatch.setattr("sys.argv", ["robustness", str(run.path), "--threads", "1"])
    robustness.main()
    figures = robustness.corrupted_figures(run)
    found = analyses.read(run, analyses.Robustness)
    assert found is not None
    cells = [accuracy_score(found.labels, answers) for answers in found.predicted.reshape(25, -1)]
    assert [cell["accuracy"] for cell in figures["cells"]] == pytest.approx(cells)
    assert figures["mean"] == pytest.approx(np.mean(cells))
    assert figures["clean"] == pytest.approx(run.predictions("val").scores().top1)
    assert (figures["network"], figures["fingerprint"]) == (run.recipe().name, run.data()["fingerprint"])
    assert f"mean: {figures['mean']}\n" in capsys.readouterr().out

"""Judge a run on corrupted images, and record what its report says of them.

    python -m benchmarks.robustness RUN --record records/robustness.json

What `thumbnet analyze` has stored is taken as it is; what is missing is computed first.
"""

import argparse
from pathlib import Path
from typing import Any

import thumbnet
from benchmarks.program import add_record, write
from thumbnet import environment
from thumbnet.errors import RunError
from thumbnet.report.facts.robustness import make_corrupted
from thumbnet.report.facts.table import Missing
from thumbnet.report.subject import read_subjects
from thumbnet.run import RunDirectory


def main() -> None:
    """Analyse, print, and write a record when one is asked for."""
    parser = argparse.ArgumentParser(description="How well a run does on corrupted images.")
    parser.add_argument("run", type=Path, help="a complete run")
    parser.add_argument("--data", type=Path, help="where its packed data lies now; by default where the run found it")
    parser.add_argument("--threads", type=int, default=environment.usable_cpus(), help="CPU threads")
    add_record(parser)
    options = parser.parse_args()
    run = thumbnet.open_run(options.run)
    thumbnet.analyze_run(run, ["robustness"], device="cpu", threads=options.threads, data=options.data)
    figures = corrupted_figures(run)
    for name, value in figures.items():
        print(f"{name}: {value}")
    write(options.record, figures, environment.describe("cpu", options.threads))


def corrupted_figures(run: RunDirectory) -> dict[str, Any]:
    """Return the network, the fingerprint of its data, and the report's figures on corrupted images.

    Raises:
        RunError: the run has none.
    """
    (subject,) = read_subjects([run])
    found = make_corrupted(subject)
    if isinstance(found, Missing):
        raise RunError(f"run {run.path}: {found.reason}")
    return {"network": subject.recipe.name, "fingerprint": subject.data["fingerprint"], **found.to_json()}


if __name__ == "__main__":
    main()

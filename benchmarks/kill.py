"""Kill training runs with SIGKILL at random moments, resume each, and compare with a run that nothing disturbed.

    python -m benchmarks.kill --kills 20 --record records/resume-after-kill.json

Each kill is a run of its own: a process trains, is killed at a random moment of the clock (also before the first
checkpoint, also while one is being written), a second process resumes, and every tensor, prediction, filter and row
of metrics but for timings must hold the same bits.
"""

import argparse
import hashlib
import json
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from benchmarks.program import add_record, this_program, untimed, write
from thumbnet import environment, packed, train
from thumbnet.predictions import Predictions
from thumbnet.recipe import to_json
from thumbnet.recipes import find_recipe
from thumbnet.run import RunDirectory
from thumbnet.sources.pack import pack

READY = "ready"


def main() -> int:
    """Measure, print what was found, and write a record when one is asked for; return 1 where a run differed."""
    options = _parse()
    if options.worker is not None:
        _work(options)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        data = options.data or pack("digits", Path(scratch) / "data").path
        figures = measure(options, data, Path(scratch))
    Console().print(f"{figures['identical']} of {figures['kills']} killed and resumed runs are identical")
    write(options.record, figures, environment.describe("cpu", options.threads))
    return 0 if figures["identical"] == figures["kills"] else 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Do killed and resumed runs end with identical results?")
    parser.add_argument("--kills", type=int, default=20, help="runs that are killed")
    parser.add_argument("--recipe", default="demo", help="a recipe's name or file")
    parser.add_argument("--epochs", type=int, help="length of each phase; without it, the recipe's own")
    parser.add_argument("--data", type=Path, help="packed data; without it, the digits are packed")
    parser.add_argument("--threads", type=int, default=environment.usable_cpus(), help="CPU threads")
    parser.add_argument("--checkpoint-seconds", type=float, default=0.1, help="longest time between checkpoints")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    add_record(parser)
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)  # trains one run; the program calls itself
    return parser.parse_args()


def measure(options: argparse.Namespace, data: Path, folder: Path) -> dict[str, Any]:
    """Return `kills`, `identical`, and for each kill the step of its last checkpoint and the seconds it ran."""
    reference = folder / "reference"

    def command(out: Path) -> list[str]:
        arguments = ["--worker", str(out), "--data", str(data), "--recipe", options.recipe]
        arguments += ["--threads", str(options.threads), "--checkpoint-seconds", str(options.checkpoint_seconds)]
        arguments += [] if options.epochs is None else ["--epochs", str(options.epochs)]
        return [sys.executable, *this_program()[1:], *arguments]

    seconds = _run(command(reference))
    assert seconds is not None
    expected = digests(RunDirectory.open(reference))
    chance = random.Random(options.seed)
    moments: list[int] = []
    times: list[float] = []
    identical = 0
    while len(moments) < options.kills:
        out = folder / f"run-{len(moments)}"
        delay = chance.uniform(0, seconds)
        ended = _run(command(out), kill_after=delay) is not None
        if ended or (out.exists() and RunDirectory.open(out).is_complete):
            shutil.rmtree(out)  # complete before its moment came
            continue
        moments.append(RunDirectory.open(out).status()["step"] if out.exists() else 0)
        times.append(delay)
        _run(command(out))
        different = _differences(expected, digests(RunDirectory.open(out)))
        identical += not different
        Console().print(f"killed after {delay:.2f} s, checkpoint {moments[-1]}: {different or 'identical'}")
        shutil.rmtree(out)
    steps = RunDirectory.open(reference).status()["total_steps"]
    return {
        "kills": len(moments),
        "identical": identical,
        "steps": steps,
        "moments": moments,
        "moments_seconds": times,
        "reference_seconds": seconds,
    }


def _run(command: list[str], kill_after: float | None = None) -> float | None:
    """Run a worker; return the seconds that it trained, or `None` when it was killed so long after it was ready."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if process.stdout.readline().strip() != READY:
            raise RuntimeError(f"the worker failed: {shlex.join(command)}")
        try:
            status = process.wait(kill_after)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None
        last = process.stdout.read()
    if status != 0:
        raise RuntimeError(f"the worker failed with status {status}: {shlex.join(command)}")
    return float(last)


def _work(options: argparse.Namespace) -> None:
    recipe = find_recipe(options.recipe)
    if options.epochs is not None:
        phases = tuple(replace(phase, length=replace(phase.length, amount=options.epochs)) for phase in recipe.phases)
        recipe = replace(recipe, phases=phases)
    dataset = packed.load(options.data)
    settings = train.Options(
        device="cpu", threads=options.threads, checkpoint_seconds=options.checkpoint_seconds, quiet=True
    )
    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()
    began = time.perf_counter()
    if options.worker.exists():
        train.resume(RunDirectory.open(options.worker), dataset, settings)
    else:
        train.start(recipe, dataset, options.worker, settings)
    sys.stdout.write(f"{time.perf_counter() - began}\n")


def digests(run: RunDirectory) -> dict[str, str]:
    """Return a digest of each thing that a complete run holds, timings left out."""
    found = {f"weights {tag}": _tensors(run.weights_path(tag)) for tag in run.weights_tags()}
    for file in sorted((run.path / "filters").iterdir()):
        found[f"filters {file.stem}"] = hashlib.sha256(np.load(file).tobytes()).hexdigest()
    for file in sorted((run.path / "predictions").iterdir()):
        predictions = Predictions.load(file)
        content = predictions.logits.tobytes() + json.dumps(predictions.image_ids).encode()
        found[f"predictions {file.stem}"] = hashlib.sha256(content).hexdigest()
    found["metrics"] = _json([untimed(row) for row in run.metrics.read()])
    found["result"] = _json(untimed(run.result()))
    found["recipe"] = _json(to_json(run.recipe()))
    return found


def _tensors(path: Path) -> str:
    digest = hashlib.sha256()
    for name, tensor in torch.load(path, weights_only=True).items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _json(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def _differences(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    return sorted(key for key in {*expected, *found} if expected.get(key) != found.get(key))


if __name__ == "__main__":
    sys.exit(main())

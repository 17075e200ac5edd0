"""Records as runs of the rows would leave them, without running anything."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from thumbnet.metrics import accuracy_interval
from thumbnet.recipe import to_json
from thumbnet.recipes import RECIPES
from thumbnet.records import Measurement, Peak, Plain, Record
from thumbnet.studies import STUDIES
from thumbnet.views import find_views

CPU = {"type": "cpu", "name": "AMD EPYC", "cpus": 2, "threads": 1}
H100 = {"type": "cuda", "name": "NVIDIA H100 80GB HBM3", "threads": 8}
IMAGES = 10_000


def run_record(
    name: str, *, correct: int = 2500, best: tuple[int, int] | None = None, epochs: float = 20, **changes: Any
) -> Record:
    """Return the record of a run of the recipe `name`: of 10,000 val images, `correct` are right at the last step.

    Args:
        name: of the recipe.
        correct: val images that are right at the last step, with the recipe's test-time views where it names some
            (without them, 100 fewer).
        best: the best epoch, and how many were right then.
        epochs: that were trained.
        changes: fields to replace.
    """
    recipe = RECIPES[name]()
    views = find_views(recipe.evaluation.views).name
    peak = None if best is None else Peak(best[0], best[1] / IMAGES, accuracy_interval(best[1], IMAGES))
    made = Record(
        name=name,
        recipe=to_json(recipe),
        command=f"thumbnet train {name} --threads 1",
        commit="0" * 40,
        versions={"thumbnet": "0.1.0", "torch": "2.15.0"},
        device=CPU,
        seed=recipe.seed,
        split="val",
        images=IMAGES,
        top1=correct / IMAGES,
        top5=0.6,
        top1_interval=accuracy_interval(correct, IMAGES),
        nll=3.1,
        ece=0.02,
        views=views,
        pretrained=recipe.model.pretrained,
        selected_on=recipe.selected_on,
        fraction=recipe.fraction,
        epochs=epochs,
        train_seconds=2531.2,
        images_per_second=1500.0,
        peak_memory_bytes=2_000_000_000,
        history=history(eval_train_top1=[0.1, 0.3728]),
        peak=peak,
        plain=None if views == "none" else Plain(correct / IMAGES - 0.01, accuracy_interval(correct - 100, IMAGES)),
    )
    return replace(made, **changes)


def history(**figures: Sequence[float]) -> tuple[Mapping[str, float], ...]:
    """Return the evaluations of a run, one after each step, with the figures of each in turn."""
    count = len(next(iter(figures.values())))
    return tuple(
        {"step": place + 1, "epoch": float(place + 1), **{key: values[place] for key, values in figures.items()}}
        for place in range(count)
    )


def study_record(name: str, figures: Mapping[str, Any]) -> Measurement:
    """Return the record of the study `name` with `figures`, beside those that say which study it was."""
    study = STUDIES.get(name)
    if study is not None:
        recipes = {label: to_json(recipe) for label, recipe in study.runs.items()}
        figures = {"recipes": recipes, "seeds": study.seeds} | dict(figures)
    return Measurement(name, f"thumbnet reproduce {name}", None, {"thumbnet": "0.1.0"}, H100, figures)

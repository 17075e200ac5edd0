"""Write the tables of README.md, docs/experiments.md and docs/training.md anew, from records and registries.

No page states a figure by itself.

python -m tools.pages
"""

import inspect
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.challenge.load import FAILURES

from thumbnet.augment import IMAGE_OPERATIONS, MIXING_OPERATIONS
from thumbnet.errors import StorageError
from thumbnet.files import atomic_file
from thumbnet.models.registry import MODELS
from thumbnet.optim import optimizer_names
from thumbnet.optim.schedules import SCHEDULES
from thumbnet.recipes import RECIPES
from thumbnet.records import Measurement, load_all
from thumbnet.registry import Registry
from thumbnet.studies import STUDIES, Study
from thumbnet.text import markdown_table, percent
from thumbnet.workflows.reproduction.lines import AnyRecord, make_lines
from thumbnet.workflows.reproduction.table import markdown

ROOT = Path(__file__).resolve().parents[1]


def fill(page: str, name: str, content: str) -> str:
    """Return `page` with `content` between the markers `<!-- name -->` and `<!-- /name -->`.

    Raises:
        StorageError: the page does not have the two markers once each.
    """
    first, last = f"<!-- {name} -->", f"<!-- /{name} -->"
    if page.count(first) != 1 or page.count(last) != 1 or page.index(first) > page.index(last):
        raise StorageError(f"page: needs one {first} and one {last} behind it; put them where the table goes")
    before, rest = page.split(first)
    return f"{before}{first}\n{content.strip()}\n{last}{rest.split(last)[1]}"


def readme(page: str, records: Sequence[AnyRecord]) -> str:
    """Return the README with its tables of results and measurements as `records` state them."""
    return fill(fill(page, "results", results(records)), "measurements", measurements(records))


def training_page(page: str) -> str:
    """Return docs/training.md with its tables of recipes, networks, schedules, optimisers and operations."""
    for name, content in names().items():
        page = fill(page, name, content)
    return page


def experiments_page(page: str, records: Sequence[AnyRecord]) -> str:
    """Return docs/experiments.md with its tables of studies and of comparisons, as `records` state them."""
    known = {one.name: one for one in records if isinstance(one, Measurement)}
    rows = [
        (f"`{study.name}`", study.text, study.source, _found(study, known.get(study.name)))
        for study in STUDIES.values()
    ]
    head = ("study", "what it shows", "where the report has it", "measured")
    return fill(fill(page, "studies", markdown_table(head, rows)), "comparisons", comparisons(records))


def _found(study: Study, record: Measurement | None) -> str:
    """Return what a study's record says of each variant, and its link."""
    if record is None:
        return ""
    memorises = "train-accuracy" in study.panels
    parts = []
    for variant in record.figures["variants"]:
        found = variant["figures"].get("iterations_to_eval_train_100" if memorises else "val_top1")
        value = (
            "never" if found is None else f"{found['mean']:.0f} iterations" if memorises else percent(found["mean"])
        )
        parts.append(f"{variant['label']} {value}")
    ensemble = record.figures.get("ensemble")
    if ensemble is not None:
        parts = [
            f"{'best' if ensemble['of'] == 'snapshots' else 'all'} {ensemble['size']} {percent(ensemble['top1'])}",
            f"one {percent(ensemble['single']['top1'])}",
        ]
    return f"[{', '.join(parts)}](../records/{record.name}.json)"


def results(records: Sequence[AnyRecord]) -> str:
    """Return the table of reproduction: what a report reached and what was measured."""
    return markdown(make_lines(records))


def measurements(records: Sequence[AnyRecord]) -> str:
    """Return the table of other measurements."""
    known = {one.name: one for one in records if isinstance(one, Measurement)}
    rows = [
        (label if isinstance(label, str) else label(known[name].figures), text(known[name].figures), _link(name))
        for name, label, text in _MEASUREMENTS
        if name in known
    ]
    if not rows:
        return "Nothing is measured yet."
    return markdown_table(("what", "measured", "record"), rows)


def comparisons(records: Sequence[AnyRecord]) -> str:
    """Return the table of what was compared, image by image."""
    rows = []
    for one in records:
        if isinstance(one, Measurement) and "p_value" in one.figures:
            found = one.figures
            low, high = found["interval"]
            chance = "p below 0.0001" if found["p_value"] < 1e-4 else f"p = {found['p_value']:.2g}"
            difference = f"{100 * found['difference']:+.2f} ({100 * low:+.2f} to {100 * high:+.2f})"
            rows.append((_side(found, "first"), _side(found, "second"), difference, chance, _link(one.name, "../")))
    if not rows:
        return "Nothing is compared yet."
    return markdown_table(("first", "second", "difference in points (95% interval)", "McNemar", "record"), rows)


def _side(found: Mapping[str, Any], name: str) -> str:
    side = found[name]
    plain = {"views": "none", "weights": "last"}
    how = [str(side[key]) for key, usual in plain.items() if side[key] not in (None, usual)]
    told = f"`{Path(side['path']).name}`" + (f" ({', '.join(how)})" if how else "")
    return f"{told} {percent(found[f'{name}_top1'], 2)}"


def names() -> Mapping[str, str]:
    """Return, by marker, the tables of every name that a recipe may use, with its options and their defaults."""
    recipes = [(f"`{name}`", _first_line(make)) for name, make in RECIPES.items()]
    operations = _options_rows(IMAGE_OPERATIONS) + _options_rows(MIXING_OPERATIONS)
    options = ("name", "options", "what it does")
    return {
        "recipes": markdown_table(("recipe", "what it is"), recipes),
        "models": markdown_table(options, _options_rows(MODELS)),
        "schedules": markdown_table(options, _options_rows(SCHEDULES)),
        "optimizers": ", ".join(f"`{name}`" for name in optimizer_names()),
        "operations": markdown_table(options, operations),
    }


def _pack(figures: Mapping[str, Any]) -> str:
    images = sum(figures["images"].values())
    memory = figures["peak_memory_bytes"] / 1e9
    return f"{figures['seconds_median']:.1f} s for {images:,} images, peak memory {memory:.2f} GB"


def _startup(figures: Mapping[str, Any]) -> str:
    return f"{figures['seconds_median']:.2f} s"


def _augmentation(figures: Mapping[str, Any]) -> str:
    flip, second = (figures[key]["microseconds_per_image"] for key in ("horizontal_flip", "mkrtchyan set 2"))
    return f"{flip:.1f} microseconds an image for a flip, {second:.1f} for rotation, flips and blur"


def _loop(figures: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}` {found['ratio_median']:.1%}" for name, found in sorted(figures.items()))


def _kill(figures: Mapping[str, Any]) -> str:
    return f"{figures['identical']} of {figures['kills']} runs end with identical results"


def _ensemble(figures: Mapping[str, Any]) -> str:
    return (
        f"{figures['seconds_average']:.2f} s for the average of {figures['members']} members with "
        f"{figures['images']:,} images and {figures['classes']} classes, {figures['seconds_greedy']:.1f} s for greedy "
        f"selection, {figures['seconds_command']:.1f} s for the command"
    )


def _report(figures: Mapping[str, Any]) -> str:
    return (
        f"{figures['seconds_median']:.1f} s for {figures['images']:,} images of {figures['classes']} classes, peak "
        f"memory {figures['peak_memory_bytes'] / 1e9:.2f} GB, {figures['page_bytes'] / 1e6:.1f} MB"
    )


def _quality(figures: Mapping[str, Any]) -> str:
    found, twins = figures["flipped"]["0.05 to any class"]["class"], figures["duplicates"]
    return (
        f"{found['recall']:.1%} are among the suspects, and {found['precision_of_surest_1%']:.1%} of the surest 1% "
        f"are such; {twins['identical_pairs']} identical and {twins['near_pairs']} near pairs in "
        f"{twins['images']:,} images"
    )


def _features(figures: Mapping[str, Any]) -> str:
    found, probe = figures["extraction"], figures["linear_probe"]
    return (
        f"{found['images_per_second']:.0f} images/s at {found['image_size']} pixels, {found['ratio_median']:.1%} of "
        f"the bare forward pass; {probe['epochs']:g} epochs of a linear head on them in {probe['total_seconds']:.0f} s"
    )


def _depthwise(figures: Mapping[str, Any]) -> str:
    rates = (statistics.median(figures[key]) for key in ("images_per_second", "images_per_second_fast"))
    before, after = (f"{rate:.0f}" for rate in rates)
    return (
        f"{after} images/s instead of {before} at {figures['image_size']} pixels, "
        f"{figures['ratio_median']:.1f} times as fast"
    )


def _challenge_load_label(figures: Mapping[str, Any]) -> str:
    one = next(iter(figures.values()))
    last = "minute" if one["window_seconds"] == 60 else f"{one['window_seconds']:g} s"
    return f"`thumbnet serve`: {one['clients']:,} teams submit in the last {last} while {one['readers']:,} watch"


def _challenge_load(figures: Mapping[str, Any]) -> str:
    parts = []
    for name, found in figures.items():
        lost = sum(found[key] for key in FAILURES)
        parts.append(
            f"{_DATABASES[name]}: {found['accepted']} of {found['clients']} accepted, {lost} lost, doubled or failed, "
            f"p99 {found['submissions']['p99_ms']:.0f} ms"
        )
    return "; ".join(parts)


def _challenge_race_label(figures: Mapping[str, Any]) -> str:
    by_processes = next(iter(figures.values()))
    posts = next(iter(by_processes.values()))["posts"]
    counts = [{"1": "one", "2": "two"}.get(name.split()[0], name.split()[0]) for name in by_processes]
    return f"{posts} posts of one team at the same moment, {' and '.join(counts)} server processes"


def _challenge_race(figures: Mapping[str, Any]) -> str:
    rounds = [one for found in figures.values() for one in found.values()]
    good = sum(one["rounds_with_one_accepted"] for one in rounds)
    return f"one accepted in {good} of {sum(one['rounds'] for one in rounds)} rounds"


def _challenge_kill(figures: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{_DATABASES[name]}: {found['good_checks']} of {found['checks']} checks after {found['kills']} kills found "
        f"all of {found['acknowledged']:,} acknowledged submissions and nothing half-written"
        for name, found in figures.items()
    )


_DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}

_MEASUREMENTS: Sequence[tuple[str, str | Callable[[Mapping[str, Any]], str], Callable[[Mapping[str, Any]], str]]] = (
    ("pack", "`thumbnet data pack tiny-imagenet-200.zip`", _pack),
    ("startup", "`thumbnet --help`", _startup),
    ("ensemble", "`thumbnet ensemble`, from files", _ensemble),
    ("report", "`thumbnet report`", _report),
    ("quality", "5% of val's labels flipped on purpose, searched with `resnet18-64`; duplicates", _quality),
    ("augmentation", "augmentation of 64x64 images", _augmentation),
    ("training-loop", "images/s of the training loop, as a share of the bare model step's", _loop),
    ("features", "features of EfficientNet-Lite0, computed once and kept", _features),
    ("depthwise", "training EfficientNet-Lite0 on the CPU with our backward pass of its convolutions", _depthwise),
    ("resume-after-kill", "killed with SIGKILL at a random moment, then resumed", _kill),
    ("challenge-load", _challenge_load_label, _challenge_load),
    ("challenge-race", _challenge_race_label, _challenge_race),
    ("challenge-kill", "`thumbnet serve` killed with SIGKILL under load", _challenge_kill),
)


def _options_rows(registry: Registry[Any]) -> list[tuple[str, ...]]:
    return [(f"`{name}`", _options(registry.get(name)), _first_line(registry.get(name))) for name in registry.names()]


def _options(function: Any) -> str:
    """Return a function's keyword-only parameters as `name=default`, or as `name` where one must be given."""
    found = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            needed = parameter.default is inspect.Parameter.empty
            found.append(parameter.name if needed else f"{parameter.name}={_value(parameter.default)}")
    return ", ".join(f"`{one}`" for one in found)


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _first_line(function: Any) -> str:
    return re.sub(r"\s+", " ", (inspect.getdoc(function) or "").split("\n\n")[0].splitlines()[0])


def _link(name: str, root: str = "") -> str:
    return f"[{name}]({root}records/{name}.json)"


def main() -> None:
    """Write the pages."""
    folder = ROOT / "records"
    measured = load_all(folder) if folder.is_dir() else []
    _write(ROOT / "README.md", readme((ROOT / "README.md").read_text(encoding="utf-8"), measured))
    docs = ROOT / "docs"
    _write(docs / "training.md", training_page((docs / "training.md").read_text(encoding="utf-8")))
    _write(
        docs / "experiments.md",
        experiments_page((docs / "experiments.md").read_text(encoding="utf-8"), measured),
    )


def _write(path: Path, text: str) -> None:
    with atomic_file(path, "w") as handle:
        handle.write(text)
    print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()

"""The tables of studies, comparisons, ensembles, searches and untrained classifiers, as records state them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from thumbnet.predictions import UNTESTED
from thumbnet.records import Measurement
from thumbnet.studies import STUDIES, Study
from thumbnet.text import chance, interval, markdown_table, percent
from thumbnet.workflows.reproduction.lines import AnyRecord
from thumbnet.workflows.tuning.result import short
from tools.tables.links import link

_PRETRAINED = ("", ", pretrained")
"""What stands behind networks from random weights, or of which a record does not tell, and behind pretrained ones."""

_DIFFERENCE = ("difference in points (95% interval)", "McNemar")


def studies(records: Sequence[AnyRecord]) -> str:
    """Return the table of all studies, with what was measured of them."""
    known = {one.name: one for one in records if isinstance(one, Measurement)}
    rows = [
        (f"`{study.name}`", study.text, study.source, _found(study, known.get(study.name)))
        for study in STUDIES.values()
    ]
    return markdown_table(("study", "what it shows", "where the report has it", "measured"), rows)


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
    return link(record.name, "../", ", ".join(parts))


def comparisons(records: Sequence[AnyRecord]) -> str:
    """Return the table of what was compared, image by image."""
    head = ("first", "second", "split", *_DIFFERENCE)
    return _table(head, records, ("p_value", "first", "second"), _compared, "Nothing is compared yet.")


def ensembles(records: Sequence[AnyRecord]) -> str:
    """Return the table of ensembles, each beside the best of its members."""
    head = ("networks", "averaged", "split", "best alone", "ensemble", *_DIFFERENCE)
    return _table(head, records, ("best_member",), _averaged, "No ensemble is measured yet.")


def searches(records: Sequence[AnyRecord]) -> str:
    """Return the table of what `thumbnet tune` found, and what that gained on val."""
    head = ("recipe", "trials", "found", "val before", "val after", *_DIFFERENCE)
    return _table(head, records, ("space", "val"), _searched, "Nothing is searched yet.")


def zero_shots(records: Sequence[AnyRecord]) -> str:
    """Return the table of pretrained classifiers that were judged as they are."""
    head = ("network", "pixels", "views", "split", "top-1", "95% interval")
    return _table(head, records, ("recipe", "views"), _untrained, "Nothing is measured yet.")


def _table(
    head: Sequence[str],
    records: Sequence[AnyRecord],
    keys: Sequence[str],
    row: Callable[[Mapping[str, Any]], Sequence[str]],
    empty: str,
) -> str:
    """Return a table of the measurements whose figures state all of `keys`, with a `row` and a link of each."""
    measured = [one for one in records if isinstance(one, Measurement)]
    chosen = [one for one in measured if all(one.figures.get(key) is not None for key in keys)]
    rows = [(*row(one.figures), link(one.name, "../")) for one in chosen]
    return markdown_table((*head, "record"), rows) if rows else empty


def _compared(found: Mapping[str, Any]) -> Sequence[str]:
    return (_side(found, "first"), _side(found, "second"), found["split"], *_difference(found, found["notes"]))


def _averaged(found: Mapping[str, Any]) -> Sequence[str]:
    compared, members = found["comparison"], [one for one in found["members"] if one["count"]]
    runs = dict.fromkeys(one["name"].partition(":")[0] for one in members)
    kept = "networks of " if len(runs) < len(members) else ""
    chosen = f", chosen on {found['select']}" if found["select"] is not None else ""
    return (
        kept + ", ".join(f"`{name}`" for name in runs) + _PRETRAINED[bool(found.get("pretrained"))],
        f"{len(members)} of {len(found['members'])}{chosen}",
        found["split"],
        percent(compared["first_top1"], 2),
        percent(compared["second_top1"], 2),
        *_difference(compared, found["notes"]),
    )


def _searched(found: Mapping[str, Any]) -> Sequence[str]:
    gain = found["val"]
    return (
        f"`{found['recipe_name']}`",
        f"{found['trials']} ({found['pruned']} ended early, {found['failed']} failed)",
        ", ".join(f"`{key}` {short(value)}" for key, value in found["best"]["values"].items()),
        percent(gain["before"]["top1"], 2),
        percent(gain["after"]["top1"], 2),
        *_difference(gain),
    )


def _untrained(found: Mapping[str, Any]) -> Sequence[str]:
    return (
        f"`{found['recipe']['model']['name']}`",
        str(found["image_size"]),
        found["views"],
        found["split"],
        percent(found["top1"], 2),
        interval(found["top1_interval"]),
    )


def _difference(found: Mapping[str, Any], notes: Sequence[str] = ()) -> tuple[str, str]:
    """Return the difference in points with its interval, and McNemar's p-value where no note says that it fails."""
    low, high = found["interval"]
    chosen_here = any(UNTESTED in note for note in notes)
    told = "none: chosen on these images" if chosen_here else chance(found["p_value"])
    return f"{100 * found['difference']:+.2f} ({100 * low:+.2f} to {100 * high:+.2f})", told


def _side(found: Mapping[str, Any], name: str) -> str:
    side = found[name]
    plain = {"views": "none", "weights": "last"}
    how = [str(side[key]) for key, usual in plain.items() if side[key] not in (None, usual)]
    told = f"`{Path(side['path']).name}`" + (f" ({', '.join(how)})" if how else "")
    told += _PRETRAINED[bool(side.get("pretrained"))]
    return f"{told} {percent(found[f'{name}_top1'], 2)}"

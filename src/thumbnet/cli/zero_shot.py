"""`thumbnet zero-shot`."""

import sys
from typing import Annotated

from cyclopts import Parameter

from thumbnet.cli.options import (
    ComputeOptions,
    DataOption,
    JsonFlag,
    RecordOption,
    SettingsOption,
    ViewsOption,
    command_line,
    open_data,
    with_settings,
)
from thumbnet.cli.printing import print_json
from thumbnet.text import with_interval


def zero_shot(
    recipe: Annotated[
        str, Parameter(help="A recipe with pretrained weights, or a network such as timm/tf_efficientnet_lite0.")
    ],
    /,
    *,
    data: DataOption = None,
    split: Annotated[str, Parameter(help="The split to judge: holdout or val.")] = "val",
    views: ViewsOption = "none",
    settings: SettingsOption = None,
    record: RecordOption = None,
    compute: ComputeOptions = ComputeOptions(),
    as_json: JsonFlag = False,
) -> None:
    """Judge a pretrained ImageNet classifier on the data's classes as it is, without training it."""
    from thumbnet import records
    from thumbnet.train.hardware import describe_hardware
    from thumbnet.workflows import zero_shot as workflow

    if record is not None:
        records.check_place(record)
    chosen = with_settings(workflow.zero_shot_recipe(recipe), settings)
    place = compute.choose()
    found = workflow.zero_shot(chosen, open_data(data), split, place, views=views)
    if record is not None:
        records.write_measurement(record, found.figures(), describe_hardware(place), command_line())
    if as_json:
        print_json({"name": found.name, **found.figures()})
        return
    scores = found.predictions.scores()
    sys.stdout.write(f"{found.name}, {split}, views: {views}: {scores.images:,} images in {found.seconds:.0f} s\n")
    sys.stdout.write(f"top-1 {with_interval(scores.top1, scores.top1_interval, 2)}\n")
    sys.stdout.write(f"top-5 {with_interval(scores.top5, scores.top5_interval, 2)}\n")

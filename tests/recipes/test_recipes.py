"""The recipes: each holds together, and the faithful ones state the numbers of their reports."""

import inspect
import json
from dataclasses import replace
from pathlib import Path

import pytest

from thumbnet.augment import build_evaluation_policy
from thumbnet.errors import RecipeError
from thumbnet.models import check_model
from thumbnet.optim import check_optimizer
from thumbnet.recipe import (
    Operation,
    Recipe,
    Schedule,
    epochs,
    from_json,
    iterations,
    operation,
    to_json,
)
from thumbnet.recipes import RECIPES, ROWS, find_recipe, find_row
from thumbnet.train.plan import make_plan

TRAIN_IMAGES = 100_000
"""Of Tiny ImageNet, to which the faithful recipes' epochs refer."""


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_holds_together(name: str) -> None:
    # `tests/workflows/reproduction/test_rows.py` trains each, shortened.
    recipe = RECIPES[name]()
    assert recipe.name == name
    assert find_recipe(name) == recipe
    assert inspect.getdoc(RECIPES[name])
    check_model(recipe.model)
    check_optimizer(recipe.optimizer)
    assert make_plan(recipe, TRAIN_IMAGES, 64).total_steps > 0
    build_evaluation_policy(recipe.evaluation.policy)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_survive_json(name: str, tmp_path: Path) -> None:
    recipe = RECIPES[name]()
    file = tmp_path / "recipe.json"
    file.write_text(json.dumps(to_json(recipe)))
    read = find_recipe(str(file))
    assert to_json(read) == to_json(recipe)
    assert from_json(to_json(read)) == read


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(RecipeError, match="did you mean ma-scratch"):
        find_recipe("ma-scrach")


SET_1 = (operation("horizontal_flip"), operation("center_crop", crop=56))
SET_2 = (
    operation("rotation", degrees=10),
    operation("horizontal_flip"),
    operation("vertical_flip"),
    operation("gaussian_blur", kernel_size=5, sigma=[0.1, 2.0]),
)


@pytest.mark.parametrize(
    ("name", "network", "rate", "policies"),
    [
        ("mkrtchyan-m1", "m1", 1e-3, (SET_1, SET_2)),
        ("mkrtchyan-m1-set1", "m1", 1e-3, (SET_1,)),
        ("mkrtchyan-m1-lr1e-4", "m1", 1e-4, (SET_1, SET_2)),
        ("mkrtchyan-m4", "m4", 1e-3, (SET_1, SET_2)),
    ],
)
def test_mkrtchyan_is_as_reported(
    name: str, network: str, rate: float, policies: tuple[tuple[Operation, ...], ...]
) -> None:
    recipe = RECIPES[name]()
    assert recipe.model.name == network
    assert recipe.optimizer.name == "radam"
    assert recipe.optimizer.lr == rate
    assert recipe.optimizer.weight_decay == 1e-4
    assert recipe.optimizer.no_decay == "none"
    assert recipe.optimizer.options == {"betas": [0.9, 0.999], "eps": 1e-8}
    assert recipe.batch_size == 256
    assert recipe.schedule == Schedule("constant")
    assert [phase.length for phase in recipe.phases] == [epochs(20)]
    assert recipe.phases[0].policies == policies
    assert _chosen_on_val_from_all_images(recipe)
    # Each image is seen once under each set in an epoch.
    plan = make_plan(recipe, TRAIN_IMAGES, 64)
    assert plan.total_steps == 20 * -(-TRAIN_IMAGES * len(policies) // 256)


@pytest.mark.parametrize(("name", "size"), [("ma-scratch", 224), ("ma-scratch-64", 64)])
def test_ma_is_as_reported(name: str, size: int) -> None:
    recipe = RECIPES[name]()
    assert (recipe.model.name, recipe.model.options) == ("resnet18", {})
    assert recipe.optimizer.name == "adam"
    assert recipe.optimizer.weight_decay == 1e-4
    assert recipe.batch_size == 256
    assert recipe.phases[0].policies == ((),)
    assert recipe.checkpointing.filters == (2, 6, 10)
    assert _chosen_on_val_from_all_images(recipe)
    plan = make_plan(recipe, TRAIN_IMAGES, 64)
    assert plan.phases[0].image_size == size
    assert plan.phases[0].steps_per_epoch == 391
    assert plan.total_steps == 3910
    rates = [recipe.optimizer.lr * plan.phases[0].factor(step) for step in range(plan.total_steps)]
    assert rates[: 7 * 391] == [1e-4] * 7 * 391
    assert rates[7 * 391 :] == pytest.approx([1e-5] * 3 * 391)


STEPPED = Schedule("step", options={"every": "7 epochs", "gamma": 0.1})


@pytest.mark.parametrize(
    ("name", "network", "rate", "length"),
    [
        ("mkrtchyan-alexnet", "mkrtchyan-alexnet", 1e-3, 20),
        ("mkrtchyan-resnet18", "resnet18", 1e-3, 20),
        ("mkrtchyan-resnet18-lr1e-4", "resnet18", 1e-4, 20),
        ("mkrtchyan-resnet34", "resnet34", 1e-3, 20),
        ("mkrtchyan-resnet34-preact", "resnet34", 1e-3, 20),
        ("mkrtchyan-densenet161", "timm/densenet161", 1e-3, 8),
    ],
)
def test_mkrtchyans_larger_networks_fall_every_seven_epochs(name: str, network: str, rate: float, length: int) -> None:
    recipe = RECIPES[name]()
    assert (recipe.model.name, recipe.optimizer.name, recipe.optimizer.lr) == (network, "radam", rate)
    assert recipe.schedule == STEPPED
    assert [phase.length for phase in recipe.phases] == [epochs(length)]
    assert recipe.phases[0].policies == (SET_1, SET_2)
    assert _chosen_on_val_from_all_images(recipe)


@pytest.mark.parametrize(
    ("name", "every", "length"),
    [
        ("hansen-alexnet", 100_000, 20_000),
        ("hansen-alexnet-3x3", 5000, 15_000),
        ("hansen-prelu-development", 5000, 15_000),
        ("hansen-prelu", 20_000, 60_000),
    ],
)
def test_hansen_is_as_reported(name: str, every: int, length: int) -> None:
    recipe = RECIPES[name]()
    assert (recipe.optimizer.name, recipe.optimizer.lr, recipe.optimizer.weight_decay) == ("sgd", 0.01, 5e-4)
    assert recipe.optimizer.options == {"momentum": 0.9}
    assert recipe.schedule.options == {"every": f"{every} iterations", "gamma": 0.1}
    assert recipe.phases[0].length == iterations(length)
    assert recipe.phases[0].policies == ((operation("random_crop", size=60), operation("horizontal_flip")),)
    assert recipe.evaluation.policy == (operation("center_crop", crop=60, size=60),)
    assert _chosen_on_val_from_all_images(recipe)


def test_milani_is_as_reported() -> None:
    plain, regularized = RECIPES["milani-inception"](), RECIPES["milani-inception-regularized"]()
    assert plain.loss.label_smoothing == regularized.loss.label_smoothing == 0.1
    assert (plain.optimizer.lr, regularized.optimizer.lr) == (1e-3, 2e-3)
    assert plain.schedule.options == {"every": "1 epochs", "gamma": 0.9}
    assert regularized.schedule.options == {"every": "2 epochs", "gamma": 0.9}
    assert plain.phases[0].policies == ((),)
    assert [one.name for one in regularized.phases[0].policies[0]] == ["horizontal_flip", "brightness", "contrast"]
    assert regularized.model.options == {"dropout": 0.2}  # keeps 0.8
    assert plain.checkpointing.snapshots == regularized.checkpointing.snapshots == 20
    transfer = [RECIPES[f"milani-transfer-v{number}"]() for number in (1, 2, 3)]
    for recipe in transfer:
        assert (recipe.optimizer.lr, recipe.optimizer.weight_decay, recipe.batch_size) == (6.5e-4, 0.0116, 100)
        assert recipe.schedule.options == {"every": "1 epochs", "gamma": 0.713}
        assert (recipe.phases[0].image_size, recipe.phases[0].trainable) == (299, "head")
        assert (recipe.model.name, recipe.model.weights) == ("timm/inception_v3.tf_in1k", "imagenet")
    assert [recipe.model.head.dropout for recipe in transfer] == [0, 0.2, 0]
    assert [recipe.evaluation.views for recipe in transfer] == ["none", "ten-crop", "ten-crop"]
    assert [one.name for one in transfer[2].phases[0].policies[0]] == ["brightness", "contrast", "corner_crop"]
    assert transfer[2].phases[0].policies[0][2].options == {
        "crop": 56,
        "p_full": 0.5,
        "size": 299,
        "interpolation": "bilinear",
    }


def test_yu_trains_five_epochs() -> None:
    resnet = RECIPES["yu-resnet20"]()
    assert (resnet.optimizer.name, resnet.optimizer.lr, resnet.optimizer.weight_decay) == ("sgd", 0.1, 1e-4)
    assert resnet.optimizer.options == {"momentum": 0.9}
    assert resnet.batch_size == 256
    for name in RECIPES:
        if name.startswith("yu-") and not name.endswith("+"):
            assert [phase.length for phase in RECIPES[name]().phases] == [epochs(5)]


@pytest.mark.parametrize(
    ("name", "network", "length", "sizes", "judged_at"),
    [("yu-alexnet+", "yu-alexnet", 16, (48,), 48), ("yu-resnet20+", "yu-resnet20", 22, (64, 80, 96), 112)],
)
def test_yus_twins_train_the_same_network_longer(
    name: str, network: str, length: int, sizes: tuple[int, ...], judged_at: int
) -> None:
    recipe = RECIPES[name]()
    assert recipe.model == RECIPES[network]().model
    assert sum(phase.length.amount for phase in recipe.phases) == length
    assert tuple(phase.image_size for phase in recipe.phases) == sizes
    assert recipe.evaluation.image_size == judged_at
    assert (recipe.schedule.name, recipe.train_on, recipe.selected_on) == ("one_cycle", "all", "val")


def test_mas_fine_tuning_has_seven_epochs_in_four_phases() -> None:
    recipe = RECIPES["ma-finetune"]()
    assert [phase.length.amount for phase in recipe.phases] == [2, 3, 1, 1]
    assert [phase.trainable for phase in recipe.phases] == ["head", "all", "all", "all"]
    assert [(phase.optimizer or recipe.optimizer).lr for phase in recipe.phases] == [1e-3, 1e-4, 1e-5, 1e-5]
    assert [len(phase.policies[0]) for phase in recipe.phases] == [0, 0, 2, 0]


@pytest.mark.parametrize("name", ["ma-overfit-scratch", "ma-overfit-pretrained", "ma-overfit-pretrained-lite0"])
def test_an_iteration_of_mas_overfitting_check_is_an_epoch(name: str) -> None:
    recipe = RECIPES[name]()
    assert recipe.train_count == recipe.batch_size == recipe.evaluation.train_images == 100
    assert recipe.evaluation.every == iterations(1)
    assert recipe.optimizer.lr == 1e-4


def test_mas_studies_vary_one_thing() -> None:
    base = RECIPES["ma-init-default"]()
    for name in ("ma-init-xavier", "ma-relu", "ma-leaky-relu", "ma-elu"):
        other = RECIPES[name]()
        assert replace(other, name=base.name, model=base.model) == base
        small = RECIPES[f"{name}-64"]()
        assert replace(small, name=name, phases=other.phases) == other
        assert [phase.image_size for phase in small.phases] == [None]


def _chosen_on_val_from_all_images(recipe: Recipe) -> bool:
    """The reports trained on all training images and took the best epoch on val."""
    return (recipe.train_on, recipe.selected_on, recipe.evaluation.splits) == ("all", "val", ("val",))


def test_our_own_headline_is_the_last_step() -> None:
    assert RECIPES["resnet18-64"]().selected_on == "none"
    assert "holdout" in RECIPES["demo"]().evaluation.splits
    assert RECIPES["demo"]().train_on == "fit"


def test_our_own_sizes_do_not_follow_the_data() -> None:
    recipe = RECIPES["resnet18-64"]()
    assert [phase.image_size for phase in make_plan(recipe, 1000, 128).phases] == [40, 48, 64]
    assert recipe.judged_size(128) == 64


def test_reported_figures() -> None:
    figures = {name: row.reported.val for name, row in ROWS.items()}
    assert figures["ma-scratch"] == figures["ma-scratch-64"] == 0.40
    assert figures["mkrtchyan-m1"] == 0.295
    assert figures["yu-resnet20"] == 0.544
    assert figures["milani-snapshots"] == 0.522
    for row in ROWS.values():
        reported = row.reported
        assert (row.recipe is None) != (row.study is None)
        assert reported.val or reported.iterations or reported.text
        for figure in (reported.train, reported.val, reported.test):
            assert figure is None or 0 < figure <= 1


def test_an_unknown_row_gets_the_nearest() -> None:
    assert find_row("ma-scratch") is ROWS["ma-scratch"]
    with pytest.raises(RecipeError, match="did you mean ma-scratch"):
        find_row("ma-scrach")

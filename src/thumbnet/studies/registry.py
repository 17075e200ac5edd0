"""The reports' studies.

Their runs are the rows' own where a row is one of them, in the same folders, so that nothing trains twice. A new study
is a function here and a line in `_ALL`.
"""

from collections.abc import Mapping
from dataclasses import replace

from thumbnet.errors import RecipeError, nearest
from thumbnet.recipe import Optimizer, Recipe, iterations
from thumbnet.recipes import RECIPES
from thumbnet.studies.study import Ensemble, Study


def _ma_initialization(twin: str = "") -> Study:
    return Study(
        name=f"ma-initialization{twin}",
        text=f"ResNet-18's last layer drawn uniformly and by Xavier's rule, one epoch{_at(twin)}.",
        runs=_rows({"uniform": f"ma-init-default{twin}", "Xavier": f"ma-init-xavier{twin}"}),
        varies=("model.initialization",),
        panels=("loss", "weights", "bars"),
        source="Ma 2017, section 5.2, figures 5 and 6",
    )


def _ma_activation(twin: str = "") -> Study:
    return Study(
        name=f"ma-activation{twin}",
        text=f"ResNet-18 with ReLU, leaky ReLU and ELU, one epoch{_at(twin)}.",
        runs=_rows({"ReLU": f"ma-relu{twin}", "leaky ReLU": f"ma-leaky-relu{twin}", "ELU": f"ma-elu{twin}"}),
        varies=("model.options.activation",),
        panels=("activations", "loss", "bars"),
        source="Ma 2017, section 5.3, figures 7 and 8",
    )


def _ma_overfitting() -> Study:
    return Study(
        name="ma-overfitting",
        text="100 images memorised, by ResNet-18 from random and from ImageNet's weights.",
        runs=_rows({"from scratch": "ma-overfit-scratch", "pretrained": "ma-overfit-pretrained"}),
        varies=("model.weights", "normalization"),
        panels=("train-accuracy", "loss"),
        source="Ma 2017, section 5.1, figure 4",
    )


def _ma_overfitting_lite0() -> Study:
    return replace(
        _ma_overfitting(),
        name="ma-overfitting-lite0",
        text="The same with a pretrained network that installs offline, EfficientNet-Lite0.",
        runs=_rows({"from scratch": "ma-overfit-scratch", "pretrained": "ma-overfit-pretrained-lite0"}),
        varies=("model", "normalization"),
    )


def _hansen_solvers() -> Study:
    """The report gives no figures for its solvers: 2,000 iterations (5 epochs) at one rate of 0.01 are chosen.

    Weight decay is the report's for all of them; its schedule lowers no rate within that length.
    """
    base = RECIPES["hansen-alexnet-3x3"]()
    phase = replace(base.phases[0], length=iterations(2000))
    base = replace(base, phases=(phase,), evaluation=replace(base.evaluation, every=iterations(200)))
    solvers = {
        "SGD with momentum": ("momentum", "sgd", {"momentum": 0.9}),
        "Nesterov": ("nesterov", "nesterov", {"momentum": 0.9}),
        "AdaGrad": ("adagrad", "adagrad", {}),
        "plain SGD": ("sgd", "sgd", {}),
    }
    return Study(
        name="hansen-solvers",
        text="AlexNet with 3x3 filters under four solvers, 2,000 iterations at a learning rate of 0.01.",
        runs={
            label: replace(base, name=f"hansen-solvers-{short}", optimizer=_solver(base, solver, options))
            for label, (short, solver, options) in solvers.items()
        },
        varies=("optimizer.name", "optimizer.options"),
        panels=("loss", "accuracy", "bars"),
        source="Hansen 2015, section 4.1",
    )


def _solver(recipe: Recipe, name: str, options: Mapping[str, object]) -> Optimizer:
    return replace(recipe.optimizer, name=name, options=options)


def _hansen_ensemble() -> Study:
    return Study(
        name="hansen-ensemble",
        text="The last-layer activations of up to four AlexNets with PReLU, averaged.",
        runs=_rows({"PReLU": "hansen-prelu-development"}),
        varies=(),
        panels=("ensemble", "accuracy"),
        seeds=4,
        ensemble=Ensemble("seeds", "logits"),
        source="Hansen 2015, section 4.1",
    )


def _milani_snapshots(kind: str = "") -> Study:
    return Study(
        name=f"milani-snapshots{kind}",
        text=f"The probabilities of the best snapshots of one run, averaged{', regularized' if kind else ''}.",
        runs=_rows({"small Inception": f"milani-inception{kind}"}),
        varies=(),
        panels=("snapshots", "accuracy"),
        ensemble=Ensemble("snapshots", "probabilities"),
        source="Milani 2017, section 3.4" + (", table 1" if kind else ", figure 6"),
    )


def _mkrtchyan_learning_rates() -> Study:
    networks = {"M1": "mkrtchyan-m1", "M4": "mkrtchyan-m4", "ResNet-18": "mkrtchyan-resnet18"}
    rates = {"1e-3": "", "1e-4": "-lr1e-4"}
    return Study(
        name="mkrtchyan-learning-rates",
        text="M1, M4 and ResNet-18 (which has a schedule), each at two learning rates.",
        runs=_rows(
            {f"{label}, {rate}": name + end for label, name in networks.items() for rate, end in rates.items()}
        ),
        varies=("model.name", "optimizer.lr", "schedule"),
        panels=("accuracy", "loss", "bars"),
        source="Mkrtchyan 2022, figures 3 to 6, 8 and 9",
    )


def _rows(names: Mapping[str, str]) -> dict[str, Recipe]:
    return {label: RECIPES[name]() for label, name in names.items()}


def _at(twin: str) -> str:
    return ", at 64 pixels" if twin else ""


_ALL = (
    _hansen_ensemble(),
    _hansen_solvers(),
    _ma_activation(),
    _ma_activation("-64"),
    _ma_initialization(),
    _ma_initialization("-64"),
    _ma_overfitting(),
    _ma_overfitting_lite0(),
    _milani_snapshots(),
    _milani_snapshots("-regularized"),
    _mkrtchyan_learning_rates(),
)

STUDIES: Mapping[str, Study] = {study.name: study for study in _ALL}
"""Every study of the reports, by name."""


def find_study(name: str) -> Study:
    """Return the study called `name`.

    Raises:
        RecipeError: there is no such study, with the nearest names.
    """
    if name not in STUDIES:
        raise RecipeError(f"study {name!r} is unknown; {nearest(name, STUDIES)}")
    return STUDIES[name]

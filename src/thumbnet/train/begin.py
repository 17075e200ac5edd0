"""What a recipe leaves open until its run begins, stated."""

from dataclasses import replace
from pathlib import Path

from thumbnet.errors import RecipeError
from thumbnet.models import check_model, own_preprocessing, resolve_init
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Normalization, Recipe
from thumbnet.run import RunDirectory


def begun(recipe: Recipe, dataset: PackedDataset) -> Recipe:
    """Return `recipe` with all stated that the weights to start from decide.

    That is the digest of `model.init` and whether it is pretrained; and with preprocessing 'network' the image size
    (where the recipe has none), interpolation and normalisation. A recipe that states all of it comes back as it is.

    Raises:
        RecipeError: a network or weights that do not exist, or another file than the recipe's; or weights that were
            trained on the holdout that the recipe keeps apart.
        RunError: `model.init` names a folder that is no run, or an unfinished one.
    """
    check_model(recipe.model)
    if recipe.model.init is not None:
        init = resolve_init(recipe.model.init, dataset.fingerprint)
        recipe = replace(recipe, model=replace(recipe.model, init=init))
        _check_holdout(recipe, init.path, dataset.fingerprint)
    return with_own_preprocessing(recipe)


def _check_holdout(recipe: Recipe, path: str, fingerprint: str) -> None:
    """Check that the run behind `path`, where there is one, did not train on the holdout that `recipe` keeps apart."""
    run = RunDirectory.behind(Path(path))
    if run is None or recipe.train_on != "fit":
        return
    if run.recipe().train_on == "all" and run.data()["fingerprint"] == fingerprint:
        raise RecipeError(
            f"model.init: {path} was trained on the holdout, which this recipe would measure as unseen; "
            "use train_on='all' (selected_on and evaluation.splits without holdout), or a run with train_on='fit'"
        )


def with_own_preprocessing(recipe: Recipe) -> Recipe:
    """Return `recipe` with what 'network' preprocessing stands for.

    Raises:
        RecipeError: the network has no weights of its own.
    """
    if recipe.preprocessing != "network":
        return recipe
    own = own_preprocessing(recipe.model)
    phases = tuple(replace(phase, image_size=phase.image_size or own.image_size) for phase in recipe.phases)
    size = recipe.evaluation.image_size or own.image_size
    return replace(
        recipe,
        phases=phases,
        evaluation=replace(recipe.evaluation, image_size=size),
        normalization=Normalization(own.mean, own.std),
        interpolation=own.interpolation,
        preprocessing="recipe",
    )

"""What a recipe leaves open until its run begins, stated."""

from dataclasses import replace

from thumbnet.models import check_model, own_preprocessing, resolve_init
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Normalization, Recipe


def begun(recipe: Recipe, dataset: PackedDataset) -> Recipe:
    """Return `recipe` with all stated that the weights to start from decide.

    That is the digest of `model.init` and whether it is pretrained; and with preprocessing 'network' the image size
    (where the recipe has none), interpolation and normalisation. A recipe that states all of it comes back as it is.

    Raises:
        RecipeError: a network or weights that do not exist, or another file than the recipe's.
        RunError: `model.init` names a folder that is no run, or an unfinished one.
    """
    check_model(recipe.model)
    if recipe.model.init is not None:
        init = resolve_init(recipe.model.init, dataset.fingerprint)
        recipe = replace(recipe, model=replace(recipe.model, init=init))
    return with_own_preprocessing(recipe)


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

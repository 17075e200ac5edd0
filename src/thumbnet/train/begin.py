"""What a recipe leaves open until its run begins, stated."""

from dataclasses import replace
from pathlib import Path

from thumbnet.errors import RecipeError
from thumbnet.models import check_model, own_preprocessing, with_digest
from thumbnet.packed import PackedDataset
from thumbnet.recipe import InitialWeights, Normalization, Recipe
from thumbnet.run import RunDirectory, choosing_splits, has_images_of


def begun(recipe: Recipe, dataset: PackedDataset) -> Recipe:
    """Return `recipe` with all stated that the weights to start from decide.

    That is the digest of `model.init`, whether it is pretrained, and what chose it; and with preprocessing 'network'
    the image size (where the recipe has none), interpolation and normalisation. A recipe that states all of it comes
    back as it is.

    Raises:
        RecipeError: a network or weights that do not exist, or another file than the recipe's; or weights that were
            trained on the holdout that the recipe keeps apart.
        RunError: `model.init` names a folder that is no run, or an unfinished one.
    """
    check_model(recipe.model)
    if recipe.model.init is not None:
        recipe = replace(recipe, model=replace(recipe.model, init=_resolved(recipe.model.init, recipe, dataset)))
    return with_own_preprocessing(recipe)


def has_head_for(dataset: PackedDataset, path: Path) -> bool:
    """Return whether `path` is a run, or a file of one, whose head is of the classes of `dataset`.

    Raises:
        RunError: a folder that is no run, or a run that is damaged.
        StorageError: the place may not be entered.
    """
    run = RunDirectory.behind(path)
    return run is not None and run.class_ids() == tuple(info.id for info in dataset.classes)


def _resolved(init: InitialWeights, recipe: Recipe, dataset: PackedDataset) -> InitialWeights:
    """Return `init` with its digest and what a run behind it says, once that run's images are found to allow it."""
    init, behind = with_digest(init), RunDirectory.weights_behind(Path(init.path))
    if behind is None:
        return replace(init, pretrained=True)
    run, weights = behind
    own = run.data()["fingerprint"] == dataset.fingerprint
    if not has_images_of(dataset, run):
        return replace(init, pretrained=True, selected_on=())
    before = run.recipe()
    if recipe.train_on == "fit" and before.train_on == "all":
        seen = "the holdout" if own else "images that have the names of the holdout's, and most likely are the same"
        raise RecipeError(
            f"model.init: {init.path} was trained on {seen}, which this recipe would measure as unseen; "
            "use train_on='all' (selected_on and evaluation.splits without holdout), or a run with train_on='fit'"
        )
    pretrained = before.model.pretrained or not own
    return replace(init, pretrained=pretrained, selected_on=tuple(choosing_splits(run, weights)))


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

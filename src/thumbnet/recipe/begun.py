"""How a recipe begins: from which weights, and in which of its two forms, as it was asked for or as its run has it."""

from dataclasses import replace

from thumbnet.recipe.model import InitialWeights
from thumbnet.recipe.schema import Recipe


def start_from(recipe: Recipe, path: str, *, own_head: bool = False) -> Recipe:
    """Return `recipe` with a weights file or a run to start from, in place of what it starts from itself.

    Args:
        recipe: the recipe.
        path: the file or the run.
        own_head: whether its head is one of the data's classes, which is taken instead of ImageNet's classifier.

    Raises:
        RecipeError: the recipe draws its weights in a way of its own.
    """
    head = replace(recipe.model.head, start="fresh") if own_head else recipe.model.head
    return replace(recipe, model=replace(recipe.model, weights=None, init=InitialWeights(path), head=head))


def same_recipe(begun: Recipe, asked: Recipe) -> bool:
    """Return whether a run's recipe, as `train` states it, is the one that was asked for.

    When a run begins, the digest of `model.init` and what chose it are filled in, and what 'network' preprocessing
    stands for.
    """
    return begun == asked or _as_asked(begun, asked) == asked


def _as_asked(begun: Recipe, asked: Recipe) -> Recipe:
    """Return `begun` without what was filled in where `asked` left it open."""
    wanted = asked.model.init
    if begun.model.init is not None and wanted is not None:
        digest = begun.model.init.sha256 if wanted.sha256 else ""
        init = replace(begun.model.init, sha256=digest, pretrained=wanted.pretrained, selected_on=wanted.selected_on)
        begun = replace(begun, model=replace(begun.model, init=init))
    if asked.preprocessing != "network" or len(begun.phases) != len(asked.phases):
        return begun
    phases = tuple(
        replace(one, image_size=other.image_size and one.image_size)
        for one, other in zip(begun.phases, asked.phases, strict=True)
    )
    size = asked.evaluation.image_size and begun.evaluation.image_size
    return replace(
        begun,
        phases=phases,
        evaluation=replace(begun.evaluation, image_size=size),
        normalization=asked.normalization,
        interpolation=asked.interpolation,
        preprocessing="network",
    )

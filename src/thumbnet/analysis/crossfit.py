"""Out-of-sample predictions for the training images: a linear head on cached features, fitted on the other folds.

The body has seen all training images; only the head has not seen those that it judges. So these predictions are surer
of a wrong label than those of a network trained without it, and less sure than those of one that trained on it.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from thumbnet.analysis.subject import Subject
from thumbnet.evaluate import provenance
from thumbnet.predictions import Predictions
from thumbnet.randomness import derive_seed
from thumbnet.watch import Watch


@dataclass(frozen=True)
class CrossFit:
    """How the heads are fitted.

    Attributes:
        folds: parts of the training images; each is judged by a head that is fitted on the others.
        penalty: half of this times the sum of the squared weights is added to the sum of the cross-entropies; 1 is
            scikit-learn's default (C = 1) for its LogisticRegression.
        steps: of Adam.
        batch_size: images a step.
        lr: learning rate at the start; it falls to 0 as a cosine.
    """

    folds: int = 5
    penalty: float = 1.0
    steps: int = 1500
    batch_size: int = 500
    lr: float = 0.005


def cross_fit(subject: Subject, class_ids: tuple[str, ...], how: CrossFit = CrossFit()) -> Predictions:
    """Return out-of-sample predictions for all training images.

    Args:
        subject: the network with its images.
        class_ids: of all classes.
        how: number of folds, and how the heads are fitted.

    Raises:
        ThumbnetError: the features cannot be computed or kept.
    """
    train, recipe = subject.train, subject.recipe
    logits = cross_fitted_logits(
        subject.train_features(),
        train.labels,
        len(class_ids),
        how,
        seed=recipe.seed,
        device=subject.device,
        watch=subject.watch,
    )
    origin = provenance(recipe, subject.origin.data, subject.origin.weights)
    return Predictions(
        "train",
        train.image_ids,
        logits.numpy(),
        train.labels.numpy(),
        class_ids,
        origin | {"cross_fitted": asdict(how)},
    )


def fold_of(labels: Tensor, folds: int, seed: int) -> Tensor:
    """Return the fold of each image, i64[N] in 0 to `folds` - 1: of each class about as many in each.

    Args:
        labels: i64[N].
        folds: how many.
        seed: of the order within a class.
    """
    generator = torch.Generator().manual_seed(derive_seed(seed, "crossfit/folds"))
    order = torch.randperm(len(labels), generator=generator)
    by_class = order[labels[order].argsort(stable=True)]
    found = torch.empty_like(labels)
    # One count over all classes: those of fewer images than folds do not all fall into the first folds.
    found[by_class] = torch.arange(len(labels)) % folds
    return found


def cross_fitted_logits(
    features: Tensor,
    labels: Tensor,
    classes: int,
    how: CrossFit,
    *,
    seed: int,
    device: torch.device,
    watch: Watch,
) -> Tensor:
    """Return logits f32[N,K], each row by a head that was fitted without its image.

    Args:
        features: f[N,D].
        labels: i64[N].
        classes: their number K.
        how: how the heads are fitted.
        seed: of folds and batches.
        device: where to compute.
        watch: is told the progress, in images judged.
    """
    folds = fold_of(labels, how.folds, seed)
    logits = torch.empty(len(features), classes)
    done = 0
    for fold in range(how.folds):
        inside = (folds == fold).nonzero()[:, 0]
        outside = (folds != fold).nonzero()[:, 0]
        rows = features[outside].to(device).float()
        mean, scale = rows.mean(0), rows.std(0).clamp(min=1e-6)
        rows.sub_(mean).div_(scale)
        weight, bias = fit_head(rows, labels[outside].to(device), classes, how, derive_seed(seed, "crossfit", fold))
        judged = (features[inside].to(device).float() - mean) / scale
        logits[inside] = torch.addmm(bias, judged, weight.T).cpu()
        done += len(inside)
        watch(f"cross-fitting, fold {fold + 1} of {how.folds}", done, len(features))
    return logits


def fit_head(rows: Tensor, labels: Tensor, classes: int, how: CrossFit, seed: int) -> tuple[Tensor, Tensor]:
    """Return weights f32[K,D] and biases f32[K] of multinomial logistic regression, by Adam from zeros.

    Args:
        rows: f32[N,D], features of mean 0 and deviation 1.
        labels: i64[N].
        classes: their number K.
        how: penalty, steps, batches and rate.
        seed: of the order of the images.
    """
    weight = torch.zeros(classes, rows.shape[1], device=rows.device, requires_grad=True)
    bias = torch.zeros(classes, device=rows.device, requires_grad=True)
    # Adam's weight_decay adds this times the weight to the gradient of the mean: the penalty's gradient.
    groups: list[dict[str, Any]] = [{"params": [weight], "weight_decay": how.penalty / len(rows)}, {"params": [bias]}]
    optimizer = torch.optim.Adam(groups, lr=how.lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, how.steps)
    generator = torch.Generator().manual_seed(seed)
    left: list[Tensor] = []
    with torch.enable_grad():
        for _ in range(how.steps):
            if not left:
                order = torch.randperm(len(rows), generator=generator).to(rows.device)
                left = list(torch.split(order, how.batch_size))
            batch = left.pop()
            loss = functional.cross_entropy(torch.addmm(bias, rows[batch], weight.T), labels[batch])
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
    return weight.detach(), bias.detach()

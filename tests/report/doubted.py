"""Suspected labels computed again from stored predictions, by what SciPy, scikit-learn and NumPy give."""

import numpy as np
from scipy.special import softmax
from sklearn.metrics import confusion_matrix

from thumbnet.predictions import Predictions


def suspects_again(stored: Predictions) -> list[tuple[str, str, str, float, float]]:
    """Return image, label, suggested class and both probabilities of each suspect, the surest first."""
    sure, labels, classes = softmax(stored.logits.astype(np.float64), axis=1), stored.labels, len(stored.classes)
    own, likeliest = np.take_along_axis(sure, labels[:, None], axis=1)[:, 0], sure.argmax(axis=1)
    thresholds = [own[labels == label].mean() if label in labels else 2 for label in range(classes)]
    confident = np.ma.masked_less(sure, np.broadcast_to(thresholds, sure.shape))
    member, any_class = confident.argmax(axis=1, fill_value=-1), ~np.ma.getmaskarray(confident).all(axis=1)
    joint = confusion_matrix(labels[any_class], member[any_class], labels=range(classes))
    chosen: list[int] = []
    for label, row in enumerate(joint.tolist()):
        rows = np.flatnonzero(labels == label)
        wrong = sum(count * len(rows) // sum(row) for other, count in enumerate(row) if other != label and count)
        chosen += rows[own[rows].argsort()][:wrong].tolist()
    chosen = sorted((one for one in chosen if likeliest[one] != labels[one]), key=lambda one: float(own[one]))
    return [
        (
            *(stored.image_ids[one], stored.classes[labels[one]], stored.classes[likeliest[one]]),
            *(float(own[one]), float(sure[one].max())),
        )
        for one in chosen
    ]

"""Whether networks have seen the images that they judge."""

import numpy as np

from thumbnet.predictions import choice_note, chosen_on, judged_split, trained_on

CLEAN, DIRTY, SILENT = {"train_on": "fit"}, {"train_on": "all"}, {"recipe": "x"}


def test_who_saw_the_holdout_is_told_through_ensembles() -> None:
    assert [trained_on(one, "holdout") for one in (CLEAN, DIRTY, SILENT)] == [False, True, None]
    assert trained_on({"members": [CLEAN, {"members": [CLEAN, DIRTY]}, SILENT]}, "holdout") is True
    assert trained_on({"members": [CLEAN, SILENT]}, "holdout") is None
    assert trained_on({"members": [CLEAN, CLEAN]}, "holdout") is False


def test_everyone_saw_the_training_images_and_nobody_val() -> None:
    for one in (CLEAN, DIRTY, SILENT, {"members": [CLEAN, SILENT]}):
        assert trained_on(one, "train") is True
        assert trained_on(one, "val") is False


def test_what_chose_a_member_chose_the_ensemble() -> None:
    best = {"weights": "best", "selected_on": ["val"]}
    assert [chosen_on(one) for one in (CLEAN, best)] == [[], ["val"]]
    assert chosen_on({"members": [CLEAN, {"members": [best]}], "selected_on": ["holdout"]}) == ["holdout", "val"]
    assert chosen_on({"members": [best, best]}) == ["val"]


def test_a_note_says_what_a_choice_does_to_the_figures() -> None:
    note = "x was chosen on val, which also judges: new images will be classified worse"
    assert choice_note("x was", "val") == f"{note}."
    assert choice_note("x was", "val", tested=True) == f"{note}, and the p-value does not hold."


def test_val_is_judged_or_a_holdout_that_was_not_trained_on() -> None:
    known, unknown, none = np.array([0, 1]), np.array([0, -1]), np.empty(0, np.int64)
    assert judged_split(known, known, False) == "val"
    for val in (None, none, unknown):
        assert judged_split(val, known, False) == "holdout"
        assert judged_split(val, known, True) is None
        assert judged_split(val, known, None) is None
        assert judged_split(val, none, False) is None
        assert judged_split(val, None, False) is None

"""Whether networks have seen the images that they judge."""

from thumbnet.predictions import trained_on

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

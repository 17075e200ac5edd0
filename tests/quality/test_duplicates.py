"""Duplicates: planted copies and near copies are found, unrelated images are not, and the search is exact."""

from pathlib import Path

import numpy as np
import platformdirs
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageEnhance
from scipy.ndimage import gaussian_filter, uniform_filter

from tests.helpers import forbid
from tests.packing import write_packed
from thumbnet.errors import DataError
from thumbnet.packed import ClassInfo, PackedDataset
from thumbnet.quality import duplicates, likeness
from thumbnet.quality.duplicates import find_duplicates
from thumbnet.quality.stored import duplicates_path, ensure_duplicates, stored_duplicates

SIDE = 64
Images = NDArray[np.uint8]


def scenes(count: int, seed: int = 0, side: int = SIDE) -> Images:
    """Images with as much at large scale as at small, as photographs have it, u8[N,side,side,3]."""
    random = np.random.default_rng(seed)
    layers = [gaussian_filter(random.normal(size=(count, side, side, 3)), (0, s, s, 0)) * s for s in (1, 2, 4, 8, 16)]
    image = sum(layers)
    return np.asarray(np.clip(128 + 90 * np.asarray(image), 0, 255), dtype=np.uint8)


def retouched(image: Images, side: int = SIDE) -> Images:
    """The same picture by another way: brought down and up again, brighter, with less contrast."""
    small = Image.fromarray(image).resize((side * 3 // 4, side * 3 // 4), Image.Resampling.BICUBIC)
    brighter = ImageEnhance.Contrast(ImageEnhance.Brightness(small).enhance(1.08)).enhance(0.9)
    return np.asarray(brighter.resize((side, side), Image.Resampling.BICUBIC))


def pack(folder: Path, splits: dict[str, tuple[Images, list[int]]]) -> PackedDataset:
    ordered = {}
    for name, (images, labels) in splits.items():
        order = np.argsort(labels, kind="stable") if name == "train" else np.arange(len(labels))
        ordered[name] = (images[order], np.array(labels, dtype=np.int64)[order], None)
    return write_packed(folder, [ClassInfo("a", "a"), ClassInfo("b", "b")], ordered)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    """Train 0-149 are a, 150-299 b. Planted: train 0 = 150 = val 0, val 1 near train 1, train 200 near train 201."""
    train, val, test = scenes(300), scenes(50, 1), scenes(20, 2)
    train[150] = train[0]
    train[201] = retouched(train[200])
    val[0] = train[0]
    val[1] = retouched(train[1])
    test[3] = val[4]
    splits = {
        "train": (train, [0] * 150 + [1] * 150),
        "val": (val, [0, 1] * 25),
        "test": (test, [-1] * 20),
    }
    return pack(tmp_path_factory.mktemp("planted") / "packed", splits)


def test_planted_pairs_are_all_that_is_found(planted: PackedDataset) -> None:
    told: list[tuple[str, int, int]] = []
    found = find_duplicates(planted, lambda *step: told.append(step))
    pairs = [
        (found.splits[a], i, found.splits[b], j)
        for a, i, b, j in zip(found.first_split, found.first, found.second_split, found.second, strict=True)
    ]
    assert pairs[:4] == [
        ("train", 0, "train", 150),
        ("train", 0, "val", 0),
        ("train", 150, "val", 0),
        ("val", 4, "test", 3),
    ]
    assert sorted(pairs[4:]) == [("train", 1, "val", 1), ("train", 200, "train", 201)]
    assert found.identical.tolist() == [True] * 4 + [False] * 2
    assert (found.agreement[:4] == 1).all()
    assert ((found.agreement[4:] >= found.threshold) & (found.agreement[4:] < 1)).all()
    assert (np.diff(found.agreement[4:]) <= 0).all()
    assert found.by_splits(found.identical) == {"train-train": 1, "train-val": 2, "val-test": 1}
    assert told[-1] == ("comparing", 367, 367)  # without copies
    assert ("reading", 370, 370) in told


def test_conflicts_and_twins(planted: PackedDataset) -> None:
    found = find_duplicates(planted)
    labels = {name: planted.split(name).labels for name in planted.split_names}
    conflicts = found.conflicts(labels)
    # Train 0 is a and 150 is b; val 0 is a, val 1 is b and train 1 a; the test split has no labels.
    pairs = list(zip(found.first_split.tolist(), found.first.tolist(), found.second.tolist(), strict=True))
    assert [pair for pair, bad in zip(pairs, conflicts, strict=True) if bad] == [(0, 0, 150), (0, 150, 0), (0, 1, 1)]
    every = np.ones(len(found), np.bool_)
    assert found.twins("val", "train", every).tolist() == [0, 1]
    assert found.twins("val", "train", found.identical).tolist() == [0]
    assert found.twins("train", "val", every).tolist() == [0, 1, 150]
    assert found.twins("train", "train", every).tolist() == [0, 150, 200, 201]
    assert found.twins("test", "train", every).tolist() == []
    assert found.twins("val", "elsewhere", every).tolist() == []


def slow_agreement(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Window by window, as the definition words it."""

    def structure(one: NDArray[np.float64], other: NDArray[np.float64], window: int, noise: float) -> float:
        values = []
        for y in range(len(one) - window + 1):
            for x in range(len(one) - window + 1):
                a, b = (image[y : y + window, x : x + window].ravel() for image in (one, other))
                values.append(2 * np.cov(a, b, bias=True)[0, 1] / (a.var() + b.var() + noise))
        return float(np.mean(values))

    detail = [image - uniform_filter(image, 5, mode="reflect") for image in (first, second)]
    return min(structure(first, second, 5, 7.65**2), structure(detail[0], detail[1], 7, 5.1**2))


def test_agreement_is_that_of_its_definition() -> None:
    grey = likeness.shrink(scenes(4, 5))
    grey[2] = 0.8 * grey[0] + 20
    for i, j in ((0, 1), (0, 2), (0, 3), (3, 3)):
        expected = slow_agreement(grey[i].astype(np.float64), grey[j].astype(np.float64))
        found = likeness.agreement(grey[i : i + 1], grey[j : j + 1])
        np.testing.assert_allclose(found, [expected], atol=2e-4)


@pytest.mark.parametrize("side", [8, 32, 50, 64, 100])
def test_images_of_any_size_are_shrunk_by_area(side: int) -> None:
    images = scenes(2, 3, side)
    grey = likeness.shrink(images)
    assert grey.shape == (2, 32, 32)
    luma = images @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(grey.mean(axis=(1, 2)), luma.mean(axis=(1, 2)), rtol=1e-4)
    # Each pixel repeated 32 times, then means of as many as the side: the same by another way.
    wide = luma[0].repeat(32, 0).repeat(32, 1).reshape(32, side, 32, side).mean(axis=(1, 3))
    np.testing.assert_allclose(grey[0], wide, atol=0.02)


def test_the_hash_hardly_changes_by_retouching_and_wholly_between_images() -> None:
    images = scenes(40, 4)
    again = np.stack([retouched(image) for image in images])
    first, second = (likeness.perceptual_hash(likeness.shrink(one)) for one in (images, again))
    same = np.bitwise_count(first ^ second).sum(axis=0)
    other = np.bitwise_count(first ^ np.roll(second, 1, axis=1)).sum(axis=0)
    assert same.max() <= 20
    assert abs(other.mean() - likeness.BITS / 2) < 6
    assert other.min() > 28
    outlines = [likeness.outline(likeness.shrink(one)) for one in (images, again)]
    assert likeness.match(*outlines).min() > 0.9
    assert np.abs(likeness.match(outlines[0], np.roll(outlines[1], 1, axis=0))).max() < 0.6


def test_plain_images_do_not_agree_but_their_copies_are_identical(tmp_path: Path) -> None:
    plain = np.full((6, 16, 16, 3), 100, dtype=np.uint8)
    plain[3:] += np.arange(3, dtype=np.uint8)[:, None, None, None] + 1
    found = find_duplicates(pack(tmp_path / "plain", {"train": (plain, [0] * 6)}))
    assert found.identical.all()
    assert sorted(zip(found.first.tolist(), found.second.tolist(), strict=True)) == [(0, 1), (0, 2), (1, 2)]


def test_of_many_identical_images_each_is_paired_with_the_first(tmp_path: Path) -> None:
    black = np.zeros((80, 8, 8, 3), dtype=np.uint8)
    found = find_duplicates(pack(tmp_path / "black", {"train": (black, [0] * 80)}))
    assert found.first.tolist() == [0] * 79
    assert found.second.tolist() == list(range(1, 80))


def test_where_all_images_are_alike_the_threshold_rises(tmp_path: Path) -> None:
    base = scenes(1, 7)[0].astype(np.float64)
    noise = np.random.default_rng(0).normal(0, 12, (60, SIDE, SIDE, 3))
    images = np.clip(base + noise, 0, 255).astype(np.uint8)
    found = find_duplicates(pack(tmp_path / "alike", {"train": (images, [0] * 60)}))
    assert found.threshold > 0.8
    assert len(found) == 0


def test_one_image_has_no_duplicates_to_search(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="need at least two"):
        find_duplicates(pack(tmp_path / "one", {"train": (scenes(1), [0])}))


def test_what_was_found_is_stored_and_refused_when_damaged(planted: PackedDataset, tmp_path: Path) -> None:
    assert stored_duplicates(planted, tmp_path) is None
    found = ensure_duplicates(planted, tmp_path)
    again = ensure_duplicates(planted, tmp_path, lambda *_: pytest.fail("searched again"))
    for name in ("first_split", "first", "second_split", "second", "agreement", "identical"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    assert (again.threshold, again.radius, again.splits) == (found.threshold, found.radius, found.splits)
    path = duplicates_path(planted, tmp_path)
    whole = path.read_bytes()
    values = dict(np.load(path))
    damages = [
        whole[: len(whole) // 2],
        b"",
        b"\x93NUMPY",
    ]
    for damage in damages:
        path.write_bytes(damage)
        with pytest.raises(DataError, match=r"damaged or of other data .* delete this file"):
            stored_duplicates(planted, tmp_path)
    for change in (
        {"fingerprint": np.array("0" * 64)},
        {"first": values["first"] + 1000},
        {"first_split": values["first_split"] - 1},
        {"agreement": values["agreement"][:2]},
        {"identical": values["identical"].astype(np.int64)},
    ):
        with path.open("wb") as handle:
            np.savez(handle, **{**values, **change})
        with pytest.raises(DataError, match="damaged or of other data"):
            stored_duplicates(planted, tmp_path)


def test_the_cache_is_where_the_environment_says(
    planted: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THUMBNET_CACHE", str(tmp_path))
    assert duplicates_path(planted).parent == tmp_path / "duplicates"
    monkeypatch.delenv("THUMBNET_CACHE")
    own = Path(platformdirs.user_cache_dir("thumbnet"))
    assert duplicates_path(planted) == own / "duplicates" / duplicates_path(planted, tmp_path).name


def test_a_cache_that_one_may_not_enter_holds_nothing(
    planted: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_duplicates(planted, tmp_path)
    assert stored_duplicates(planted, tmp_path) is not None
    forbid(monkeypatch, tmp_path)
    assert stored_duplicates(planted, tmp_path) is None


def flat_and_planted(tmp_path: Path, flat: int) -> PackedDataset:
    """Images of one colour each, all different, behind a scene and its retouched copy."""
    one = scenes(1, 11)[0]
    colours = np.random.default_rng(0).permutation(256**2)[:flat]
    plain = np.zeros((flat, SIDE, SIDE, 3), dtype=np.uint8)
    plain[..., 0], plain[..., 1] = (colours // 256)[:, None, None], (colours % 256)[:, None, None]
    images = np.concatenate([one[None], retouched(one)[None], plain])
    return pack(tmp_path / "flat", {"train": (images, [0] * len(images))})


def test_many_plain_images_do_not_hide_near_duplicates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Their hashes are all the same: a pair each, which no radius tells apart.
    monkeypatch.setattr(duplicates, "MOST_CANDIDATES", 500)
    found = find_duplicates(flat_and_planted(tmp_path, 60))
    assert (found.first.tolist(), found.second.tolist()) == ([0], [1])
    assert found.radius == duplicates.RADIUS


def test_copies_do_not_raise_the_threshold(tmp_path: Path) -> None:
    images = scenes(60, 12)
    images[20:] = images[np.arange(40) // 20]  # two images, each of them 21 times
    near = [retouched(images[5])]
    found = find_duplicates(pack(tmp_path / "copied", {"train": (np.concatenate([images, near]), [0] * 61)}))
    assert found.threshold < 0.6
    assert (5, 60) in zip(found.first.tolist(), found.second.tolist(), strict=True)
    # The near copy of an image with copies is one of each of them.
    images[50] = retouched(images[0])
    again = find_duplicates(pack(tmp_path / "again", {"train": (images, [0] * 60)}))
    assert (~again.identical).sum() == (images == images[0]).all(axis=(1, 2, 3)).sum()


def test_few_pairs_are_said_to_be_few(tmp_path: Path) -> None:
    found = find_duplicates(pack(tmp_path / "few", {"train": (scenes(10, 13), [0] * 10)}))
    assert found.random_pairs == 45 < duplicates.FEWEST_PAIRS
    assert found.threshold == duplicates.THRESHOLD

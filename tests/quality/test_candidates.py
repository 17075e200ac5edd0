"""Candidates: exactly the pairs within the radius, however many there are."""

import numpy as np

from thumbnet.quality.candidates import candidate_pairs, thinned

MANY = 2_000_000


def test_candidates_are_those_of_comparing_all_bits() -> None:
    random = np.random.default_rng(0)
    hashes = random.integers(0, 1 << 56, (2, 700), dtype=np.uint64)
    hashes[:, 600:] = hashes[:, :100] ^ (np.uint64(1) << random.integers(0, 56, (2, 100), dtype=np.uint64))
    bits = [(int(one) << 56 | int(other)) for one, other in hashes.T.tolist()]
    distances = {(i, j): (bits[i] ^ bits[j]).bit_count() for i in range(700) for j in range(i + 1, 700)}
    for radius in (2, 36):
        found, kept = candidate_pairs(hashes, radius, MANY)
        assert kept == radius
        assert {tuple(pair) for pair in found.tolist()} == {pair for pair, d in distances.items() if d <= radius}
        assert len(found) >= 100
    # With a limit the radius falls until the pairs fit, and all pairs of that radius are there.
    found, kept = candidate_pairs(hashes, 44, 500)
    assert kept < 44
    assert {tuple(pair) for pair in found.tolist()} == {pair for pair, d in distances.items() if d <= kept}
    assert 100 <= len(found) <= 500


def test_pairs_of_every_block_are_within_the_radius_that_is_stated() -> None:
    hashes = np.random.default_rng(0).integers(0, 1 << 56, (2, 8_300), dtype=np.uint64)
    hashes[:, :10] = hashes[:, :1]
    hashes[:, 10:20] = hashes[:, :1] ^ np.uint64(0b111)
    hashes[:, -2:] = hashes[:, :1] ^ np.array([[0b11111], [0b11]], dtype=np.uint64)
    # The first block has 90 pairs of the same hash and 100 that differ in 6 bits, which are too many; the next, for
    # the same images, 20 that differ in 7, and they would fit.
    pairs, radius = candidate_pairs(hashes, 8, 150)
    assert radius == 5
    bits = np.bitwise_count(hashes[:, pairs[:, 0]] ^ hashes[:, pairs[:, 1]]).sum(axis=0)
    assert bits.max() <= radius
    assert len(pairs) == 90 + 20 + 1  # the last two differ from 10 to 19 in 3 bits, and not from each other


def test_the_radius_stops_at_nothing_and_one_stands_for_many_of_one_hash() -> None:
    hashes = np.zeros((2, 90), dtype=np.uint64)
    hashes[:, 70:] = np.random.default_rng(0).integers(0, 1 << 56, (2, 20), dtype=np.uint64)
    pairs, radius = candidate_pairs(hashes, 28, 100)
    assert radius == 0
    assert len(pairs) == 70 * 69 // 2
    places, extra = thinned(hashes, 50)
    assert places.tolist() == [0, *range(70, 90)]
    assert extra.tolist() == [[0, other] for other in range(1, 70)]
    few = thinned(hashes[:, 40:], 50)
    assert few[0].tolist() == list(range(50))
    assert len(few[1]) == 0

"""The random operations: one draw per sample, of the stated distribution, from the given generator alone."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from thumbnet.augment import DETERMINISTIC, IMAGE_OPERATIONS, MIXING_OPERATIONS, boxes, draws
from thumbnet.errors import RecipeError

OPTIONS: dict[str, dict[str, object]] = {
    "random_crop": {"size": 20},
    "center_crop": {"crop": 24},
    "corner_crop": {"crop": 24},
    "rotation": {"degrees": 30},
    "brightness": {"amount": 0.4},
    "contrast": {"amount": 0.4},
    "saturation": {"amount": 0.4},
    "hue": {"amount": 0.3},
    "random_erasing": {"p": 1.0, "fill": "noise"},
    "resize": {"size": 20},
}
CONTINUOUS: dict[str, dict[str, object]] = {
    "random_resized_crop": {},
    "rotation": {"degrees": 30},
    "gaussian_blur": {},
    "brightness": {"amount": 0.4},
    "contrast": {"amount": 0.4},
    "saturation": {"amount": 0.4},
    "hue": {"amount": 0.3},
    "random_erasing": {"p": 1.0, "fill": "noise"},
}
RANDOM = sorted(set(IMAGE_OPERATIONS.names()) - DETERMINISTIC)


def seeded(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


def picture(side: int = 32) -> Tensor:
    return torch.rand(1, 3, side, side, generator=seeded(7))


def change(name: str, images: Tensor, seed: int = 0, **options: object) -> Tensor:
    return IMAGE_OPERATIONS.call(name, OPTIONS.get(name, {}) | options, images, seeded(seed))


def distinct(images: Tensor) -> int:
    return len(torch.unique(images.flatten(1), dim=0))


def plausible(counts: Tensor, probabilities: list[float]) -> None:
    """Check counts against probabilities by chi-squared; 99.99% of fair samples stay under this bound for any seed."""
    expected = torch.tensor(probabilities) * counts.sum()
    statistic = ((counts - expected) ** 2 / expected).sum().item()
    freedom = len(probabilities) - 1
    z = 3.72
    # Wilson and Hilferty's approximation of the quantile of chi-squared.
    assert statistic <= freedom * (1 - 2 / (9 * freedom) + z * math.sqrt(2 / (9 * freedom))) ** 3


@pytest.mark.parametrize("name", sorted(CONTINUOUS))
def test_identical_inputs_give_distinct_outputs(name: str) -> None:
    # Nearest rotation has finitely many outcomes: at 64 pixels so few (some 28,000 in 60 degrees) that two of 64
    # angles give the same pixels about once in fourteen batches. At 192 pixels they are 27 times as many.
    images = picture(192 if name == "rotation" else 64).repeat(64, 1, 1, 1)
    assert distinct(IMAGE_OPERATIONS.call(name, CONTINUOUS[name], images, seeded())) == 64


def test_bilinear_rotation_gives_distinct_outputs() -> None:
    assert distinct(change("rotation", picture().repeat(64, 1, 1, 1), interpolation="bilinear")) == 64


@pytest.mark.parametrize("name", RANDOM)
def test_the_seed_decides(name: str) -> None:
    images = torch.rand(16, 3, 32, 32, generator=seeded(1))
    assert torch.equal(change(name, images, seed=5), change(name, images, seed=5))
    assert not torch.equal(change(name, images, seed=5), change(name, images, seed=6))


@pytest.mark.parametrize("name", RANDOM)
def test_the_global_generator_is_left_alone(name: str) -> None:
    before = torch.get_rng_state()
    change(name, picture())
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", IMAGE_OPERATIONS.names())
def test_the_input_is_left_alone(name: str) -> None:
    images = torch.rand(16, 3, 32, 32, generator=seeded(1))
    before = images.clone()
    change(name, images)
    assert torch.equal(images, before)


@pytest.mark.parametrize("name", sorted(DETERMINISTIC))
def test_deterministic_operations_draw_nothing(name: str) -> None:
    generator = seeded()
    before = generator.get_state()
    IMAGE_OPERATIONS.call(name, OPTIONS[name], picture(), generator)
    assert torch.equal(before, generator.get_state())


@pytest.mark.parametrize(("name", "axis"), [("horizontal_flip", 3), ("vertical_flip", 2)])
@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 1.0])
def test_flips_match_their_probability(name: str, axis: int, p: float) -> None:
    images = picture(2).repeat(4000, 1, 1, 1)
    result = change(name, images, p=p)
    flipped = (result == images.flip(axis)).flatten(1).all(1)
    assert torch.equal(result[~flipped], images[~flipped])
    if p in (0.0, 1.0):
        assert flipped.float().mean().item() == p
    else:
        plausible(torch.stack([flipped.sum(), (~flipped).sum()]), [p, 1 - p])


def test_translations_are_uniform() -> None:
    places = torch.arange(64.0).view(1, 1, 8, 8).expand(8000, 3, 8, 8)
    moved = change("translate_crop", places, padding=2)[:, 0, 4, 4].long()
    plausible(torch.bincount((moved // 8 - 2) * 5 + moved % 8 - 2, minlength=25), [1 / 25] * 25)


def test_crop_places_are_uniform() -> None:
    places = torch.arange(64.0).view(1, 1, 8, 8).expand(8000, 3, 8, 8)
    result = change("random_crop", places, size=5)
    first = result[:, 0, 0, 0].long()
    assert result.shape == (8000, 3, 5, 5)
    plausible(torch.bincount(first // 8 * 4 + first % 8, minlength=16), [1 / 16] * 16)


@pytest.mark.parametrize("p_full", [0.2, 0.5])
def test_corners_match_their_distribution(p_full: float) -> None:
    quarters = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).repeat_interleave(2, 0).repeat_interleave(2, 1) / 4
    result = change("corner_crop", quarters.expand(5000, 3, 4, 4), crop=2, p_full=p_full)
    flat = (result.amax((1, 2, 3)) - result.amin((1, 2, 3))) < 1e-3
    corner = torch.where(flat, (result.mean((1, 2, 3)) * 4).round().long() - 1, 4)
    plausible(torch.bincount(corner, minlength=5), [(1 - p_full) / 4] * 4 + [p_full])


@pytest.mark.parametrize(("amount", "low", "high"), [(0.4, 0.6, 1.4), (2.0, 0.0, 3.0)])
def test_brightness_factors_are_uniform(amount: float, low: float, high: float) -> None:
    factor = change("brightness", torch.full((4000, 3, 1, 1), 0.25), amount=amount)[:, 0, 0, 0] / 0.25
    plausible(torch.histc(factor, 10, low, high), [0.1] * 10)


def test_erasing_happens_with_its_probability_and_share() -> None:
    erased = change("random_erasing", torch.ones(4000, 3, 32, 32), p=0.3, scale=[0.1, 0.2], fill=0.0)
    share = 1 - erased[:, 0].mean((1, 2))
    hit = share > 0
    plausible(torch.stack([hit.sum(), (~hit).sum()]), [0.3, 0.7])
    assert 0.07 < share[hit].min().item() < share[hit].max().item() < 0.23


def test_erasing_fills_with_a_colour() -> None:
    erased = change("random_erasing", torch.ones(4, 3, 8, 8), scale=[0.3, 0.3], fill=[0.1, 0.2, 0.3])
    assert erased.amin((2, 3)) == pytest.approx(torch.tensor([[0.1, 0.2, 0.3]] * 4))


def test_crop_boxes_have_the_stated_scale_and_ratio() -> None:
    drawn = boxes.crop_boxes(torch.empty(4000, 3, 256, 256), seeded(), (0.08, 1.0), (3 / 4, 4 / 3))
    top, left, height, width = drawn.unbind(1)
    assert torch.equal(drawn, drawn.round())
    assert bool(((top >= 0) & (left >= 0) & (top + height <= 256) & (left + width <= 256)).all())
    assert (height * width / 256**2).min().item() >= 0.078
    assert 0.74 < (width / height).min().item() < (width / height).max().item() < 1.35
    square = boxes.crop_boxes(torch.empty(4000, 3, 256, 256), seeded(), (0.1, 0.5), (1.0, 1.0))
    plausible(torch.histc((square[:, 2] / 256) ** 2, 8, 0.1, 0.5), [1 / 8] * 8)


@pytest.mark.parametrize(("shape", "box"), [((10, 40), [0.0, 13, 10, 13]), ((40, 10), [13.0, 0, 13, 10])])
def test_a_crop_that_never_fits_is_central(shape: tuple[int, int], box: list[float]) -> None:
    drawn = boxes.crop_boxes(torch.empty(3, 3, *shape), seeded(), (1.0, 1.0), (3 / 4, 4 / 3))
    assert drawn.tolist() == [box] * 3


def test_an_erasure_that_never_fits_is_empty() -> None:
    drawn = boxes.erasing_boxes(torch.empty(3, 3, 8, 8), seeded(), (1.0, 1.0), (1.0, 1.0))
    assert drawn[:, 2:].abs().sum().item() == 0


@pytest.mark.parametrize("alpha", [0.01, 0.2, 1.0, 5.0])
def test_beta_has_its_moments(alpha: float) -> None:
    values = draws.beta(torch.empty(20000, 1), seeded(), alpha)
    variance = 1 / (4 * (2 * alpha + 1))
    assert 0 <= values.min().item() <= values.max().item() <= 1
    assert abs(values.mean().item() - 0.5) < 4 * math.sqrt(variance / 20000)
    assert values.var().item() == pytest.approx(variance, rel=0.05)


@pytest.mark.parametrize("name", MIXING_OPERATIONS.names())
def test_mixtures_differ_per_sample_and_targets_say_how_much(name: str) -> None:
    images = torch.eye(64)[:, :, None, None].expand(64, 64, 16, 16)
    options: dict[str, object] = {"alpha": 1.0}
    mixed, targets = MIXING_OPERATIONS.call(name, options, images, torch.eye(64), seeded())
    # Each image is 1 in a channel of its own, so the mean of a channel is the share of that image.
    torch.testing.assert_close(mixed.mean((2, 3)), targets, atol=1e-6, rtol=0)
    torch.testing.assert_close(targets.sum(1), torch.ones(64), atol=1e-6, rtol=0)
    assert len(torch.unique(targets.diagonal())) > 32
    again = MIXING_OPERATIONS.call(name, options, images, torch.eye(64), seeded())
    assert torch.equal(mixed, again[0])
    assert torch.equal(targets, again[1])


def test_cutmix_happens_with_its_probability() -> None:
    images = torch.arange(4000.0).view(-1, 1, 1, 1).expand(4000, 3, 16, 16)
    mixed, _ = MIXING_OPERATIONS.call("cutmix", {"p": 0.4, "alpha": 100.0}, images, torch.zeros(4000, 2), seeded())
    hit = (mixed != images).flatten(1).any(1)
    plausible(torch.stack([hit.sum(), (~hit).sum()]), [0.4, 0.6])


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(IMAGE_OPERATIONS.names()),
    kind=st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
    batch=st.integers(1, 4),
    height=st.integers(24, 40),
    width=st.integers(24, 40),
    layout=st.sampled_from([torch.contiguous_format, torch.channels_last]),
    seed=st.integers(0, 2**31),
)
def test_type_shape_range_and_layout(
    *, name: str, kind: torch.dtype, batch: int, height: int, width: int, layout: torch.memory_format, seed: int
) -> None:
    images = torch.rand(batch, 3, height, width, generator=seeded(seed))
    laid_out = images.to(kind).contiguous(memory_format=layout)
    result = change(name, laid_out, seed)
    assert result.dtype == kind
    square = OPTIONS.get(name, {}).get("size")
    assert result.shape == (batch, 3, *((square, square) if square else (height, width)))
    assert -1e-6 <= result.min().item() <= result.max().item() <= 1.01
    assert result.is_contiguous() or result.is_contiguous(memory_format=layout)
    # Neither layout nor type changes the draws, so single precision gives the same but for rounding: half precision
    # keeps 8 bits, and a few such roundings add up to two grey levels of 256.
    single = change(name, images.to(kind).float(), seed)
    torch.testing.assert_close(result.float(), single, atol=0.01 if kind == torch.bfloat16 else 1e-5, rtol=0)


BAD: list[tuple[str, dict[str, object]]] = [
    ("horizontal_flip", {"p": 1.5}),
    ("vertical_flip", {"p": float("nan")}),
    ("translate_crop", {"padding": -1}),
    ("translate_crop", {"padding": 32}),
    ("random_crop", {"size": 0}),
    ("random_crop", {"size": 33}),
    ("random_resized_crop", {"scale": (0.5, 0.1)}),
    ("random_resized_crop", {"ratio": (0.0, 1.0)}),
    ("random_resized_crop", {"size": 0}),
    ("center_crop", {"crop": 33}),
    ("corner_crop", {"crop": 40}),
    ("corner_crop", {"crop": 24, "p_full": 2}),
    ("rotation", {"degrees": 200}),
    ("gaussian_blur", {"kernel_size": 4}),
    ("gaussian_blur", {"kernel_size": 65}),
    ("gaussian_blur", {"sigma": (0.0, 1.0)}),
    ("brightness", {"amount": -0.1}),
    ("hue", {"amount": 0.6}),
    ("random_erasing", {"fill": (0.1, 0.2, 3.0)}),
    ("resize", {"size": 5000}),
]


@pytest.mark.parametrize(("name", "options"), BAD)
def test_bad_values_are_refused_by_name(name: str, options: dict[str, object]) -> None:
    function: Callable[..., Tensor] = IMAGE_OPERATIONS.get(name)
    with pytest.raises(RecipeError) as caught:
        function(picture(), seeded(), **OPTIONS.get(name, {}) | options)
    message = str(caught.value)
    assert "\n" not in message
    assert f"operation {name}." in message
    assert ";" in message

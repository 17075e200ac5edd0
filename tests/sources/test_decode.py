"""Decoding: Pillow's pixels for every kind of image, and an error for every kind of damage."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from thumbnet.sources.decode import decode, pillow_warnings

SIZE = 24


def picture(height: int = SIZE, width: int = SIZE, channels: int = 3, seed: int = 0) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, channels), dtype=np.uint8)
    image = Image.fromarray(coarse if channels > 1 else coarse[..., 0])
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pillow(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize("options", [{"quality": 60}, {"subsampling": 0}, {"progressive": True}, {"quality": 100}])
def test_jpeg_gives_the_pixels_of_pillow(options: dict[str, Any]) -> None:
    data = encoded(Image.fromarray(picture()), "JPEG", **options)
    decoded = decode(data, SIZE)
    np.testing.assert_array_equal(decoded.pixels, pillow(data))
    assert decoded.conversions == ()


def test_a_greyscale_jpeg_is_three_times_its_channel() -> None:
    data = encoded(Image.fromarray(picture(channels=1)), "JPEG")
    decoded = decode(data, SIZE)
    np.testing.assert_array_equal(decoded.pixels, pillow(data))
    assert decoded.conversions == ("greyscale",)


@pytest.mark.parametrize(
    ("mode", "kind", "conversions"),
    [
        ("RGB", "PNG", ()),
        ("RGB", "BMP", ()),
        ("RGB", "TIFF", ()),
        ("L", "PNG", ("greyscale",)),
        ("1", "PNG", ("greyscale",)),
        ("P", "PNG", ("palette",)),
        ("P", "GIF", ("palette",)),
        ("CMYK", "JPEG", ("CMYK",)),
        ("CMYK", "TIFF", ("CMYK",)),
    ],
)
def test_other_modes_give_what_pillow_converts_to(mode: str, kind: str, conversions: tuple[str, ...]) -> None:
    data = encoded(Image.fromarray(picture()).convert(mode), kind)
    decoded = decode(data, SIZE)
    np.testing.assert_array_equal(decoded.pixels, pillow(data))
    assert decoded.conversions == conversions


def test_alpha_is_composited_on_white() -> None:
    pixels = np.zeros((SIZE, SIZE, 4), dtype=np.uint8)
    pixels[: SIZE // 2] = (10, 20, 30, 255)
    decoded = decode(encoded(Image.fromarray(pixels), "PNG"), SIZE)
    assert decoded.conversions == ("alpha",)
    assert (decoded.pixels[: SIZE // 2] == (10, 20, 30)).all()
    assert (decoded.pixels[SIZE // 2 :] == 255).all()


def test_transparency_of_a_palette_and_of_greyscale_is_alpha_too() -> None:
    palette = Image.fromarray(np.arange(SIZE * SIZE, dtype=np.int64).reshape(SIZE, SIZE).astype(np.uint8) % 4)
    indexed = palette.convert("P")
    decoded = decode(encoded(indexed, "PNG", transparency=0), SIZE)
    assert decoded.conversions == ("palette", "alpha")
    assert (decoded.pixels[:, 0] == 255).all()
    grey = encoded(Image.fromarray(picture(channels=2)), "PNG")
    assert decode(grey, SIZE).conversions == ("greyscale", "alpha")


def test_16_bit_grey_is_divided_by_257() -> None:
    values = np.linspace(0, 65535, SIZE * SIZE).reshape(SIZE, SIZE).astype(np.uint16)
    decoded = decode(encoded(Image.fromarray(values), "PNG"), SIZE)
    np.testing.assert_array_equal(decoded.pixels[..., 1], np.rint(values / 257))
    assert decoded.conversions == ("16 bit", "greyscale")


@pytest.mark.parametrize("size", [(16, 16), (160, 120), (1600, 16)])
@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "GIF", "WEBP"])
def test_sides_of_16_pixels_are_no_16_bits(kind: str, size: tuple[int, int]) -> None:
    for mode in ("RGB", "L"):
        image = Image.new(mode, size, "white")
        conversions = decode(encoded(image, kind), 16).conversions
        assert "16 bit" not in conversions
        assert ("resized" in conversions) == (size != (16, 16))


def deep_png(values: NDArray[np.uint16]) -> bytes:
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    parts = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def deep_tiff(values: NDArray[np.uint16]) -> bytes:
    # Of 8 bits and twice as wide, which has the same bytes, with the header then changed.
    data = encoded(Image.fromarray(values.astype("<u2").view(np.uint8).reshape(SIZE, 2 * SIZE, 3)), "TIFF")
    assert data.count(b"\x08\0" * 3) == 1
    wide, narrow = (struct.pack("<IHH", 1, width, 0) for width in (2 * SIZE, SIZE))
    return data.replace(b"\x08\0" * 3, b"\x10\0" * 3).replace(wide, narrow, 1)


def deep_ppm(values: NDArray[np.uint16]) -> bytes:
    return f"P6 {SIZE} {SIZE} 65535\n".encode() + values.astype(">u2").tobytes()


def deep_plain_ppm(values: NDArray[np.uint16]) -> bytes:
    return f"P3 {SIZE} {SIZE} 65535\n{' '.join(map(str, values.ravel().tolist()))}\n".encode()


@pytest.mark.parametrize("write", [deep_png, deep_tiff, deep_ppm, deep_plain_ppm])
def test_16_bit_colour_is_scaled_to_8(write: Callable[[NDArray[np.uint16]], bytes]) -> None:
    values = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint16) * 257
    decoded = decode(write(values), SIZE)
    np.testing.assert_array_equal(decoded.pixels, values // 257)
    assert decoded.conversions == ("16 bit",)


@pytest.mark.parametrize(("kind", "options"), [("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("PPM", {})])
def test_16_bit_grey_of_other_kinds_is_told_too(kind: str, options: dict[str, Any]) -> None:
    values = np.linspace(0, 65535, SIZE * SIZE).reshape(SIZE, SIZE).astype(np.uint16)
    decoded = decode(encoded(Image.fromarray(values), kind, **options), SIZE)
    np.testing.assert_array_equal(decoded.pixels[..., 1], np.rint(values / 257))
    assert decoded.conversions == ("16 bit", "greyscale")


def test_a_bmp_of_16_bits_for_three_channels_is_not_16_bit() -> None:
    header = struct.pack("<IiiHHIIiiII", 40, SIZE, SIZE, 1, 16, 3, 0, 0, 0, 0, 0)
    masks = struct.pack("<III", 0xF800, 0x7E0, 0x1F)
    start = 14 + len(header) + len(masks)
    pixels = struct.pack("<H", 0xF800) * SIZE * SIZE
    data = b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + header + masks + pixels
    decoded = decode(data, SIZE)
    assert (decoded.pixels == (255, 0, 0)).all()
    assert decoded.conversions == ()


def test_a_plain_bitmap_is_greyscale() -> None:
    decoded = decode(f"P1 {SIZE} {SIZE}\n".encode() + b"1 " * (SIZE * SIZE), SIZE)
    assert (decoded.pixels == 0).all()
    assert decoded.conversions == ("greyscale",)


def test_values_without_a_known_range_are_refused_but_not_as_damage() -> None:
    with pytest.raises(ValueError, match=r"^floating-point values have no known range; convert"):
        decode(encoded(Image.fromarray(np.zeros((SIZE, SIZE), dtype=np.float32)), "TIFF"), SIZE)
    with pytest.raises(ValueError, match=r"^32-bit values have no known range; convert"):
        decode(encoded(Image.fromarray(np.full((SIZE, SIZE), 70_000, dtype=np.int32)), "TIFF"), SIZE)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_the_exif_orientation_is_applied(kind: str, orientation: int, turns: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    data = encoded(Image.fromarray(picture()), kind, exif=exif, **options)
    decoded = decode(data, SIZE)
    np.testing.assert_array_equal(decoded.pixels, np.rot90(pillow(data), turns))
    assert decoded.conversions == (() if turns == 0 else ("orientation",))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("exif", [b"not exif at all", b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01"])
def test_an_image_whose_exif_cannot_be_read_is_taken_as_it_lies(kind: str, exif: bytes) -> None:
    data = encoded(Image.fromarray(picture()), kind, exif=exif)
    with pillow_warnings():
        decoded = decode(data, SIZE)
        np.testing.assert_array_equal(decoded.pixels, pillow(data))
    assert decoded.conversions == ()


def test_a_jpeg_of_which_pillow_cannot_read_a_marker_is_taken_as_it_lies() -> None:
    data = encoded(Image.fromarray(picture()), "JPEG")
    marker = b"\xff\xee" + struct.pack(">H", 7) + b"Adobe"
    decoded = decode(data[:2] + marker + data[2:], SIZE // 2)
    assert decoded.conversions == ("resized",)
    np.testing.assert_array_equal(decoded.pixels, decode(data, SIZE // 2).pixels)


def test_the_first_frame_of_an_animation_is_taken() -> None:
    frames = [Image.fromarray(picture(seed=seed)).convert("P") for seed in (0, 1)]
    decoded = decode(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), SIZE)
    np.testing.assert_array_equal(decoded.pixels, np.asarray(frames[0].convert("RGB")))
    assert decoded.conversions == ("first frame", "palette")


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_larger_image_is_scaled_by_its_shorter_side_and_cropped_at_the_centre(kind: str) -> None:
    data = encoded(Image.fromarray(picture(48, 96)), kind)
    decoded = decode(data, SIZE)
    whole = Image.open(io.BytesIO(data)).resize((48, 24), Image.Resampling.BICUBIC)
    # Scaling then cropping differs from cropping then scaling by the filter's reach at the border only.
    np.testing.assert_allclose(decoded.pixels[:, 2:-2].astype(int), np.asarray(whole)[:, 14:34].astype(int), atol=1)
    assert decoded.conversions == ("resized",)


def test_scaling_down_averages() -> None:
    stripes = np.zeros((240, 240, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    decoded = decode(encoded(Image.fromarray(stripes), "PNG"), SIZE)
    assert abs(decoded.pixels.astype(int) - 127).max() <= 20


def test_a_long_thin_image_needs_no_more_memory_than_its_square() -> None:
    data = encoded(Image.fromarray(np.zeros((1, 60_000, 3), dtype=np.uint8)), "PNG")
    assert decode(data, 64).pixels.shape == (64, 64, 3)


@given(cut=st.floats(0.0, 0.999), progressive=st.booleans(), mode=st.sampled_from(["RGB", "L", "CMYK"]))
@settings(max_examples=80, deadline=None)
def test_a_jpeg_cut_anywhere_is_refused(cut: float, progressive: bool, mode: str) -> None:
    data = encoded(Image.fromarray(picture()).convert(mode), "JPEG", progressive=progressive)
    with pillow_warnings(), pytest.raises(ValueError, match=r"empty|damaged|not an image"):
        decode(data[: int(cut * len(data))], SIZE)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_with_its_second_half_missing_but_an_end_mark_is_not_filled_with_grey(mode: str) -> None:
    data = encoded(Image.fromarray(picture()).convert(mode), "JPEG")
    with pytest.raises(ValueError, match="damaged"):
        decode(data[: len(data) * 3 // 4] + b"\xff\xd9", SIZE)


@given(cut=st.floats(0.0, 0.95), kind=st.sampled_from(["PNG", "BMP", "TIFF", "GIF"]))
@settings(max_examples=60, deadline=None)
def test_other_images_cut_anywhere_are_refused(cut: float, kind: str) -> None:
    data = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)), kind)
    with pillow_warnings(), pytest.raises(ValueError, match=r"empty|damaged|not an image"):
        decode(data[: int(cut * len(data))], SIZE)


@given(
    st.binary(max_size=400), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0"])
)
@settings(max_examples=150, deadline=None)
def test_random_bytes_are_an_error_and_never_a_crash(tail: bytes, start: bytes) -> None:
    with pillow_warnings(), pytest.raises(ValueError, match=r"empty|damaged|not an image|pixels"):
        decode(start + tail, SIZE)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_an_image_of_too_many_pixels_is_refused_but_not_as_damage(kind: str) -> None:
    data = encoded(Image.new("1" if kind == "PNG" else "L", (10_000, 8_500)), kind)
    with (
        pillow_warnings(),
        pytest.raises(ValueError, match=r"^10,000 x 8,500 pixels are too many \(at most 80,0"),
    ):
        decode(data, SIZE)


def test_a_decompression_bomb_is_refused_before_it_is_decoded() -> None:
    data = bytearray(encoded(Image.new("1", (100, 100)), "PNG"))
    data[16:29] = struct.pack(">II", 100_000, 100_000) + data[24:29]
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    with pytest.raises(ValueError, match=r"^more than 80,000,000 pixels; scale it down"):
        decode(bytes(data), SIZE)

"""Encoded images to square RGB arrays: any file that Pillow reads, JPEG by a faster way with the same pixels.

What is not already `size` x `size` RGB of 8 bits is converted, and each conversion is counted by kind:

- greyscale: the one channel three times; 16 bit: divided by 257; palette and CMYK: Pillow's conversion to RGB
- alpha: composited on white, as most viewers and printed pages show it
- orientation: turned as its EXIF tag says; first frame: the first of an animation
- resized: the centred square whose side is the image's shorter side, scaled to `size` with Pillow's bicubic filter,
  which averages over all source pixels (no aliasing). This is "shorter side to `size`, then centre crop" in one step.

A file that is cut off or otherwise damaged is refused, even where a decoder could fill the missing part with grey.
"""

import contextlib
import io
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from thumbnet.errors import DataError
from thumbnet.sources.tree import FileSource

MOST_PIXELS = 80_000_000
"""Largest image that is decoded: below Pillow's own limit for decompression bombs, and above most cameras."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns an image upright, by the value of the EXIF tag that says how it lies; 1 is upright."""

_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, MemoryError)


@contextlib.contextmanager
def pillow_warnings() -> Iterator[None]:
    """Make Pillow's warning of a decompression bomb an error, and drop its warnings about damaged metadata.

    Without it those warnings go to stderr and name no file. The filters hold for the whole process and are not safe
    to change in several threads, so one block goes around everything that decodes.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


class UnfitImageError(ValueError):
    """A sound image that is not taken; the text says why, and what makes it fit."""


class Decoded(NamedTuple):
    """One decoded image.

    Attributes:
        pixels: uint8 [size, size, 3].
        conversions: kinds of conversion that were needed, of those in the description of this module.
    """

    pixels: NDArray[np.uint8]
    conversions: tuple[str, ...]


def decode(data: bytes, size: int) -> Decoded:
    """Decode the bytes of an image file to uint8 [size, size, 3], RGB.

    Raises:
        UnfitImageError: the image has too many pixels, or values of no known range.
        ValueError: the bytes are no image or are damaged; the text says which.
    """
    if not data:
        raise ValueError("the file is empty")
    if data.startswith(b"\xff\xd8"):
        return _decode_jpeg(data, size)
    try:
        with Image.open(io.BytesIO(data)) as image:
            return _from_pillow(image, size)
    except UnidentifiedImageError as error:
        raise ValueError("not an image") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise UnfitImageError(f"more than {MOST_PIXELS:,} pixels; scale it down") from error
    except UnfitImageError:
        raise
    except _DAMAGE as error:
        raise ValueError(f"damaged: {error}") from error


def _decode_jpeg(data: bytes, size: int) -> Decoded:
    try:
        height, width, colorspace, _ = simplejpeg.decode_jpeg_header(data)
        _check_pixels(width, height)
        if colorspace not in {"RGB", "YCbCr", "Gray"}:
            return _decode_cmyk(data, size)
        # Strict: libjpeg's warnings, on which other readers fill the rest of the picture with grey, are errors.
        pixels = simplejpeg.decode_jpeg(data, "RGB", strict=True)
    except UnfitImageError:
        raise
    except ValueError as error:
        raise ValueError(f"damaged or not a JPEG: {error}") from error
    conversions = ["greyscale"] if colorspace == "Gray" else []
    if (height, width) == (size, size) and b"Exif\0\0" not in data:
        return Decoded(pixels, tuple(conversions))
    upright = _upright(Image.fromarray(pixels), _jpeg_orientation(data), conversions)
    return Decoded(_square(upright, size, conversions), tuple(conversions))


def _decode_cmyk(data: bytes, size: int) -> Decoded:
    # Pillow knows the inverted CMYK that Adobe writes, but not when the data ends early: hence both decoders.
    simplejpeg.decode_jpeg(data, "CMYK", strict=True)
    with Image.open(io.BytesIO(data)) as image:
        return _from_pillow(image, size)


def _jpeg_orientation(data: bytes) -> int:
    try:
        with Image.open(io.BytesIO(data)) as image:
            return _orientation(image)
    # The pixels are whole, so what Pillow objects to is a marker beside them.
    except UnidentifiedImageError:
        return 1


def _orientation(image: Image.Image) -> int:
    """Return the value of the EXIF tag that says how an image lies; 1, upright, where none can be read."""
    try:
        return int(image.getexif().get(0x0112, 1))
    # Of damaged metadata Pillow raises a dozen kinds, of no base class but this; the pixels may be sound.
    except Exception:
        return 1


def _upright(image: Image.Image, orientation: int, conversions: list[str]) -> Image.Image:
    if orientation not in _TURNS:
        return image
    conversions.append("orientation")
    return image.transpose(_TURNS[orientation])


def _from_pillow(image: Image.Image, size: int) -> Decoded:
    _check_pixels(*image.size)
    conversions: list[str] = []
    if getattr(image, "is_animated", False):
        conversions.append("first frame")
    deep = _is_16_bit(image)
    image.load()
    if deep:
        conversions.append("16 bit")
    rgb = _to_rgb(_upright(image, _orientation(image), conversions), conversions)
    return Decoded(_square(rgb, size, conversions), tuple(conversions))


def _is_16_bit(image: Image.Image) -> bool:
    """Say whether a channel of an image that is not loaded yet has 16 bits."""
    if image.mode.startswith("I"):
        return True
    # Pillow opens 16-bit colour in 8-bit modes; only the first tile tells, by its raw mode or a PPM's largest value.
    for tile in getattr(image, "tile", [])[:1]:
        raw, *rest = tile.args if isinstance(tile.args, tuple) else (tile.args,)
        if tile.codec_name.startswith("ppm"):
            return any(value > 255 for value in rest)
        # That of BMP has 16 bits for all three channels.
        return "16" in str(raw) and raw != "BGR;16"
    return False


def _to_rgb(image: Image.Image, conversions: list[str]) -> Image.Image:
    mode = image.mode
    if mode == "RGB" and "transparency" not in image.info:
        return image
    if mode.startswith("I"):
        conversions.append("greyscale")
        return _from_16_bit(image)
    if mode == "F":
        raise UnfitImageError("floating-point values have no known range; convert it to 8 or 16 bits")
    kinds = {"1": "greyscale", "L": "greyscale", "P": "palette", "CMYK": "CMYK", "YCbCr": "YCbCr"}
    kinds |= {"LA": "greyscale", "La": "greyscale", "PA": "palette"}
    if mode in kinds:
        conversions.append(kinds[mode])
    if image.has_transparency_data:
        conversions.append("alpha")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _from_16_bit(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise UnfitImageError("32-bit values have no known range; convert it to 8 or 16 bits")
    # 65535 = 255 * 257, so dividing by 257 maps the full range onto the full range.
    return Image.fromarray(((values + 128) // 257).astype(np.uint8)).convert("RGB")


def _square(image: Image.Image, size: int, conversions: list[str]) -> NDArray[np.uint8]:
    if image.size != (size, size):
        conversions.append("resized")
        width, height = image.size
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        # Cropping first keeps the memory small for an image that is very long and thin.
        box = (left, top, left + side, top + side)
        image = image.resize((size, size), Image.Resampling.BICUBIC, box=box)
    return np.asarray(image)


def _check_pixels(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise UnfitImageError(f"{width:,} x {height:,} pixels are too many (at most {MOST_PIXELS:,}); scale it down")


class Batch(NamedTuple):
    """A run of decoded images.

    Attributes:
        pixels: uint8 [B, size, size, 3]; of no meaning where a file is refused.
        conversions: counts by kind.
        checksums: (CRC-32, size) of each file that is not refused.
        refused: for each other file the line that names it and says what is wrong and what to do.
    """

    pixels: NDArray[np.uint8]
    conversions: Counter[str]
    checksums: list[tuple[int, int]]
    refused: list[str]


def decode_batch(source: FileSource, files: Sequence[str], size: int) -> Batch:
    """Read and decode a run of images of a source; of bad ones all are named.

    Raises:
        StorageError: a file cannot be read.
    """
    pixels = np.empty((len(files), size, size, 3), dtype=np.uint8)
    conversions: Counter[str] = Counter()
    checksums = []
    refused = []
    for index, name in enumerate(files):
        try:
            data = source.read(name)
            decoded = decode(data, size)
        except DataError as error:
            refused.append(str(error))
        except ValueError as error:
            refused.append(f"{source.where(name)}: {error}; replace or remove this file")
        else:
            pixels[index] = decoded.pixels
            conversions.update(decoded.conversions)
            checksums.append((zlib.crc32(data), len(data)))
    return Batch(pixels, conversions, checksums, refused)

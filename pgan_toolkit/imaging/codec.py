"""Decoding and encoding of pictures: files become RGB arrays, or an error.

Nothing is repaired in silence: a truncated, oversized or non-image file raises DataError with its
name. Encoding is deterministic: the same pixels give the same bytes with the same library versions.
"""

import io
import warnings
from collections.abc import Iterator
from typing import IO, Literal, Protocol, cast, runtime_checkable

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from pgan_toolkit.arrays import Grey, Image
from pgan_toolkit.errors import DataError

__all__ = [
    "MAX_MEGAPIXELS",
    "PictureFile",
    "decode_image",
    "encode_grey_jpeg",
    "encode_jpeg",
    "encode_png",
    "image_size",
    "stored_grey",
]

MAX_MEGAPIXELS = 100.0
"""Pictures beyond this are refused: the largest of CelebA in the wild has 60.5 megapixels."""

# zlib level 1 after the filter against the row above: a seventh of level 6's time for an eighth
# more bytes.
_PNG_PARAMETERS = [
    cv2.IMWRITE_PNG_COMPRESSION,
    1,
    cv2.IMWRITE_PNG_FILTER,
    cv2.IMWRITE_PNG_FILTER_UP,
]
_LONGEST_PNG_PX = 1_000_000  # libpng's limit
_FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""Pillow's names of what is decoded. It knows many more, and would hand EPS to Ghostscript, which
runs what it is given."""
_STRIP_ROWS = 256  # of a large picture are composed at a time, so that one copy more is enough
_SIXTEEN_BIT_COLOURS = ("RGB;16B", "RGBA;16B", "LA;16B")  # in Pillow's words
_STEPS = {"L;2": 85, "L;4": 17}
"""Of the grey levels that Pillow makes of 2 and 4 bits, by its names of these."""
_ORIENTATION = 0x0112
_BITS_PER_SAMPLE, _PHOTOMETRIC = 0x0102, 0x0106  # of TIFF
# By EXIF's orientation 2 to 8, what makes the picture upright; 1 is upright.
_UPRIGHT = {
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_270,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_90,
}


@runtime_checkable
class PictureFile(Protocol):
    """A file that is open, as `open(path, "rb")` gives it."""

    def read(self, size: int = -1, /) -> bytes:
        """Read so many bytes; all that are left if negative."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place."""

    def tell(self) -> int:
        """Return the place."""


def decode_image(
    data: bytes,
    *,
    name: str,
    apply_orientation: bool = True,
    max_megapixels: float = MAX_MEGAPIXELS,
) -> Image:
    """Decode a picture of any format, mode and depth into 8-bit RGB.

    Grey is replicated, a palette looked up, CMYK converted, alpha composed on white. 16 bits of
    grey, and of a PNG's colours, are scaled to 8 by rounding v / 257, and 12 bits of a grey TIFF
    by rounding v * 255 / 4095; of other files' 16-bit colours (TIFF) Pillow keeps the upper 8 bits,
    v >> 8. EXIF is asked for the orientation alone; an orientation that cannot be read, or is none
    of 1 to 8, counts as 1, upright.

    Parameters
    ----------
    data : bytes
        The file's contents.
    name : str
        What an error calls it: the path or the key.
    apply_orientation : bool
        Turn the picture as its EXIF orientation says. False for annotations that were made
        without it, as CelebA's were.
    max_megapixels : float
        Larger pictures are refused before their pixels are decoded.

    Returns
    -------
    Image
        uint8 (H, W, 3), RGB, C-contiguous.

    Raises
    ------
    DataError
        Empty, truncated, oversized, or not a picture. The message names the file.
    """
    picture = _opened(data, name=name, max_megapixels=max_megapixels)
    try:
        picture, orientation = _loaded(picture, data)
        if apply_orientation and orientation in _UPRIGHT:
            # The name is bound anew, so that only one copy of a large photograph stays.
            picture = picture.transpose(_UPRIGHT[orientation])
        return np.ascontiguousarray(_to_rgb(picture))
    except MemoryError:
        raise
    except Exception as error:  # each decoder has its own ways to fail on damaged bytes
        raise DataError(
            f"{name}: the picture is damaged or incomplete ({error}); "
            "get the file again or leave it out"
        ) from error


def image_size(data: bytes | PictureFile, *, name: str) -> tuple[int, int]:
    """Height and width that a picture's header states, without decoding pixels.

    Parameters
    ----------
    data : bytes or PictureFile
        The file's contents; of an open file, no more is read than the decoder asks for.
    name : str
        What an error calls it.

    Raises
    ------
    DataError
        The bytes are not a picture.
    """
    with _opened(data, name=name, max_megapixels=float("inf")) as picture:
        return picture.height, picture.width


def stored_grey(data: bytes, *, name: str) -> bool:
    """Whether a picture's header states one channel of grey levels, with or without alpha.

    Raises
    ------
    DataError
        The bytes are not a picture.
    """
    with _opened(data, name=name, max_megapixels=float("inf")) as picture:
        return picture.mode != "LAB" and picture.mode.startswith(("1", "L", "I", "F"))


def encode_png(image: Image) -> bytes:
    """Encode RGB pixels as PNG, fast and without metadata, by OpenCV.

    Parameters
    ----------
    image : Image
        uint8 (H, W, 3), RGB; 1 to 1,000,000 pixels a side.

    Raises
    ------
    DataError
        The picture is empty, or larger than OpenCV writes.
    """
    height, width = image.shape[:2]
    # Asked beforehand, for OpenCV and libpng would print lines of their own.
    if not 1 <= min(height, width) <= max(height, width) <= _LONGEST_PNG_PX:
        raise _no_png(image, f"expected 1 to {_LONGEST_PNG_PX:,} a side")
    try:
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        done, buffer = cv2.imencode(".png", bgr, _PNG_PARAMETERS)
    except cv2.error as error:
        raise _no_png(image, str(error).strip()) from error
    if not done:
        raise _no_png(image, "OpenCV refuses them")
    return bytes(buffer.data)


def _no_png(image: Image, why: str) -> DataError:
    height, width = image.shape[:2]
    return DataError(
        f"{width}x{height} pixels cannot be stored as PNG: {why}; make the picture smaller"
    )


def encode_jpeg(
    image: Image, *, quality: int, subsampling: Literal["4:2:0", "4:4:4"] = "4:2:0"
) -> bytes:
    """Encode RGB pixels as JPEG by libjpeg.

    Parameters
    ----------
    image : Image
        uint8 (H, W, 3), RGB.
    quality : int
        libjpeg's quality, 1 to 100.
    subsampling : str
        "4:2:0" or "4:4:4".
    """
    buffer = io.BytesIO()
    PIL.Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    return buffer.getvalue()


def encode_grey_jpeg(levels: Grey, *, quality: int) -> bytes:
    """Encode one channel as a grey JPEG by libjpeg.

    Parameters
    ----------
    levels : Grey
        uint8 (H, W).
    quality : int
        libjpeg's quality, 1 to 100.
    """
    buffer = io.BytesIO()
    PIL.Image.fromarray(levels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _opened(data: bytes | PictureFile, *, name: str, max_megapixels: float) -> PIL.Image.Image:
    if not data:
        raise DataError(f"{name}: the file is empty; get it again or leave it out")
    try:
        with warnings.catch_warnings():
            # Pillow's own limit warns or raises by its own measure, ours follows below; and it
            # warns of damaged EXIF, which is not used.
            warnings.simplefilter("ignore")
            file = io.BytesIO(data) if isinstance(data, bytes) else cast(IO[bytes], data)
            picture = PIL.Image.open(file, formats=_FORMATS)
    except PIL.Image.DecompressionBombError as error:
        most = min(max_megapixels, 2e-6 * (PIL.Image.MAX_IMAGE_PIXELS or 0))
        raise _too_large(name, str(error).rstrip("."), most) from error
    except PIL.UnidentifiedImageError as error:
        raise DataError(
            f"{name}: not a picture that is read here; expected JPEG, PNG, WebP, AVIF, TIFF, BMP "
            "or PPM"
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # each decoder has its own ways to fail on damaged bytes
        raise DataError(f"{name}: the picture's header is damaged ({error})") from error
    megapixels = picture.width * picture.height / 1e6
    if megapixels > max_megapixels:
        size = f"{picture.width}x{picture.height} is {megapixels:.0f} megapixels"
        raise _too_large(name, size, max_megapixels)
    return picture


def _too_large(name: str, what: str, max_megapixels: float) -> DataError:
    return DataError(
        f"{name}: {what}, more than the limit of {max_megapixels:.0f} megapixels; "
        "scale the picture down or leave it out"
    )


def _loaded(picture: PIL.Image.Image, data: bytes) -> tuple[PIL.Image.Image, int]:
    """Decode the pixels as they are stored; give the orientation beside them."""
    if picture.format == "TIFF":
        # Pillow turns a TIFF as it loads it, unless the tag has been taken out before.
        orientation = _take_orientation(picture)
        picture.load()
        tags = getattr(picture, "tag_v2", {})
        if picture.size != picture.im.size:
            picture = picture.copy()  # height and width were exchanged beforehand, the pixels not
        twelve_bits = tags.get(_BITS_PER_SAMPLE) == (12,)
        white_is_zero = tags.get(_PHOTOMETRIC) == 0
        if picture.mode.startswith("I;16") and (twelve_bits or white_is_zero):
            # Of 12 bits Pillow gives 0..4095, and it turns white and black of 8 bits alone.
            grey = _grey_levels(np.asarray(picture), most=4095 if twelve_bits else 65535)
            picture = PIL.Image.fromarray(255 - grey if white_is_zero else grey)
        return picture, orientation
    stored = _raw_mode(picture) if picture.format == "PNG" else ""
    picture.load()
    orientation = _take_orientation(picture)
    if stored in _SIXTEEN_BIT_COLOURS:  # of which Pillow has dropped the lower half
        picture = _sixteen_bit_png(data)
    if stored in _STEPS and "transparency" in picture.info:  # is as stored, the levels are not
        picture.info["transparency"] *= _STEPS[stored]
    return picture, orientation


def _take_orientation(picture: PIL.Image.Image) -> int:
    """Remove the orientation from what Pillow knows of the picture, and give it.

    The other tags are not looked at: cameras and editors write many that break their own types.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return int(picture.getexif().pop(_ORIENTATION, 1))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - damaged EXIF is no reason to refuse a healthy picture
        return 1


def _raw_mode(picture: PIL.Image.Image) -> str:
    """How an opened file's samples are stored, in Pillow's words."""
    tiles = getattr(picture, "tile", [])
    return str(tiles[0].args) if tiles else ""


def _sixteen_bit_png(data: bytes) -> PIL.Image.Image:
    """Decode a PNG of 16-bit colours, which Pillow has found whole, by OpenCV."""
    levels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if levels is None or levels.dtype != np.uint16:
        raise ValueError("OpenCV does not read its 16-bit pixels")
    order = cv2.COLOR_BGRA2RGBA if levels.shape[2] == 4 else cv2.COLOR_BGR2RGB
    pixels = np.empty(levels.shape, np.uint8)
    for rows in _strips(len(levels)):
        pixels[rows] = _eight_bits(cv2.cvtColor(levels[rows], order))
    return PIL.Image.fromarray(pixels)


def _to_rgb(picture: PIL.Image.Image) -> Image:
    if picture.mode.startswith(("I", "F")):
        return _sixteen_bit_to_rgb(picture)
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        return _on_white(picture)
    # Converting RGB to RGB would copy it, which a large photograph feels.
    return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))


def _on_white(picture: PIL.Image.Image) -> Image:
    """Compose a picture with transparency on white."""
    composed = np.empty((picture.height, picture.width, 3), np.uint8)
    for rows in _strips(picture.height):
        strip = picture.crop((0, rows.start, picture.width, rows.stop)).convert("RGBA")
        white = PIL.Image.new("RGBA", strip.size, "white")
        composed[rows] = np.asarray(PIL.Image.alpha_composite(white, strip).convert("RGB"))
    return composed


def _strips(height: int) -> Iterator[slice]:
    for start in range(0, height, _STRIP_ROWS):
        yield slice(start, min(start + _STRIP_ROWS, height))


def _sixteen_bit_to_rgb(picture: PIL.Image.Image) -> Image:
    if picture.mode == "F":
        raise ValueError("floating-point pixels have no stated range; expected 8 or 16 bits")
    levels = np.asarray(picture)
    if levels.min() < 0 or levels.max() > 65535:
        raise ValueError(f"pixel values {levels.min()}..{levels.max()}; expected 0..65535")
    grey = _grey_levels(levels)
    transparent = picture.info.get("transparency")  # of a PNG: one of the levels
    if isinstance(transparent, int):
        grey[levels == transparent] = 255
    return np.repeat(grey[:, :, None], 3, axis=2)


def _grey_levels(levels: NDArray[np.generic], *, most: int = 65535) -> NDArray[np.uint8]:
    """Scale 0..most to 8 bits, a strip at a time."""
    grey = np.empty(levels.shape, np.uint8)
    for rows in _strips(len(levels)):
        grey[rows] = _eight_bits(levels[rows], most=most)
    return grey


def _eight_bits(levels: NDArray[np.generic], *, most: int = 65535) -> NDArray[np.uint8]:
    """Round v * 255 / most, for whole numbers 0..most of any type; v / 257 for 65535."""
    return ((levels.astype(np.uint32) * 255 + most // 2) // most).astype(np.uint8)

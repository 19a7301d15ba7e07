"""Decoding and encoding of pictures: any file that Pillow reads becomes an RGB array, or an error.

Nothing is repaired in silence: a truncated, oversized or non-image file raises DataError with its
name. Encoding is deterministic: the same pixels give the same bytes with the same library versions.
"""

import io
import warnings
from typing import Literal

import cv2
import numpy as np
import PIL.Image
import PIL.ImageOps

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import DataError

__all__ = ["MAX_MEGAPIXELS", "decode_image", "encode_jpeg", "encode_png", "image_size"]

MAX_MEGAPIXELS = 100.0
"""Pictures beyond this are refused: the largest of CelebA in the wild has 60.5 megapixels."""

# zlib level 2 after the filter by averages: a sixth of level 6's time for a tenth more bytes.
_PNG_PARAMETERS = [
    cv2.IMWRITE_PNG_COMPRESSION,
    2,
    cv2.IMWRITE_PNG_FILTER,
    cv2.IMWRITE_PNG_FILTER_AVG,
]
_READ_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, OverflowError)


def decode_image(
    data: bytes,
    *,
    name: str,
    apply_orientation: bool = True,
    max_megapixels: float = MAX_MEGAPIXELS,
) -> Image:
    """Decode a picture of any format, mode and depth into 8-bit RGB.

    Grey is replicated, a palette looked up, CMYK converted, alpha composed on white, 16 bits
    scaled to 8 by rounding v / 257.

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
    with _opened(data, name=name, max_megapixels=max_megapixels) as picture:
        try:
            picture.load()
            if apply_orientation:
                PIL.ImageOps.exif_transpose(picture, in_place=True)
            return np.ascontiguousarray(_to_rgb(picture))
        except _READ_ERRORS as error:
            raise DataError(
                f"{name}: the picture is damaged or incomplete ({error}); "
                "get the file again or leave it out"
            ) from error


def image_size(data: bytes, *, name: str) -> tuple[int, int]:
    """Height and width that a picture's header states, without decoding pixels.

    Raises
    ------
    DataError
        The bytes are not a picture.
    """
    with _opened(data, name=name, max_megapixels=float("inf")) as picture:
        return picture.height, picture.width


def encode_png(image: Image) -> bytes:
    """Encode RGB pixels as PNG, fast and without metadata, by OpenCV.

    Parameters
    ----------
    image : Image
        uint8 (H, W, 3), RGB.
    """
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, buffer = cv2.imencode(".png", bgr, _PNG_PARAMETERS)
    if not done:
        raise RuntimeError(f"OpenCV could not encode {image.shape} pixels as PNG")
    return bytes(buffer.data)


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


def _opened(data: bytes, *, name: str, max_megapixels: float) -> PIL.Image.Image:
    if not data:
        raise DataError(f"{name}: the file is empty; get it again or leave it out")
    try:
        with warnings.catch_warnings():
            # Pillow's own limit warns or raises by its own measure; ours follows below.
            warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)
            picture = PIL.Image.open(io.BytesIO(data))
    except PIL.Image.DecompressionBombError as error:
        raise _too_large(name, str(error), max_megapixels) from error
    except PIL.UnidentifiedImageError as error:
        raise DataError(
            f"{name}: not a picture that Pillow can read; expected JPEG, PNG, WebP or TIFF"
        ) from error
    except _READ_ERRORS as error:
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


def _to_rgb(picture: PIL.Image.Image) -> Image:
    if picture.mode.startswith(("I", "F")):
        return _sixteen_bit_to_rgb(picture)
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        coloured = picture.convert("RGBA")
        white = PIL.Image.new("RGBA", coloured.size, "white")
        picture = PIL.Image.alpha_composite(white, coloured)
    # Converting RGB to RGB would copy it, which a large photograph feels.
    return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))


def _sixteen_bit_to_rgb(picture: PIL.Image.Image) -> Image:
    if picture.mode == "F":
        raise ValueError("floating-point pixels have no stated range; expected 8 or 16 bits")
    levels = np.asarray(picture).astype(np.int64)
    if levels.min() < 0 or levels.max() > 65535:
        raise ValueError(f"pixel values {levels.min()}..{levels.max()}; expected 0..65535")
    grey = ((levels * 255 + 32767) // 65535).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)

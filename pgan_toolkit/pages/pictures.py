"""Pictures inside a page, as data URIs of a bounded size."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from pgan_toolkit.arrays import Image
from pgan_toolkit.imaging import encode_jpeg, encode_png, shrink_to_fit

__all__ = ["LONGEST_PX", "MOST_PICTURE_BYTES", "Gallery", "PagePicture", "page_picture"]

MOST_PICTURE_BYTES = 16_000
"""Of one picture in a page: 120 of them stay below 2.6 MB of text."""

LONGEST_PX = 192
"""Of a picture in a page: its longer side, at most."""

_QUALITIES = (95, 90, 80, 60)


@dataclass(frozen=True)
class PagePicture:
    """A picture in a page.

    Attributes
    ----------
    uri : str
        The picture itself.
    width, height : int
        In pixels, as it is in the page.
    alt : str
        What those read who do not see it.
    key : str
        The name below it.
    note : str
        What stands after the name.
    """

    uri: str
    width: int
    height: int
    alt: str
    key: str
    note: str = ""


@dataclass(frozen=True)
class Gallery:
    """Pictures under a heading. Attributes: `title`, `text` (what they are), `pictures`."""

    title: str
    text: str
    pictures: Sequence[PagePicture]


def page_picture(
    image: Image, *, alt: str, key: str, note: str = "", longest_px: int = LONGEST_PX
) -> PagePicture:
    """Return a picture for a page, of `MOST_PICTURE_BYTES` at most.

    One that is small enough is shown pixel by pixel (PNG); else it is shrunk to `longest_px`, and
    stored as JPEG, of the highest quality that fits; one that fits at none is halved.

    Parameters
    ----------
    image : Image
        uint8 (H, W, 3), RGB.
    alt, key, note : str
        As of `PagePicture`.
    longest_px : int
        Its longer side, at most.
    """
    small = shrink_to_fit(image, size_px=longest_px)
    mime, data = _encoded(small)
    while len(data) > MOST_PICTURE_BYTES:
        small = shrink_to_fit(small, size_px=max(max(small.shape[:2]) // 2, 1))
        mime, data = _encoded(small)
    uri = f"data:image/{mime};base64,{base64.b64encode(data).decode()}"
    height, width = small.shape[:2]
    return PagePicture(uri, width, height, alt, key, note)


def _encoded(image: Image) -> tuple[str, bytes]:
    data = encode_png(image)
    if len(data) <= MOST_PICTURE_BYTES:
        return "png", data
    for quality in _QUALITIES:
        data = encode_jpeg(image, quality=quality, subsampling="4:4:4")
        if len(data) <= MOST_PICTURE_BYTES:
            break
    return "jpeg", data

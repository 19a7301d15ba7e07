"""Pixels: decode, encode, resample, pad, warp, spectra, mosaics. The only user of PIL and cv2."""

from pgan_toolkit.imaging.codec import (
    MAX_MEGAPIXELS,
    decode_image,
    encode_jpeg,
    encode_png,
    image_size,
)
from pgan_toolkit.imaging.mosaic import (
    AMBER,
    GREEN,
    RED,
    Colour,
    Section,
    Tile,
    contact_sheet,
    shrink_to_fit,
)
from pgan_toolkit.imaging.padding import Margins, feathered_pad
from pgan_toolkit.imaging.resample import Box, box_downscale, lanczos_resize
from pgan_toolkit.imaging.threads import limit_threads
from pgan_toolkit.imaging.warping import warp_quad

__all__ = [
    "AMBER",
    "GREEN",
    "MAX_MEGAPIXELS",
    "RED",
    "Box",
    "Colour",
    "Margins",
    "Section",
    "Tile",
    "box_downscale",
    "contact_sheet",
    "decode_image",
    "encode_jpeg",
    "encode_png",
    "feathered_pad",
    "image_size",
    "lanczos_resize",
    "limit_threads",
    "shrink_to_fit",
    "warp_quad",
]

"""Pixels: decode, encode, resample, pad, warp, spectra, mosaics. The only user of PIL and cv2."""

from pgan_toolkit.imaging.codec import (
    MAX_MEGAPIXELS,
    decode_image,
    encode_jpeg,
    encode_png,
    image_size,
)

from pgan_toolkit.imaging.padding import Margins, feathered_pad
from pgan_toolkit.imaging.resample import Box, box_downscale, lanczos_resize
from pgan_toolkit.imaging.warping import warp_quad

__all__ = [
    "MAX_MEGAPIXELS",
    "Box",
    "Margins",
    "box_downscale",
    "decode_image",
    "encode_jpeg",
    "encode_png",
    "feathered_pad",
    "image_size",
    "lanczos_resize",
    "warp_quad",
]

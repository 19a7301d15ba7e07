"""Pixels: decode, encode, resample, pad, warp, spectra, mosaics. The only user of PIL and cv2."""

from pgan_toolkit.imaging.codec import (
    MAX_MEGAPIXELS,
    decode_image,
    encode_jpeg,
    encode_png,
    image_size,
)

__all__ = ["MAX_MEGAPIXELS", "decode_image", "encode_jpeg", "encode_png", "image_size"]

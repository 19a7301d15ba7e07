"""Pixels: decode, encode, resample, pad, warp, spectra, mosaics. The only user of PIL and cv2."""

from pgan_toolkit.imaging.codec import (
    MAX_MEGAPIXELS,
    PictureFile,
    decode_image,
    encode_grey_jpeg,
    encode_jpeg,
    encode_png,
    image_size,
    stored_grey,
)
from pgan_toolkit.imaging.colour import (
    full_luma,
    grey_levels,
    grey_to_rgb,
    is_grey,
    studio_luma,
)
from pgan_toolkit.imaging.differences import sum_of_absolute_differences
from pgan_toolkit.imaging.filters import gaussian_blur
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
from pgan_toolkit.imaging.polar import RING_COUNT, SECTOR_COUNT, ring_frequencies
from pgan_toolkit.imaging.pyramids import laplacian_band_energies, laplacian_steps
from pgan_toolkit.imaging.resample import Box, bicubic_resize, box_downscale, lanczos_resize
from pgan_toolkit.imaging.spectra import (
    RingSpectrum,
    lattice_share,
    luma,
    power_spectrum,
    ring_spectrum,
    tile_band_power,
)
from pgan_toolkit.imaging.threads import limit_threads, threads_kept
from pgan_toolkit.imaging.versions import pixel_library_versions
from pgan_toolkit.imaging.warping import warp_quad

__all__ = [
    "AMBER",
    "GREEN",
    "MAX_MEGAPIXELS",
    "RED",
    "RING_COUNT",
    "SECTOR_COUNT",
    "Box",
    "Colour",
    "Margins",
    "PictureFile",
    "RingSpectrum",
    "Section",
    "Tile",
    "bicubic_resize",
    "box_downscale",
    "contact_sheet",
    "decode_image",
    "encode_grey_jpeg",
    "encode_jpeg",
    "encode_png",
    "feathered_pad",
    "full_luma",
    "gaussian_blur",
    "grey_levels",
    "grey_to_rgb",
    "image_size",
    "is_grey",
    "lanczos_resize",
    "laplacian_band_energies",
    "laplacian_steps",
    "lattice_share",
    "limit_threads",
    "luma",
    "pixel_library_versions",
    "power_spectrum",
    "ring_frequencies",
    "ring_spectrum",
    "shrink_to_fit",
    "stored_grey",
    "studio_luma",
    "sum_of_absolute_differences",
    "threads_kept",
    "tile_band_power",
    "warp_quad",
]

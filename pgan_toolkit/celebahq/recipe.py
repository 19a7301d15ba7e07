"""One photograph, from decoded pixels to its aligned crop."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pgan_toolkit.arrays import Image, Landmarks
from pgan_toolkit.celebahq.geometry import CropPlan, plan_crop
from pgan_toolkit.errors import UsageError
from pgan_toolkit.imaging import Box, feathered_pad, lanczos_resize, warp_quad
from pgan_toolkit.restoration import Restorer, grown_box

__all__ = ["PROFILES", "Profile", "render_crop", "seen_part"]


@dataclass(frozen=True)
class Profile:
    """Where the paper and the authors' program differ.

    Attributes
    ----------
    name : str
        "paper" or "official".
    final_filter : "box" or "lanczos"
        From 4096x4096 to 1024x1024: box in the paper, Lanczos in the program.
    in_context : bool
        Whether the restorer sees what lies around the region, as in the paper, which restores the
        whole photograph first. The program cuts the region out first.
    """

    name: str
    final_filter: Literal["box", "lanczos"]
    in_context: bool

    @classmethod
    def named(cls, name: str) -> "Profile":
        """Return the profile of that name, or raise UsageError."""
        if name not in PROFILES:
            raise UsageError(f"no profile is called {name!r}; there is: {', '.join(PROFILES)}")
        return PROFILES[name]


PROFILES = {
    "paper": Profile("paper", final_filter="box", in_context=True),
    "official": Profile("official", final_filter="lanczos", in_context=False),
}


def render_crop(
    image: Image,
    landmarks: Landmarks,
    *,
    profile: Profile,
    restorer: Restorer,
    output_size: int = 1024,
) -> Image:
    """Restore, pad and warp one face to an upright square.

    Parameters
    ----------
    image : Image
        uint8 (H, W, 3): the photograph, not turned by its EXIF orientation.
    landmarks : Landmarks
        float32 (5, 2) x, y in its pixels.
    profile : Profile
        `PROFILES["paper"]` or `PROFILES["official"]`.
    restorer : Restorer
        What enlarges and cleans the region.
    output_size : int
        Side of the result, pixels.

    Returns
    -------
    Image
        uint8 (output_size, output_size, 3).
    """
    plan = plan_crop(
        landmarks, width=image.shape[1], height=image.shape[0], output_size=output_size
    )
    cut, wanted = seen_part(image, plan, profile=profile, restorer=restorer)
    restored = restorer.restore(cut, scale=plan.upscale, region=wanted)
    if plan.margins:
        restored = feathered_pad(restored, plan.margins, sigma_px=plan.sigma_px, window=plan.window)
    return warp_quad(
        restored, plan.quad_in_warped, size=output_size, final_filter=profile.final_filter
    )


def seen_part(
    image: Image, plan: CropPlan, *, profile: Profile, restorer: Restorer
) -> tuple[Image, Box]:
    """Cut out what the restorer has to see of the shrunken photograph.

    Parameters
    ----------
    image : Image
        uint8 (H, W, 3): the photograph.
    plan : CropPlan
        The steps for it.
    profile : Profile
        Says whether the restorer sees what lies around the region.
    restorer : Restorer
        Says how far around it looks.

    Returns
    -------
    Image
        uint8 (h, w, 3).
    Box
        The part of it that the crop needs: restored as if all of the photograph had been.
    """
    photograph, part = Box(0, 0, plan.shrunken_width, plan.shrunken_height), plan.needed
    seen = grown_box(
        part,
        restorer.margin_px,
        within=photograph if profile.in_context else plan.region,
        alignment_px=restorer.alignment_px,
    )
    if plan.shrink > 1:
        cut = lanczos_resize(image, width=photograph.width, height=photograph.height, region=seen)
    else:
        cut = image[seen.top : seen.bottom, seen.left : seen.right]
    wanted = Box(
        part.left - seen.left, part.top - seen.top, part.right - seen.left, part.bottom - seen.top
    )
    return np.ascontiguousarray(cut), wanted

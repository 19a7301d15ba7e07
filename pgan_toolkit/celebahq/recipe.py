"""One photograph, from decoded pixels to its aligned crop."""

from dataclasses import dataclass
from typing import Literal

from pgan_toolkit.arrays import Image, Landmarks
from pgan_toolkit.celebahq.geometry import CropPlan, plan_crop
from pgan_toolkit.errors import UsageError
from pgan_toolkit.imaging import Box, feathered_pad, lanczos_resize, warp_quad
from pgan_toolkit.restoration import Restorer

__all__ = ["PROFILES", "Profile", "render_crop"]


@dataclass(frozen=True)
class Profile:
    """Where the paper and the authors' program differ.

    Attributes
    ----------
    name : str
        "paper" or "official".
    final_filter : "box" or "lanczos"
        From 4096x4096 to 1024x1024: box in the paper, Lanczos in the program.
    restores_in_context : bool
        Whether the pixels around the region are shown to the restorer, as if it had seen the
        whole photograph (the paper restores first); the program crops first.
    """

    name: str
    final_filter: Literal["box", "lanczos"]
    restores_in_context: bool

    @classmethod
    def named(cls, name: str) -> "Profile":
        """Return the profile of that name, or raise UsageError."""
        if name not in PROFILES:
            raise UsageError(f"no profile is called {name!r}; there is: {', '.join(PROFILES)}")
        return PROFILES[name]


PROFILES = {
    "paper": Profile("paper", final_filter="box", restores_in_context=True),
    "official": Profile("official", final_filter="lanczos", restores_in_context=False),
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
    margin = restorer.margin_px if profile.restores_in_context else 0
    enlarged = _restored_region(image, plan, restorer, margin)
    window = plan.window
    if plan.margins:
        enlarged = feathered_pad(enlarged, plan.margins, sigma_px=plan.sigma_px, window=window)
        quad = plan.quad - (window.left, window.top)
    else:
        quad = plan.quad
    return warp_quad(enlarged, quad, size=output_size, final_filter=profile.final_filter)


def _restored_region(image: Image, plan: CropPlan, restorer: Restorer, margin: int) -> Image:
    """Cut out the region that the crop needs, restored and enlarged."""
    region = plan.region
    seen = Box(
        max(region.left - margin, 0),
        max(region.top - margin, 0),
        min(region.right + margin, plan.shrunken_width),
        min(region.bottom + margin, plan.shrunken_height),
    )
    cut = (
        lanczos_resize(image, width=plan.shrunken_width, height=plan.shrunken_height, region=seen)
        if plan.shrink > 1
        else image[seen.top : seen.bottom, seen.left : seen.right]
    )
    restored = restorer.restore(cut, scale=plan.upscale)
    top = (region.top - seen.top) * plan.upscale
    left = (region.left - seen.left) * plan.upscale
    height, width = region.height * plan.upscale, region.width * plan.upscale
    return restored[top : top + height, left : left + width]

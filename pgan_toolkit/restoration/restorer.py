"""The interface of whatever restores a photograph before it is cropped, and the plain one."""

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import UsageError
from pgan_toolkit.imaging import Box, lanczos_resize

__all__ = ["LanczosRestorer", "Restorer", "Step", "require_power_of_two"]

Step = Literal["jpeg", "superres"]
"""Removing JPEG artifacts, and enlarging."""


@runtime_checkable
class Restorer(Protocol):
    """Removes artifacts and enlarges.

    Attributes
    ----------
    identity : str
        What its result depends on: the name, and the digests of its weights. A build that was
        begun with one identity is not continued with another.
    margin_px : int
        How far around a pixel the result depends on the input, input pixels.
    alignment_px : int
        A picture that is cut out of a larger one with `margin_px` around what is wanted, and
        begins at a multiple of this from the larger one's left and top, is restored to the same
        pixels as in the larger one.
    """

    @property
    def identity(self) -> str:
        """Name, and digests of weights."""

    @property
    def margin_px(self) -> int:
        """Reach of the result's dependence, input pixels."""

    @property
    def alignment_px(self) -> int:
        """Multiple at which a cut-out must begin, input pixels."""

    def restore(self, image: Image, *, scale: int, region: Box | None = None) -> Image:
        """Restore a picture, or a part of it as it is in the whole.

        Parameters
        ----------
        image : Image
            uint8 (H, W, 3).
        scale : int
            Factor of enlargement, a power of two; 1 for none.
        region : Box | None
            The part that is wanted, in pixels of `image`; what lies around it is looked at as far
            as `margin_px`. None for all of it.

        Returns
        -------
        Image
            uint8 (scale H, scale W, 3), or `scale` times the region's size.

        Raises
        ------
        UsageError
            The scale is no power of two.
        """

    def only(self, step: Step) -> "Restorer":
        """Return a restorer that takes this step alone.

        Raises
        ------
        UsageError
            There is nothing to take this step with.
        """


@dataclass(frozen=True)
class LanczosRestorer:
    """Leaves artifacts as they are and enlarges by Lanczos, as the authors' program does."""

    identity: str = "lanczos"
    margin_px: int = 3
    alignment_px: int = 1

    def restore(self, image: Image, *, scale: int, region: Box | None = None) -> Image:
        """Enlarge uint8 (H, W, 3), or a region of it, to `scale` times its size."""
        require_power_of_two(scale)
        height, width = image.shape[:2]
        part = None if region is None else Box(*(edge * scale for edge in region))
        return lanczos_resize(image, width=width * scale, height=height * scale, region=part)

    def only(self, step: Step) -> "LanczosRestorer":
        """Return itself: it has no part that could be left out."""
        del step
        return self


def require_power_of_two(scale: int) -> None:
    """Refuse a factor of enlargement that is not 1, 2, 4, 8, ... by UsageError."""
    if scale < 1 or scale & (scale - 1):
        raise UsageError(f"scale {scale}: expected a power of two: 1, 2, 4, 8, ...")

"""The interface of whatever restores a photograph before it is cropped, and the plain one."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import UsageError
from pgan_toolkit.imaging import lanczos_resize

__all__ = ["LanczosRestorer", "Restorer", "open_restorer"]

_NAMES = ("lanczos",)


@runtime_checkable
class Restorer(Protocol):
    """Removes artifacts and enlarges.

    Attributes
    ----------
    identity : str
        What its result depends on: the name, and the digests of its weights. A build that was
        begun with one identity is not continued with another.
    margin_px : int
        How far around a pixel the result depends on the input, input pixels. A region that is
        cut out with this margin is restored to the same pixels as in the whole photograph.
    """

    @property
    def identity(self) -> str:
        """Name, and digests of weights."""

    @property
    def margin_px(self) -> int:
        """Reach of the result's dependence, input pixels."""

    def restore(self, image: Image, *, scale: int) -> Image:
        """Restore uint8 (H, W, 3) to uint8 (scale H, scale W, 3); scale is a power of two."""


@dataclass(frozen=True)
class LanczosRestorer:
    """Leaves artifacts as they are and enlarges by Lanczos, as the authors' program does."""

    identity: str = "lanczos"
    margin_px: int = 3

    def restore(self, image: Image, *, scale: int) -> Image:
        """Enlarge uint8 (H, W, 3) to uint8 (scale H, scale W, 3)."""
        height, width = image.shape[:2]
        return lanczos_resize(image, width=width * scale, height=height * scale)


def open_restorer(name: str, *, device: str = "auto") -> Restorer:
    """Make the restorer of that name ready to work.

    Parameters
    ----------
    name : str
        "lanczos".
    device : str
        "auto", or "cpu": Lanczos has no other.

    Raises
    ------
    UsageError
        An unknown name, or a device that this restorer cannot use.
    """
    if name not in _NAMES:
        raise UsageError(f"no restorer is called {name!r}; there is: {', '.join(_NAMES)}")
    if device not in ("auto", "cpu"):
        raise UsageError(
            f"--device {device}: the lanczos restorer runs on the CPU only; use auto or cpu"
        )
    return LanczosRestorer()

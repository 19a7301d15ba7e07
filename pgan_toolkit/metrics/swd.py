"""The sliced Wasserstein distance of Laplacian patches (Karras et al., ICLR 2018, section 5).

Both sets are cut into 7x7 patches of the levels of their Laplacian pyramids. At each level each
set is normalised by its own mean and standard deviation by channel, and the patches are compared
along random directions. A change of brightness, contrast or colour balance that is the same in all
images of a set is therefore invisible to it.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pgan_toolkit.metrics.descriptors import SwdSettings
from pgan_toolkit.metrics.images import as_images
from pgan_toolkit.metrics.result import Result
from pgan_toolkit.metrics.swd_comparison import compare_swd
from pgan_toolkit.metrics.swd_statistics import SwdStatistics

__all__ = ["SlicedWasserstein", "sliced_wasserstein_distance"]

_BYTES_MOVED = 2**28  # at once, to another device: a side of 1024x1024 has 51 GB


class SlicedWasserstein:
    """The SWD of a stream of fake images against the patches of a real set.

    Parameters
    ----------
    real : SwdStatistics
        Of the real side, complete by the time of `compute`; it is not changed, and can be shared.
    bootstrap, device
        As in `compare_swd`.
    memory_gib : float
        As in `SwdStatistics`, of the fake side.
    """

    def __init__(
        self,
        real: SwdStatistics,
        *,
        bootstrap: int = 0,
        device: str | torch.device = "cpu",
        memory_gib: float = 1.5,
    ) -> None:
        self.real = real
        self.fake = SwdStatistics(real.settings, side="fake", memory_gib=memory_gib)
        self._bootstrap = bootstrap
        self._device = device

    def update(self, images: Tensor | NDArray[np.generic], *, first: int | None = None) -> None:
        """Take fake images (N, 3, H, W), as `SwdStatistics.update` does."""
        self.fake.update(images, first=first)

    def merge(self, other: "SlicedWasserstein") -> None:
        """Take over the fake images of another object; the real side is that of this one."""
        self.fake.merge(other.fake)

    def compute(self) -> Result:
        """Return the distance of the images so far; see `compare_swd`."""
        return compare_swd(self.real, self.fake, bootstrap=self._bootstrap, device=self._device)


def sliced_wasserstein_distance(
    real: Tensor | NDArray[np.generic],
    fake: Tensor | NDArray[np.generic],
    *,
    settings: SwdSettings | None = None,
    bootstrap: int = 0,
    device: str | torch.device | None = None,
) -> Result:
    """Return the sliced Wasserstein distance of two sets of images.

    Parameters
    ----------
    real, fake : tensor or array (N, 3, H, W), RGB
        uint8, or floats within 0..255; as many of one as of the other, all of one size.
    settings : SwdSettings | None
        None: the published protocol (which takes 16,384 images).
    bootstrap
        As in `compare_swd`.
    device : str | torch.device | None
        Where to compute; None: where the fake images are.

    Returns
    -------
    Result
        As `compare_swd` returns it.

    Raises
    ------
    DataError
        The images cannot be compared.

    Examples
    --------
    >>> images = np.random.default_rng(0).integers(0, 256, (16, 3, 32, 32), dtype=np.uint8)
    >>> result = sliced_wasserstein_distance(images[:8], images[8:])
    >>> sorted(result.components)
    ['16', '32']
    """
    if device is None:
        device = fake.device if isinstance(fake, Tensor) else "cpu"
    statistics = SwdStatistics(settings, side="real")
    for batch in _moved(as_images(real, name="real"), torch.device(device)):
        statistics.update(batch)
    metric = SlicedWasserstein(statistics, bootstrap=bootstrap, device=device)
    for batch in _moved(as_images(fake, name="fake"), torch.device(device)):
        metric.update(batch)
    return metric.compute()


def _moved(images: Tensor, device: torch.device) -> Iterator[Tensor]:
    """Yield the images on the device, few at a time where they come from elsewhere."""
    if images.device.type == device.type:
        yield images.to(device)
        return
    for batch in torch.split(images, max(1, _BYTES_MOVED // max(images[:1].nbytes, 1))):
        yield batch.to(device)

"""MS-SSIM of a stored set."""

import torch

from pgan_toolkit.evaluation.feeding import feed
from pgan_toolkit.evaluation.memory import enough_memory
from pgan_toolkit.evaluation.protocol import about_sets, naming
from pgan_toolkit.evaluation.streams import ImageStream
from pgan_toolkit.metrics.ms_ssim import MsSsim
from pgan_toolkit.metrics.result import Result
from pgan_toolkit.metrics.structural_similarity import Convention, check_size

__all__ = ["measure_ms_ssim"]


def measure_ms_ssim(
    fake: ImageStream,
    *,
    convention: Convention = "paper",
    device: torch.device | str = "cpu",
) -> Result:
    """Return the mean MS-SSIM of consecutive pictures of a set.

    Parameters
    ----------
    fake : ImageStream
        The set.
    convention : {"paper", "standard"}
        As `pgan_toolkit.metrics.ms_ssim`.
    device : torch.device | str
        Where to compute.

    Raises
    ------
    DataError
        Fewer than two pictures, of several sizes, too small, or unreadable.
    SetupError
        The device's memory does not suffice for one pair.
    """
    height, width = fake.size
    with naming(fake):
        check_size(height, width, convention=convention)
    metric = MsSsim(convention=convention)
    feed(fake, metric, label="comparing pairs", device=device)
    with naming(fake), enough_memory(device):
        return about_sets(metric.compute(), fake)

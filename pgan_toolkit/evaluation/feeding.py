"""A stream of pictures given to what computes with them while the next ones are decoded."""

from contextlib import closing
from typing import Literal

import torch

from pgan_toolkit.evaluation.memory import enough_memory
from pgan_toolkit.evaluation.streams import ImageStream
from pgan_toolkit.metrics.accumulator import Statistics

__all__ = ["feed"]


def feed(
    stream: ImageStream,
    *statistics: Statistics,
    sizes: Literal["one", "any"] = "one",
    label: str = "reading",
    device: torch.device | str = "cpu",
) -> None:
    """Give every picture of a stream to each of the statistics, on the device.

    Raises
    ------
    DataError
        As `ImageStream.batches`, or a metric cannot take the pictures.
    """
    with closing(stream.batches(sizes=sizes, label=label)) as batches:
        for batch in batches:
            with enough_memory(device):
                images = batch.images.to(device)
                for each in statistics:
                    each.update(images, first=batch.first)

"""A generator that is ready to draw pictures, one picture a seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from pgan_toolkit.errors import DataError, UsageError
from reference_trainer.sampling.grids import labels_of_seeds, latents_of_seeds, to_uint8

__all__ = ["ImageGenerator", "Sampler", "SamplerInfo"]

_PIXELS_AT_ONCE = 4 * 1024 * 1024
"""Of one call of the generator, whose layers take some hundred times as many bytes."""


@runtime_checkable
class ImageGenerator(Protocol):
    """What `networks.build_networks` calls a generator."""

    def __call__(
        self,
        latents: Tensor,
        *,
        resolution: int,
        alpha: float = 1.0,
        labels: Tensor | None = None,
    ) -> Tensor:
        """Return images of about -1..1, float (N, C, resolution, resolution)."""


@dataclass(frozen=True, kw_only=True)
class SamplerInfo:
    """What is known of a run's pictures before one is made.

    Attributes
    ----------
    name : str
        What errors call it: the checkpoint's file.
    resolution : int
        Side of the pictures that the run ends with, pixels.
    stage_resolution : int
        Side of those that it makes now: pixels are replicated up to `resolution`.
    alpha : float
        Weight of the newest resolution, 1 where none is being faded in.
    latent_size : int
        Numbers in a latent vector.
    label_count : int
        Classes; 0: a run without labels.
    classes : tuple of int
        Those that have pictures, and that seeds have in turn; empty: all.
    """

    name: str
    resolution: int
    stage_resolution: int
    alpha: float
    latent_size: int
    label_count: int = 0
    classes: tuple[int, ...] = ()

    def check_label(self, label: int | None) -> None:
        """Refuse a class that the run does not have.

        Raises
        ------
        UsageError
            The run has no labels, or fewer.
        """
        if label is None:
            return
        if self.label_count == 0:
            raise UsageError(f"label {label}: {self.name} is of a run without labels; name none")
        if not 0 <= label < self.label_count:
            raise UsageError(
                f"label {label}: {self.name} has {self.label_count} classes; "
                f"expected 0 to {self.label_count - 1}"
            )


class Sampler:
    """Draws pictures from a generator.

    Parameters
    ----------
    generator : ImageGenerator
        On the device, ready for use.
    info : SamplerInfo
        What it makes.
    device : torch.device
        Where it computes.
    """

    def __init__(
        self, generator: ImageGenerator, info: SamplerInfo, *, device: torch.device
    ) -> None:
        self.info = info
        self.device = device
        self._generator = generator

    def pictures(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Make pictures.

        Parameters
        ----------
        latents : float32 Tensor
            (N, latent_size), on any device.
        labels : int64 Tensor | None
            (N,), where the run has labels.

        Returns
        -------
        Tensor
            uint8 (N, 3, resolution, resolution), on the CPU.

        Raises
        ------
        DataError
            The generator gives values that are no numbers.
        """
        at_once = max(1, _PIXELS_AT_ONCE // self.info.resolution**2)
        parts = [
            self._draw(latents[start : start + at_once], _part(labels, start, at_once))
            for start in range(0, len(latents), at_once)
        ]
        return torch.cat(parts)

    def of_seed(self, seed: int, *, label: int | None = None) -> Tensor:
        """Make the picture of one seed, the same to the bit whichever others are made.

        Pictures that are computed together may differ in the last bits of a float by how many
        they are, so each is computed alone.

        Parameters
        ----------
        seed : int
            0 or more.
        label : int | None
            Its class; None: as `labels_of_seeds`.

        Returns
        -------
        Tensor
            uint8 (1, 3, resolution, resolution), on the CPU.
        """
        return self.of_seeds([seed], label=label)

    def of_seeds(self, seeds: Sequence[int], *, label: int | None = None) -> Tensor:
        """Make the pictures of seeds together: faster, and those of `of_seed` but for rounding.

        Returns
        -------
        Tensor
            uint8 (N, 3, resolution, resolution), on the CPU.
        """
        latents = latents_of_seeds(seeds, latent_size=self.info.latent_size)
        return self.pictures(latents, self.labels(seeds, label=label))

    def labels(self, seeds: Sequence[int], *, label: int | None = None) -> Tensor | None:
        """Return the classes of seeds, int64 (N,): the one asked for, or `labels_of_seeds`.

        Raises
        ------
        UsageError
            The run has no such class.
        """
        self.info.check_label(label)
        if label is not None:
            return torch.full((len(seeds),), label, dtype=torch.int64)
        return labels_of_seeds(seeds, label_count=self.info.label_count, classes=self.info.classes)

    def _draw(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        with torch.inference_mode():
            images = self._generator(
                latents.to(self.device),
                resolution=self.info.stage_resolution,
                alpha=self.info.alpha,
                labels=None if labels is None else labels.to(self.device),
            )
            if not bool(images.isfinite().all()):
                raise DataError(
                    f"{self.info.name}: the generator gives values that are no numbers, so that "
                    "its training has failed; take an earlier checkpoint (--checkpoint)"
                )
            levels = to_uint8(images).cpu()
        factor = self.info.resolution // self.info.stage_resolution
        return levels.repeat_interleave(factor, dim=2).repeat_interleave(factor, dim=3)


def _part(labels: Tensor | None, start: int, count: int) -> Tensor | None:
    return None if labels is None else labels[start : start + count]

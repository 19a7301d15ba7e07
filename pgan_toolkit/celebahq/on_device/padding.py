"""Mirror padding that fades, in torch: what `imaging.feathered_pad` does, on any device.

The mirrored picture is never made: its rows and columns are taken by their numbers, and its
reduction is one product of matrices on each axis. The window is blended in bands of rows.
"""

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pgan_toolkit.celebahq.on_device.axes import area_matrix, between, blur_matrix, mirrored
from pgan_toolkit.celebahq.on_device.transfer import sent
from pgan_toolkit.imaging import Box, Margins
from pgan_toolkit.imaging.padding import (
    MEDIAN_BINS_A_LEVEL,
    inward_distance,
    median_step,
    plan_reduced_blur,
)

__all__ = ["faded_pad"]

_BAND_PIXELS = 2**21  # that are blended at once


def faded_pad(image: Tensor, margins: Margins, *, sigma_px: float, window: Box) -> Tensor:
    """Pad by reflection and fade the padding out: a window of it, as `imaging.feathered_pad`.

    Parameters
    ----------
    image : Tensor
        uint8 (3, H, W).
    margins : Margins
        Pixels to add, each at least 1.
    sigma_px : float
        Standard deviation of the blur, pixels.
    window : Box
        The part of the padded picture to return, in its coordinates.

    Returns
    -------
    Tensor
        uint8 (3, window.height, window.width), on the same device.
    """
    padded = _Padded(image, margins, sigma_px)
    median = padded.median_colour()
    rows, columns = padded.axes(
        np.arange(window.top, window.bottom), np.arange(window.left, window.right)
    )
    result = torch.empty((3, window.height, window.width), dtype=torch.uint8, device=image.device)
    height = max(_BAND_PIXELS // window.width, 1)
    for top in range(0, window.height, height):
        band = slice(top, top + height)
        values, mask = padded.blended(rows[band], columns)
        values += (median - values) * mask.clamp(0, 1)
        result[:, band] = values.round_().clamp_(0, 255).to(torch.uint8)
    return result


@dataclass(frozen=True)
class _Axis:
    """Pixels along one axis of the padded picture, as the device needs them.

    Attributes
    ----------
    source : int64 (n,)
        The pixel of the picture that each repeats.
    inward : float32 (n,)
        `inward_distance`.
    lower, higher, share
        Where each lies in the reduced picture: see `Between`.
    """

    source: Tensor
    inward: Tensor
    lower: Tensor
    higher: Tensor
    share: Tensor

    def __getitem__(self, part: slice) -> "_Axis":
        return _Axis(*(getattr(self, field.name)[part] for field in fields(self)))


class _Padded:
    """The mirrored picture and its blurred copy, evaluated where they are needed."""

    def __init__(self, image: Tensor, margins: Margins, sigma_px: float) -> None:
        self._image = image
        height, width = image.shape[1:]
        self._sources = (
            mirrored(height, margins.top, margins.bottom),
            mirrored(width, margins.left, margins.right),
        )
        self._inward = (
            inward_distance(len(self._sources[0]), margins.top, margins.bottom),
            inward_distance(len(self._sources[1]), margins.left, margins.right),
        )
        self._small = self._reduced_blur(sigma_px)

    def axes(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> tuple[_Axis, _Axis]:
        """Return the axes at these pixels of the padded picture."""
        return self._axis(0, rows), self._axis(1, columns)

    def blended(self, rows: _Axis, columns: _Axis) -> tuple[Tensor, Tensor]:
        """The picture drawn towards its blurred copy, float32 (3, h, w), and the mask (h, w)."""
        sharp = self._image.index_select(1, rows.source).index_select(2, columns.source).float()
        mask = 1 - torch.minimum(rows.inward[:, None], columns.inward[None])
        tall = self._small.index_select(1, rows.lower).lerp(
            self._small.index_select(1, rows.higher), rows.share[:, None]
        )
        blurred = tall.index_select(2, columns.lower).lerp(
            tall.index_select(2, columns.higher), columns.share
        )
        blurred -= sharp
        blurred *= (3 * mask + 1).clamp(0, 1)
        blurred += sharp
        return blurred, mask

    def median_colour(self) -> Tensor:
        """Median per channel of the blended picture, from a regular grid of it: (3, 1, 1)."""
        height, width = (len(source) for source in self._sources)
        step = median_step(width, height)
        values, mask = self.blended(
            *self.axes(np.arange(0, height, step), np.arange(0, width, step))
        )
        flat = values.reshape(3, mask.numel())
        middle = flat.kthvalue((mask.numel() + 1) // 2, dim=1).values
        bins = (middle * MEDIAN_BINS_A_LEVEL + 0.5).floor()
        return (bins / MEDIAN_BINS_A_LEVEL)[:, None, None]

    def _axis(self, axis: int, pixels: NDArray[np.int64]) -> _Axis:
        length, small = len(self._sources[axis]), self._small.shape[1 + axis]
        place = between((pixels + 0.5) * (small / length) - 0.5, small)
        values = (self._sources[axis][pixels], self._inward[axis][pixels], *place)
        return _Axis(*(sent(value, self._image.device) for value in values))

    def _reduced_blur(self, sigma_px: float) -> Tensor:
        height, width = (len(source) for source in self._sources)
        plan = plan_reduced_blur(width, height, sigma_px=sigma_px)
        small = self._by_axes(
            self._image.float(),
            area_matrix(self._sources[0], plan.height, length=self._image.shape[1]),
            area_matrix(self._sources[1], plan.width, length=self._image.shape[2]),
        )
        # OpenCV rounds halves up where it means four pixels, and to even elsewhere.
        fours = (width, height) == (2 * plan.width, 2 * plan.height)
        return self._by_axes(
            (small + 0.5).floor_() if fours else small.round_(),
            blur_matrix(plan.height, sigma_px=plan.sigmas_px[1], reach_px=plan.reaches_px[1]),
            blur_matrix(plan.width, sigma_px=plan.sigmas_px[0], reach_px=plan.reaches_px[0]),
        )

    def _by_axes(
        self, picture: Tensor, by_y: NDArray[np.float32], by_x: NDArray[np.float32]
    ) -> Tensor:
        """The product with a matrix on each axis: by_y picture by_x^T."""
        device = self._image.device
        return (sent(by_y, device) @ picture) @ sent(by_x, device).T

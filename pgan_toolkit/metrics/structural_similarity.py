"""The MS-SSIM of pairs of images: the arithmetic under `ms_ssim`.

Of a pair x, y it takes the sum s = x + y and the difference d = x - y. With the local variances of
these, `2 cov(x, y) = (var s - var d) / 2` and `var x + var y = (var s + var d) / 2`, so that

    contrast  = 1 - 2 var d / (var s + var d + 2 C2)
    luminance = 1 - 2 mean(d)^2 / (mean(s)^2 + mean(d)^2 + 2 C1)

which takes four local averages where the definition takes five, and is 1 to the last bit where
x = y. The images lie with the pairs innermost, which makes a convolution with one small kernel run
at the speed of the vector units.
"""

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pgan_toolkit.errors import DataError

__all__ = ["Convention", "check_size", "pairs_together", "similarities"]

Convention = Literal["paper", "standard"]

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW_SIZE, WINDOW_SIGMA = 11, 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

_SMALLEST: dict[Convention, int] = {"paper": 16, "standard": 161}
_PIXELS_TOGETHER = 2**18
_PAIRS_TOGETHER = (1, 64)
_STRIDE = 4  # of the pixels that a mean is estimated from


def check_size(height: int, width: int, *, convention: Convention) -> None:
    """Raise DataError where a side is too short for five scales."""
    smallest = _SMALLEST[convention]
    if min(height, width) >= smallest:
        return
    hint = "; the convention 'paper' takes 16 and more" if convention == "standard" else ""
    raise DataError(
        f"MS-SSIM ({convention}): images of {width}x{height}; expected sides of {smallest} pixels "
        f"or more{hint}"
    )


def pairs_together(height: int, width: int) -> int:
    """How many pairs of that size are computed at once: enough to be fast, and few in memory."""
    low, high = _PAIRS_TOGETHER
    return max(low, min(high, _PIXELS_TOGETHER // (height * width)))


def similarities(x: Tensor, y: Tensor, convention: Convention) -> NDArray[np.float64]:
    """Return the MS-SSIM of up to `pairs_together` pairs.

    Always computes that many, so that a pair's number depends on its place alone. The caller keeps
    it from reduced precision, by `devices.whole_float32`.

    Parameters
    ----------
    x, y : uint8 tensors (P, 3, H, W)
        Pairs, large enough for the convention.
    convention : {"paper", "standard"}
        See `ms_ssim_of_pairs`.

    Returns
    -------
    array float64 (P,)
    """
    missing = pairs_together(*x.shape[2:]) - len(x)
    if missing:
        x, y = (functional.pad(side, (0, 0, 0, 0, 0, 0, 0, missing)) for side in (x, y))
    planes, offsets = _sum_and_difference(x, y)
    terms = []
    for level in range(len(WEIGHTS)):
        if level < len(WEIGHTS) - 1:
            terms.append(_mean_contrast(planes))
            planes = _halved(planes, offsets, convention)
        else:
            terms.append(_mean_ssim(planes, offsets))
    values = _product(torch.stack(terms), convention)
    return np.asarray(values[: len(values) - missing].cpu().numpy(), np.float64)


def _sum_and_difference(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Give x + y and x - y, (2, 3 P, H, W) channels last, centred, and the offsets (2, 3 P, 1, 1).

    Centring keeps float32 accurate: a variance is the difference of two squares' means.
    """
    first, second = (side.permute(2, 3, 0, 1).flatten(2).float() for side in (x, y))
    planes = first.new_empty((2, *first.shape))
    torch.add(first, second, out=planes[0])
    torch.sub(first, second, out=planes[1])
    # Any offset near the mean does; a whole one keeps the planes exact.
    offsets = planes[:, ::_STRIDE, ::_STRIDE].mean((1, 2), keepdim=True).round_()
    return planes.sub_(offsets).permute(0, 3, 1, 2), offsets.permute(0, 3, 1, 2)


def _mean_contrast(planes: Tensor) -> Tensor:
    """Mean over the pixels, float64 (3 P,)."""
    _, variance = _moments(planes)
    return 1 - 2 * _mean(_share(variance, 2 * C2))


def _mean_ssim(planes: Tensor, offsets: Tensor) -> Tensor:
    """Mean over the pixels of contrast times luminance, float64 (3 P,).

    In float64 throughout: the luminance of black against white is 1e-4, a difference from 1.
    """
    mean, variance = _moments(planes.double())
    contrast = 1 - 2 * _share(variance, 2 * C2)
    luminance = 1 - 2 * _share((mean + offsets).square(), 2 * C1)
    return _mean(contrast * luminance)


def _moments(planes: Tensor) -> tuple[Tensor, Tensor]:
    """Local means and variances of s and d."""
    mean, squares = _local_averages(planes), _local_averages(planes * planes)
    return mean, squares.addcmul_(mean, mean, value=-1)


def _share(parts: Tensor, constant: float) -> Tensor:
    """What the difference's part, the second, is of both and a constant."""
    whole = torch.add(parts[0], parts[1]).add_(constant)
    return torch.div(parts[1], whole, out=whole)


def _mean(plane: Tensor) -> Tensor:
    return plane.mean(1).mean(1, dtype=torch.float64)


def _local_averages(planes: Tensor) -> Tensor:
    size = min(WINDOW_SIZE, *planes.shape[2:])
    window = torch.from_numpy(_window(size)).to(planes)
    if planes.dtype == torch.float64:  # in which libraries have no fast convolution
        along_rows = planes @ _sliding(window, planes.shape[3]).T
        return _sliding(window, planes.shape[2]) @ along_rows
    channels = planes.shape[1]
    rows = window.expand(channels, 1, 1, size)
    along_rows = functional.conv2d(planes, rows, groups=channels)
    return functional.conv2d(along_rows, rows.transpose(2, 3), groups=channels)


def _sliding(window: Tensor, length: int) -> Tensor:
    """The matrix (places, length) whose rows hold the window at every place where it fits."""
    places = length - len(window) + 1
    matrix = window.new_zeros((places, length))
    for place in range(places):
        matrix[place, place : place + len(window)] = window
    return matrix


def _window(size: int) -> NDArray[np.float64]:
    offsets = np.arange(size) - (size - 1) / 2
    sigma = WINDOW_SIGMA * size / WINDOW_SIZE
    window = np.exp(-(offsets**2) / (2 * sigma**2))
    return np.asarray(window / window.sum(), np.float64)


def _halved(planes: Tensor, offsets: Tensor, convention: Convention) -> Tensor:
    """Means of 2x2 pixels; see `ms_ssim_of_pairs` for odd sides."""
    odd_rows, odd_columns = (side % 2 for side in planes.shape[2:])
    if not (odd_rows or odd_columns):
        return functional.avg_pool2d(planes, 2)
    if convention == "paper":
        planes = functional.pad(planes, (0, odd_columns, 0, odd_rows), mode="replicate")
        return functional.avg_pool2d(planes, 2)
    padding = (odd_rows, odd_columns)
    return functional.avg_pool2d(planes + offsets, 2, padding=padding) - offsets


def _product(terms: Tensor, convention: Convention) -> Tensor:
    """From the terms (5, 3 P) to one number a pair (P,)."""
    weights = torch.tensor(WEIGHTS, dtype=torch.float64, device=terms.device)
    terms = terms.view(len(WEIGHTS), -1, 3)
    if convention == "paper":
        terms = terms.mean(2, keepdim=True)
    return (terms.clamp(min=0) ** weights[:, None, None]).prod(0).mean(1)

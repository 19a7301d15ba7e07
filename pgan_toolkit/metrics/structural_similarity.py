"""The MS-SSIM of pairs of images: the arithmetic under `ms_ssim`.

Of a pair x, y it takes the sum s = x + y and the difference d = x - y. With the local variances of
these, `2 cov(x, y) = (var s - var d) / 2` and `var x + var y = (var s + var d) / 2`, so that

    contrast  = 1 - 2 var d / (var s + var d + 2 C2)
    luminance = 1 - 2 mean(d)^2 / (mean(s)^2 + mean(d)^2 + 2 C1)

which takes four local averages where the definition takes five, and is 1 to the last bit where
x = y. The planes of all pairs lie with the rows outermost and the columns innermost, so that a
window slides over either by products of matrices.
"""

from functools import lru_cache
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
_PIXELS_IN_CACHE = 2**16
"""Of a channel, in the pairs that a CPU takes at once: what lies between the steps stays near."""
_PLACES_TOGETHER = 32
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

    Always computes as many at a time, with blank ones where pairs are missing, so that a pair's
    number depends on its place alone; a device that runs out of memory takes fewer, which may move
    the eighth digit. The caller keeps it from reduced precision, by `devices.whole_float32`.

    Parameters
    ----------
    x, y : uint8 tensors (P, 3, H, W)
        Pairs, large enough for the convention.
    convention : {"paper", "standard"}
        See `ms_ssim_of_pairs`.

    Returns
    -------
    array float64 (P,)

    Raises
    ------
    torch.OutOfMemoryError
        The memory does not suffice for one pair.
    """
    step = pairs_together(*x.shape[2:])
    missing = -len(x) % step
    if missing:
        x, y = (functional.pad(side, (0, 0, 0, 0, 0, 0, 0, missing)) for side in (x, y))
    values = _product(_fitting_terms(x, y, convention, step=step), convention)
    return np.asarray(values[: len(values) - missing].cpu().numpy(), np.float64)


def _fitting_terms(x: Tensor, y: Tensor, convention: Convention, *, step: int) -> Tensor:
    """Take `step` pairs at a time, or half as many where the memory does not suffice."""
    found = []
    start = 0
    while start < len(x):
        some = slice(start, start + step)
        try:
            found.append(_terms(x[some], y[some], convention))
        except torch.OutOfMemoryError:
            if step == 1:
                raise
            step //= 2
        else:
            start = some.stop
    return torch.cat(found, dim=1)


def _terms(x: Tensor, y: Tensor, convention: Convention) -> Tensor:
    """Mean contrast of the levels, and mean SSIM of the last: float64 (5, 3 P)."""
    contrast, planes, offsets = _first_level(x, y, convention)
    terms = [contrast]
    for _ in range(len(WEIGHTS) - 2):
        terms.append(_mean_contrast(planes))
        planes = _halved(planes, offsets, convention)
    return torch.stack([*terms, _mean_ssim(planes, offsets)])


def _first_level(x: Tensor, y: Tensor, convention: Convention) -> tuple[Tensor, Tensor, Tensor]:
    """Mean contrast (3 P,), and planes and offsets of the next level.

    A CPU takes few pairs at once here, where the planes are large, and all of them afterwards:
    threads that call many short operations wait for each other.
    """
    together = len(x) if x.is_cuda else max(1, _PIXELS_IN_CACHE // x[0, 0].numel())
    found = []
    for start in range(0, len(x), together):
        some = slice(start, start + together)
        planes, offsets = _sum_and_difference(x[some], y[some])
        found.append((_mean_contrast(planes), _halved(planes, offsets, convention), offsets))
    contrasts, halves, offsets_of_all = zip(*found, strict=True)
    return torch.cat(contrasts), torch.cat(halves, dim=2), torch.cat(offsets_of_all, dim=2)


def _sum_and_difference(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Give x + y and x - y, float32 (H, 2, 3 P, W), centred, and the offsets (1, 2, 3 P, 1).

    Centring keeps float32 accurate: a variance is the difference of two squares' means.
    """
    count, channels, height, width = x.shape
    planes = torch.empty((height, 2, count, channels, width), device=x.device)
    total, difference = planes.unbind(1)
    total.copy_(x.permute(2, 0, 1, 3))
    difference.copy_(y.permute(2, 0, 1, 3))
    total += difference
    torch.sub(total, difference, alpha=2, out=difference)
    planes = planes.flatten(2, 3)
    # Any offset near the mean does; a whole one keeps the planes exact.
    offsets = planes[::_STRIDE, ..., ::_STRIDE].mean((0, 3), keepdim=True).round_()
    return planes.sub_(offsets), offsets


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
    """Local means and variances of s and d, (h, 2, 3 P, w)."""
    averages = _local_averages(planes, planes.square())
    mean, squares = averages[:, :2], averages[:, 2:]
    return mean, squares.addcmul_(mean, mean, value=-1)


def _share(parts: Tensor, constant: float) -> Tensor:
    """What the difference's part, the second, is of both and a constant."""
    total, difference = parts.unbind(1)
    whole = torch.add(total, difference).add_(constant)
    return torch.div(difference, whole, out=whole)


def _mean(planes: Tensor) -> Tensor:
    return planes.mean(2).mean(0, dtype=torch.float64)


def _local_averages(*parts: Tensor) -> Tensor:
    """Of (H, 2, n, W) each, where the window fits, by products with matrices that hold it.

    Few places at a time: nearly all of a larger matrix is zeros, and a smaller one does not keep
    the processor busy.
    """
    height, _, count, width = parts[0].shape
    size = min(WINDOW_SIZE, height, width)
    high, wide = height - size + 1, width - size + 1
    columns = parts[0].new_empty((high, 2 * len(parts), count, width))
    for some in _blocks(high):
        window = _sliding(size, len(some), columns.device, columns.dtype)
        for planes, out in zip(parts, columns.flatten(1).chunk(len(parts), dim=1), strict=True):
            reach = planes[some.start : some.stop + size - 1].flatten(1)
            torch.mm(window, reach, out=out[some.start : some.stop])
    averages = columns.new_empty((*columns.shape[:-1], wide))
    for some in _blocks(wide):
        reach = columns.flatten(0, -2)[:, some.start : some.stop + size - 1]
        window = _sliding(size, len(some), columns.device, columns.dtype)
        torch.mm(reach, window.T, out=averages.flatten(0, -2)[:, some.start : some.stop])
    return averages


def _blocks(places: int) -> list[range]:
    starts = range(0, places, _PLACES_TOGETHER)
    return [range(start, min(start + _PLACES_TOGETHER, places)) for start in starts]


@lru_cache(maxsize=256)
def _sliding(size: int, places: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """The matrix (places, places + size - 1) whose rows hold the window, one place further each."""
    matrix = np.zeros((places, places + size - 1))
    place = np.arange(places)[:, None]
    matrix[place, place + np.arange(size)] = _window(size)
    return torch.from_numpy(matrix).to(device, dtype)


def _window(size: int) -> NDArray[np.float64]:
    offsets = np.arange(size) - (size - 1) / 2
    sigma = WINDOW_SIGMA * size / WINDOW_SIZE
    window = np.exp(-(offsets**2) / (2 * sigma**2))
    return np.asarray(window / window.sum(), np.float64)


def _halved(planes: Tensor, offsets: Tensor, convention: Convention) -> Tensor:
    """Means of 2x2 pixels."""
    planes = _even(planes, offsets, convention)
    rows = planes[0::2] + planes[1::2]
    return (rows[..., 0::2] + rows[..., 1::2]).mul_(0.25)


def _even(planes: Tensor, offsets: Tensor, convention: Convention) -> Tensor:
    """Add a line where a side is odd: the last once more, or zeros in front."""
    for side in (0, 3):
        last = planes.shape[side] - 1
        if last % 2:
            continue
        edge = planes.narrow(side, last, 1)
        parts = [planes, edge] if convention == "paper" else [(-offsets).expand_as(edge), planes]
        planes = torch.cat(parts, side)
    return planes


def _product(terms: Tensor, convention: Convention) -> Tensor:
    """From the terms (5, 3 P) to one number a pair (P,)."""
    weights = torch.tensor(WEIGHTS, dtype=torch.float64, device=terms.device)
    terms = terms.view(len(WEIGHTS), -1, 3)
    if convention == "paper":
        terms = terms.mean(2, keepdim=True)
    return (terms.clamp(min=0) ** weights[:, None, None]).prod(0).mean(1)

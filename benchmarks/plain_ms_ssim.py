"""MS-SSIM of pairs of one set, written as its definition reads, in NumPy and SciPy.

One two-dimensional FFT convolution for each of the five local averages, float32 throughout, and a
batch of pairs at a time. Other dtypes are slower.
"""

import numpy as np
import scipy.signal
from numpy.typing import NDArray

__all__ = ["plain_ms_ssim"]

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

Floats = NDArray[np.floating]


def _window(size: int, sigma: float) -> Floats:
    offsets = np.arange(size) - (size - 1) / 2
    window = np.exp(-(offsets[:, None] ** 2 + offsets[None, :] ** 2) / (2 * sigma**2))
    return np.asarray(window / window.sum(), np.float32)[None, None]


def _ssim_and_contrast(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    size = min(11, *x.shape[2:])
    window = _window(size, 1.5 * size / 11)

    def mean(plane: Floats) -> Floats:
        return np.asarray(scipy.signal.fftconvolve(plane, window, mode="valid"))

    mu_x, mu_y = mean(x), mean(y)
    var_x, var_y = mean(x * x) - mu_x * mu_x, mean(y * y) - mu_y * mu_y
    covariance = mean(x * y) - mu_x * mu_y
    contrast = (2 * covariance + C2) / (var_x + var_y + C2)
    ssim = (2 * mu_x * mu_y + C1) / (mu_x * mu_x + mu_y * mu_y + C1) * contrast
    return ssim.mean(axis=(1, 2, 3)), contrast.mean(axis=(1, 2, 3))


def _halved(x: Floats) -> Floats:
    quarters = [x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)]
    return np.asarray(sum(quarters[1:], start=quarters[0]) * np.float32(0.25))


def plain_ms_ssim(images: NDArray[np.uint8], *, pairs_at_once: int = 16) -> float:
    """Mean MS-SSIM of the pairs (0, 1), (2, 3), ... of uint8 (N, 3, H, W), N even."""
    values = []
    for first in range(0, len(images), 2 * pairs_at_once):
        batch = images[first : first + 2 * pairs_at_once].astype(np.float32)
        x, y = batch[0::2], batch[1::2]
        value = np.ones(len(x))
        for level, weight in enumerate(WEIGHTS):
            ssim, contrast = _ssim_and_contrast(x, y)
            value *= np.maximum(ssim if level == len(WEIGHTS) - 1 else contrast, 0) ** weight
            if level < len(WEIGHTS) - 1:
                x, y = _halved(x), _halved(y)
        values.append(value)
    return float(np.concatenate(values).mean())

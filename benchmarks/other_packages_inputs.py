"""Seeded inputs of `other_packages.py`, and how it calls packages that may not be there."""

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgan_toolkit.errors import PganError

Images = NDArray[np.uint8]
Rows = NDArray[np.float32]
Row = dict[str, float | str]
Rival = Callable[..., Any]


def noise(seed: int, count: int, size: int) -> Images:
    """Return uniform noise, (count, 3, size, size)."""
    shape = (count, 3, size, size)
    return np.random.RandomState(seed).randint(0, 256, shape).astype(np.uint8)


def blocky(seed: int, count: int, size: int) -> Images:
    """Return coarse blocks under noise, (count, 3, size, size)."""
    random = np.random.RandomState(seed)
    blocks = random.uniform(0, 192, (count, 3, size // 8, size // 8))
    blocks = blocks.repeat(8, axis=2).repeat(8, axis=3)
    return np.clip(blocks + random.uniform(0, 63, (count, 3, size, size)), 0, 255).astype(np.uint8)


def of_many_contrasts(images: Images) -> Images:
    """Shrink each image's values towards 128."""
    factors = np.random.RandomState(6).uniform(0.2, 1, (len(images), 1, 1, 1))
    return np.asarray(128 + (images - 128.0) * factors).round().astype(np.uint8)


def features(seed: int, count: int, size: int, *, shift: float = 0.0) -> Rows:
    """Correlated numbers from 0 up, as features are."""
    mixing = np.random.RandomState(99).randn(size, size) / size**0.5
    found = np.random.RandomState(seed).randn(count, size) @ mixing + shift
    return np.asarray(np.maximum(found, 0), np.float32)


def called(work: Callable[[], Any]) -> float | str:
    """Return what a package computes, or why it does not."""
    try:
        return float(work())
    except ImportError as error:
        return f"not installed: {error}"
    except (AssertionError, PganError, RuntimeError, TypeError, ValueError) as error:
        return f"refused: {str(error)[:160]}"


def load(module: str, name: str) -> Rival:
    """Return a function of a package."""
    found: Rival = getattr(importlib.import_module(module), name)
    return found

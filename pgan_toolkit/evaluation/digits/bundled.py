"""The weights of the classifier of digits that come with the package."""

import importlib.resources
from pathlib import Path

import torch

from pgan_toolkit.errors import SetupError
from pgan_toolkit.evaluation.digits.weights import load_classifier
from pgan_toolkit.metrics.networks.digits import DigitClassifier

__all__ = ["bundled_classifier", "bundled_digits"]


def bundled_digits() -> Path:
    """Where the bundled weights lie.

    Raises
    ------
    SetupError
        The installation is incomplete.
    """
    folder = importlib.resources.files("pgan_toolkit.evaluation.digits")
    path = Path(str(folder / "digits.safetensors"))
    if not path.is_file():
        raise SetupError(f"{path}: the bundled weights are missing; install pgan-toolkit again")
    return path


def bundled_classifier(device: torch.device | None = None) -> DigitClassifier:
    """Return the classifier with the bundled weights, on the CPU if no device is named.

    Raises
    ------
    SetupError
        The installation is incomplete.
    """
    return load_classifier(bundled_digits(), device=device or torch.device("cpu"))

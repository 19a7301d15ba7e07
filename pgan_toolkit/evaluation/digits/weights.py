"""Weight files of the classifier of digits: safetensors that say what they are weights of.

Tensors are stored in half precision (float16) and computed with in float32. One metadata entry
holds, as JSON, the format, its version, the network's size and how it was trained.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from pgan_toolkit.digests import bytes_digest
from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.metrics.networks.digits import DigitClassifier, DigitNet, DigitNetConfig
from pgan_toolkit.restoration.weights import read_weight_bytes, require_finite
from pgan_toolkit.storage import atomic_write_bytes
from pgan_toolkit.wording import counted

__all__ = ["load_classifier", "save_classifier"]

_FORMAT = "pgan-toolkit digit classifier"
_VERSION = 1  # counts up whenever the forward of the network changes what weights mean
_ENTRY = "pgan-toolkit"  # one alone: several are written in no fixed order, which a digest sees


def save_classifier(path: Path, network: DigitNet, *, training: Mapping[str, Any]) -> None:
    """Write a network's weights in float16, complete or not at all.

    Parameters
    ----------
    path : Path
        A name that ends in .safetensors.
    network : DigitNet
        Its parameters may lie on any device.
    training : mapping
        How it was made, as JSON takes it.
    """
    described = {
        "format": _FORMAT,
        "version": _VERSION,
        "widths": list(network.config.widths),
        "training": dict(training),
    }
    tensors = {
        name: value.detach().to("cpu", torch.float16).contiguous()
        for name, value in network.state_dict().items()
        if value.is_floating_point()  # the count of batches serves training alone
    }
    atomic_write_bytes(path, save(tensors, {_ENTRY: json.dumps(described)}))


def load_classifier(path: Path, *, device: torch.device) -> DigitClassifier:
    """Make the classifier of a weight file.

    Parameters
    ----------
    path : Path
        As `save_classifier` wrote it.
    device : torch.device
        Where it computes.

    Raises
    ------
    DataError
        The file is missing, damaged, or holds no such weights. The message names it.
    """
    data = read_weight_bytes(path)
    try:
        tensors = load(data)
    except (SafetensorError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise DataError(
            f"{path}: damaged, or no safetensors file (SHA-256 {bytes_digest(data)}, "
            f"{counted(len(data), 'byte')}); get it again, or use train-digits"
        ) from error
    require_finite(path, tensors)
    with torch.device("meta"):  # draws no first weights, and takes no memory for them
        network = DigitNet(_config(path, data))
    network = _filled(path, network, tensors)
    return DigitClassifier(network, identity=f"digits sha256:{bytes_digest(data)}", device=device)


def _filled(path: Path, network: DigitNet, tensors: Mapping[str, Tensor]) -> DigitNet:
    stored = {name: value.float() for name, value in tensors.items()}
    counts = {
        name: torch.zeros(value.shape, dtype=value.dtype)
        for name, value in network.state_dict().items()
        if not value.is_floating_point()
    }
    try:
        network.load_state_dict({**counts, **stored}, assign=True)
    except RuntimeError as error:
        raise DataError(f"{path}: the tensors do not fit {network.config}: {error}") from error
    return network


def _config(path: Path, data: bytes) -> DigitNetConfig:
    """What the file says of itself; `load` has seen that the file is sound."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    try:
        described = json.loads((header.get("__metadata__") or {}).get(_ENTRY, "{}"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: its description cannot be read: {error}") from error
    match described:
        case {"format": str(form), "version": int(version), "widths": [int(a), int(b), int(c)]} if (
            form,
            version,
        ) == (_FORMAT, _VERSION):
            pass
        case _:
            raise DataError(
                f"{path}: describes itself as {described!r:.200}; expected {_FORMAT!r}, version "
                f"{_VERSION}, with three widths; train one by `pgan-toolkit train-digits`"
            )
    try:
        return DigitNetConfig((a, b, c))
    except UsageError as error:
        raise DataError(f"{path}: {error}") from error

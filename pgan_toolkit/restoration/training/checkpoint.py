"""The complete state of a training run in one safetensors file."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from pgan_toolkit.errors import DataError
from pgan_toolkit.storage import atomic_write_bytes

__all__ = ["load_checkpoint", "save_checkpoint"]

_FORMAT = "pgan-toolkit restoration checkpoint"
_VERSION = 1
_ENTRY = "pgan-toolkit"  # one alone: several are written in no fixed order

Parts = dict[str, nn.Module | torch.optim.Optimizer]


def save_checkpoint(path: Path, parts: Parts, *, step: int, settings: str) -> None:
    """Write all tensors of the parts, complete or not at all.

    Parameters
    ----------
    path : Path
        The file.
    parts : dict of str to Module or Optimizer
        What is trained.
    step : int
        Steps done.
    settings : str
        The run's settings as JSON: a run goes on with these only.
    """
    tensors: dict[str, Tensor] = {}
    for name, part in parts.items():
        for key, value in _tensors_of(part).items():
            tensors[f"{name}/{key}"] = value.detach().cpu().contiguous()
    described = {"format": _FORMAT, "version": _VERSION, "step": step, "settings": settings}
    atomic_write_bytes(path, save(tensors, {_ENTRY: json.dumps(described)}))


def load_checkpoint(path: Path, parts: Parts, *, settings: str) -> int:
    """Put a checkpoint's tensors into the parts and return the steps done.

    Raises
    ------
    DataError
        The file is damaged, of another format, or of other settings.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = dict(json.loads((file.metadata() or {}).get(_ENTRY, "{}")))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        raise DataError(f"{path}: the checkpoint cannot be read ({error})") from error
    if (metadata.get("format"), metadata.get("version")) != (_FORMAT, _VERSION):
        raise DataError(f"{path}: not a checkpoint of this version; begin a new run")
    if metadata.get("settings") != settings:
        raise DataError(
            f"{path}: was made with other settings ({metadata.get('settings')}); "
            "resume with those, or begin a new run"
        )
    for name, part in parts.items():
        own = {
            key.removeprefix(f"{name}/"): value
            for key, value in tensors.items()
            if key.startswith(f"{name}/")
        }
        _restore(part, own, path)
    return int(metadata["step"])


def _tensors_of(part: nn.Module | torch.optim.Optimizer) -> dict[str, Tensor]:
    if isinstance(part, nn.Module):
        return dict(part.state_dict())
    return {
        f"{index}.{key}": value
        for index, values in part.state_dict()["state"].items()
        for key, value in values.items()
    }


def _restore(part: nn.Module | torch.optim.Optimizer, own: dict[str, Tensor], path: Path) -> None:
    try:
        if isinstance(part, nn.Module):
            part.load_state_dict(own)
            return
        state: dict[int, dict[str, Any]] = {}
        for name, value in own.items():
            index, _, key = name.partition(".")
            state.setdefault(int(index), {})[key] = value
        part.load_state_dict({**part.state_dict(), "state": state})
    except (RuntimeError, ValueError) as error:
        raise DataError(f"{path}: the checkpoint does not fit this run: {error}") from error

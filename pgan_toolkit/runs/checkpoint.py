"""The complete state of a training run in one safetensors file.

Its metadata hold one JSON object: the format's name and version, and whatever the run adds. Tensors
are named PART/NAME for modules and PART/PARAMETER.NAME for optimisers. Of an optimiser the state is
kept and not the settings (learning rate, betas), which are the run's.
"""

import contextlib
import errno
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from pgan_toolkit.errors import DataError, SetupError
from pgan_toolkit.runs.tensor_file import stored_bytes, write_tensors

__all__ = ["CheckpointKind", "load_checkpoint", "read_part", "read_state", "save_checkpoint"]

_ENTRY = "pgan-toolkit"  # one alone: several are written in no fixed order
_FULL_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

Part = nn.Module | torch.optim.Optimizer


@dataclass(frozen=True)
class CheckpointKind:
    """Whose checkpoints they are.

    Attributes
    ----------
    name : str
        As the file says it: "pgan-toolkit restoration checkpoint".
    version : int
        Of what the run puts in. Others are refused.
    """

    name: str
    version: int


def save_checkpoint(
    path: Path, parts: Mapping[str, Part], *, kind: CheckpointKind, state: Mapping[str, Any]
) -> None:
    """Write all tensors of the parts, complete or not at all.

    One tensor at a time is copied from its device.

    Parameters
    ----------
    path : Path
        The file.
    parts : mapping of str to Module or Optimizer
        What is trained.
    kind : CheckpointKind
        Whose it is.
    state : mapping of str to JSON values
        The rest of the run's state: steps done, settings.

    Raises
    ------
    SetupError
        The disk is full, or the folder cannot be written to; the old file is then untouched.
    """
    tensors = {
        f"{name}/{key}": value
        for name, part in parts.items()
        for key, value in _tensors_of(part).items()
    }
    described = {"format": kind.name, "version": kind.version, **state}
    try:
        write_tensors(path, tensors, metadata={_ENTRY: json.dumps(described)})
    except OSError as error:
        raise SetupError(_not_written(path, stored_bytes(tensors), error)) from error


def read_state(path: Path, *, kind: CheckpointKind) -> dict[str, Any]:
    """Return what was given as `state`, without reading a tensor.

    Raises
    ------
    DataError
        The file is missing, damaged, cut short, of another kind or of another version.
    """
    with _opened(path) as file:
        text = (file.metadata() or {}).get(_ENTRY, "{}")
    with _damage_told(path):
        described = dict(json.loads(text))
    found = (described.pop("format", None), described.pop("version", None))
    if found[0] != kind.name:
        raise DataError(f"{path}: is no {kind.name}; name the file of one")
    if found[1] != kind.version:
        raise DataError(
            f"{path}: is of version {found[1]}; expected {kind.version}: go on with the "
            "pgan-toolkit that wrote it, or begin a new run"
        )
    return described


def load_checkpoint(
    path: Path, parts: Mapping[str, Part], *, kind: CheckpointKind
) -> dict[str, Any]:
    """Put a checkpoint's tensors into the parts, each where the part has it now.

    Parameters
    ----------
    path : Path
        The file.
    parts : mapping of str to Module or Optimizer
        All or some of those that were saved. Optimisers keep their learning rates.
    kind : CheckpointKind
        Whose it is.

    Returns
    -------
    dict of str to JSON values
        What was given as `state`.

    Raises
    ------
    DataError
        The file is missing, damaged, of another kind, or does not fit the parts.
    """
    state = read_state(path, kind=kind)
    for name, part in parts.items():
        tensors = read_part(path, name, kind=kind)
        try:
            _restore(part, tensors)
        except (RuntimeError, ValueError) as error:
            raise DataError(f"{path}: the checkpoint does not fit this run: {error}") from error
    return state


def read_part(path: Path, name: str, *, kind: CheckpointKind) -> dict[str, Tensor]:
    """Return the tensors of one part alone, on the CPU; of a module, its state dictionary.

    Raises
    ------
    DataError
        The file is missing, damaged or of another kind.
    """
    read_state(path, kind=kind)
    with _opened(path) as file:
        return {
            # The file is mapped into memory: a copy outlives its removal.
            key.removeprefix(f"{name}/"): file.get_tensor(key).clone()
            for key in file.keys()  # noqa: SIM118
            if key.startswith(f"{name}/")
        }


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    with _damage_told(path), safe_open(path, "pt") as file:
        yield file


@contextlib.contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    try:
        yield
    except (SafetensorError, OSError, RecursionError, TypeError, ValueError) as error:
        raise DataError(f"{path}: the checkpoint cannot be read ({error})") from error


def _tensors_of(part: Part) -> dict[str, Tensor]:
    if isinstance(part, nn.Module):
        return dict(part.state_dict())
    return {
        f"{index}.{key}": value
        for index, values in part.state_dict()["state"].items()
        for key, value in values.items()
    }


def _restore(part: Part, tensors: Mapping[str, Tensor]) -> None:
    if isinstance(part, nn.Module):
        part.load_state_dict(tensors)
        return
    parameters = [one for group in part.param_groups for one in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, _, key = name.partition(".")
        if int(index) >= len(parameters):
            raise ValueError(f"it knows parameter {index}, of {len(parameters)} here")
        state.setdefault(int(index), {})[key] = _as_beside(parameters[int(index)], value, name)
    part.load_state_dict({**part.state_dict(), "state": state})


def _as_beside(parameter: Tensor, value: Tensor, name: str) -> Tensor:
    """Lay a moment out in memory as its parameter is, which fused optimisers require."""
    if value.ndim == 0:  # the count of steps
        return value
    if value.shape != parameter.shape:
        raise ValueError(f"{name} is {tuple(value.shape)}, its parameter {tuple(parameter.shape)}")
    return torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)


def _not_written(path: Path, size: int, error: OSError) -> str:
    room = ""
    with contextlib.suppress(OSError):
        room = f", {shutil.disk_usage(path.parent).free / 1e6:,.1f} MB are free"
    remedy = "make room there" if error.errno in _FULL_DISK else "make the folder writable"
    return (
        f"{path}: the checkpoint could not be written ({error.strerror or error}; it takes "
        f"{size / 1e6:,.1f} MB{room}); what was saved before is untouched: {remedy}, then resume "
        "the run (--resume)"
    )

"""Weight files of the networks: safetensors that say what they are weights of.

The file's metadata holds, as JSON, the format, the network's name, its configuration and the task
that it was trained for, so that a file alone is enough to make the network. Weights are stored in
half precision (float16) and computed with in float32, or in bfloat16 where that is faster.
"""

import importlib.resources
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from pgan_toolkit.errors import DataError, SetupError, UsageError
from pgan_toolkit.restoration.networks import RedNet, RedNetConfig, SRResNet, SRResNetConfig
from pgan_toolkit.storage import atomic_write_bytes

__all__ = [
    "BUNDLED",
    "BundledName",
    "RestorationNet",
    "Task",
    "WeightFile",
    "bundled_weights",
    "load_network",
    "read_weights",
    "save_network",
]

Task = Literal["jpeg", "superres"]
RestorationNet = RedNet | SRResNet
BundledName = Literal["jpeg", "superres", "superres-adversarial"]
BUNDLED: tuple[BundledName, ...] = get_args(BundledName)
"""Weights that come with the package: superres for fidelity, superres-adversarial for the eye."""

_FORMAT = "pgan-toolkit restoration weights"
_VERSION = 1
_ENTRY = "pgan-toolkit"  # one alone: several are written in no fixed order, which a digest sees
_NETWORKS: dict[str, tuple[type[Any], type[Any]]] = {
    "red-net": (RedNet, RedNetConfig),
    "sr-resnet": (SRResNet, SRResNetConfig),
}


@dataclass(frozen=True)
class WeightFile:
    """What a weight file holds.

    Attributes
    ----------
    task : "jpeg" or "superres"
        What the network was trained for.
    network : str
        "red-net" or "sr-resnet".
    config : RedNetConfig or SRResNetConfig
        Its configuration.
    tensors : dict of str to Tensor
        Its parameters, as stored.
    """

    task: Task
    network: str
    config: RedNetConfig | SRResNetConfig
    tensors: dict[str, Tensor]


def bundled_weights(name: BundledName) -> Path:
    """Where the weights of that name lie that come with the package.

    Raises
    ------
    SetupError
        The installation is incomplete.
    """
    folder = importlib.resources.files("pgan_toolkit.restoration")
    path = Path(str(folder / "weights" / f"{name}.safetensors"))
    if not path.is_file():
        raise SetupError(f"{path}: the bundled weights are missing; install pgan-toolkit again")
    return path


def save_network(path: Path, network: RestorationNet, *, task: Task) -> None:
    """Write a network's weights in float16, complete or not at all.

    Parameters
    ----------
    path : Path
        A name that ends in .safetensors.
    network : RedNet or SRResNet
        Its parameters may lie on any device.
    task : "jpeg" or "superres"
        What it was trained for.
    """
    kind = next(name for name, (cls, _) in _NETWORKS.items() if isinstance(network, cls))
    described = {
        "format": _FORMAT,
        "version": _VERSION,
        "task": task,
        "network": kind,
        "config": asdict(network.config),
    }
    tensors = {
        name: value.detach().to("cpu", torch.float16).contiguous()
        for name, value in network.state_dict().items()
    }
    atomic_write_bytes(path, save(tensors, {_ENTRY: json.dumps(described)}))


def load_network(path: Path, *, task: Task) -> RestorationNet:
    """Make the network of a weight file, in float32 on the CPU, ready for inference.

    Raises
    ------
    DataError
        The file is missing, damaged, of another format or for another task.
    """
    stored = read_weights(path)
    if stored.task != task:
        raise DataError(f"{path}: weights for {stored.task}; expected weights for {task}")
    network: RestorationNet = _NETWORKS[stored.network][0](stored.config)
    try:
        network.load_state_dict(stored.tensors)
    except RuntimeError as error:
        raise DataError(f"{path}: the tensors do not fit {stored.config}: {error}") from error
    return network.eval().requires_grad_(requires_grad=False)


def read_weights(path: Path) -> WeightFile:
    """Read a weight file's contents without making the network.

    Raises
    ------
    DataError
        The file is missing, damaged or of another format.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such weight file; give a .safetensors file")
    try:
        with safe_open(path, "pt") as file:
            described = (file.metadata() or {}).get(_ENTRY, "{}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise DataError(
            f"{path}: not a readable safetensors file ({error}); get or train it again"
        ) from error
    return _described(path, described, tensors)


def _described(path: Path, described: str, tensors: dict[str, Tensor]) -> WeightFile:
    try:
        metadata = dict(json.loads(described))
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: its description cannot be read: {error}") from error
    found = metadata.get("format"), metadata.get("version")
    if found != (_FORMAT, _VERSION):
        raise DataError(
            f"{path}: format {found[0]!r}, version {found[1]!r}; expected {_FORMAT!r}, version "
            f"{_VERSION!r}. Files of other programs go through --restorer spandrel:..."
        )
    kind, task = metadata.get("network", ""), metadata.get("task")
    if kind not in _NETWORKS or task not in get_args(Task):
        raise DataError(f"{path}: network {kind!r} for task {task!r} is not known here")
    try:
        config = _NETWORKS[kind][1](**metadata["config"])
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise DataError(f"{path}: its configuration cannot be read: {error}") from error
    return WeightFile(cast(Task, task), kind, config, tensors)

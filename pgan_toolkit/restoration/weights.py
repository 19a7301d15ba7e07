"""Weight files of the networks: safetensors that say what they are weights of.

The file's metadata holds, as JSON, the format, the network's name, its configuration and the task
that it was trained for, so that a file alone is enough to make the network. Weights are stored in
half precision (float16) and computed with in float32, or in bfloat16 where that is faster.

A file is read once and whole: its digest is that of the very bytes that the tensors come from, also
where another program replaces it meanwhile.
"""

import importlib.resources
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, cast, get_args

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from pgan_toolkit.digests import bytes_digest
from pgan_toolkit.errors import DataError, SetupError, UsageError
from pgan_toolkit.restoration.networks import RedNet, RedNetConfig, SRResNet, SRResNetConfig
from pgan_toolkit.storage import atomic_write_bytes, read_file

__all__ = [
    "BUNDLED",
    "BundledName",
    "RestorationNet",
    "Task",
    "WeightFile",
    "bundled_weights",
    "load_network",
    "make_network",
    "read_weight_bytes",
    "read_weights",
    "require_finite",
    "save_network",
]

Task = Literal["jpeg", "superres"]
RestorationNet = RedNet | SRResNet
BundledName = Literal["jpeg", "superres", "superres-adversarial"]
BUNDLED: tuple[BundledName, ...] = get_args(BundledName)
"""Weights that come with the package: superres for fidelity, superres-adversarial for the eye."""

_FORMAT = "pgan-toolkit restoration weights"
_VERSION = 1  # counts up whenever the forward of a network changes what weights mean
_ENTRY = "pgan-toolkit"  # one alone: several are written in no fixed order, which a digest sees
_SCALE = 4  # of every network that enlarges: the restorer makes the other factors of it
_HIGHEST = 1024  # of any number in a configuration: a damaged one must not fill the memory


@dataclass(frozen=True)
class _Kind:
    """One of the networks that weights can be of."""

    network: type[Any]
    config: type[Any]
    task: Task


_NETWORKS = {
    "red-net": _Kind(RedNet, RedNetConfig, "jpeg"),
    "sr-resnet": _Kind(SRResNet, SRResNetConfig, "superres"),
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
    path : Path
        Where it was read.
    sha256 : str
        Digest of the bytes that were read.
    """

    task: Task
    network: str
    config: RedNetConfig | SRResNetConfig
    tensors: dict[str, Tensor]
    path: Path
    sha256: str


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
    kind = next(key for key, value in _NETWORKS.items() if isinstance(network, value.network))
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
    return make_network(read_weights(path), task=task)


def make_network(stored: WeightFile, *, task: Task) -> RestorationNet:
    """Make the network of a weight file that was read, as `load_network` does.

    Raises
    ------
    DataError
        The weights are for another task, or not of the network that the file describes.
    """
    path = stored.path
    if stored.task != task:
        raise DataError(f"{path}: weights for {stored.task}; expected weights for {task}")
    with torch.device("meta"):  # takes no memory, whatever size the file says
        network: RestorationNet = _NETWORKS[stored.network].network(stored.config)
    tensors = {
        name: value.to(torch.float32, copy=True).contiguous()
        for name, value in stored.tensors.items()
    }
    try:
        network.load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        raise DataError(f"{path}: the tensors do not fit {stored.config}: {error}") from error
    return network.eval().requires_grad_(requires_grad=False)


def read_weights(path: Path) -> WeightFile:
    """Read a weight file's contents without making the network.

    Raises
    ------
    DataError
        The file is missing, damaged, of another format, or describes what this program has not.
    """
    data = read_weight_bytes(path)
    try:
        tensors = load(data)
    except (SafetensorError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise DataError(
            f"{path}: not a readable safetensors file ({error}); get or train it again"
        ) from error
    require_finite(path, tensors)
    described = _description(path, data)
    kind, task = described.get("network"), described.get("task")
    if not isinstance(kind, str) or kind not in _NETWORKS or task not in get_args(Task):
        raise DataError(f"{path}: network {kind!r} for task {task!r} is not known here")
    if task != _NETWORKS[kind].task:
        raise DataError(f"{path}: {kind} for {task}; expected it for {_NETWORKS[kind].task}")
    config = _config(path, kind, described.get("config"))
    return WeightFile(cast(Task, task), kind, config, tensors, path, bytes_digest(data))


def read_weight_bytes(path: Path) -> bytes:
    """Read a weight file of any program, whole.

    Raises
    ------
    DataError
        It is missing, a folder, or cannot be read.
    """
    if path.is_dir():
        raise DataError(f"{path}: is a folder; name a .safetensors file")
    if not path.exists():
        raise DataError(f"{path}: no such weight file; give a .safetensors file")
    return read_file(path)


def require_finite(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Refuse weights that are no numbers, or too large for float32.

    Raises
    ------
    DataError
        Some are; the message names their tensor.
    """
    for name, value in tensors.items():
        if value.is_floating_point() and not value.float().isfinite().all():
            raise DataError(
                f"{path}: the tensor {name} has values that are infinite or no numbers, which "
                "would spoil every picture; get or train the weights again"
            )


def _description(path: Path, data: bytes) -> dict[str, Any]:
    """What the file says of itself; `load` has seen that the file is sound."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    try:
        described = json.loads((header.get("__metadata__") or {}).get(_ENTRY, "{}"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: its description cannot be read: {error}") from error
    if not isinstance(described, dict):
        raise DataError(f"{path}: its description is {described!r:.80}; expected an object")
    found = described.get("format"), described.get("version")
    if found != (_FORMAT, _VERSION):
        raise DataError(
            f"{path}: format {found[0]!r}, version {found[1]!r}; expected {_FORMAT!r}, version "
            f"{_VERSION!r}. Files of other programs go through --restorer spandrel:..."
        )
    return described


def _config(path: Path, kind: str, described: object) -> RedNetConfig | SRResNetConfig:
    """Read a configuration that says everything: what it left out could change its meaning."""
    config_class = _NETWORKS[kind].config
    types = {field.name: field.type for field in fields(config_class)}
    if not isinstance(described, dict) or described.keys() != types.keys():
        raise DataError(
            f"{path}: its configuration is {described!r:.200}; expected exactly the fields "
            f"{', '.join(types)}; train the weights again with this version"
        )
    for name, value in described.items():
        whole = types[name] is int
        fits = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
        if not fits or not -_HIGHEST <= value <= _HIGHEST:
            raise DataError(
                f"{path}: its configuration has {name}={value!r:.40}; expected "
                f"{'a whole number' if whole else 'a number'} up to {_HIGHEST}"
            )
    try:
        config: RedNetConfig | SRResNetConfig = config_class(**described)
    except UsageError as error:
        raise DataError(f"{path}: its configuration cannot be read: {error}") from error
    if isinstance(config, SRResNetConfig) and config.scale != _SCALE:
        raise DataError(f"{path}: enlarges {config.scale} times; expected {_SCALE}")
    return config

"""Writing of safetensors files, one tensor in memory at a time.

The layout (https://github.com/huggingface/safetensors, "Format"): the header's length as a 64-bit
little-endian number, the header as JSON, padded with spaces to a multiple of 8 bytes, and the
tensors' bytes. The safetensors package reads these files everywhere in the toolkit. It does not
write checkpoints, because it has to hold all tensors on the CPU first, renames a file of its own
onto the given name, with which a kill leaves a stray file and the rights of the name are lost, and
tells of a full disk in words alone.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pgan_toolkit.storage import AtomicPath

__all__ = ["stored_bytes", "write_tensors"]

_NAMES = {
    torch.int64: "I64",
    torch.float64: "F64",
    torch.float32: "F32",
    torch.int32: "I32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
# As the package orders them in a file: wide numbers first, which keeps all of them aligned.
_ORDER = list(_NAMES)


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], *, metadata: Mapping[str, str]
) -> None:
    """Write a safetensors file, complete or not at all, and wait until it is on the disk.

    Parameters
    ----------
    path : Path
        The file; one that exists is replaced in one step.
    tensors : mapping of str to Tensor
        On any device, of any shape and memory format. They are fetched and written one by one.
    metadata : mapping of str to str
        Kept in the header.

    Raises
    ------
    OSError
        The disk is full or the folder cannot be written to; the old file is then untouched.
    TypeError
        A tensor is of a dtype that is not written here.
    """
    ordered = sorted(_checked(tensors), key=lambda name: (_ORDER.index(tensors[name].dtype), name))
    header = _header({name: tensors[name] for name in ordered}, metadata)
    with (
        AtomicPath(path, overwrite=True) as temporary,
        temporary.open("wb") as file,
    ):
        file.write(len(header).to_bytes(8, "little"))
        file.write(header)
        for name in ordered:
            file.write(_bytes_of(tensors[name]))


def stored_bytes(tensors: Mapping[str, Tensor]) -> int:
    """Bytes that tensors take in a file, without the header."""
    return sum(value.numel() * value.element_size() for value in tensors.values())


def _checked(tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    for name, value in tensors.items():
        if value.dtype not in _NAMES:
            raise TypeError(f"{name}: {value.dtype} is not written to checkpoints")
    return tensors


def _header(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    described: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name, value in tensors.items():
        start, end = end, end + value.numel() * value.element_size()
        described[name] = {
            "dtype": _NAMES[value.dtype],
            "shape": list(value.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(described, separators=(",", ":"), ensure_ascii=False).encode()
    return text.ljust(math.ceil(len(text) / 8) * 8)


def _bytes_of(tensor: Tensor) -> memoryview:
    """The numbers in row-major order, whatever the memory format."""
    # numpy has no bfloat16: its bytes are looked at instead.
    flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    return flat.numpy().data

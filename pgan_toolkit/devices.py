"""Where the networks compute, and how exactly."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from pgan_toolkit.errors import SetupError, UsageError

__all__ = ["arithmetic_of", "find_device", "has_bfloat16", "mixed_precision", "whole_float32"]


def find_device(name: str) -> torch.device:
    """Return the device of that name.

    Parameters
    ----------
    name : str
        "auto" (the GPU where there is one, else the CPU), "cpu", "cuda" or "cuda:N".

    Raises
    ------
    UsageError
        The name is none of these.
    SetupError
        There is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    found = re.fullmatch(r"cpu|cuda(?::(0|[1-9][0-9]{0,3}))?", name)
    if found is None:
        raise UsageError(f"--device {name}: expected auto, cpu, cuda or cuda:N")
    # Devices are counted without CUDA, and may be there for a driver that is too old for it.
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name != "cpu" and int(found[1] or 0) >= count:
        raise SetupError(
            f"--device {name}: torch {torch.__version__} can use {count} CUDA devices here; use "
            "--device cpu, or install a build of torch with CUDA and a driver"
        )
    return torch.device(name)


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware, where it is faster than float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return bool(_bfloat16_units())


def _bfloat16_units() -> list[str]:
    """What of this CPU multiplies bfloat16, the unit that is used first."""
    known = torch.cpu.get_capabilities()
    return [name for name in ("amx_bf16", "avx512_bf16") if known.get(name)]


def arithmetic_of(device: torch.device, *, bfloat16: bool) -> str:
    """Name what decides in which order sums are made there, and so the rare value that rounds.

    "cpu", or "cpu amx_bf16" where bfloat16 is multiplied; of a GPU, its model.

    Parameters
    ----------
    device : torch.device
        A device of this machine.
    bfloat16 : bool
        Whether it multiplies bfloat16.
    """
    if device.type == "cuda":
        return f"cuda {torch.cuda.get_device_name(device)}"
    units = _bfloat16_units() if bfloat16 else []
    return " ".join([device.type, *units[:1]])


def mixed_precision(device: torch.device) -> torch.autocast:
    """Return a context in which convolutions use bfloat16 where the hardware has it."""
    return torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device))


@contextmanager
def whole_float32() -> Iterator[None]:
    """Keep from TF32 and from autocast: a GPU shall find what a CPU finds.

    TF32 is float32 with 10 of its 23 bits; either may be on in the program around this. TF32 is
    cuDNN's default. Its settings are the process's, and as they were afterwards: when several
    threads are within at once, the last that leaves puts back what the first had found. torch
    before 2.9 has `allow_tf32` alone; later ones have `fp32_precision` instead, and fail where a
    program mixes the two.
    """
    entry = _forbid_tf32()
    try:
        with torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
            yield
    finally:
        _put_back(entry)


class _Entry:
    """One thread's stay within `whole_float32`: the settings, and what they were before."""

    def __init__(self) -> None:
        cudnn: Any = torch.backends.cudnn
        matmul: Any = torch.backends.cuda.matmul
        new = hasattr(cudnn, "conv")
        self.places = (cudnn.conv, matmul) if new else (cudnn, matmul)
        self.name, wanted = ("fp32_precision", "ieee") if new else ("allow_tf32", False)
        self.before = [getattr(place, self.name) for place in self.places]
        self.set([wanted, wanted])

    def set(self, values: list[object]) -> None:
        for place, value in zip(self.places, values, strict=True):
            setattr(place, self.name, value)


_entries: list[_Entry] = []
"""Who is within, oldest first: the settings are the process's, and so is who has changed them."""
_entries_lock = threading.Lock()


def _forbid_tf32() -> _Entry:
    with _entries_lock:
        _entries.append(_Entry())
        return _entries[-1]


def _put_back(entry: _Entry) -> None:
    with _entries_lock:
        place = _entries.index(entry)
        del _entries[place]
        if place == len(_entries):
            entry.set(entry.before)
        else:  # a later one still needs the settings as they are
            _entries[place].before = entry.before

"""How exactly a step computes: float32, TF32 or bfloat16."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch

from pgan_toolkit.devices import has_bfloat16, whole_float32
from pgan_toolkit.errors import SetupError

__all__ = ["choose_precision", "computing"]

Precision = Literal["float32", "tf32", "bfloat16"]


def choose_precision(
    wanted: Literal["auto", "float32", "tf32", "bfloat16"], device: torch.device
) -> Precision:
    """Return the precision of a run's convolutions on a device: "auto" is TF32 on CUDA.

    Raises
    ------
    SetupError
        The device has no such arithmetic.
    """
    if wanted == "auto":
        return "tf32" if device.type == "cuda" else "float32"
    if wanted == "tf32" and device.type != "cuda":
        raise SetupError(
            f"precision=tf32: {device} has none, only CUDA devices have; set precision=auto"
        )
    if wanted == "bfloat16" and not has_bfloat16(device):
        raise SetupError(
            f"precision=bfloat16: {device} does not multiply bfloat16 in hardware; "
            "set precision=auto"
        )
    return wanted


@contextmanager
def computing(precision: Precision, device: torch.device) -> Iterator[None]:
    """Compute so, forward and backward.

    To be entered anew for each update: nothing that was cast may outlive the weights it came from.
    TF32's settings are the process's, and as they were afterwards.
    """
    with whole_float32():
        if precision == "tf32":
            _turn_on_tf32()  # whole_float32 puts back what was
        cast = torch.autocast(device.type, torch.bfloat16, cache_enabled=False)
        if precision == "bfloat16":
            with cast:
                yield
        else:
            yield


def _turn_on_tf32() -> None:
    cudnn: Any = torch.backends.cudnn
    matmul: Any = torch.backends.cuda.matmul
    new = hasattr(cudnn, "conv")  # see whole_float32
    for place in (cudnn.conv, matmul) if new else (cudnn, matmul):
        setattr(place, "fp32_precision" if new else "allow_tf32", "tf32" if new else True)

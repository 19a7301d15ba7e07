"""How many processes and threads render on the devices: a process for each GPU."""

import os

import torch

from pgan_toolkit.celebahq.on_device.renderer import SLOTS
from pgan_toolkit.engines import LaneEngine

__all__ = ["open_device_engine"]


def open_device_engine(device: str, *, workers: int) -> LaneEngine:
    """Return the engine of the device pipeline.

    Parameters
    ----------
    device : str
        "cuda" for every GPU that this process may use, "cuda:N" for one of them, "cpu" for none.
    workers : int
        Threads in all that decode and encode. As many more as there is room for photographs on the
        device are started, since those wait for it.
    """
    environments: list[dict[str, str]] = [{}]
    if device == "cuda":
        environments = [{"CUDA_VISIBLE_DEVICES": name} for name in _gpus()]
    if device != "cpu":
        # On several streams cuBLAS gives the same sums each time only with room of a fixed size.
        environments = [{**each, "CUBLAS_WORKSPACE_CONFIG": ":4096:8"} for each in environments]
    return LaneEngine(environments, threads=-(-workers // len(environments)) + SLOTS)


def _gpus() -> list[str]:
    """Names of the GPUs as CUDA_VISIBLE_DEVICES has them, so that each is a process's only one."""
    count = torch.cuda.device_count()
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = [name.strip() for name in named.split(",")] if named else map(str, range(count))
    return list(names)[:count]

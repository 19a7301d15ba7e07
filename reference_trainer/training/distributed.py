"""One process of many, as torchrun starts them: gloo between CPUs, NCCL between GPUs.

Each GPU has a process. It takes its share of each minibatch, and gradients are averaged once for
each update: with loss functions that are means over pictures this is the gradient of the whole
minibatch, the gradient penalty's too.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from pgan_toolkit.devices import find_device
from pgan_toolkit.errors import SetupError, UsageError

__all__ = ["World", "joined_world", "module_digest"]

_BUCKET_NUMBERS = 1 << 23
"""Numbers that travel together: 32 MiB of float32 fill a link, and are little memory."""

_TIMEOUT_S = 2 * 3600.0
"""One process reduces all pictures, or measures, while the others wait. A process that ends is told
of at once, by torchrun or by the connection."""


@dataclass(frozen=True)
class World:
    """The processes of a run, as one of them sees it.

    Attributes
    ----------
    rank : int
        Which one this is, from 0. Rank 0 writes.
    size : int
        How many there are.
    device : torch.device
        Where this one computes.
    local_size : int
        How many of them share this machine.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    local_size: int = 1

    def rows(self, share: int) -> slice:
        """Return which pictures of a minibatch are this process's, if each has `share`."""
        return slice(self.rank * share, (self.rank + 1) * share)

    def average_(self, tensors: Sequence[Tensor]) -> None:
        """Replace float32 tensors by their means over the processes.

        Raises
        ------
        SetupError
            Another process has ended, or does not answer.
        """
        if self.size == 1:
            return
        for bucket in _buckets(tensors):
            flat = torch.cat([tensor.reshape(-1) for tensor in bucket])
            with self._together("averaging gradients"):
                dist.all_reduce(flat)
            pieces = torch.split(flat.mul_(1 / self.size), [tensor.numel() for tensor in bucket])
            for tensor, piece in zip(bucket, pieces, strict=True):
                tensor.copy_(piece.view(tensor.shape))

    def any(self, flag: bool) -> bool:
        """Return whether the flag is true in any process; all have to ask.

        Raises
        ------
        SetupError
            Another process has ended, or does not answer.
        """
        return bool(self.most(int(flag)))

    def most(self, number: int) -> int:
        """Return the largest of the numbers that the processes name; all have to ask.

        Raises
        ------
        SetupError
            Another process has ended, or does not answer.
        """
        if self.size == 1:
            return number
        found = torch.tensor(number, device=self.device)
        with self._together("agreeing with the others"):
            dist.all_reduce(found, op=dist.ReduceOp.MAX)
        return int(found)

    def wait(self) -> None:
        """Return when all processes have come here.

        Raises
        ------
        SetupError
            Another process has ended, or does not come in time.
        """
        self.any(False)  # unlike dist.barrier it leaves NCCL no choice of device

    def require_same(self, digest: str, what: str) -> None:
        """See that all processes hold the same.

        Parameters
        ----------
        digest : str
            Of what this one holds.
        what : str
            For the message: "the first weights".

        Raises
        ------
        SetupError
            They differ, another process has ended, or does not answer.
        """
        if self.size == 1:
            return
        found: list[str] = [""] * self.size
        with self._together(f"comparing {what}"):
            dist.all_gather_object(found, digest)
        other = [rank for rank, value in enumerate(found) if value != found[0]]
        if other:
            raise SetupError(
                f"{what} of process {other[0]} are not those of process 0: start all of them with "
                "the same settings, data, version of pgan-toolkit and of torch"
            )

    @contextmanager
    def _together(self, what: str) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise SetupError(
                f"process {self.rank} of {self.size}, {what}: another process has ended or does "
                f"not answer ({_first_line(error)}); the cause is in that one's output. Resume "
                "the run by --resume"
            ) from error


@contextmanager
def joined_world(device: str = "auto", *, timeout_s: float = _TIMEOUT_S) -> Iterator[World]:
    """Join the processes that torchrun started, for as long as the context lasts.

    Parameters
    ----------
    device : str
        "auto", "cpu", "cuda" or "cuda:N", see `find_device`. Where torchrun started several, "cuda"
        is the GPU of the process's local rank.
    timeout_s : float
        So long one waits for the others.

    Yields
    ------
    World
        Of one process where torchrun's variables (RANK, WORLD_SIZE, LOCAL_RANK) are not set.

    Raises
    ------
    UsageError
        The variables do not fit each other, or the device is none.
    SetupError
        There are fewer GPUs than processes, or the others cannot be reached in time.
    """
    size, rank = _variable("WORLD_SIZE", 1), _variable("RANK", 0)
    if size == 1:
        yield World(device=_entered(find_device(device)))
        return
    if not 0 <= rank < size:
        raise UsageError(f"RANK={rank}: expected 0 to {size - 1}, as WORLD_SIZE={size}")
    own = _own_device(device, _variable("LOCAL_RANK", rank))
    world = World(rank, size, own, local_size=max(1, _variable("LOCAL_WORLD_SIZE", size)))
    _join(world, timeout_s)
    try:
        yield world
    except BaseException:
        if world.device.type != "cuda":  # NCCL would wait for what cannot come any more
            dist.destroy_process_group()
        raise
    dist.destroy_process_group()


def module_digest(*modules: nn.Module) -> str:
    """SHA-256 of all weights and buffers, in hexadecimal."""
    digest = hashlib.sha256()
    for module in modules:
        for name, value in module.state_dict().items():
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _variable(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    try:
        return int(text)
    except ValueError as error:
        raise UsageError(f"{name}={text}: expected a whole number, as torchrun sets it") from error


def _own_device(name: str, local_rank: int) -> torch.device:
    device = find_device(name)
    if device.type != "cuda":
        return device
    if name.startswith("cuda:"):
        raise UsageError(f"--device {name}: torchrun started several processes; use --device cuda")
    if local_rank >= torch.cuda.device_count():
        raise SetupError(
            f"LOCAL_RANK={local_rank}: there are {torch.cuda.device_count()} GPUs here; start as "
            "many processes by torchrun --nproc-per-node, or use --device cpu"
        )
    return _entered(torch.device("cuda", local_rank))


def _entered(device: torch.device) -> torch.device:
    """Make a GPU the process's current one: what names no device, as pinned memory, goes by it.

    Sizes are the same for a whole phase, so that trying cuDNN's algorithms out pays.
    """
    if device.type != "cuda":
        return device
    own = torch.device("cuda", device.index or 0)
    torch.cuda.set_device(own)
    torch.backends.cudnn.benchmark = True
    return own


def _join(world: World, timeout_s: float) -> None:
    on_gpu = world.device.type == "cuda"
    try:
        dist.init_process_group(
            "nccl" if on_gpu else "gloo",
            rank=world.rank,
            world_size=world.size,
            timeout=timedelta(seconds=timeout_s),
            device_id=world.device if on_gpu else None,
        )
    except (RuntimeError, ValueError) as error:
        raise SetupError(
            f"process {world.rank} of {world.size} cannot join the others "
            f"({_first_line(error)}): start all of them by one torchrun command, or with the same "
            "--rdzv-endpoint on each node"
        ) from error


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    bucket: list[Tensor] = []
    for tensor in tensors:
        if bucket and sum(held.numel() for held in bucket) + tensor.numel() > _BUCKET_NUMBERS:
            yield bucket
            bucket = []
        bucket.append(tensor)
    if bucket:
        yield bucket


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__

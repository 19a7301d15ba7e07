"""Minibatches made ahead of time by threads, in the order in which the run wants them."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType

import torch
from torch import Tensor

from reference_trainer.reals.real_images import RealBatch, RealImages

__all__ = ["BatchPlan", "RealLoader"]

_FEWEST_AHEAD, _MOST_AHEAD = 2, 8
_MOST_AHEAD_BYTES = 1 << 28


@dataclass(frozen=True)
class BatchPlan:
    """Which reals a step wants; as `RealImages.batch` takes them.

    Attributes
    ----------
    first_position : int
        Reals shown before, over all processes; for a process's share, the first of its own.
    count : int
        Pictures.
    resolution : int
        Pixels a side.
    """

    first_position: int
    count: int
    resolution: int


@dataclass(frozen=True)
class _Pending:
    """A minibatch in the making."""

    images: Tensor
    labels: Tensor | None
    parts: list[Future[None]]


class RealLoader:
    """Yields the minibatch of each plan, and works on those of the next plans meanwhile.

    Resolution and size may change from one plan to the next: what is made ahead crosses the
    phases of the run. Two to eight minibatches are in the making, beyond two of them 256 MiB at
    most. The minibatches do not depend on the number of threads.

    A context manager: on leaving it, on an error and on an interrupt the threads end.

    Parameters
    ----------
    reals : RealImages
        The pictures.
    plans : iterable of BatchPlan
        May be endless; read as far as is worked ahead.
    device : torch.device
        Where minibatches are put. To a CUDA device they are copied from pinned memory, without
        waiting.
    workers : int | None
        Threads; None: those of `reals`.
    """

    def __init__(
        self,
        reals: RealImages,
        plans: Iterable[BatchPlan],
        *,
        device: torch.device,
        workers: int | None = None,
    ) -> None:
        self._reals, self._plans, self._device = reals, iter(plans), device
        self._waiting: deque[_Pending] = deque()
        self._pool = ThreadPoolExecutor(workers or reals.workers, thread_name_prefix="reals")

    def __enter__(self) -> "RealLoader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[RealBatch]:
        return self

    def __next__(self) -> RealBatch:
        """Return the minibatch of the next plan, on the device.

        Raises
        ------
        DataError
            A picture is damaged. The message names the file.
        """
        try:
            self._work_ahead()
            if not self._waiting:
                raise StopIteration
            pending = self._waiting.popleft()
            self._work_ahead()
            for part in pending.parts:
                part.result()
        except BaseException:
            self.close()
            raise
        labels = pending.labels
        return RealBatch(
            self._on_device(pending.images), None if labels is None else self._on_device(labels)
        )

    def close(self) -> None:
        """End the threads, after what each is at. Once is enough."""
        self._waiting.clear()
        self._plans = iter(())
        self._pool.shutdown(cancel_futures=True)

    def _on_device(self, value: Tensor) -> Tensor:
        return value.to(self._device, non_blocking=True)

    def _work_ahead(self) -> None:
        while self._wants_more():
            plan = next(self._plans, None)
            if plan is None:
                return
            self._waiting.append(self._begun(plan))

    def _wants_more(self) -> bool:
        held = sum(pending.images.nbytes for pending in self._waiting)
        return len(self._waiting) < _FEWEST_AHEAD or (
            len(self._waiting) < _MOST_AHEAD and held < _MOST_AHEAD_BYTES
        )

    def _begun(self, plan: BatchPlan) -> _Pending:
        first, count, resolution = plan.first_position, plan.count, plan.resolution
        pin = self._device.type == "cuda"
        images = torch.empty((count, 3, resolution, resolution), dtype=torch.uint8, pin_memory=pin)
        labels = self._reals.labels(first, count)
        if labels is not None and pin:
            labels = labels.pin_memory()
        # What only has to be copied is one piece of work; what has to be decoded, one a picture.
        step = count if self._reals.is_prepared(resolution) else 1
        pixels = images.numpy()
        parts = [
            self._pool.submit(
                self._reals.fill, pixels[begin : begin + step], first_position=first + begin
            )
            for begin in range(0, count, max(step, 1))
        ]
        return _Pending(images, labels, parts)

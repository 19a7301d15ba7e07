"""The log of a training run: one JSON object a line, and curves for TensorBoard where asked for."""

import json
import time
from collections import defaultdict
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from pgan_toolkit.errors import SetupError
from pgan_toolkit.storage import atomic_write_bytes

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

__all__ = ["TrainingLog"]


class TrainingLog:
    """Collects the losses of steps and appends their means; a context manager.

    Parameters
    ----------
    path : Path
        The file. Lines of steps beyond `resumed_at` are dropped: those steps will be done again.
    resumed_at : int
        Steps done before.
    curves : Path | None
        A folder for TensorBoard; None for no curves.

    Raises
    ------
    SetupError
        Curves are asked for, and TensorBoard is not installed.
    """

    def __init__(self, path: Path, *, resumed_at: int, curves: Path | None = None) -> None:
        self._path = path
        self._writer = _open_curves(curves, resumed_at) if curves else None
        atomic_write_bytes(path, _lines_until(path, resumed_at))
        self._sums: dict[str, list[float]] = defaultdict(list)
        self._since_s = time.perf_counter()
        self._steps = 0

    def __enter__(self) -> "TrainingLog":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def add(self, losses: dict[str, float]) -> None:
        """Count one step."""
        self._steps += 1
        for name, value in losses.items():
            self._sums[name].append(value)

    def write_losses(self, *, step: int) -> None:
        """Append the means since the last time, and the speed."""
        now = time.perf_counter()
        row = {name: sum(values) / len(values) for name, values in self._sums.items()}
        row["steps_per_s"] = round(self._steps / max(now - self._since_s, 1e-9), 3)
        self._sums.clear()
        self._steps, self._since_s = 0, now
        self._append(step, row)

    def write_psnr(self, psnr_db: float, *, step: int) -> None:
        """Append the PSNR of the fixed crops, dB."""
        self._append(step, {"psnr_db": round(psnr_db, 4)})

    def _append(self, step: int, row: dict[str, float]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **row}) + "\n")
        if self._writer is not None:
            for name, value in row.items():
                self._writer.add_scalar(name, value, step)


def _lines_until(path: Path, step: int) -> bytes:
    if not step or not path.is_file():
        return b""
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
            if row["step"] <= step:
                kept.append(f"{line}\n")
        except (KeyError, TypeError, ValueError):
            continue  # a line that a kill has cut short; its step will be done again
    return "".join(kept).encode()


def _open_curves(folder: Path, resumed_at: int) -> "SummaryWriter":
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise SetupError(
            f"TensorBoard is not installed ({error}); pip install 'pgan-toolkit[tensorboard]', "
            "or leave --tensorboard out"
        ) from error
    return SummaryWriter(str(folder), purge_step=resumed_at + 1)

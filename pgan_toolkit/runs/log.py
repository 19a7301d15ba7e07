"""The log of a training run: one JSON object a line, and curves for TensorBoard where asked for."""

import json
import math
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, SupportsFloat

from pgan_toolkit.errors import SetupError
from pgan_toolkit.storage import atomic_write_bytes

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

__all__ = ["LogKey", "TrainingLog"]

LogKey = Literal["step", "kimg"]


class TrainingLog:
    """Collects the losses of steps and appends rows; a context manager.

    A number that is none (NaN, infinity) is written as null, for JSON knows no such thing.

    Parameters
    ----------
    path : Path
        The file. Rows beyond `resumed_at` are dropped: those steps will be done again.
    resumed_at : float
        Steps, or kimg, done before; 0 begins a new file.
    key : {"step", "kimg"}
        What rows are counted by, and the name of that number in each. Curves are drawn over steps,
        or over images (1000 kimg).
    curves : Path | None
        A folder for TensorBoard; None for no curves.

    Raises
    ------
    SetupError
        Curves are asked for, and TensorBoard is not installed.
    """

    def __init__(
        self, path: Path, *, resumed_at: float, key: LogKey = "step", curves: Path | None = None
    ) -> None:
        self._path, self._key = path, key
        self._writer = _open_curves(curves, self._abscissa(resumed_at) + 1) if curves else None
        atomic_write_bytes(path, _lines_until(path, resumed_at, key))
        self._losses: dict[str, list[SupportsFloat]] = defaultdict(list)
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

    def add(self, losses: Mapping[str, SupportsFloat]) -> None:
        """Count one step.

        A scalar tensor is fetched from its device only with `means`, so that a step need not wait.
        It must be detached, and not be written to again.
        """
        self._steps += 1
        for name, value in losses.items():
            self._losses[name].append(value)

    def means(self) -> dict[str, float]:
        """Return the mean of each loss since the last time, and `steps_per_s`."""
        row = {name: sum(map(float, values)) / len(values) for name, values in self._losses.items()}
        now = time.perf_counter()
        row["steps_per_s"] = round(self._steps / max(now - self._since_s, 1e-9), 3)
        self._losses.clear()
        self._steps, self._since_s = 0, now
        return row

    def write(self, row: Mapping[str, float | str | None], *, at: float) -> None:
        """Append a row, and its numbers to the curves.

        Parameters
        ----------
        row : mapping of str to float, str or None
            What shall stand in it, beside the key.
        at : float
            Steps, or kimg, done.
        """
        plain = {name: _plain(value) for name, value in row.items()}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({self._key: at, **plain}, allow_nan=False) + "\n")
        if self._writer is not None:
            for name, value in plain.items():
                if isinstance(value, int | float):
                    self._writer.add_scalar(name, value, self._abscissa(at))

    def _abscissa(self, at: float) -> int:
        return round(1000 * at) if self._key == "kimg" else round(at)


def _plain(value: float | str | None) -> float | str | None:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _lines_until(path: Path, last: float, key: str) -> bytes:
    if not last or not path.is_file():
        return b""
    kept = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            if json.loads(line)[key] <= last:
                kept.append(f"{line}\n")
        except (KeyError, TypeError, ValueError):
            continue  # a line that a kill has cut short; its step will be done again
    return "".join(kept).encode()


def _open_curves(folder: Path, first: int) -> "SummaryWriter":
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise SetupError(
            f"TensorBoard is not installed ({error}); pip install 'pgan-toolkit[tensorboard]', "
            "or leave --tensorboard out"
        ) from error
    return SummaryWriter(str(folder), purge_step=first)

"""The log of a training run: one JSON object a line."""

import json
import math
import time
from collections import defaultdict
from pathlib import Path

from pgan_toolkit.storage import atomic_write_bytes

__all__ = ["TrainingLog"]


class TrainingLog:
    """Collects the losses of steps and appends their means.

    Parameters
    ----------
    path : Path
        The file. Lines of steps beyond `resumed_at` are dropped: those steps will be done again.
    resumed_at : int
        Steps done before.
    """

    def __init__(self, path: Path, *, resumed_at: int) -> None:
        self._path = path
        kept = []
        if resumed_at and path.is_file():
            lines = path.read_text(encoding="utf-8").splitlines()
            kept = [line for line in lines if json.loads(line)["step"] <= resumed_at]
        atomic_write_bytes(path, "".join(f"{line}\n" for line in kept).encode())
        self._sums: dict[str, list[float]] = defaultdict(list)
        self._since_s = time.perf_counter()
        self._steps = 0

    def add(self, losses: dict[str, float]) -> None:
        """Count one step."""
        self._steps += 1
        for name, value in losses.items():
            if not math.isnan(value):
                self._sums[name].append(value)

    def write(self, *, step: int, psnr_db: float | None = None) -> None:
        """Append a line: the means since the last one, or a PSNR."""
        row: dict[str, float] = {"step": step}
        if psnr_db is not None:
            row["psnr_db"] = round(psnr_db, 4)
        else:
            now = time.perf_counter()
            row |= {name: sum(values) / len(values) for name, values in self._sums.items()}
            row["steps_per_s"] = round(self._steps / max(now - self._since_s, 1e-9), 3)
            self._sums.clear()
            self._steps, self._since_s = 0, now
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

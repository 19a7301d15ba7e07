"""What a run tells while it goes: lines of its logs, a bar, and grids of pictures."""

import resource
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType

import torch
from torch import Tensor

from pgan_toolkit.imaging import encode_png
from pgan_toolkit.metrics import Result
from pgan_toolkit.progress import Progress
from pgan_toolkit.runs import TrainingLog
from pgan_toolkit.storage import atomic_write_bytes
from reference_trainer.runs import RunFolder
from reference_trainer.sampling import grid_picture, parse_grid
from reference_trainer.schedule import Phase
from reference_trainer.training.options import RunOptions

__all__ = ["Reporter"]

_GIB = 1 << 30
_SHORT_RUN = 10_000  # reals: up to there a kimg is told with its thousandths


class Reporter:
    """Writes what happens into the run's folder, and shows it; a context manager.

    Parameters
    ----------
    folder : RunFolder
        Where.
    grid : str
        Columns and rows of the grids: "8x4".
    shown : int
        Reals shown before; lines of the logs beyond are dropped, for they will be made again.
    total : int
        Reals shown in the end.
    device : torch.device
        Whose memory is looked at.
    options : RunOptions
        Curves or not, a bar or not.
    """

    def __init__(
        self,
        folder: RunFolder,
        *,
        grid: str,
        shown: int,
        total: int,
        device: torch.device,
        options: RunOptions,
    ) -> None:
        self._folder, self._device = folder, device
        self._digits = 3 if total <= _SHORT_RUN else 1
        self.grid = parse_grid(grid)
        self._log = _open_log(folder.log, shown=shown, options=options, folder=folder)
        self._metrics = _open_log(folder.metrics, shown=shown, options=options, folder=folder)
        self._bar = Progress(total, label="training", unit="real", mode=options.mode, initial=shown)
        self._stack = ExitStack()
        self._last_shown, self._last_s, self._paused_s = shown, time.perf_counter(), 0.0

    def __enter__(self) -> "Reporter":
        for each in (self._log, self._metrics, self._bar):
            self._stack.enter_context(each)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def kimg(self, reals: int) -> str:
        """Return thousands of reals as they are shown."""
        return f"{reals / 1000:,.{self._digits}f}"

    def step(self, losses: Mapping[str, Tensor], *, reals: int) -> None:
        """Count a step; its losses are fetched from the device at the next tick."""
        self._log.add(losses)
        self._bar.advance(reals)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do what is no training: its time does not count in the speed."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self._paused_s += time.perf_counter() - begun

    def tick(self, phase: Phase, *, shown: int) -> dict[str, float]:
        """Write a line of the log: where the run is, mean losses since the last line, and speed.

        Parameters
        ----------
        phase : Phase
            Of the last step.
        shown : int
            Reals shown so far.

        Returns
        -------
        dict of str to float
            The line.
        """
        means = self._log.means()  # waits for the device
        del means["steps_per_s"]  # of all the time, with what is no training; see sec_per_kimg
        now = time.perf_counter()
        seconds = now - self._last_s - self._paused_s
        reals = max(shown - self._last_shown, 1)
        row = {
            "resolution": phase.resolution,
            "lod": round(phase.lod, 4),
            "alpha": round(phase.alpha, 4),
            "minibatch_size": phase.minibatch_size,
            "learning_rate": phase.learning_rate,
            **means,
            "sec_per_kimg": round(1000 * seconds / reals, 3),
            "peak_memory_gib": self._peak_memory_gib(),
        }
        self._log.write(row, at=shown / 1000)
        self._last_shown, self._last_s, self._paused_s = shown, now, 0.0
        self.note(self._line(row, shown=shown))
        return row

    def measured(self, results: Mapping[str, Result], *, shown: int, resolution: int) -> None:
        """Write a line of measurements."""
        row: dict[str, float] = {"resolution": resolution}
        for name, result in results.items():
            row[name] = result.value
            row.update({f"{name}/{part}": value for part, value in result.components.items()})
            if result.standard_error is not None:
                row[f"{name}/standard_error"] = result.standard_error
            row["images"] = max(result.images.values())
        self._metrics.write(row, at=shown / 1000)
        values = ", ".join(f"{name} {result.value:.4g}" for name, result in results.items())
        self.note(f"kimg {self.kimg(shown)}: {values} ({row.get('images', 0):,.0f} images)")

    def pictures(self, images: Tensor, *, shown: int) -> None:
        """Write the grid of fakes of the fixed latents, uint8 (N, 3, H, W)."""
        self._write_grid(images, name=self._folder.fakes(shown / 1000))

    def reals(self, images: Tensor) -> None:
        """Write the grid of reals, uint8 (N, 3, H, W)."""
        self._write_grid(images, name=self._folder.reals)

    def note(self, text: str) -> None:
        """Show a line."""
        self._bar.note(text)

    def _write_grid(self, images: Tensor, *, name: Path) -> None:
        columns, rows = self.grid
        atomic_write_bytes(name, encode_png(grid_picture(images, columns, rows)))

    def _line(self, row: Mapping[str, float], *, shown: int) -> str:
        size = f"{row['resolution']:.0f}x{row['resolution']:.0f}"
        fading = f", alpha {row['alpha']:.2f}" if row["alpha"] < 1 else ""
        losses = ", ".join(f"{name} {row[name]:.3g}" for name in ("d_loss", "g_loss"))
        return (
            f"kimg {self.kimg(shown)} of {self.kimg(self._bar.total or 0)}: {size}{fading}, "
            f"{losses}, {row['sec_per_kimg']:.3g} s/kimg, {row['peak_memory_gib']:.1f} GiB"
        )

    def _peak_memory_gib(self) -> float:
        if self._device.type == "cuda":
            return round(torch.cuda.max_memory_allocated(self._device) / _GIB, 3)
        unit = 1 if sys.platform == "darwin" else 1024
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / _GIB, 3)


def _open_log(path: Path, *, shown: int, options: RunOptions, folder: RunFolder) -> TrainingLog:
    # Curves of a folder each: what begins anew in one hides all that is there.
    curves = folder.tensorboard / path.stem if options.tensorboard else None
    return TrainingLog(path, resumed_at=shown / 1000, key="kimg", curves=curves)

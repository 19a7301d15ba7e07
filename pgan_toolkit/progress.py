"""Progress of long work: a bar on a terminal, plain lines in a log, silence when told so."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Literal, NoReturn

from pgan_toolkit.wording import visible

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["LOG_INTERVAL_S", "Progress", "ProgressMode", "duration_text"]

ProgressMode = Literal["auto", "quiet"]
LOG_INTERVAL_S = 30.0
"""Seconds between two lines in a log."""


class Progress:
    """Counts finished items and shows them on standard error.

    On a terminal it is a bar with rate and time left; elsewhere (a log, a pipe) one plain line at
    most every 30 seconds and one at the end; with mode "quiet" it shows nothing.

    Parameters
    ----------
    total : int | None
        How many items there are; None where that is not known.
    label : str
        What the work is called: "scoring".
    unit : str
        What one item is, in the singular: "photograph".
    mode : {"auto", "quiet"}
        "quiet" shows neither progress nor notes.
    initial : int
        Items that were done before (a resumed run). They do not count in the rate.
    clock : callable
        Seconds, monotonic.

    Examples
    --------
    >>> with Progress(3, label="packing", unit="picture", mode="quiet") as bar:
    ...     bar.advance()
    ...     bar.done
    1
    """

    def __init__(
        self,
        total: int | None,
        *,
        label: str,
        unit: str = "item",
        mode: ProgressMode = "auto",
        initial: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total = total
        self.label = label
        self.unit = unit
        self.done = initial
        self._initial = initial
        self._quiet = mode == "quiet"
        self._stream = sys.stderr
        self._clock = clock
        self._start_s = self._last_line_s = clock()
        self._bar: tqdm[NoReturn] | None = None

    def __enter__(self) -> "Progress":
        self._start_s = self._last_line_s = self._clock()
        if not self._quiet and self._stream.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                total=self.total,
                desc=self.label,
                unit=f" {self.unit}",
                initial=self._initial,
                file=self._stream,
                dynamic_ncols=True,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        elif not self._quiet:
            self._print(self._closing_line(stopped=kind is not None))

    def advance(self, count: int = 1) -> None:
        """Count `count` more finished items."""
        self.done += count
        if self._bar is not None:
            self._bar.update(count)
        elif not self._quiet and self._clock() - self._last_line_s >= LOG_INTERVAL_S:
            self._last_line_s = self._clock()
            self._print(self._running_line())

    def note(self, text: str) -> None:
        """Show a line of text without breaking the bar."""
        if self._bar is not None:
            self._bar.write(visible(text, lines=True), file=self._stream)
        elif not self._quiet:
            self._print(text)

    def _print(self, line: str) -> None:
        self._stream.write(f"{visible(line, lines=True)}\n")
        self._stream.flush()

    def _running_line(self) -> str:
        rate = self._rate()
        if self.total is None:
            return f"{self.label}: {self._counted(self.done)}, {rate:,.1f} per second"
        percent = 100 * self.done // max(self.total, 1)
        left = f", {duration_text((self.total - self.done) / rate)} left" if rate > 0 else ""
        of = f"{self.done:,} of {self._counted(self.total)} ({percent} %)"
        return f"{self.label}: {of}, {rate:,.1f} per second{left}"

    def _closing_line(self, *, stopped: bool) -> str:
        if stopped:
            of = f" of {self.total:,}" if self.total is not None else ""
            return f"{self.label}: stopped after {self._counted(self.done)}{of}"
        made = self.done - self._initial
        if made == 0:
            before = f" ({self._counted(self.done)} done before)" if self.done else ""
            return f"{self.label}: nothing left to do{before}"
        seconds = self._clock() - self._start_s
        rate = f", {self._rate():,.1f} per second" if seconds > 0 else ""
        whole = f" ({self.done:,} in all)" if self._initial else ""
        return f"{self.label}: {self._counted(made)}{whole} in {duration_text(seconds)}{rate}"

    def _rate(self) -> float:
        seconds = self._clock() - self._start_s
        return (self.done - self._initial) / seconds if seconds > 0 else 0.0

    def _counted(self, count: int) -> str:
        return f"{count:,} {self.unit}" + ("" if count == 1 else "s")


def duration_text(seconds: float) -> str:
    """Return a time as people write it: "59 s", "2 min 5 s", "3 h 7 min"."""
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"

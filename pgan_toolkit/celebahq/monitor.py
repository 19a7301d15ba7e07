"""What others can see of a running build: the ledger's progress, a log, and metrics.

The log is JSON lines, one event each, appended. The metrics are a file for Prometheus' textfile
collector, replaced in one step. Neither holds more than the ledger does: names, counts, reasons.
"""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pgan_toolkit.celebahq.ledger import Ledger, Row
from pgan_toolkit.errors import SetupError
from pgan_toolkit.progress import Progress
from pgan_toolkit.storage import atomic_write_bytes

__all__ = ["PROGRESS_FACT", "Monitor", "Stage"]

PROGRESS_FACT = "progress"
"""The fact of the ledger that holds what `Monitor.advance` last told."""

_TELL_S = 1.0
_LOG_S = 30.0
_METRICS_S = 5.0
_PREFIX = "pgan_toolkit_build"
_HELP = {
    "photographs": "Photographs of the source by status.",
    "failures": "Photographs that failed, by category.",
    "stage_done": "Finished items of the stage.",
    "stage_total": "All items of the stage.",
    "stage_per_second": "Items per second of the stage since it was begun or taken up again.",
    "updated_seconds": "When this was written, in seconds since 1970.",
}


class Monitor:
    """Tells of a build's progress; every method returns at once if nothing is due.

    Parameters
    ----------
    ledger : Ledger
        Holds the progress for other processes.
    photographs : int
        All that the source has.
    log, metrics_file : Path | None
        Where to append events, and to keep the metrics; None: nowhere.

    Raises
    ------
    SetupError
        A file cannot be written.
    """

    def __init__(
        self, ledger: Ledger, *, photographs: int, log: Path | None, metrics_file: Path | None
    ) -> None:
        self._ledger, self._photographs = ledger, photographs
        self._log, self._metrics_file = log, metrics_file
        self._stage, self._done, self._total, self._initial = "", 0, 0, 0
        self._begun_s = time.monotonic()
        self._told_s = self._logged_s = self._measured_s = float("-inf")

    def event(self, name: str, **facts: object) -> None:
        """Append an event to the log."""
        if self._log is None:
            return
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": at, "event": name, **facts}) + "\n"
        try:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with self._log.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            raise _unwritable(self._log, error) from error

    def begin(self, stage: str, *, total: int, done: int) -> None:
        """Begin a stage, or take it up again where so many items are done."""
        self._stage, self._total, self._done, self._initial = stage, total, done, done
        self._begun_s = self._logged_s = time.monotonic()
        self._told_s = self._measured_s = float("-inf")
        self.event("stage_begun", stage=stage, done=done, total=total)
        self.advance(0)

    def advance(self, count: int = 1) -> None:
        """Count finished items, and tell of them where that is due."""
        self._done += count
        now = time.monotonic()
        if now - self._told_s >= _TELL_S:
            self._told_s = now
            self._ledger.set_fact(PROGRESS_FACT, json.dumps(self._facts()))
        if now - self._logged_s >= _LOG_S:
            self._logged_s = now
            self.event("progress", **self._facts())
        if now - self._measured_s >= _METRICS_S:
            self._measured_s = now
            self._write_metrics()

    def end(self) -> None:
        """End the stage: what was last counted is told."""
        self._told_s = self._measured_s = float("-inf")
        self.advance(0)
        self.event("stage_ended", **self._facts())

    def failures(self, rows: Iterable[Row]) -> None:
        """Log the photographs that failed."""
        if self._log is None:
            return
        for row in rows:
            if row.status == "failed":
                self.event(
                    "photograph_failed", key=row.key, category=row.category, reason=row.reason
                )

    def _facts(self) -> dict[str, object]:
        seconds = time.monotonic() - self._begun_s
        new = self._done - self._initial
        return {
            "stage": self._stage,
            "done": self._done,
            "total": self._total,
            "per_second": round(new / seconds, 4) if new and seconds > 0 else None,
            "photographs": self._photographs,
            "at": round(time.time(), 3),
        }

    def _write_metrics(self) -> None:
        if self._metrics_file is None:
            return
        counts = self._ledger.counts()
        try:
            text = _exposition(self._facts(), counts.photographs, counts.failures)
            atomic_write_bytes(self._metrics_file, text.encode())
        except OSError as error:
            raise _unwritable(self._metrics_file, error) from error


@dataclass(frozen=True, eq=False)
class Stage:
    """A stage at work: shown to who runs it, and told to others."""

    bar: Progress
    monitor: Monitor

    def advance(self) -> None:
        """Count one more finished item."""
        self.bar.advance()
        self.monitor.advance()


def _exposition(
    facts: Mapping[str, object], statuses: Mapping[str, int], failures: Mapping[str, int]
) -> str:
    """Return the metrics in Prometheus' text format, all of them gauges."""
    stage = {"stage": str(facts["stage"])}
    waiting = int(str(facts["photographs"])) - sum(statuses.values())
    samples: list[tuple[str, dict[str, str], object]] = [
        *(("photographs", {"status": name}, count) for name, count in statuses.items()),
        ("photographs", {"status": "waiting"}, max(waiting, 0)),
        *(("failures", {"category": name}, count) for name, count in failures.items()),
        ("stage_done", stage, facts["done"]),
        ("stage_total", stage, facts["total"]),
        ("stage_per_second", stage, facts["per_second"] or 0),
        ("updated_seconds", {}, facts["at"]),
    ]
    lines: list[str] = []
    for name, labels, value in samples:
        head = f"# TYPE {_PREFIX}_{name} gauge"
        if head not in lines:
            lines += [f"# HELP {_PREFIX}_{name} {_HELP[name]}", head]
        shown = ",".join(f'{label}="{text}"' for label, text in labels.items())
        lines.append(f"{_PREFIX}_{name}{'{' + shown + '}' if shown else ''} {value}")
    return "\n".join(lines) + "\n"


def _unwritable(path: Path, error: OSError) -> SetupError:
    reason = error.strerror or error
    return SetupError(f"{path}: cannot be written ({reason}); choose another place, or make room")

"""What a build did: counts, reasons and times, for people, for programs and for the audit."""

import csv
import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from pgan_toolkit.celebahq.ledger import Ledger
from pgan_toolkit.storage import AtomicPath, Place
from pgan_toolkit.wording import spreadsheet_text, visible

__all__ = ["BuildSummary", "summarize", "write_table"]

_SHOWN_REASONS = 5
_COLUMNS = ("key", "file", "verdict", "rank", "score", "zoom", "duplicate_of", "reason")


@dataclass(frozen=True)
class BuildSummary:
    """The closing summary of a build.

    Attributes
    ----------
    out : str
        Where the dataset is.
    photographs : int
        How many the source has, rows without a picture among them.
    resumed : int
        How many of them an earlier run had finished.
    kept, rejected, duplicates, failed : int
        Faces by verdict.
    asked : int | None
        How many were asked for.
    failures : dict
        Category -> count.
    reasons : tuple of str
        The first few failures, whole.
    seconds : dict
        Stage -> time spent by all workers together.
    wall_seconds : float
        Of this run.
    """

    out: str
    photographs: int
    resumed: int
    kept: int
    rejected: int
    duplicates: int
    failed: int
    asked: int | None
    failures: dict[str, int]
    reasons: tuple[str, ...]
    seconds: dict[str, float]
    wall_seconds: float

    def to_json(self) -> str:
        """Return the summary as JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def to_text(self) -> str:
        """Return the summary for a person."""
        lines = [
            f"{self.photographs:,} photographs ({self.resumed:,} done by an earlier run)",
            f"  kept       {self.kept:7,}",
            f"  rejected   {self.rejected:7,}",
            f"  duplicates {self.duplicates:7,}",
            f"  failed     {self.failed:7,}",
        ]
        lines += [f"    {count:7,}  {name}" for name, count in self.failures.items()]
        lines += [f"      {reason}" for reason in self.reasons]
        if self.failed > len(self.reasons):
            lines.append(f"      ... and {self.failed - len(self.reasons):,} more")
        if self.failures.keys() & {"unexpected error", "worker died"}:
            lines.append(
                f"  errors and workers that died: to try again, move {self.out} away and run the "
                "same command"
            )
        if self.asked is not None and self.kept < self.asked:
            lines.append(f"  {self.asked:,} were asked for; there are no more that can be used")
        lines.append(f"time: {self.wall_seconds:.1f} s; by stage, all workers together:")
        total = max(self.photographs - self.failures.get("no picture", 0), 1)
        lines += [
            f"  {stage:10} {seconds:9.1f} s  {1000 * seconds / total:8.1f} ms a photograph"
            for stage, seconds in self.seconds.items()
        ]
        return "\n".join(lines)


def summarize(
    ledger: Ledger, *, out: Place, photographs: int, resumed: int, asked: int | None, wall: float
) -> BuildSummary:
    """Count what the ledger holds.

    Parameters
    ----------
    ledger : Ledger
        With its verdicts.
    out : Path | RemotePath
        The dataset.
    photographs, resumed : int
        How many there are, and how many were done before this run.
    asked : int | None
        How many were asked for.
    wall : float
        Seconds of this run.
    """
    verdicts: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    reasons: list[str] = []
    for verdict, row in ledger.judged():
        verdicts[verdict.verdict] += 1
        seconds.update(row.seconds)
        if row.status == "failed":
            failures[row.category] += 1
            if len(reasons) < _SHOWN_REASONS:
                reasons.append(row.reason)
    return BuildSummary(
        out=str(out),
        photographs=photographs,
        resumed=resumed,
        kept=verdicts["kept"],
        rejected=verdicts["rejected"],
        duplicates=verdicts["duplicate"],
        failed=verdicts["failed"],
        asked=asked,
        failures=dict(failures.most_common()),
        reasons=tuple(reasons),
        seconds=dict(seconds),
        wall_seconds=wall,
    )


def write_table(path: Path, ledger: Ledger) -> None:
    """Write every face and its verdict as CSV: by rank, then those without one."""
    with (
        AtomicPath(path, overwrite=True) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for verdict, row in ledger.judged():
            writer.writerow(
                [
                    spreadsheet_text(visible(row.key)),
                    spreadsheet_text(row.file),
                    verdict.verdict,
                    verdict.rank,
                    row.score,
                    row.zoom,
                    spreadsheet_text(verdict.duplicate_of),
                    spreadsheet_text(row.reason),
                ]
            )

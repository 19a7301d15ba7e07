"""How far a build is, read from its ledger at any time, by any process."""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pgan_toolkit.celebahq.ledger import Ledger
from pgan_toolkit.celebahq.monitor import PROGRESS_FACT
from pgan_toolkit.celebahq.workspace import Workspace
from pgan_toolkit.errors import DataError
from pgan_toolkit.progress import duration_text

__all__ = ["BuildStatus", "read_status"]


@dataclass(frozen=True)
class BuildStatus:
    """What is known of a build.

    Attributes
    ----------
    out : str
        The dataset.
    state : "running", "stopped" or "finished"
        Whether a process works on it, and if not whether the dataset is there.
    stage : str
        The last one that was begun: "scoring", "rendering", "packing"; empty before the first.
    done, total : int
        Items of that stage: photographs, faces or pictures.
    per_second : float | None
        Of the stage's items since it was begun or taken up again; None before the first.
    seconds_left : float | None
        Of the stage, at that rate; None unless running.
    photographs : int
        All, known since scoring began.
    scored, failed, waiting : int
        Photographs by status.
    verdicts : dict
        Faces by verdict, once selected.
    failures : dict
        Category -> photographs, the most frequent first.
    updated_s : float | None
        Seconds since the ledger was last written to.
    """

    out: str
    state: Literal["running", "stopped", "finished"]
    stage: str
    done: int
    total: int
    per_second: float | None
    seconds_left: float | None
    photographs: int
    scored: int
    failed: int
    waiting: int
    verdicts: dict[str, int]
    failures: dict[str, int]
    updated_s: float | None

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def to_text(self) -> str:
        """Return it as a few lines for a terminal."""
        lines = [
            f"{self.out}: {self.state}",
            f"photographs  {self.photographs:,}: {self.scored:,} scored, {self.failed:,} failed, "
            f"{self.waiting:,} waiting",
        ]
        if self.stage:
            rate = "" if self.per_second is None else f", {self.per_second:,.2f} per second"
            left = "" if self.seconds_left is None else f", {duration_text(self.seconds_left)} left"
            lines.append(f"{self.stage:12} {self.done:,} of {self.total:,}{rate}{left}")
        if self.verdicts:
            counts = ", ".join(f"{count:,} {name}" for name, count in self.verdicts.items())
            lines.append(f"verdicts     {counts}")
        lines += [f"  failed     {count:,} {name}" for name, count in self.failures.items()]
        if self.updated_s is not None:
            lines.append(f"updated      {duration_text(self.updated_s)} ago")
        return "\n".join(lines)


def read_status(out: Path) -> BuildStatus:
    """Read how far a build into `out` is; nothing is changed, and a running build goes on.

    Raises
    ------
    DataError
        No build was begun there, or its ledger is damaged.
    SetupError
        The ledger cannot be opened.
    """
    workspace = Workspace(out)
    if not workspace.ledger.is_file():
        raise DataError(f"{workspace.ledger}: no such file; no build into {out} was begun here")
    running = workspace.is_held()
    with Ledger(workspace.ledger) as ledger:
        progress = json.loads(ledger.fact(PROGRESS_FACT) or "{}")
        counts = ledger.counts()
    scored, failed = counts.photographs["scored"], counts.photographs["failed"]
    photographs = max(int(progress.get("photographs", 0)), scored + failed)
    done, total = int(progress.get("done", 0)), int(progress.get("total", 0))
    rate = progress.get("per_second")
    finished = not running and workspace.output.is_made()
    return BuildStatus(
        out=str(out),
        state="running" if running else "finished" if finished else "stopped",
        stage=progress.get("stage", ""),
        done=done,
        total=total,
        per_second=rate,
        seconds_left=(total - done) / rate if rate and running else None,
        photographs=photographs,
        scored=scored,
        failed=failed,
        waiting=photographs - scored - failed,
        verdicts=counts.verdicts,
        failures=counts.failures,
        updated_s=max(time.time() - progress["at"], 0.0) if "at" in progress else None,
    )

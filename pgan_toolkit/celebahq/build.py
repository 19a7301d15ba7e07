"""The build: score every photograph, select, render what was selected, make the dataset visible.

Each step can be repeated: killed at any moment, the same call goes on and ends with the same
bytes. The ledger says what is scored, the workspace holds what is rendered, and the dataset
appears under its name in one step when it is complete.
"""

import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pgan_toolkit.celebahq.ledger import Ledger, Row, Verdict
from pgan_toolkit.celebahq.monitor import Monitor, Stage
from pgan_toolkit.celebahq.output import remove
from pgan_toolkit.celebahq.photographs import Photograph
from pgan_toolkit.celebahq.plan import BuildPlan, plan_build
from pgan_toolkit.celebahq.selection import select
from pgan_toolkit.celebahq.settings import BuildSettings
from pgan_toolkit.celebahq.sheet import write_contact_sheet
from pgan_toolkit.celebahq.summary import BuildSummary, summarize, write_table
from pgan_toolkit.celebahq.work import Render, Worker, failed_row, render_face, score_photograph
from pgan_toolkit.engines import Engine, LocalEngine
from pgan_toolkit.errors import DataError
from pgan_toolkit.imaging import threads_kept
from pgan_toolkit.progress import Progress, ProgressMode
from pgan_toolkit.storage import LABELS_FILE, Place, atomic_write_bytes, open_sink
from pgan_toolkit.storage.labels import format_labels

__all__ = ["build_dataset"]

_COMMIT_SECONDS = 0.25


def build_dataset(
    settings: BuildSettings,
    *,
    engine: Engine | None = None,
    fresh: bool = False,
    mode: ProgressMode = "auto",
    log: Path | None = None,
    metrics_file: Path | None = None,
) -> BuildSummary:
    """Build the dataset, or go on with a build that was interrupted.

    Parameters
    ----------
    settings : BuildSettings
        What to do. What scores depend on must be as it was when the build began.
    engine : Engine | None
        Where the work is done; None: by `settings.processes` processes of this machine, or a
        process a GPU.
    fresh : bool
        Forget an earlier build into the same place, and remove what it made.
    mode : "auto" or "quiet"
        Whether progress is shown.
    log : Path | None
        A file to which events are appended as JSON lines.
    metrics_file : Path | None
        A file that is kept up to date for Prometheus' textfile collector.

    Returns
    -------
    BuildSummary
        Counts, reasons and times. The dataset is at `settings.out`; ledger, table of all
        photographs, summary and contact sheet are in `OUT.build/`.

    Raises
    ------
    DataError
        The source or the output is not usable, or too many photographs failed.
    SetupError
        No room, no permission, or another build is at work here.
    """
    start = time.perf_counter()
    plan = plan_build(settings)
    engine = engine or _local_engine(plan.settings)
    workspace = plan.workspace
    with workspace.locked():
        if fresh:
            workspace.clear()
        finished = plan.is_finished()
        with Ledger(workspace.ledger) as ledger:
            plan.claim(ledger)
            resumed = len(ledger.scored_photographs() & {p.key for p in plan.source})
            monitor = Monitor(
                ledger, photographs=len(plan.source), log=log, metrics_file=metrics_file
            )
            if not finished:
                workspace.summary.unlink(missing_ok=True)
                with _told(monitor, settings.out), threads_kept():  # workers here take one
                    _Building(plan, ledger, engine, monitor, mode).run()
            remove(workspace.crops.folder)
            remove(workspace.packed.parent)  # what was sent to a remote storage
            summary = summarize(
                ledger,
                out=settings.out,
                photographs=len(plan.source),
                resumed=resumed,
                asked=settings.limit if settings.count is not None else None,
                wall=time.perf_counter() - start,
            )
        if not workspace.summary.exists():
            atomic_write_bytes(workspace.summary, summary.to_json().encode())
    return summary


def _local_engine(settings: BuildSettings) -> Engine:
    if settings.pipeline == "host":
        return LocalEngine(settings.processes)
    from pgan_toolkit.celebahq.on_device import open_device_engine

    return open_device_engine(settings.device, workers=settings.processes)


@contextlib.contextmanager
def _told(monitor: Monitor, out: Place) -> Iterator[None]:
    """Log that a build begins, and how it ends."""
    monitor.event("build_begun", out=str(out))
    try:
        yield
    except BaseException as error:
        monitor.event("build_stopped", reason=str(error) or type(error).__name__)
        raise
    monitor.event("build_ended", out=str(out))


@dataclass(frozen=True, eq=False)
class _Building:
    """A build at work: its plan, its ledger, what does the work, and what tells of it."""

    plan: BuildPlan
    ledger: Ledger
    engine: Engine
    monitor: Monitor
    mode: ProgressMode

    def run(self) -> None:
        verdicts = self._score()
        self._render(verdicts)
        self._report(verdicts)
        self._publish(verdicts)

    @contextlib.contextmanager
    def _stage(self, label: str, *, unit: str, total: int, done: int) -> Iterator[Stage]:
        """Show and tell the progress of a stage."""
        self.monitor.begin(label, total=total, done=done)
        with Progress(total, label=label, unit=unit, mode=self.mode, initial=done) as bar:
            yield Stage(bar, self.monitor)
        self.monitor.end()

    def _score(self) -> list[Verdict]:
        """Pass 1: a row for every photograph; then the verdicts."""
        plan, ledger, total = self.plan, self.ledger, len(self.plan.source)
        ledger.add(plan.problems)
        self.monitor.failures(plan.problems)
        done = ledger.scored_photographs() | {row.photograph for row in plan.problems}
        todo = [photograph for photograph in plan.source if photograph.key not in done]
        results = self.engine.map(
            score_photograph,
            todo,
            prepare=plan.worker_settings().opener(),
            on_lost=_lost,
            most=max(len(todo), 1),
        )
        failures = _Failures(plan.settings.max_failures)
        failures.count(plan.problems)
        stage = self._stage("scoring", unit="photograph", total=total, done=total - len(todo))
        with contextlib.closing(results), stage as bar:
            self._record(results, bar, failures)
        wanted = {photograph.key for photograph in plan.source}
        verdicts = select((row for row in ledger.rows() if row.photograph in wanted), plan.wish)
        if not any(verdict.verdict == "kept" for verdict in verdicts):
            raise DataError(
                f"{plan.settings.src}: none of {total:,} photographs could be used; "
                f"{plan.workspace.ledger} says why of each, of the first: {failures.first}"
            )
        ledger.set_verdicts(verdicts)
        return verdicts

    def _record(self, results: Iterable[list[Row]], bar: Stage, failures: "_Failures") -> None:
        """Write rows as they come, in batches; what was finished stays, however this ends."""
        batch: list[Row] = []
        committed = float("-inf")  # the first row is written at once: slow work is not lost
        try:
            for rows in results:
                batch += rows
                if time.monotonic() - committed >= _COMMIT_SECONDS:
                    self.ledger.add(batch)
                    batch.clear()
                    committed = time.monotonic()
                bar.advance()
                self.monitor.failures(rows)
                failures.count(rows)
        finally:
            self.ledger.add(batch)

    def _render(self, verdicts: Sequence[Verdict]) -> None:
        """Pass 2: a crop for every face that was kept and has none yet."""
        plan = self.plan
        kept = {verdict.key for verdict in verdicts if verdict.verdict == "kept"}
        missing = kept - plan.workspace.crops.keys()
        if not missing:
            return
        paths = {photograph.key: photograph.path for photograph in plan.source}
        tasks = (
            Render(row, paths[row.photograph]) for row in self.ledger.rows() if row.key in missing
        )
        rendered = self.engine.map(
            render_face,
            tasks,
            prepare=plan.worker_settings().opener(),
            on_lost=_refuse_lost,
            most=len(missing),
        )
        done = len(kept) - len(missing)
        stage = self._stage("rendering", unit="face", total=len(kept), done=done)
        with contextlib.closing(rendered), stage as bar:
            for _ in rendered:
                bar.advance()

    def _report(self, verdicts: Sequence[Verdict]) -> None:
        plan = self.plan
        write_table(plan.workspace.table, self.ledger)
        write_contact_sheet(
            plan.workspace.sheet,
            verdicts=verdicts,
            row_of=self.ledger.row,
            photographs={photograph.key: photograph.path for photograph in plan.source},
            worker=Worker(plan.worker_settings()),
            threads=plan.settings.processes,
        )

    def _publish(self, verdicts: Sequence[Verdict]) -> None:
        """Give the dataset its name, in one step."""
        plan, workspace = self.plan, self.plan.workspace
        made = workspace.crops.folder
        kept = sorted(verdict.key for verdict in verdicts if verdict.verdict == "kept")
        workspace.crops.keep_only(set(kept))
        pictures = len(kept) if plan.settings.output_format == "folder" else None
        if plan.settings.output_format == "folder":
            labels = format_labels([(f"{key}.png", None) for key in kept])
            atomic_write_bytes(made / LABELS_FILE, labels)
        else:
            made = workspace.packed
            self._pack(kept)
        selection = plan.settings.selection_facts()
        workspace.output.publish(made, selection=selection, pictures=pictures)

    def _pack(self, kept: Sequence[str]) -> None:
        """Put the crops into the format that is wanted, in the order of their keys."""
        packed, crops = self.plan.workspace.packed, self.plan.workspace.crops
        packed.parent.mkdir(exist_ok=True)
        with (
            self._stage("packing", unit="picture", total=len(kept), done=0) as bar,
            open_sink(packed, format=self.plan.settings.output_format, overwrite=True) as sink,
        ):
            for key in kept:
                sink.write_encoded(key, crops.read(key))
                bar.advance()


class _Failures:
    """Counts the photographs that failed, and stops the build when they are too many.

    A row of the table without a picture does not count: there is no photograph.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._failed = 0
        self.first = ""

    def count(self, rows: Iterable[Row]) -> None:
        """Take rows of any status; raise DataError beyond the bound."""
        for row in rows:
            if row.status == "failed":
                self.first = self.first or row.reason
                self._failed += row.category != "no picture"
        if self._most is not None and self._failed > self._most:
            raise DataError(
                f"{self._failed:,} photographs have failed, more than --max-failures "
                f"{self._most}; the first: {self.first}"
            )


def _lost(photograph: Photograph) -> list[Row]:
    why = "its worker died three times (out of memory, or a crash in a library)"
    reason = f"{photograph.path}: {why}"
    return [failed_row(photograph, "worker died", reason)]


def _refuse_lost(task: Render) -> str:
    raise DataError(
        f"{task.path}: its worker died three times while rendering, though not while scoring; "
        "use fewer --workers, and run the same command again"
    )

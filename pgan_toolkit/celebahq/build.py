"""The build: score every photograph, select, render what was selected, make the dataset visible.

Each step can be repeated: killed at any moment, the same call goes on and ends with the same
bytes. The ledger says what is scored, the workspace holds what is rendered, and the dataset
appears under its name in one step when it is complete.
"""

import contextlib
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TypeVar

from pgan_toolkit.celebahq.ledger import Ledger, Row, Verdict
from pgan_toolkit.celebahq.output import remove
from pgan_toolkit.celebahq.photographs import Photograph
from pgan_toolkit.celebahq.plan import BuildPlan, plan_build
from pgan_toolkit.celebahq.selection import select
from pgan_toolkit.celebahq.settings import BuildSettings
from pgan_toolkit.celebahq.sheet import write_contact_sheet
from pgan_toolkit.celebahq.summary import BuildSummary, summarize, write_table
from pgan_toolkit.celebahq.work import Render, Worker, failed_row, render_face, score_photograph
from pgan_toolkit.engines import ordered_map
from pgan_toolkit.errors import DataError
from pgan_toolkit.progress import Progress, ProgressMode
from pgan_toolkit.storage import LABELS_FILE, atomic_write_bytes, open_sink, read_file
from pgan_toolkit.storage.labels import format_labels

__all__ = ["build_dataset"]

Item = TypeVar("Item")
Value = TypeVar("Value")

_COMMIT_SECONDS = 0.25


def build_dataset(
    settings: BuildSettings, *, fresh: bool = False, mode: ProgressMode = "auto"
) -> BuildSummary:
    """Build the dataset, or go on with a build that was interrupted.

    Parameters
    ----------
    settings : BuildSettings
        What to do. What scores depend on must be as it was when the build began.
    fresh : bool
        Forget an earlier build into the same place, and remove what it made.
    mode : "auto" or "quiet"
        Whether progress is shown.

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
    workspace = plan.workspace
    with workspace.locked():
        if fresh:
            workspace.clear()
        finished = workspace.output.is_finished(settings.selection_facts())
        with Ledger(workspace.ledger) as ledger:
            plan.claim(ledger)
            resumed = len(ledger.scored_photographs() & {p.key for p in plan.source})
            if not finished:
                workspace.summary.unlink(missing_ok=True)
                verdicts = _score(plan, ledger, mode)
                _render(plan, ledger, verdicts, mode)
                _report(plan, ledger, verdicts)
                _publish(plan, verdicts, mode)
            remove(workspace.spool)
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


def _score(plan: BuildPlan, ledger: Ledger, mode: ProgressMode) -> list[Verdict]:
    """Pass 1: a row for every photograph; then the verdicts."""
    ledger.add(plan.problems)
    done = ledger.scored_photographs() | {row.photograph for row in plan.problems}
    todo = [photograph for photograph in plan.source if photograph.key not in done]
    results = _mapped(plan, score_photograph, todo, on_lost=_lost, most=max(len(todo), 1))
    failures = _Failures(plan.settings.max_failures)
    failures.count(plan.problems)
    total = len(plan.source)
    bar = Progress(total, label="scoring", unit="photograph", mode=mode, initial=total - len(todo))
    with contextlib.closing(results), bar:
        _record(ledger, results, bar, failures)
    wanted = {photograph.key for photograph in plan.source}
    verdicts = select((row for row in ledger.rows() if row.photograph in wanted), plan.wish)
    if not any(verdict.verdict == "kept" for verdict in verdicts):
        raise DataError(
            f"{plan.settings.src}: none of {total:,} photographs could be used; "
            f"{plan.workspace.ledger} says why of each, of the first: {failures.first}"
        )
    ledger.set_verdicts(verdicts)
    return verdicts


def _mapped(
    plan: BuildPlan,
    work: Callable[[Worker, Item], Value],
    items: Iterable[Item],
    *,
    on_lost: Callable[[Item], Value],
    most: int,
) -> Generator[Value, None, None]:
    """Work by processes, or by a process a GPU."""
    settings, prepare = plan.settings, plan.worker_settings().opener()
    if settings.pipeline == "device":
        from pgan_toolkit.celebahq.on_device import open_device_engine

        engine = open_device_engine(settings.device, workers=settings.processes)
        return engine.map(work, items, prepare=prepare, on_lost=on_lost, most=most)
    workers = min(settings.processes, most)
    return ordered_map(work, items, prepare=prepare, on_lost=on_lost, workers=workers)


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


def _record(
    ledger: Ledger, results: Iterable[list[Row]], bar: Progress, failures: _Failures
) -> None:
    """Write rows as they come, in batches; what was finished stays, however this ends."""
    batch: list[Row] = []
    committed = float("-inf")  # the first row is written at once: slow work is not lost
    try:
        for rows in results:
            batch += rows
            bar.advance()
            if time.monotonic() - committed >= _COMMIT_SECONDS:
                ledger.add(batch)
                batch.clear()
                committed = time.monotonic()
            failures.count(rows)
    finally:
        ledger.add(batch)


def _lost(photograph: Photograph) -> list[Row]:
    reason = f"{photograph.path}: its worker died twice (out of memory, or a crash in a library)"
    return [failed_row(photograph, "worker died", reason)]


def _render(
    plan: BuildPlan, ledger: Ledger, verdicts: Sequence[Verdict], mode: ProgressMode
) -> None:
    """Pass 2: a crop for every face that was kept and has none yet."""
    kept = {verdict.key for verdict in verdicts if verdict.verdict == "kept"}
    missing = kept - plan.workspace.spooled()
    if not missing:
        return
    paths = {photograph.key: photograph.path for photograph in plan.source}
    tasks = (Render(row, paths[row.photograph]) for row in ledger.rows() if row.key in missing)
    rendered = _mapped(plan, render_face, tasks, on_lost=_refuse_lost, most=len(missing))
    done = len(kept) - len(missing)
    bar = Progress(len(kept), label="rendering", unit="face", mode=mode, initial=done)
    with contextlib.closing(rendered), bar:
        for _ in rendered:
            bar.advance()


def _refuse_lost(task: Render) -> str:
    raise DataError(
        f"{task.path}: its worker died twice while rendering, though not while scoring; "
        "use fewer --workers, and run the same command again"
    )


def _report(plan: BuildPlan, ledger: Ledger, verdicts: Sequence[Verdict]) -> None:
    write_table(plan.workspace.table, ledger)
    write_contact_sheet(
        plan.workspace.sheet,
        verdicts=verdicts,
        row_of=ledger.row,
        photographs={photograph.key: photograph.path for photograph in plan.source},
        worker=Worker(plan.worker_settings()),
        threads=plan.settings.processes,
    )


def _publish(plan: BuildPlan, verdicts: Sequence[Verdict], mode: ProgressMode) -> None:
    """Give the dataset its name, in one step."""
    workspace, made = plan.workspace, plan.workspace.spool
    kept = sorted(verdict.key for verdict in verdicts if verdict.verdict == "kept")
    workspace.keep_only(set(kept))
    if plan.settings.output_format == "folder":
        labels = format_labels([(f"{key}.png", None) for key in kept])
        atomic_write_bytes(made / LABELS_FILE, labels)
    else:
        made = workspace.packed
        _pack(plan, kept, mode)
    workspace.output.publish(made, selection=plan.settings.selection_facts(), pictures=len(kept))


def _pack(plan: BuildPlan, kept: Sequence[str], mode: ProgressMode) -> None:
    """Put the crops into one file, in the order of their keys."""
    packed, spool = plan.workspace.packed, plan.workspace.spool
    with (
        Progress(len(kept), label="packing", unit="picture", mode=mode) as bar,
        open_sink(packed, format=plan.settings.output_format, overwrite=True) as sink,
    ):
        for key in kept:
            sink.write_encoded(key, read_file(spool / f"{key}.png"))
            bar.advance()

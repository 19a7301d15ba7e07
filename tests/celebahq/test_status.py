"""What others see of a build while it runs, when it was stopped and when it is done."""

import json
import sqlite3
import threading
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pgan_toolkit.celebahq import BuildSettings, BuildStatus, build_dataset, read_status
from pgan_toolkit.engines import LocalEngine
from pgan_toolkit.errors import DataError, SetupError

FAILED = 8


class _Watched(LocalEngine):
    """Reads the status after so many results, in the middle of a build; may stop it there."""

    def __init__(self, out: Path, at: int, *, stops: bool = False) -> None:
        super().__init__(1)
        self._out, self._at, self._stops = out, at, stops
        self.seen: list[BuildStatus] = []

    def map(self, *arguments: Any, **options: Any) -> Generator[Any, None, None]:
        for number, result in enumerate(super().map(*arguments, **options)):
            if number == self._at:
                reader = threading.Thread(target=lambda: self.seen.append(read_status(self._out)))
                reader.start()
                reader.join()
                if self._stops:
                    raise KeyboardInterrupt
            yield result


def _settings(samples: Path, out: Path) -> BuildSettings:
    return BuildSettings(src=samples, out=out, count=10, size=64, workers=1, restorer="lanczos")


def _built(samples: Path, tmp_path: Path, **options) -> Path:
    out = tmp_path / "hq"
    build_dataset(_settings(samples, out), mode="quiet", **options)
    return out


def test_a_build_at_work_is_seen(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgan_toolkit.celebahq.build._COMMIT_SECONDS", 0.0)
    monkeypatch.setattr("pgan_toolkit.celebahq.monitor._TELL_S", 0.0)
    engine = _Watched(tmp_path / "hq", 6)
    _built(samples, tmp_path, engine=engine)
    scoring, rendering = engine.seen
    assert (scoring.state, scoring.stage, rendering.stage) == ("running", "scoring", "rendering")
    assert scoring.scored + scoring.failed >= 6
    assert scoring.waiting == scoring.photographs - scoring.scored - scoring.failed > 0
    assert scoring.per_second
    assert scoring.seconds_left == pytest.approx(
        (scoring.total - scoring.done) / scoring.per_second
    )
    assert (rendering.done, rendering.total) == (6, 10)
    assert rendering.verdicts["kept"] == 10
    assert rendering.failed == FAILED == sum(rendering.failures.values())
    assert rendering.failures["no picture"] == 1


def test_a_stopped_and_a_finished_build_are_told_apart(samples: Path, tmp_path: Path) -> None:
    out = tmp_path / "hq"
    with pytest.raises(KeyboardInterrupt):
        _built(samples, tmp_path, engine=_Watched(out, 4, stops=True))
    stopped = read_status(out)
    assert (stopped.state, stopped.seconds_left, stopped.verdicts) == ("stopped", None, {})
    assert stopped.scored > 0
    assert "stopped" in stopped.to_text()
    _built(samples, tmp_path)
    finished = read_status(out)
    assert (finished.state, finished.waiting) == ("finished", 0)
    assert finished.verdicts["kept"] == 10
    assert json.loads(finished.to_json())["failed"] == FAILED
    assert "1 no picture" in finished.to_text()


def test_reading_changes_nothing(samples: Path, tmp_path: Path) -> None:
    out = _built(samples, tmp_path)
    before = {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in tmp_path.rglob("*")}
    read_status(out)
    assert {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in tmp_path.rglob("*")} == before


def test_where_nothing_was_begun_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no build into .*hq was begun here"):
        read_status(tmp_path / "hq")
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_of_before_has_its_numbers(samples: Path, tmp_path: Path) -> None:
    out = _built(samples, tmp_path)
    with sqlite3.connect(tmp_path / "hq.build" / "ledger.sqlite") as connection:
        connection.execute("DELETE FROM facts WHERE name = 'progress'")
    connection.close()
    found = read_status(out)
    assert (found.stage, found.updated_s, found.failed) == ("", None, FAILED)


def test_the_log_tells_what_happened_in_json_lines(samples: Path, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "build.jsonl"
    out = tmp_path / "hq"
    with pytest.raises(KeyboardInterrupt):
        _built(samples, tmp_path, engine=_Watched(out, 4, stops=True), log=log)
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert events[0]["event"] == "build_begun"
    assert events[-1] | {"time": ""} == {
        "time": "", "event": "build_stopped", "reason": "KeyboardInterrupt",
    }  # fmt: skip
    _built(samples, tmp_path, log=log)
    more = [json.loads(line) for line in log.read_text().splitlines()][len(events) :]
    assert more[-1]["event"] == "build_ended"
    failed = [event for event in more if event["event"] == "photograph_failed"]
    assert len(failed) == FAILED
    assert all(event["reason"] and event["category"] and event["key"] for event in failed)
    stages = [event["stage"] for event in more if event["event"] == "stage_ended"]
    assert stages == ["scoring", "rendering"]


def test_the_metrics_are_what_prometheus_reads(samples: Path, tmp_path: Path) -> None:
    metrics = tmp_path / "textfile" / "build.prom"
    _built(samples, tmp_path, metrics_file=metrics)
    families = {f.name: f for f in text_string_to_metric_families(metrics.read_text())}
    assert all(family.type == "gauge" and family.documentation for family in families.values())
    by_status = {
        sample.labels["status"]: sample.value
        for sample in families["pgan_toolkit_build_photographs"].samples
    }
    assert by_status["failed"] == FAILED
    assert by_status["waiting"] == 0
    [done] = families["pgan_toolkit_build_stage_done"].samples
    assert (done.labels, done.value) == ({"stage": "rendering"}, 10)
    failures = families["pgan_toolkit_build_failures"].samples
    assert {s.labels["category"]: s.value for s in failures}["no picture"] == 1
    assert [path.name for path in metrics.parent.iterdir()] == ["build.prom"]


@pytest.mark.parametrize("option", ["log", "metrics_file"])
def test_a_file_that_cannot_be_written_stops_the_build_and_is_named(
    samples: Path, tmp_path: Path, option: str
) -> None:
    (tmp_path / "file").write_text("")
    place = tmp_path / "file" / "below"
    with pytest.raises(SetupError, match="file/below: cannot be written"):
        _built(samples, tmp_path, **{option: place})


def test_the_settings_say_nothing_of_where_it_is_told(samples: Path, tmp_path: Path) -> None:
    """A build goes on with other logs, and its bytes are the same."""
    one = _built(samples, tmp_path, log=tmp_path / "a.jsonl", metrics_file=tmp_path / "a.prom")
    two = tmp_path / "two"
    build_dataset(replace(_settings(samples, one), out=two), mode="quiet")
    assert {p.name: p.read_bytes() for p in one.iterdir()} == {
        p.name: p.read_bytes() for p in two.iterdir()
    }

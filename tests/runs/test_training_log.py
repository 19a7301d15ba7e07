import json
import math
from pathlib import Path

import pytest
import torch

from pgan_toolkit.runs import TrainingLog


def _rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_losses_are_averaged_between_rows(tmp_path: Path) -> None:
    with TrainingLog(tmp_path / "log", resumed_at=0) as log:
        log.add({"loss": 1.0, "only": 5.0})
        log.add({"loss": torch.tensor(3.0)})
        log.write(log.means(), at=2)
        log.add({"loss": 7.0})
        log.write({**log.means(), "name": "fade"}, at=3)
    first, second = _rows(tmp_path / "log")
    assert (first["step"], first["loss"], first["only"]) == (2, 2.0, 5.0)
    assert (second["step"], second["loss"], second["name"]) == (3, 7.0, "fade")
    assert "only" not in second
    assert float(str(first["steps_per_s"])) > 0


@pytest.mark.parametrize("key", ["step", "kimg"])
def test_rows_that_will_be_written_anew_are_dropped(tmp_path: Path, key: str) -> None:
    path = tmp_path / "log"
    with TrainingLog(path, resumed_at=0, key=key) as log:  # type: ignore[arg-type]
        for at in (1.5, 3.0, 4.5):
            log.write({"x": at}, at=at)
    with path.open("ab") as file:
        file.write(b'[1]\n{"other": 1}\n\xff\xfe\n{"' + key.encode() + b'": 4.6, "lo')
    with TrainingLog(path, resumed_at=3.0, key=key) as log:  # type: ignore[arg-type]
        log.write({"x": 0.0}, at=4.0)
    assert _rows(path) == [{key: 1.5, "x": 1.5}, {key: 3.0, "x": 3.0}, {key: 4.0, "x": 0.0}]


def test_a_new_run_begins_an_empty_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_text('{"step": 0}\n')
    with TrainingLog(tmp_path / "log", resumed_at=0):
        pass
    assert (tmp_path / "log").read_text() == ""


def test_what_is_no_number_is_null(tmp_path: Path) -> None:
    with TrainingLog(tmp_path / "log", resumed_at=0) as log:
        log.add({"loss": math.nan})
        log.write({**log.means(), "most": math.inf, "none": None}, at=1)
    (row,) = _rows(tmp_path / "log")
    assert (row["loss"], row["most"], row["none"]) == (None, None, None)


def test_curves_of_kimg_are_drawn_over_images(tmp_path: Path) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

    with TrainingLog(tmp_path / "log", resumed_at=0, key="kimg", curves=tmp_path / "tb") as log:
        log.write({"loss": 0.5, "phase": "fade", "none": None}, at=0.064)
        log.write({"loss": 0.25}, at=1.5)
    found = events.EventAccumulator(str(tmp_path / "tb"))
    found.Reload()
    assert found.Tags()["scalars"] == ["loss"]
    assert [(one.step, one.value) for one in found.Scalars("loss")] == [(64, 0.5), (1500, 0.25)]

"""What a run writes while it goes: measurements, grids, its log, its speed."""

import itertools
import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_trainings import at_step, rows, tiny_settings, trained, write_reals

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.imaging import decode_image
from pgan_toolkit.metrics import MsSsim, SwdStatistics
from pgan_toolkit.storage import Record, open_sink, open_source
from reference_trainer.configuration import OutputSettings
from reference_trainer.runs import RunFolder, read_data_facts, read_saved
from reference_trainer.sampling import grid_picture, open_sampler
from reference_trainer.training.latents import Draws
from reference_trainer.training.measurements import Measurements, check_measurable
from reference_trainer.training.position import is_due
from reference_trainer.training.reporting import Reporter


@pytest.fixture(scope="module")
def reals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reals(tmp_path_factory.mktemp("data") / "reals")


@pytest.fixture(scope="module")
def run(reals: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Measured amid a fade and at its end. Not to be changed."""
    settings = tiny_settings(
        "metrics_kimg=0.112",
        "metrics_images=12",
        "keep_checkpoints=9",
        "grid=8x3",
        "tick_kimg=0.04",
    )
    return trained(settings, reals, tmp_path_factory.mktemp("done") / "run")


def test_log_rows_say_where_the_run_is(run: RunFolder) -> None:
    found = rows(run.log)
    assert [row["kimg"] for row in found] == [0.04, 0.08, 0.104, 0.112, 0.12, 0.16]
    assert [row["resolution"] for row in found] == [4, 8, 8, 16, 16, 16]
    assert [row["minibatch_size"] for row in found] == [8] * 6
    expected = {"kimg", "lod", "alpha", "learning_rate", "d_loss", "d_real", "d_fake", "g_loss",
                "penalty", "gradient_norm", "resolution", "minibatch_size"}  # fmt: skip
    assert all(set(row) == expected for row in found)


def test_reals_are_shown_though_fewer_than_the_grid_has_cells(run: RunFolder, reals: Path) -> None:
    page = decode_image(run.reals.read_bytes(), name="reals.png")
    assert page.shape == (3 * 16, 8 * 16, 3)
    source = open_source(reals)
    assert np.array_equal(page[:16, 16:32], source[1].image)
    assert np.array_equal(page[32:, 48:64], source[19].image)
    assert not page[32:, 64:].any()


def test_the_grid_amid_a_fade_is_what_the_checkpoint_draws(run: RunFolder) -> None:
    for kimg in (0.104, 0.16):
        sampler = open_sampler(run.path, checkpoint=run.checkpoint(kimg), device="cpu")
        page = grid_picture(sampler.of_seeds(range(24)), 8, 3)
        drawn = decode_image(run.fakes(kimg).read_bytes(), name="fakes")
        assert np.array_equal(page, drawn)


def test_a_measurement_is_kept_with_the_state_that_it_is_of(run: RunFolder) -> None:
    measured = rows(run.metrics)
    assert [row["kimg"] for row in measured] == [0.112, 0.16]
    for row in measured:
        scores = read_saved(run.checkpoint(row["kimg"])).state.scores
        assert scores == {"swd": row["swd"], "ms-ssim": row["ms-ssim"]}
        assert row["images"] == 12


@pytest.mark.parametrize("resolution", [4, 8, 16, 28, 32, 64])
def test_what_is_refused_is_what_the_metrics_refuse(resolution: int) -> None:
    images = torch.zeros(2, 3, resolution, resolution, dtype=torch.uint8)
    for name, metric in (("swd", SwdStatistics()), ("ms-ssim", MsSsim())):
        settings = OutputSettings(metrics_kimg=1, metrics=(name,))
        if resolution < 16:
            with pytest.raises(DataError):
                metric.update(images)
            with pytest.raises(UsageError, match=f"{name} takes .* metrics_kimg=0"):
                check_measurable(settings, resolution=resolution, pictures=9)
        else:
            metric.update(images)
            check_measurable(settings, resolution=resolution, pictures=9)
    modes = OutputSettings(metrics_kimg=1, metrics=("modes",))
    if resolution in (28, 32):
        check_measurable(modes, resolution=resolution, pictures=9)
    else:
        with pytest.raises(UsageError, match="modes are of stacked digits"):
            check_measurable(modes, resolution=resolution, pictures=9)


def test_nothing_is_refused_where_nothing_is_measured() -> None:
    off = OutputSettings(metrics_kimg=0, metrics=("swd", "modes"))
    check_measurable(off, resolution=4, pictures=1)
    with pytest.raises(UsageError, match="a real picture alone"):
        check_measurable(OutputSettings(metrics_kimg=1), resolution=16, pictures=1)


def test_images_are_no_more_than_there_are(reals: Path) -> None:
    def images(*metrics: str, count: int) -> int:
        settings = OutputSettings(metrics_images=count, metrics=metrics)
        measuring = Measurements(
            settings, source=open_source(reals), resolution=16, device=torch.device("cpu")
        )
        return measuring.images

    assert images("swd", "ms-ssim", count=64) == 20
    assert images("ms-ssim", count=64) == 64
    assert images("ms-ssim", count=60_000) == 50_000


def test_a_measurement_that_is_given_up_has_no_result(reals: Path) -> None:
    measuring = Measurements(
        OutputSettings(metrics_images=8),
        source=open_source(reals),
        resolution=16,
        device=torch.device("cpu"),
    )
    noise = torch.randint(256, (8, 3, 16, 16), dtype=torch.uint8)
    assert measuring.measure(lambda _: noise, given_up=lambda: True) is None
    found = measuring.measure(lambda _: noise)
    assert {name: result.images["fake"] for name, result in found.items()} == {
        "swd": 8, "ms-ssim": 8,
    }  # fmt: skip


def test_due_is_what_lies_behind() -> None:
    """Every 0.7 kimg, in steps of 64: once each, after the multiple is reached."""
    shown = [64 * step for step in range(1000)]
    due = [after for before, after in itertools.pairwise(shown)
           if is_due(0.7, before, after)]  # fmt: skip
    assert len(due) == shown[-1] // 700
    assert all(number * 700 <= after < number * 700 + 64 for number, after in enumerate(due, 1))


@pytest.mark.slow
def test_a_pause_does_not_count_in_the_speed(
    reals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*_: object, shown: int = 0) -> None:
        del shown
        time.sleep(1.0)

    monkeypatch.setattr(Reporter, "reals", slow)
    monkeypatch.setattr(Reporter, "pictures", slow)
    settings = tiny_settings("total_kimg=0.032", "tick_kimg=0.008", "picture_kimg=0.016")
    with at_step(3, lambda: time.sleep(0.5)):
        run = trained(settings, reals, tmp_path / "run")
    speeds = [json.loads(line)["sec_per_kimg"] for line in run.log.read_text().splitlines()]
    assert len(speeds) == 4
    assert speeds[3] > 0.5 / 0.008
    assert speeds[2] < 1.0 / 0.008  # the pause before it took longer


def test_without_metrics_nothing_is_measured(reals: Path, tmp_path: Path) -> None:
    settings = tiny_settings("total_kimg=0.016", "metrics_kimg=0.008", "metrics=[]")
    run = trained(settings, reals, tmp_path / "run")
    assert run.metrics.read_text() == ""


@pytest.mark.slow
def test_fakes_have_the_labels_of_reals_as_often(tmp_path: Path) -> None:
    data = tmp_path / "reals"
    with open_sink(data) as sink:
        for index in range(20):
            image = np.full((16, 16, 3), 12 * index, np.uint8)
            sink.write(Record(f"{index:04d}", image, 9 if index < 5 else 0))
    given: list[torch.Tensor] = []
    settings = tiny_settings("total_kimg=0.4", "growing=false", preset="smoke-conditional")
    draw = Draws.labels

    def noting(self, purpose, counts):
        given.append(draw(self, purpose, counts))
        return given[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Draws, "labels", noting)
        run = trained(settings, data, tmp_path / "run")
    labels = torch.cat(given)
    assert set(labels.tolist()) == {0, 9}
    assert (labels == 9).double().mean().item() == pytest.approx(0.25, abs=0.05)
    saved = read_saved(run.checkpoint(0.4))
    assert saved.data.label_counts == (15, 0, 0, 0, 0, 0, 0, 0, 0, 5)
    assert read_data_facts(run) == saved.data
    assert open_sampler(run.path, device="cpu").labels(range(3)).tolist() == [0, 9, 0]

"""The trainer's benchmark: its peer computes the same, its floor is counted, and it runs."""

import importlib
import json
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from pgan_toolkit.storage import open_source
from reference_trainer.configuration import RunSettings, load_preset, settings_toml
from reference_trainer.networks import Networks, build_networks, describe
from reference_trainer.reals import RealBatch
from reference_trainer.schedule import phase_at
from reference_trainer.training import World
from reference_trainer.training.step import TrainingStep

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
MNIST = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")


@pytest.fixture(autouse=True)
def _scripts_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def table2_at(resolution: int) -> tuple[RunSettings, Networks]:
    """The benchmark's networks as far as a resolution."""
    changes = [f"resolution={resolution}", f"first_resolution={resolution}", "minibatch_size=4"]
    settings = load_preset("celebahq-1024", changes=changes)
    return settings, build_networks(settings, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_the_plain_networks_compute_what_ours_do() -> None:
    from plain_trainer import (  # type: ignore[import-not-found]
        PlainDiscriminator,
        PlainGenerator,
    )

    _, ours = table2_at(8)
    generator, discriminator = PlainGenerator(8), PlainDiscriminator(8)
    for plain, network in (
        (generator, ours.generator),
        (discriminator, ours.discriminator),
    ):
        rows = [row for row in describe(network) if row.parameters]
        named = dict(network.named_parameters())
        weights = [named[f"{row.name}.{kind}"] for row in rows for kind in ("weight", "bias")]
        for mine, weight in zip(plain.parameters(), weights, strict=True):
            mine.copy_(weight + 0.01)  # so that biases count
            weight.add_(0.01)
    latents = torch.randn(6, 512, generator=torch.Generator().manual_seed(2))
    images = ours.generator(latents, resolution=8)
    torch.testing.assert_close(generator(latents), images, rtol=1e-4, atol=1e-5)
    scores = ours.discriminator(images).scores
    torch.testing.assert_close(discriminator(images), scores, rtol=1e-4, atol=1e-4)


def test_the_plain_step_trains() -> None:
    from plain_trainer import PlainStep

    torch.manual_seed(3)
    step = PlainStep(4, torch.device("cpu"))
    before = [weight.clone() for weight in step.g.parameters()]
    reals = torch.randint(0, 256, (4, 3, 4, 4), dtype=torch.uint8)
    d_losses = [float(step.run(reals)[0]) for _ in range(3)]
    assert np.isfinite(d_losses).all()
    assert d_losses[-1] < d_losses[0]
    assert all((old != new).any() for old, new in zip(before, step.g.parameters(), strict=True))


class _Counting(TorchDispatchMode):
    """Counts floating-point operations as PyTorch's own counter does."""

    flops = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.flops += count(*args, **(kwargs or {}), out_val=made)
        return made


def test_the_floors_multiply_adds_are_those_of_a_step() -> None:
    from trainer_speed import multiply_adds_of_a_real  # type: ignore[import-not-found]

    settings, networks = table2_at(8)
    step = TrainingStep(networks, settings, world=World())
    reals = RealBatch(torch.zeros(4, 3, 8, 8, dtype=torch.uint8), None)
    with _Counting() as counting:
        step.run(phase_at(0, settings), step=0, reals=lambda: reals)
    assert counting.flops / 2 / 4 == pytest.approx(multiply_adds_of_a_real(8), rel=0.005)


@pytest.mark.slow
def test_speed_is_measured(tmp_path: Path) -> None:
    words = ["--sizes", "4", "--seconds", "0.01", "--minibatch-size", "2", "--json", "a.json"]
    script = str(BENCHMARKS / "trainer.py")
    subprocess.run(
        [sys.executable, script, "speed", *words], cwd=tmp_path, check=True, capture_output=True
    )
    result = json.loads((tmp_path / "a.json").read_text())
    (row,) = result["by_resolution"]
    assert row["resolution"] == 4
    assert {"plain", "float32"} <= set(row["seconds_per_kimg"])
    assert 0 < row["floor_seconds_per_kimg"]["float32"] < row["seconds_per_kimg"]["float32"]
    for each in result["measurements"]:
        assert each["minibatch_size"] == 2
        assert each["peak_mib"] >= each["peak_mib_before"] > 0


def test_faces_are_cut_out_and_halved(tmp_path: Path) -> None:
    from trainer_learning import cropped_faces  # type: ignore[import-not-found]

    values = np.random.default_rng(0).integers(0, 256, (109, 89, 3), np.uint8)
    (tmp_path / "a").mkdir()
    PIL.Image.fromarray(values).save(tmp_path / "a" / "x.png")
    (face,) = cropped_faces(tmp_path / "a")
    means = values[28:92, 12:76].reshape(32, 2, 32, 2, 3).mean((1, 3))
    assert face.image.shape == (32, 32, 3)
    assert np.abs(face.image - means).max() <= 0.5


@pytest.mark.parametrize("what", ["faces", "digits"])
def test_learning_runs_the_public_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    trainer: Any = importlib.import_module("trainer")
    import trainer_learning

    commands: list[list[str]] = []
    monkeypatch.setattr(trainer_learning, "STACKED", 40)
    monkeypatch.setattr(
        trainer_learning.subprocess, "run", lambda words, check: commands.append(words)
    )
    _write_sources(tmp_path)
    place = {"faces": "--photos", "digits": "--mnist"}[what]
    words = ["learn", what, place, str(tmp_path / what), "--out", str(tmp_path / "work")]
    for _ in range(2):
        monkeypatch.setattr(sys, "argv", ["trainer.py", *words, "--kimg", "3"])
        trainer.main()
        (tmp_path / "work" / "run").mkdir(exist_ok=True)
    first, second = commands
    assert first[1:4] == ["-m", "pgan_cli", "train"]
    given = dict(zip(first[4::2], first[5::2], strict=True))
    assert given["--out"] == str(tmp_path / "work" / "run")
    changes = [word for option, word in pairwise(first) if option == "--set"]
    settings = load_preset(given["--preset"], changes=changes)
    assert settings.schedule.total_kimg == 3
    pictures = open_source(Path(given["--data"]))
    assert {record.image.shape for record in pictures} == {(settings.data.resolution,) * 2 + (3,)}
    assert second[4:6] == ["--resume", given["--out"]]


def _write_sources(folder: Path) -> None:
    (folder / "faces").mkdir()
    PIL.Image.new("RGB", (89, 109)).save(folder / "faces" / "x.png")
    (folder / "digits").mkdir()
    images, labels = np.zeros((5, 28, 28), np.uint8), np.arange(5, dtype=np.uint8)
    for name, values in zip(MNIST, (images, labels), strict=True):
        sizes = np.array(values.shape, ">i4").tobytes()
        (folder / "digits" / name).write_bytes(
            bytes([0, 0, 8, values.ndim]) + sizes + values.tobytes()
        )


@pytest.mark.parametrize(
    ("preset", "names"),
    [("faces-32-cpu", ("swd", "ms-ssim")), ("smoke-mnist", ("modes", "modes/kl"))],
)
def test_what_a_run_measured_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preset: str, names: tuple[str, ...]
) -> None:
    trainer: Any = importlib.import_module("trainer")

    (tmp_path / "settings.toml").write_text(settings_toml(load_preset(preset)))
    rows = [{"kimg": kimg, "resolution": 8} | dict.fromkeys(names, 1 / kimg) for kimg in (20, 90)]
    (tmp_path / "metrics.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    monkeypatch.setattr(
        sys, "argv", ["trainer.py", "plot", str(tmp_path), "--out", str(tmp_path / "a.png")]
    )
    trainer.main()
    with PIL.Image.open(tmp_path / "a.png") as drawn:
        assert drawn.format == "PNG"
        assert drawn.height == round(120 * 2.6 * len(names))
        assert len(np.unique(np.asarray(drawn.convert("L")))) > 20


def test_turns_alternate_and_the_least_time_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    from trainer_turns import least_times  # type: ignore[import-not-found]

    clock, order = [0.0], []
    costs = {"a": iter([9.0, 3.0, 2.0, 5.0]), "b": iter([9.0, 1.0, 4.0, 4.0])}

    def step(name: str) -> None:
        order.append(name)
        clock[0] += next(costs[name])

    monkeypatch.setattr("time.process_time", lambda: clock[0])
    found = least_times({name: lambda name=name: step(name) for name in costs}, turns=3)
    assert found == {"a": 2.0, "b": 1.0}
    assert "".join(order) == "abababab"

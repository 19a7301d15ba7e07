"""The presets: each loads, and holds the numbers of the paper or of the authors' program."""

import subprocess
import sys
from pathlib import Path

import pytest

from reference_trainer.configuration import (
    RunSettings,
    load_preset,
    preset_names,
    preset_summaries,
    read_settings,
    settings_toml,
)

SIZES = (1024, 512, 256, 128)
ROWS = ("a", "b", "c", "d", "e-star", "e", "f", "g", "h")
MNIST_ROWS = ("gan", "wgan-gp", "ournorm", "mbstd", "progression")

EXPECTED_NAMES = {
    *(f"celebahq-{size}{gpus}" for size in SIZES
      for gpus in ("", "-1gpu", "-2gpu", "-4gpu", "-8gpu")),
    *(f"table1-{row}{variant}" for row in ROWS for variant in ("", "-program")),
    *(f"mnist1k-{part}-{row}" for part in ("half", "quarter") for row in MNIST_ROWS),
    *(f"mnist1k-{part}-{row}-pacgan" for part in ("half", "quarter") for row in MNIST_ROWS[:-1]),
    "lsun-256", "lsun-256-program", "lsgan-1024", "lsgan-1024-program", "cifar10",
    "faces-32-cpu", "smoke", "smoke-conditional", "smoke-mnist",
}  # fmt: skip


def test_there_are_these_presets() -> None:
    assert set(preset_names()) == EXPECTED_NAMES
    assert len(preset_names()) == len(EXPECTED_NAMES)


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_reads_back_equal(name: str, tmp_path: Path) -> None:
    settings = load_preset(name)
    path = tmp_path / "settings.toml"
    path.write_text(settings_toml(settings))
    assert settings.preset == name
    assert read_settings(path) == settings


@pytest.mark.parametrize("name", preset_names())
def test_a_growing_preset_reaches_its_last_resolution(name: str) -> None:
    settings = load_preset(name)
    schedule = settings.schedule
    if schedule.growing:
        doublings = settings.data.resolution.bit_length() - schedule.first_resolution.bit_length()
        grown = doublings * (schedule.stable_kimg + schedule.fade_kimg)
        assert grown < schedule.total_kimg


def test_summaries_are_single_distinct_lines() -> None:
    summaries = preset_summaries()
    assert tuple(summaries) == preset_names()
    assert all(0 < len(line) <= 90 and "\n" not in line for line in summaries.values())
    assert len(set(summaries.values())) == len(summaries)


def test_the_names_are_had_without_torch() -> None:
    code = (
        "import sys; from reference_trainer.configuration import preset_summaries as s; s()\n"
        "print(*({'torch', 'numpy', 'cv2', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


PAPER_SIZES = {256: 14, 512: 6, 1024: 3}
TABLES: dict[str, tuple[int, int, dict[int, int], dict[int, float]]] = {
    "": (1, 16, PAPER_SIZES, {}),
    "-1gpu": (1, 4, {4: 128, 8: 128, 16: 128, 32: 64, 64: 32, 128: 16, 256: 8, 512: 4},
              {1024: 0.0015}),
    "-2gpu": (2, 8, {4: 256, 8: 256, 16: 128, 32: 64, 64: 32, 128: 16, 256: 8},
              {512: 0.0015, 1024: 0.002}),
    "-4gpu": (4, 16, {4: 512, 8: 256, 16: 128, 32: 64, 64: 32, 128: 16},
              {256: 0.0015, 512: 0.002, 1024: 0.003}),
    "-8gpu": (8, 32, {4: 512, 8: 256, 16: 128, 32: 64, 64: 32},
              {128: 0.0015, 256: 0.002, 512: 0.003, 1024: 0.003}),
}  # fmt: skip
"""GPUs, minibatch, minibatches at resolutions, learning rates at resolutions."""


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("variant", TABLES)
def test_celebahq(size: int, variant: str) -> None:
    settings = load_preset(f"celebahq-{size}{variant}")
    gpus, minibatch, sizes, rates = TABLES[variant]
    assert (settings.gpus, settings.schedule.minibatch_size) == (gpus, minibatch)
    assert settings.schedule.minibatch_sizes == sizes
    assert settings.optimization.learning_rates == rates
    assert settings.optimization.learning_rate == 0.001
    assert (settings.data.resolution, settings.data.mirror) == (size, True)
    assert _maps(settings) == (8192, 512, 8192, 512)
    assert _adam(settings) == (0.0, 0.99, 1e-8)
    halvings = SIZES.index(size)
    if variant:
        assert _phases(settings) == (600, 600, 12_000 - 1200 * halvings)
        assert settings.discriminator.stddev_group == 4
        assert settings.optimization.rampup_kimg == 0
    else:
        assert _phases(settings) == (800, 800, 19_000 - 1600 * halvings)
        assert settings.discriminator.stddev_group == 0
        assert settings.optimization.rampup_kimg == 40


def test_celebahq_learns_as_the_paper_says() -> None:
    settings = load_preset("celebahq-1024")
    loss = settings.loss
    assert (loss.loss, loss.penalty_weight, loss.penalty_target) == ("wgan-gp", 10, 1)
    assert (loss.drift, settings.optimization.ema_decay) == (0.001, 0.999)
    assert settings.optimization.discriminator_steps == 1
    assert settings.generator.latent_size == 512
    assert settings.generator.normalize_latents
    assert (settings.generator.leak, settings.generator.output) == (0.2, "linear")
    assert settings.schedule.first_resolution == 4
    assert settings.schedule.reset_adam


def test_lsun() -> None:
    paper, program = load_preset("lsun-256"), load_preset("lsun-256-program")
    assert paper.schedule.minibatch_sizes == {256: 14}
    assert program.schedule.minibatch_sizes == {}
    for settings in (paper, program):
        assert (settings.data.resolution, settings.data.mirror) == (256, True)
        assert _phases(settings) == (800, 800, 20_000)


@pytest.mark.parametrize("row", ROWS)
def test_table1_rows_share_what_the_table_does_not_change(row: str) -> None:
    paper, program = load_preset(f"table1-{row}"), load_preset(f"table1-{row}-program")
    total = 20_000 if row == "h" else 10_000
    assert paper.data.resolution == 128
    assert _phases(paper) == (600, 600, total)
    assert _phases(program) == (800, 800, total)
    assert paper.optimization.rampup_kimg == 0
    assert paper.schedule.minibatch_sizes == {}
    assert paper.schedule.growing == (row != "a")
    assert paper.loss == program.loss
    assert paper.generator == program.generator
    assert paper.discriminator == program.discriminator
    assert paper.optimization == program.optimization
    base = 8192 if row == "h" else 2048
    assert _maps(paper) == (base, 512, base, 512)


def test_table1_a_is_gulrajani() -> None:
    settings = load_preset("table1-a")
    assert _adam(settings) == (0.0, 0.9, 1e-8)
    assert settings.optimization.discriminator_steps == 5
    assert settings.optimization.learning_rate == 1e-4
    assert settings.schedule.minibatch_size == 64
    assert (settings.loss.drift, settings.loss.penalty_weight) == (0, 10)
    generator, judge = settings.generator, settings.discriminator
    assert (generator.latent_size, generator.normalize_latents) == (128, False)
    assert (generator.g_activation, generator.g_normalization) == ("relu", "batch")
    assert (generator.output, generator.weight_scaling) == ("tanh", "he")
    assert (judge.d_normalization, judge.minibatch_statistic) == ("layer", "none")


STEPS: dict[str, dict[str, object]] = {
    "a b": {"growing": True},
    "b c": {"minibatch_size": 16, "ema_decay": pytest.approx(0.999**5, abs=1e-8)},
    "c d": {"discriminator_steps": 1, "beta2": 0.99, "g_normalization": "none",
            "d_normalization": "none", "g_activation": "leaky_relu", "output": "linear",
            "latent_size": 512, "normalize_latents": True, "drift": 0.001, "ema_decay": 0.999},
    "d e-star": {"minibatch_statistic": "discrimination"},
    "d e": {"minibatch_statistic": "stddev", "stddev_group": 0},
    "e f": {"weight_scaling": "equalized", "learning_rate": 0.001},
    "f g": {"g_normalization": "pixel"},
    "g h": {"g_map_base": 8192, "d_map_base": 8192, "total_kimg": 20_000},
}  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_each_row_of_table1_changes_this_alone(step: str) -> None:
    before, after = (_flat(load_preset(f"table1-{row}")) for row in step.split())
    changed = {name: value for name, value in after.items() if before[name] != value}
    del changed["preset"]
    assert changed == STEPS[step]


def test_table1_a_averages_over_as_many_reals_as_the_others() -> None:
    # 5 steps of D with 64 reals for one of G, against 1 with 16
    assert load_preset("table1-a").optimization.ema_decay == pytest.approx(0.999**20, abs=1e-8)


def test_lsgan() -> None:
    paper, program = load_preset("lsgan-1024"), load_preset("lsgan-1024-program")
    assert (paper.discriminator.noise_signal, program.discriminator.noise_signal) == (
        "output", "loss",
    )  # fmt: skip
    assert (paper.loss.fake_weight, program.loss.fake_weight) == (1, 0.1)
    for settings in (paper, program):
        assert (settings.loss.loss, settings.loss.drift) == ("lsgan", 0)
        assert settings.discriminator.noise == 0.2
        assert settings.data.resolution == 1024
        assert settings.schedule == load_preset("celebahq-1024").schedule


def test_cifar10() -> None:
    settings = load_preset("cifar10")
    assert (settings.data.resolution, settings.data.mirror) == (32, False)
    assert (settings.loss.penalty_target, settings.loss.penalty_weight) == (750, 10)
    assert _phases(settings) == (400, 400, 20_000)
    assert settings.optimization.joint_update
    assert settings.optimization.rampup_kimg == 0
    assert settings.generator.latent_size == 128
    assert [_maps_at(settings, resolution) for resolution in (4, 8, 16, 32)] == [(128, 128)] * 4


MNIST = [name for name in preset_names() if name.startswith("mnist1k-")]


@pytest.mark.parametrize("name", MNIST)
def test_mnist1k_maps(name: str) -> None:
    settings = load_preset(name)
    judged = [_maps_at(settings, resolution)[1] for resolution in (32, 16, 8)]
    generated = [_maps_at(settings, resolution)[0] for resolution in (4, 8, 16, 32)]
    assert judged == ([4, 8, 16] if "half" in name else [2, 4, 8])
    assert generated == [64, 32, 16, 8]
    assert (settings.generator.leak, settings.generator.output) == (0.3, "tanh")
    assert not settings.data.mirror
    strided = name.endswith("-pacgan")
    assert settings.data.resolution == (28 if strided else 32)
    assert settings.generator.architecture == ("mnist-strided" if strided else "mnist-pooled")
    assert settings.generator.latent_size == (256 if strided else 64)
    assert settings.generator.normalize_latents is not strided


@pytest.mark.parametrize("name", [name for name in MNIST if "-gan" not in name])
def test_mnist1k_learns_as_the_program(name: str) -> None:
    settings = load_preset(name)
    optimization, loss = settings.optimization, settings.loss
    assert (loss.loss, loss.penalty_weight, loss.drift) == ("wgan-gp", 10, 0)
    assert (optimization.discriminator_steps, optimization.learning_rate) == (5, 0.001)
    assert _adam(settings) == (0, 0.99, 1e-8)
    assert (optimization.rampup_kimg, settings.schedule.minibatch_size) == (40, 64)
    if "progression" in name:
        assert settings.schedule.growing
        assert _phases(settings) == (500, 2000, 15_000)
    else:
        assert not settings.schedule.growing
        assert settings.schedule.total_kimg == 10_000


MNIST_NORMS = {
    "gan": ("batch", "batch", "he", "none"),
    "wgan-gp": ("batch", "batch", "he", "none"),
    "ournorm": ("pixel", "none", "equalized", "none"),
    "mbstd": ("pixel", "none", "equalized", "stddev"),
    "progression": ("pixel", "none", "equalized", "stddev"),
}


@pytest.mark.parametrize("name", MNIST)
def test_mnist1k_rows(name: str) -> None:
    settings = load_preset(name)
    row = name.removesuffix("-pacgan").split("-", 2)[2]
    assert MNIST_NORMS[row] == (
        settings.generator.g_normalization, settings.discriminator.d_normalization,
        settings.generator.weight_scaling, settings.discriminator.minibatch_statistic,
    )  # fmt: skip
    assert settings.discriminator.stddev_group == 0


@pytest.mark.parametrize("name", [name for name in MNIST if "-gan" in name])
def test_mnist1k_baseline(name: str) -> None:
    settings = load_preset(name)
    assert settings.loss.loss == "gan"
    assert settings.optimization.discriminator_steps == 1
    assert settings.optimization.learning_rate == 2e-4
    assert _adam(settings) == (0.5, 0.99, 1e-8)


def test_faces_on_a_cpu_grow_in_a_small_network() -> None:
    settings = load_preset("faces-32-cpu")
    assert (settings.data.resolution, settings.schedule.growing) == (32, True)
    assert _phases(settings) == (20, 20, 260)
    assert [_maps_at(settings, resolution) for resolution in (4, 8, 16, 32)] == [(64, 64)] * 4
    assert (settings.optimization.learning_rate, settings.optimization.precision) == (
        0.002, "bfloat16",
    )  # fmt: skip
    assert settings.loss == load_preset("celebahq-128").loss


def test_smoke_presets_are_short() -> None:
    for name in ("smoke", "smoke-conditional", "smoke-mnist"):
        settings = load_preset(name)
        assert settings.schedule.total_kimg <= 1
        assert settings.data.resolution <= 32
        assert settings.output.metrics_images <= 64
    assert load_preset("smoke-conditional").data.conditional


def _phases(settings: RunSettings) -> tuple[float, float, float]:
    schedule = settings.schedule
    return schedule.stable_kimg, schedule.fade_kimg, schedule.total_kimg


def _maps(settings: RunSettings) -> tuple[int, int, int, int]:
    generator, judge = settings.generator, settings.discriminator
    return generator.g_map_base, generator.g_map_most, judge.d_map_base, judge.d_map_most


def _maps_at(settings: RunSettings, resolution: int) -> tuple[int, int]:
    """Of G and of D, by the formula of the settings."""
    base_g, most_g, base_d, most_d = _maps(settings)
    power = 2 ** (resolution.bit_length() - 2)
    return min(base_g // power, most_g), min(base_d // power, most_d)


def _adam(settings: RunSettings) -> tuple[float, float, float]:
    optimization = settings.optimization
    return optimization.beta1, optimization.beta2, optimization.epsilon


def _flat(settings: RunSettings) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in vars(settings).items():
        found.update(vars(value) if hasattr(value, "__dataclass_fields__") else {name: value})
    return found

"""`pgan-toolkit train`: its options, and that other commands take what it leaves."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from command_line import Outcome, run_main
from picture_sets import pictures, write_set

from reference_trainer.configuration import load_preset, preset_names
from reference_trainer.runs import RunFolder, newest_checkpoint

SHORT = [
    word
    for change in (
        "total_kimg=0.12", "stable_kimg=0.024", "fade_kimg=0.024", "tick_kimg=0.04",
        "checkpoint_kimg=0.12", "picture_kimg=0.12", "metrics_images=16",
    )
    for word in ("--set", change)
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGAN_TOOLKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def reals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("data") / "reals", pictures(0, 24, size=16))


def train(*words: object) -> Outcome:
    return run_main("train", *words)


@pytest.fixture(scope="module")
def run(reals: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was made by the command. Not to be changed."""
    out = tmp_path_factory.mktemp("runs") / "run"
    done = train(
        "--preset", "smoke", "--data", reals, "--out", out, "--device", "cpu", "--tensorboard",
        "--quiet", *SHORT,
    )  # fmt: skip
    assert done == (0, "", "")
    return out


def test_presets_are_listed() -> None:
    done = train("--list-presets")
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()] == list(preset_names())


def test_the_printed_settings_are_a_preset(tmp_path: Path) -> None:
    words = ["--preset", "table1-g", "--set", "total_kimg=2000", "--set", "minibatch_sizes.64=8"]
    done = train(*words, "--print-config")
    assert done.code == 0
    assert tomllib.loads(done.out)["schedule"]["total_kimg"] == 2000
    path = tmp_path / "mine.toml"
    path.write_text(done.out)
    changes = ["total_kimg=2000", "minibatch_sizes.64=8"]
    assert load_preset(str(path)) == load_preset("table1-g", changes=changes)
    assert train("--preset", path, "--print-config").out == done.out


def test_a_dry_run_says_what_would_happen_and_writes_nothing(
    reals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGAN_TOOLKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    plain = train("--preset", "smoke", "--dry-run")
    assert plain.code == 0, plain.err
    assert "0.2 - 0.4  8x8         fading in  8" in plain.out
    assert "\nG: " in plain.out
    words = ["--preset", "smoke", "--data", reals, "--out", "new", "--device", "cpu", "--dry-run"]
    whole = train(*words)
    assert whole.code == 0, whole.err
    assert whole.out == f"{reals}: 24 pictures, 0 labels\n{plain.out}"
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_finds_what_a_run_would(reals: Path, run: Path) -> None:
    words = ["--preset", "smoke", "--data", reals, "--dry-run", "--device", "cpu"]
    assert train(*words, "--set", "minibatch_size=32").code == 3
    taken = train(*words, "--out", run)
    assert (taken.code, "holds a run" in taken.err) == (2, True)
    labels = train("--preset", "smoke-conditional", "--dry-run")
    assert (labels.code, "--data" in labels.err) == (2, True)
    again = train("--resume", run, "--dry-run", "--device", "cpu")
    assert (again.code, again.out.splitlines()[0]) == (0, f"{reals}: 24 pictures, 0 labels")


def test_a_dry_run_of_a_resume_looks_at_the_checkpoint(
    reals: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--resume", run, "--dry-run", "--device", "cpu", "--no-cache"]

    def decoding(*_: object, **__: object) -> None:
        raise AssertionError("a plan decodes no picture")

    monkeypatch.setattr("reference_trainer.reals.squares.SquareReader.read", decoding)
    plain = train(*words)
    assert plain.code == 0, plain.err
    newest = newest_checkpoint(RunFolder(run))
    assert plain.out.splitlines()[1] == f"{newest}: goes on from there, 0.12 kimg"
    gone = train(*words, "--checkpoint", tmp_path / "gone.safetensors")
    assert (gone.code, gone.out.count("G: "), "gone.safetensors" in gone.err) == (3, 0, True)
    changed = train(*words, "--set", "learning_rate=0.5")
    assert (changed.code, "learning_rate: 0.001, now 0.5" in changed.err) == (3, True)


def test_a_dry_run_of_networks_that_nothing_could_hold() -> None:
    done = train("--preset", "smoke", "--dry-run", "--set", "latent_size=100000000")
    assert done.code == 0, done.err
    assert re.search(r"^G: 25,600,0[0-9,]* parameters$", done.out, re.MULTILINE)


def test_a_profile_says_where_a_step_goes(
    reals: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    done = train(
        "--preset", "smoke", "--data", reals, "--device", "cpu", "--profile", "2", "--quiet"
    )
    assert done.code == 0, done.err
    assert done.out.startswith("16x16, minibatch 8, float32 on cpu: ")
    assert "s/kimg" in done.out.splitlines()[0]
    assert "waiting for pictures" in done.out.splitlines()[0]
    shares = re.findall(r"^ *([0-9.]+) %  (.+)$", done.out, re.MULTILINE)
    assert {"G", "gradient penalty", "fakes for D", "Adam"} < {name for _, name in shares}
    assert sum(float(share) for share, _ in shares) == pytest.approx(100, abs=1)
    assert "aten::" in done.out
    assert capfd.readouterr() == ("", "")  # nor does the tracer speak past Python
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_profile_may_be_longer_than_the_run(reals: Path) -> None:
    """All of its steps are of one phase, though the run would end, or a fade would."""
    done = train(
        "--preset", "smoke", "--data", reals, "--device", "cpu", "--profile", "5",
        "--set", "total_kimg=0.016", "--set", "stable_kimg=0.016", "--set", "fade_kimg=0.016",
        "--quiet",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert done.out.startswith("4x4, minibatch 8")


REFUSED = {
    "": "say what to train: --preset NAME, see --list-presets; or --resume RUN",
    "--preset smok --print-config": "no preset is called smok; did you mean smoke",
    "--preset smoke --out x": "--preset smoke: --data is missing",
    "--preset smoke --data x": "--preset smoke: --out is missing",
    "--preset smoke --profile 3": "--profile 3: --data is missing",
    "--preset smoke --checkpoint x": "--checkpoint x: is of a run to --resume",
    "--resume x --preset smoke": "--resume x: a run has its own --preset",
    "--resume x --out y": "--resume x: a run has its own --out",
    "--preset smoke --set total_kmg=3 --print-config": "called total_kmg; did you mean total_kimg",
    "--preset smoke --set total_kimg --print-config": "expected name=value",
    "--preset smoke --set total_kimg=much --print-config": "total_kimg",
    "--preset smoke --set resolution=20 --print-config": "expected a power of two",
    "--preset smoke --profile 0": "--profile",
    "--preset smoke --workers 0": "--workers",
    "--preset smoke --data nowhere --out x": "nowhere",
    "--preset smoke --dry-run --device tpu": "--device tpu: expected auto, cpu, cuda or cuda:N",
}


@pytest.mark.parametrize("words", REFUSED)
def test_wrong_options_are_refused(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = train(*words.split())
    assert (done.code, done.out) == (2, "")
    assert REFUSED[words] in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_refused(reals: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    done = train("--preset", "smoke", "--data", reals, "--out", tmp_path, "--device", "cpu")
    assert (done.code, "is not empty (notes.txt)" in done.err) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_no_run_to_resume(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "nowhere"):
        done = train("--resume", tmp_path / name)
        assert (done.code, name in done.err) == (3, True)
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_run_tells_of_itself(reals: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = train(
        "--preset", "smoke", "--data", reals, "--out", out, "--device", "cpu", "--no-cache",
        *SHORT, "--set", "metrics_kimg=0",
    )  # fmt: skip
    assert (done.code, done.out) == (0, "")
    said = done.err.splitlines()
    assert any(line.startswith("kimg 0.120 of 0.120: 16x16") for line in said)
    assert said[-2] == f"{out}: trained for 0.120 kimg"
    assert said[-1].startswith("training: 120 reals in ")
    nothing = train("--resume", out, "--device", "cpu", "--no-cache")
    assert nothing.code == 0
    assert "is at 0.120 kimg already; to train longer, go on with" in nothing.err
    assert "--set total_kimg=..." in nothing.err
    again = train("--resume", out, "--device", "cpu", "--set", "total_kimg=0.136", "--no-cache")
    assert again.code == 0
    assert newest_checkpoint(RunFolder(out)) == RunFolder(out).checkpoint(0.136)
    record = json.loads((out / "run.json").read_text())
    assert [entry["kimg"] for entry in record["resumed"]] == [0.12, 0.12]


@pytest.mark.parametrize(("name", "some"), [("log", "d_loss"), ("metrics", "swd")])
def test_curves_are_written(name: str, some: str, run: Path) -> None:
    module = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

    accumulator = module.EventAccumulator(str(run / "tensorboard" / name))
    accumulator.Reload()
    lines = [json.loads(line) for line in (run / f"{name}.jsonl").read_text().splitlines()]
    assert {*accumulator.Tags()["scalars"], "kimg"} == set(lines[-1])
    curve = accumulator.Scalars(some)
    assert [event.step for event in curve] == [round(1000 * line["kimg"]) for line in lines]
    np.testing.assert_allclose(
        [event.value for event in curve], [line[some] for line in lines], rtol=1e-6
    )


def measured(*words: object) -> float:
    done = run_main(*words, "--json", "-", "--quiet")
    assert done.code == 0, done.err
    (result,) = json.loads(done.out)["results"]
    return float(result["value"])


def test_the_commands_measure_what_the_run_measured(run: Path, reals: Path) -> None:
    row = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert (row["kimg"], row["images"]) == (0.12, 16)
    swd = measured("swd", reals, run, "--images", 16, "--no-cache", "--device", "cpu")
    assert row["swd"] == pytest.approx(swd, rel=1e-3)
    assert row["ms-ssim"] == pytest.approx(
        measured("ms-ssim", run, "--images", 16, "--device", "cpu"), abs=1e-4
    )


@pytest.mark.slow
def test_larger_reals_are_measured_when_they_are_reduced(tmp_path: Path) -> None:
    """By the commands that the run's README.txt names."""
    large, out = write_set(tmp_path / "large", pictures(0, 40, size=32)), tmp_path / "run"
    done = train(
        "--preset", "smoke", "--data", large, "--out", out, "--device", "cpu", "--no-cache",
        *SHORT, "--quiet",
    )  # fmt: skip
    assert done.code == 0, done.err
    small = tmp_path / "small.zip"
    assert run_main("data", "convert", large, small, "--size", 16, "--quiet").code == 0
    assert "data convert REALS SMALLER --size" in (out / "README.txt").read_text()
    row = json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])
    words = ["--images", row["images"], "--no-cache", "--device", "cpu"]
    assert row["swd"] == pytest.approx(measured("swd", small, out, *words), rel=1e-3)


@pytest.mark.slow
def test_modes_of_a_run_of_digits(tmp_path: Path) -> None:
    data = write_set(tmp_path / "reals", pictures(0, 40, size=32))
    done = train(
        "--preset", "smoke-mnist", "--data", data, "--out", tmp_path / "run", "--device", "cpu",
        "--set", "metrics=['modes']", "--set", "total_kimg=0.1", "--quiet",
    )  # fmt: skip
    assert done.code == 0, done.err
    row = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    words = ["modes", tmp_path / "run", "--images", 64, "--repeats", 1, "--device", "cpu"]
    assert abs(row["modes"] - measured(*words)) <= 1
    assert row["images"] == 64


@pytest.mark.slow
def test_28_pixels_are_trained_and_measured(tmp_path: Path) -> None:
    data = write_set(tmp_path / "reals", pictures(0, 40, size=32)[:, 2:30, 2:30])
    out = tmp_path / "run"
    done = train(
        "--preset", "mnist1k-quarter-ournorm-pacgan", "--data", data, "--out", out,
        "--device", "cpu", "--quiet", *SHORT, "--set", "minibatch_size=8", "--set", "rampup_kimg=0",
        "--set", "metrics=['swd', 'ms-ssim', 'modes']",
    )  # fmt: skip
    assert done.code == 0, done.err
    row = json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])
    swd = measured("swd", data, out, "--images", 16, "--no-cache", "--device", "cpu")
    assert row["swd"] == row["swd/28"] == pytest.approx(swd, rel=0.01)


@pytest.mark.slow
def test_the_help_and_the_presets_load_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['pgan-toolkit', 'train', '--list-presets']\n"
        "from pgan_cli.main import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(*({'torch', 'cv2', 'PIL'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.split() == []

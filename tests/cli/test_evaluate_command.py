"""`evaluate` as a user and a CI job see it: exit codes, files, settings files, baselines."""

import json
import os
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from command_line import Outcome, run_main
from picture_sets import pictures, truncate, write_set

ROOT = Path(__file__).resolve().parents[2]
COUNT = 24


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGAN_TOOLKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PGAN_TOOLKIT_WEIGHTS", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def real(tmp_path: Path) -> Path:
    return write_set(tmp_path / "real", pictures(0, COUNT))


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    return write_set(tmp_path / "fake", pictures(5, COUNT))


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    images = np.random.default_rng(0).integers(0, 256, (COUNT, 32, 32, 3), dtype=np.uint8)
    return write_set(tmp_path / "noise", images)


def run(*words: object) -> Outcome:
    return run_main("evaluate", *words, "--device", "cpu")


def test_numbers_without_conditions_pass(real: Path, fake: Path) -> None:
    done = run(real, fake)
    assert done.code == 0, done.err
    assert "swd.avg" in done.out
    assert "not measured  fid, kid, precision-recall, inception-score" in " ".join(
        done.out.split("\n")
    )
    assert f"PROTOCOL not followed (real: {COUNT} of 16,384 images" in " ".join(done.out.split())


def test_a_threshold_ends_with_0_or_1(real: Path, fake: Path) -> None:
    assert run(real, fake, "--images", COUNT, "--max", "swd.avg=1000").code == 0
    failed = run(real, fake, "--images", COUNT, "--max", "swd.avg=1", "--min", "ms-ssim=0")
    assert failed.code == 1
    assert failed.err.splitlines()[-1] == "error: 1 of 2 verdicts failed: swd.avg"
    assert failed.out.splitlines()[0].startswith("FAIL  swd.avg is ")


def test_a_number_of_fewer_images_than_published_fails_unless_allowed(
    real: Path, fake: Path
) -> None:
    words = (real, fake, "--max", "swd.avg=1000")
    failed = run(*words)
    assert failed.code == 1
    assert f"protocol not followed (real: {COUNT} of 16,384 images" in " ".join(failed.out.split())
    allowed = run(*words, "--allow-protocol-deviation")
    assert allowed.code == 0
    assert "CAUTION: protocol not followed" in allowed.out


def test_files_are_written_whatever_the_verdict(real: Path, fake: Path, tmp_path: Path) -> None:
    words = ["--json", "out.json", "--junit", "out.xml", "--markdown", "out.md", "--quiet"]
    done = run(real, fake, "--images", COUNT, "--max", "swd.avg=1", *words)
    assert (done.code, done.out) == (1, "")
    content = json.loads((tmp_path / "out.json").read_text())
    assert (content["status"], content["rule"]) == ("fail", "declared")
    assert ElementTree.parse(tmp_path / "out.xml").getroot().get("failures") == "1"
    assert "❌ failed" in (tmp_path / "out.md").read_text(encoding="utf-8")


def test_json_goes_alone_to_standard_output(real: Path, fake: Path) -> None:
    done = run(real, fake, "--metric", "swd", "--json", "-")
    assert list(json.loads(done.out)["scores"]) == ["swd.avg", "swd.32", "swd.16"]


def test_a_job_is_told_on_github(
    real: Path, fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(real, fake, "--github").code == 2
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    done = run(real, fake, "--images", COUNT, "--max", "swd.avg=1", "--github", "--quiet")
    assert done.code == 1
    assert done.out.startswith("::error title=swd.avg%3A fail::swd.avg is ")
    assert summary.read_text(encoding="utf-8").startswith("before\n## pgan-toolkit evaluate: ❌")
    assert run(real, fake, "--github", "--json", "-").code == 2


def test_a_summary_that_cannot_be_written_is_told_before_the_work(
    real: Path, fake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "/nonexistent/x")
    done = run(real, fake, "--github", "--json", "out.json")
    assert (done.code, done.out) == (4, "")
    assert "/nonexistent/x: the summary of --github cannot be written" in done.err
    assert not Path("out.json").exists()


def test_an_output_that_fails_after_the_work_leaves_the_others(
    real: Path, fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pgan_toolkit.errors import SetupError

    def full(*_: object, **__: object) -> bytes:
        raise SetupError("no room")

    def disk_full(*_: object, **__: object) -> bytes:
        raise SetupError("no room for the page")

    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setattr("pgan_toolkit.evaluation.comparing.report_junit", full)
    monkeypatch.setattr("pgan_toolkit.evaluation.pages.report_html", disk_full)
    words = ["--json", "out.json", "--junit", "out.xml", "--markdown", "out.md"]
    done = run(real, fake, "--github", *words, "--html", "out.html")
    assert done.code == 4
    assert done.err.splitlines()[-1] == "error: no room; no room for the page"
    assert json.loads((tmp_path / "out.json").read_text())["scores"]
    assert (tmp_path / "out.md").read_text().startswith("## pgan-toolkit evaluate")
    assert summary.read_text() == (tmp_path / "out.md").read_text()
    assert "swd.avg" in done.out
    left = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert left == {"out.json", "out.md", "summary.md"}


def test_a_settings_file_is_followed_and_options_go_before_it(
    real: Path, fake: Path, tmp_path: Path
) -> None:
    config = tmp_path / "pgan-eval.toml"
    config.write_text(
        f'[evaluate]\nmetrics = ["swd"]\nimages = {COUNT}\nseed = 4\n[max]\nswd.avg = 1\n'
    )
    failed = run(real, fake, "--config", config, "--json", "out.json")
    assert failed.code == 1
    content = json.loads((tmp_path / "out.json").read_text())
    assert (content["seed"], content["declared_images"], list(content["measured"])) == (
        4,
        COUNT,
        ["swd"],
    )
    passed = run(real, fake, "--config", config, "--max", "swd.avg=1000", "--seed", 5)
    assert passed.code == 0
    assert "seed 5" in passed.out


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("[evalute]", 2, "no table 'evalute': did you mean evaluate?"),
        ("[evaluate]\nimage = 3", 2, "no setting of [evaluate] 'image': did you mean images?"),
        ("[evaluate]\nimages = 0", 2, "images = 0: expected a number from 1"),
        ("[evaluate]\nimages = true", 2, "images = True: expected"),
        ("[evaluate]\nmetrics = 'swd'", 2, "metrics = 'swd': expected a list of names"),
        ("[evaluate]\nmetrics = ['swdd']", 2, "did you mean swd?"),
        ("[max]\nswd.avgg = 3", 2, "'swd.avgg': no such number; did you mean swd.avg?"),
        ("[max]\nswd.avg = '3'", 2, "swd.avg = '3': expected a number"),
        ("[max]\nswd.avg = nan", 2, "expected a number"),
        ("[baseline]\ntolerance = '2 sigma'", 2, "tolerance '2 sigma'"),
        ("[baseline]\ntolerance = -0.1", 2, "tolerance -0.1: expected a finite number from 0"),
        ("[baseline]\ntolerance = inf", 2, "tolerance = inf: expected such as"),
        ("[baseline]\nfile = 3", 2, "file = 3: expected a file name"),
        ("max = 3", 2, "max = 3: expected a table"),
        ("[max", 3, "no TOML file"),
    ],
)
def test_settings_files_are_checked(
    text: str, code: int, said: str, real: Path, tmp_path: Path
) -> None:
    (tmp_path / "pgan-eval.toml").write_text(text)
    done = run(real, real, "--config", "pgan-eval.toml")
    assert (done.code, done.out) == (code, "")
    assert said in done.err


def test_a_baseline_is_made_kept_and_replaced(
    real: Path, fake: Path, noise: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base.json"
    made = run(real, fake, "--metric", "swd", "--baseline", base, "--update-baseline")
    assert made.code == 0, made.err
    before = base.read_bytes()
    assert run(real, fake, "--metric", "swd", "--baseline", base).code == 0
    worse = run(real, noise, "--metric", "swd", "--baseline", base, "--tolerance", "2se")
    assert worse.code == 1
    assert "a regression; tolerance" in " ".join(worse.out.split())
    refused = run(real, noise, "--metric", "swd", "--baseline", base, "--update-baseline",
                  "--max", "swd.avg=1", "--images", COUNT)  # fmt: skip
    assert refused.code == 1
    assert "was left as it is" in refused.err
    assert base.read_bytes() == before
    accepted = run(real, noise, "--metric", "swd", "--baseline", base, "--update-baseline")
    assert accepted.code == 0
    assert base.read_bytes() != before


def test_a_number_is_a_tolerance_however_small_it_is(
    real: Path, fake: Path, tmp_path: Path
) -> None:
    run(real, fake, "--metric", "swd", "--json", "base.json")
    config = tmp_path / "pgan-eval.toml"
    config.write_text("[baseline]\nfile = 'base.json'\ntolerance = 0.00005\n")
    done = run(real, fake, "--metric", "swd", "--config", config, "--json", "out.json")
    assert done.code == 0, done.err
    assert json.loads((tmp_path / "out.json").read_text())["baseline"]["tolerance"] == "5e-05"


def test_a_new_baseline_loses_no_number_silently(real: Path, fake: Path, tmp_path: Path) -> None:
    base = tmp_path / "base.json"
    run(real, fake, "--metric", "swd", "--metric", "ms-ssim", "--json", base)
    before = base.read_bytes()
    words = ("--baseline", base, "--update-baseline", "--metric", "swd")
    refused = run(real, fake, *words)
    assert (refused.code, refused.out) == (2, "")  # before the work
    assert f"{base}: has ms-ssim, which this run does not measure" in refused.err
    assert f"or remove {base} first" in refused.err
    assert base.read_bytes() == before
    base.unlink()
    assert run(real, fake, *words).code == 0
    assert run(real, fake, *words, "--metric", "ms-ssim").code == 0


def test_a_new_baseline_keeps_what_cannot_be_measured_here(
    real: Path, fake: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base.json"
    run(real, fake, "--metric", "swd", "--json", base)
    content = json.loads(base.read_text())
    content["scores"]["fid"] = content["scores"]["swd.avg"] | {"name": "fid", "metric": "fid"}
    content["measured"]["fid"] = content["measured"]["swd"]
    base.write_text(json.dumps(content))
    refused = run(real, fake, "--baseline", base, "--update-baseline")
    assert refused.code == 2
    assert f"{base}: has fid, which this run does not measure" in refused.err
    assert json.loads(base.read_text()) == content


def test_a_file_that_is_no_baseline_is_not_replaced(real: Path, fake: Path, tmp_path: Path) -> None:
    (tmp_path / "base.json").write_text("something else")
    done = run(real, fake, "--baseline", "base.json", "--update-baseline")
    assert (done.code, done.out) == (3, "")
    assert "or remove base.json" in done.err
    assert (tmp_path / "base.json").read_text() == "something else"


def test_a_baseline_of_other_pictures_is_bad_data(
    real: Path, fake: Path, noise: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base.json"
    run(noise, fake, "--metric", "swd", "--json", base)
    done = run(real, fake, "--metric", "swd", "--baseline", base)
    assert done.code == 3
    assert str(base) in done.err
    assert str(real) in done.err
    assert "the real pictures are others" in done.err


def test_a_generator_is_judged(real: Path, tmp_path: Path) -> None:
    (tmp_path / "their_sampling.py").write_text(
        "import numpy as np\n"
        "def generate(n, seed):\n"
        "    random = np.random.default_rng(seed)\n"
        "    return random.integers(0, 256, (n, 3, 32, 32), dtype=np.uint8)\n"
        "def broken(n, seed):\n"
        "    return missing\n"
    )
    words = (real, "--images", COUNT, "--metric", "swd", "--max", "swd.avg=1000")
    done = run(*words, "--generator", "their_sampling:generate")
    assert done.code == 0, done.err
    assert f"{COUNT} of their_sampling:generate against" in " ".join(done.out.split())
    broken = run(*words, "--generator", "their_sampling:broken")
    assert broken.code == 3
    assert "  | NameError: name 'missing' is not defined" in broken.err
    assert "internal error" not in broken.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "expected two sets, or one and --generator"),
        (["real", "--generator", "a:b"], "expected two sets, or one and --generator"),
        (["real", "--max", "swd.avg"], "expected NAME=VALUE"),
        (["real", "--max", "swd.avg=much"], "expected NAME=VALUE"),
        (["real", "--max", "fid=1", "--max", "fid=9"], "--max fid=9: fid was given before, as 1"),
        (["real", "--min", "coverag=1"], "did you mean coverage?"),
        (["real", "--metric", "fidd"], "did you mean fid?"),
        (["real", "--tolerance", "x"], "expected standard errors"),
        (["real", "--update-baseline"], "there is no baseline"),
        (["real", "--baseline", "none.json"], "none.json: no such file"),
        (["real", "--config", "none.toml"], "none.toml: no such file"),
        (["real", "--junit", "nowhere/out.xml"], "there is no folder nowhere"),
        (["nowhere"], "nowhere"),
    ],
)
@pytest.mark.usefixtures("real")
def test_wrong_usage_is_told_before_the_work(words: list[str], said: str) -> None:
    done = run("real", *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_bad_pictures_are_bad_data_or_left_out(real: Path, fake: Path) -> None:
    truncate(fake / "003.png")
    assert run(real, fake, "--metric", "swd").code == 3
    done = run(real, fake, "--metric", "swd", "--skip-bad")
    assert done.code == 0
    assert "003.png" in done.err


def test_missing_weights_of_a_metric_that_was_asked_for_are_the_machines_lack(
    real: Path, fake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pgan_toolkit.errors import SetupError

    def none(*_: object, **__: object) -> None:
        raise SetupError("no weights here")

    monkeypatch.setattr("pgan_toolkit.evaluation.extractors.find_weights", none)
    done = run(real, fake, "--max", "fid=30")
    assert (done.code, done.err) == (4, "error: no weights here\n")


@pytest.mark.parametrize("code", [0, 1, 3])
def test_the_action_says_of_an_error_no_more_than_it_knows(code: int, tmp_path: Path) -> None:
    """Thresholds may have been judged where only the baseline could not be compared with."""
    command = tmp_path / "bin" / "pgan-toolkit"
    command.parent.mkdir()
    command.write_text(f"#!/bin/sh\nexit {code}\n")
    command.chmod(0o755)
    names = ("FAKE", "GENERATOR", "CONFIG", "BASELINE", "HTML", "JSON", "JUNIT")
    done = subprocess.run(
        ["bash", str(ROOT / ".ci" / "action")],
        env={
            "PATH": f"{command.parent}:{os.environ['PATH']}",
            "GITHUB_OUTPUT": str(tmp_path / "output"),
            "PGAN_FAIL_ON": "verdict",
            "PGAN_REAL": "real",
            **{f"PGAN_{name}": "" for name in names},
        },
        capture_output=True,
        text=True,
        check=False,
    )
    said = "::error title=pgan-toolkit evaluate::ended with an error: exit code 3; the log says why"
    assert (done.returncode, done.stdout) == (code, f"{said}\n" if code == 3 else "")

"""--engine, --address, --status, --log and --metrics-file as a user sees them."""

import json
import socket
from pathlib import Path

import pytest
from command_line import Outcome, run_main
from picture_sets import pictures, write_set


def build(*words: object) -> Outcome:
    small = ("--size", 64, "--restorer", "lanczos", "--count", 5)
    return run_main("build-celebahq", *small, *words)


@pytest.fixture
def nobody() -> str:
    """An address at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def test_status_logs_and_metrics_of_a_build(samples: Path, tmp_path: Path) -> None:
    out, log, metrics = tmp_path / "hq", tmp_path / "log.jsonl", tmp_path / "build.prom"
    done = build(
        "--src", samples, "--out", out, "--workers", 1, "--quiet", "--engine", "local",
        "--log", log, "--metrics-file", metrics,
    )  # fmt: skip
    assert done == (0, "", "")
    assert json.loads(log.read_text().splitlines()[-1])["event"] == "build_ended"
    assert 'pgan_toolkit_build_photographs{status="failed"} 8\n' in metrics.read_text()
    told = run_main("build-celebahq", "--out", out, "--status")
    assert (told.code, told.err) == (0, "")
    assert told.out.startswith(f"{out}: finished\n")
    assert "photographs  38: 30 scored, 8 failed, 0 waiting\n" in told.out
    told = run_main("build-celebahq", "--out", out, "--status", "--json")
    assert json.loads(told.out)["failures"]["no picture"] == 1


def test_status_of_nothing_and_options_that_do_not_go_together(
    samples: Path, tmp_path: Path
) -> None:
    out = tmp_path / "hq"
    told = run_main("build-celebahq", "--out", out, "--status")
    assert told.code == 3
    assert "no build into" in told.err
    assert build("--out", out).code == 2
    assert build("--src", samples, "--out", out, "--json").code == 2
    done = build("--src", samples, "--out", out, "--address", "auto")
    assert done.code == 2
    assert "expected none without --engine ray" in done.err
    assert not out.exists()


def test_a_cluster_that_is_not_there_is_exit_4(samples: Path, tmp_path: Path, nobody: str) -> None:
    pytest.importorskip("ray")
    ray = ("--engine", "ray", "--address", nobody)
    done = build("--src", samples, "--out", tmp_path / "hq", *ray)
    assert done.code == 4
    assert f"--address {nobody}: no Ray cluster answers there" in done.err
    assert "Traceback" not in done.err
    sets = [write_set(tmp_path / name, pictures(n, 4)) for n, name in enumerate(("real", "fake"))]
    done = run_main("evaluate", *sets, "--metric", "ms-ssim", *ray, "--no-cache")
    assert done.code == 4
    assert "no Ray cluster answers there" in done.err


def test_evaluate_without_ray_has_no_address(tmp_path: Path) -> None:
    sets = [write_set(tmp_path / name, pictures(n, 4)) for n, name in enumerate(("real", "fake"))]
    done = run_main("evaluate", *sets, "--metric", "ms-ssim", "--address", "auto")
    assert done.code == 2

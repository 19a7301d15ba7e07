"""`pgan-toolkit build-celebahq` as a user sees it: words in, text and exit codes out."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from child_processes import Children
from command_line import Outcome, run_main

from pgan_toolkit.celebahq import Ledger
from pgan_toolkit.storage import open_source


def build(*words: object) -> Outcome:
    """Build small pictures, without the nets where they are not what is tested."""
    plain = () if "--restorer" in words else ("--restorer", "lanczos")
    return run_main("build-celebahq", "--size", 64, "--workers", 1, *plain, *words)


def files(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*")}


def error_of(done: Outcome) -> str:
    """The one message of a run that failed."""
    assert done.err.count("error: ") == 1
    assert "Traceback" not in done.err
    assert "internal error" not in done.err
    return done.err.partition("error: ")[2]


def test_it_builds_and_says_what_it_did_and_where(samples: Path, tmp_path: Path) -> None:
    out = tmp_path / "hq"
    done = build("--src", samples, "--out", out, "--count", 5)
    assert done.code == 0
    assert len(open_source(out)) == 5
    assert "38 photographs (0 done by an earlier run)" in done.out
    assert f"dataset: {out}\n" in done.out
    assert f"{out}.build/" in done.out
    assert "scoring: 35 photographs (38 in all) in" in done.err  # of three none has a picture


def test_quiet_is_silent_on_success(samples: Path, tmp_path: Path) -> None:
    done = build("--src", samples, "--out", tmp_path / "hq.zip", "--count", 5, "--quiet")
    assert done == (0, "", "")
    assert len(open_source(tmp_path / "hq.zip")) == 5


def test_quiet_still_tells_errors(samples: Path, tmp_path: Path) -> None:
    done = build("--src", samples, "--out", tmp_path / "hq", "--max-failures", 0, "--quiet")
    assert done.code == 3
    assert "more than --max-failures 0" in error_of(done)


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(
    samples: Path, tmp_path: Path
) -> None:
    before = files(samples)
    out = tmp_path / "deep" / "hq.zip"
    done = build("--src", samples, "--out", out, "--count", 7, "--dry-run")
    assert (done.code, done.err) == (0, "")
    assert f"{samples / 'img_celeba'}: 38 photographs, 35 of them to be opened" in done.out
    assert "paper, restorer lanczos, 64 pixels" in done.out
    assert "ranked, at most 7" in done.out
    assert f"{out} (zip)" in done.out
    assert "no_picture.jpg: no picture" in done.out
    assert list(tmp_path.iterdir()) == []
    assert files(samples) == before


@pytest.mark.parametrize(
    "wrong",
    [
        ["--colour"],
        ["--restorer", "none"],
        ["--device", "tpu"],
        ["--profile", "mine"],
        ["--select", "/no/such/file"],
        ["--landmarks", "/no/such/table"],
        ["--count", "0"],
        ["--count", "many"],
        ["--size", "66"],
        ["--workers", "0"],
        ["--max-failures", "-1"],
        ["--format", "tar"],
        ["--faces", "smallest"],
    ],
)
def test_wrong_usage_exits_with_2_and_names_the_option(
    samples: Path, tmp_path: Path, wrong: list[str]
) -> None:
    done = build("--src", samples, "--out", tmp_path / "hq", *wrong)
    assert done.code == 2
    assert wrong[0].lstrip("-") in done.err
    assert wrong[-1] in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "hq").exists()


@pytest.mark.parametrize("left_out", ["--src", "--out"])
def test_the_source_and_the_output_must_be_named(tmp_path: Path, left_out: str) -> None:
    words = {"--src": tmp_path, "--out": tmp_path / "hq"}
    del words[left_out]
    done = build(*(word for pair in words.items() for word in pair))
    assert done.code == 2
    assert left_out in done.err


@pytest.mark.parametrize("out", [".", "..", "/", "hq/.."])
def test_an_output_without_a_name_is_wrong_usage(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = build("--src", samples, "--out", out)
    assert done.code == 2
    assert f"--out {Path(out)}: expected the name" in error_of(done)
    assert list(tmp_path.iterdir()) == []


def test_an_output_below_a_file_is_the_machines_fault(samples: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = build("--src", samples, "--out", tmp_path / "file" / "hq")
    assert done.code == 4
    assert str(tmp_path / "file") in error_of(done)


def test_an_output_of_others_is_left_alone(samples: Path, tmp_path: Path) -> None:
    (tmp_path / "hq").write_text("years of work")
    done = build("--src", samples, "--out", tmp_path / "hq")
    assert done.code == 3
    assert "was not made by this build" in error_of(done)
    assert build("--src", samples, "--out", tmp_path / "hq", "--fresh").code == 2
    assert (tmp_path / "hq").read_text() == "years of work"


def test_a_missing_predictor_is_the_machines_fault(samples: Path, tmp_path: Path) -> None:
    words = ["--landmarks", "detect", "--predictor", tmp_path / "none.dat"]
    done = build("--src", samples, "--out", tmp_path / "hq", *words)
    assert done.code in (3, 4)
    assert "none.dat" in error_of(done)


def _broken_source(name: str, folder: Path, good: bytes) -> Path:
    """Make a source that no build can use, and return it."""
    src = folder / "src"
    if name == "is a file":
        src.write_bytes(good)
    elif name != "does not exist":
        src.mkdir()
    if name.startswith("table"):
        (src / "a.jpg").write_bytes(good)
    if name == "packed":
        (src / "Img" / "img_celeba.7z").mkdir(parents=True)
        (src / "Img" / "img_celeba.7z" / "img_celeba.7z.001").write_bytes(b"7z\xbc\xaf'\x1c")
    if name == "table is binary":
        (src / "landmarks.txt").write_bytes(good)
    if name == "table is empty":
        (src / "landmarks.txt").touch()
    if name == "table is a directory":
        (src / "landmarks.txt").mkdir()
    return src


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("empty", "the folder is empty; expected photographs"),
        ("packed", "7z x "),
        ("table is binary", "landmarks.txt: not text"),
        ("table is empty", "landmarks.txt, line 1: ''"),
        ("table is a directory", "no landmark table"),
    ],
)
def test_a_source_that_cannot_be_used_is_one_message_and_exit_code_3(
    samples: Path, tmp_path: Path, name: str, said: str
) -> None:
    good = (samples / "img_celeba" / "original.jpg").read_bytes()
    done = build("--src", _broken_source(name, tmp_path, good), "--out", tmp_path / "hq")
    assert (done.code, done.out) == (3, "")
    assert said in error_of(done)
    assert str(tmp_path / "src") in error_of(done)
    assert [path.name for path in tmp_path.iterdir() if path.name != "src"] == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("does not exist", "no such folder; expected a folder of photographs"),
        ("is a file", "is a file; expected a folder of photographs"),
    ],
)
def test_a_source_that_is_no_folder_is_a_mistake_of_the_command_line(
    tmp_path: Path, name: str, said: str
) -> None:
    src = _broken_source(name, tmp_path, b"")
    done = build("--src", src, "--out", tmp_path / "hq")
    assert (done.code, done.out) == (2, "")
    assert f"{src}: {said}" in error_of(done)
    assert [path.name for path in tmp_path.iterdir() if path.name != "src"] == []


def test_as_a_process_it_fails_with_one_message_and_no_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pgan_cli", "build-celebahq", "--src", "none", "--out", "hq"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "error: none: no such folder; expected a folder of photographs\n"


@pytest.mark.slow
def test_a_build_that_cannot_write_its_name_on_the_terminal_still_succeeds(
    samples: Path, tmp_path: Path
) -> None:
    source = tmp_path / "src"
    source.mkdir()
    shutil.copytree(samples / "Anno", source / "Anno")
    (source / "img_celeba").mkdir()
    for name in ("original", "dark"):
        shutil.copy(samples / "img_celeba" / f"{name}.jpg", source / "img_celeba")
    command = [sys.executable, "-m", "pgan_cli", "build-celebahq", "--src", "src", "--size", "64",
               "--workers", "1", "--out", b"h\xe9 \xe6\x97\xa5"]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, check=False, cwd=tmp_path,
        env={"PYTHONIOENCODING": "ascii", "PATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"dataset: h" in done.stdout


def _workers(parent: int) -> list[int]:
    """Processes that this one has spawned to work."""
    found = []
    for children in Path("/proc", str(parent), "task").glob("*/children"):
        for pid in children.read_text().split():
            command = Path("/proc", pid, "cmdline")
            if command.exists() and b"spawn_main" in command.read_bytes():
                found.append(int(pid))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc")
def test_a_worker_that_is_killed_costs_no_photograph(
    samples: Path, tmp_path: Path, children: Children
) -> None:
    words = ["--src", str(samples), "--count", "10", "--size", "512", "--quiet"]
    words += ["--restorer", "lanczos"]
    assert run_main("build-celebahq", *words, "--out", tmp_path / "expected").code == 0
    command = [sys.executable, "-m", "pgan_cli", "build-celebahq", *words, "--workers", "2"]
    process = children.start([*command, "--out", str(tmp_path / "hq")])
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and _scored(tmp_path / "hq") < 3:
        time.sleep(0.02)
    os.kill(_workers(process.pid)[0], signal.SIGKILL)
    assert process.wait(timeout=120) == 0
    assert contents(tmp_path / "hq") == contents(tmp_path / "expected")
    assert json.loads((tmp_path / "hq.build" / "summary.json").read_text())["failed"] == 8


def _scored(out: Path) -> int:
    ledger = out.with_name(f"{out.name}.build") / "ledger.sqlite"
    if not ledger.exists():
        return 0
    with Ledger(ledger) as opened:
        return len(opened.scored_photographs())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}

"""The command group: help, and how every kind of error ends."""

import errno
import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from child_processes import Children
from command_line import Outcome, run_main
from pgan_cli.main import cli
from pgan_cli.options import FORMAT_NAMES

from pgan_toolkit import __version__
from pgan_toolkit.celebahq import PROFILES
from pgan_toolkit.errors import CheckFailed, DataError, Interrupted, SetupError, UsageError
from pgan_toolkit.restoration.scoring import SCORED_TASKS
from pgan_toolkit.storage import FORMATS

GROUP = {
    "build-celebahq", "data", "demo", "doctor", "evaluate", "fid", "generate", "inception-score",
    "interpolate", "kid", "modes", "ms-ssim", "neighbours", "precision-recall", "rank", "restore",
    "restore-score", "swd", "timelapse", "train", "train-digits", "train-restorer",
}  # fmt: skip


def _commands() -> list[list[str]]:
    """Every command that there is, as words."""
    found = []
    with click.Context(cli) as context:
        for name in cli.list_commands(context):
            found.append([name])
            command = cli.get_command(context, name)
            found += [[name, sub] for sub in getattr(command, "commands", {})]
    return found


COMMANDS = _commands()


def test_all_commands_are_there() -> None:
    names = {" ".join(words) for words in COMMANDS}
    assert GROUP | {"data inspect", "data verify", "data convert", "data show"} <= names


@pytest.mark.parametrize("words", [[], *COMMANDS], ids=" ".join)
def test_help_has_an_example_that_names_the_command(words: list[str]) -> None:
    done = run_main(*words, "--help")
    assert (done.code, done.err) == (0, "")
    example = done.out[done.out.index("Example") :]
    assert " ".join(["pgan-toolkit", *words]) in " ".join(example.split())
    assert max(map(len, done.out.splitlines())) <= 100


def test_help_does_without_heavy_libraries() -> None:
    code = (
        "import importlib, sys\n"
        "from pgan_cli.main import _COMMANDS\n"
        "for place, _ in _COMMANDS.values():\n"
        "    importlib.import_module(place.split(':')[0])\n"
        "    heavy = {'torch', 'numpy', 'scipy', 'cv2', 'PIL', 'h5py'} & {*sys.modules}\n"
        "    assert not heavy, f'{place} loads {heavy}'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.stderr.decode() == ""


def test_choices_are_those_of_the_library() -> None:
    assert FORMAT_NAMES == FORMATS
    assert _choices("build-celebahq", "profile") == tuple(sorted(PROFILES))
    assert _choices("restore-score", "task") == SCORED_TASKS


def _choices(command: str, option: str) -> tuple[str, ...]:
    with click.Context(cli) as context:
        found = {each.name: each for each in cli.get_command(context, command).params}
    return tuple(found[option].type.choices)


@pytest.mark.parametrize("words", [[], ["build-celebahq"], ["data", "show"]], ids=" ".join)
def test_help_has_a_short_name(words: list[str]) -> None:
    assert run_main(*words, "-h") == run_main(*words, "--help")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_options_of_examples_exist(words: list[str]) -> None:
    text = run_main(*words, "--help").out
    example = text[text.index("Example") :]
    used = {word for word in example.split() if word.startswith("--")}
    assert all(f"  {option}" in text[: text.index("Example")] for option in used)


@pytest.mark.parametrize("words", [[], *COMMANDS], ids=" ".join)
def test_an_unknown_option_exits_with_2_and_is_named(words: list[str]) -> None:
    done = run_main(*words, "--no-such-option")
    assert (done.code, done.out) == (2, "")
    assert "--no-such-option" in done.err
    assert "Traceback" not in done.err


def test_an_unknown_command_exits_with_2_and_is_named() -> None:
    done = run_main("paint")
    assert (done.code, done.out) == (2, "")
    assert "paint" in done.err


def test_the_version_is_the_packages() -> None:
    assert run_main("--version").out == f"pgan-toolkit, version {__version__}\n"


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], Outcome]:
    """Run a command that raises the error."""

    def run(error: BaseException) -> Outcome:
        def command(**_: object) -> None:
            raise error

        module = importlib.import_module("pgan_cli.doctor")
        monkeypatch.setattr(module.doctor, "callback", command)
        return run_main("doctor")

    return run


FULL = OSError(errno.ENOSPC, "No space left on device", "out/a.png")
QUOTA = OSError(errno.EDQUOT, "Disk quota exceeded")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (CheckFailed("a: 2 damaged"), 1, "a: 2 damaged"),
        (UsageError("--count 0: expected 1"), 2, "--count 0: expected 1"),
        (DataError("a.jpg: empty"), 3, "a.jpg: empty"),
        (SetupError("no weights: get them"), 4, "no weights: get them"),
        (Interrupted("stopped"), 130, "stopped"),
        (FULL, 4, "out/a.png: no space left; free some and run the same command again"),
        (QUOTA, 4, "no space left"),
        (PermissionError(errno.EACCES, "Permission denied", "out"), 4, "out: Permission denied"),
        (OSError(errno.EIO, "Input/output error", "disk"), 4, "disk: Input/output error"),
        (OSError("no number"), 4, "no number"),
        (MemoryError(), 4, "out of memory; use fewer --workers"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (click.Abort(), 130, "interrupted"),
    ],
)  # fmt: skip
def test_every_error_is_one_message_with_its_exit_code(
    raising: Callable[[BaseException], Outcome], error: BaseException, code: int, said: str
) -> None:
    done = raising(error)
    assert (done.code, done.out) == (code, "")
    assert done.err.strip().startswith(f"error: {said}")
    assert len(done.err.strip().splitlines()) == 1


def test_an_unexpected_error_is_one_line_that_says_how_to_see_more(
    raising: Callable[[BaseException], Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGAN_TOOLKIT_TRACEBACK", raising=False)
    done = raising(ZeroDivisionError("division by zero"))
    assert done == (
        4,
        "",
        "error: internal error: ZeroDivisionError: division by zero; "
        "set PGAN_TOOLKIT_TRACEBACK=1 to see where, and report it\n",
    )
    monkeypatch.setenv("PGAN_TOOLKIT_TRACEBACK", "1")
    done = raising(ZeroDivisionError("division by zero"))
    assert done.code == 4
    assert "Traceback (most recent call last)" in done.err
    assert "in command\n    raise error" in done.err
    assert done.err.splitlines()[-1].startswith("error: internal error: ZeroDivisionError")


def _process(children: Children, *words: str) -> subprocess.Popen[bytes]:
    return children.start(
        [sys.executable, "-m", "pgan_cli", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def test_a_reader_that_has_gone_is_no_error_to_tell(children: Children) -> None:
    process = _process(children, "doctor", "--help")
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    # Not 0: a build whose log is no longer read has not finished.
    assert process.wait(timeout=30) == 130


def test_both_streams_can_be_gone(samples: Path, tmp_path: Path, children: Children) -> None:
    process = _process(
        children, "build-celebahq", "--src", str(samples), "--out", str(tmp_path / "hq"),
        "--size", "64", "--workers", "1", "--restorer", "lanczos",
    )  # fmt: skip
    process.stdout.close()
    process.stderr.close()
    assert process.wait(timeout=60) == 130


def test_ctrl_c_while_the_program_loads_is_quiet() -> None:
    code = (
        "import os, signal, sys\n"
        "from pgan_cli.__main__ import main\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'click': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_ctrl_c_within_a_string_that_python_executes_ends_with_130(tmp_path: Path) -> None:
    # As `python -m`, which alone minds; dataclasses execute such strings as they are defined.
    (tmp_path / "interrupted.py").write_text(
        "import pgan_cli.main\n"
        "from pgan_cli.__main__ import main\n"
        "pgan_cli.main.cli.main = lambda **_: exec('raise KeyboardInterrupt')\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "interrupted"], cwd=tmp_path, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (130, b"error: interrupted\n")


def test_ctrl_c_ends_a_process_with_130_and_no_traceback(
    samples: Path, tmp_path: Path, children: Children
) -> None:
    process = _process(
        children, "build-celebahq", "--src", str(samples), "--out", str(tmp_path / "hq"),
        "--restorer", "lanczos", "--size", "1024", "--workers", "1",
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not (tmp_path / "hq.build" / "ledger.sqlite").exists():
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in errors
    assert errors.count(b"error: interrupted") == 1

"""The group of commands, and the one place where errors become exit codes."""

import errno
import importlib
import os
import signal
import sys
import traceback
from typing import NoReturn

import click
from pgan_cli.terminal import echo

from pgan_toolkit import __version__
from pgan_toolkit.errors import Interrupted, PganError, SetupError

__all__ = ["cli", "main"]

_COMMANDS = {
    "build-celebahq": (
        "pgan_cli.build_celebahq:build_celebahq",
        "Build a ranked, aligned face dataset from photographs.",
    ),
    "data": ("pgan_cli.data:data", "Inspect, verify, convert or show a dataset."),
    "demo": ("pgan_cli.demo:demo", "Build a small dataset from sample pictures made on the spot."),
    "doctor": ("pgan_cli.doctor:doctor", "Say what this machine has, and what is missing."),
    "evaluate": (
        "pgan_cli.evaluate:evaluate",
        "Measure two sets by all metrics, and judge them: for CI.",
    ),
    "fid": ("pgan_cli.fid:fid", "Measure the Frechet distance of two sets (FID)."),
    "generate": ("pgan_cli.generate:generate", "Draw pictures from a training run."),
    "inception-score": (
        "pgan_cli.inception_score:inception_score",
        "Measure how surely and evenly pictures fall into classes.",
    ),
    "interpolate": (
        "pgan_cli.interpolate:interpolate",
        "Film a walk through the latent space of a run.",
    ),
    "kid": ("pgan_cli.kid:kid", "Measure the kernel distance of two sets."),
    "ms-ssim": ("pgan_cli.ms_ssim:ms_ssim", "Measure how alike the pictures of a set are."),
    "modes": ("pgan_cli.modes:modes", "Count the modes of generated stacked MNIST, and their KL."),
    "neighbours": (
        "pgan_cli.neighbours:neighbours",
        "Find the training pictures that generated ones look most like.",
    ),
    "precision-recall": (
        "pgan_cli.precision_recall:precision_recall",
        "Measure precision, recall, density and coverage.",
    ),
    "rank": ("pgan_cli.rank:rank", "Score the quality of any pictures, best first."),
    "restore": ("pgan_cli.restore:restore", "Remove JPEG artifacts and enlarge."),
    "restore-score": (
        "pgan_cli.restore_score:restore_score",
        "Score a restorer by PSNR and SSIM, as the published tables do.",
    ),
    "swd": ("pgan_cli.swd:swd", "Measure the sliced Wasserstein distance of two sets."),
    "timelapse": ("pgan_cli.timelapse:timelapse", "Film how a run's training progressed."),
    "train": (
        "pgan_cli.train:train",
        "Train the networks of the paper, in any configuration that it reports.",
    ),
    "train-digits": (
        "pgan_cli.train_digits:train_digits",
        "Train the classifier of digits that `modes` uses.",
    ),
    "train-restorer": (
        "pgan_cli.train_restorer:train_restorer",
        "Train a net that restores photographs.",
    ),
}
"""Command -> (where it is, its line in --help). Modules load on use, so that --help is fast."""

_TRACEBACK = "PGAN_TOOLKIT_TRACEBACK"
"""Environment variable that shows where an unexpected error came from."""
_FULL_DISK = {errno.ENOSPC, errno.EDQUOT}


class _LazyGroup(click.Group):
    """Imports a command only when it runs; the group's own help needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[cmd_name][0].split(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{attribute} is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: pgan-toolkit build-celebahq --src celeba_wild --out celeba_hq --count 30000",
)
@click.version_option(__version__, prog_name="pgan-toolkit")
def cli() -> None:
    """Build CelebA-HQ-style face datasets and measure GANs (Karras et al., ICLR 2018).

    Exit codes: 0 success, 1 a check failed, 2 wrong usage, 3 bad data, 4 the machine lacks
    something, 130 interrupted (the same command resumes).
    """


def main() -> NoReturn:
    """Run the command line and exit with the code that the outcome means."""
    # A scheduler's SIGTERM is an interruption like Ctrl-C: what was done is kept.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = _run()
    except BrokenPipeError:
        _silence()
        code = Interrupted.exit_code
    sys.exit(code)


def _run() -> int:
    """Run the command and tell its errors; return the exit code."""
    try:
        result = cli.main(standalone_mode=False)
    except SystemExit:
        # Click's own answer to a broken pipe, with the code of a check that failed.
        raise BrokenPipeError from None
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - told, with an exit code
        message, code = _outcome(error)
        echo(f"error: {message}", err=True)
        return code
    return result if isinstance(result, int) else 0


def _outcome(error: BaseException) -> tuple[str, int]:
    """Return what is said of an error, and the exit code."""
    if isinstance(error, PganError):
        return str(error), error.exit_code
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        return "interrupted", Interrupted.exit_code
    if isinstance(error, OSError):
        return _describe_os_error(error), SetupError.exit_code
    if isinstance(error, MemoryError):
        return "out of memory; use fewer --workers or smaller pictures", SetupError.exit_code
    how = f"set {_TRACEBACK}=1 to see where, and report it"
    if os.environ.get(_TRACEBACK):
        traceback.print_exception(error)
        how = "report it with the lines above"
    return f"internal error: {type(error).__name__}: {error}; {how}", SetupError.exit_code


def _silence() -> None:
    """Write nothing more: the reader (head, less) has gone, and the exit flushes the streams."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())


def _describe_os_error(error: OSError) -> str:
    name = f"{error.filename}: " if error.filename else ""
    if error.errno in _FULL_DISK:
        return f"{name}no space left; free some and run the same command again, it resumes"
    if error.errno == errno.EFBIG:
        return f"{name}larger than files may be here (ulimit -f, or the file system); raise that"
    if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
        return f"{name}{error.strerror}; choose a place that you may write to"
    return f"{name}{error.strerror or error}"

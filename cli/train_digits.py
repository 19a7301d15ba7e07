"""`pgan-toolkit train-digits`."""

from pathlib import Path
from typing import Any

import click
from pgan_cli.options import quiet_option
from pgan_cli.terminal import echo

__all__ = ["train_digits"]

_EXAMPLE = "Example: pgan-toolkit train-digits --data mnist --out runs/digits"


@click.command("train-digits", epilog=_EXAMPLE)
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help="The folder of MNIST's four official files, .gz or not.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The run's folder.")
@click.option("--epochs", type=click.IntRange(min=1), default=24, show_default=True)
@click.option("--minibatch-size", type=click.IntRange(min=1), default=128, show_default=True)
@click.option("--learning-rate", type=float, default=0.1, show_default=True, help="The highest.")
@click.option(
    "--validation",
    type=click.IntRange(min=0),
    default=5000,
    show_default=True,
    help="Training digits kept out, on which the log counts errors; 0 trains on all.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--resume", is_flag=True, help="Go on with the stopped run in OUT, exactly.")
@quiet_option
def train_digits(
    *, data: Path, out: Path, device: str, resume: bool, quiet: bool, **settings: Any
) -> None:
    """Train the classifier of digits that `modes` uses.

    The weights are OUT/digits.safetensors, for modes --weights; OUT/log.jsonl says how it went. The
    10,000 test digits are looked at once, at the end. Stopped in any way, the same command with
    --resume goes on after the last whole epoch.
    """
    from pgan_toolkit.evaluation import digits

    trained = digits.train_digits(
        digits.DigitTraining(**settings),
        data=data,
        out=out,
        resume=resume,
        device=device,
        mode="quiet" if quiet else "auto",
    )
    if not quiet:
        echo(f"weights:    {trained.weights}")
        echo(
            f"test error: {100 * trained.test_error:.2f} % "
            f"({trained.test_errors:,} of {trained.test_images:,} digits)"
        )

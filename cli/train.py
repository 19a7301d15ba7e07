"""`pgan-toolkit train`."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from pgan_cli.options import PLACE, device_option, quiet_option
from pgan_cli.terminal import echo

from pgan_toolkit.errors import UsageError

if TYPE_CHECKING:
    from pgan_toolkit.storage import Place
    from reference_trainer.configuration import RunSettings
    from reference_trainer.training import RunOptions

__all__ = ["train"]

_EXAMPLES = """\b
Examples:
  pgan-toolkit train --preset celebahq-1024 --data celeba_hq.zip --out runs/hq
  pgan-toolkit train --preset table1-g --data celeba128/ --out runs/g --set total_kimg=2000
  pgan-toolkit train --resume runs/hq
"""


@click.command(epilog=_EXAMPLES)
@click.option("--preset", metavar="NAME|FILE", help="What to train; see --list-presets.")
@click.option(
    "--data",
    type=PLACE,
    help="Square pictures: a dataset of any format.  [default with --resume: as before]",
)
@click.option("--out", type=click.Path(path_type=Path), help="The new run's folder.")
@click.option(
    "--resume", type=click.Path(path_type=Path), metavar="RUN", help="Go on with a run, exactly."
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="Of the run to resume.  [default: the newest]",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a setting of the preset; may be repeated.",
)
@device_option
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Threads that decode, of each process.  [default: 1 a core in all]",
)
@click.option(
    "--cache/--no-cache",
    default=True,
    show_default=True,
    help="Keep reduced copies of the pictures on disk, for the low resolutions.",
)
@click.option("--tensorboard", is_flag=True, help="Write curves to OUT/tensorboard as well.")
@click.option(
    "--profile",
    type=click.IntRange(min=1),
    metavar="STEPS",
    help="Say where these steps go, then stop.",
)
@click.option("--list-presets", is_flag=True, help="Name the presets, and stop.")
@click.option("--print-config", is_flag=True, help="Print every setting as TOML, and stop.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Check all that needs no picture decoded, say what would happen, and stop.",
)
@quiet_option
def train(  # noqa: PLR0913 - one argument an option
    *,
    preset: str | None,
    data: "Place | None",
    out: Path | None,
    resume: Path | None,
    checkpoint: Path | None,
    changes: tuple[str, ...],
    device: str,
    workers: int | None,
    cache: bool,
    tensorboard: bool,
    profile: int | None,
    list_presets: bool,
    print_config: bool,
    dry_run: bool,
    quiet: bool,
) -> None:
    """Train the networks of the paper, in any configuration that it reports.

    The run's folder explains itself: settings, log, pictures, measurements and checkpoints. A run
    that is stopped, in whatever way, goes on with --resume, and ends as if it had not been.

    Of several GPUs each has a process: write `torchrun --nproc-per-node 8 -m pgan_cli train` in the
    place of `pgan-toolkit train`, for one machine or many.
    """
    from reference_trainer.configuration import preset_summaries, settings_toml

    if list_presets:
        _print_presets(preset_summaries())
        return
    writing = not (print_config or dry_run or profile is not None)
    _check(preset, data, out, resume=resume, checkpoint=checkpoint, writing=writing)
    settings = _settings(preset, changes, resume=resume)
    if print_config:
        echo(settings_toml(settings), nl=False)
        return
    from reference_trainer.training import RunOptions

    options = RunOptions(
        device=device,
        workers=workers,
        cache=cache,
        tensorboard=tensorboard,
        mode="quiet" if quiet else "auto",
    )
    if dry_run:
        _print_plan(settings, data, out, resume=resume, checkpoint=checkpoint, options=options)
    elif profile is not None:
        _print_profile(settings, data, profile, resume=resume, options=options)
    else:
        _run(settings, changes, data, out, resume=resume, checkpoint=checkpoint, options=options)


def _print_presets(summaries: Mapping[str, str]) -> None:
    width = max(map(len, summaries))
    for name, summary in summaries.items():
        echo(f"{name.ljust(width)}  {summary}")


def _check(
    preset: str | None,
    data: "Place | None",
    out: Path | None,
    *,
    resume: Path | None,
    checkpoint: Path | None,
    writing: bool,
) -> None:
    """Refuse options that do not go together.

    Raises
    ------
    UsageError
        They do not.
    """
    if resume is None:
        if preset is None:
            raise UsageError(
                "say what to train: --preset NAME, see --list-presets; or --resume RUN"
            )
        if checkpoint is not None:
            raise UsageError(f"--checkpoint {checkpoint}: is of a run to --resume; name that too")
        if writing and (data is None or out is None):
            missing = "--data" if data is None else "--out"
            raise UsageError(f"--preset {preset}: {missing} is missing; a run has both")
    elif preset is not None or out is not None:
        other = "--preset" if preset is not None else "--out"
        raise UsageError(f"--resume {resume}: a run has its own {other}; leave that out")


def _settings(preset: str | None, changes: Sequence[str], *, resume: Path | None) -> "RunSettings":
    from reference_trainer.configuration import change_settings, load_preset, read_settings
    from reference_trainer.runs.directory import RunFolder, read_record

    if resume is None:
        return load_preset(preset or "", changes=changes)
    folder = RunFolder(resume)
    read_record(folder)
    return change_settings(read_settings(folder.settings), changes)


def _print_plan(
    settings: "RunSettings",
    data: "Place | None",
    out: Path | None,
    *,
    resume: Path | None,
    checkpoint: Path | None,
    options: "RunOptions",
) -> None:
    from reference_trainer.runs import RunFolder, check_new
    from reference_trainer.training import (
        check_checkpoint,
        check_reals,
        describe_run,
        joined_world,
    )

    with joined_world(options.device) as world:
        if out is not None:
            check_new(RunFolder(out))
        label_count = 0
        place = data or _data_of(resume)
        if place is None and settings.data.conditional:
            raise UsageError(
                "--dry-run: networks of a run with labels (conditional=true) depend on how many "
                "there are; give --data too"
            )
        if place is not None:
            reals = check_reals(
                settings, data=place, options=options, world=world, headers_only=True
            )
            label_count = reals.label_count
            _print(f"{place}: {len(reals):,} pictures, {label_count} labels")
            if resume is not None:
                path, saved = check_checkpoint(resume, settings, reals, checkpoint=checkpoint)
                _print(f"{path}: goes on from there, {saved.state.kimg:,g} kimg")
        _print(describe_run(settings, label_count=label_count, world_size=world.size))


def _print_profile(
    settings: "RunSettings",
    data: "Place | None",
    steps: int,
    *,
    resume: Path | None,
    options: "RunOptions",
) -> None:
    from reference_trainer.training import profile_steps

    place = data or _data_of(resume)
    if place is None:
        raise UsageError(f"--profile {steps}: --data is missing")
    _print(profile_steps(settings, data=place, steps=steps, options=options))


def _data_of(run: Path | None) -> "Place | None":
    from pgan_toolkit.storage import locate
    from reference_trainer.runs import RunFolder, read_data_facts

    return None if run is None else locate(read_data_facts(RunFolder(run)).path)


def _print(text: str) -> None:
    """Print, in the first of the processes that torchrun started."""
    if os.environ.get("RANK", "0") == "0":
        echo(text)


def _run(
    settings: "RunSettings",
    changes: Sequence[str],
    data: "Place | None",
    out: Path | None,
    *,
    resume: Path | None,
    checkpoint: Path | None,
    options: "RunOptions",
) -> None:
    from reference_trainer.training import begin_training, resume_training

    if resume is not None:
        resume_training(resume, changes=changes, data=data, checkpoint=checkpoint, options=options)
    elif data is not None and out is not None:
        begin_training(settings, data=data, out=out, options=options)

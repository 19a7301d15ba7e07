"""Beginning a run, and going on with one."""

import errno
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

import torch

from pgan_toolkit.caches import cache_folder
from pgan_toolkit.engines import available_cores
from pgan_toolkit.errors import DataError, SetupError
from pgan_toolkit.randomness import generator
from pgan_toolkit.runs import pictures_digest
from pgan_toolkit.storage import Place, StoredSource, locate, open_source
from reference_trainer.configuration import RunSettings, change_settings, read_settings
from reference_trainer.division import check_divisions
from reference_trainer.networks import build_networks
from reference_trainer.reals import RealImages
from reference_trainer.runs import (
    Checkpoints,
    DataFacts,
    RunFolder,
    Saved,
    begin_run,
    check_new,
    describe_changes,
    newest_checkpoint,
    note_resume,
    read_data_facts,
)
from reference_trainer.sampling import parse_grid
from reference_trainer.schedule import minibatch_sizes
from reference_trainer.training.distributed import World, joined_world, module_digest
from reference_trainer.training.loop import Session, begin, train_to_end
from reference_trainer.training.measurements import Measurements, check_measurable
from reference_trainer.training.memory import enough_for_networks
from reference_trainer.training.options import RunOptions
from reference_trainer.training.position import Position
from reference_trainer.training.reporting import Reporter
from reference_trainer.training.step import TrainingStep

__all__ = [
    "begin_training",
    "check_checkpoint",
    "check_reals",
    "prepared_step",
    "resume_training",
]

_BEGINNING = Position()


def begin_training(
    settings: RunSettings, *, data: Place, out: Path, options: RunOptions
) -> RunFolder:
    """Train from the beginning.

    Parameters
    ----------
    settings : RunSettings
        What to train.
    data : Path | RemotePath
        Square pictures, in any format of storage.
    out : Path
        The run's folder; new or empty.
    options : RunOptions
        Where and how it runs.

    Returns
    -------
    RunFolder
        What was made.

    Raises
    ------
    UsageError
        Settings do not fit each other, or `out` holds something.
    DataError
        The pictures cannot be used, or a loss is no number any more.
    SetupError
        The machine lacks something, or the run is already at work.
    Interrupted
        By the user; the state has been saved.
    """
    folder = RunFolder(out)
    with joined_world(options.device) as world:
        check_new(folder)
        reals = check_reals(settings, data=data, options=options, world=world)
        step = prepared_step(settings, reals, world=world)
        facts = _facts(reals)
        checkpoints = Checkpoints(folder, settings=settings, data=facts)
        with _held(folder, world), _room_told(folder):
            if world.rank == 0:
                begin_run(folder, settings, data=facts, device=world.device, world_size=world.size)
            with _session(settings, step, reals, checkpoints, world, options) as session:
                begin(session)
                train_to_end(session, Position())
    return folder


def resume_training(
    out: Path,
    *,
    changes: Sequence[str] = (),
    data: Place | None = None,
    checkpoint: Path | None = None,
    options: RunOptions,
) -> RunFolder:
    """Go on with a run from a checkpoint, as if it had not been stopped.

    Parameters
    ----------
    out : Path
        The run's folder.
    changes : sequence of str
        "name=value" of settings that may change: those of `output`, total_kimg, minibatch_sizes,
        microbatch_size and precision.
    data : Path | RemotePath | None
        The same pictures, if they have been moved.
    checkpoint : Path | None
        None: the newest.
    options : RunOptions
        Where and how it runs.

    Returns
    -------
    RunFolder
        The run's.

    Raises
    ------
    UsageError
        A setting is unknown, or of no use.
    DataError
        There is no run, or no checkpoint that can be used, or it is of other settings or pictures.
    SetupError, Interrupted
        As `begin_training`.
    """
    folder = RunFolder(out)
    place = data or locate(read_data_facts(folder).path)
    settings = change_settings(read_settings(folder.settings), changes)
    with joined_world(options.device) as world, _held(folder, world), _room_told(folder):
        begun = checkpoint or _newest(folder)
        reals = check_reals(settings, data=_there(place), options=options, world=world)
        step = prepared_step(settings, reals, world=world)
        facts = _facts(reals)
        checkpoints = Checkpoints(folder, settings=settings, data=facts)
        saved = checkpoints.load(begun, step.parts())
        step.load_state(saved.state.step_state)
        position = Position(saved.state.images_shown, saved.state.steps)
        world.wait()  # until all have read the file, which may be moved now
        if world.rank == 0:
            checkpoints.go_on_from(begun, saved.state)
            kimg = saved.state.kimg
            note_resume(
                folder, settings, data=facts, device=world.device, world_size=world.size, kimg=kimg
            )
        with _session(settings, step, reals, checkpoints, world, options, position) as session:
            _tell_changes(session, saved)
            train_to_end(session, position, measurement_due=saved.state.measurement_due)
    return folder


def check_checkpoint(
    out: Path, settings: RunSettings, reals: RealImages, *, checkpoint: Path | None
) -> tuple[Path, Saved]:
    """See that a run can go on from a checkpoint, by what the file says; no tensor is read.

    Parameters
    ----------
    out : Path
        The run's folder.
    settings : RunSettings
        That it is to go on with.
    reals : RealImages
        That it is to be shown.
    checkpoint : Path | None
        The file; None: the newest.

    Returns
    -------
    Path, Saved
        The file, and what it says.

    Raises
    ------
    DataError
        There is no checkpoint, or it is damaged, or of other settings or pictures.
    """
    folder = RunFolder(out)
    begun = checkpoint or _newest(folder)
    return begun, Checkpoints(folder, settings=settings, data=_facts(reals)).check(begun)


def check_reals(
    settings: RunSettings,
    *,
    data: Place,
    options: RunOptions,
    world: World,
    headers_only: bool = False,
) -> RealImages:
    """Open the pictures of a run, and see that they and all that is asked for fit its settings.

    Parameters
    ----------
    settings : RunSettings
        Of the run.
    data : Path | RemotePath
        The pictures.
    options : RunOptions
        Where and how it runs.
    world : World
        This process.
    headers_only : bool
        Decode no picture and write no cache: for a plan of the run.

    Raises
    ------
    UsageError
        A minibatch does not divide over the GPUs, a metric takes no pictures of that size, or a
        grid is too large.
    DataError
        The pictures cannot be used, or are too few for a minibatch.
    SetupError
        The cache of reduced pictures cannot be written, or TensorBoard is missing.
    """
    check_divisions(settings, world_size=world.size)
    source = open_source(data)
    _check_output(settings, source, options)
    if world.rank > 0:
        world.wait()  # until the first process has filled the cache
    reals = RealImages(
        source,
        settings=settings.data,
        seed=settings.seed,
        cache=cache_folder("reals") if options.cache else None,
        workers=options.workers or max(1, available_cores() // world.local_size),
        progress=options.mode if world.rank == 0 else "quiet",
        headers_only=headers_only,
    )
    if world.rank == 0:
        world.wait()
    reals.check_minibatch(max(minibatch_sizes(settings)))
    return reals


def prepared_step(settings: RunSettings, reals: RealImages, *, world: World) -> TrainingStep:
    """Return networks with their first weights, and what trains them.

    Raises
    ------
    SetupError
        The device has no arithmetic of the precision asked for, or no room for the networks, or
        the processes differ.
    """
    words = generator(settings.seed, "first weights").integers(2**62)
    with enough_for_networks(world.device):
        networks = build_networks(
            settings,
            label_count=reals.label_count,
            generator=torch.Generator().manual_seed(int(words)),
        )
        world.require_same(
            module_digest(networks.generator, networks.discriminator), "the first weights"
        )
        return TrainingStep(networks, settings, world=world, label_counts=reals.label_counts)


def _check_output(settings: RunSettings, source: StoredSource, options: RunOptions) -> None:
    """Refuse before a run's folder is there what would stop the run later."""
    parse_grid(settings.output.grid)
    check_measurable(settings.output, resolution=settings.data.resolution, pictures=len(source))
    if options.tensorboard and find_spec("tensorboard") is None:
        raise SetupError(
            "TensorBoard is not installed; pip install 'pgan-toolkit[tensorboard]', or leave "
            "--tensorboard out"
        )


def _newest(folder: RunFolder) -> Path:
    found = newest_checkpoint(folder)
    if found is None:
        raise DataError(
            f"{folder.path}: has no checkpoint, for it was stopped before the first; remove the "
            "folder and begin anew"
        )
    return found


def _there(data: Place) -> Place:
    if not data.exists():
        raise DataError(f"{data}: the run's pictures are not there; say where they are (--data)")
    return data


@contextmanager
def _room_told(folder: RunFolder) -> Iterator[None]:
    """Say how to go on where the disk is full; `Checkpoints` does so itself."""
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise
        raise SetupError(
            f"{error.filename or folder.path}: no space left; make room, then go on with "
            f"`pgan-toolkit train --resume {folder.path}`"
        ) from error


@contextmanager
def _held(folder: RunFolder, world: World) -> Iterator[None]:
    """Keep other runs out of the folder; one process does so for all."""
    if world.rank == 0:
        with folder.held():
            yield
    else:
        yield


@contextmanager
def _session(
    settings: RunSettings,
    step: TrainingStep,
    reals: RealImages,
    checkpoints: Checkpoints,
    world: World,
    options: RunOptions,
    position: Position = _BEGINNING,
) -> Iterator[Session]:
    measurements, reporter = None, None
    with ExitStack() as stack:
        if world.rank == 0:
            measurements = Measurements(
                settings.output,
                source=reals.source,
                resolution=settings.data.resolution,
                device=world.device,
            )
            reporter = stack.enter_context(
                Reporter(
                    checkpoints.folder,
                    grid=settings.output.grid,
                    shown=position.shown,
                    total=round(settings.schedule.total_kimg * 1000),
                    device=world.device,
                    options=options,
                )
            )
        yield Session(
            settings=settings,
            world=world,
            step=step,
            reals=reals,
            checkpoints=checkpoints,
            measurements=measurements,
            reporter=reporter,
        )


def _facts(reals: RealImages) -> DataFacts:
    return DataFacts(
        path=str(reals.source.path),
        pictures=len(reals),
        label_count=reals.label_count,
        digest=pictures_digest(reals.source),
        label_counts=reals.label_counts,
    )


def _tell_changes(session: Session, saved: Saved) -> None:
    if session.reporter is None:
        return
    for change in describe_changes(
        saved, session.settings, world_size=session.world.size, device=session.world.device.type
    ):
        session.reporter.note(f"not bit for bit as before: {change}")

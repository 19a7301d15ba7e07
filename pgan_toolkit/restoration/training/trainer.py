"""The run of a training: steps, checkpoints, log and sample pictures in one folder."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pgan_toolkit import __version__
from pgan_toolkit.arrays import Image
from pgan_toolkit.devices import find_device, has_bfloat16, mixed_precision
from pgan_toolkit.errors import DataError, Interrupted, UsageError
from pgan_toolkit.imaging import encode_png
from pgan_toolkit.progress import Progress, ProgressMode
from pgan_toolkit.restoration.training.loading import Minibatch, minibatches, stacked
from pgan_toolkit.restoration.training.pictures import CropPairs
from pgan_toolkit.restoration.training.settings import JointSettings, TrainingSettings
from pgan_toolkit.restoration.training.stages import Batch, Stage, make_stage
from pgan_toolkit.restoration.weights import (
    RestorationNet,
    Task,
    load_network,
    read_weights,
    save_network,
)
from pgan_toolkit.runs import (
    CheckpointKind,
    StopRequests,
    TrainingLog,
    load_checkpoint,
    pictures_digest,
    read_state,
    save_checkpoint,
)
from pgan_toolkit.storage import Place, StoredSource, atomic_write_bytes, lock_file, open_source

__all__ = ["RestorerFolder", "train_restorer"]

_KIND = CheckpointKind("pgan-toolkit restoration checkpoint", version=1)
_SAVE_EVERY = 500  # steps between two checkpoints
_LOG_EVERY = 50
_FIXED_CROPS = 16  # that the log's PSNR and the sample pictures are of
_SHOWN = 6


@dataclass(frozen=True)
class RestorerFolder:
    """Where a run keeps what it makes.

    Attributes
    ----------
    path : Path
        The folder.
    """

    path: Path

    @property
    def weights(self) -> Path:
        """What the run gives, as `load_network` reads it."""
        return self.path / "weights.safetensors"

    @property
    def jpeg_weights(self) -> Path:
        """Of the JPEG net that learned jointly with an enlarging one."""
        return self.path / "jpeg.safetensors"

    @property
    def checkpoint(self) -> Path:
        """All that is needed to go on."""
        return self.path / "checkpoint.safetensors"

    @property
    def settings(self) -> Path:
        """Settings and data of the run."""
        return self.path / "settings.json"

    @property
    def log(self) -> Path:
        """One JSON object a line."""
        return self.path / "log.jsonl"

    @property
    def lock(self) -> Path:
        """Held by the run that is at work."""
        return self.path / "lock"

    def sample(self, step: int) -> Path:
        """Given, restored and clean crops after so many steps."""
        return self.path / "samples" / f"step-{step:07d}.png"


def train_restorer(
    settings: TrainingSettings,
    *,
    data: Place,
    out: Path,
    resume: bool = False,
    device: str = "auto",
    tensorboard: bool = False,
    mode: ProgressMode = "auto",
) -> Path:
    """Train a network, or go on with a run that was stopped.

    A run that was stopped and resumed gives the same weights, bit for bit, as one that was not,
    on the same machine with the same number of threads.

    Parameters
    ----------
    settings : TrainingSettings
        What to train, and how.
    data : Path | RemotePath
        Clean pictures, in any format of storage.
    out : Path
        The run's folder.
    resume : bool
        Go on with the run in `out`, which must have been begun with the same settings and data.
    device : str
        "auto", "cpu", "cuda" or "cuda:N".
    tensorboard : bool
        Write curves to `out`/tensorboard as well.
    mode : {"auto", "quiet"}
        Whether progress is shown.

    Returns
    -------
    Path
        The weight file.

    Raises
    ------
    UsageError
        `out` holds a run and `resume` is not set, or the reverse; or it is no folder.
    DataError
        Pictures, weights or checkpoint cannot be used, or the loss is no number any more.
    SetupError
        There is no such device, or TensorBoard is asked for and not installed.
    Interrupted
        By the user; the state has been saved.
    """
    folder, source = RestorerFolder(out), open_source(data)
    _check_folder(folder, resume=resume)
    place = find_device(device)
    stage = make_stage(settings, device=place)
    described = _describe(settings, source)
    run = _Run(settings, stage, folder, described, place, source, tensorboard=tensorboard)
    out.mkdir(parents=True, exist_ok=True)
    with lock_file(folder.lock, work="training"):
        _check_folder(folder, resume=resume)
        done = _resume(folder.checkpoint, stage, described) if resume else 0
        atomic_write_bytes(folder.settings, _recorded(described, data=data, device=place))
        run.go_on(done, mode=mode)
    return folder.weights


class _Run:
    """A run in the making."""

    def __init__(
        self,
        settings: TrainingSettings,
        stage: Stage,
        folder: RestorerFolder,
        described: str,
        device: torch.device,
        source: StoredSource,
        *,
        tensorboard: bool,
    ) -> None:
        self._settings, self._stage, self._folder = settings, stage, folder
        self._tensorboard = tensorboard
        self._described, self._device = described, device
        self._first = _open_first(settings, device)
        self._learnt = [_pairs(settings, source, purpose="restoration crops")]
        if settings.joint is not None:
            self._learnt.append(_joint_pairs(settings.joint, source, seed=settings.seed))
        fixed = _pairs(settings, source, purpose="restoration samples")
        self._fixed = stacked([fixed.pair(number) for number in range(_FIXED_CROPS)])

    def go_on(self, done: int, *, mode: ProgressMode) -> None:
        """Do the steps that are left."""
        settings = self._settings
        bar = Progress(settings.steps, label="training", unit="step", mode=mode, initial=done)
        streams = [
            minibatches(pairs, size=settings.minibatch_size, first=done, last=settings.steps)
            for pairs in self._learnt
        ]
        batches = zip(*streams, strict=True)
        with bar, self._log(done) as log, StopRequests() as stop:
            while (together := self._next(batches, done)) is not None:
                log.add(self._stage.step([*map(self._on_device, together)], index=done))
                done += 1
                bar.advance()
                self._report(done, log)
                if stop.received:
                    self._save(done)
                    raise Interrupted(
                        f"interrupted after {done:,} steps; "
                        "the same command with --resume goes on there"
                    )
        # A finished run may have been killed between its checkpoint and its weights.
        self._save_results()

    def _next(
        self, batches: Iterator[tuple[Minibatch, ...]], done: int
    ) -> tuple[Minibatch, ...] | None:
        try:
            return next(batches, None)
        except DataError:  # a picture that cannot be decoded: what was learned is kept
            self._save(done)
            raise

    def _log(self, done: int) -> TrainingLog:
        curves = self._folder.path / "tensorboard" if self._tensorboard else None
        return TrainingLog(self._folder.log, resumed_at=done, curves=curves)

    def _report(self, done: int, log: TrainingLog) -> None:
        last = done == self._settings.steps
        if done % _LOG_EVERY == 0 or last:
            log.write(log.means(), at=done)
        if done % _SAVE_EVERY == 0 or last:
            log.write({"psnr_db": round(self._show(done), 4)}, at=done)
            self._save(done)  # last: after a kill before it, the lines above are written anew

    def _save(self, done: int) -> None:
        state = {"step": done, "settings": self._described}
        save_checkpoint(self._folder.checkpoint, self._stage.parts(), kind=_KIND, state=state)
        self._save_results()

    def _save_results(self) -> None:
        for task, network in self._stage.results().items():
            save_network(self._place(task), network, task=task)

    def _place(self, task: Task) -> Path:
        own = task == self._settings.task
        return self._folder.weights if own else self._folder.jpeg_weights

    def _on_device(self, batch: Minibatch) -> Batch:
        """Both in 0..1; what is given has gone through the net that comes first."""
        given, target = (
            tensor.to(self._device, non_blocking=True).float() / 255 for tensor in batch
        )
        if self._first is not None:
            with torch.no_grad(), mixed_precision(self._device):
                given = self._first(given.contiguous(memory_format=torch.channels_last))
            given = given.float().clamp(0, 1)
        return Batch(given, target)

    @torch.no_grad()
    def _show(self, done: int) -> float:
        """Write the sample picture and return the PSNR of the fixed crops, dB."""
        given, target = self._on_device(self._fixed)
        restored = self._stage.restore(given).clamp(0, 1)
        mse = (restored - target).square().mean(dim=(1, 2, 3)).clamp_min(1e-10)
        levels = (restored * 255).round().to("cpu", torch.uint8)
        atomic_write_bytes(self._folder.sample(done), encode_png(_sheet(self._fixed, levels)))
        return float((-10 * mse.log10()).mean())


def _check_folder(folder: RestorerFolder, *, resume: bool) -> None:
    if folder.path.exists() and not folder.path.is_dir():
        raise UsageError(f"{folder.path}: is a file; name a folder, or what shall become one")
    there = folder.checkpoint.is_file()
    if resume and not there:
        raise UsageError(f"{folder.path}: there is no run to resume; leave --resume out")
    if there and not resume:
        raise UsageError(f"{folder.path}: holds a run; add --resume, or name another folder")


def _resume(checkpoint: Path, stage: Stage, described: str) -> int:
    """Go back to where the run was, if it was this one, and return the steps done."""
    settings = read_state(checkpoint, kind=_KIND).get("settings")
    if settings != described:
        raise DataError(
            f"{checkpoint}: was made with other settings ({settings}); "
            "resume with those, or begin a new run"
        )
    return int(load_checkpoint(checkpoint, stage.parts(), kind=_KIND)["step"])


def _describe(settings: TrainingSettings, source: StoredSource) -> str:
    """All that decides the numbers of a run, as JSON."""
    facts: dict[str, Any] = asdict(settings)
    facts["pictures"] = len(source)
    facts["pictures_sha256"] = pictures_digest(source)
    for name in ("init", "behind"):
        path = getattr(settings, name)
        facts[name] = read_weights(path).sha256 if path else None
    return json.dumps(facts, sort_keys=True)


def _open_first(settings: TrainingSettings, device: torch.device) -> RestorationNet | None:
    """The net that crops go through before the stage gets them."""
    if settings.behind is None or settings.joint is not None:
        return None
    network = load_network(settings.behind, task="jpeg")
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _recorded(described: str, *, data: Place, device: torch.device) -> bytes:
    """What the run's folder says of it: its settings, and where and with what it runs."""
    facts = json.loads(described)
    facts["made_with"] = {
        "pgan_toolkit": __version__,
        "torch": torch.__version__,
        "device": str(device),
        "bfloat16": has_bfloat16(device),
        "threads": torch.get_num_threads(),
        "data": str(data.resolve()),
    }
    return json.dumps(facts, indent=1).encode()


def _pairs(settings: TrainingSettings, source: StoredSource, *, purpose: str) -> CropPairs:
    return CropPairs(
        source,
        settings.degradation,
        crop_px=settings.crop_px,
        reduced_to=settings.reduced_to,
        seed=settings.seed,
        purpose=purpose,
    )


def _joint_pairs(joint: JointSettings, source: StoredSource, *, seed: int) -> CropPairs:
    return CropPairs(
        source,
        joint.degradation,
        crop_px=joint.crop_px,
        reduced_to=joint.reduced_to,
        seed=seed,
        purpose="restoration crops of the JPEG net",
    )


def _sheet(fixed: Minibatch, restored: Tensor) -> Image:
    """One row a crop: given, each pixel repeated; restored; clean."""
    times = restored.shape[-1] // fixed.given.shape[-1]
    given = fixed.given.repeat_interleave(times, 2).repeat_interleave(times, 3)
    rows = torch.cat([given, restored, fixed.target], dim=3)[:_SHOWN]
    return np.ascontiguousarray(torch.cat(list(rows), dim=1).permute(1, 2, 0).numpy())

"""The run of a training: steps, checkpoints, log and sample pictures in one folder."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pgan_toolkit import __version__
from pgan_toolkit.arrays import Image
from pgan_toolkit.devices import find_device, has_bfloat16, mixed_precision
from pgan_toolkit.errors import DataError, Interrupted
from pgan_toolkit.imaging import encode_png
from pgan_toolkit.progress import Progress, ProgressMode
from pgan_toolkit.restoration.training.folder import RestorerFolder, check_folder
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

__all__ = ["train_restorer"]

_KIND = CheckpointKind("pgan-toolkit restoration checkpoint", version=1)
_SAVE_EVERY = 500  # steps between two checkpoints
_LOG_EVERY = 50
_FIXED_CROPS = 16  # that the log's PSNR and the sample pictures are of
_SHOWN = 6
_BY_DIGEST = ("init", "behind")  # settings that name a file, whose contents count


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
        `out` holds a run and `resume` is not set, or the reverse; it is no folder; or it has
        weights that a new run would overwrite, or that `settings` name as `init` or `behind`.
    DataError
        Pictures, weights or checkpoint cannot be used, the checkpoint is of other settings, or
        the loss is no number any more.
    SetupError
        There is no such device, or TensorBoard is asked for and not installed.
    Interrupted
        By the user; the state has been saved.
    """
    folder, source = RestorerFolder(out), open_source(data)
    check_folder(folder, settings, resume=resume)
    place = find_device(device)
    stage = make_stage(settings, device=place)
    described = _describe(settings, source)
    run = _Run(settings, stage, folder, described, place, source, tensorboard=tensorboard)
    out.mkdir(parents=True, exist_ok=True)
    with lock_file(folder.lock, work="training"):
        check_folder(folder, settings, resume=resume)
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
        with ExitStack() as opened, bar, self._log(done) as log, StopRequests() as stop:
            streams = [
                minibatches(pairs, size=settings.minibatch_size, first=done, last=settings.steps)
                for pairs in self._learnt
            ]
            for stream in streams:  # their threads end with this, however it ends
                opened.enter_context(closing(stream))
            batches = zip(*streams, strict=True)
            while (together := self._next(batches, done)) is not None:
                log.add(self._stage.step([*map(self._on_device, together)], index=done))
                done += 1
                bar.advance()
                self._report(done, log)
                if stop.received and done < settings.steps:
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


def _resume(checkpoint: Path, stage: Stage, described: str) -> int:
    """Go back to where the run was, if it was this one, and return the steps done."""
    changes = _changes(_settings_in(checkpoint), json.loads(described))
    if changes:
        raise DataError(
            f"{checkpoint}: was made with other settings ({'; '.join(changes)}); "
            "resume with those, or begin a new run in another folder"
        )
    return int(load_checkpoint(checkpoint, stage.parts(), kind=_KIND)["step"])


def _settings_in(checkpoint: Path) -> dict[str, Any]:
    """What `_describe` said when the checkpoint was made."""
    text = read_state(checkpoint, kind=_KIND).get("settings")
    try:
        return dict(json.loads(text))  # type: ignore[arg-type]
    except (RecursionError, TypeError, ValueError) as error:
        raise DataError(
            f"{checkpoint}: its settings are {text!r:.80}; expected a JSON object: begin a new run "
            "in another folder"
        ) from error


def _changes(before: dict[str, Any], now: dict[str, Any], *, within: str = "") -> list[str]:
    """Name the settings that differ, with both values: "network.maps: 8, now 12"."""
    found = []
    for name in sorted({*before, *now}):
        old, new = before.get(name, "not set"), now.get(name, "not set")
        if isinstance(old, dict) and isinstance(new, dict):
            found += _changes(old, new, within=f"{within}{name}.")
        elif old != new:
            unit = " (SHA-256)" if name in _BY_DIGEST else ""
            found.append(f"{within}{name}{unit}: {old}, now {new}")
    return found


def _describe(settings: TrainingSettings, source: StoredSource) -> str:
    """All that decides the numbers of a run, as JSON."""
    facts: dict[str, Any] = asdict(settings)
    facts["pictures"] = len(source)
    facts["pictures_sha256"] = pictures_digest(source)
    for name in _BY_DIGEST:
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

"""Training of the classifier of digits."""

import json
import math
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - as everybody calls it
from torch import Tensor

from pgan_toolkit import __version__
from pgan_toolkit.devices import find_device, has_bfloat16, mixed_precision
from pgan_toolkit.digests import bytes_digest
from pgan_toolkit.errors import DataError, Interrupted, UsageError
from pgan_toolkit.evaluation.digits.data import Digits, load_mnist
from pgan_toolkit.evaluation.digits.distortion import distort
from pgan_toolkit.evaluation.digits.settings import DigitTraining
from pgan_toolkit.evaluation.digits.weights import load_classifier, save_classifier
from pgan_toolkit.metrics.networks.digits import DigitClassifier, DigitNet, as_input
from pgan_toolkit.progress import Progress, ProgressMode
from pgan_toolkit.randomness import generator
from pgan_toolkit.runs import CheckpointKind, StopRequests, load_checkpoint, save_checkpoint
from pgan_toolkit.storage import atomic_write_bytes, lock_file

__all__ = ["TrainedDigits", "count_errors", "learning_rate_at", "train_digits"]

_RISE = 0.1  # of the steps, in which the learning rate rises
_KIND = CheckpointKind("pgan-toolkit digits checkpoint", 1)


@dataclass(frozen=True)
class TrainedDigits:
    """What a run gave.

    Attributes
    ----------
    weights : Path
        The file of weights.
    test_images, test_errors : int
        Digits of the test split, and how many of them the stored weights tell wrongly.
    """

    weights: Path
    test_images: int
    test_errors: int

    @property
    def test_error(self) -> float:
        """Share of the test digits that are told wrongly, 0..1."""
        return self.test_errors / self.test_images


def train_digits(
    settings: DigitTraining,
    *,
    data: Path,
    out: Path,
    resume: bool = False,
    device: str = "auto",
    mode: ProgressMode = "auto",
) -> TrainedDigits:
    """Train a classifier on MNIST's training digits, then count its errors on the test digits.

    Makes `out`/digits.safetensors when all is done, and `out`/log.jsonl on the way: the settings,
    a line an epoch, and the result. The same settings give the same weights on the same machine
    with the same number of threads, also where the run was stopped and resumed: until it is done,
    `out`/checkpoint.safetensors holds its state after the last whole epoch.

    Parameters
    ----------
    settings : DigitTraining
        How.
    data : Path
        The folder of MNIST's four official files.
    out : Path
        The run's folder; made where there is none.
    resume : bool
        Go on with the run in `out`, which must have been begun with the same settings and digits.
    device : str
        "auto", "cpu", "cuda" or "cuda:N".
    mode : {"auto", "quiet"}
        Whether progress is shown.

    Raises
    ------
    UsageError
        `out` holds a run and `resume` is not set, or the reverse; the run is another one; `out` is
        a file; or no digits are left to train on.
    DataError
        MNIST's files or the checkpoint are missing or damaged; or the loss or the weights are no
        numbers any more, because the learning rate is too high.
    SetupError
        There is no such device, or another process trains in `out`.
    Interrupted
        By the user; what was learned in whole epochs is kept.
    """
    folder = _Folder(out)
    folder.check(resume=resume)
    place = find_device(device)
    train, test = load_mnist(data, split="train"), load_mnist(data, split="test")
    kept = len(train) - settings.validation
    if kept < settings.minibatch_size:
        raise UsageError(
            f"validation={settings.validation}: leaves {max(kept, 0):,} of {len(train):,} digits "
            f"to train on; expected at least a minibatch of {settings.minibatch_size}"
        )
    run = _Run(settings, Digits(train.images[:kept], train.labels[:kept]), place)
    validation = Digits(train.images[kept:], train.labels[kept:])
    out.mkdir(parents=True, exist_ok=True)
    with lock_file(folder.lock, work="training"):
        folder.check(resume=resume)
        log = _begin(run, folder, resume=resume)
        _train(run, validation, log, folder, mode=mode)
        return _finish(run, test, log, folder)


def count_errors(classifier: DigitClassifier, digits: Digits) -> int:
    """Count the digits that are told wrongly."""
    found = classifier(torch.from_numpy(digits.images)).numpy()
    return int((found != digits.labels).sum())


def learning_rate_at(step: int, steps: int, *, highest: float) -> float:
    """Rise in a line over the first tenth of the steps, then fall to 0 as half a cosine."""
    rise = max(round(_RISE * steps), 1)
    if step < rise:
        return highest * (step + 1) / rise
    return highest * (1 + math.cos(math.pi * (step - rise) / max(steps - rise, 1))) / 2


@dataclass(frozen=True)
class _Folder:
    """Where the files of a run are."""

    path: Path

    @property
    def weights(self) -> Path:
        return self.path / "digits.safetensors"

    @property
    def log(self) -> Path:
        return self.path / "log.jsonl"

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint.safetensors"

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    def check(self, *, resume: bool) -> None:
        """Raise UsageError where there is a run and none is expected, or the reverse."""
        if self.path.exists() and not self.path.is_dir():
            raise UsageError(f"{self.path}: is a file; name a folder, or what shall become one")
        stopped = self.checkpoint.exists()
        if resume and not stopped:
            what = "a finished run" if self.weights.exists() else "no run"
            raise UsageError(f"{self.path}: holds {what}, none to go on with; leave --resume out")
        if not resume and (stopped or self.weights.exists() or self.log.exists()):
            remedy = "go on with it (--resume), or name" if stopped else "name"
            raise UsageError(f"{self.path}: holds a run already; {remedy} another folder")


class _Run:
    """The state of a training: the network, its optimiser, and the mean of its weights."""

    def __init__(self, settings: DigitTraining, digits: Digits, device: torch.device) -> None:
        self.settings = settings
        self.device = device
        self.digits = digits
        self.steps_an_epoch = len(digits) // settings.minibatch_size
        self.network = _new_network(settings).to(device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = deepcopy(self.network).requires_grad_(requires_grad=False)
        self.optimiser = torch.optim.SGD(
            self.network.parameters(),
            lr=settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=settings.momentum > 0,
        )
        self.epochs_done = 0
        self._seconds_before, self._started_s = 0.0, time.monotonic()
        self._images = torch.from_numpy(digits.images)
        self._labels = torch.from_numpy(digits.labels.astype(np.int64))

    @property
    def seconds(self) -> float:
        """What the run has taken so far, without the time in which it was stopped."""
        return self._seconds_before + time.monotonic() - self._started_s

    def save(self, path: Path) -> None:
        """Write all that is needed to go on after `epochs_done`: what is drawn needs no state."""
        state = {"of": self._identity(), "epochs_done": self.epochs_done, "seconds": self.seconds}
        save_checkpoint(path, self._parts(), kind=_KIND, state=state)

    def load(self, path: Path) -> None:
        """Take over what `save` wrote. Raises UsageError where that was of another run."""
        state = load_checkpoint(path, self._parts(), kind=_KIND)
        here = self._identity()
        different = [name for name in here if state["of"].get(name) != here[name]]
        if different:
            raise UsageError(
                f"{path}: is of a run with another {', '.join(different)}; give what it was begun "
                "with, or leave --resume out and name another folder"
            )
        self.epochs_done, self._seconds_before = state["epochs_done"], state["seconds"]

    def _parts(self) -> dict[str, torch.nn.Module | torch.optim.Optimizer]:
        return {"network": self.network, "average": self.average, "optimiser": self.optimiser}

    def _identity(self) -> dict[str, Any]:
        """Return what decides the run's numbers, as JSON gives it back."""
        data = bytes_digest(self.digits.images.tobytes() + self.digits.labels.tobytes())
        described: dict[str, Any] = json.loads(json.dumps(asdict(self.settings)))
        return {**described, "data": data}

    def epoch(self, epoch: int) -> Iterator[float]:
        """Do the steps of one epoch; yield the loss after each."""
        order = generator(self.settings.seed, "digits order", epoch).permutation(len(self.digits))
        size = self.settings.minibatch_size
        for place in range(self.steps_an_epoch):
            chosen = torch.from_numpy(order[place * size : (place + 1) * size])
            yield self._step(epoch * self.steps_an_epoch + place, chosen)

    def _step(self, step: int, chosen: Tensor) -> float:
        settings = self.settings
        drawn = generator(settings.seed, "digits distortion", step)
        digits = distort(as_input(self._images[chosen]), settings.distortion, drawn)
        digits = digits.to(self.device, memory_format=torch.channels_last)
        steps = settings.epochs * self.steps_an_epoch
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate_at(step, steps, highest=settings.learning_rate)
        with mixed_precision(self.device):
            logits = self.network.train()(digits)
        labels = self._labels[chosen].to(self.device)
        loss = F.cross_entropy(logits.float(), labels, label_smoothing=settings.label_smoothing)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise self._diverged(f"the loss of step {step + 1:,} is {value}")
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self._follow(step)
        return value

    def require_finite(self, network: DigitNet, *, dtype: torch.dtype = torch.float32) -> None:
        """Raise DataError where weights are no numbers, or too large for a type."""
        for name, value in network.state_dict().items():
            if value.is_floating_point() and not value.to(dtype).isfinite().all():
                raise self._diverged(
                    f"the tensor {name} has values that are infinite or no numbers"
                )

    def _diverged(self, what: str) -> DataError:
        return DataError(
            f"{what}, with --learning-rate {self.settings.learning_rate:g}: begin another run with "
            "a lower one, in another folder"
        )

    @torch.no_grad()
    def _follow(self, step: int) -> None:
        """Move the mean of the weights, early on by more: the first weights are random."""
        share = max(1 - self.settings.ema_decay, 1 / (step + 1))
        average, current = self.average.state_dict(), self.network.state_dict()
        for name, value in average.items():
            if value.is_floating_point():
                value.lerp_(current[name], share)


def _new_network(settings: DigitTraining) -> DigitNet:
    """Draw the first weights without touching the process's random state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return DigitNet(settings.network, dropout=settings.dropout)


def _begin(run: _Run, folder: _Folder, *, resume: bool) -> "_Log":
    """Take over the state of a stopped run, or write that of a new one; open its log."""
    if resume:
        run.load(folder.checkpoint)
    else:
        run.save(folder.checkpoint)
    log = _Log(folder.log, epochs=run.epochs_done)
    if log.empty:
        settings, bfloat16 = asdict(run.settings), has_bfloat16(run.device)
        log.append(settings=settings, device=str(run.device), bfloat16=bfloat16)
    return log


def _finish(run: _Run, test: Digits, log: "_Log", folder: _Folder) -> TrainedDigits:
    """Write the weights, and judge what the file holds."""
    run.require_finite(run.average, dtype=torch.float16)  # as they are stored
    save_classifier(folder.weights, run.average, training=_described(run.settings))
    errors = count_errors(load_classifier(folder.weights, device=run.device), test)
    hours = round(run.seconds / 3600, 3)
    log.append(test_images=len(test), test_errors=errors, hours=hours)
    folder.checkpoint.unlink()
    return TrainedDigits(folder.weights, len(test), errors)


def _train(
    run: _Run, validation: Digits, log: "_Log", folder: _Folder, *, mode: ProgressMode
) -> None:
    settings = run.settings
    done, total = (epochs * run.steps_an_epoch for epochs in (run.epochs_done, settings.epochs))
    with (
        torch.random.fork_rng(devices=[]),  # dropout draws from the process's
        Progress(total, label="training", unit="step", mode=mode, initial=done) as bar,
        StopRequests() as stop,
    ):
        for epoch in range(run.epochs_done, settings.epochs):
            random = generator(settings.seed, "digits dropout", epoch)
            torch.manual_seed(int(random.integers(2**63)))
            losses = []
            for loss in run.epoch(epoch):
                losses.append(loss)
                bar.advance()
                if stop.received:
                    raise Interrupted(
                        f"interrupted; {run.epochs_done} of {settings.epochs} epochs are kept, and "
                        "the same command with --resume goes on after them"
                    )
            for network in (run.network, run.average):
                run.require_finite(network)
            row: dict[str, Any] = {"epoch": epoch + 1, "loss": round(float(np.mean(losses)), 5)}
            if len(validation):
                judged = DigitClassifier(run.average, identity="", device=run.device)
                row["validation_errors"] = count_errors(judged, validation)
            log.append(**row)
            run.epochs_done = epoch + 1
            run.save(folder.checkpoint)


def _described(settings: DigitTraining) -> dict[str, Any]:
    return {"pgan-toolkit": __version__, "torch": torch.__version__, **asdict(settings)}


class _Log:
    """One JSON object a line, each of them written whole."""

    def __init__(self, path: Path, *, epochs: int) -> None:
        self.path = path
        written = path.read_text().splitlines(keepends=True) if path.exists() else []
        self._lines = written[: 1 + epochs]  # the settings, and what will not be done again

    @property
    def empty(self) -> bool:
        return not self._lines

    def append(self, **row: object) -> None:
        self._lines.append(json.dumps(row, allow_nan=False) + "\n")
        atomic_write_bytes(self.path, "".join(self._lines).encode())

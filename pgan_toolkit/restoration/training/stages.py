"""One step of training: for fidelity (PSNR), of both nets jointly, and against a discriminator."""

import copy
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional

from pgan_toolkit.devices import mixed_precision
from pgan_toolkit.errors import DataError
from pgan_toolkit.restoration.networks import (
    Discriminator,
    RedNet,
    RedNetConfig,
    SRResNet,
    widened,
)
from pgan_toolkit.restoration.training.settings import (
    ROUGH_FLOOR_LEVELS,
    AdversarialSettings,
    JointSettings,
    TrainingSettings,
)
from pgan_toolkit.restoration.weights import RestorationNet, Task, load_network

__all__ = ["AdversarialStage", "Batch", "FidelityStage", "JointStage", "Stage", "make_stage"]

_BETAS = (0.9, 0.99)


class Batch(NamedTuple):
    """float (N, 3, h, w) given and (N, 3, H, W) wanted, 0..1, on the stage's device."""

    given: Tensor
    target: Tensor


@runtime_checkable
class Stage(Protocol):
    """What is trained, and how a step of it goes.

    Attributes
    ----------
    network : RedNet or SRResNet
        What learns.
    average : RedNet or SRResNet
        The moving average of its weights.
    """

    network: RestorationNet
    average: RestorationNet

    def step(self, batches: Sequence[Batch], *, index: int) -> dict[str, float]:
        """Learn from a minibatch of each thing that the stage learns; return losses."""

    def parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        """All that a checkpoint must hold."""

    def results(self) -> dict[Task, RestorationNet]:
        """What the run gives."""

    def restore(self, given: Tensor) -> Tensor:
        """What these make of pictures, float (N, 3, h, w), 0..1."""


def make_stage(settings: TrainingSettings, *, device: torch.device) -> Stage:
    """Make the stage that the settings ask for, with its initial weights, on a device.

    Raises
    ------
    DataError
        The weights to begin from cannot be read, or are of another network.
    """
    network = _initial_network(settings).train().requires_grad_(requires_grad=True)
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if settings.joint is not None and settings.behind is not None:
        first = _network_to_go_on_with(settings.behind).to(device)
        return JointStage(settings, network, first, settings.joint)
    if settings.adversarial is None:
        return FidelityStage(settings, network)
    return AdversarialStage(settings, network, settings.adversarial)


def _network_to_go_on_with(path: Path) -> RestorationNet:
    network = load_network(path, task="jpeg").train().requires_grad_(requires_grad=True)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _initial_network(settings: TrainingSettings) -> RestorationNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        if settings.init is not None:
            return _widened_as_asked(settings.init, settings)
        if isinstance(settings.network, RedNetConfig):
            return RedNet(settings.network)
        return SRResNet(settings.network)


def _widened_as_asked(init: Path, settings: TrainingSettings) -> RestorationNet:
    stored = load_network(init, task=settings.task)
    maps = settings.network.maps
    if maps < stored.config.maps or replace(stored.config, maps=maps) != settings.network:
        raise DataError(
            f"{init}: weights of {stored.config}; expected {settings.network}, or the same with "
            "fewer maps: name weights of the same preset by --init, and at least their --maps"
        )
    return widened(stored, maps=maps)


class FidelityStage:
    """Maximises the PSNR of each crop, so that a decibel counts the same in a good one as in a bad.

    The loss is the negative PSNR in dB, as in HINet (Chen et al., CVPR workshops 2021), above a
    floor.
    """

    def __init__(self, settings: TrainingSettings, network: RestorationNet) -> None:
        self.network = network
        self.average = copy.deepcopy(network).requires_grad_(requires_grad=False)
        self._settings = settings
        self._optimizer = torch.optim.Adam(network.parameters(), betas=_BETAS)

    def parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        """Network, average and optimizer."""
        return {"network": self.network, "average": self.average, "adam": self._optimizer}

    def results(self) -> dict[Task, RestorationNet]:
        """The average."""
        return {self._settings.task: self.average}

    def restore(self, given: Tensor) -> Tensor:
        """What the average makes of pictures."""
        result: Tensor = self.average(given)
        return result

    def step(self, batches: Sequence[Batch], *, index: int) -> dict[str, float]:
        """Learn from one minibatch."""
        ((given, target),) = batches
        floor_levels = self._settings.floor_levels
        if isinstance(self.network, RedNet):
            rough = self._settings.init is None and index < self._settings.rough_steps
            floor_levels = max(floor_levels, ROUGH_FLOOR_LEVELS) if rough else floor_levels
            self.network.shrinks = not rough and self.network.config.doubt_levels > 0
        restored = _applied(self.network, given)
        loss = _error_db(restored, target, floor_levels=floor_levels)
        rate = _learning_rate(self._settings, index)
        _update(self._optimizer, loss, rate=rate, longest=self._settings.max_gradient_norm)
        _follow(self.average, self.network, halflife=self._settings.ema_halflife_steps)
        return {"loss": float(loss.detach())}


class JointStage:
    """Lets the JPEG net learn with the enlarging net that stands behind it.

    The enlarging net's error reaches both; the JPEG net goes on with its own task beside, so that
    it stays good at every quality. Both errors are in dB, as in `FidelityStage`.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        network: RestorationNet,
        first: RestorationNet,
        terms: JointSettings,
    ) -> None:
        self.network, self._first = network, first
        self.average = copy.deepcopy(network).requires_grad_(requires_grad=False)
        self._first_average = copy.deepcopy(first).requires_grad_(requires_grad=False)
        self._settings, self._terms = settings, terms
        learning = [*network.parameters(), *first.parameters()]
        self._optimizer = torch.optim.Adam(learning, betas=_BETAS)

    def parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        """Both networks, their averages and the optimizer."""
        return {
            "network": self.network,
            "average": self.average,
            "first": self._first,
            "first_average": self._first_average,
            "adam": self._optimizer,
        }

    def results(self) -> dict[Task, RestorationNet]:
        """Both averages."""
        return {"superres": self.average, "jpeg": self._first_average}

    def restore(self, given: Tensor) -> Tensor:
        """What the averages make of pictures, one behind the other."""
        result: Tensor = self.average(self._first_average(given).clamp(0, 1))
        return result

    def step(self, batches: Sequence[Batch], *, index: int) -> dict[str, float]:
        """Learn from a minibatch for both nets and one for the JPEG net alone."""
        (given, target), (compressed, clean) = batches
        enlarged = _applied(self.network, _applied(self._first, given).clamp(0, 1))
        loss = _error_db(enlarged, target, floor_levels=self._settings.floor_levels)
        cleaned = _applied(self._first, compressed)
        own_loss = _error_db(cleaned, clean, floor_levels=self._terms.floor_levels)
        rate = _learning_rate(self._settings, index)
        longest = self._settings.max_gradient_norm
        whole = loss + self._terms.weight * own_loss
        _update(self._optimizer, whole, rate=rate, longest=longest)
        halflife = self._settings.ema_halflife_steps
        _follow(self.average, self.network, halflife=halflife)
        _follow(self._first_average, self._first, halflife=halflife)
        return {"loss": float(loss.detach()), "jpeg_loss": float(own_loss.detach())}


class AdversarialStage:
    """Adds to the pixels' difference what a discriminator sees (SRGAN).

    The discriminator's loss is the hinge loss (Lim and Ye 2017); its verdict is taken place by
    place. The feature term compares its features of the restored and of the real picture.
    """

    def __init__(
        self, settings: TrainingSettings, network: RestorationNet, terms: AdversarialSettings
    ) -> None:
        self.network = network
        self.average = copy.deepcopy(network).requires_grad_(requires_grad=False)
        self._begun = copy.deepcopy(self.average)
        self._settings, self._terms = settings, terms
        self._optimizer = torch.optim.Adam(network.parameters(), betas=_BETAS)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            discriminator = Discriminator(terms.discriminator)
        device = next(network.parameters()).device
        self._discriminator = discriminator.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._judge_optimizer = torch.optim.Adam(
            discriminator.parameters(), lr=terms.learning_rate, betas=(0.5, 0.99)
        )

    def parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        """Both networks, the average and both optimizers."""
        return {
            "network": self.network,
            "average": self.average,
            "adam": self._optimizer,
            "discriminator": self._discriminator,
            "discriminator_adam": self._judge_optimizer,
        }

    def results(self) -> dict[Task, RestorationNet]:
        """What the run began from, moved a share of the way to the average."""
        return {self._settings.task: self._blended()}

    def restore(self, given: Tensor) -> Tensor:
        """What the blend makes of pictures."""
        result: Tensor = self._blended()(given)
        return result

    def step(self, batches: Sequence[Batch], *, index: int) -> dict[str, float]:
        """Let the discriminator learn, then the network."""
        ((given, target),) = batches
        restored = _applied(self.network, given)
        judged = self._judge_step(restored.detach(), target, index)
        if index < self._terms.alone_steps:
            return {"discriminator": judged}
        self._discriminator.requires_grad_(requires_grad=False)
        values = self._terms_of(restored, target)
        _update(
            self._optimizer,
            values["loss"],
            rate=_learning_rate(self._settings, index, since=self._terms.alone_steps),
            longest=self._settings.max_gradient_norm,
        )
        self._discriminator.requires_grad_(requires_grad=True)
        _follow(self.average, self.network, halflife=self._settings.ema_halflife_steps)
        return {name: float(value.detach()) for name, value in values.items()} | {
            "discriminator": judged
        }

    @torch.no_grad()
    def _blended(self) -> RestorationNet:
        blended = copy.deepcopy(self._begun)
        for value, last in zip(blended.parameters(), self.average.parameters(), strict=True):
            value.lerp_(last, self._terms.blend)
        return blended

    def _terms_of(self, restored: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The network's loss and its terms, before their weights."""
        verdict, features = self._judge(restored)
        with torch.no_grad():
            _, wanted = self._judge(target)
        distances = [
            functional.l1_loss(ours, real) for ours, real in zip(features, wanted, strict=True)
        ]
        pixel, feature = functional.l1_loss(restored, target), torch.stack(distances).mean()
        adversarial = -verdict.mean()
        loss = (
            self._terms.pixel_weight * pixel
            + self._terms.feature_weight * feature
            + self._terms.adversarial_weight * adversarial
        )
        return {"loss": loss, "pixel": pixel, "feature": feature, "adversarial": adversarial}

    def _judge_step(self, restored: Tensor, target: Tensor, index: int) -> float:
        real, _ = self._judge(target)
        fake, _ = self._judge(restored)
        # Hinge loss.
        loss = functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()
        rate = self._terms.learning_rate * _decay(self._settings, index)
        _update(self._judge_optimizer, loss, rate=rate, longest=math.inf)
        return float(loss.detach())

    def _judge(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        with mixed_precision(images.device):
            verdict, features = self._discriminator(images)
        return verdict.float(), [values.float() for values in features]


def _applied(network: nn.Module, given: Tensor) -> Tensor:
    with mixed_precision(given.device):
        result: Tensor = network(given.contiguous(memory_format=torch.channels_last))
    return result.float()


def _error_db(restored: Tensor, target: Tensor, *, floor_levels: float) -> Tensor:
    """Return the mean over the crops of the negative PSNR, dB, above a floor."""
    error = (restored - target).square().mean(dim=(1, 2, 3))
    return 10 * torch.log10(error + (floor_levels / 255) ** 2).mean()


def _update(optimizer: torch.optim.Optimizer, loss: Tensor, *, rate: float, longest: float) -> None:
    _require_finite("loss", loss.detach())
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    for group in optimizer.param_groups:
        group["lr"] = rate
        _require_finite("gradient", nn.utils.clip_grad_norm_(group["params"], longest))
    optimizer.step()


def _require_finite(what: str, value: Tensor) -> None:
    if not math.isfinite(float(value)):
        raise DataError(
            f"the {what} is {float(value)}: begin another run with a lower --learning-rate, "
            "--init being the weights of this one"
        )


def _learning_rate(settings: TrainingSettings, index: int, *, since: int = 0) -> float:
    """Of step `index`; it rises in the first ones from step `since` on."""
    rise = min((index - since + 1) / max(settings.warmup_steps, 1), 1.0)
    return settings.learning_rate * rise * _decay(settings, index)


def _decay(settings: TrainingSettings, index: int) -> float:
    return 0.5 * (1 + math.cos(math.pi * index / settings.steps))


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, *, halflife: float) -> None:
    weight = 1 - 0.5 ** (1 / halflife)
    ours: list[Tensor] = list(average.parameters())
    theirs: list[Tensor] = list(network.parameters())
    torch._foreach_lerp_(ours, theirs, weight)

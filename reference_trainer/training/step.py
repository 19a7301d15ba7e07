"""One step of training: D learns, then G, or both from the same fakes."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from pgan_toolkit.errors import DataError
from pgan_toolkit.randomness import generator
from reference_trainer.adaptive_noise import AdaptiveNoise
from reference_trainer.configuration.settings import RunSettings
from reference_trainer.schedule import Phase
from reference_trainer.training.distributed import World
from reference_trainer.training.gradients import Learner, Verdict
from reference_trainer.training.layout import place
from reference_trainer.training.microbatches import Microbatch, Reals, cut
from reference_trainer.training.optimizers import Guard, follow, make_adam, reset_adam, update
from reference_trainer.training.parts import part
from reference_trainer.training.precision import choose_precision, computing

__all__ = ["Pair", "TrainingStep"]


@runtime_checkable
class Pair(Protocol):
    """Both networks."""

    @property
    def generator(self) -> nn.Module:
        """G: latents, resolution, alpha and labels to pictures."""

    @property
    def discriminator(self) -> nn.Module:
        """D: pictures, alpha and noise to scores and logits of labels."""


class TrainingStep:
    """Both networks, their optimizers and G's average, and how a step changes them.

    Nothing in a step waits for the device (but for the noise of an LSGAN, whose strength follows
    D's output): losses stay there as tensors, and whether all were finite is asked by `finite`.
    Everything random is derived from the seed and the number of the step.

    Parameters
    ----------
    networks : Pair
        G and D with their first weights; they are moved to the device.
    settings : RunSettings
        Of the run.
    world : World
        This process and its device.
    label_counts : sequence of int
        Reals of each label; G is given each as often as it is among them. Empty: no labels.

    Attributes
    ----------
    generator, discriminator : nn.Module
        The networks that learn.
    generator_ema : nn.Module
        The moving average of G, ready for use. Running statistics of a batch normalisation are of
        its own pictures.
    precision : {"float32", "tf32", "bfloat16"}
        Of convolutions.

    Raises
    ------
    SetupError
        The device has no arithmetic of the precision that the settings ask for.
    """

    def __init__(
        self,
        networks: Pair,
        settings: RunSettings,
        *,
        world: World,
        label_counts: Sequence[int] = (),
    ) -> None:
        self.precision = choose_precision(settings.optimization.precision, world.device)
        self.generator, self.discriminator = networks.generator, networks.discriminator
        for network in (self.generator, self.discriminator):
            place(network, world.device, precision=self.precision)
        average = copy.deepcopy(self.generator).requires_grad_(requires_grad=False)
        self.generator_ema = average.eval()
        self._settings, self._world, self._label_counts = settings, world, label_counts
        self._adam_g = make_adam(self.generator, settings.optimization)
        self._adam_d = make_adam(self.discriminator, settings.optimization)
        self._noise = AdaptiveNoise(settings.discriminator.noise)
        self._guard = Guard(world.device)
        self._spoilt = False

    def run(self, phase: Phase, *, step: int, reals: Callable[[], Reals]) -> dict[str, Tensor]:
        """Let D learn, `discriminator_steps` times, and G once; or both together.

        Parameters
        ----------
        phase : Phase
            What holds for this step.
        step : int
            Number of the step, from 0.
        reals : callable
            Gives the next reals of this process: its share of the minibatch, at the phase's
            resolution, not cross-faded. Called once for each update of D.

        Returns
        -------
        dict of str to float32 tensor ()
            Means over the minibatch of all processes, on the device: `d_loss` (without the
            penalty), `d_real` and `d_fake` (scores), `penalty` and `gradient_norm` where there is a
            penalty, of the last update of D; `g_loss`.

        Raises
        ------
        UsageError
            The minibatch does not divide over the processes.
        DataError
            The reals are not as many, or not of the resolution, or lack labels.
        SetupError
            Another process has ended, or does not answer.
        """
        if self._settings.optimization.joint_update:
            values = self._joint_update(phase, step, reals())
        else:
            values = {}
            count = self._settings.optimization.discriminator_steps
            for repeat in range(count):
                values |= self._discriminator_update(phase, step * count + repeat, reals())
            values |= self._generator_update(phase, step)
        decay = self._settings.optimization.ema_decay
        with part("average of G"):
            follow(self.generator_ema, self.generator, decay=decay, guard=self._guard)
            if any(True for _ in self.generator_ema.buffers()):
                self._measure_average(phase, step)
        self._guard.end_step()
        return values

    def spoil(self) -> None:
        """Let no process make an update any more, for this one lacks its reals.

        It is told with the means over the processes, as a loss that is not finite: no process
        waits for what does not come, and the state of all is that before.
        """
        self._spoilt = True

    def finite(self) -> bool:
        """Whether all losses and gradients were finite so far; waits for the device.

        From the first step on that was not, no weight, moment or average has changed (running
        statistics of a batch normalisation have). All processes find the same.
        """
        return not bool(self._guard.broken)

    def whole_steps(self) -> int:
        """Steps so far that were made whole, with all updates finite; waits for the device."""
        return int(self._guard.whole_steps)

    def reset_optimizers(self) -> None:
        """Forget Adam's moments, at both ends of a fade."""
        reset_adam(self._adam_g)
        reset_adam(self._adam_d)

    def parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        """All tensors that a checkpoint must hold, by name."""
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "generator_ema": self.generator_ema,
            "adam_g": self._adam_g,
            "adam_d": self._adam_d,
        }

    def state(self) -> dict[str, float]:
        """All else that a checkpoint must hold."""
        return {"noise_average": self._noise.average}

    def load_state(self, state: Mapping[str, float]) -> None:
        """Go on from what `state` gave.

        Raises
        ------
        DataError
            Something is missing.
        """
        if "noise_average" not in state:
            raise DataError(
                f"the checkpoint's state has {', '.join(sorted(state)) or 'nothing'}; "
                "expected noise_average"
            )
        self._noise.average = state["noise_average"]

    def _discriminator_update(self, phase: Phase, number: int, reals: Reals) -> dict[str, Tensor]:
        learner = self._learner(phase, number, "D")
        sums = _Sums()
        for batch in self._cut(phase, number, reals):
            with computing(self.precision, self._world.device):
                sums.add(learner.discriminator(batch))
        return self._judge_follows(phase, sums)

    def _generator_update(self, phase: Phase, number: int) -> dict[str, Tensor]:
        learner = self._learner(phase, number, "G")
        sums = _Sums()
        for batch in self._cut(phase, number, None):
            with computing(self.precision, self._world.device):
                sums.add(learner.generator(batch))
        return self._apply(self._adam_g, phase, sums.values)

    def _measure_average(self, phase: Phase, step: int) -> None:
        """Let the average's batch normalisation follow what the average itself makes.

        The running statistics of G fit G's weights: with them, the SWD of the average's pictures
        was off by up to a third, mid-run too low and at the end too high (small nets at 8x8).
        Normalising by the minibatch at hand, as the program does, is no choice where one seed is
        one picture; with these statistics the SWD is within 5 % of that one.
        """
        self.generator_ema.train()
        for batch in self._cut(phase, step, None):
            with torch.no_grad(), computing(self.precision, self._world.device):
                self.generator_ema(
                    batch.latents,
                    resolution=phase.resolution,
                    alpha=phase.alpha,
                    labels=batch.labels,
                )
        self.generator_ema.eval()

    def _joint_update(self, phase: Phase, number: int, reals: Reals) -> dict[str, Tensor]:
        learner = self._learner(phase, number, "D")
        sums = _Sums()
        for batch in self._cut(phase, number, reals):
            with computing(self.precision, self._world.device):
                sums.add(learner.both(batch))
        g_loss = {"g_loss": sums.values.pop("g_loss")}
        return self._judge_follows(phase, sums) | self._apply(self._adam_g, phase, g_loss)

    def _judge_follows(self, phase: Phase, sums: "_Sums") -> dict[str, Tensor]:
        values = self._apply(self._adam_d, phase, sums.values)
        if self._noise.gain > 0 and self.finite():
            self._noise.follow(self._noise_signal(values))
        return values

    def _noise_signal(self, values: Mapping[str, Tensor]) -> float:
        """Return d of appendix B; waits for the device."""
        if self._settings.discriminator.noise_signal == "output":
            return float(values["d_real"])
        return float((2 * values["d_loss"]).clamp(0, 1))

    def _apply(
        self, adam: torch.optim.Adam, phase: Phase, values: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Average gradients and losses over the processes, and make the update."""
        weights = [weight for group in adam.param_groups for weight in group["params"]]
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        means = torch.stack([value.float() for value in values.values()])
        if self._spoilt:
            means.fill_(torch.nan)
        with part("mean over processes"):
            self._world.average_([*gradients, means])
        with part("Adam"):
            self._guard.look([*gradients, means])
            update(adam, learning_rate=phase.learning_rate, guard=self._guard)
            adam.zero_grad(set_to_none=True)
        return dict(zip(values, means.unbind(), strict=True))

    def _cut(self, phase: Phase, number: int, reals: Reals | None) -> Iterator[Microbatch]:
        return cut(
            phase,
            self._settings,
            world=self._world,
            update=number,
            label_counts=self._label_counts,
            reals=reals,
        )

    def _learner(self, phase: Phase, number: int, network: Literal["D", "G"]) -> Learner:
        noise = self._noise_generator(number, network)

        def paint(latents: Tensor, labels: Tensor | None) -> Tensor:
            images: Tensor = self.generator(
                latents, resolution=phase.resolution, alpha=phase.alpha, labels=labels
            )
            return images

        def judge(images: Tensor) -> Verdict:
            verdict: Verdict = self.discriminator(
                images,
                alpha=phase.alpha,
                noise_strength=self._noise.strength,
                noise_generator=noise,
            )
            return verdict

        return Learner(
            settings=self._settings.loss,
            painter=paint,
            judge=judge,
            painter_weights=list(self.generator.parameters()),
            judge_weights=list(self.discriminator.parameters()),
        )

    def _noise_generator(self, number: int, network: Literal["D", "G"]) -> torch.Generator | None:
        """The noise of an LSGAN's D is each process's own."""
        if self._noise.strength == 0:
            return None
        purpose = f"noise in D, learning {network}, process {self._world.rank}"
        numbers = generator(self._settings.seed, purpose, number)
        return torch.Generator(self._world.device).manual_seed(int(numbers.integers(2**62)))


class _Sums:
    """Adds up what microbatches note."""

    def __init__(self) -> None:
        self.values: dict[str, Tensor] = {}

    def add(self, noted: Mapping[str, Tensor]) -> None:
        for name, value in noted.items():
            self.values[name] = self.values[name] + value if name in self.values else value

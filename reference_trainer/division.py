"""How GPUs share a minibatch, and what each of them works on at once."""

import math
from dataclasses import dataclass

from pgan_toolkit.errors import UsageError
from reference_trainer.configuration.settings import RunSettings
from reference_trainer.schedule import minibatch_sizes

__all__ = ["Division", "check_divisions", "divide_minibatch"]


@dataclass(frozen=True)
class Division:
    """How a minibatch is divided.

    Attributes
    ----------
    share : int
        Pictures of each GPU.
    microbatches : tuple of int
        How many of them it works on at once, one after the other; they add up to the share.
    """

    share: int
    microbatches: tuple[int, ...]

    @property
    def most_at_once(self) -> int:
        """Pictures that a GPU has to have room for."""
        return max(self.microbatches)


def divide_minibatch(minibatch_size: int, settings: RunSettings, *, world_size: int) -> Division:
    """Divide a minibatch over the GPUs, and each share into microbatches.

    Every GPU takes the same number, and works on the most of them at once that divide that number
    and do not exceed `microbatch_size`; where the standard deviation of a minibatch is over groups
    (`stddev_group`), on whole groups if there is such a number. What no number but 1 divides is cut
    into parts that differ by one at most: 7 pictures, 4 at once, are 4 and 3.

    Parameters
    ----------
    minibatch_size : int
        Over all GPUs.
    settings : RunSettings
        Of the run.
    world_size : int
        GPUs.

    Raises
    ------
    UsageError
        The minibatch does not divide over the GPUs; or a picture would be alone, and the networks
        compare pictures: a deviation over one of them is 0, whatever G makes.
    """
    if minibatch_size % world_size:
        raise UsageError(_not_shared_alike(minibatch_size, world_size))
    share = minibatch_size // world_size
    most = min(settings.optimization.microbatch_size or share, share)
    division = Division(share, _microbatches(share, most, group=_group(settings)))
    comparing = _what_compares(settings)
    if comparing and min(division.microbatches) == 1:
        raise UsageError(_picture_alone(minibatch_size, division, comparing, _group(settings)))
    return division


def check_divisions(settings: RunSettings, *, world_size: int) -> None:
    """See that every minibatch of a run can be divided over so many GPUs.

    Raises
    ------
    UsageError
        One cannot.
    """
    for size in minibatch_sizes(settings):
        divide_minibatch(size, settings, world_size=world_size)


def _microbatches(share: int, most: int, *, group: int) -> tuple[int, ...]:
    equal = [size for size in range(2, most + 1) if share % size == 0]
    if equal:
        size = max([size for size in equal if size % group == 0] or equal)
        return (size,) * (share // size)
    parts = math.ceil(share / most)
    size, larger = divmod(share, parts)
    return (size + 1,) * larger + (size,) * (parts - larger)


def _group(settings: RunSettings) -> int:
    judge = settings.discriminator
    return max(judge.stddev_group, 1) if judge.minibatch_statistic == "stddev" else 1


def _what_compares(settings: RunSettings) -> str:
    """The setting by which networks see more than one picture at once; nothing if none does."""
    statistic = settings.discriminator.minibatch_statistic
    if statistic != "none":
        return f"minibatch_statistic={statistic}"
    for name, value in (
        ("g_normalization", settings.generator.g_normalization),
        ("d_normalization", settings.discriminator.d_normalization),
    ):
        if value == "batch":
            return f"{name}=batch"
    return ""


def _not_shared_alike(minibatch_size: int, world_size: int) -> str:
    lower = minibatch_size // world_size * world_size
    fitting = f"{lower} or {lower + world_size}" if lower else f"{world_size}"
    return (
        f"a minibatch of {minibatch_size} does not divide over {world_size} GPUs: set "
        f"minibatch_size and minibatch_sizes to multiples of {world_size} ({fitting}), or use "
        "another number of GPUs"
    )


def _picture_alone(minibatch_size: int, division: Division, comparing: str, group: int) -> str:
    told = f"a minibatch of {minibatch_size}, {division.share} on each GPU: {comparing} compares"
    if division.share == 1:
        return (
            f"{told} pictures, and there is one; use fewer GPUs, or set minibatch_size and "
            "minibatch_sizes to 2 or more for each"
        )
    fitting = next(
        most
        for most in range(2, division.share + 1)
        if min(_microbatches(division.share, most, group=group)) > 1
    )
    return (
        f"{told} pictures, and with {division.most_at_once} at once one would be alone; set "
        f"microbatch_size to {fitting} or more, or 0"
    )

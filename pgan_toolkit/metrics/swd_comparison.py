"""The number: two sides of the sliced Wasserstein distance compared, and its uncertainty."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.metrics.descriptors import SwdSettings
from pgan_toolkit.metrics.result import Result
from pgan_toolkit.metrics.slicing import DescriptorSet, Slicer, random_directions
from pgan_toolkit.metrics.sorted_side import (
    GROUP_DIRECTIONS,
    KeepRow,
    SortedPart,
    SortedSide,
    group_picks,
)
from pgan_toolkit.metrics.swd_statistics import SwdStatistics, size_text
from pgan_toolkit.randomness import generator
from pgan_toolkit.wording import counted

__all__ = ["PROTOCOL_IMAGES", "compare_swd", "flat_levels", "swd_floor"]

PROTOCOL_IMAGES = 16384
"""Of each side."""
_SCALE = 1e3
_NORMAL_95 = 1.96
_Array = NDArray[np.float64]


def compare_swd(
    real: SwdStatistics | SortedSide,
    fake: SwdStatistics,
    *,
    bootstrap: int = 0,
    groups: int = 0,
    device: str | torch.device = "cpu",
    keep: KeepRow | None = None,
) -> Result:
    """Return the sliced Wasserstein distance of two sets of patches.

    Parameters
    ----------
    real, fake : SwdStatistics
        As many images of one as of the other, of one size, cut with the same settings. On the CPU
        and without a bootstrap, the real side may be what was sorted before for as many groups.
    bootstrap : int
        How many times to draw the images of both sides anew, with replacement; 0: the standard
        error is over the repeats, which have their directions of their own but share all images
        and patches. A draw costs as much as one repeat: 20 draws take 5 times the distance itself.
    groups : int
        How many disjoint groups to deal the images of both sides out to, for a standard error that
        covers the choice of images: the spread of the distances of the groups over the root of
        their number, for it falls with the root of the number of images where the sides differ and
        where they do not. They cost a sixteenth of the distance itself. 0: none.
    device : str | torch.device
        Where to project and sort.
    keep : callable | None
        On the CPU, without a bootstrap: takes what a `SortedSide` is made of.

    Returns
    -------
    Result
        The mean of the levels, times 1000; components by height of the level. Its `repeats` are
        the groups, or else the repeats of directions; a bootstrap has none.

    Raises
    ------
    DataError
        There are no images, or the two sides differ in number or size of images.
    UsageError
        The two sides were cut with different settings.
    """
    _require_comparable(real, fake)
    if bootstrap and (bootstrap < 2 or len(real) < 2):
        raise UsageError(
            f"bootstrap={bootstrap} of {counted(len(real), 'image')}: expected 0, or 2 draws or "
            "more of 2 images or more"
        )
    if groups and (groups < 2 or bootstrap or len(real) < 2 * groups):
        raise UsageError(
            f"groups={groups} of {counted(len(real), 'image')}, bootstrap={bootstrap}: expected 2 "
            "groups or more, of 2 images or more, and no bootstrap beside them"
        )
    everything = np.arange(len(real))
    pair = _Pair(real, fake, torch.device(device), keep)
    levels = pair.distances(everything, everything, repeats=real.settings.repeats)
    if bootstrap:
        return pair.result(levels, errors_from=pair.draws(bootstrap), drawn=bootstrap)
    if groups:
        return pair.grouped(pair.result(levels, errors_from=levels), pair.groups(groups))
    return pair.result(levels, errors_from=levels / np.sqrt(len(levels)))


def swd_floor(real: SwdStatistics, *, device: str | torch.device = "cpu") -> Result:
    """Return what a perfect generator would score: one half of the real images against the other.

    Images of even and of odd place in the set are compared, so that no image meets itself; a set
    that is compared with other patches of the very same images comes out lower than any new
    images of the same kind could. The price is that the halves have half the images: the SWD falls
    about as N^-1/2, and at the full number the floor is about 0.7 times as high.

    Parameters
    ----------
    real : SwdStatistics
        Two images or more; of an odd number the last is left out.
    device : str | torch.device
        Where to compute.

    Returns
    -------
    Result
        As `compare_swd` gives it, with a warning that says how many images there were a side.

    Raises
    ------
    DataError
        There are fewer than two images.
    """
    count = len(real) // 2
    if not count:
        raise DataError(f"{counted(len(real), 'image')}: real against real takes two or more")
    pair = _Pair(real, real, torch.device(device), None)
    even, odd = 2 * np.arange(count), 2 * np.arange(count) + 1
    levels = pair.distances(even, odd, repeats=real.settings.repeats)
    return pair.result(levels, errors_from=levels / np.sqrt(len(levels)), images=count).warned(
        f"real against real: halves of {counted(count, 'image')}; with {2 * count:,} a side a "
        "perfect generator would score about 0.7 times this"
    )


@dataclass(frozen=True)
class _Pair:
    """Two sides that can be compared."""

    real: SwdStatistics | SortedSide
    fake: SwdStatistics
    device: torch.device
    keep: KeepRow | None

    @property
    def settings(self) -> SwdSettings:
        return self.real.settings

    def distances(
        self,
        real: NDArray[np.int64],
        fake: NDArray[np.int64],
        *,
        repeats: int,
        directions: int | None = None,
        part: int = 0,
    ) -> _Array:
        """Return (repeats, levels), times 1000, of some images of each side.

        `directions` is how many of each repeat are used; None: all. `part` is what the images are
        in a `RowLayout`.
        """
        sets = self._real(real, part), DescriptorSet(self.fake.store, fake)
        slicer = Slicer(sets[1].patches, device=self.device)
        columns = []
        for number, level in enumerate(self.real.levels):
            drawn = [
                random_directions(level, each, settings=self.settings)[:directions]
                for each in range(repeats)
            ]
            keep = None if self.keep is None else partial(self.keep, part, number)
            found = slicer.distances(
                *sets, level=number, directions=np.concatenate(drawn), keep=keep
            )
            columns.append(found.reshape(repeats, -1).mean(1))
        return np.stack(columns, axis=1) * _SCALE

    def _real(self, picks: NDArray[np.int64], part: int) -> DescriptorSet | SortedPart:
        if isinstance(self.real, SortedSide):
            return self.real.part(part)
        return DescriptorSet(self.real.store, picks)

    def draws(self, count: int) -> _Array:
        """Return (draws, levels): the first repeat, on images drawn with replacement."""
        return np.concatenate([self._draw(index) for index in range(count)])

    def groups(self, count: int) -> _Array:
        """Return (groups, levels), on every `count`-th image of both sides."""
        rows = []
        for group in range(count):
            picks = group_picks(len(self.real), group, count)
            found = self.distances(
                picks, picks, repeats=1, directions=GROUP_DIRECTIONS, part=group + 1
            )
            rows.append(found)
        return np.concatenate(rows)

    def grouped(self, result: Result, groups: _Array) -> Result:
        """Return a result with the error that the distances of groups give."""
        errors = groups.std(0, ddof=1) / np.sqrt(len(groups))
        error = float(groups.mean(1).std(ddof=1) / np.sqrt(len(groups)))
        names = list(result.components)
        return replace(
            result,
            component_errors=dict(zip(names, errors.tolist(), strict=True)),
            standard_error=error,
            interval=_interval(result.value, error),
            uncertainty=f"{len(groups)} disjoint groups of the images of both sides",
            repeats=_by_name(names, groups),
        )

    def _draw(self, index: int) -> _Array:
        picks = [
            np.sort(
                generator(self.settings.seed, f"swd bootstrap {side}", index).integers(
                    0, len(self.real), len(self.real)
                )
            )
            for side in ("real", "fake")
        ]
        return self.distances(*picks, repeats=1)

    def result(
        self, levels: _Array, *, errors_from: _Array, images: int | None = None, drawn: int = 0
    ) -> Result:
        """Return the result; the spread of the rows of `errors_from` is the standard error."""
        settings = self.settings
        names = [str(height) for height, _ in self.real.levels]
        by_level = levels.mean(0)
        value = float(by_level.mean())
        known = len(errors_from) > 1
        errors = errors_from.std(0, ddof=1) if known else None
        error = float(errors_from.mean(1).std(ddof=1)) if known else None
        over = (
            f"{drawn} draws of the images with replacement"
            if drawn
            else f"{settings.repeats} repeats of {settings.directions} directions, of the same "
            "images and patches"
        )
        return Result(
            metric="swd",
            value=value,
            components=dict(zip(names, by_level.tolist(), strict=True)),
            component_errors={}
            if errors is None
            else dict(zip(names, errors.tolist(), strict=True)),
            standard_error=error,
            interval=_interval(value, error) if drawn else None,
            uncertainty=over if known else "",
            images={"real": images or len(self.real), "fake": images or len(self.fake)},
            convention=_convention(settings),
            seed=settings.seed,
            # Beside an error over draws, repeats of other directions would be taken for its own.
            repeats={} if drawn else _by_name(names, levels),
            warnings=(*_protocol_warnings(settings, images or len(self.fake)), *self._flat()),
        )

    def _flat(self) -> list[str]:
        """Warnings of levels that hold nothing."""
        sides = [self.real] if self.real is self.fake else [self.real, self.fake]
        return [
            f"{side.side}: level {level[0]} is the same everywhere in some channel; its "
            "normalised descriptors are taken as 0"
            for side in sides
            for level, flat in zip(side.levels, flat_levels(side), strict=True)
            if flat
        ]


def _by_name(names: list[str], rows: _Array) -> dict[str, tuple[float, ...]]:
    return {name: tuple(values.tolist()) for name, values in zip(names, rows.T, strict=True)}


def flat_levels(side: SwdStatistics | SortedSide) -> tuple[bool, ...]:
    """Return of each level whether some channel is the same everywhere."""
    if isinstance(side, SortedSide):
        return side.flat
    everything = DescriptorSet(side.store, np.arange(len(side)))
    return tuple(
        not everything.normalisation(number)[1].all() for number in range(len(side.levels))
    )


def _interval(value: float, error: float | None) -> tuple[float, float] | None:
    if error is None:
        return None
    return (value - _NORMAL_95 * error, value + _NORMAL_95 * error)


def _convention(settings: SwdSettings) -> str:
    size = settings.patch_size
    return (
        f"Laplacian levels down to {settings.smallest_level}, {settings.patches} patches of "
        f"{size}x{size}x3 an image and level, each set normalised by channel, "
        f"{settings.repeats} x {settings.directions} directions, x1e3"
    )


def _protocol_warnings(settings: SwdSettings, images: int) -> list[str]:
    """How the published protocol was not followed."""
    warnings = []
    if images != PROTOCOL_IMAGES:
        warnings.append(
            f"{counted(images, 'image')}: the protocol takes {PROTOCOL_IMAGES:,}; numbers of other "
            "counts are not comparable"
        )
    protocol: dict[str, Any] = {
        "patches": "patches an image and level",
        "patch_size": "pixels a side of a patch",
        "smallest_level": "pixels of the smallest level",
    }
    for name, words in protocol.items():
        value, expected = getattr(settings, name), getattr(SwdSettings(), name)
        if value != expected:
            warnings.append(f"{value} {words}: the protocol takes {expected}")
    return warnings


def _require_comparable(real: SwdStatistics | SortedSide, fake: SwdStatistics) -> None:
    if real.settings != fake.settings:
        raise UsageError(f"real: {real.settings}; fake: {fake.settings}; expected the same")
    for side in (real, fake):
        if side.size is None:
            raise DataError(f"{side.side}: no images; expected {PROTOCOL_IMAGES:,}")
    if real.size and fake.size and real.size != fake.size:
        raise DataError(
            f"real: images of {size_text(real.size)} pixels; fake: of {size_text(fake.size)}; "
            "expected one size: resize one side"
        )
    if len(real) != len(fake):
        raise DataError(
            f"real: {counted(len(real), 'image')}; fake: {len(fake):,}; the SWD compares equal "
            f"numbers: take {min(len(real), len(fake)):,} of each (--images)"
        )

"""Scores of restorers, by the protocols of the published tables.

Super-resolution: a picture is cut to multiples of 4, reduced four times by bicubic resampling,
restored, and compared 4 pixels away from the border. JPEG artifacts: the luma plane alone is
compressed as a grey JPEG; with `colour`, the picture itself, 4:2:0. Faces: reduced four times and
compressed, the way of a photograph to a web page, and restored by both nets.

Luma is as `fidelity.compare` has it. What is a grey picture goes by its file, as in the programs of
the tables: classic5's have one channel and are compared by their levels, and so is one of Set14's,
but another of Set14's is grey in three channels and is compared in studio range.
"""

import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import numpy as np

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.imaging import (
    bicubic_resize,
    decode_image,
    encode_grey_jpeg,
    encode_jpeg,
    full_luma,
    grey_levels,
    grey_to_rgb,
    is_grey,
    lanczos_resize,
    stored_grey,
    studio_luma,
)
from pgan_toolkit.restoration.fidelity import BANDS, Fidelity, compare
from pgan_toolkit.restoration.restorer import Restorer
from pgan_toolkit.storage import ImageSource, StoredSource

__all__ = [
    "DEFAULT_QUALITIES",
    "RESTORED",
    "SCORED_TASKS",
    "PictureScore",
    "ScoredTask",
    "mean_scores",
    "score_restorer",
    "stored_in_colour",
]

ScoredTask = Literal["jpeg", "superres", "faces"]
SCORED_TASKS: tuple[ScoredTask, ...] = get_args(ScoredTask)
DEFAULT_QUALITIES: dict[ScoredTask, tuple[int, ...]] = {"jpeg": (10, 20, 30, 40), "faces": (60,)}
"""JPEG qualities of the tasks that compress."""
RESTORED = "restored"
"""What a score calls the restorer's result, beside the plain ways that it is compared with."""

_SCALE = 4
_SMALLEST_PX = 20
"""A side that leaves one SSIM window after the cut to multiples of 4 and 4 pixels a border."""


@dataclass(frozen=True)
class PictureScore:
    """One degraded picture, restored in several ways.

    Attributes
    ----------
    key : str
        The picture's name in its set.
    quality : int | None
        Of the JPEG that it was restored from.
    fidelity : dict of str to Fidelity
        By way: what was given ("jpeg") or plain enlargements ("bicubic", "lanczos"), then
        "restored".
    seconds : float
        That the restorer took, wall clock.
    input_megapixels : float
        That it was given.
    """

    key: str
    quality: int | None
    fidelity: dict[str, Fidelity]
    seconds: float
    input_megapixels: float


@dataclass(frozen=True)
class _Trial:
    """A degraded picture, its original and the plain results."""

    original: Image
    grey: bool
    given: Image
    plain: dict[str, Image]
    scale: int
    quality: int | None = None


def score_restorer(
    source: ImageSource,
    restorer: Restorer,
    *,
    task: ScoredTask,
    qualities: Sequence[int] | None = None,
    colour: bool = False,
    coloured: Collection[str] = (),
) -> Iterator[PictureScore]:
    """Degrade each picture, restore it, and compare.

    Parameters
    ----------
    source : ImageSource
        Pictures without artifacts.
    restorer : Restorer
        For "jpeg" and "superres" its part for that step alone is measured.
    task : "jpeg", "superres" or "faces"
        The protocol.
    qualities : Sequence of int | None
        Of the JPEGs, each counted once; None for the task's own, `DEFAULT_QUALITIES`.
    colour : bool
        Compress the picture in place of its luma; for "jpeg" only.
    coloured : collection of str
        Keys of pictures that are compared in studio range even if their channels are equal:
        `stored_in_colour`.

    Yields
    ------
    PictureScore
        A picture and quality each, in the source's order.

    Raises
    ------
    DataError
        A picture cannot be read or is smaller than 20 pixels. The message names it.
    UsageError
        Qualities or colour for a task that has none, or a restorer's result of the wrong size.
    """
    degrade = _protocol(task, qualities, colour=colour)
    part = restorer if task == "faces" else restorer.only(task)
    return (
        _score(record.key, trial, part)
        for record in source
        for grey in [is_grey(record.image) and record.key not in coloured]
        for trial in degrade(_large_enough(record.image, record.key), grey)
    )


def stored_in_colour(source: StoredSource) -> frozenset[str]:
    """Keys of a folder's pictures whose files have more than one channel.

    Other formats keep no grey files apart, so that of them there are none.

    Raises
    ------
    DataError
        A file cannot be read or is no picture.
    """
    if source.format != "folder":
        return frozenset()
    return frozenset(
        key
        for index, key in enumerate(source.keys())
        if (data := source.encoded(index)) is not None
        and not stored_grey(data, name=source.name(index))
    )


def mean_scores(scores: Sequence[PictureScore]) -> list[PictureScore]:
    """Average over the pictures: a score for each quality, named "mean of N".

    PSNR and SSIM are averaged as tables do, picture by picture; ratios of energy geometrically,
    over the pictures that have such energy.
    """
    by_quality: dict[int | None, list[PictureScore]] = {}
    for score in scores:
        by_quality.setdefault(score.quality, []).append(score)
    return [
        PictureScore(
            key=f"mean of {len(group)}",
            quality=quality,
            fidelity={way: _mean([score.fidelity[way] for score in group]) for way in ways},
            seconds=float(np.mean([score.seconds for score in group])),
            input_megapixels=float(np.mean([score.input_megapixels for score in group])),
        )
        for quality, group in by_quality.items()
        for ways in [list(group[0].fidelity)]
    ]


def _mean(fidelities: Sequence[Fidelity]) -> Fidelity:
    def mean(name: str) -> float:
        return float(np.mean([getattr(fidelity, name) for fidelity in fidelities]))

    return Fidelity(
        psnr_luma=mean("psnr_luma"),
        ssim_luma=mean("ssim_luma"),
        psnr_rgb=mean("psnr_rgb"),
        ssim_rgb=mean("ssim_rgb"),
        band_ratios=_geometric_mean([fidelity.band_ratios for fidelity in fidelities]),
    )


def _geometric_mean(ratios: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    """Average the pictures that have detail; a result without any makes it 0."""
    known = [each for each in ratios if not any(map(math.isnan, each))]
    if not known:
        return (math.nan,) * BANDS
    with np.errstate(divide="ignore"):
        return tuple(np.exp(np.log(known).mean(axis=0)).tolist())


def _score(key: str, trial: _Trial, restorer: Restorer) -> PictureScore:
    start = time.perf_counter()
    restored = restorer.restore(trial.given, scale=trial.scale)
    seconds = time.perf_counter() - start
    shave_px = 0 if trial.scale == 1 else trial.scale
    results = {**trial.plain, RESTORED: restored}
    return PictureScore(
        key=key,
        quality=trial.quality,
        fidelity={
            way: compare(trial.original, result, shave_px=shave_px, grey=trial.grey)
            for way, result in results.items()
        },
        seconds=seconds,
        input_megapixels=trial.given.shape[0] * trial.given.shape[1] / 1e6,
    )


def _protocol(
    task: ScoredTask, qualities: Sequence[int] | None, *, colour: bool
) -> Callable[[Image, bool], Iterator[_Trial]]:
    if colour and task != "jpeg":
        raise UsageError(f"colour is a choice of the task jpeg; {task} is in colour always")
    if task == "superres":
        if qualities is not None:
            raise UsageError("the task superres has no JPEG quality; leave it out")
        return _superres_trials
    chosen = DEFAULT_QUALITIES[task] if qualities is None else tuple(dict.fromkeys(qualities))
    if not chosen or not all(1 <= quality <= 100 for quality in chosen):
        raise UsageError(f"JPEG qualities {list(chosen)}; expected one or more of 1 to 100")
    if task == "faces":
        return partial(_face_trials, qualities=chosen)
    return partial(_jpeg_trials, qualities=chosen, colour=colour)


def _superres_trials(image: Image, grey: bool) -> Iterator[_Trial]:
    original, small = _reduced(image)
    yield _Trial(original, grey, small, _enlarged(small), _SCALE)


def _face_trials(image: Image, grey: bool, *, qualities: Sequence[int]) -> Iterator[_Trial]:
    original, small = _reduced(image)
    for quality in qualities:
        given = _decoded(encode_jpeg(small, quality=quality))
        yield _Trial(original, grey, given, _enlarged(given), _SCALE, quality)


def _jpeg_trials(
    image: Image, grey: bool, *, qualities: Sequence[int], colour: bool
) -> Iterator[_Trial]:
    # The tables' originals are the rounded luma, not the picture that it came from.
    levels = grey_levels(full_luma(image) if grey else studio_luma(image))
    original = image if colour else grey_to_rgb(levels)
    for quality in qualities:
        data = (
            encode_jpeg(image, quality=quality)
            if colour
            else encode_grey_jpeg(levels, quality=quality)
        )
        given = _decoded(data)
        yield _Trial(original, grey or not colour, given, {"jpeg": given}, 1, quality)


def _reduced(image: Image) -> tuple[Image, Image]:
    """Cut to multiples of 4, and that reduced four times."""
    height, width = (size // _SCALE * _SCALE for size in image.shape[:2])
    original = np.ascontiguousarray(image[:height, :width])
    return original, bicubic_resize(original, width=width // _SCALE, height=height // _SCALE)


def _enlarged(image: Image) -> dict[str, Image]:
    size = {"width": image.shape[1] * _SCALE, "height": image.shape[0] * _SCALE}
    return {"bicubic": bicubic_resize(image, **size), "lanczos": lanczos_resize(image, **size)}


def _decoded(data: bytes) -> Image:
    return decode_image(data, name="a JPEG made in memory")


def _large_enough(image: Image, key: str) -> Image:
    height, width = image.shape[:2]
    if min(height, width) < _SMALLEST_PX:
        raise DataError(
            f"{key}: {width}x{height} pixels; a score takes {_SMALLEST_PX} a side or more, "
            "so leave it out"
        )
    return image

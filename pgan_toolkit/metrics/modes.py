"""The discrete modes of stacked MNIST: how many of 1000 a generator makes, and how evenly.

A stacked digit has one MNIST digit in each of its channels, R, G and B. Each channel is classified
alone, and the mode is R + 10 G + 100 B. N images give a histogram over the 1000 modes: the number
of modes that are not empty, and the Kullback-Leibler divergence of their shares q from the uniform
distribution, ``KL = sum q ln(1000 q)`` over the bins that are not empty, in nats.

Source: Metz et al., "Unrolled Generative Adversarial Networks", ICLR 2017; the protocol here is
that of Progressive Growing of GANs, appendix E: 25,600 images, and that ten times. Both numbers
depend on how many images there are: of 25,600 drawn evenly from all modes the KL is 0.0196 on
average, not 0, and grows as 1/N.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64
from numpy.typing import NDArray
from torch import Tensor

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.metrics.accumulator import next_range, take_ranges
from pgan_toolkit.metrics.images import ImageBatch, as_images
from pgan_toolkit.metrics.networks.digits import DIGIT_SIZE_PX
from pgan_toolkit.metrics.result import Result
from pgan_toolkit.wording import counted

__all__ = [
    "MODES",
    "MODES_IMAGES",
    "MODES_REPEATS",
    "ChannelClassifier",
    "DiscreteModes",
    "Histogram",
    "check_digit_size",
    "discrete_modes",
    "image_modes",
    "modes_and_kl",
    "modes_of_generator",
]

MODES = 1000
MODES_IMAGES = 25_600
"""Images of one repeat of the protocol."""
MODES_REPEATS = 10
"""Repeats of the protocol."""

if TYPE_CHECKING:
    Histogram = NDArray[np.int64]
else:
    Histogram = Int64[np.ndarray, "1000"]
    """Images by mode, R + 10 G + 100 B."""

_PADDED_SIZE_PX = 32
_CONVENTION = (
    "stacked MNIST: each channel classified alone, mode = R + 10 G + 100 B; modes that are not "
    "empty (value), KL from uniform in nats over them"
)


@runtime_checkable
class ChannelClassifier(Protocol):
    """What tells digits apart: a `DigitClassifier`, or any other; picklable.

    Attributes
    ----------
    identity : str
        Name and digest of its weights.
    """

    @property
    def identity(self) -> str: ...  # noqa: D102 - described above

    def __call__(self, digits: Tensor, /) -> Tensor:
        """Return classes, integers (N,) from 0 to 9, of digits, uint8 (N, 28, 28)."""


def modes_and_kl(histogram: Histogram) -> tuple[int, float]:
    """Return the number of modes that are not empty, and the KL divergence from uniform, nats.

    Parameters
    ----------
    histogram : Histogram
        int64 (1000,): images by mode; one image at least.

    Raises
    ------
    DataError
        It holds no image, or negative counts.
    """
    total = int(histogram.sum())
    if total < 1 or histogram.min() < 0:
        raise DataError(
            f"a histogram of {counted(total, 'image')}; expected one at least, in counts from 0"
        )
    q = histogram[histogram > 0] / total
    return len(q), max(float((q * np.log(MODES * q)).sum()), 0.0)


def image_modes(
    images: Tensor | NDArray[np.generic], classifier: ChannelClassifier
) -> NDArray[np.int64]:
    """Return the mode of each image, R + 10 G + 100 B, as int64 (N,), 0..999.

    Parameters
    ----------
    images : tensor or array (N, 3, 28, 28) or (N, 3, 32, 32), RGB, 0..255
        Digits white on black. Those of 32 pixels are MNIST's with a border of 2 black pixels, as
        networks on a power of two make them: the border is left out.
    classifier : ChannelClassifier
        Tells the digits of each channel.

    Raises
    ------
    DataError
        Images of another size, or not what `as_images` takes.
    """
    return _modes(_cropped(as_images(images)), classifier)


class DiscreteModes:
    """An `Accumulator` of the modes of a stream of generated images.

    Image i belongs to repeat ``i // images``; images beyond the last repeat are left out. The state
    is a histogram a repeat.

    Parameters
    ----------
    classifier : ChannelClassifier
        Tells the digits of each channel.
    images : int
        Images of a repeat.
    repeats : int
        Repeats, at most.
    """

    def __init__(
        self,
        classifier: ChannelClassifier,
        *,
        images: int = MODES_IMAGES,
        repeats: int = MODES_REPEATS,
    ) -> None:
        if images < 1 or repeats < 1:
            raise UsageError(f"images={images}, repeats={repeats}: expected 1 or more of each")
        self._classifier = classifier
        self._images = images
        self._repeats = repeats
        self._seen: list[range] = []
        self._counts: dict[int, NDArray[np.int64]] = {}

    def update(self, images: Tensor | NDArray[np.generic], *, first: int | None = None) -> None:
        """Count images as `image_modes` takes them; `first` is the index of the first of them.

        Raises
        ------
        DataError
            As `image_modes`.
        UsageError
            Some of them were taken before.
        """
        batch = _cropped(as_images(images))
        taken = next_range(self._seen, first=first, count=len(batch))
        used = batch[: max(self._images * self._repeats - taken.start, 0)]
        modes = _modes(used, self._classifier)
        repeat_of = np.arange(taken.start, taken.start + len(modes)) // self._images
        for repeat in np.unique(repeat_of).tolist():
            self._add(repeat, np.bincount(modes[repeat_of == repeat], minlength=MODES))

    def merge(self, other: Any) -> None:
        """Take over what another object with the same settings has counted; no image twice.

        Raises
        ------
        UsageError
            It is of another class or has other settings, or both have an image.
        """
        if not isinstance(other, DiscreteModes) or self._settings() != other._settings():
            raise UsageError("only discrete modes of the same classifier and protocol are merged")
        take_ranges(self._seen, other._seen)
        for repeat, counts in other._counts.items():
            self._add(repeat, counts)

    @property
    def histogram(self) -> Histogram:
        """Images by mode of all repeats that `compute` uses, int64 (1000,)."""
        return _total(self._used())

    def compute(self) -> Result:
        """Return the means over the repeats: modes as value, `modes` and `kl` as components.

        Errors are standard errors of the mean over repeats, where there are two or more.

        Raises
        ------
        DataError
            There is no image.
        """
        used = self._used()
        scores = np.array([modes_and_kl(counts) for counts in used])
        modes, kl = (float(mean) for mean in scores.mean(axis=0))
        spread = scores.std(axis=0, ddof=1) if len(used) > 1 else None
        errors = [] if spread is None else (spread / np.sqrt(len(used))).tolist()
        return Result(
            metric="modes",
            value=modes,
            images={"fake": int(sum(counts.sum() for counts in used))},
            convention=_CONVENTION,
            components={"modes": modes, "kl": kl},
            component_errors=dict(zip(("modes", "kl"), errors, strict=False)),
            standard_error=errors[0] if errors else None,
            uncertainty="" if spread is None else self._uncertainty(spread, len(used)),
            extractor=self._classifier.identity,
            warnings=tuple(self._warnings(used)),
        )

    def _used(self) -> list[NDArray[np.int64]]:
        """The histograms of all whole repeats; of what there is, where none is whole."""
        if not self._counts:
            raise DataError("no image was given; expected one at least")
        whole = [
            counts for _, counts in sorted(self._counts.items()) if counts.sum() == self._images
        ]
        return whole or [_total(list(self._counts.values()))]

    def _add(self, repeat: int, counts: NDArray[np.int64]) -> None:
        self._counts[repeat] = self._counts.get(repeat, 0) + counts

    def _settings(self) -> tuple[str, int, int]:
        return self._classifier.identity, self._images, self._repeats

    def _uncertainty(self, spread: NDArray[np.float64], repeats: int) -> str:
        return (
            f"standard error over {repeats} repeats of {counted(self._images, 'image')} "
            f"(standard deviation: modes {spread[0]:.3g}, kl {spread[1]:.3g})"
        )

    def _warnings(self, used: list[NDArray[np.int64]]) -> list[str]:
        found = []
        images = int(sum(counts.sum() for counts in used))
        if images < self._images:
            found.append(
                f"{counted(images, 'image')}: a repeat takes {self._images:,}; with fewer, modes "
                "are missed and the KL is larger"
            )
        elif len(used) < self._repeats:
            found.append(
                f"{len(used)} of {counted(self._repeats, 'repeat')}: there are no more images"
            )
        if (self._images, self._repeats) != (MODES_IMAGES, MODES_REPEATS):
            found.append(
                f"{counted(self._repeats, 'repeat')} of {counted(self._images, 'image')}: the "
                f"protocol is {MODES_REPEATS} of {MODES_IMAGES:,}"
            )
        left_out = sum(map(len, self._seen)) - images
        if left_out:
            found.append(f"{counted(left_out, 'image')} beyond whole repeats left out")
        return found


def discrete_modes(
    images: Tensor | NDArray[np.generic],
    *,
    classifier: ChannelClassifier,
    repeats: int = MODES_REPEATS,
    images_per_repeat: int = MODES_IMAGES,
) -> Result:
    """Return the modes of a whole set at once; see `DiscreteModes`."""
    modes = DiscreteModes(classifier, images=images_per_repeat, repeats=repeats)
    modes.update(images)
    return modes.compute()


def modes_of_generator(
    generate: Callable[[int, int], Tensor | NDArray[np.generic]],
    *,
    classifier: ChannelClassifier,
    repeats: int = MODES_REPEATS,
    images: int = MODES_IMAGES,
    batch_size: int = 256,
) -> Result:
    """Return the modes of a generator, by the protocol: all images drawn anew for each repeat.

    Parameters
    ----------
    generate : callable
        ``generate(count, seed)`` returns `count` images, as `image_modes` takes them. It is called
        with the seeds 0, 1, 2, ..., one a batch, and should depend on them alone.
    classifier : ChannelClassifier
        Tells the digits of each channel.
    repeats : int
        Independent sets.
    images : int
        Images of each.
    batch_size : int
        Images asked for at once, at most.

    Raises
    ------
    DataError
        As `image_modes`, or another number of images than asked for came back.
    """
    if batch_size < 1:
        raise UsageError(f"batch_size={batch_size}: expected 1 or more")
    modes = DiscreteModes(classifier, images=images, repeats=repeats)
    total = images * repeats
    for seed, start in enumerate(range(0, total, batch_size)):
        count = min(batch_size, total - start)
        batch = generate(count, seed)
        if len(batch) != count:
            raise DataError(
                f"the generator gave {len(batch)} images for seed {seed}; expected {count}"
            )
        modes.update(batch, first=start)
    return modes.compute()


def check_digit_size(height: int, width: int) -> None:
    """Refuse a size, in pixels, that stacked digits do not have.

    Raises
    ------
    DataError
        It is neither 28x28 nor 32x32.
    """
    if height != width or height not in (DIGIT_SIZE_PX, _PADDED_SIZE_PX):
        raise DataError(
            f"images of {width}x{height} pixels; expected stacked digits of 28x28, or of 32x32 "
            "with 2 pixels of border on each side: resize or crop them to one of these"
        )


def _cropped(images: ImageBatch) -> Tensor:
    height, width = images.shape[2:]
    check_digit_size(height, width)
    border_px = (height - DIGIT_SIZE_PX) // 2
    return images[:, :, border_px : height - border_px, border_px : width - border_px]


def _modes(images: Tensor, classifier: ChannelClassifier) -> NDArray[np.int64]:
    digits = images.reshape(-1, DIGIT_SIZE_PX, DIGIT_SIZE_PX)
    classes = classifier(digits).cpu().numpy().astype(np.int64).reshape(-1, 3)
    red, green, blue = classes.T
    return red + 10 * green + 100 * blue


def _total(histograms: Sequence[Histogram]) -> Histogram:
    return np.asarray(np.sum(histograms, axis=0), np.int64)

"""Streams of stored pictures: which of a set go into a metric, decoded ahead, in batches.

The seed chooses the pictures, threads decode them. The index that a batch carries counts those that
are used, from 0: a metric knows an image by it.
"""

import copy
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch

from pgan_toolkit.arrays import Image
from pgan_toolkit.digests import bytes_digest
from pgan_toolkit.engines import available_cores, threaded_map
from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.evaluation.choices import choose_images, draw_order
from pgan_toolkit.evaluation.content import Identity, PictureReader, set_digest
from pgan_toolkit.metrics.images import ImageBatch
from pgan_toolkit.progress import Progress, ProgressMode
from pgan_toolkit.storage import ImageSource, Place, RemotePath, StoredSource, open_source
from pgan_toolkit.storage.encodings import loss_of
from pgan_toolkit.wording import counted

__all__ = ["BATCH_BYTES", "Batch", "ImageStream", "StreamSettings"]

BATCH_BYTES = 16 * 2**20
"""Decoded pictures of one batch, at most, unless a single one takes more."""

_LARGEST_BATCH = 512
_MOST_WORKERS = 8
Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True)
class StreamSettings:
    """How a set is read.

    Attributes
    ----------
    images : int | None
        How many of its pictures to use, at most; None: all.
    seed : int
        Which ones, where there are more: see `choose_images`.
    skip_bad : bool
        Leave unreadable pictures out, and say how many; otherwise the first one stops the work.
    batch_size : int | None
        Pictures in a batch; None: as many as `BATCH_BYTES` holds, at most 512.
    workers : int | None
        Threads that decode; None: one a core, at most 8.
    mode : {"auto", "quiet"}
        Of the progress bar.
    """

    images: int | None = None
    seed: int = 0
    skip_bad: bool = False
    batch_size: int | None = None
    workers: int | None = None
    mode: ProgressMode = "auto"

    def __post_init__(self) -> None:
        for name in ("images", "batch_size", "workers"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name}={value}: expected 1 or more")
        if self.seed < 0:
            raise UsageError(f"seed={self.seed}: expected 0 or more")


@dataclass(frozen=True, eq=False)
class Batch:
    """Images of one size, uint8 (N, 3, H, W), RGB; `first` is the index of the first of them."""

    first: int
    images: ImageBatch


class ImageStream:
    """The pictures of one set that go into a metric.

    Memory: four batches of decoded pictures (one in use, three in the making), whose number is set
    by the first picture's size.

    Parameters
    ----------
    source : ImageSource | Path | RemotePath | str
        The set, or what `open_source` opens.
    settings : StreamSettings
        How to read it.

    Attributes
    ----------
    source : ImageSource
        The set.
    settings : StreamSettings
        How it is read.
    indices : tuple of int
        The pictures used, ascending.
    bad : tuple of str
        A message for each picture that was left out as unreadable.

    Raises
    ------
    UsageError
        No such set.
    DataError
        It holds no pictures, or none that can be read.
    """

    def __init__(
        self, source: ImageSource | Place | str, settings: StreamSettings | None = None
    ) -> None:
        self.source = open_source(source) if isinstance(source, (Path, RemotePath, str)) else source
        self.settings = settings or StreamSettings()
        if not len(self.source):
            raise DataError(f"{self.path}: holds no pictures")
        self._reader = PictureReader(self.source)
        self._sizes: Counter[tuple[int, int]] = Counter()
        self._identities: list[Identity] | None = None
        self._whole: ImageStream | None = None  # of which this is a part, and which may know more
        self.bad: tuple[str, ...] = ()
        self.indices = choose_images(
            len(self.source), self.settings.images, seed=self.settings.seed
        )
        if self.settings.skip_bad:
            self.indices, self.bad = self._readable()

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def is_drawn(self) -> bool:
        """Whether the seed chose the pictures: others are left that are not known to be bad."""
        return len(self) + len(self.bad) < len(self.source)

    @property
    def path(self) -> str:
        """Where the set is, as messages name it."""
        return str(getattr(self.source, "path", "the set"))

    @cached_property
    def size(self) -> tuple[int, int]:
        """Height and width of the first picture, in pixels, as decoded."""
        height, width = self._read(self.indices[0])[0].shape[:2]
        return height, width

    @property
    def sizes(self) -> Mapping[tuple[int, int], int]:
        """(height, width) -> pictures, of the last pass; only the first picture's before one."""
        return dict(self._sizes or {self.size: 1})

    def recall_sizes(self, sizes: Mapping[tuple[int, int], int]) -> None:
        """Set what `sizes` gives, from an earlier pass over the very same pictures."""
        self._sizes = Counter(sizes)

    def recall_identities(self, identities: Sequence[Identity]) -> None:
        """Set what `identities` gives, from another process that read the very same pictures."""
        self._identities = list(identities)

    def batch_size(self, *, at_most: int = _LARGEST_BATCH) -> int:
        """Pictures in a batch: as the settings say, or as many as are fit for their size."""
        fitting = BATCH_BYTES // (3 * self.size[0] * self.size[1])
        return self.settings.batch_size or max(1, min(at_most, _LARGEST_BATCH, fitting))

    def take(self, images: int) -> "ImageStream":
        """Return a stream of so many of these pictures at most, as the seed chooses them.

        What is read of these is known of those. Fewer are always a subset of more.
        """
        if images >= len(self):
            return self
        used = frozenset(self.indices)
        drawn = [index for index in self._draw() if index in used]
        taken = copy.copy(self)
        taken.indices = tuple(sorted(drawn[:images]))
        taken.__dict__.pop("size", None)
        taken._sizes, taken._identities, taken._whole = Counter(), None, self
        if len(self._sizes) == 1:
            taken._sizes = Counter(dict.fromkeys(self._sizes, len(taken)))
        return taken

    def key(self, position: int) -> str:
        """Return the key of the picture that a metric knows by this index."""
        return self.source.keys()[self.indices[position]]

    def image(self, position: int) -> Image:
        """Decode the picture that a metric knows by this index: uint8 (H, W, 3)."""
        return self._read(self.indices[position])[0]

    def identities(self) -> Sequence[Identity]:
        """Return what each picture used is, in order; read anew each time unless just decoded.

        Raises DataError where one cannot be read.
        """
        known = self._known()
        if known is None:
            label = f"checking {Path(self.path).name}"
            found = []
            with (
                Progress(len(self), label=label, unit="image", mode=self.settings.mode) as bar,
                closing(self._map(self._reader.identify, self.indices)) as identities,
            ):
                for identity in identities:
                    found.append(identity)
                    bar.advance()
            known = self._identities = found
        return tuple(known)

    def digests(self) -> list[str]:
        """Return the digest of each picture used, in order; reads them as `identities` does."""
        return [identity.digest for identity in self.identities()]

    def probe(self) -> str:
        """SHA-256 over the number of pictures and the first and the last: of equal sets equal.

        Raises
        ------
        DataError
            A picture cannot be read.
        """
        known, ends = self._known(), (self.indices[0], self.indices[-1])
        found = map(self._reader.identify, ends) if known is None else (known[0], known[-1])
        return bytes_digest(f"{len(self)} {set_digest(found)}".encode())

    def batches(
        self,
        *,
        sizes: Literal["one", "any"] = "one",
        at_most: int = _LARGEST_BATCH,
        label: str = "reading",
        positions: range | None = None,
    ) -> Generator[Batch, None, None]:
        """Give all pictures once, or those of some positions.

        Parameters
        ----------
        sizes : {"one", "any"}
            Whether all must have one size; "any": a batch ends where the size changes.
        at_most : int
            Pictures in a batch where the settings do not say.
        label : str
            What the progress bar calls the work.
        positions : range | None
            Which of the pictures, without gaps; None: all. What is found out is then of those.

        Raises
        ------
        DataError
            A picture cannot be read, or has another size than the first where it must not.
        """
        batch_size, positions = self.batch_size(at_most=at_most), positions or range(len(self))
        self._identities = None
        seen, found = Counter[tuple[int, int]](), list[Identity]()
        first, group = positions.start, list[Image]()
        indices = self.indices[positions.start : positions.stop]
        with (
            Progress(len(indices), label=label, unit="image", mode=self.settings.mode) as bar,
            closing(self._map(self._read, indices, ahead=batch_size)) as pictures,
        ):
            for position, (image, identity) in enumerate(pictures, positions.start):
                if sizes == "one" and image.shape[:2] != self.size:
                    raise self.mixed(position, size=image.shape[:2])
                if group and (len(group) == batch_size or group[0].shape != image.shape):
                    yield Batch(first, _stacked(group))
                    bar.advance(len(group))
                    first, group = position, []
                group.append(image)
                seen[image.shape[:2]] += 1
                found.append(identity)
            yield Batch(first, _stacked(group))
            bar.advance(len(group))
        self._sizes, self._identities = seen, found

    def warnings(self) -> tuple[str, ...]:
        """Say what is unusual about the set, as far as it has been read."""
        found = []
        if self.bad:
            bad = counted(len(self.bad), "unreadable picture")
            found.append(f"{self.path}: {bad} left out, such as {self.bad[0]}")
        if len(self._sizes) > 1:
            most = ", ".join(
                f"{width}x{height} ({count:,})"
                for (height, width), count in self._sizes.most_common(3)
            )
            found.append(f"{self.path}: pictures of {len(self._sizes)} sizes: {most}")
        counts = self.encodings()
        if len({loss_of(name) for name in counts} - {"unknown"}) > 1:
            listed = ", ".join(f"{count:,} {name}" for name, count in counts.items())
            found.append(
                f"{self.path}: lossy files beside lossless ones ({listed}): compression artifacts "
                "move every metric"
            )
        return tuple(found)

    def encodings(self) -> Mapping[str, int]:
        """Return how many of the pictures read so far have each encoding, most frequent first."""
        return dict(Counter(each.encoding for each in self._known() or ()).most_common())

    def mixed(self, position: int, *, size: Sequence[int]) -> DataError:
        """Return the error of a picture that has another size, in pixels, than the first."""
        name = self._reader.name
        return DataError(
            f"{name(self.indices[position])}: {size[1]}x{size[0]} pixels, where "
            f"{name(self.indices[0])} has {self.size[1]}x{self.size[0]}{self._others()}; this "
            "metric takes pictures of one size: crop or resize them to one, or leave out what "
            f"differs (`pgan-toolkit data inspect {self.path}` lists the sizes)"
        )

    def describe(self) -> dict[str, Any]:
        """Return what was read, as JSON takes it."""
        read = self._known()
        return {
            "path": self.path,
            "images": len(self),
            "images_in_set": len(self.source),
            "chosen_by_seed": self.settings.seed if self.is_drawn else None,
            "sizes": {f"{width}x{height}": n for (height, width), n in self.sizes.items()},
            "encodings": dict(self.encodings()),
            "unreadable": list(self.bad),
            "sha256": None if read is None else set_digest(read),
        }

    def _known(self) -> list[Identity] | None:
        """What each picture is, if it was read, by this stream or the one that it is a part of."""
        if self._identities is None and self._whole is not None:
            whole = self._whole._known()
            if whole is not None:
                known = dict(zip(self._whole.indices, whole, strict=True))
                self._identities = [known[index] for index in self.indices]
        return self._identities

    def _read(self, index: int) -> tuple[Image, Identity]:
        try:
            return self._reader.read(index)
        except DataError as error:
            if not isinstance(self.source, StoredSource):
                raise  # what makes its pictures has none that are unreadable
            raise DataError(f"{error} (--skip-bad leaves such pictures out)") from error

    def _readable(self) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """Decode the chosen pictures; put the next of the draw in the places of those that fail."""
        total = len(self.source)
        wanted = min(self.settings.images or total, total)
        drawn = iter(self._draw() if wanted < total else range(total))
        good: list[int] = []
        bad: list[tuple[int, str]] = []
        while new := tuple(islice(drawn, wanted - len(good))):
            for index, reason in zip(new, self._map(self._problem, new), strict=True):
                if reason is None:
                    good.append(index)
                else:
                    bad.append((index, reason))
        if not good:
            raise DataError(
                f"{self.path}: none of {counted(total, 'picture')} can be read: {bad[0][1]}"
            )
        return tuple(sorted(good)), tuple(reason for _, reason in sorted(bad))

    def _draw(self) -> list[int]:
        return draw_order(len(self.source), seed=self.settings.seed)

    def _problem(self, index: int) -> str | None:
        try:
            self._reader.read(index)
        except DataError as error:
            return str(error)
        return None

    def _map(
        self, work: Callable[[int], Value], indices: Sequence[int], *, ahead: int = 0
    ) -> Generator[Value, None, None]:
        workers = self.settings.workers or min(available_cores(), _MOST_WORKERS)
        return threaded_map(work, indices, workers=workers, ahead=ahead)

    def _others(self) -> str:
        """Say how many of the pictures differ from the first, by their headers."""
        if not isinstance(self.source, StoredSource):
            return ""
        sizes = Counter[tuple[int, int]]()
        for index in self.indices:
            with suppress(DataError):  # the sizes are to be told, not a damaged file
                info = self.source.info(index)
                sizes[info.height, info.width] += 1
        first = self.source.info(self.indices[0])
        count = sizes.total() - sizes[first.height, first.width]
        return f" ({count:,} of {sizes.total():,} pictures differ from it)" if count else ""


def _stacked(images: Sequence[Image]) -> ImageBatch:
    """Return pictures (H, W, 3) as one tensor (N, 3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2)))

"""A pass over a set that is divided over the workers of an engine.

The set is cut into pieces of two batches, whatever the number of workers, so that every batch, and
with it every rounding, is that of a pass by one process. A worker reads a piece from where the set
is stored and sends back what the shares took: patches, features and counts, no pictures but one
whose partner in a pair of MS-SSIM lies in the next piece.
"""

import copy
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NoReturn

import torch

from pgan_toolkit.engines import Engine
from pgan_toolkit.errors import SetupError
from pgan_toolkit.evaluation.comparing.one_pass import (
    FeatureCollector,
    Share,
    feed_shares,
)
from pgan_toolkit.evaluation.content import Identity, PictureReader
from pgan_toolkit.evaluation.streams import ImageStream
from pgan_toolkit.metrics.accumulator import Statistics
from pgan_toolkit.metrics.features import FeatureSet
from pgan_toolkit.progress import Progress
from pgan_toolkit.storage import StoredSource

__all__ = ["can_be_divided", "feed_divided", "identify_divided"]

_BATCHES = 2  # an even number of pictures, so that pairs seldom lie in two pieces


@dataclass(frozen=True, eq=False)
class _Piece:
    """What a worker took from a piece: statistics by the shares' order, and what it read."""

    positions: range
    taken: list[Statistics | FeatureSet]
    left_out: dict[str, str]
    sizes: Counter[tuple[int, int]]
    identities: Sequence[Identity]


@dataclass(frozen=True, eq=False)
class _Reading:
    """What every worker needs: the set, and how to begin each share anew."""

    stream: ImageStream
    shares: tuple[Share, ...]
    required: frozenset[str]
    device: str


def can_be_divided(stream: ImageStream) -> bool:
    """Whether other processes can read the set: a generator's pictures are made in this one."""
    return isinstance(stream.source, StoredSource)


def feed_divided(
    stream: ImageStream,
    shares: Sequence[Share],
    *,
    engine: Engine,
    required: frozenset[str] = frozenset(),
    label: str = "reading",
    device: torch.device | str = "cpu",
) -> dict[str, str]:
    """Give every share its pictures, as `feed_shares` does, by the workers of an engine.

    Raises
    ------
    DataError, SetupError
        As `feed_shares` and `Engine.map`.
    """
    pieces = _pieces(stream)
    reading = _Reading(stream, tuple(shares), required, str(device))
    results = engine.map(
        _read_piece,
        pieces,
        prepare=partial(_open, reading),
        on_lost=partial(_lost, stream.path),
        most=len(pieces),
    )
    left_out: dict[str, str] = {}
    sizes, identities = Counter[tuple[int, int]](), list[Identity]()
    mode = stream.settings.mode
    with closing(results), Progress(len(stream), label=label, unit="image", mode=mode) as bar:
        for piece in results:
            left_out = piece.left_out | left_out  # of each share the first reason
            for share, taken in zip(shares, piece.taken, strict=True):
                if share.name not in left_out:
                    share.statistics.merge(taken)
            sizes += piece.sizes
            identities += piece.identities
            bar.advance(len(piece.positions))
    stream.recall_sizes(sizes)
    stream.recall_identities(identities)
    return left_out


def identify_divided(stream: ImageStream, *, engine: Engine) -> None:
    """Let the workers of an engine read what each picture is; the stream knows it then.

    Raises
    ------
    DataError, SetupError
        As `ImageStream.identities` and `Engine.map`.
    """
    pieces = _pieces(stream)
    results = engine.map(
        _identify,
        pieces,
        prepare=partial(_quietly, stream),
        on_lost=partial(_lost, stream.path),
        most=len(pieces),
    )
    label, mode = f"checking {Path(stream.path).name}", stream.settings.mode
    found: list[Identity] = []
    with closing(results), Progress(len(stream), label=label, unit="image", mode=mode) as bar:
        for identities in results:
            found += identities
            bar.advance(len(identities))
    stream.recall_identities(found)


def _identify(stream: ImageStream, positions: range) -> list[Identity]:
    reader = PictureReader(stream.source)
    return [reader.identify(stream.indices[position]) for position in positions]


def _pieces(stream: ImageStream) -> list[range]:
    size = _BATCHES * stream.batch_size()
    return [range(start, min(start + size, len(stream))) for start in range(0, len(stream), size)]


def _quietly(stream: ImageStream) -> ImageStream:
    quiet = copy.copy(stream)  # where there is one worker, it is this very process
    quiet.settings = replace(stream.settings, mode="quiet")
    return quiet


def _open(reading: _Reading) -> _Reading:
    return replace(reading, stream=_quietly(reading.stream))


def _read_piece(reading: _Reading, positions: range) -> _Piece:
    stream = reading.stream
    shares = [
        replace(share, statistics=share.fresh())
        for share in reading.shares
        if share.fresh is not None
    ]
    left_out = feed_shares(
        stream,
        shares,
        required=reading.required,
        device=reading.device,
        positions=positions,
    )
    taken = [_to_send(share.statistics) for share in shares]
    return _Piece(positions, taken, left_out, Counter(stream.sizes), stream.identities())


def _to_send(statistics: Statistics) -> Statistics | FeatureSet:
    """What was taken, without the network that took it."""
    return statistics.collected if isinstance(statistics, FeatureCollector) else statistics


def _lost(path: str, positions: range) -> NoReturn:
    raise SetupError(
        f"{path}: a worker died three times of pictures {positions.start} to "
        f"{positions.stop - 1} (out of memory, or a crash in a library); use a smaller --batch-size"
    )

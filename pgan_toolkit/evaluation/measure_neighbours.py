"""Nearest neighbours of generated pictures among stored ones, as a table and as a picture."""

import csv
import io
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import UsageError
from pgan_toolkit.evaluation.extractors import FeatureExtractor
from pgan_toolkit.evaluation.memory import enough_memory
from pgan_toolkit.evaluation.protocol import pair_warnings
from pgan_toolkit.evaluation.streams import Batch, ImageStream
from pgan_toolkit.imaging import Section, Tile, contact_sheet
from pgan_toolkit.metrics.neighbours import NeighbourSearch
from pgan_toolkit.metrics.result import library_versions
from pgan_toolkit.wording import spreadsheet_text

__all__ = ["Found", "Neighbour", "NeighbourTable", "find_neighbours"]


_COLUMNS_FOR_A_LONG_TITLE = 4


class Neighbour(NamedTuple):
    """A real picture near a fake one.

    `position` counts the pictures of the stream, `distance` is in the unit of the features.
    """

    key: str
    position: int
    distance: float


@dataclass(frozen=True)
class Found:
    """A fake picture's key and position in its stream, and its neighbours, nearest first."""

    key: str
    position: int
    neighbours: tuple[Neighbour, ...]


@dataclass(frozen=True)
class NeighbourTable:
    """Nearest neighbours of the pictures of one set in another.

    Attributes
    ----------
    rows : tuple of Found
        A fake picture each, in the order of the set.
    searched : int
        Real pictures that were looked at.
    extractor : str
        What gave the features.
    warnings : tuple of str
        What is unusual about the sets or the network.
    """

    rows: tuple[Found, ...]
    searched: int
    extractor: str
    warnings: tuple[str, ...]

    def to_csv(self) -> str:
        """Return a line a pair: fake, rank (from 1), real, distance."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["fake", "rank", "real", "distance"])
        for row in self.rows:
            for rank, near in enumerate(row.neighbours, start=1):
                names = spreadsheet_text(row.key), spreadsheet_text(near.key)
                writer.writerow([names[0], rank, names[1], repr(near.distance)])
        return text.getvalue()

    def to_dict(self) -> dict[str, Any]:
        """Return what `json.dumps` takes."""
        return {
            "format": "pgan-toolkit neighbours",
            "version": 1,
            "searched": self.searched,
            "extractor": self.extractor,
            "versions": library_versions(),
            "warnings": list(self.warnings),
            "neighbours": {
                row.key: [{"real": near.key, "distance": near.distance} for near in row.neighbours]
                for row in self.rows
            },
        }

    def draw(
        self, fake: ImageStream, real: ImageStream, *, rows: int = 64, tile_px: int = 128
    ) -> Image:
        """Draw a row a fake picture, followed by its neighbours with their distances.

        Parameters
        ----------
        fake, real : ImageStream
            What was searched.
        rows : int
            How many fake pictures to draw, at most.
        tile_px : int
            Side of a picture on the page.

        Returns
        -------
        Image
            uint8 (H, W, 3), RGB.
        """
        tiles = []
        for row in self.rows[:rows]:
            tiles.append(Tile(fake.image(row.position), f"fake {row.key}"))
            tiles += [
                Tile(real.image(near.position), f"{near.key}\n{near.distance:#.4g}")
                for near in row.neighbours
            ]
        columns = 1 + len(self.rows[0].neighbours)
        title = f"{_name(fake)}, and nearest of {self.searched:,} in {_name(real)}"
        if columns >= _COLUMNS_FOR_A_LONG_TITLE:
            title += f" by {self.extractor.split(' sha256:')[0]}"
        return contact_sheet([Section(tiles, title)], columns=columns, tile_px=tile_px)


def find_neighbours(
    fake: ImageStream, real: ImageStream, *, extractor: FeatureExtractor, k: int = 5
) -> NeighbourTable:
    """Find the nearest real pictures of each fake one.

    The features of the fake pictures are held (94 kB a picture of "vgg16"), those of the real ones
    are not.

    Parameters
    ----------
    fake, real : ImageStream
        The sets, of any sizes: the extractor crops and resizes.
    extractor : FeatureExtractor
        Of the features whose Euclidean distance is taken.
    k : int
        Neighbours of each.

    Raises
    ------
    UsageError
        There are fewer than k real pictures.
    DataError
        A picture cannot be read.
    """
    if not 1 <= k <= len(real):
        raise UsageError(
            f"{k} nearest pictures (--nearest): expected 1 or more, and at most the {len(real):,} "
            f"of {real.path}"
        )
    device = extractor.device
    with enough_memory(device):
        search = NeighbourSearch(_features(fake, extractor).to(device), k=k)
        with closing(_batches(real, extractor, label="searching")) as batches:
            for batch in batches:
                search.update(extractor.features(batch.images), first=batch.first)
    nearest = search.compute()
    rows = tuple(
        Found(
            fake.key(position),
            position,
            tuple(
                Neighbour(real.key(index), index, distance)
                for index, distance in zip(indices, distances, strict=True)
            ),
        )
        for position, (indices, distances) in enumerate(
            zip(nearest.indices.tolist(), nearest.distances.tolist(), strict=True)
        )
    )
    warnings = (
        *extractor.warnings,
        *fake.warnings(),
        *real.warnings(),
        *pair_warnings(real, fake),
    )
    return NeighbourTable(
        rows, nearest.searched, extractor.identity, tuple(dict.fromkeys(warnings))
    )


def _features(stream: ImageStream, extractor: FeatureExtractor) -> Tensor:
    """Extract the features of a set into one tensor, so that they are held once."""
    features = torch.empty(0)
    with closing(_batches(stream, extractor, label="fake features")) as batches:
        for batch in batches:
            found = extractor.features(batch.images)
            if not len(features):
                features = found.new_empty((len(stream), found.shape[1]))
            features[batch.first : batch.first + len(found)] = found
    return features


def _batches(
    stream: ImageStream, extractor: FeatureExtractor, *, label: str
) -> Generator[Batch, None, None]:
    return stream.batches(sizes="any", at_most=extractor.batch_size, label=label)


def _name(stream: ImageStream) -> str:
    return Path(stream.path).name

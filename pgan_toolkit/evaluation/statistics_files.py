"""Precomputed statistics of features in .npz files: ours, pytorch-fid's and clean-fid's.

All three hold `mu` (D,) and `sigma` (D, D). Ours also say how many images there were, which
extractor gave the features and by which convention, and our format's version::

    mu, sigma      float64
    n              int64
    extractor      name and SHA-256 digest of the network
    convention     how images were prepared for it
    format         1
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgan_toolkit.errors import DataError
from pgan_toolkit.metrics.gaussian import Gaussian
from pgan_toolkit.storage import AtomicPath
from pgan_toolkit.storage.archives import Archive
from pgan_toolkit.storage.npz_members import find_arrays, member_names

__all__ = [
    "PREPARED",
    "StoredStatistics",
    "holds_statistics",
    "read_statistics",
    "require_one_convention",
    "write_statistics",
]

PREPARED = "images resized to 299x299 as TensorFlow 1 does, (x - 128) / 128; covariance with N - 1"
"""The convention of the statistics that are computed here of pictures."""

_FORMAT = 1
_MOST_BYTES = 1 << 30
_MOMENTS = ("mu", "sigma")
_OURS = ("n", "extractor", "convention", "format")


@dataclass(frozen=True)
class StoredStatistics:
    """What a file of statistics holds.

    Attributes
    ----------
    gaussian : Gaussian
        Its count is None in files of other programs, which do not say it.
    extractor : str | None
        Name and digest of the network that gave the features; None where the file does not say.
    convention : str | None
        How images were prepared; None where the file does not say.
    """

    gaussian: Gaussian
    extractor: str | None = None
    convention: str | None = None


def write_statistics(path: Path, statistics: StoredStatistics, *, overwrite: bool = False) -> None:
    """Write statistics to a file that appears complete or not at all.

    Parameters
    ----------
    path : Path
        The .npz file.
    statistics : StoredStatistics
        All of its parts known.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    UsageError
        The file exists and `overwrite` is false.
    DataError
        The number of images, the extractor or the convention is not known.
    OSError
        The folder cannot be written to.
    """
    gaussian = statistics.gaussian
    if gaussian.count is None or not statistics.extractor or not statistics.convention:
        raise DataError(
            f"{path}: statistics without the number of images, the extractor or the convention "
            "are not written: nobody could tell what they can be compared with"
        )
    with AtomicPath(path, overwrite=overwrite) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            mu=np.asarray(gaussian.mean, np.float64),
            sigma=np.asarray(gaussian.covariance, np.float64),
            n=np.int64(gaussian.count),
            extractor=np.str_(statistics.extractor),
            convention=np.str_(statistics.convention),
            format=np.int64(_FORMAT),
        )


def holds_statistics(path: Path) -> bool:
    """Whether an .npz file is to be read by `read_statistics`, and not as a set of images.

    It is where it has one of the arrays `mu` and `sigma`, or none that can be found: what is wrong
    with it is told then.
    """
    names = member_names(Archive(path))
    return not names or any(f"{name}.npy" in names for name in _MOMENTS)


def require_one_convention(sides: Mapping[str, StoredStatistics], *, pictures: bool) -> None:
    """Refuse statistics of images that were prepared otherwise than those of the other side.

    Files that do not say how are let be.

    Parameters
    ----------
    sides : Mapping of str to StoredStatistics
        What messages call each -> what was read.
    pictures : bool
        Whether the other side are pictures, which are prepared here.

    Raises
    ------
    DataError
        The conventions differ; both are told.
    """
    known = PREPARED if pictures else None
    for name, side in sides.items():
        if side.convention is None:
            continue
        if known not in (None, side.convention):
            raise DataError(
                f"{name}: convention {side.convention!r}; expected that of the other side, "
                f"{known!r}: compute the statistics of both in the same way (`pgan-toolkit fid "
                "--save-statistics`)"
            )
        known = side.convention


def read_statistics(path: Path) -> StoredStatistics:
    """Read statistics that this toolkit, pytorch-fid or clean-fid wrote.

    Parameters
    ----------
    path : Path
        The .npz file. Nothing in it is unpickled.

    Raises
    ------
    DataError
        It is no such file, or holds other arrays, shapes or values than it should.
    OSError
        It cannot be read.
    """
    arrays = _arrays(path)
    count, extractor, convention = _ours(path, arrays)
    mean, covariance = (_numbers(path, name, arrays[name]) for name in _MOMENTS)
    try:
        gaussian = Gaussian(mean=mean, covariance=covariance, count=count)
        _ = gaussian.factor  # which is kept; here its error gets the name of the file
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return StoredStatistics(gaussian, extractor, convention)


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    # What else a file holds stays there: some hold the images too.
    path.stat()  # an OSError where there is no such file
    found = find_arrays(Archive(path), only=(*_MOMENTS, *_OURS))
    if any(array.of_npy for array in found.values()):
        raise DataError(f"{path}: a single array; expected an .npz file of mu and sigma")
    _require_moments(path, found.keys())
    largest = max(array.header.data_bytes for array in found.values())
    if largest > _MOST_BYTES:
        raise DataError(
            f"{path}: an array of {largest:,} bytes; expected at most {_MOST_BYTES:,}, which "
            "11,000 features need: it holds no statistics of features"
        )
    try:
        return {name: np.asarray(array.load()) for name, array in found.items()}
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: the arrays are damaged ({error}); write them again") from error


def _require_moments(path: Path, names: Container[str]) -> None:
    missing = [name for name in _MOMENTS if name not in names]
    if missing:
        held = ", ".join(name.removesuffix(".npy") for name in member_names(Archive(path)))
        raise DataError(
            f"{path}: no {' and no '.join(missing)} among {held or 'nothing'}; "
            "expected mu (D,) and sigma (D, D), as pytorch-fid, clean-fid and this toolkit "
            "write them"
        )


def _ours(
    path: Path, arrays: Mapping[str, NDArray[Any]]
) -> tuple[int | None, str | None, str | None]:
    """What only our files say; what others add under other names is left alone."""
    if "format" not in arrays:
        return None, None, None
    missing = [name for name in _OURS if name not in arrays]
    if missing:
        raise DataError(f"{path}: no {' and no '.join(missing)}; the file is damaged")
    values = {name: arrays[name] for name in _OURS}
    kinds = {name: value.dtype.kind for name, value in values.items()}
    if kinds != {"n": "i", "extractor": "U", "convention": "U", "format": "i"} or any(
        value.ndim for value in values.values()
    ):
        raise DataError(f"{path}: n, extractor, convention or format is of a wrong type")
    version, count = int(values["format"]), int(values["n"])
    if version != _FORMAT:
        raise DataError(f"{path}: format {version}; this version of the toolkit reads {_FORMAT}")
    if count < 2:
        raise DataError(f"{path}: n = {count}; expected 2 images or more")
    return count, str(values["extractor"]), str(values["convention"])


def _numbers(path: Path, name: str, array: NDArray[Any]) -> NDArray[np.float64]:
    if array.dtype.kind not in "fiu":
        raise DataError(f"{path}: {name} holds {array.dtype}; expected real numbers")
    return np.asarray(array, np.float64)

"""Tables of facial landmarks: CelebA's own text, CSV and JSON, and which landmarks are usable.

A table that is no table stops the work with a DataError. One bad row does not: it is kept with what
is wrong with it, so that its photograph is recorded as failed and the others go on.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgan_toolkit.arrays import Landmarks
from pgan_toolkit.errors import DataError
from pgan_toolkit.storage.atomic import atomic_write_bytes
from pgan_toolkit.storage.places import Place
from pgan_toolkit.storage.reading import MOST_TEXT_BYTES, read_file
from pgan_toolkit.wording import visible

__all__ = [
    "COLUMNS",
    "LandmarkTable",
    "check_landmarks",
    "format_landmarks",
    "read_landmarks",
    "write_landmarks",
]

COLUMNS = tuple(
    f"{point}_{axis}"
    for point in ("lefteye", "righteye", "nose", "leftmouth", "rightmouth")
    for axis in ("x", "y")
)
"""CelebA's column names, in the order of a row's ten numbers."""

_FILE_COLUMNS = ("file", "image_id")
_LARGEST_POSITION_PX = 1e6
_LEAST_EYE_DISTANCE_PX = 1.0
_LEAST_CROP_SIDE_PX = 16.0
_LARGEST_CROP_TO_PICTURE = 5.0
_FARTHEST_OUTSIDE_IN_SIDES = 0.25


@dataclass(frozen=True, eq=False)
class LandmarkTable(Mapping[str, Landmarks]):
    """The usable rows of a table, by file name and in the table's order.

    Attributes
    ----------
    path : Path | RemotePath
        The table.
    rows : Mapping
        File name -> float32 (5, 2).
    problems : Mapping
        File name -> why its row cannot be used; such files are not in `rows`.
    notes : tuple of str
        What is odd about the table as a whole and does not stop the work.
    """

    path: Place
    rows: Mapping[str, Landmarks]
    problems: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def __getitem__(self, file: str) -> Landmarks:
        return self.rows[file]

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


class _Row(NamedTuple):
    where: int | str  # a line's number, or the entry's name in JSON
    file: str
    values: Sequence[str | float]


def read_landmarks(path: Place) -> LandmarkTable:
    """Read a landmark table; its format is told by its extension, else by its first characters.

    Parameters
    ----------
    path : Path | RemotePath
        CelebA's text (a count, the column names, then a file name and ten numbers a line), CSV
        (columns `file` or `image_id`, `lefteye_x` ... `rightmouth_y`, in any order) or JSON
        (`{"000001.jpg": [[x, y], ...five...]}`).

    Returns
    -------
    LandmarkTable
        The usable rows, and for the others why they are not.

    Raises
    ------
    DataError
        The file cannot be read or is not a landmark table. The message names file and line.
    """
    text = _read_text(path)
    kind = _format_of(path, text)
    if kind == "json":
        return _collect(path, _json_rows(path, text))
    if kind == "csv":
        return _collect(path, _csv_rows(path, text))
    return _collect(path, _celeba_rows(path, text), stated=text.split(maxsplit=1)[0])


def format_landmarks(landmarks: Mapping[str, Landmarks]) -> str:
    """Text of a table in CelebA's layout: the count, the column names, a row per file.

    Parameters
    ----------
    landmarks : Mapping
        File name -> float32 (5, 2), x and y in pixels. A `LandmarkTable` is one. Numbers are
        written with as many digits as bring back the same float32.

    Raises
    ------
    DataError
        A name holds white space, which this layout cannot express, or a number is not finite.
    """
    lines = [str(len(landmarks)), " ".join(COLUMNS)]
    for file, points in landmarks.items():
        if file.split() != [file]:
            raise DataError(
                f"{file!r}: an empty name or one with white space, which CelebA's layout cannot "
                "hold; rename the file"
            )
        if not np.isfinite(points).all():
            raise DataError(f"{file}: landmarks {points.tolist()} are not all finite numbers")
        numbers = (np.format_float_positional(value, trim="-") for value in points.flat)
        lines.append(f"{file} {' '.join(numbers)}")
    return "\n".join(lines) + "\n"


def write_landmarks(path: Path, landmarks: Mapping[str, Landmarks]) -> None:
    """Write `format_landmarks` to a file, all of it or nothing; one that exists is replaced.

    Raises
    ------
    DataError
        As `format_landmarks`.
    OSError
        The file cannot be written.
    """
    atomic_write_bytes(path, format_landmarks(landmarks).encode())


def check_landmarks(landmarks: Landmarks, *, size: tuple[int, int]) -> str | None:
    """Say why landmarks cannot give a crop, or None if they can.

    Points somewhat outside the picture are fine, as CelebA has them: the padding covers for them.
    Refused are faces whose centre lies outside by more than a quarter of the crop's side, where
    nothing of the face is left in the picture.

    Parameters
    ----------
    landmarks : Landmarks
        float32 (5, 2), x and y in pixels.
    size : tuple of int
        Height and width of the picture, pixels.

    Returns
    -------
    str or None
        The reason, with the values, for the record of the photograph.
    """
    if not np.isfinite(landmarks).all():
        return f"landmarks {landmarks.tolist()} are not all finite numbers"
    e0, e1, _, m0, m1 = landmarks.astype(np.float64)
    eyes, mouth = (e0 + e1) / 2, (m0 + m1) / 2
    x_prime, v = e1 - e0, mouth - eyes
    eye_distance = float(np.hypot(*x_prime))
    if eye_distance < _LEAST_EYE_DISTANCE_PX:
        return f"the eyes {_point(e0)} and {_point(e1)} coincide ({eye_distance:.2f} px apart)"
    if np.hypot(x_prime[0] + v[1], x_prime[1] - v[0]) < _LEAST_EYE_DISTANCE_PX:
        return (
            f"eyes {_point(e0)}, {_point(e1)} and mouth {_point(mouth)} give no upright direction; "
            "left and right eye may be exchanged"
        )
    side = max(4.0 * eye_distance, 3.6 * float(np.hypot(*v)))
    return _check_extent((eyes + mouth) / 2, side, size)


def _check_extent(centre: NDArray[np.float64], side: float, size: tuple[int, int]) -> str | None:
    height, width = size
    picture = f"the {width}x{height} picture"
    if side < _LEAST_CROP_SIDE_PX:
        least = f"at least {_LEAST_CROP_SIDE_PX:g}"
        return f"the face is too small: its crop is {side:.1f} px wide, expected {least}"
    if side > _LARGEST_CROP_TO_PICTURE * max(size):
        most = f"at most {_LARGEST_CROP_TO_PICTURE:g} times its longest side"
        return f"the crop of {side:.0f} px is too large for {picture}, expected {most}"
    nearest = np.clip(centre, 0, (width - 1, height - 1))
    outside = float(np.hypot(*(centre - nearest)))
    if outside > _FARTHEST_OUTSIDE_IN_SIDES * side:
        return (
            f"the face's centre {_point(centre)} lies {outside:.0f} px outside {picture}, "
            f"more than a quarter of the crop's side of {side:.0f} px"
        )
    return None


def _point(position: NDArray[np.float64]) -> str:
    return f"({position[0]:.1f}, {position[1]:.1f})"


def _read_text(path: Place) -> str:
    try:
        return read_file(path, most_bytes=MOST_TEXT_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not text (byte {error.start}); expected a landmark table in UTF-8"
        ) from error


def _format_of(path: Place, text: str) -> str:
    extension = path.suffix.lower()
    if extension in (".csv", ".json"):
        return extension[1:]
    if text.lstrip().startswith("{"):
        return "json"
    return "csv" if "," in text.lstrip().partition("\n")[0] else "celeba"


def _celeba_rows(path: Place, text: str) -> Iterator[_Row]:
    lines = text.splitlines()
    first = lines[0].strip() if lines else ""
    if not first.isdecimal():
        raise DataError(f"{path}, line 1: {first[:60]!r}; expected the number of rows")
    header = tuple(lines[1].split()) if len(lines) > 1 else ()
    if header != COLUMNS:
        raise DataError(
            f"{path}, line 2: {' '.join(header)[:60]!r}; expected the column names "
            f"{' '.join(COLUMNS)}"
        )
    split = ((number, line.split()) for number, line in enumerate(lines[2:], start=3))
    return (_Row(number, fields[0], fields[1:]) for number, fields in split if fields)


def _csv_rows(path: Place, text: str) -> Iterator[_Row]:
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = [name.strip() for name in next(reader, [])]
        file_at, at = _csv_columns(path, header)
        for fields in filter(None, reader):
            whole = len(fields) == len(header)
            values = [fields[index] for index in at] if whole else fields[1:]
            yield _Row(reader.line_num, fields[file_at if whole else 0].strip(), values)
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: not CSV ({error})") from error


def _csv_columns(path: Place, header: list[str]) -> tuple[int, list[int]]:
    file_column = next((name for name in _FILE_COLUMNS if name in header), None)
    missing = [name for name in COLUMNS if header.count(name) != 1]
    if file_column is None or missing:
        raise DataError(
            f"{path}, line 1: the columns {','.join(header)[:80]!r}; expected `file` and, once "
            f"each, {','.join(missing or COLUMNS)}"
        )
    return header.index(file_column), [header.index(name) for name in COLUMNS]


def _json_rows(path: Place, text: str) -> Iterator[_Row]:
    expected = 'expected {"000001.jpg": [[x, y], ...five pairs...], ...}'
    try:
        # Pairs, not a dict: a name that occurs twice must be seen.
        pairs = json.loads(text, object_pairs_hook=tuple)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error}); {expected}") from error
    if not isinstance(pairs, tuple):
        raise DataError(f"{path}: holds a {type(pairs).__name__}; {expected}")
    return (_Row(f"entry {name!r}", name, _flattened(points)) for name, points in pairs)


def _flattened(points: object) -> list[str | float]:
    """Numbers and texts of lists in a list; of what else there is, its kind, which is no number."""
    if isinstance(points, list):
        # Ten numbers lie two deep; what lies deeper is told as it stands.
        inner = chain.from_iterable(
            point if isinstance(point, list) else [point] for point in points
        )
        return [leaf for point in inner for leaf in _number_or_text(point)]
    return _number_or_text(points)


def _number_or_text(point: object) -> list[str | float]:
    if isinstance(point, (int, float)) and not isinstance(point, bool):
        return [point]
    return [point if isinstance(point, str) else type(point).__name__]


def _collect(path: Place, rows: Iterable[_Row], *, stated: str | None = None) -> LandmarkTable:
    first_seen: dict[str, int | str] = {}
    good: dict[str, list[float]] = {}
    problems: dict[str, str] = {}
    found = 0
    for where, file, values in rows:
        found += 1
        if file in first_seen:
            good.pop(file, None)
            first = _place(path, first_seen[file])
            problems[file] = (
                f"{_place(path, where)}: a second row for {visible(file)}; the first is {first}"
            )
            continue
        first_seen[file] = where
        try:
            good[file] = _numbers(values)
        except ValueError as error:
            problems[file] = f"{_place(path, where)}: {error}; expected ten numbers"
    if not found:
        raise DataError(f"{path}: the table has no rows; expected a file name and ten numbers each")
    points = np.array(list(good.values()), dtype=np.float32).reshape(-1, 5, 2)
    notes = (
        ()
        if stated is None or stated.lstrip("0") == str(found)
        else (_count_note(path, stated, found),)
    )
    return LandmarkTable(path, dict(zip(good, points, strict=True)), problems, notes)


def _place(path: Place, where: int | str) -> str:
    return f"{path}, line {where}" if isinstance(where, int) else f"{path}, {where}"


def _count_note(path: Place, stated: str | None, found: int) -> str:
    return f"{path}: line 1 states {stated:.40} rows, {found} were found; is the file complete?"


def _numbers(values: Sequence[str | float]) -> list[float]:
    """Ten floats, or a ValueError that says what is there instead."""
    if len(values) != 2 * 5:
        raise ValueError(f"{len(values)} numbers ({' '.join(map(str, values))[:80]})")
    try:
        numbers = list(map(float, values))
        if sum(map(abs, numbers)) <= _LARGEST_POSITION_PX:
            return numbers
    except (ValueError, OverflowError):
        pass  # looked at one by one below, to name the one that is wrong
    return [_number(value) for value in values]


def _number(value: str | float) -> float:
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"{str(value)[:40]!r} is not a number") from None
    if not abs(number) <= _LARGEST_POSITION_PX:
        raise ValueError(f"{str(value)[:40]!r} is not a position in pixels")
    return number

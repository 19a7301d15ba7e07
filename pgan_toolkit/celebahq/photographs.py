"""Finding the photographs of a source folder, and the landmark table that belongs to them.

Three layouts are known: CelebA's own, a folder of pictures with a table in it, and a folder of
pictures alone, whose landmarks are to be detected.
"""

import os
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

from pgan_toolkit.arrays import Landmarks
from pgan_toolkit.celebahq.landmarks import LandmarkTable, read_landmarks
from pgan_toolkit.celebahq.ledger import leads_outside
from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.storage import PICTURE_EXTENSIONS, Place, RemotePath
from pgan_toolkit.storage.folder import list_files

__all__ = [
    "TABLE_NAMES",
    "LandmarkChoice",
    "Photograph",
    "PhotographSet",
    "find_photographs",
    "key_of",
]

LandmarkChoice = Literal["annotations", "detect"] | Path | RemotePath
"""Where landmarks come from: a table found in the source, the detector, or a table by name."""

TABLE_NAMES = ("list_landmarks_celeba.txt", "landmarks.txt", "landmarks.csv", "landmarks.json")
"""Names under which a landmark table is looked for, in this order."""

_PICTURE_FOLDERS = ("img_celeba", "Img/img_celeba")
_TABLE_FOLDERS = ("", "Anno")
_ALIGNED_FOLDERS = ("img_align_celeba", "Img/img_align_celeba")
_ALIGNED_TABLE = "list_landmarks_align_celeba"
_ARCHIVE = "img_celeba.7z"
_ARCHIVE_FOLDERS = ("", "Img", "img_celeba.7z", "Img/img_celeba.7z")
_ARCHIVE_PARTS = 14
_ALIGNED_EXPLANATION = (
    "it belongs to CelebA's aligned 178x218 cut-outs, which are too small; "
    "the photographs in the wild are needed: img_celeba with list_landmarks_celeba.txt"
)


@dataclass(frozen=True, eq=False, slots=True)
class Photograph:
    """One photograph to process, or a row of the table that has none.

    Attributes
    ----------
    key : str
        Path below the folder of pictures without the extension, "/" between folders.
    path : Path | RemotePath
        The file; for a row without a picture, where it was expected.
    landmarks : Landmarks | None
        float32 (5, 2), or None if they are to be detected or there is a problem.
    problem : str | None
        Why it cannot be processed, for the build's record.
    """

    key: str
    path: Place
    landmarks: Landmarks | None = None
    problem: str | None = None


@dataclass(frozen=True, eq=False)
class PhotographSet:
    """What a source folder holds, in the order of the keys.

    Attributes
    ----------
    folder : Path | RemotePath
        Where the pictures are.
    table : Path | RemotePath | None
        The landmark table; None if landmarks are to be detected.
    photographs : tuple of Photograph
        Sorted by key. Those with a `problem` are to be recorded as failed.
    without_picture, without_row : tuple of str
        Keys of rows that no picture matches, and of pictures that no row names.
    notes : tuple of str
        What the user should see but need not stop the work.
    """

    folder: Place
    table: Place | None
    photographs: tuple[Photograph, ...]
    without_picture: tuple[str, ...] = ()
    without_row: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.photographs)

    def __iter__(self) -> Iterator[Photograph]:
        return iter(self.photographs)


def key_of(file: str) -> str:
    """Turn a file name below the folder of pictures into a key: without a picture's extension.

    Bytes that are not UTF-8 become escapes, so that the key can be told and recorded; as the name
    of a crop it is refused.
    """
    stem = file.rpartition(".")[0]
    key = stem if _extension(file) in PICTURE_EXTENSIONS else file
    return key if key.isascii() else os.fsencode(key).decode("utf-8", "backslashreplace")


def _extension(file: str) -> str:
    """With its dot and in lower case; PurePath is too slow for 200,000 names."""
    return "." + file.rpartition(".")[2].lower()


def find_photographs(src: Place, *, landmarks: LandmarkChoice = "annotations") -> PhotographSet:
    """Find the photographs below a folder and pair them with their landmarks.

    Pictures are taken from `src/img_celeba` or `src/Img/img_celeba` if there is one, else from
    `src` and its sub-folders (hidden ones and links to folders are not followed). Files without one
    of storage's `PICTURE_EXTENSIONS` are left out and counted.

    Parameters
    ----------
    src : Path | RemotePath
        A copy of CelebA in the wild, or any folder of photographs.
    landmarks : "annotations", "detect" or Path
        Look for a table (`TABLE_NAMES`, in `src`, `src/Anno` and the folder of pictures), detect
        faces later, or read this table.

    Returns
    -------
    PhotographSet
        Every picture and every row of the table, paired by key.

    Raises
    ------
    UsageError
        There is no such folder.
    DataError
        There is no picture, no table, two pictures of one key, a folder that
        cannot be read, only CelebA's packed or aligned pictures, or a table that names none of
        the pictures.
    """
    if not src.is_dir():
        got = "is a file" if src.exists() else "no such folder"
        raise UsageError(f"{src}: {got}; expected a folder of photographs")
    folder = next((src / name for name in _PICTURE_FOLDERS if (src / name).is_dir()), src)
    pictures, notes = _list_pictures(folder)
    if not pictures:
        raise _no_pictures(src, folder, notes)
    _refuse_aligned_pictures(src, folder, pictures)
    if landmarks == "detect":
        found = tuple(
            Photograph(key, _placed(folder, path)) for key, path in sorted(pictures.items())
        )
        return PhotographSet(folder, None, found, notes=notes)
    table = read_landmarks(_find_table(src, folder, landmarks))
    return _paired(folder, pictures, table, notes)


def _list_pictures(folder: Place) -> tuple[dict[str, str], tuple[str, ...]]:
    """Key -> path of every picture, and a note on the files that are none."""
    pictures: dict[str, str] = {}
    others: Counter[str] = Counter()
    root = len(os.path.join(str(folder), ""))  # noqa: PTH118 - keeps a trailing separator
    for path in _walk(folder):
        name = path[root:]
        if _extension(name) not in PICTURE_EXTENSIONS:
            others[_extension(name) if "." in name else "no extension"] += 1
            continue
        key = key_of(name)
        if key in pictures:
            raise DataError(
                f"{pictures[key]} and {path}: two pictures of the same name but for the extension "
                f"({key}); rename or remove one"
            )
        pictures[key] = path
    for table in TABLE_NAMES:
        others[_extension(table)] -= (folder / table).is_file()
    return pictures, _note_on_others(folder, +others)


def _walk(folder: Place) -> Iterator[str]:
    """Give the paths of all files that are not hidden, in folders that are not."""
    if not isinstance(folder, RemotePath):
        yield from _walk_here(str(folder))
        return
    for name in sorted(list_files(folder)):
        if not name.rpartition("/")[2].startswith("."):
            yield str(folder / name)


def _placed(folder: Place, path: str) -> Place:
    """Return the place of a file that was found in a folder."""
    return Path(path) if isinstance(folder, Path) else folder / _below(folder, path)


def _below(folder: Place, path: str) -> str:
    """Return the name of a file below a folder."""
    if isinstance(folder, Path):
        return os.path.relpath(path, folder)
    return path[len(str(folder)) + 1 :]


def _walk_here(folder: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(
            f"{folder}: the folder cannot be read ({error.strerror}); make it readable, or move it "
            "out of the photographs"
        ) from error
    for entry in ordered:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk_here(entry.path)
        else:
            yield entry.path


def _note_on_others(folder: Place, others: Counter[str]) -> tuple[str, ...]:
    if not others:
        return ()
    kinds = ", ".join(f"{count} {extension}" for extension, count in others.most_common(5))
    return (f"{folder}: {others.total()} files are no pictures by their extension ({kinds})",)


def _no_pictures(src: Place, folder: Place, notes: tuple[str, ...]) -> DataError:
    packed = _packed_archive(src)
    if packed is not None:
        return DataError(_how_to_unpack(src, packed))
    found = notes[0] if notes else f"{folder}: the folder is empty"
    return DataError(f"{found}; expected photographs: {', '.join(sorted(PICTURE_EXTENSIONS))}")


def _packed_archive(src: Place) -> Place | None:
    """The folder that holds CelebA's packed photographs, or None."""
    for name in _ARCHIVE_FOLDERS:
        if (src / name).is_dir() and any((src / name).glob(f"{_ARCHIVE}.[0-9][0-9][0-9]")):
            return src / name
    return None


def _how_to_unpack(src: Place, folder: Place) -> str:
    names = [f"{_ARCHIVE}.{number:03d}" for number in range(1, _ARCHIVE_PARTS + 1)]
    missing = [name for name in names if not (folder / name).is_file()]
    if isinstance(src, RemotePath):
        return (
            f"{folder}: the photographs are still packed in {_ARCHIVE}.001 and so on; copy them to "
            "a machine, unpack them there, and store the folder img_celeba"
        )
    command = shlex.join(["7z", "x", f"-o{src}", str(folder / names[0])])
    message = f"{folder}: the photographs are still packed in {_ARCHIVE}.001 and so on. "
    if missing:
        message += (
            f"Of the {_ARCHIVE_PARTS} parts these are missing: {', '.join(missing)}; "
            "get them first. "
        )
    return message + (
        "Unpack the first part, the others beside it, with 7-Zip (package 7zip or p7zip-full): "
        f"{command}  -- this makes {src / 'img_celeba'}"
    )


def _refuse_aligned_pictures(src: Place, folder: Place, pictures: Mapping[str, str]) -> None:
    if folder != src:
        return
    names = {name.rsplit("/", maxsplit=1)[-1] for name in _ALIGNED_FOLDERS}
    if src.name in names or all(names & set(key.split("/")[:-1]) for key in pictures):
        raise DataError(f"{folder}: only img_align_celeba is here; {_ALIGNED_EXPLANATION}")


def _find_table(src: Place, folder: Place, choice: LandmarkChoice) -> Place:
    if not isinstance(choice, str):
        if choice.stem == _ALIGNED_TABLE:
            raise DataError(f"{choice}: {_ALIGNED_EXPLANATION}")
        return choice
    places = [src / name for name in _TABLE_FOLDERS] + [folder, folder.parent / "Anno"]
    if src.name == "img_celeba":  # the folder of pictures itself, inside a copy of CelebA
        places += [src.parent / "Anno", src.parent.parent / "Anno"]
    for place in places:
        for name in TABLE_NAMES:
            if (place / name).is_file():
                return place / name
    aligned = next((file for place in places for file in place.glob(f"{_ALIGNED_TABLE}.*")), None)
    if aligned is not None:
        raise DataError(f"{aligned}: the only landmark table here; {_ALIGNED_EXPLANATION}")
    raise DataError(
        f"{src}: no landmark table; looked for {', '.join(TABLE_NAMES)} in "
        f"{', '.join(dict.fromkeys(map(str, places)))}. Name one with --landmarks FILE, or have "
        "faces detected with --landmarks detect"
    )


def _paired(
    folder: Place, pictures: Mapping[str, str], table: LandmarkTable, notes: tuple[str, ...]
) -> PhotographSet:
    rows, problems = _by_key(table)
    both = pictures.keys() & (rows.keys() | problems.keys())
    if not both:
        row = next(iter([*table.rows, *table.problems]))
        raise DataError(
            f"{table.path}: none of its {len(rows) + len(problems)} rows names any of the "
            f"{len(pictures)} pictures in {folder}; the first row is {row!r}, the first picture "
            f"{_below(folder, min(pictures.values()))!r}"
        )
    found = []
    for key in sorted(pictures.keys() | rows.keys() | problems.keys()):
        points, problem = rows.get(key), problems.get(key)
        picture = pictures.get(key)
        if picture is None:
            picture, points = f"{folder}/{key}.jpg", None
            problem = f"no picture: {table.path} has a row for it, {folder} has no such file"
        elif points is None and problem is None:
            problem = f"no landmarks: {table.path} has no row for it"
        found.append(Photograph(key, _placed(folder, picture), points, problem))
    without_picture = tuple(item.key for item in found if item.key not in pictures)
    without_row = tuple(sorted(pictures.keys() - rows.keys() - problems.keys()))
    return PhotographSet(
        folder, table.path, tuple(found), without_picture, without_row, notes + table.notes
    )


def _by_key(table: LandmarkTable) -> tuple[dict[str, Landmarks], dict[str, str]]:
    """Rows and problems by key; two rows of one key are an ambiguity, thus a problem."""
    for file in chain(table.rows, table.problems):
        if leads_outside(file):
            raise DataError(
                f"{table.path}: the row of {file!r:.200} leads out of the folder of pictures; "
                "name files as they lie below that folder"
            )
    rows: dict[str, Landmarks] = {}
    problems = {key_of(file): problem for file, problem in table.problems.items()}
    for file, points in table.rows.items():
        key = key_of(file)
        if key in rows or key in problems:
            rows.pop(key, None)
            problems[key] = f"{table.path}: several rows for {key}; expected one"
        else:
            rows[key] = points
    return rows, problems

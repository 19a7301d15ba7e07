"""The pictures of a set, reduced beforehand: on the disk for this run and the next, or in memory.

All resolutions of a run up to 128 pixels are made in one pass over the pictures, and each becomes
one array, uint8 (N, 3, r, r). On the disk it is a .npy file, mapped into memory when it is used, so
that several processes share what the system keeps of it. A folder of the cache is named by what the
pictures are; it appears complete, or not at all.
"""

import contextlib
import fcntl
import hashlib
import json
import math
import os
import shutil
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pgan_toolkit.caches import CACHE_VARIABLE
from pgan_toolkit.engines import threaded_map
from pgan_toolkit.errors import DataError, SetupError, UsageError
from pgan_toolkit.imaging import pixel_library_versions
from pgan_toolkit.progress import Progress, ProgressMode
from pgan_toolkit.storage import FORMATS, AtomicPath, Place, RemotePath, RemoteStatus, StoredSource
from reference_trainer.reals.squares import SquareReader

__all__ = [
    "LARGEST_CACHED_PX",
    "Levels",
    "cacheable_resolutions",
    "levels_bytes",
    "levels_in_memory",
    "levels_on_disk",
    "pictures_identity",
]

LARGEST_CACHED_PX = 128
"""At most 65,520 bytes a picture are cached: 1.97 GB for 30,000 pictures, 13.3 GB for 202,599."""

_VERSION = 1  # counts up whenever a folder of the cache means something else
_SMALLEST_PX = 4

Levels = Mapping[int, NDArray[np.uint8]]
"""Resolution -> all pictures, uint8 (N, 3, r, r), in the order of their source."""


def cacheable_resolutions(resolution: int) -> tuple[int, ...]:
    """Return a run's resolutions that are cached, largest first: halvings from 128 px down to 4."""
    found = []
    while resolution >= _SMALLEST_PX:
        if resolution <= LARGEST_CACHED_PX:
            found.append(resolution)
        if resolution % 2:
            break
        resolution //= 2
    return tuple(found)


def levels_bytes(pictures: int, resolutions: Sequence[int]) -> int:
    """Bytes that so many pictures take at these resolutions."""
    return pictures * sum(3 * resolution**2 for resolution in resolutions)


def pictures_identity(source: StoredSource) -> str:
    """SHA-256 of what tells a set of pictures from a changed one, without reading the pictures.

    That is their keys in order, the sizes and the times of change of their files (of the one file
    of a zip or HDF5 set), and the versions of the libraries that decode them. The place does not
    count.

    Raises
    ------
    UsageError
        The set is neither a folder nor a file.
    DataError
        A file has vanished.
    """
    digest = hashlib.sha256(json.dumps([_VERSION, dict(pixel_library_versions())]).encode())
    for key, stamp in zip(source.keys(), _stamps(source), strict=True):
        digest.update(f"{key}\n{stamp}\n".encode())
    return digest.hexdigest()


def _stamps(source: StoredSource) -> Iterator[str]:
    """Size and time of change of each picture's file, or of all files that hold the set."""
    if source.format == "folder":
        return _stamps_of_files(source)
    if source.path.is_file():
        return iter([_stamp(source.path)] * len(source))
    if source.format not in FORMATS or not source.path.is_dir():
        raise UsageError(
            f"{source.path}: a set of format {source.format!r} cannot be trained on; write one of "
            f"the formats {', '.join(FORMATS)} first"
        )
    return iter(["; ".join(_stamps_below(source.path))] * len(source))


def _stamps_of_files(source: StoredSource) -> Iterator[str]:
    """One stamp a picture of a folder; of a remote folder by one listing."""
    if isinstance(source.path, RemotePath):
        found = {str(source.path / name): _tag(each) for name, each in source.path.files().items()}
        return (found.get(source.name(index), "") for index in range(len(source)))
    return (_stamp(Path(source.name(index))) for index in range(len(source)))


def _stamps_below(folder: Place) -> list[str]:
    if isinstance(folder, RemotePath):
        return [f"{name} {_tag(status)}" for name, status in sorted(folder.files().items())]
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return [f"{file.relative_to(folder)} {_stamp(file)}" for file in files]


def _tag(status: RemoteStatus) -> str:
    return f"{status.st_size} {status.tag}"


def _stamp(path: Place) -> str:
    try:
        if isinstance(path, RemotePath):
            return _tag(path.stat())
        status = path.stat()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    return f"{status.st_size} {status.st_mtime_ns}"


def levels_in_memory(
    reader: SquareReader, resolutions: Sequence[int], *, workers: int, progress: ProgressMode
) -> Levels:
    """Decode every picture once and keep it reduced.

    Raises
    ------
    DataError
        A picture is damaged or of another size. The message names the file.
    """
    count = len(reader.source)
    levels = {size: np.empty((count, 3, size, size), np.uint8) for size in resolutions}
    with contextlib.closing(
        _reduced(reader, resolutions, workers=workers, progress=progress)
    ) as found:
        for index, reduced in enumerate(found):
            for level, picture in zip(levels.values(), reduced, strict=True):
                level[index] = picture
    return levels


def levels_on_disk(
    folder: Path,
    reader: SquareReader,
    resolutions: Sequence[int],
    *,
    workers: int,
    progress: ProgressMode,
) -> Levels:
    """Map the reduced pictures of a set into memory; make them first where they are not there.

    Of several processes that want the same set one makes it and the others wait.

    Parameters
    ----------
    folder : Path
        The cache, made where there is none.
    reader : SquareReader
        The pictures.
    resolutions : sequence of int
        Pixels a side.
    workers : int
        Threads that decode.
    progress : {"auto", "quiet"}
        Of the making.

    Raises
    ------
    DataError
        A picture is damaged or of another size, or the cached file is.
    SetupError
        The folder cannot be written to, or has no room.
    """
    sizes = "-".join(map(str, resolutions))
    place = folder / f"{pictures_identity(reader.source)[:32]}-{sizes}"
    if not place.is_dir():
        needed = levels_bytes(len(reader.source), resolutions)
        with _told_of_the_cache(folder, needed):
            folder.mkdir(parents=True, exist_ok=True)
            with _alone(place, progress):
                if not place.is_dir():
                    _require_room(folder, needed)
                    _make(place, reader, resolutions, workers=workers, progress=progress)
    shapes = {size: (len(reader.source), 3, size, size) for size in resolutions}
    return {size: _mapped(place / f"{size}.npy", shape) for size, shape in shapes.items()}


def _reduced(
    reader: SquareReader, resolutions: Sequence[int], *, workers: int, progress: ProgressMode
) -> Generator[list[NDArray[np.uint8]], None, None]:
    """Yield every picture at each resolution, in the source's order."""
    count = len(reader.source)
    label = f"reducing the pictures to {resolutions[0]} pixels and less"
    with (
        Progress(count, label=label, unit="picture", mode=progress) as bar,
        contextlib.closing(
            threaded_map(
                lambda index: reader.read(index, *resolutions),
                range(count),
                workers=workers,
                ahead=4 * workers,
            )
        ) as found,
    ):
        for reduced in found:
            yield reduced
            bar.advance()


def _make(
    place: Path,
    reader: SquareReader,
    resolutions: Sequence[int],
    *,
    workers: int,
    progress: ProgressMode,
) -> None:
    count = len(reader.source)
    with (
        AtomicPath(place, kind="folder", overwrite=True) as temporary,
        contextlib.ExitStack() as opened,
    ):
        # Written, not mapped: a full disk is then an error, where a mapping would kill the process.
        files = [
            opened.enter_context((temporary / f"{size}.npy").open("wb")) for size in resolutions
        ]
        for file, size in zip(files, resolutions, strict=True):
            shape = (count, 3, size, size)
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
        found = opened.enter_context(
            contextlib.closing(_reduced(reader, resolutions, workers=workers, progress=progress))
        )
        for reduced in found:
            for file, picture in zip(files, reduced, strict=True):
                file.write(picture.tobytes())


def _mapped(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    remedy = f"remove {path.parent}, and it is made again"
    try:
        level = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"{path}: the cached pictures cannot be read ({error}); {remedy}"
        ) from error
    if level.shape != shape or level.dtype != np.uint8:
        raise DataError(f"{path}: {level.dtype} {level.shape}; expected uint8 {shape}: {remedy}")
    return np.asarray(level)


@contextlib.contextmanager
def _alone(place: Path, progress: ProgressMode) -> Iterator[None]:
    """Wait until no other process makes the same place."""
    handle = os.open(place.with_name(f".{place.name}.lock"), os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting = Progress(None, label="reals", mode=progress)
            waiting.note("waiting for another process, which reduces the same pictures")
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:  # no locks on this file system: two may make it, and the last one stays
            pass
        yield
    finally:
        os.close(handle)


def _require_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SetupError(
            f"{folder}: {_gib(free)} GiB are free, and the reduced pictures take {_gib(needed)}; "
            f"{_remedy()}"
        )


@contextlib.contextmanager
def _told_of_the_cache(folder: Path, needed: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SetupError(
            f"{folder}: the reduced pictures, {_gib(needed)} GiB, cannot be kept there "
            f"({error.strerror or error}); {_remedy()}"
        ) from error


def _remedy() -> str:
    return f"make room, move the cache (set {CACHE_VARIABLE}), or train with --no-cache"


def _gib(count: int) -> str:
    return f"{math.ceil(count / 2**30 * 100) / 100:g}"

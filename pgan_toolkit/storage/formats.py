"""Opening data sets: which format a path holds, which one to write, and copying between them."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.storage.atomic import put_back
from pgan_toolkit.storage.base import StoredSink, StoredSource
from pgan_toolkit.storage.folder import FolderSink, FolderSource, list_files
from pgan_toolkit.storage.hdf5 import Hdf5MultiresSink, Hdf5Sink, Hdf5Source
from pgan_toolkit.storage.npy_header import NPY_SIGNATURE
from pgan_toolkit.storage.npz_members import holds_arrays
from pgan_toolkit.storage.numpy_arrays import NumpySink, NumpySource
from pgan_toolkit.storage.plugins import claims_to_be_a_run, open_by_plugin
from pgan_toolkit.storage.records import ImageSink, ImageSource
from pgan_toolkit.storage.zipped import ZipSink, ZipSource

__all__ = ["FORMATS", "FormatName", "convert", "guess_format", "open_sink", "open_source"]

FormatName = Literal["folder", "zip", "hdf5", "hdf5-multires", "numpy"]
FORMATS: tuple[FormatName, ...] = get_args(FormatName)
"""The formats that can be written; all of them can be read."""

_SINKS: dict[FormatName, type[StoredSink]] = {
    "folder": FolderSink,
    "zip": ZipSink,
    "hdf5": Hdf5Sink,
    "hdf5-multires": Hdf5MultiresSink,
    "numpy": NumpySink,
}
_SUFFIXES: dict[str, FormatName] = {
    ".zip": "zip",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".npz": "numpy",
}
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_ZIP_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
_NOT_YET = {
    ".tfrecord": "TFRecord",
    ".tfrecords": "TFRecord",
    ".mdb": "LMDB",
    ".lmdb": "LMDB",
    ".tar": "WebDataset",
}
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_PART_OF_7Z = re.compile(r"\.7z(\.\d{3})?$")
_READABLE = "a folder of pictures, a zip file, an HDF5 file, or NumPy arrays"


def open_source(path: Path | str) -> StoredSource:
    """Open a data set of any supported format, told by its contents.

    A folder that a killed writer had moved aside to replace it gets its name again (`put_back`).

    Parameters
    ----------
    path : Path | str
        A folder of pictures, a zip file of them, an HDF5 file of either layout, or a folder that
        an installed package takes for its own (`plugins`): a training run.

    Returns
    -------
    StoredSource
        An `ImageSource`: picklable, and usable after a fork.

    Raises
    ------
    UsageError
        The path is a URL or does not exist.
    DataError
        It holds no pictures, is damaged, or is of a format that is not supported.
    SetupError
        A package that was asked about the folder is broken.
    """
    path = _local(path)
    put_back(path)
    if path.is_dir():
        source = _open_folder(path)
    elif path.is_file():
        source = _open_file(path)
    else:
        raise UsageError(f"{path}: no such file or folder; expected {_READABLE}")
    if len(source) == 0:
        raise _no_pictures(source)
    return source


def open_sink(
    path: Path | str,
    *,
    format: FormatName | None = None,  # noqa: A002 - the word that everybody uses for it
    overwrite: bool = False,
) -> StoredSink:
    """Open a new data set for writing. Use it as a context manager.

    Parameters
    ----------
    path : Path | str
        What it will be called. It appears under this name, complete, at `close`.
    format : str | None
        "folder", "zip", "hdf5" (one size for all) or "hdf5-multires" (squares of a power of two);
        None goes by the name, see `guess_format`.
    overwrite : bool
        Replace what has that name.

    Raises
    ------
    UsageError
        The path is a URL, exists and may not be overwritten, or the format is unknown.
    OSError
        The place cannot be written to.
    """
    path = _local(path)
    name = guess_format(path) if format is None else format
    return _SINKS[name](path, overwrite=overwrite)


def guess_format(path: Path | str) -> FormatName:
    """Tell the format to write by the name: .zip, .h5 and .hdf5 (plain), otherwise a folder.

    Raises
    ------
    UsageError
        The name has the extension of a format that is not supported.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".npy":
        raise UsageError(
            f"{path}: keys and labels do not fit into .npy; name it .npz, or name one of the "
            f"formats {', '.join(FORMATS)}"
        )
    if suffix in _NOT_YET or suffix == ".7z":
        raise UsageError(
            f"{path}: {_NOT_YET.get(suffix, '7-zip')} cannot be written in this version; "
            f"name one of the formats {', '.join(FORMATS)}"
        )
    return _SUFFIXES.get(suffix, "folder")


def convert(
    source: ImageSource, sink: ImageSink, *, advance: Callable[[], None] | None = None
) -> int:
    """Copy all records in the source's order, with their pixels, keys and labels.

    Parameters
    ----------
    source : ImageSource
        What to copy.
    sink : ImageSink
        Where to; it stays open.
    advance : callable | None
        Called after each record.

    Returns
    -------
    int
        The number of records.

    Raises
    ------
    DataError
        A picture is damaged, or the sink's format cannot hold it.
    """
    for record in source:
        sink.write(record)
        if advance is not None:
            advance()
    return len(source)


def _local(path: Path | str) -> Path:
    if _URL.match(str(path)):
        url = re.sub(":/+", "://", str(path), count=1)  # a Path has lost a slash
        raise UsageError(
            f"{url}: only local paths are supported in this version; copy it to this machine"
        )
    return Path(path).expanduser()


def _open_folder(path: Path) -> StoredSource:
    """Ask other packages only where it is cheap to tell that they may know better."""
    if not claims_to_be_a_run(path):
        folder = FolderSource(path)
        if len(folder):
            return folder
    found = open_by_plugin(path)
    return FolderSource(path) if found is None else found


def _open_file(path: Path) -> StoredSource:
    with path.open("rb") as file:
        start = file.read(8)
    suffix = path.suffix.lower()
    if start == _HDF5_SIGNATURE or suffix in {".h5", ".hdf5"}:
        return Hdf5Source(path)
    if start.startswith(NPY_SIGNATURE) or suffix in {".npy", ".npz"} or holds_arrays(path):
        return NumpySource(path)
    if start.startswith(_ZIP_SIGNATURES) or suffix == ".zip":
        return ZipSource(path)
    raise DataError(f"{path}: {_what_file(path)}; expected {_READABLE}")


def _what_file(path: Path) -> str:
    if _PART_OF_7Z.search(path.name):
        return _seven_zip_advice(path.name)
    kind = _NOT_YET.get(path.suffix.lower())
    if kind is not None:
        return f"{kind} is not supported in this version"
    return "not a data set"


def _no_pictures(source: StoredSource) -> DataError:
    where = "the folder" if source.format == "folder" else "the file"
    if not source.ignored:
        empty = source.format != "folder" or not any(list_files(source.path))
        return DataError(
            f"{source.path}: {where} {'is empty' if empty else 'holds hidden files only'}; "
            f"expected {_READABLE}"
        )
    counts = Counter(Path(name).suffix.lower() or "without extension" for name in source.ignored)
    found = ", ".join(f"{count} {suffix}" for suffix, count in counts.most_common(4))
    advice = _advice(source.ignored)
    return DataError(f"{source.path}: {where} holds no pictures, but {found}{advice}")


def _advice(files: tuple[str, ...]) -> str:
    for name in files:
        kind = _NOT_YET.get(Path(name).suffix.lower())
        if _PART_OF_7Z.search(name):
            return f"; {_seven_zip_advice(name)}"
        if kind is not None:
            return f"; {kind} is not supported in this version: give {_READABLE}"
        if Path(name).suffix.lower() in _SUFFIXES:
            return f"; open {name} itself"
    return f"; expected {_READABLE}"


def _seven_zip_advice(name: str) -> str:
    first = _PART_OF_7Z.sub(".7z.001" if re.search(r"\.\d{3}$", name) else ".7z", name)
    return f"part of a 7-zip archive: unpack it first, with `7z x {first}`"

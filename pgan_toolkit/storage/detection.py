"""Which format a file or a folder holds, told by its contents, and what to say where it is none."""

import re
from collections import Counter
from pathlib import Path, PurePosixPath

from pgan_toolkit.errors import DataError
from pgan_toolkit.storage.archives import Archive
from pgan_toolkit.storage.base import StoredSource
from pgan_toolkit.storage.folder import FolderSource, list_files
from pgan_toolkit.storage.hdf5 import Hdf5Source
from pgan_toolkit.storage.lmdb import DATA_FILE, LmdbSource
from pgan_toolkit.storage.lmdb_pages import LMDB_MAGIC
from pgan_toolkit.storage.npy_header import NPY_SIGNATURE
from pgan_toolkit.storage.npz_members import holds_arrays
from pgan_toolkit.storage.numpy_arrays import NumpySource
from pgan_toolkit.storage.places import Place
from pgan_toolkit.storage.plugins import claims_to_be_a_run, open_by_plugin
from pgan_toolkit.storage.reading import open_start
from pgan_toolkit.storage.tar_members import TAR_MAGIC
from pgan_toolkit.storage.tfrecord import TfrecordSource, is_tfrecord_name
from pgan_toolkit.storage.tfrecord_files import starts_as_tfrecord
from pgan_toolkit.storage.webdataset import WebDatasetSource
from pgan_toolkit.storage.zipped import ZipSource
from pgan_toolkit.wording import visible

__all__ = ["READABLE", "no_pictures", "open_file", "open_folder"]

READABLE = (
    "a folder of pictures, a zip file, an HDF5 file, NumPy arrays, WebDataset shards, TFRecord "
    "files, or LMDB"
)
"""What can be opened, in words."""

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_ZIP_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
_START_BYTES = 512
_SUFFIXES = {".zip", ".h5", ".hdf5", ".npy", ".npz", ".tar", ".tfrecord", ".tfrecords"}
_PART_OF_7Z = re.compile(r"\.7z(\.\d{3})?$")


def open_folder(path: Place) -> StoredSource:
    """Open a folder. Other packages are asked only where it is cheap to tell that they may know.

    They are not asked about a remote folder: what they open lies on this machine.

    The source is empty where nothing was found.

    Raises
    ------
    PganError
        What is in it is damaged, or a package that was asked is broken.
    """
    if not isinstance(path, Path):
        return _open_contents(path)
    if not claims_to_be_a_run(path):
        source = _open_contents(path)
        if len(source):
            return source
    found = open_by_plugin(path)
    return _open_contents(path) if found is None else found


def _open_contents(path: Place) -> StoredSource:
    folder = FolderSource(path)
    if len(folder):
        return folder
    if (path / DATA_FILE).is_file():
        return LmdbSource(path)
    names = [entry.name for entry in path.iterdir() if entry.is_file()]
    if any(map(is_tfrecord_name, names)):
        return TfrecordSource(path)
    if any(name.lower().endswith(".tar") for name in names):
        return WebDatasetSource(path)
    return folder


def open_file(path: Place) -> StoredSource:
    """Open a file by its first bytes; by its extension where these are damaged.

    Raises
    ------
    DataError
        It is no data set, or a damaged one.
    """
    with open_start(path) as file:
        start = file.read(_START_BYTES)
    suffix = path.suffix.lower()
    if start.startswith(_HDF5_SIGNATURE) or suffix in {".h5", ".hdf5"}:
        return Hdf5Source(path)
    if start.startswith(NPY_SIGNATURE) or suffix in {".npy", ".npz"}:
        return NumpySource(path)
    if start.startswith(_ZIP_SIGNATURES) or suffix == ".zip":
        return NumpySource(path) if holds_arrays(Archive(path)) else ZipSource(path)
    if _has(start, TAR_MAGIC) or suffix == ".tar":
        return WebDatasetSource(path)
    if _has(start, LMDB_MAGIC) or suffix in {".mdb", ".lmdb"}:
        return LmdbSource(path)
    if starts_as_tfrecord(start) or is_tfrecord_name(path.name):
        return TfrecordSource(path)
    seven_zip = _PART_OF_7Z.search(path.name) is not None
    what = _seven_zip_advice(path.name) if seven_zip else "not a data set"
    raise DataError(f"{path}: {what}; expected {READABLE}")


def _has(start: bytes, mark: tuple[int, bytes]) -> bool:
    place, magic = mark
    return start[place : place + len(magic)] == magic


def no_pictures(source: StoredSource) -> DataError:
    """Make the error for a source without records: what was found instead, and what to do."""
    where = "the folder" if source.path.is_dir() else "the file"
    if not source.ignored:
        empty = source.format != "folder" or not any(list_files(source.path))
        return DataError(
            f"{source.path}: {where} {'is empty' if empty else 'holds hidden files only'}; "
            f"expected {READABLE}"
        )
    counts = Counter(
        PurePosixPath(name).suffix.lower() or "without extension" for name in source.ignored
    )
    found = ", ".join(f"{count} {visible(suffix)}" for suffix, count in counts.most_common(4))
    advice = _advice(source.ignored)
    return DataError(f"{source.path}: {where} holds no pictures, but {found}{advice}")


def _advice(files: tuple[str, ...]) -> str:
    for name in files:
        file = PurePosixPath(name)
        if _PART_OF_7Z.search(name):
            return f"; {_seven_zip_advice(visible(name))}"
        if file.name == DATA_FILE:
            return f"; open the folder {visible(str(file.parent))} itself"
        if file.suffix.lower() in _SUFFIXES:
            return f"; open {visible(name)} itself"
    return f"; expected {READABLE}"


def _seven_zip_advice(name: str) -> str:
    first = _PART_OF_7Z.sub(".7z.001" if re.search(r"\.\d{3}$", name) else ".7z", name)
    return f"part of a 7-zip archive: unpack it first, with `7z x {first}`"

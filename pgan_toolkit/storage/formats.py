"""Opening data sets, choosing which format to write, and copying between them."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.storage.atomic import put_back
from pgan_toolkit.storage.base import StoredSink, StoredSource
from pgan_toolkit.storage.detection import READABLE, no_pictures, open_file, open_folder
from pgan_toolkit.storage.folder import FolderSink
from pgan_toolkit.storage.hdf5 import Hdf5MultiresSink, Hdf5Sink
from pgan_toolkit.storage.keys import PICTURE_EXTENSIONS
from pgan_toolkit.storage.lmdb import LmdbSink
from pgan_toolkit.storage.numpy_arrays import NumpySink
from pgan_toolkit.storage.places import Place, locate
from pgan_toolkit.storage.records import ImageSink, ImageSource
from pgan_toolkit.storage.remote.paths import RemotePath
from pgan_toolkit.storage.remote.uploads import refuse_incomplete
from pgan_toolkit.storage.tfrecord_sink import TfrecordSink
from pgan_toolkit.storage.webdataset import WebDatasetSource, is_shard_pattern
from pgan_toolkit.storage.webdataset_sink import open_webdataset_sink
from pgan_toolkit.storage.zipped import ZipSink
from pgan_toolkit.wording import counted

__all__ = ["FORMATS", "FormatName", "convert", "guess_format", "open_sink", "open_source"]

FormatName = Literal[
    "folder", "zip", "hdf5", "hdf5-multires", "numpy", "webdataset", "tfrecord", "lmdb"
]
FORMATS: tuple[FormatName, ...] = get_args(FormatName)
"""The formats that can be written; all of them can be read."""

_SINKS: dict[FormatName, Callable[..., StoredSink]] = {
    "folder": FolderSink,
    "zip": ZipSink,
    "hdf5": Hdf5Sink,
    "hdf5-multires": Hdf5MultiresSink,
    "numpy": NumpySink,
    "webdataset": open_webdataset_sink,
    "tfrecord": TfrecordSink,
    "lmdb": LmdbSink,
}
_SUFFIXES: dict[str, FormatName] = {
    ".zip": "zip",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".npz": "numpy",
    ".tar": "webdataset",
    ".tfrecord": "tfrecord",
    ".tfrecords": "tfrecord",
    ".lmdb": "lmdb",
}
_NOT_WRITTEN = {
    ".7z": "7-zip archives are not written",
    ".npy": "keys and labels do not fit into .npy, but into .npz they do",
    ".mdb": "an LMDB environment is a folder; name it .lmdb",
}


def open_source(path: Place | str) -> StoredSource:
    """Open a data set of any supported format, told by its contents.

    A folder that a killed writer had moved aside to replace it gets its name again (`put_back`).

    Parameters
    ----------
    path : Path | RemotePath | str
        A path or a URL of a folder of pictures, a zip file of them, an HDF5 file of either layout,
        NumPy arrays, a WebDataset shard or a TFRecord file or a folder of such files, an LMDB
        environment, or a folder that an installed package takes for its own (`plugins`): a training
        run. Several shards may be named as ``a-{0000..0012}.tar``.

    Returns
    -------
    StoredSource
        An `ImageSource`: picklable, and usable after a fork.

    Raises
    ------
    UsageError
        The path does not exist, or the URL holds what may be a secret.
    DataError
        It holds no pictures, is damaged, or is of a format that is not supported.
    SetupError
        A package that was asked about the folder is broken, or that of an extra is missing; a
        storage denies access or does not answer.
    """
    path = locate(path)
    if isinstance(path, Path):
        put_back(path)
    if path.is_dir():
        if isinstance(path, RemotePath):
            refuse_incomplete(path)
        source = open_folder(path)
    elif path.is_file():
        source = open_file(path)
    elif is_shard_pattern(path):
        source = WebDatasetSource(path)
    else:
        raise UsageError(f"{path}: no such file or folder; expected {READABLE}")
    if len(source) == 0:
        raise no_pictures(source)
    return source


def open_sink(
    path: Place | str,
    *,
    format: FormatName | None = None,  # noqa: A002 - the word that everybody uses for it
    overwrite: bool = False,
) -> StoredSink:
    """Open a new data set for writing. Use it as a context manager.

    Parameters
    ----------
    path : Path | RemotePath | str
        What it will be called: a path or a URL. It appears under this name, complete, at `close`.
    format : str | None
        One of `FORMATS`: "folder", "zip", "webdataset" and "lmdb" take pictures of any sizes,
        "hdf5" and "numpy" of one, "hdf5-multires" and "tfrecord" squares of a power of two. None
        goes by the name, see `guess_format`.
    overwrite : bool
        Replace what has that name; a folder only if it holds nothing but a data set.

    Raises
    ------
    UsageError
        The path exists and may not be overwritten, the URL holds what may be a secret or is only
        read, or the format is unknown.
    SetupError
        The package of an extra is missing, or a storage denies access or does not answer.
    OSError
        The place cannot be written to.
    """
    path = locate(path)
    name = guess_format(path) if format is None else format
    return _SINKS[name](path, overwrite=overwrite)


def guess_format(path: Place | str) -> FormatName:
    """Tell the format to write by the extension of the name; without one of ours, a folder.

    .zip; .h5 and .hdf5 (plain); .npz (numpy); .tar (webdataset); .tfrecords and .lmdb
    (folders of that name).

    Raises
    ------
    UsageError
        The name has the extension of a format that cannot be written, or of a picture.
    """
    suffix = locate(path).suffix.lower()
    if suffix in _NOT_WRITTEN:
        raise UsageError(
            f"{path}: {_NOT_WRITTEN[suffix]}; name one of the formats {', '.join(FORMATS)}"
        )
    if suffix in PICTURE_EXTENSIONS or suffix == ".gif":
        raise UsageError(
            f"{path}: has the name of a picture, and a dataset is made; name a folder, or a file "
            f"with one of {', '.join(_SUFFIXES)}"
        )
    return _SUFFIXES.get(suffix, "folder")


def convert(
    source: ImageSource,
    sink: ImageSink,
    *,
    on_bad: Callable[[str], None] | None = None,
    advance: Callable[[], None] | None = None,
) -> int:
    """Copy all records in the source's order, with their pixels, keys and labels.

    Parameters
    ----------
    source : ImageSource
        What to copy.
    sink : ImageSink
        Where to; it stays open.
    on_bad : callable | None
        Takes what is wrong with a picture that cannot be read, which is then left out; None: such
        a picture stops the work.
    advance : callable | None
        Called after each record.

    Returns
    -------
    int
        How many records were written.

    Raises
    ------
    DataError
        A picture is damaged and `on_bad` is None, all are, or the sink's format cannot hold one.
    """
    written = 0
    for index in range(len(source)):
        try:
            record = source[index]
        except DataError as error:
            if on_bad is None:
                raise
            on_bad(str(error))
        else:
            sink.write(record)
            written += 1
        if advance is not None:
            advance()
    if not written and len(source):
        raise DataError(f"none of {counted(len(source), 'picture')} can be read; get the set again")
    return written

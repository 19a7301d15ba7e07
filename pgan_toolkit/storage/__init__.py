"""Bytes on disk: one protocol for records, many formats behind it, and atomic writes."""

from pgan_toolkit.storage.atomic import AtomicPath, atomic_write_bytes
from pgan_toolkit.storage.base import PictureInfo, StoredSink, StoredSource
from pgan_toolkit.storage.formats import (
    FORMATS,
    FormatName,
    convert,
    guess_format,
    open_sink,
    open_source,
)
from pgan_toolkit.storage.keys import LABELS_FILE, PICTURE_EXTENSIONS, check_key
from pgan_toolkit.storage.locking import lock_file
from pgan_toolkit.storage.places import Place, locate
from pgan_toolkit.storage.reading import read_file
from pgan_toolkit.storage.records import ImageSink, ImageSource, Record
from pgan_toolkit.storage.remote import RemotePath, RemoteStatus

__all__ = [
    "FORMATS",
    "LABELS_FILE",
    "PICTURE_EXTENSIONS",
    "AtomicPath",
    "FormatName",
    "ImageSink",
    "ImageSource",
    "PictureInfo",
    "Place",
    "Record",
    "RemotePath",
    "RemoteStatus",
    "StoredSink",
    "StoredSource",
    "atomic_write_bytes",
    "check_key",
    "convert",
    "guess_format",
    "locate",
    "lock_file",
    "open_sink",
    "open_source",
    "read_file",
]

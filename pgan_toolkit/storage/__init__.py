"""Bytes on disk: one protocol for records, many formats behind it, and atomic writes."""

from pgan_toolkit.storage.atomic import AtomicPath, atomic_write_bytes
from pgan_toolkit.storage.records import ImageSink, ImageSource, Record

__all__ = ["AtomicPath", "ImageSink", "ImageSource", "Record", "atomic_write_bytes"]

"""Data sets in remote storages, by fsspec: URLs, requests that are repeated, copies, uploads."""

from pgan_toolkit.storage.remote.paths import RemotePath, RemoteStatus

__all__ = ["RemotePath", "RemoteStatus"]

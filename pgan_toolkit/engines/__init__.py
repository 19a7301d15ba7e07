"""An ordered map over many items with bounded work in flight."""

from pgan_toolkit.engines.local import available_cores, ordered_map

__all__ = ["available_cores", "ordered_map"]

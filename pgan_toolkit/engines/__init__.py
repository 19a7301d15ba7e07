"""An ordered map over many items with bounded work in flight, by processes or by threads."""

from pgan_toolkit.engines.lanes import LaneEngine
from pgan_toolkit.engines.local import available_cores, ordered_map
from pgan_toolkit.engines.threads import threaded_map

__all__ = ["LaneEngine", "available_cores", "ordered_map", "threaded_map"]

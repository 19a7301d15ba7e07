"""An ordered map over many items with bounded work in flight: by processes, threads, or Ray."""

from pgan_toolkit.engines.engine import Engine, EngineName, open_engine
from pgan_toolkit.engines.lanes import LaneEngine
from pgan_toolkit.engines.local import LocalEngine, available_cores, ordered_map
from pgan_toolkit.engines.threads import threaded_map
from pgan_toolkit.transience import is_transient

__all__ = [
    "Engine",
    "EngineName",
    "LaneEngine",
    "LocalEngine",
    "available_cores",
    "is_transient",
    "open_engine",
    "ordered_map",
    "threaded_map",
]

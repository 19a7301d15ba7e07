"""The recipe from the restored photograph to the score in torch, for a GPU; it runs on a CPU too.

Geometry, constants and the arithmetic of the score are those of the modules that work with NumPy
and OpenCV; here is what is done to pixels. A test holds the two to one grey level.
"""

from pgan_toolkit.celebahq.on_device.lanes import open_device_engine
from pgan_toolkit.celebahq.on_device.renderer import SLOTS, DeviceRenderer

__all__ = ["SLOTS", "DeviceRenderer", "open_device_engine"]

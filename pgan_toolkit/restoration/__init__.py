"""What restores a photograph before it is cropped."""

from pgan_toolkit.restoration.restorer import LanczosRestorer, Restorer, open_restorer

__all__ = ["LanczosRestorer", "Restorer", "open_restorer"]

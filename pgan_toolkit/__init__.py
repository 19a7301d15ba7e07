"""Build CelebA-HQ-style face datasets and measure GANs, after Karras et al., ICLR 2018.

The subpackages are the public interface: `pgan_toolkit.imaging`, `pgan_toolkit.storage`,
`pgan_toolkit.engines`, `pgan_toolkit.restoration`, `pgan_toolkit.metrics`, `pgan_toolkit.celebahq`
and `pgan_toolkit.evaluation`. Importing this module alone loads neither torch nor OpenCV.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("pgan-toolkit")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

__all__ = ["__version__"]

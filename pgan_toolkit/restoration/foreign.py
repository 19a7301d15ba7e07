"""Other people's networks, from files in whatever architecture spandrel recognises.

How far such a network sees is not known: some see everything, and some estimate a property of the
whole picture first (FBCNN its quality factor). They are run in tiles all the same, for memory must
stay bounded, with a margin of `REACH_PX` and from multiples of `STRIDE_PX`. So tiles, and the
region that a crop needs, give *about* the pixels of the whole picture: the one grey level that
this package's own networks keep to is not promised.
"""

import math
import pickle
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors.torch import load
from torch import Tensor

from pgan_toolkit.digests import bytes_digest
from pgan_toolkit.errors import DataError, SetupError
from pgan_toolkit.restoration.restorer import Step
from pgan_toolkit.restoration.weights import read_weight_bytes, require_finite
from pgan_toolkit.runs.pickled import load_pickled

__all__ = ["REACH_PX", "STRIDE_PX", "ForeignNet", "load_foreign"]

REACH_PX = 32
"""Margin of a tile, input pixels: more than most convolutional networks make visible use of."""
STRIDE_PX = 8
"""Tiles begin at multiples of it: the side of JPEG's blocks, and of what most networks fold."""

_SCALES: dict[Step, int] = {"jpeg": 1, "superres": 4}
_PICKLES = (".pth", ".pt", ".ckpt")
_RGB = 3


class ForeignNet:
    """A network that spandrel has loaded, with what must be known to run it in tiles.

    Parameters
    ----------
    descriptor : spandrel.ImageModelDescriptor
        It pads what it is given to the sizes that the network takes (transformers have windows
        that must be full), by reflection at the right and the bottom, and cuts the result back.
    sha256 : str
        Digest of the file that it was loaded from.

    Attributes
    ----------
    sha256 : str
    scale : int
        Output pixels an input pixel and axis.
    stride_px : int
        Tiles begin at multiples of it: of the network's windows, and of `STRIDE_PX`.
    reach_px : int
        `REACH_PX`, whatever the network sees.
    """

    def __init__(self, descriptor: Any, *, sha256: str) -> None:
        self._descriptor = descriptor
        self.sha256 = sha256
        self.scale = int(descriptor.scale)
        self.stride_px = math.lcm(STRIDE_PX, int(descriptor.size_requirements.multiple_of))
        self.reach_px = REACH_PX

    def to(self, device: torch.device, /) -> object:
        """Move it to a device, in place."""
        return self._descriptor.to(device)

    def __call__(self, images: Tensor, /) -> Tensor:
        """Map float (N, 3, H, W), 0..1, to (N, 3, scale H, scale W), 0..1."""
        result: Tensor = self._descriptor(images)
        return result


def load_foreign(path: Path, *, step: Step) -> ForeignNet:
    """Load a network of any architecture that spandrel knows.

    Parameters
    ----------
    path : Path
        .safetensors, or a pickle of plain tensors: .pth, .pt, .ckpt. A pickle that holds anything
        else could run code, and is refused unread.
    step : "jpeg" or "superres"
        What it is to do: a network for "jpeg" must keep the size, one for "superres" enlarge four
        times.

    Raises
    ------
    SetupError
        spandrel is not installed, or does not load.
    DataError
        The file is missing, damaged, no plain weights, of no known architecture, or a network of
        another scale or for other pictures than RGB; or weights of it are not finite.
    """
    spandrel = _spandrel()
    data = read_weight_bytes(path)
    state = _state_dict(path, data)
    try:
        state = spandrel.canonicalize_state_dict(state)
        descriptor = spandrel.ModelLoader().load_from_state_dict(state)
    except Exception as error:  # each architecture has its own ways to fail on others' tensors
        raise DataError(
            f"{path}: no architecture that spandrel {spandrel.__version__} knows fits it "
            f"({type(error).__name__}: {error})"
        ) from error
    _require_fit(path, descriptor, step, image_class=spandrel.ImageModelDescriptor)
    require_finite(path, descriptor.model.state_dict())
    descriptor.model.requires_grad_(requires_grad=False)
    return ForeignNet(descriptor.eval(), sha256=bytes_digest(data))


def _spandrel() -> ModuleType:
    try:
        import spandrel
    except ImportError as error:
        raise SetupError(
            f"other people's networks need spandrel ({error}): pip install 'pgan-toolkit[spandrel]'"
        ) from error
    except (RuntimeError, OSError) as error:
        raise SetupError(
            f"spandrel does not load ({error}). It imports torchvision, which must be the release "
            f"and the build (CPU or CUDA) that belong to torch {torch.__version__}; install both "
            "from one index"
        ) from error
    module: ModuleType = spandrel
    return module


def _state_dict(path: Path, data: bytes) -> dict[str, Any]:
    """Read tensors by name, and nothing that could run."""
    suffix = path.suffix.lower()
    if suffix not in (".safetensors", *_PICKLES):
        raise DataError(f"{path}: expected a file that ends in .safetensors, {', '.join(_PICKLES)}")
    try:
        if suffix == ".safetensors":
            return load(data)
        state = load_pickled(data)
    except pickle.UnpicklingError as error:
        raise DataError(
            f"{path}: not plain weights: it is damaged, or loading it could run code, and so it "
            "was not loaded. Get it as .safetensors, or save its state_dict() alone"
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # damaged bytes make the readers fail in many ways
        raise DataError(f"{path}: cannot be read as weights ({error!r})") from error
    if not isinstance(state, dict):
        raise DataError(f"{path}: holds a {type(state).__name__}; expected tensors by name")
    return state


def _require_fit(path: Path, descriptor: Any, step: Step, *, image_class: type) -> None:
    """Refuse what maps no RGB picture to one of the size that the step makes of it."""
    name = descriptor.architecture.name
    takes_pictures = isinstance(descriptor, image_class)
    channels = descriptor.input_channels, descriptor.output_channels
    if not takes_pictures:
        problem = f"needs a mask; expected a network for {step}"
    elif channels == (1, 1):
        problem = "is for grey pictures; expected one for colour: get those weights"
    elif channels != (_RGB, _RGB):
        problem = f"maps {channels[0]} channels to {channels[1]}; expected 3 to 3"
    elif descriptor.scale != _SCALES[step]:
        problem = f"enlarges {descriptor.scale} times; expected {_SCALES[step]} for {step}"
    else:
        return
    raise DataError(f"{path}: this {name} network {problem}")

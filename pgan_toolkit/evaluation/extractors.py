"""From images to the features that metrics compare, in batches, on any device."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pgan_toolkit.devices import whole_float32
from pgan_toolkit.errors import SetupError, UsageError
from pgan_toolkit.evaluation.memory import enough_memory
from pgan_toolkit.evaluation.weight_files import (
    PublicFile,
    StoredTensors,
    find_weights,
    public_file,
    read_tensors,
    require_tensors,
)
from pgan_toolkit.metrics.images import ImageBatch, as_images
from pgan_toolkit.metrics.networks import (
    InceptionV3,
    PixelFeatures,
    VggFeatures,
    fold_batch_norm,
)
from pgan_toolkit.progress import ProgressMode

__all__ = ["EXTRACTORS", "INCEPTION", "FeatureExtractor", "FeatureNetwork", "open_extractor"]

INCEPTION = "inception-2015-12-05"
EXTRACTORS = (INCEPTION, "vgg16", "pixels")
"""Names that `open_extractor` knows."""

_BATCH_SIZES = {"cpu": 32, "cuda": 256}


FeatureNetwork = Callable[[ImageBatch], tuple[Tensor, Tensor]]
"""Takes uint8 images on its device; gives features (N, D) and logits (N, classes or 0)."""


@dataclass(frozen=True)
class _Kind:
    """What `open_extractor` makes, by name."""

    make: Callable[[], nn.Module]
    finish: Callable[[Any], nn.Module]
    settings: str  # what the features depend on besides the weights
    unused: tuple[str, ...] = ()  # names of tensors in the public file that are not needed


_KINDS = {
    INCEPTION: _Kind(InceptionV3, fold_batch_norm, "", (".num_batches_tracked",)),
    "vgg16": _Kind(VggFeatures, nn.Module.eval, VggFeatures.SETTINGS, ("classifier.",)),
    "pixels": _Kind(PixelFeatures, nn.Module.eval, PixelFeatures.SETTINGS),
}


@final
class FeatureExtractor:
    """A network with its weights, ready to be used.

    The features of an image do not depend on what else is in its batch, but for rounding: 2e-6 of
    the largest feature at most, as the tests measure.

    Parameters
    ----------
    network : FeatureNetwork
        On its device.
    name : str
        What it is called: "inception-2015-12-05".
    device : torch.device
        Where the network is.
    digest : str | None
        SHA-256 of the weight file; None of one that has no weights.
    settings : str
        What the features depend on besides the weights.
    warnings : tuple of str
        What results made with it must say.
    batch_size : int | None
        Images at a time, at first; None: what suits the device.

    Attributes
    ----------
    name, device, digest, warnings
        As given.
    batch_size : int
        Images at a time, now: halved each time that the device's memory did not suffice.
    """

    def __init__(
        self,
        network: FeatureNetwork,
        *,
        name: str,
        device: torch.device,
        digest: str | None = None,
        settings: str = "",
        warnings: tuple[str, ...] = (),
        batch_size: int | None = None,
    ) -> None:
        self.name = name
        self.device = device
        self.digest = digest
        self.warnings = warnings
        self.batch_size = batch_size or _BATCH_SIZES[device.type]
        self._network = network
        self._settings = settings

    @property
    def identity(self) -> str:
        """All that features depend on, as results and caches name it."""
        parts = (self.name, self._settings, f"sha256:{self.digest}" if self.digest else "")
        return " ".join(part for part in parts if part)

    def features(self, images: Tensor | NDArray[np.generic]) -> Tensor:
        """Return the features of images.

        Parameters
        ----------
        images : tensor or array (N, 3, H, W)
            As `as_images` takes them.

        Returns
        -------
        Tensor
            float32 (N, D), on the CPU.

        Raises
        ------
        DataError
            The images are not what `as_images` takes.
        SetupError
            The memory does not suffice for one image.
        """
        return self._run(images)[0]

    def features_and_logits(self, images: Tensor | NDArray[np.generic]) -> tuple[Tensor, Tensor]:
        """Return the features and the logits of images, as `features`.

        Returns
        -------
        features : float32 tensor (N, D), on the CPU
        logits : float32 tensor (N, classes), on the CPU
            Of Inception: 1008, without the bias.

        Raises
        ------
        UsageError
            The network has no classes.
        """
        features, logits = self._run(images)
        if not logits.shape[1]:
            raise UsageError(f"{self.name}: has no classes; use {INCEPTION}")
        return features, logits

    @torch.inference_mode()
    def _run(self, images: Tensor | NDArray[np.generic]) -> tuple[Tensor, Tensor]:
        batch = as_images(images)
        parts: list[tuple[Tensor, Tensor]] = []
        start = 0
        while start < len(batch) or not parts:
            part = batch[start : start + self.batch_size]
            try:
                parts.append(self._one_batch(part))
            except torch.OutOfMemoryError as error:
                self._halve(len(part), error)
            else:
                start += len(part)
        features, logits = zip(*parts, strict=True)
        return torch.cat(features), torch.cat(logits)

    def _one_batch(self, images: ImageBatch) -> tuple[Tensor, Tensor]:
        with whole_float32():
            features, logits = self._network(images.to(self.device))
        return features.float().cpu(), logits.float().cpu()

    def _halve(self, count: int, error: torch.OutOfMemoryError) -> None:
        """Take half as many images at a time from now on."""
        if count == 1:
            raise SetupError(
                f"{self.device}: not enough free memory for one image ({error}); end other "
                "programs on it, or use --device cpu"
            ) from error
        self.batch_size = count // 2
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def open_extractor(
    name: str,
    *,
    weights: Path | None,
    device: torch.device,
    download: bool = True,
    progress: ProgressMode = "auto",
) -> FeatureExtractor:
    """Make an extractor with its weights.

    Parameters
    ----------
    name : str
        "inception-2015-12-05" (FID, KID, inception score, precision and recall), "vgg16" (nearest
        neighbours), or "pixels" (nearest neighbours, without a network).
    weights : Path | None
        A weight file; None: the public one, wherever `weight_files.find_weights` finds it.
    device : torch.device
        Where it computes.
    download : bool
        Whether weights may be downloaded.
    progress : {"auto", "quiet"}
        How a download is shown.

    Raises
    ------
    UsageError
        There is no extractor of that name, or it takes no weights.
    SetupError
        No weights are to be had, or the device's memory does not suffice.
    DataError
        The weight file is damaged, or of another network.
    """
    if name not in EXTRACTORS:
        near = difflib.get_close_matches(name, EXTRACTORS, n=1, cutoff=0.3)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(f"extractor {name!r}: expected {', '.join(EXTRACTORS)}{hint}")
    kind = _KINDS[name]
    with torch.device("meta"):  # its initial weights are not computed
        network = kind.make()
    if not network.state_dict():
        if weights is not None:
            raise UsageError(f"{weights}: the extractor {name} takes no weights; leave them out")
        return FeatureExtractor(network, name=name, device=device, settings=kind.settings)
    public = public_file(name)
    path = find_weights(public, weights=weights, download=download, progress=progress)
    stored = read_tensors(path, expected=public, own=weights is not None)
    _load(network, stored, unused=kind.unused)
    with enough_memory(device):
        network = _on_device(kind.finish(network), device)
    return FeatureExtractor(
        network,
        name=name,
        device=device,
        digest=stored.sha256,
        settings=kind.settings,
        warnings=_warnings(name, stored, public),
    )


def _load(network: nn.Module, stored: StoredTensors, *, unused: tuple[str, ...]) -> None:
    shapes = {
        each: tensor.shape
        for each, tensor in network.state_dict().items()
        if tensor.is_floating_point()
    }
    tensors = require_tensors(stored, shapes, unused=unused)
    network.load_state_dict(tensors, strict=False, assign=True)
    network.requires_grad_(requires_grad=False)


def _on_device(network: nn.Module, device: torch.device) -> nn.Module:
    """Move a network, its kernels laid out as convolutions are fastest."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
    return network.to(device)


def _warnings(name: str, stored: StoredTensors, public: PublicFile) -> tuple[str, ...]:
    if public.is_it(stored.sha256):
        return ()
    return (
        f"{name}: the weights of {stored.path.name} (SHA-256 {stored.sha256[:8]}...) are not the "
        f"published ones ({public.sha256[:8]}...): not comparable with published numbers",
    )

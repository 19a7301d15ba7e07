"""The restorer that runs networks: one against JPEG artifacts, then one that enlarges four times.

Memory: a picture is restored in tiles of at most `TILE_PX` pixels a side, and each is written into
the result as it is done. Beside the picture and its result the working set on the CPU was 170 MiB
at 0.15 megapixels, 440 at 3.2 and 584 at 7.7 (the bundled networks, enlarged four times); most of
it is what the allocator keeps back of tiles of other sizes. A process that has met pictures of 240
sizes held 610 MiB in all, torch included.

Precision: `NetRestorer` takes float32 unless it is told bfloat16; `open_restorer`'s "auto" says
bfloat16 where the hardware multiplies it, and float32 elsewhere. bfloat16 takes a quarter of the
time there (measured with AMX). On real photographs 94 % of its values are float32's and nearly all
others lie one grey level off; one or two in a million lie two levels off.
"""

import math
import threading
from collections.abc import Iterator, Sequence
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from pgan_toolkit.arrays import Image
from pgan_toolkit.devices import arithmetic_of, whole_float32
from pgan_toolkit.errors import SetupError, UsageError
from pgan_toolkit.imaging import Box
from pgan_toolkit.restoration.resampling import LANCZOS_A, lanczos_enlarge, lanczos_shrink
from pgan_toolkit.restoration.restorer import Step, require_power_of_two
from pgan_toolkit.restoration.tiling import Tile, batched_tiles, plan_tiles

__all__ = ["TILE_PX", "NetRestorer", "PictureNet", "Precision"]

Precision = Literal["float32", "bfloat16"]

TILE_PX = 384
"""Largest side of a tile without its margin, input pixels, on a CPU: larger ones are no faster."""

_CUDA_TILE_PX = 768
"""The same on a GPU, where what is restored twice, in the margins, costs more than memory does."""

_CUDA_BATCH = 2


@runtime_checkable
class PictureNet(Protocol):
    """What a network must say of itself to be run in tiles.

    Attributes
    ----------
    scale : int
        Output pixels an input pixel and axis.
    stride_px : int
        A part gives the whole picture's pixels only if it begins at a multiple of this.
    reach_px : int
        How far around a pixel the result depends on the input, input pixels.
    """

    scale: int
    stride_px: int
    reach_px: int

    def to(self, device: torch.device, /) -> object:
        """Move it to a device, in place."""

    def __call__(self, images: Tensor, /) -> Tensor:
        """Map float (N, 3, H, W), 0..1, to (N, 3, scale H, scale W)."""


class NetRestorer:
    """Removes JPEG artifacts, then enlarges; either step may be left out.

    Parameters
    ----------
    jpeg : PictureNet | None
        The network against artifacts, scale 1.
    superres : PictureNet | None
        The network that enlarges; Lanczos where there is none. It runs only where something is
        to be enlarged, and Lanczos makes of its result the factor that is asked for.
    device : torch.device
        Where they run. They are moved there when the first picture comes.
    precision : "float32" or "bfloat16"
        Of the convolutions; values between and after the networks are float32 in any case. float32
        is that on CUDA too: no TF32.
    name : str
        Name and digests of the networks.
    """

    def __init__(
        self,
        jpeg: PictureNet | None,
        superres: PictureNet | None,
        *,
        device: torch.device,
        precision: Precision = "float32",
        name: str = "nets",
    ) -> None:
        self._jpeg, self._superres = jpeg, superres
        self._device, self._precision, self._name = device, precision, name
        self._loading, self._loaded = threading.Lock(), False

    @property
    def identity(self) -> str:
        """Name, digests, torch's version, the arithmetic of the device and the precision.

        Precision is part of it: bfloat16 moves some pixels by a grey level, so that a build that
        went on with another would mix two kinds of pictures.
        """
        # The device's arithmetic is part of it too: a GPU sums in another order than a CPU, which
        # moves the rare value that lies between two levels. A build that scored on one and rendered
        # on the other would find other digests than it had recorded.
        kind = arithmetic_of(self._device, bfloat16=self._precision == "bfloat16")
        return f"{self._name}, torch {torch.__version__}, {kind}, {self._precision}"

    @property
    def device(self) -> torch.device:
        """Where the networks run."""
        return self._device

    @property
    def margin_px(self) -> int:
        """Reach of both networks and the resampling, at any scale."""
        nets = self._nets(scale=2)
        return sum(_reaches_px(nets, scale=2))

    @property
    def alignment_px(self) -> int:
        """A region must begin at a multiple of it."""
        return math.lcm(*(net.stride_px for net in self._nets(scale=2)))

    def only(self, step: Step) -> "NetRestorer":
        """Return the restorer that takes this step alone."""
        net = self._jpeg if step == "jpeg" else self._superres
        if net is None:
            raise UsageError(f"{self._name}: has no {step} network; name one, {step}=FILE")
        return NetRestorer(
            net if step == "jpeg" else None,
            net if step == "superres" else None,
            device=self._device,
            precision=self._precision,
            name=f"{self._name}, {step} only",
        )

    def restore(self, image: Image, *, scale: int, region: Box | None = None) -> Image:
        """Restore uint8 (H, W, 3), or a region of it, to `scale` times its size.

        Raises
        ------
        UsageError
            The scale is no power of two.
        SetupError
            The GPU has not enough free memory.
        """
        require_power_of_two(scale)
        part = region or Box(0, 0, image.shape[1], image.shape[0])
        result = np.empty((part.height * scale, part.width * scale, 3), np.uint8)
        for place, pixels in self._parts(image, part, scale):
            rows, columns = slice(place.top, place.bottom), slice(place.left, place.right)
            result[rows, columns] = pixels.permute(1, 2, 0).cpu().numpy()
        return result

    def restore_tensor(self, image: Image, *, scale: int, region: Box | None = None) -> Tensor:
        """Restore as `restore` does, and leave the result on the device.

        Parameters
        ----------
        image : Image
            uint8 (H, W, 3).
        scale : int
            A power of two.
        region : Box | None
            The part that is wanted; None for all.

        Returns
        -------
        Tensor
            uint8 (3, scale h, scale w) on the restorer's device, `restore`'s pixels.

        Raises
        ------
        UsageError, SetupError
            As `restore` does.
        """
        require_power_of_two(scale)
        part = region or Box(0, 0, image.shape[1], image.shape[0])
        size = (3, part.height * scale, part.width * scale)
        result = torch.empty(size, dtype=torch.uint8, device=self._device)
        for place, pixels in self._parts(image, part, scale):
            result[:, place.top : place.bottom, place.left : place.right] = pixels
        return result

    def load(self) -> None:
        """Move the networks to the device now, before several threads come with pictures."""
        with self._loading:
            if not self._loaded:
                for net in self._nets(scale=2):
                    _place(net, self._device)
            self._loaded = True

    def _parts(self, image: Image, part: Box, scale: int) -> Iterator[tuple[Box, Tensor]]:
        """Where in the result each tile lies, and its uint8 (3, h, w) on the device."""
        nets = self._nets(scale=scale)
        tiles = plan_tiles(
            part,
            whole=Box(0, 0, image.shape[1], image.shape[0]),
            reaches_px=_reaches_px(nets, scale=scale),
            alignment_px=self.alignment_px,
            tile_px=_CUDA_TILE_PX if self._device.type == "cuda" else TILE_PX,
        )
        for batch in batched_tiles(tiles, size=self._batch_size):
            places = [_scaled(tile.kept, scale, origin=part) for tile in batch]
            yield from zip(places, self._pixels(image, batch, nets, scale), strict=True)

    @property
    def _batch_size(self) -> int:
        return _CUDA_BATCH if self._device.type == "cuda" else 1

    def _nets(self, *, scale: int) -> list[PictureNet]:
        """The networks that work at this scale, in order."""
        nets = (self._jpeg, self._superres if scale > 1 else None)
        return [net for net in nets if net is not None]

    def _pixels(
        self, image: Image, batch: Sequence[Tile], nets: Sequence[PictureNet], scale: int
    ) -> list[Tensor]:
        """What tiles of one layout contribute, each uint8 (3, scale h, scale w)."""
        self.load()
        try:
            with torch.inference_mode(), whole_float32():
                return self._computed(image, batch, nets, scale)
        except torch.OutOfMemoryError as error:
            raise SetupError(
                f"{self._device}: not enough free memory ({error}); end other programs on it, use "
                "fewer --workers, or --device cpu"
            ) from error

    def _computed(
        self, image: Image, batch: Sequence[Tile], nets: Sequence[PictureNet], scale: int
    ) -> list[Tensor]:
        cuts = torch.from_numpy(np.stack([_cut(image, tile.seen[0]) for tile in batch]))
        if self._device.type == "cuda":
            cuts = cuts.pin_memory()  # so that the copy waits for nothing on the device
        values = cuts.to(self._device, non_blocking=True).permute(0, 3, 1, 2).float() / 255
        seen = batch[0].seen
        for net, shown, further in zip(nets, seen[:-1], seen[1:], strict=True):
            values = _cut_out(self._run(net, values), further, origin=shown, scale=net.scale)
        values = _rescaled(values, native=_native_scale(nets), scale=scale)
        values = _cut_out(values, batch[0].kept, origin=seen[-1], scale=scale)
        return list((values.clamp(0, 1) * 255).round().to(torch.uint8))

    def _run(self, net: PictureNet, values: Tensor) -> Tensor:
        half = self._precision == "bfloat16"
        with torch.autocast(self._device.type, torch.bfloat16, enabled=half):
            result = net(values.contiguous(memory_format=torch.channels_last))
        return result.float().clamp(0, 1)


def _place(net: PictureNet, device: torch.device) -> None:
    net.to(device)
    if device.type == "cuda" and isinstance(net, nn.Module):
        # As cuDNN takes them: each call would bring them into this order otherwise.
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _reaches_px(nets: Sequence[PictureNet], *, scale: int) -> list[int]:
    """How far each network, and the resampling after them, depends on its surroundings."""
    native = _native_scale(nets)
    # The kernel's reach is in pixels of the coarser of the two pictures.
    resampling = 0 if native == scale else math.ceil(LANCZOS_A / min(native, scale))
    return [*(net.reach_px for net in nets), resampling]


def _native_scale(nets: Sequence[PictureNet]) -> int:
    return math.prod(net.scale for net in nets)


def _rescaled(values: Tensor, *, native: int, scale: int) -> Tensor:
    if scale < native:
        return lanczos_shrink(values, factor=native // scale)
    return lanczos_enlarge(values, factor=scale // native)


def _cut_out(values: Tensor, box: Box, *, origin: Box, scale: int) -> Tensor:
    """The box of what shows the origin at that scale."""
    part = _scaled(box, scale, origin=origin)
    return values[:, :, part.top : part.bottom, part.left : part.right]


def _scaled(box: Box, scale: int, *, origin: Box) -> Box:
    """The box seen from the origin's left top corner, in pixels `scale` times as small."""
    return Box(
        (box.left - origin.left) * scale,
        (box.top - origin.top) * scale,
        (box.right - origin.left) * scale,
        (box.bottom - origin.top) * scale,
    )


def _cut(image: Image, box: Box) -> Image:
    return image[box.top : box.bottom, box.left : box.right]

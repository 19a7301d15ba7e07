"""From a decoded photograph to its crop and its score, with all pixels on one device in between.

Several threads may render at once: while one decodes or encodes on the CPU, others keep the device
at work. At most `SLOTS` photographs are on the device at a time, each on a stream of its own, so
that copying one overlaps with computing another, and the device's memory is bounded.

Memory on the device, in tensors of one photograph beside the networks' own (computed from their
sizes, not measured on a GPU): the enlarged region and its padded window take 3 bytes a pixel, and
the window 12 more as float32 while it is warped; a band of the warp takes 350 MiB and a band of the
padding 130 MiB. A window has up to 8 megapixels at 1024 pixels of output for photographs that are
enlarged, and up to 36 for those that are not: 0.5 to 1 GiB a photograph, where the supersampled
picture as float32 and what its making needs would take 1.2 GiB more.
"""

import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from pgan_toolkit.arrays import Image, Landmarks
from pgan_toolkit.celebahq.geometry import CropPlan, plan_crop
from pgan_toolkit.celebahq.on_device.padding import faded_pad
from pgan_toolkit.celebahq.on_device.spectrum import measure_spectrum
from pgan_toolkit.celebahq.on_device.transfer import fetched
from pgan_toolkit.celebahq.on_device.warping import box_warp
from pgan_toolkit.celebahq.recipe import Profile, seen_part
from pgan_toolkit.celebahq.rendering import Rendered, timed
from pgan_toolkit.devices import whole_float32
from pgan_toolkit.errors import SetupError
from pgan_toolkit.imaging import Box
from pgan_toolkit.restoration.nets import NetRestorer

__all__ = ["SLOTS", "DeviceRenderer"]

SLOTS = 3
"""Photographs that are on the device at once: one arrives, one is computed, one leaves."""


class DeviceRenderer:
    """Renders and scores on the restorer's device.

    Parameters
    ----------
    profile : Profile
        With the box filter at its end.
    restorer : NetRestorer
        Its networks are moved to its device now.
    output_size : int
        Side of a crop, pixels.
    """

    def __init__(self, profile: Profile, restorer: NetRestorer, *, output_size: int) -> None:
        self._profile, self._restorer, self._output_size = profile, restorer, output_size
        restorer.load()
        self._streams: queue.SimpleQueue[torch.cuda.Stream | None] = queue.SimpleQueue()
        cuda = restorer.device.type == "cuda"
        for _ in range(SLOTS):
            self._streams.put(_new_stream(restorer.device) if cuda else None)

    def render(self, image: Image, landmarks: Landmarks) -> Image:
        """Return the crop of one face, as `render_crop` makes it, to one grey level.

        Raises
        ------
        SetupError
            The GPU has not enough free memory.
        """
        task = self._task(image, landmarks)
        with self._slot({}):
            (crop,) = fetched(_rows_first(self._crop(task)))
        return crop.numpy()

    def render_scored(self, image: Image, landmarks: Landmarks) -> Rendered:
        """Return the same crop with its score, as `quality_score` finds it to rounding.

        Of its stages, "cut" and "score" are on the host, "wait" is for room on the device, and
        "render" is all that is done there.
        """
        seconds: dict[str, float] = {}
        with timed(seconds, "cut"):
            task = self._task(image, landmarks)
        with self._slot(seconds), timed(seconds, "render"):
            crop = self._crop(task)
            measured = measure_spectrum(crop)
            pixels, sums = fetched(_rows_first(crop), measured.sums)
        with timed(seconds, "score"):
            score = float(measured.report(sums).score)
        return Rendered(pixels.numpy(), score, seconds)

    def _task(self, image: Image, landmarks: Landmarks) -> "_Task":
        plan = plan_crop(
            landmarks, width=image.shape[1], height=image.shape[0], output_size=self._output_size
        )
        cut, wanted = seen_part(image, plan, profile=self._profile, restorer=self._restorer)
        return _Task(plan, cut, wanted)

    def _crop(self, task: "_Task") -> Tensor:
        plan = task.plan
        restored = self._restorer.restore_tensor(task.cut, scale=plan.upscale, region=task.wanted)
        if plan.margins:
            restored = faded_pad(restored, plan.margins, sigma_px=plan.sigma_px, window=plan.window)
        return box_warp(restored, plan.quad_in_warped, size=self._output_size)

    @contextmanager
    def _slot(self, seconds: dict[str, float]) -> Iterator[None]:
        """Wait for room on the device, and work there on a stream of one's own."""
        with timed(seconds, "wait"):
            stream = self._streams.get()
        try:
            with torch.inference_mode(), whole_float32(), torch.cuda.stream(stream):
                yield
        except torch.OutOfMemoryError as error:
            raise SetupError(
                f"{self._restorer.device}: not enough free memory ({error}); end other programs "
                "on it, or use --pipeline host or --device cpu"
            ) from error
        finally:
            self._streams.put(stream)


@dataclass(frozen=True, eq=False)
class _Task:
    """What the device needs of a photograph.

    Attributes
    ----------
    plan : CropPlan
        The steps.
    cut : Image
        What the restorer has to see.
    wanted : Box
        The part of it that is to be restored.
    """

    plan: CropPlan
    cut: Image
    wanted: Box


def _new_stream(device: torch.device) -> torch.cuda.Stream:
    make: Callable[..., torch.cuda.Stream] = torch.cuda.Stream  # which torch leaves untyped
    return make(device)


def _rows_first(crop: Tensor) -> Tensor:
    return crop.permute(1, 2, 0).contiguous()

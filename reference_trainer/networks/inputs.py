"""What a network refuses, before a kernel does with less to say."""

from collections.abc import Sequence

from torch import Tensor

from pgan_toolkit.errors import UsageError

__all__ = ["check_alpha", "check_images", "check_labels", "check_latents", "check_resolution"]


def check_resolution(resolution: int, known: Sequence[int]) -> None:
    """Raise UsageError unless the resolution is one of those known."""
    if resolution not in known:
        sizes = ", ".join(map(str, known))
        raise UsageError(f"resolution={resolution}: this network has {sizes}")


def check_alpha(alpha: float, resolution: int, known: Sequence[int]) -> None:
    """Raise UsageError unless alpha is 0 to 1, and 1 where there is nothing to fade from."""
    if not 0 <= alpha <= 1:
        raise UsageError(f"alpha={alpha}: expected 0 to 1")
    if alpha < 1 and resolution // 2 not in known:
        raise UsageError(
            f"alpha={alpha} at resolution={resolution}: expected 1, since it is the lowest of "
            "this network and there is nothing to fade from"
        )


def check_latents(latents: Tensor, size: int) -> None:
    """Raise UsageError unless latents are float (N, size), N at least 1."""
    shape = tuple(latents.shape)
    if latents.ndim != 2 or shape[1] != size or not shape[0]:
        raise UsageError(f"latents of shape {shape}: expected (N, {size}), N at least 1")
    if not latents.is_floating_point():
        raise UsageError(f"latents of {latents.dtype}: expected a floating-point type")


def check_images(images: Tensor, channels: int, known: Sequence[int]) -> None:
    """Raise UsageError unless images are float (N, channels, r, r), N at least 1, r known."""
    shape = tuple(images.shape)
    if images.ndim != 4 or shape[1] != channels or shape[2] != shape[3] or not shape[0]:
        raise UsageError(f"images of shape {shape}: expected (N, {channels}, r, r), N at least 1")
    if not images.is_floating_point():
        raise UsageError(f"images of {images.dtype}: expected floating-point ones, -1..1")
    check_resolution(shape[2], known)


def check_labels(labels: Tensor | None, count: int, kinds: int) -> None:
    """Raise UsageError unless labels are integer (count,), 0 to kinds - 1; or None if kinds is 0.

    Their values are looked at on the CPU only, since elsewhere that would wait for the device.
    """
    if labels is None:
        if kinds:
            raise UsageError(f"no labels: expected {count} of 0 to {kinds - 1} (a conditional run)")
        return
    if not kinds:
        raise UsageError("labels for a generator without: expected labels=None")
    if tuple(labels.shape) != (count,) or labels.is_floating_point() or labels.is_complex():
        got = f"labels of shape {tuple(labels.shape)} and {labels.dtype}"
        raise UsageError(f"{got}: expected integers ({count},)")
    if labels.device.type == "cpu" and not 0 <= int(labels.min()) <= int(labels.max()) < kinds:
        raise UsageError(
            f"labels {int(labels.min())} to {int(labels.max())}: expected 0 to {kinds - 1}"
        )

"""Which of the two renderers is taken: the host's, or the one that is all on a torch device."""

from typing import Literal

from pgan_toolkit.celebahq.recipe import Profile
from pgan_toolkit.celebahq.rendering import HostRenderer, Renderer
from pgan_toolkit.errors import UsageError
from pgan_toolkit.restoration import Restorer

__all__ = ["Pipeline", "PipelineChoice", "open_renderer", "resolve_pipeline"]

Pipeline = Literal["host", "device"]
"""NumPy and OpenCV around the nets; or all in torch from the restored part to the score."""
PipelineChoice = Literal["auto", "host", "device"]


def open_renderer(
    profile: Profile, restorer: Restorer, *, pipeline: Pipeline, output_size: int
) -> Renderer:
    """Return a renderer; "device" means the restorer's."""
    if pipeline == "host":
        return HostRenderer(profile, restorer, output_size=output_size)
    from pgan_toolkit.celebahq.on_device import DeviceRenderer
    from pgan_toolkit.restoration.nets import NetRestorer

    if not isinstance(restorer, NetRestorer):
        raise _without_nets(restorer.identity)
    return DeviceRenderer(profile, restorer, output_size=output_size)


def resolve_pipeline(
    choice: PipelineChoice, *, profile: Profile, restorer_spec: str, device: str
) -> Pipeline:
    """Say what "auto" means: the device for networks on a GPU and the box filter, else the host.

    Raises
    ------
    UsageError
        The device is asked for, and the profile or the restorer has no such path.
    """
    boxes, nets = profile.final_filter == "box", restorer_spec != "lanczos"
    if choice == "auto":
        return "device" if device.startswith("cuda") and boxes and nets else "host"
    if choice == "device" and not nets:
        raise _without_nets(restorer_spec)
    if choice == "device" and not boxes:
        raise UsageError(
            f"--pipeline device: profile {profile.name} ends in a Lanczos filter, which is on the "
            "host only; use auto or host"
        )
    return choice


def _without_nets(restorer: str) -> UsageError:
    return UsageError(
        f"--pipeline device: the {restorer} restorer runs on the host only; use auto or host"
    )

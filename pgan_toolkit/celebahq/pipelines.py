"""Which of the two renderers is taken: the host's, or the one that is all on a torch device."""

from typing import Literal

from pgan_toolkit.celebahq.recipe import Profile
from pgan_toolkit.celebahq.rendering import HostRenderer, Renderer
from pgan_toolkit.errors import UsageError
from pgan_toolkit.restoration import Restorer

__all__ = ["Pipeline", "check_pipeline", "open_renderer"]

Pipeline = Literal["host", "device"]
"""NumPy and OpenCV around the nets; or all in torch from the restored part to the score."""


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


def check_pipeline(pipeline: Pipeline, *, profile: Profile, restorer_spec: str) -> None:
    """Refuse the device for a profile or a restorer that has no such path, by UsageError."""
    if pipeline == "host":
        return
    if restorer_spec == "lanczos":
        raise _without_nets(restorer_spec)
    if profile.final_filter != "box":
        raise UsageError(
            f"--pipeline device: profile {profile.name} ends in a Lanczos filter, which is on the "
            "host only; leave it out"
        )


def _without_nets(restorer: str) -> UsageError:
    return UsageError(
        f"--pipeline device: the {restorer} restorer runs on the host only; leave it out"
    )

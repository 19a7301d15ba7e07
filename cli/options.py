"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:  # it would load all that decodes, which --help does without
    from pgan_toolkit.storage import Place

__all__ = [
    "FORMAT_NAMES",
    "LOCAL_FOLDER",
    "PLACE",
    "address_option",
    "device_option",
    "engine_option",
    "fresh_option",
    "precision_option",
    "quiet_option",
    "restorer_option",
    "workers_option",
]

FORMAT_NAMES = (
    "folder",
    "zip",
    "hdf5",
    "hdf5-multires",
    "numpy",
    "webdataset",
    "tfrecord",
    "lmdb",
)
"""`pgan_toolkit.storage.FORMATS`, which --help does without: it would load all that decodes."""


class _Place(click.ParamType):  # type: ignore[type-arg]  # click 8.2 cannot be subscripted
    """A path on this machine, or a URL of a remote storage."""

    name = "path"

    def convert(
        self,
        value: "str | Place",
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> "Place":
        from pgan_toolkit.storage import locate

        return locate(value)


class _LocalFolder(click.Path):
    """A folder of this machine, which a URL is not: as a path it would only look odd."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if "://" in str(value):
            from pgan_toolkit.storage.remote.urls import redacted

            self.fail(
                f"{redacted(str(value))}: is a URL; name a folder of this machine", param, ctx
            )
        return super().convert(value, param, ctx)


LOCAL_FOLDER = _LocalFolder(path_type=Path, file_okay=False)
"""The type of options that name a folder to make on this machine."""

PLACE = _Place()
"""The type of arguments that name pictures to read or a dataset to make."""

device_option = click.option(
    "--device", default="auto", show_default=True, help="Of the nets: auto, cpu, cuda or cuda:N."
)

engine_option = click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="What runs the work: this machine, or a Ray cluster (extra ray).",
)
address_option = click.option(
    "--address",
    metavar="auto|HOST:PORT",
    help="Of the Ray cluster, with --engine ray.  [default: auto]",
)
fresh_option = click.option(
    "--fresh", is_flag=True, help="Forget an earlier build into OUT, and remove what it made."
)
precision_option = click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16"]),
    default="auto",
    show_default=True,
    help="Of the nets; auto: bfloat16 where the hardware has it, float32 elsewhere.",
)
quiet_option = click.option(
    "--quiet", is_flag=True, help="Show neither progress nor the summary; errors are still shown."
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes.  [default: one a core]",
)


def restorer_option(*, default: str | None, default_help: str) -> Callable[[Any], Any]:
    """Return the option --restorer."""
    return click.option(
        "--restorer",
        default=default,
        metavar="SPEC",
        help="nets, nets-psnr, lanczos, nets:jpeg=FILE,superres=FILE or "
        f"spandrel:jpeg=FILE,superres=FILE.  [default: {default_help}]",
    )

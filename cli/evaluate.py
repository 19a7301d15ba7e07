"""`pgan-toolkit evaluate`."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pgan_cli.evaluate_output import Outputs, finish_evaluation, planned_baseline
from pgan_cli.metric_options import (
    json_option,
    metric_device_option,
    no_cache_option,
    open_cache,
    set_argument,
    weights_option,
)
from pgan_cli.options import PLACE, address_option, engine_option, quiet_option

from pgan_toolkit.errors import UsageError

if TYPE_CHECKING:  # it would load torch, which --help does without
    from pgan_toolkit.engines import Engine
    from pgan_toolkit.evaluation.comparing.generators import Generate
    from pgan_toolkit.storage import Place

__all__ = ["evaluate"]

_EXAMPLES = """\b
Examples:
  pgan-toolkit evaluate real/ fake/
  pgan-toolkit evaluate real/ fake/ --images 2000 --max swd.avg=12 --junit out.xml
  pgan-toolkit evaluate real/ fake/ --config pgan-eval.toml --baseline main.json --tolerance 2se
  pgan-toolkit evaluate real/ --generator mypackage.sampling:generate --json out.json
"""


def _limit_options(name: str, *, text: str) -> Callable[[Any], Any]:
    """Return an option that gives limits by name, a mapping."""

    def parse(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, float]:
        found: dict[str, float] = {}
        for value in values:
            score, limit = _limit(value, option=f"--{name}")
            if score in found:
                raise UsageError(
                    f"--{name} {value}: {score} was given before, as {found[score]:g}; give one "
                    "limit a number"
                )
            found[score] = limit
        return found

    return click.option(
        f"--{name}",
        f"{name}_limits",
        multiple=True,
        metavar="NAME=VALUE",
        callback=parse,
        help=text,
    )


def _limit(value: str, *, option: str) -> tuple[str, float]:
    name, _, number = value.partition("=")
    try:
        return name.strip(), float(number)
    except ValueError:
        raise UsageError(f"{option} {value}: expected NAME=VALUE, such as swd.avg=12") from None


def _file_option(name: str, *, text: str) -> Callable[[Any], Any]:
    kind = click.Path(path_type=Path, dir_okay=False)
    return click.option(f"--{name}", type=kind, help=text)


@click.command(epilog=_EXAMPLES)
@set_argument("real")
@click.argument("fake", required=False, type=PLACE)
@click.option(
    "--generator",
    metavar="MODULE:FUNCTION",
    help="In place of FAKE: a callable that takes a number and a seed, and returns so many "
    "pictures, uint8. It is imported, from the current folder too, and run.",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME",
    help="Measure this one, with a download of its network's weights where they are not at hand; "
    "repeat for more.  [default: all that can run here without one]",
)
@_limit_options("max", text="Fail where this number is greater: swd.avg=12. Repeat for more.")
@_limit_options("min", text="Fail where this number is less: coverage=0.8. Repeat for more.")
@_file_option("config", text="Read settings and thresholds from this TOML file.")
@_file_option(
    "baseline", text="Fail where a number is worse than in the --json report of an earlier run."
)
@click.option(
    "--tolerance",
    metavar="2se|5%|0.1",
    help="How much worse is no regression: standard errors of the difference, percent, or a "
    "number.  [default: 2se]",
)
@click.option(
    "--update-baseline",
    is_flag=True,
    help="Make this run the baseline, if it passes the thresholds; nothing is compared with it.",
)
@click.option(
    "--allow-protocol-deviation",
    is_flag=True,
    help="Let numbers pass whose protocol was not followed; the report says so. --images does it "
    "for the number of images, which it declares.",
)
@click.option(
    "--images",
    type=click.IntRange(min=1),
    help="Use so many of each side, and judge by that.  [default: as the published protocols]",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    help="Of all that is drawn, the pictures of a generator included.  [default: 0]",
)
@click.option(
    "--bootstrap",
    type=click.IntRange(min=0),
    metavar="N",
    help="Draw the images anew N times, for an error of the SWD that covers their choice.  "
    "[default: none]",
)
@click.option("--batch-size", type=click.IntRange(min=1), help="Pictures at a time.")
@click.option("--skip-bad", is_flag=True, help="Leave unreadable pictures out, with a warning.")
@weights_option
@metric_device_option
@engine_option
@address_option
@no_cache_option
@json_option
@_file_option("junit", text="Write the verdicts here as JUnit XML.")
@_file_option("markdown", text="Write a summary here as Markdown.")
@_file_option("html", text="Write one self-contained page here: verdicts, charts and pictures.")
@click.option(
    "--history",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Show this --json report of an earlier run on the page; repeat for more.",
)
@click.option(
    "--github",
    is_flag=True,
    help="In a job of GitHub Actions: add the summary to the job's, and annotate failures.",
)
@quiet_option
def evaluate(  # noqa: PLR0913 - one argument an option
    *,
    real: "Place",
    fake: "Place | None",
    generator: str | None,
    config: Path | None,
    engine: str,
    address: str | None,
    update_baseline: bool,
    no_cache: bool,
    report: Path | None,
    junit: Path | None,
    markdown: Path | None,
    html: Path | None,
    history: tuple[Path, ...],
    github: bool,
    quiet: bool,
    **asked: Any,
) -> None:
    """Measure two sets by all metrics that can run here, in one pass, and judge the numbers.

    REAL and FAKE are sets of pictures in any format. Every picture is read once. Without --images
    each metric takes as many as its published protocol, and a number of fewer cannot pass a
    threshold. Exit code 1: a threshold failed, or there is a regression; 3: bad data, or a
    baseline that cannot be compared with.
    """
    from pgan_cli.evaluate_settings import resolve

    from pgan_toolkit.evaluation.comparing import evaluate as run

    outputs = Outputs(
        json=report,
        junit=junit,
        markdown=markdown,
        html=html,
        history=history,
        github=github,
        quiet=quiet,
    )
    plan = resolve(asked, config=config, quiet=quiet, update_baseline=update_baseline)
    baseline = planned_baseline(plan.baseline_to_write, plan.metrics)
    with outputs.places() as places, _engine(engine, address) as workers:
        found = run(
            real,
            _judged(fake, generator),
            metrics=plan.metrics,
            images=plan.images,
            conditions=plan.conditions,
            settings=replace(plan.settings, onlooker=places.look, engine=workers),
            cache=open_cache(no_cache=no_cache, quiet=quiet),
        )
        places.write(found)
    finish_evaluation(found, baseline=baseline, quiet=quiet)


def _engine(name: str, address: str | None) -> "AbstractContextManager[Engine | None]":
    """What reads the sets; None stands for this process, whose threads do it."""
    from pgan_toolkit.engines import open_engine

    if name == "local" and address is None:
        return nullcontext()
    return open_engine(name, address=address, workers=0)


def _judged(fake: "Place | None", generator: str | None) -> "Place | Generate":
    from pgan_toolkit.evaluation.comparing import load_generator

    if generator is not None and fake is None:
        return load_generator(generator)
    if fake is not None and generator is None:
        return fake
    raise UsageError("expected two sets, or one and --generator MODULE:FUNCTION")

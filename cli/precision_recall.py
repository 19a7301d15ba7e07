"""`pgan-toolkit precision-recall`."""

from functools import partial
from typing import Any

import click
from pgan_cli.feature_pairs import compare_pair, pair_arguments, pair_options

__all__ = ["precision_recall"]

_EXAMPLES = """\b
Examples:
  pgan-toolkit precision-recall real/ fake/
  pgan-toolkit precision-recall real.zip fake.zip --images 10000 --json pr.json
"""


@click.command("precision-recall", epilog=_EXAMPLES)
@pair_arguments
@click.option(
    "--neighbours",
    "k",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Of precision and recall.",
)
@click.option(
    "--density-neighbours",
    "density_k",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Of density and coverage.",
)
@pair_options
def precision_recall(*, k: int, density_k: int, **pair: Any) -> None:
    """Measure precision, recall, density and coverage of Inception features.

    REAL and FAKE are datasets of any format, or training runs. Precision and density:
    are the fakes like reals? Recall and coverage: are all reals reached? Higher is better.
    """
    from pgan_toolkit.evaluation.measure_precision_recall import measure_precision_recall

    compare_pair(partial(measure_precision_recall, k=k, density_k=density_k), **pair)

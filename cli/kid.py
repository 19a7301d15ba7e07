"""`pgan-toolkit kid`."""

from functools import partial
from typing import Any

import click
from pgan_cli.feature_pairs import compare_pair, pair_arguments, pair_options

__all__ = ["kid"]

_EXAMPLES = """\b
Examples:
  pgan-toolkit kid real/ fake/
  pgan-toolkit kid real.zip fake.zip --subsets 50 --whole-sets --json kid.json
"""


@click.command(epilog=_EXAMPLES)
@pair_arguments
@click.option(
    "--subsets", type=click.IntRange(min=1), default=100, show_default=True, help="How many."
)
@click.option(
    "--subset-size",
    type=click.IntRange(min=2),
    default=1000,
    show_default=True,
    help="Images of each side in a subset.",
)
@click.option("--whole-sets", is_flag=True, help="Estimate it from all pairs of images too.")
@pair_options
def kid(*, subsets: int, subset_size: int, whole_sets: bool, **pair: Any) -> None:
    """Measure the kernel distance of Inception features (KID), which few images do not raise.

    REAL and FAKE are datasets of any format, or training runs. Lower is better; the
    estimate has no bias, so that of equal sets it scatters around 0, also below. Many papers print
    1000 times this number.
    """
    from pgan_toolkit.evaluation.measure_kid import measure_kid

    measure = partial(measure_kid, subsets=subsets, subset_size=subset_size, whole_sets=whole_sets)
    compare_pair(measure, **pair)

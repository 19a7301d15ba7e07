"""Options that several commands share."""

import click

__all__ = ["fresh_option", "quiet_option", "workers_option"]

fresh_option = click.option(
    "--fresh", is_flag=True, help="Forget an earlier build into OUT, and remove what it made."
)
quiet_option = click.option(
    "--quiet", is_flag=True, help="Show neither progress nor the summary; errors are still shown."
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes.  [default: one a core]",
)

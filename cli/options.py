"""Options that several commands share."""

from pathlib import Path

import click

__all__ = ["LandmarkOption", "existing_folder", "quiet_option", "workers_option"]

existing_folder = click.Path(path_type=Path)

quiet_option = click.option(
    "--quiet", is_flag=True, help="Show neither progress nor the summary; errors are still shown."
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes.  [default: one a core]",
)


class LandmarkOption(click.ParamType[object]):
    """A word out of a few, or else a path."""

    name = "choice"

    def __init__(self, *words: str) -> None:
        self.words = words

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Return what --help shows for the value."""
        return "|".join([*self.words, "FILE"])

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> object:
        """Return the word, or the path of a file that exists."""
        if isinstance(value, Path) or value in self.words:
            return value
        path = Path(str(value))
        if not path.is_file():
            self.fail(f"{value!r} is none of {', '.join(self.words)}, and no file", param, ctx)
        return path

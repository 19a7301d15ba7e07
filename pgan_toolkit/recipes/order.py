"""What is asked of a recipe, and what a recipe is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pgan_toolkit.errors import UsageError
from pgan_toolkit.recipes.pictures import Pictures

__all__ = ["Order", "Recipe"]

Choice = TypeVar("Choice")


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is asked of a recipe.

    Attributes
    ----------
    size_px : int
        Side of the pictures.
    split : str
        Which part of the set; "" where it has none.
    verify : bool
        Compare the files with the published ones, and refuse others.
    """

    size_px: int
    split: str = ""
    verify: bool = True


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How published files become pictures to train on.

    Attributes
    ----------
    name : str
        Its name, and that of the manifest of its files.
    title : str
        What it makes, for a person to read.
    sizes_px : tuple of int
        Sides that it can make, the usual one first.
    splits : tuple of str
        Parts of the set, the usual one first; empty where it has none.
    decodes : bool
        Making a picture means decoding one: worth several processes.
    open_files : callable
        Finds, checks and opens the files at a path.
    """

    name: str
    title: str
    sizes_px: tuple[int, ...]
    splits: tuple[str, ...]
    decodes: bool
    open_files: Callable[[Path, Order], Pictures]

    def open(
        self,
        source: Path,
        *,
        size_px: int | None = None,
        split: str | None = None,
        verify: bool = True,
    ) -> Pictures:
        """Find, check and open the published files.

        Parameters
        ----------
        source : Path
            The download: a folder, or the file itself.
        size_px, split : int | None, str | None
            One of `sizes_px` and of `splits`; None: the first.
        verify : bool
            Compare the files with the published ones, and refuse others.

        Returns
        -------
        Pictures
            An `ImageSource`.

        Raises
        ------
        UsageError
            The source does not exist, or the recipe has no such size or split.
        DataError
            The source holds other files than the recipe reads, or damaged ones.
        CheckFailed
            A file is not the published one.
        """
        if not source.exists():
            raise UsageError(f"{source}: no such file or folder")
        if split is not None and not self.splits:
            raise UsageError(f"--split {split}: {self.name} has no splits; leave it out")
        order = Order(
            size_px=_one_of(self.sizes_px, size_px, f"--size {size_px}: {self.name}"),
            split=_one_of(self.splits or ("",), split, f"--split {split}: {self.name}"),
            verify=verify,
        )
        return self.open_files(source, order)


def _one_of(known: Sequence[Choice], asked: Choice | None, what: str) -> Choice:
    if asked is None:
        return known[0]
    if asked not in known:
        raise UsageError(f"{what} has {', '.join(map(str, known))}")
    return asked

"""The label file `dataset.json` of folders and zip files, as the StyleGAN family reads it."""

import json
from collections.abc import Iterable, Mapping

from pgan_toolkit.errors import DataError

__all__ = ["MOST_LABEL", "check_label", "format_labels", "parse_labels"]

MOST_LABEL = (1 << 63) - 1
"""As many class indices as the formats' 64-bit integers hold."""


def check_label(label: int | None, *, where: str) -> None:
    """Refuse a label that is not a class index.

    Raises
    ------
    DataError
        The label is negative, or beyond 64 bits.
    """
    if label is not None and not 0 <= label <= MOST_LABEL:
        raise DataError(f"{where}: the label is {label}; expected a class index from 0")


def format_labels(labels: Iterable[tuple[str, int | None]]) -> bytes:
    """Make the contents of `dataset.json`: files without a label are left out, none is null.

    Parameters
    ----------
    labels : iterable of (str, int | None)
        File name with extension, and its class index.

    Returns
    -------
    bytes
        JSON in ASCII: ``{"labels": [["00000/img00000000.png", 3], ...]}``, by file name.
    """
    rows = sorted([name, label] for name, label in labels if label is not None)
    return json.dumps({"labels": rows or None}).encode("ascii")


def parse_labels(data: bytes, *, name: str) -> Mapping[str, int]:
    """Read the contents of `dataset.json`.

    Parameters
    ----------
    data : bytes
        The file.
    name : str
        What an error calls it.

    Returns
    -------
    mapping of str to int
        File name with extension -> class index. Empty where there are no labels.

    Raises
    ------
    DataError
        Not such a file, or its labels are not class indices.
    """
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name}: not JSON ({error}); mend it or remove it") from error
    if not isinstance(content, dict):
        raise DataError(f'{name}: expected an object {{"labels": [...]}}; mend it or remove it')
    rows = content.get("labels")
    if rows is None:
        return {}
    if not isinstance(rows, list):
        raise DataError(f'{name}: "labels" is no list but {rows!r:.60}; mend it or remove it')
    return dict(_parse_row(row, name) for row in rows)


def _parse_row(row: object, name: str) -> tuple[str, int]:
    match row:
        case [str(file), int(label)] if not isinstance(label, bool) and 0 <= label <= MOST_LABEL:
            return file, label
        case _:
            raise DataError(
                f"{name}: the label {row!r:.80} is not [file name, class index]; only class "
                "indices are supported: rename the file to read the pictures without labels"
            )

"""Comparing the files that a recipe reads with the published ones."""

from collections.abc import Sequence
from pathlib import Path

from pgan_toolkit.digests import file_digest
from pgan_toolkit.errors import CheckFailed
from pgan_toolkit.storage.manifests import Manifest, ManifestFile
from pgan_toolkit.wording import counted

__all__ = ["check_count", "check_files", "published_file"]

_AS_IT_IS = "or take it as it is with --no-verify"


def published_file(manifest: Manifest, path: Path) -> ManifestFile | None:
    """Find a file among the published ones by its name."""
    for file in manifest.files:
        if file.path.rsplit("/", 1)[-1] == path.name:
            return file
    return None


def check_files(paths: Sequence[Path], manifest: Manifest) -> str:
    """Compare files with the published ones of the same name: sizes first, then digests.

    Parameters
    ----------
    paths : sequence of Path
        Files of the download.
    manifest : Manifest
        What they should be.

    Returns
    -------
    str
        What they were compared by, for a person to read.

    Raises
    ------
    CheckFailed
        Files are not the published ones. The message names each, what was got and expected, and
        where to get it.
    OSError
        A file cannot be read.
    """
    problems, algorithms = [], set()
    for path in paths:
        algorithm, problem = _compare(path, manifest)
        algorithms.add(algorithm)
        if problem:
            problems.append(f"{path}: {problem}")
    if problems:
        raise CheckFailed(
            f"{'; '.join(problems)}; get {'it' if len(problems) == 1 else 'them'} again from "
            f"{manifest.source.url}, {_AS_IT_IS}"
        )
    return f"{counted(len(paths), 'file')} by the published size and {'/'.join(sorted(algorithms))}"


def check_count(count: int, expected: int, *, what: str, manifest: Manifest) -> None:
    """Refuse a set with another number of pictures than the published one.

    Parameters
    ----------
    count, expected : int
        Pictures that are there, and that should be.
    what : str
        What an error calls the set.
    manifest : Manifest
        Says where to get it.

    Raises
    ------
    CheckFailed
        The numbers differ.
    """
    if count != expected:
        raise CheckFailed(
            f"{what}: holds {counted(count, 'picture')}, expected the {expected:,} published; get "
            f"or unpack it again ({manifest.source.url}), {_AS_IT_IS}"
        )


def _compare(path: Path, manifest: Manifest) -> tuple[str, str]:
    """Return the algorithm of the digest, and what is wrong or nothing."""
    expected = published_file(manifest, path)
    if expected is None:
        names = ", ".join(file.path.rsplit("/", 1)[-1] for file in manifest.files[:4])
        return "", f"has not the name of a published file ({names}, ...)"
    algorithm = "md5" if expected.sha256 is None else "sha256"
    digest = expected.md5 if expected.sha256 is None else expected.sha256
    size_bytes = path.stat().st_size
    if size_bytes != expected.size_bytes:
        short = " (cut short)" if size_bytes < expected.size_bytes else ""
        return algorithm, f"{size_bytes:,} bytes, expected {expected.size_bytes:,}{short}"
    got = file_digest(path, algorithm=algorithm)
    return algorithm, "" if got == digest else f"{algorithm} {got}, expected {digest}"

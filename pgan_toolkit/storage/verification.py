"""Whether a data set is whole: its pictures decode, its downloaded files are the published ones."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pgan_toolkit.digests import file_digest, pixel_digest
from pgan_toolkit.errors import DataError
from pgan_toolkit.storage.base import StoredSource
from pgan_toolkit.storage.folder import list_files
from pgan_toolkit.storage.manifests import Manifest, ManifestFile

__all__ = [
    "DownloadCheck",
    "PictureCheck",
    "check_download",
    "check_pictures",
    "find_download",
    "is_download",
]


@dataclass(frozen=True)
class PictureCheck:
    """What decoding every picture showed.

    Attributes
    ----------
    count : int
        Number of pictures.
    damaged : mapping of str to str
        Key -> what is wrong, for each picture that cannot be decoded.
    duplicates : tuple of tuple of str
        Groups of keys whose pixels are identical. Empty after a quick check.
    sizes : mapping of str to int
        "1024x1024" (width x height) -> pictures, most frequent first.
    """

    count: int
    damaged: Mapping[str, str]
    duplicates: tuple[tuple[str, ...], ...]
    sizes: Mapping[str, int]

    @property
    def passed(self) -> bool:
        """No picture is damaged. Duplicates and mixed sizes are told, but are no failure."""
        return not self.damaged


@dataclass(frozen=True)
class DownloadCheck:
    """How a folder's files compare with a manifest; every tuple holds the manifest's paths.

    Attributes
    ----------
    good : tuple of str
        Present and right (after a quick check: of the right size).
    missing : tuple of str
        Not in the folder. A subset of a download is no failure.
    wrong : mapping of str to str
        Path -> what is wrong with it.
    """

    good: tuple[str, ...]
    missing: tuple[str, ...]
    wrong: Mapping[str, str]

    @property
    def passed(self) -> bool:
        """There is something to check, and nothing is wrong with it."""
        return bool(self.good) and not self.wrong


def check_pictures(
    source: StoredSource, *, quick: bool = False, advance: Callable[[], None] | None = None
) -> PictureCheck:
    """Decode every picture, and go on after damaged ones.

    Parameters
    ----------
    source : StoredSource
        The data set.
    quick : bool
        Read the headers only: truncated pixels and duplicates go unnoticed.
    advance : callable | None
        Called after each picture.
    """
    damaged: dict[str, str] = {}
    sizes: Counter[str] = Counter()
    by_digest: dict[str, list[str]] = {}
    for index, key in enumerate(source.keys()):
        try:
            if quick:
                info = source.info(index)
                sizes[f"{info.width}x{info.height}"] += 1
            else:
                image = source[index].image
                sizes[f"{image.shape[1]}x{image.shape[0]}"] += 1
                by_digest.setdefault(pixel_digest(image), []).append(key)
        except DataError as error:
            damaged[key] = str(error)
        if advance is not None:
            advance()
    duplicates = tuple(tuple(keys) for keys in by_digest.values() if len(keys) > 1)
    return PictureCheck(len(source), damaged, duplicates, dict(sizes.most_common()))


def find_download(folder: Path, manifest: Manifest) -> Mapping[str, Path]:
    """Find a manifest's files in a folder: at their paths, or anywhere under their names.

    Returns
    -------
    mapping of str to Path
        The manifest's path -> the file. Files that are not there are left out.
    """
    present = sorted(list_files(folder))
    by_name: dict[str, str] = {}
    for path in present:
        by_name.setdefault(path.rsplit("/", 1)[-1], path)
    here = set(present)
    found = {}
    for file in manifest.files:
        name = file.path.rsplit("/", 1)[-1]
        if file.path in here:
            found[file.path] = folder / file.path
        elif name in by_name:
            found[file.path] = folder / by_name[name]
    return found


def is_download(folder: Path, manifest: Manifest) -> bool:
    """Whether a folder holds a download: an archive of it, or another file of it in full size.

    A file of the same name and another size is not enough: others give their own data the layout
    of the original.
    """
    sizes = {file.path: file.size_bytes for file in manifest.files}
    return any(
        path.suffix in {".zip", ".7z"} or ".7z." in path.name or path.stat().st_size == sizes[name]
        for name, path in find_download(folder, manifest).items()
    )


def check_download(
    folder: Path,
    manifest: Manifest,
    *,
    quick: bool = False,
    advance: Callable[[], None] | None = None,
) -> DownloadCheck:
    """Compare sizes and digests of a folder's files with a manifest.

    Parameters
    ----------
    folder : Path
        The download.
    manifest : Manifest
        What it should be.
    quick : bool
        Compare sizes only.
    advance : callable | None
        Called after each of the manifest's files.

    Raises
    ------
    OSError
        A file cannot be read.
    """
    found = find_download(folder, manifest)
    good: list[str] = []
    wrong: dict[str, str] = {}
    for file in manifest.files:
        if file.path in found:
            problem = _problem(found[file.path], file, quick=quick)
            if problem:
                wrong[file.path] = problem
            else:
                good.append(file.path)
        if advance is not None:
            advance()
    missing = tuple(file.path for file in manifest.files if file.path not in found)
    return DownloadCheck(tuple(good), missing, wrong)


def _problem(path: Path, expected: ManifestFile, *, quick: bool) -> str:
    size_bytes = path.stat().st_size
    if size_bytes != expected.size_bytes:
        short = " (cut short)" if size_bytes < expected.size_bytes else ""
        return f"{path}: {size_bytes:,} bytes, expected {expected.size_bytes:,}{short}"
    if quick:
        return ""
    algorithm = "md5" if expected.sha256 is None else "sha256"
    digest = expected.md5 if expected.sha256 is None else expected.sha256
    got = file_digest(path, algorithm=algorithm)
    return "" if got == digest else f"{path}: {algorithm} {got}, expected {digest}"

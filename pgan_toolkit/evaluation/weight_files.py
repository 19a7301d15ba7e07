"""Public weight files: where they are looked for, and whether they are what they should be.

In this order: the file that the user names; the folder in the environment variable
PGAN_TOOLKIT_WEIGHTS; the cache folder of weights (`pgan_toolkit.caches`); a download into it. A
public file is taken only with its published SHA-256 digest. A file that the user names may be
another one, of weights of his own: it must have exactly the tensors of the network, and its digest
goes into the results.
"""

import importlib.resources
import io
import json
import os
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from pgan_toolkit.caches import CACHE_VARIABLE, cache_folder
from pgan_toolkit.digests import bytes_digest
from pgan_toolkit.errors import DataError, SetupError, UsageError
from pgan_toolkit.evaluation.downloads import Download, fetch
from pgan_toolkit.homes import expanded
from pgan_toolkit.progress import ProgressMode
from pgan_toolkit.runs.pickled import is_plain, load_pickled
from pgan_toolkit.storage import read_file
from pgan_toolkit.wording import counted

__all__ = [
    "WEIGHTS_VARIABLE",
    "PublicFile",
    "StoredTensors",
    "find_weights",
    "public_file",
    "read_tensors",
    "require_tensors",
]

WEIGHTS_VARIABLE = "PGAN_TOOLKIT_WEIGHTS"
_MANIFEST = "extractors.json"
_FORMAT = ("pgan-toolkit extractors", 1)
_NAMED_IN_MESSAGES = 4
_DAMAGED = (
    SafetensorError,
    pickle.UnpicklingError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What torch and safetensors raise of a file that is cut, altered, or none of theirs."""


class _OtherContentsError(Exception):
    """A sound file that holds something else than tensors; the message says what."""


@dataclass(frozen=True)
class PublicFile:
    """A weight file that others publish.

    Attributes
    ----------
    name : str
        Its file name.
    size_bytes : int
        Its size.
    sha256 : str
        Its digest, or the first digits of it, 8 or more.
    url : str
        Where it is downloaded.
    """

    name: str
    size_bytes: int
    sha256: str
    url: str

    def is_it(self, digest: str) -> bool:
        """Whether a file of that SHA-256 digest is this one."""
        return digest.startswith(self.sha256)


@dataclass(frozen=True)
class StoredTensors:
    """The contents of a weight file.

    Attributes
    ----------
    path : Path
        Where it was read.
    sha256 : str
        Digest of the bytes that were read.
    tensors : Mapping of str to Tensor
        As stored, on the CPU.
    """

    path: Path
    sha256: str
    tensors: Mapping[str, Tensor]


def public_file(extractor: str) -> PublicFile:
    """Return the public weight file of an extractor: "inception-2015-12-05" or "vgg16".

    Raises
    ------
    DataError
        The installed manifest is damaged, or has no such extractor.
    """
    text = (importlib.resources.files("pgan_data_manifests") / _MANIFEST).read_text("utf-8")
    try:
        manifest = json.loads(text)
        if (manifest["format"], manifest["version"]) != _FORMAT:
            raise ValueError(f"format {manifest['format']!r}, version {manifest['version']!r}")
        entry = {entry["name"]: entry for entry in manifest["extractors"]}[extractor]
        file = entry["file"]
        return PublicFile(file["name"], file["bytes"], file["sha256"], entry["url"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{_MANIFEST}: nothing usable about {extractor!r} ({error!r}); the installation is "
            "damaged: install pgan-toolkit again"
        ) from error


def find_weights(
    file: PublicFile,
    *,
    weights: Path | None = None,
    download: bool = True,
    progress: ProgressMode = "auto",
) -> Path:
    """Return where a weight file is, after a download where it is nowhere.

    Parameters
    ----------
    file : PublicFile
        The public file.
    weights : Path | None
        The file that the user named, which goes before all others.
    download : bool
        Whether it may be downloaded.
    progress : {"auto", "quiet"}
        How the download is shown.

    Raises
    ------
    UsageError
        The file that the user named does not exist.
    SetupError
        There is none, and none can be downloaded. The message names the places.
    DataError
        What was downloaded is another file.
    """
    if weights is not None:
        if not weights.exists():
            raise UsageError(
                f"--weights {weights}: no such file; leave it out and the public one is used, or "
                f"{_remedy(file)}"
            )
        return weights
    cache = cache_folder("weights")
    remedy = _remedy(file)
    for folder in (*_named_folders(), cache):
        try:
            if (folder / file.name).exists():
                return folder / file.name
        except OSError as error:  # a home of somebody else, say
            remedy = (
                f"{folder} cannot be looked into ({error.strerror or error}): name another folder "
                f"by {CACHE_VARIABLE}, or {remedy}"
            )
    if not download:
        raise SetupError(f"{file.name}: not found, and downloads are off; {remedy}")
    wanted = Download(file.url, cache / file.name, file.size_bytes, file.sha256)
    return fetch(wanted, remedy=remedy, progress=progress)


def read_tensors(path: Path, *, expected: PublicFile, own: bool) -> StoredTensors:
    """Read a weight file, whole and once: .safetensors, or what torch.save wrote.

    Nothing in the file is executed.

    Parameters
    ----------
    path : Path
        The file.
    expected : PublicFile
        What it should be.
    own : bool
        Whether it may be another file, of the user's own weights.

    Raises
    ------
    DataError
        It cannot be read, is no weight file, or is not the public one though it should be. The
        message has the digest that was found and the one expected.
    """
    data = read_file(path)
    digest = bytes_digest(data)
    found = f"SHA-256 {digest}, {counted(len(data), 'byte')}; expected {_described(expected)}"
    if not own and not expected.is_it(digest):
        raise DataError(f"{path}: {found}; remove it, and it is downloaded again")
    try:
        tensors = load_safetensors(data) if path.suffix == ".safetensors" else _unpickled(data)
    except _OtherContentsError as error:
        raise DataError(
            f"{path}: holds {error}; expected tensors by name: {found}: get that one from "
            f"{expected.url}"
        ) from error
    except _DAMAGED as error:  # whose own words are torch's, on how it reads files
        raise DataError(
            f"{path}: damaged, or not a weight file: {found}: get it again from {expected.url}"
        ) from error
    return StoredTensors(path, digest, tensors)


def require_tensors(
    stored: StoredTensors, shapes: Mapping[str, torch.Size], *, unused: tuple[str, ...] = ()
) -> dict[str, Tensor]:
    """Return the tensors of a network in float32, or refuse the file.

    Parameters
    ----------
    stored : StoredTensors
        What was read.
    shapes : Mapping of str to torch.Size
        Every tensor that the network needs.
    unused : tuple of str
        Starts or ends of names that a file may have besides.

    Raises
    ------
    DataError
        Tensors are missing, too many, of another shape, whole numbers, or not finite.
    """
    extra = [
        name
        for name in stored.tensors
        if name not in shapes and not name.startswith(unused) and not name.endswith(unused)
    ]
    wrong = [
        f"{name}: {_shown(stored.tensors.get(name))}, expected {tuple(shape)}"
        for name, shape in shapes.items()
        if not _fits(stored.tensors.get(name), shape)
    ]
    problems = wrong + [f"{name}: not a tensor of this network" for name in extra]
    if problems:
        more = len(problems) - _NAMED_IN_MESSAGES
        listed = "; ".join(problems[:_NAMED_IN_MESSAGES]) + (f"; {more} more" if more > 0 else "")
        raise DataError(
            f"{stored.path}: SHA-256 {stored.sha256}: holds the tensors of another network: "
            f"{listed}; give a file of this one, or leave --weights out"
        )
    return {name: _finite(stored, name) for name in shapes}


def _named_folders() -> list[Path]:
    """The folder of the environment variable, if any. Raises SetupError where it is none."""
    name = os.environ.get(WEIGHTS_VARIABLE)
    if not name:
        return []
    folder = expanded(name)
    try:
        is_folder = folder.is_dir()
    except OSError as error:
        raise SetupError(
            f"{WEIGHTS_VARIABLE}={name}: cannot be looked into ({error.strerror or error}); name "
            "one that can be"
        ) from error
    if not is_folder:
        raise SetupError(f"{WEIGHTS_VARIABLE}={name}: not a folder; name one that holds the files")
    return [folder]


def _remedy(file: PublicFile) -> str:
    cache = cache_folder("weights")
    return (
        f"get {_described(file)} from {file.url} and put it into {cache} or a folder that "
        f"{WEIGHTS_VARIABLE} names, or give it by --weights"
    )


def _described(file: PublicFile) -> str:
    whole = len(file.sha256) == len(bytes_digest(b""))
    digest = file.sha256 if whole else f"that begins with {file.sha256}"
    return f"{file.name} (SHA-256 {digest}, {file.size_bytes:,} bytes)"


def _unpickled(data: bytes) -> Mapping[str, Tensor]:
    try:
        content = load_pickled(data)
    except pickle.UnpicklingError as error:
        if zipfile.is_zipfile(io.BytesIO(data)):  # what cannot be read is inside a sound archive
            raise _OtherContentsError("Python objects, which are not loaded") from error
        raise
    except MemoryError:
        raise
    except Exception as error:  # damaged bytes make torch fail in many ways
        raise ValueError(f"torch cannot load it ({error!r:.200})") from error
    if not isinstance(content, Mapping):
        raise _OtherContentsError(f"one {type(content).__name__}")
    if not all(isinstance(name, str) and is_plain(x) for name, x in content.items()):
        raise _OtherContentsError("more than tensors")
    return content


def _fits(tensor: Tensor | None, shape: torch.Size) -> bool:
    return tensor is not None and tensor.shape == shape and tensor.is_floating_point()


def _shown(tensor: Tensor | None) -> str:
    if tensor is None:
        return "missing"
    kind = "" if tensor.is_floating_point() else f" of {tensor.dtype}"
    return f"{tuple(tensor.shape)}{kind}"


def _finite(stored: StoredTensors, name: str) -> Tensor:
    tensor = stored.tensors[name].float()
    if not bool(tensor.isfinite().all()):
        raise DataError(
            f"{stored.path}: SHA-256 {stored.sha256}: the tensor {name} has values that are "
            "infinite or no numbers; get the weights again"
        )
    return tensor

"""What this machine has: packages, decoders, devices, extras, and a folder to write to.

Packages are asked for by name, one by one, because a report on what is missing must not need it.
Nothing here raises for a missing or broken package: it becomes a `Fact`.
"""

import contextlib
import fcntl
import importlib
import importlib.metadata
import os
import platform
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal

from pgan_toolkit import __version__

__all__ = [
    "Fact",
    "State",
    "decoder_facts",
    "device_facts",
    "extra_facts",
    "folder_facts",
    "package_facts",
    "usable_cores",
]

State = Literal["ok", "missing", "broken", "note"]

_DISTRIBUTION = "pgan-toolkit"
_ESSENTIAL = {
    "numpy": "numpy",
    "scipy": "scipy",
    "pillow": "PIL.Image",
    "opencv-python-headless": "cv2",
    "scikit-image": "skimage",
    "h5py": "h5py",
    "threadpoolctl": "threadpoolctl",
    "torch": "torch",
    "safetensors": "safetensors",
    "click": "click",
    "fsspec": "fsspec",
    "tqdm": "tqdm",
    "jaxtyping": "jaxtyping",
}
_FOR_DETECTION = {"dlib-bin": "dlib"}
_FOR_DEVELOPERS = ("dev", "docs")
_DECODERS = {"JPEG": "jpg", "PNG": "zlib", "WebP": "webp", "TIFF": "libtiff", "AVIF": "avif"}
_ESSENTIAL_DECODERS = ("JPEG", "PNG")
_GIB = 1 << 30
_LITTLE_ROOM_GIB = 5.0
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Fact:
    """One line of the report.

    Attributes
    ----------
    group, name : str
        What it is about.
    state : {"ok", "missing", "broken", "note"}
        "note": it works, but something should be known.
    detail : str
        A version, a size, or what is wrong.
    remedy : str
        What to do about it; empty if there is nothing to do.
    essential : bool
        Nothing works without it.
    """

    group: str
    name: str
    state: State
    detail: str
    remedy: str = ""
    essential: bool = False


def package_facts() -> list[Fact]:
    """Versions of Python, the toolkit and each package; each is imported, to know that it works."""
    python = f"{platform.python_version()} ({platform.platform(terse=True)})"
    facts = [
        Fact("packages", "python", "ok", python, essential=True),
        Fact("packages", _DISTRIBUTION, "ok", __version__, essential=True),
    ]
    facts += [_package(name, module, essential=True) for name, module in _ESSENTIAL.items()]
    facts += [_package(name, module, essential=False) for name, module in _FOR_DETECTION.items()]
    return facts


def decoder_facts() -> list[Fact]:
    """Which pictures Pillow can decode, and by which libraries."""
    try:
        features = importlib.import_module("PIL.features")
    except ImportError as error:
        return [Fact("decoders", "Pillow", "missing", str(error), _pip("pillow"), essential=True)]
    return [_decoder(features, name, feature) for name, feature in _DECODERS.items()]


def device_facts() -> list[Fact]:
    """CPU cores and memory that this process may use, and CUDA devices or why there are none."""
    cores, total = usable_cores(), os.cpu_count()
    facts = [
        Fact("devices", "CPU", "ok", f"{cores:g} of {total} cores usable"),
        Fact("devices", "memory", "ok", _memory()),
    ]
    try:
        torch = importlib.import_module("torch")
        return facts + _cuda_facts(torch)
    except Exception as error:  # noqa: BLE001 - a broken torch or driver raises anything
        return [*facts, Fact("devices", "CUDA", "note", f"none: torch fails ({error})")]


def extra_facts() -> list[Fact]:
    """The toolkit's optional extras: which packages of each are missing, and how to get them."""
    try:
        metadata = importlib.metadata.metadata(_DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        remedy = "pip install . in the toolkit's folder"
        return [Fact("extras", _DISTRIBUTION, "missing", "not installed as a package", remedy)]
    extras = metadata.get_all("Provides-Extra") or []
    return [_extra(extra) for extra in extras if extra not in _FOR_DEVELOPERS]


def folder_facts(folder: Path) -> list[Fact]:
    """Room in a folder, and whether it can be written to and locked, as a build must.

    Parameters
    ----------
    folder : Path
        An existing folder. A scratch folder is made in it and removed.
    """
    free_gib = shutil.disk_usage(folder).free / _GIB
    scarce = free_gib < _LITTLE_ROOM_GIB
    room = Fact(
        "folder",
        "free space",
        "note" if scarce else "ok",
        f"{free_gib:.1f} GiB in {folder.resolve()}",
        "30,000 pictures of 1024x1024 take about 30 GiB as PNG" if scarce else "",
    )
    return [room, _locking(folder)]


def usable_cores() -> float:
    """Cores that the scheduler and the container's quota (cgroup 2) leave to this process."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = float(len(affinity(0)) if affinity else os.cpu_count() or 1)
    with contextlib.suppress(OSError, ValueError):
        quota, period = (_CGROUP / "cpu.max").read_text().split()
        cores = min(cores, int(quota) / int(period))
    return cores


def _package(name: str, module: str, *, essential: bool) -> Fact:
    try:
        imported = importlib.import_module(module)
    except ModuleNotFoundError as error:
        return Fact("packages", name, "missing", str(error), _pip(name), essential)
    except Exception as error:  # noqa: BLE001 - a broken installation raises anything
        what = f"cannot be imported: {type(error).__name__}: {error}"
        return Fact("packages", name, "broken", what, f"{_pip(name)} --force-reinstall", essential)
    return Fact("packages", name, "ok", _version_of(name, imported), "", essential)


def _version_of(name: str, module: ModuleType) -> str:
    # Another distribution may provide the same module: dlib for dlib-bin, opencv-python for cv2.
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(name)
    return str(getattr(module, "__version__", "unknown version"))


def _pip(name: str) -> str:
    """Return the command that installs a package, in the version that the toolkit asks for."""
    wanted = next((r for r in _requirements() if _name_of(r) == name), name)
    return f'pip install "{wanted.partition(";")[0].strip()}"'


def _requirements() -> list[str]:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.requires(_DISTRIBUTION) or []
    return []


def _name_of(requirement: str) -> str:
    name = re.match(r"[\w.-]+", requirement)
    return name.group().lower() if name else requirement


def _extra(extra: str) -> Fact:
    marked = re.compile(rf"""extra\s*==\s*["']{re.escape(extra)}["']""")
    names = [_name_of(text) for text in _requirements() if marked.search(text)]
    versions = {name: _installed_version(name) for name in names}
    missing = [name for name, version in versions.items() if version is None]
    if missing:
        remedy = "; ".join(_pip(name) for name in missing)
        return Fact("extras", extra, "missing", ", ".join(missing), remedy)
    return Fact("extras", extra, "ok", ", ".join(f"{n} {v}" for n, v in versions.items()))


def _installed_version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _decoder(features: ModuleType, name: str, feature: str) -> Fact:
    essential = name in _ESSENTIAL_DECODERS
    if not features.check(feature):
        # A Pillow that is old enough, or was built without the library: the wheels have them all.
        remedy = f"{_pip('pillow')} --upgrade --force-reinstall --only-binary pillow"
        return Fact("decoders", name, "missing", "not in this Pillow", remedy, essential)
    version = features.version(feature) or ""
    if name == "JPEG" and features.check("libjpeg_turbo"):
        version = f"libjpeg-turbo {features.version('libjpeg_turbo')}"
    elif name == "PNG":
        version = f"zlib {version}"
    return Fact("decoders", name, "ok", version, essential=essential)


def _memory() -> str:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):
        total = min(total, int((_CGROUP / "memory.max").read_text()))
    return f"{total / _GIB:.1f} GiB"


def _cuda_facts(torch: ModuleType) -> list[Fact]:
    if torch.cuda.is_available():
        devices = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
        return [
            Fact("devices", f"cuda:{i}", "ok", f"{d.name}, {d.total_memory / _GIB:.1f} GiB")
            for i, d in enumerate(devices)
        ]
    if torch.version.cuda is None:
        why = f"torch {torch.__version__} is built without CUDA"
        remedy = "with an NVIDIA GPU, install a build of torch for CUDA"
    else:
        why = f"torch is built for CUDA {torch.version.cuda}, but no device or driver answers"
        remedy = "with an NVIDIA GPU, look at what nvidia-smi prints"
    return [Fact("devices", "CUDA", "note", f"none: {why}", remedy)]


def _locking(folder: Path) -> Fact:
    """Try the two locks that a build takes: on a file, and SQLite's on the ledger."""
    remedy = "choose an output folder on a local disk"
    try:
        with _scratch(folder) as scratch:
            works = _file_lock_excludes(scratch / "lock") and _ledger_lock_excludes(scratch / "db")
    except (OSError, sqlite3.Error) as error:
        what = f"files cannot be written or locked in {folder.resolve()}: {error}"
        return Fact("folder", "file locking", "broken", what, remedy)
    if not works:
        what = "a second process gets a lock that is taken"
        return Fact("folder", "file locking", "broken", what, remedy)
    return Fact("folder", "file locking", "ok", "works")


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=".pgan-doctor-", dir=folder) as name:
        yield Path(name)


def _file_lock_excludes(path: Path) -> bool:
    with path.open("w") as first, path.open("w") as second:
        fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _ledger_lock_excludes(path: Path) -> bool:
    with (
        contextlib.closing(sqlite3.connect(path, timeout=0.0, isolation_level=None)) as first,
        contextlib.closing(sqlite3.connect(path, timeout=0.0, isolation_level=None)) as second,
    ):
        first.execute("BEGIN EXCLUSIVE")
        try:
            second.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            return "locked" in str(error)
    return False

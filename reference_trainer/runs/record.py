"""The beginning of a run and of its record, and each time that it goes on."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.storage import atomic_write_bytes
from reference_trainer.configuration import RunSettings, settings_toml
from reference_trainer.runs.directory import FORMAT, README, VERSION, RunFolder, read_record
from reference_trainer.runs.provenance import made_with

__all__ = ["DataFacts", "begin_run", "check_new", "data_facts_of", "note_resume", "read_data_facts"]

_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class DataFacts:
    """What the reals of a run are.

    Attributes
    ----------
    path : str
        Where they were, absolute. They may be moved: the digest tells that they are the same.
    pictures : int
        How many.
    label_count : int
        Labels that the networks are given; 0: none.
    label_counts : tuple of int
        Pictures of each label, as often as which fakes have it; empty where there are no labels.
    digest : str
        SHA-256 that tells them from others, `pgan_toolkit.runs.pictures_digest`.
    """

    path: str
    pictures: int
    label_count: int
    digest: str
    label_counts: tuple[int, ...] = ()


def check_new(folder: RunFolder) -> None:
    """Refuse a folder that a new run cannot be begun in.

    Raises
    ------
    UsageError
        It holds a run, or anything else, or is a file.
    """
    path = folder.path
    if not path.exists():
        return
    if not path.is_dir():
        raise UsageError(f"{path}: is a file; name a folder, or what shall become one")
    if folder.record.is_file():
        raise UsageError(
            f"{path}: holds a run; go on with it (--resume {path}), or name another --out"
        )
    begun = {folder.lock.name, *_written_first(folder)}  # by a run that was killed at once
    others = sorted(
        entry.name for entry in path.iterdir() if entry.name not in begun and not _is_partial(entry)
    )
    if others:
        more = f" and {len(others) - _SHOWN:,} more" if len(others) > _SHOWN else ""
        raise UsageError(
            f"{path}: is not empty ({', '.join(others[:_SHOWN])}{more}); name an empty folder, or "
            "one that there is not yet"
        )


def begin_run(
    folder: RunFolder,
    settings: RunSettings,
    *,
    data: DataFacts,
    device: torch.device,
    world_size: int = 1,
) -> None:
    """Write what a run begins with. The folder must be held (`RunFolder.held`).

    Raises
    ------
    UsageError
        The folder holds something, see `check_new`.
    OSError
        The disk is full, or the folder cannot be written to.
    """
    check_new(folder)
    begun = made_with(device=device, world_size=world_size)  # it takes a while
    atomic_write_bytes(folder.readme, README.encode())
    atomic_write_bytes(folder.settings, settings_toml(settings).encode())
    record = {
        "format": FORMAT,
        "version": VERSION,
        "preset": settings.preset,
        "data": asdict(data),
        "begun": begun,
        "resumed": [],
    }
    _write(folder, record)  # last: it makes the folder a run


def note_resume(
    folder: RunFolder,
    settings: RunSettings,
    *,
    data: DataFacts,
    device: torch.device,
    world_size: int = 1,
    kimg: float,
) -> None:
    """Write that a run goes on, with which settings, and where its data are now.

    Raises
    ------
    DataError
        There is no run in the folder.
    OSError
        The disk is full, or the folder cannot be written to.
    """
    record = read_record(folder)
    before = record.get("resumed")
    resumed = before if isinstance(before, list) else []
    entry = {"kimg": kimg, **made_with(device=device, world_size=world_size)}
    atomic_write_bytes(folder.settings, settings_toml(settings).encode())
    _write(folder, {**record, "data": asdict(data), "resumed": [*resumed, entry]})


def read_data_facts(folder: RunFolder) -> DataFacts:
    """Return what the reals of a run are.

    Raises
    ------
    DataError
        There is no run in the folder, or its record is damaged.
    """
    return data_facts_of(read_record(folder).get("data"), where=folder.record)


def data_facts_of(found: object, *, where: Path) -> DataFacts:
    """Return facts from JSON; a DataError where they are not whole."""
    expected = {field.name: field.type for field in fields(DataFacts)}
    del expected["label_counts"]  # which JSON has as a list, and older files do not have
    if not isinstance(found, dict) or any(
        type(found.get(name)) is not kind for name, kind in expected.items()
    ):
        raise DataError(f"{where}: says nothing whole of its data; restore it from a backup")
    counts = found.get("label_counts", ())
    if not _are_counts(counts, found["label_count"]):
        raise DataError(f"{where}: label_counts do not fit label_count; restore it from a backup")
    return DataFacts(**{name: found[name] for name in expected}, label_counts=tuple(counts))


def _are_counts(found: object, labels: int) -> bool:
    return (
        isinstance(found, list | tuple)
        and len(found) in (0, labels)
        and all(type(count) is int and count >= 0 for count in found)
    )


def _write(folder: RunFolder, record: dict[str, object]) -> None:
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    atomic_write_bytes(folder.record, text.encode())


def _written_first(folder: RunFolder) -> set[str]:
    """What a run writes before its record, where that is what there is."""
    try:
        ours = folder.readme.read_text(encoding="utf-8", errors="replace") == README
    except OSError:
        return set()
    return {folder.readme.name, folder.settings.name} if ours else set()


def _is_partial(entry: Path) -> bool:
    return entry.name.startswith(".") and entry.suffix == ".partial"

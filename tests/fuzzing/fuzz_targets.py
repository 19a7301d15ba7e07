"""The readers that are fuzzed, each a function of a file's path, with the seeds to begin with."""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import fuzz_seeds as seeds
import torch

from pgan_toolkit.celebahq import Ledger, read_landmarks
from pgan_toolkit.evaluation.comparing.report_json import read_report
from pgan_toolkit.evaluation.comparing.settings_file import read_settings_file
from pgan_toolkit.evaluation.statistics_files import read_statistics
from pgan_toolkit.evaluation.weight_files import PublicFile, read_tensors, require_tensors
from pgan_toolkit.imaging import decode_image, image_size
from pgan_toolkit.recipes.cifar_batches import read_python_batch
from pgan_toolkit.runs import load_checkpoint
from pgan_toolkit.storage import open_source
from pgan_toolkit.storage.crc32c import masked_crc32c
from pgan_toolkit.storage.idx import read_idx
from pgan_toolkit.storage.inspection import inspect
from pgan_toolkit.storage.labels import parse_labels
from pgan_toolkit.storage.manifests import load_manifest
from pgan_toolkit.storage.verification import check_pictures
from reference_trainer.configuration import read_settings
from reference_trainer.runs import RunFolder, is_run, load_generator, read_data_facts

__all__ = ["TARGETS", "Target"]


@dataclass(frozen=True)
class Target:
    """A reader that is given any bytes.

    Attributes
    ----------
    read : callable
        Reads the file at a path.
    seeds : callable
        Makes valid files' bytes, in a folder that it may use.
    suffix : str
        What the file is called after the dot.
    framed : callable
        What is made of the bytes before they are written: checksums, say.
    """

    read: Callable[[Path], object]
    seeds: seeds.Seeds
    suffix: str
    framed: Callable[[bytes], bytes] = bytes


def _read_set(path: Path) -> None:
    """As `data inspect` and `data verify` do."""
    source = open_source(path)
    inspect(source)
    check_pictures(source)
    source.labels()


def _read_picture(path: Path) -> None:
    data = path.read_bytes()
    image_size(data, name=str(path))
    decode_image(data, name=str(path))


def _read_ledger(path: Path) -> None:
    with Ledger(path) as ledger:
        list(ledger.rows())
        list(ledger.judged())
        ledger.verdicts()
        ledger.scored_photographs()


def _read_tensors(path: Path) -> None:
    file = PublicFile("own", 1, "0" * 64, "https://example.org")
    stored = read_tensors(path, expected=file, own=True)
    require_tensors(stored, {name: tensor.shape for name, tensor in stored.tensors.items()})


def _read_checkpoint(path: Path) -> None:
    load_checkpoint(path, {"net": torch.nn.Linear(3, 2)}, kind=seeds.CHECKPOINT)


def _read_run_checkpoint(path: Path) -> None:
    load_generator(path)


def _read_run_record(path: Path) -> None:
    record = path.with_name("run.json")
    path.replace(record)
    is_run(path.parent)
    read_data_facts(RunFolder(path.parent))


def _read_training(path: Path) -> None:
    read_settings(path)


def _as_records(data: bytes) -> bytes:
    """Take pieces between marks for records, with lengths and checksums that are right."""
    framed = b""
    for piece in data.split(b"\0RECORD\0"):
        length = struct.pack("<Q", len(piece))
        framed += length + struct.pack("<I", masked_crc32c(length))
        framed += piece + struct.pack("<I", masked_crc32c(piece))
    return framed


def _examples(folder: Path) -> list[bytes]:
    """The Examples of a TFRecord file without their frames."""
    (data,) = seeds.of_format("tfrecord", file="set-r03.tfrecords")(folder)
    pieces = []
    while data:
        size = struct.unpack("<Q", data[:8])[0]
        pieces.append(data[12 : 12 + size])
        data = data[16 + size :]
    return [b"\0RECORD\0".join(pieces)]


TARGETS: Mapping[str, Target] = {
    "baseline": Target(read_report, seeds.reports, "json"),
    "checkpoint": Target(_read_checkpoint, seeds.checkpoints, "safetensors"),
    "cifar": Target(
        lambda path: read_python_batch(path.read_bytes(), name=str(path)),
        seeds.cifar_batches,
        "pickle",
    ),
    "hdf5": Target(_read_set, seeds.hdf5s, "h5"),
    "idx": Target(lambda path: read_idx(path, ndim=3), seeds.idx_files, "idx"),
    "labels": Target(
        lambda path: parse_labels(path.read_bytes(), name=str(path)), seeds.labels, "json"
    ),
    "landmarks": Target(read_landmarks, seeds.landmarks, "txt"),
    "landmarks-csv": Target(read_landmarks, seeds.landmarks_csv, "csv"),
    "landmarks-json": Target(read_landmarks, seeds.landmarks_json, "json"),
    "ledger": Target(_read_ledger, seeds.ledgers, "sqlite"),
    "lmdb": Target(_read_set, seeds.of_format("lmdb", file="data.mdb"), "mdb"),
    "manifest": Target(load_manifest, seeds.manifests, "json"),
    "npy": Target(_read_set, seeds.npys, "npy"),
    "npz": Target(_read_set, seeds.npzs, "npz"),
    "picture": Target(_read_picture, seeds.pictures, "png"),
    "run-checkpoint": Target(_read_run_checkpoint, seeds.run_checkpoints, "safetensors"),
    "run-record": Target(_read_run_record, seeds.run_records, "json"),
    "settings": Target(read_settings_file, seeds.settings, "toml"),
    "statistics": Target(read_statistics, seeds.statistics, "npz"),
    "tar": Target(_read_set, seeds.tars, "tar"),
    "tensors": Target(_read_tensors, seeds.tensors, "safetensors"),
    "tensors-pickle": Target(_read_tensors, seeds.pickled_tensors, "pth"),
    "tfrecord": Target(
        _read_set, seeds.of_format("tfrecord", file="set-r03.tfrecords"), "tfrecords"
    ),
    "tfrecord-examples": Target(_read_set, _examples, "tfrecords", framed=_as_records),
    "training-settings": Target(_read_training, seeds.trainings, "toml"),
    "zip": Target(_read_set, seeds.zips, "zip"),
}

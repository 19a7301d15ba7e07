"""Small valid files of every kind that is read, from which the fuzzed ones are made."""

import gzip
import io
import json
import pickle
import sqlite3
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import h5py
import numpy as np
import PIL.Image
import torch
from safetensors.torch import save

from pgan_toolkit.celebahq import Ledger, Row
from pgan_toolkit.celebahq.landmarks import format_landmarks
from pgan_toolkit.imaging import encode_jpeg, encode_png
from pgan_toolkit.runs import CheckpointKind, save_checkpoint
from pgan_toolkit.storage import FormatName, Record, open_sink
from reference_trainer.configuration import (
    DataSettings,
    GeneratorSettings,
    RunSettings,
    ScheduleSettings,
    settings_toml,
)

__all__ = ["CHECKPOINT", "Seeds", "of_format"]

Seeds = Callable[[Path], list[bytes]]
CHECKPOINT = CheckpointKind("pgan-toolkit fuzzed checkpoint", 1)


def _records(size: int = 8) -> list[Record]:
    random = np.random.default_rng(0)
    return [
        Record(f"a/{number:02d}", random.integers(0, 256, (size, size, 3), np.uint8), number % 2)
        for number in range(3)
    ]


def of_format(name: FormatName, *, file: str = "") -> Seeds:
    """Seeds that one of the sinks writes; `file` names the one of a folder."""

    def seeds(folder: Path) -> list[bytes]:
        path = Path(tempfile.mkdtemp(dir=folder)) / "set"
        with open_sink(path, format=name) as sink:
            for record in _records():
                sink.write(record)
        return [(path / file if file else path).read_bytes()]

    return seeds


def zips(folder: Path) -> list[bytes]:
    """As the sink writes them, and compressed."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b/1.png", encode_png(_records()[0].image))
        archive.writestr("dataset.json", json.dumps({"labels": [["b/1.png", 3]]}))
    return [*of_format("zip")(folder), out.getvalue()]


def tars(folder: Path) -> list[bytes]:
    """As the sink writes them, and with the older kinds of headers."""
    found = of_format("webdataset", file="000000.tar")(folder)
    for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=kind) as archive:
            for name, data in (
                (f"{'n' * 120}.png", encode_png(_records()[0].image)),
                ("é.cls", b"3"),
                ("é.json", b'{"label": 1}'),
            ):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        found.append(out.getvalue())
    return found


def hdf5s(folder: Path) -> list[bytes]:
    """Both layouts, with little between what matters; as other programs write them, too."""
    images = np.stack([record.image for record in _records()])
    found = []
    for layout, compression in (("hdf5", None), ("hdf5", "gzip"), ("hdf5-multires", None)):
        out = io.BytesIO()
        with h5py.File(out, "w") as file:
            file.attrs["format"], file.attrs["version"] = f"pgan-toolkit {layout}", 1
            if layout == "hdf5":
                file.create_dataset(
                    "images", data=images, chunks=(2, 8, 8, 3), compression=compression
                )
                file["keys"] = ["a", "b", "c"]
            else:
                file["data8x8"] = images.transpose(0, 3, 1, 2)
            file["labels"] = [0, 1, -1]
        found.append(out.getvalue())
    return found


def npys(folder: Path) -> list[bytes]:
    """An array of pictures."""
    out = io.BytesIO()
    np.save(out, np.stack([record.image for record in _records()]))
    return [out.getvalue()]


def npzs(folder: Path) -> list[bytes]:
    """As the sink writes them, and compressed."""
    out = io.BytesIO()
    images = np.stack([record.image for record in _records()])
    np.savez_compressed(out, images=images, labels=[0, 1, -1], keys=["a", "b", "c"])
    return [*of_format("numpy")(folder), out.getvalue()]


def statistics(folder: Path) -> list[bytes]:
    """As pytorch-fid writes them, and as this toolkit does."""
    found = []
    for more in ({}, {"n": 3, "extractor": "e", "convention": "c", "format": 1}):
        out = io.BytesIO()
        np.savez(out, mu=np.zeros(3), sigma=np.eye(3), **more)
        found.append(out.getvalue())
    return found


def pictures(folder: Path) -> list[bytes]:
    """A file of each format, and of the rarer modes."""
    image = _records(16)[0].image
    found = [encode_png(image), encode_jpeg(image, quality=80)]
    rgb = PIL.Image.fromarray(image)
    for kind in ("WEBP", "TIFF", "BMP", "PPM", "GIF", "AVIF"):
        out = io.BytesIO()
        rgb.save(out, kind)
        found.append(out.getvalue())
    for mode, kind in (
        ("P", "PNG"),
        ("LA", "PNG"),
        ("CMYK", "JPEG"),
        ("I;16", "PNG"),
        ("1", "TIFF"),
    ):
        out = io.BytesIO()
        rgb.convert("L" if mode == "I;16" else mode).convert(mode).save(out, kind)
        found.append(out.getvalue())
    return found


def landmarks(folder: Path) -> list[bytes]:
    """A table in CelebA's layout."""
    points = np.arange(10, dtype=np.float32).reshape(5, 2)
    return [format_landmarks({"000001.jpg": points, "000002.jpg": points + 1}).encode()]


def landmarks_csv(folder: Path) -> list[bytes]:
    """A table as CSV."""
    names = ",".join(f"{p}_{a}" for p in _POINTS for a in "xy")
    return [f"file,{names}\n000001.jpg,{','.join(map(str, range(10)))}\n".encode()]


def landmarks_json(folder: Path) -> list[bytes]:
    """A table as JSON."""
    return [json.dumps({"1.jpg": [[1, 2.5]] * 5, "2.jpg": [[0, -1]] * 5}).encode()]


_POINTS = ("lefteye", "righteye", "nose", "leftmouth", "rightmouth")


def manifests(folder: Path) -> list[bytes]:
    """A user's manifest."""
    place = {"name": "x", "url": "https://example.org"}
    file = {"path": "a/b.zip", "bytes": 3, "md5": "0" * 32}
    content = {"format": "pgan-toolkit manifest", "version": 1, "name": "n", "title": "t"}
    content |= {"kind": "download", "source": place, "licence": place, "counts": {"files": 1}}
    return [json.dumps({**content, "files": [file]}).encode()]


def labels(folder: Path) -> list[bytes]:
    """The label file of folders and zip files."""
    return [b'{"labels": [["a/1.png", 3], ["b.png", 0]]}', b'{"labels": null}']


def reports(folder: Path) -> list[bytes]:
    """A baseline; literally, so that a change of the form shows."""
    return [(Path(__file__).parent / "report.json").read_bytes()]


def settings(folder: Path) -> list[bytes]:
    """A settings file of an evaluation."""
    return [
        b'[evaluate]\nmetrics = ["swd"]\nimages = 64\nseed = 1\n[max]\nswd.avg = 12\n"fid" = 3.5\n'
        b'[min]\nmodes.count = 900\n[baseline]\nfile = "main.json"\ntolerance = "2se"\n'
    ]


def _run_settings() -> RunSettings:
    return RunSettings(
        preset="tiny",
        data=DataSettings(resolution=8),
        generator=GeneratorSettings(latent_size=8, g_map_base=32, g_map_most=8),
        schedule=ScheduleSettings(total_kimg=10, stable_kimg=1, fade_kimg=1),
    )


def trainings(folder: Path) -> list[bytes]:
    """Settings of a training run."""
    return [settings_toml(_run_settings()).encode()]


def run_records(folder: Path) -> list[bytes]:
    """What marks the folder of a run."""
    data = {"path": "/a", "pictures": 3, "label_count": 0, "digest": "ab"}
    content = {"format": "pgan-toolkit training run", "version": 1, "data": data}
    return [json.dumps({**content, "resumed": []}).encode()]


def checkpoints(folder: Path) -> list[bytes]:
    """A checkpoint of a small module."""
    path = Path(tempfile.mkdtemp(dir=folder)) / "c.safetensors"
    save_checkpoint(
        path, {"net": torch.nn.Linear(3, 2)}, kind=CHECKPOINT, state={"steps": 3, "a": [1, "b"]}
    )
    return [path.read_bytes()]


def run_checkpoints(folder: Path) -> list[bytes]:
    """A checkpoint of the trainer, as far as its description goes."""
    described = {
        "format": "pgan-toolkit training checkpoint",
        "version": 1,
        "settings": asdict(_run_settings()),
        "state": {"images_shown": 1000, "steps": 10},
        "data": {"path": "/a", "pictures": 3, "label_count": 0, "digest": "ab"},
    }
    tensors = {"generator_ema/a": torch.zeros(3)}
    return [save(tensors, metadata={"pgan-toolkit": json.dumps(described)})]


def tensors(folder: Path) -> list[bytes]:
    """Tensors by name."""
    return [save({"a.weight": torch.zeros(3, 4), "b": torch.ones(2, dtype=torch.float16)})]


def pickled_tensors(folder: Path) -> list[bytes]:
    """What torch.save writes of tensors, in its two forms."""
    found = []
    for zipped in (True, False):
        out = io.BytesIO()
        content = {"a": torch.zeros(3, 4), "b": torch.ones(2)}
        torch.save(content, out, _use_new_zipfile_serialization=zipped)
        found.append(out.getvalue())
    return found


def idx_files(folder: Path) -> list[bytes]:
    """MNIST's form, not compressed and compressed."""
    data = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 4]) + bytes(range(32))
    return [data, gzip.compress(data, mtime=0)]


def cifar_batches(folder: Path) -> list[bytes]:
    """A batch of CIFAR-10's Python version."""
    rows = np.zeros((2, 3072), np.uint8)
    return [pickle.dumps({"data": rows, "labels": [3, 4]}, protocol=2)]


def ledgers(folder: Path) -> list[bytes]:
    """A ledger of a build."""
    path = Path(tempfile.mkdtemp(dir=folder)) / "ledger.sqlite"
    with Ledger(path) as ledger:
        ledger.add([Row("a", "a", "a.jpg", "scored", score=1.5, landmarks=((1.0, 2.0),) * 5)])
        ledger.set_fact("settings", "{}")
    with sqlite3.connect(path) as connection:
        connection.execute("VACUUM")
    connection.close()
    return [path.read_bytes()]

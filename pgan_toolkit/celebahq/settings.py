"""What a build is asked to do, checked once and recorded beside its result."""

import csv
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from pgan_toolkit.celebahq.detection import find_predictor
from pgan_toolkit.celebahq.ledger import leads_outside
from pgan_toolkit.celebahq.photographs import LandmarkChoice, key_of
from pgan_toolkit.celebahq.pipelines import Pipeline, check_pipeline
from pgan_toolkit.celebahq.recipe import Profile
from pgan_toolkit.celebahq.selection import Wish
from pgan_toolkit.digests import bytes_digest, file_digest
from pgan_toolkit.engines import available_cores
from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.imaging import pixel_library_versions
from pgan_toolkit.restoration import PrecisionChoice, Restorer, open_restorer, resolve_choices
from pgan_toolkit.storage import (
    FORMATS,
    FormatName,
    Place,
    RemotePath,
    guess_format,
    locate,
)
from pgan_toolkit.storage.manifests import celeba_hq_list
from pgan_toolkit.storage.reading import MOST_TEXT_BYTES, read_file

__all__ = ["PAPER_COUNT", "BuildSettings", "FaceChoice", "SelectChoice"]

PAPER_COUNT = 30_000
"""Pictures in CelebA-HQ."""

FaceChoice = Literal["largest", "every"]
SelectChoice = Literal["ranked", "official", "all"] | Path | RemotePath
"""Best first, the published list, everything, or a file of keys."""

_KEY_HEADERS = ("key", "file", "name")
_SELECT_WORDS = ("ranked", "official", "all")
_LANDMARK_WORDS = ("annotations", "detect")
_RECIPE_VERSION = 2  # counted up when the same photograph would give other pixels or scores


@dataclass(frozen=True)
class BuildSettings:
    """The settings of one build.

    Attributes
    ----------
    src, out : Path | RemotePath
        The folder of photographs, and the dataset to make.
    profile : str
        "paper" or "official".
    select : "ranked", "official", "all" or a place
        What to keep.
    count : int | None
        How many at most; None: 30,000 where ranked, otherwise all.
    size : int
        Side of a picture, pixels: a multiple of 4, at least 64.
    format : str | None
        A format of `pgan_toolkit.storage`; None goes by the output's name.
    landmarks : "annotations", "detect" or a place
        Where landmarks come from.
    faces : "largest" or "every"
        Which detected faces to use.
    predictor : Path | None
        The 68-point predictor file for detection.
    restorer : str | None
        What restores photographs, as `open_restorer` reads it. None: the bundled nets, but for
        profile "official", which has Lanczos in their place.
    device : str
        Where it runs.
    precision : "auto", "float32" or "bfloat16"
        Of the nets.
    pipeline : "host" or "device"
        Where all else between decoding and encoding is computed: by NumPy and OpenCV, or in torch
        on `device`, which takes nets and profile "paper".
    workers : int | None
        Processes; None for one a core.
    max_failures : int | None
        Stop when more photographs than this have failed; None for no bound.
    """

    src: Place
    out: Place
    profile: str = "paper"
    select: SelectChoice = "ranked"
    count: int | None = None
    size: int = 1024
    format: FormatName | None = None
    landmarks: LandmarkChoice = "annotations"
    faces: FaceChoice = "largest"
    predictor: Path | None = None
    restorer: str | None = None
    device: str = "auto"
    precision: PrecisionChoice = "auto"
    pipeline: Pipeline = "host"
    workers: int | None = None
    max_failures: int | None = None

    def __post_init__(self) -> None:
        for name in ("src", "out"):
            object.__setattr__(self, name, locate(getattr(self, name)))
        if self.predictor is not None:
            object.__setattr__(self, "predictor", Path(self.predictor))
        object.__setattr__(self, "select", _word_or_file("--select", self.select, _SELECT_WORDS))
        landmarks = _word_or_file("--landmarks", self.landmarks, _LANDMARK_WORDS)
        object.__setattr__(self, "landmarks", landmarks)
        Profile.named(self.profile)
        _require(self.count is None or self.count >= 1, "--count", self.count, "1 or more")
        _require(
            self.size >= 64 and self.size % 4 == 0, "--size", self.size, "a multiple of 4 from 64"
        )
        _require(self.workers is None or self.workers >= 1, "--workers", self.workers, "1 or more")
        _require(
            self.max_failures is None or self.max_failures >= 0,
            "--max-failures",
            self.max_failures,
            "0 or more",
        )
        _require(self.faces in get_args(FaceChoice), "--faces", self.faces, "largest or every")
        detecting = self.landmarks == "detect"
        _require(self.pipeline in get_args(Pipeline), "--pipeline", self.pipeline, "host or device")
        only = "--landmarks detect beside it"
        _require(detecting or self.faces == "largest", "--faces", self.faces, only)
        _require(detecting or self.predictor is None, "--predictor", self.predictor, only)
        _require(self.output_format in FORMATS, "--format", self.format, ", ".join(FORMATS))
        multires = self.output_format == "hdf5-multires"
        _require(
            not multires or self.size & (self.size - 1) == 0,
            "--size",
            self.size,
            "a power of two for hdf5-multires",
        )

    @property
    def output_format(self) -> FormatName:
        """The format that is written."""
        return guess_format(self.out) if self.format is None else self.format

    @property
    def processes(self) -> int:
        """How many workers run."""
        return available_cores() if self.workers is None else self.workers

    @property
    def restorer_spec(self) -> str:
        """What restores, as `open_restorer` reads it."""
        if self.restorer is not None:
            return self.restorer
        return "lanczos" if self.profile == "official" else "nets"

    @property
    def limit(self) -> int | None:
        """How many pictures are kept at most."""
        return PAPER_COUNT if self.count is None and self.select == "ranked" else self.count

    def wish(self) -> Wish:
        """Return what to select. Reads the list of keys, where one was named."""
        if self.select in ("ranked", "all"):
            return Wish(count=self.limit)
        return Wish(count=self.limit, order=tuple(self._listed()[: self.limit]))

    def scoring_facts(self, table: Place | None) -> dict[str, object]:
        """What scores and crops depend on: a build goes on only with the same.

        Parameters
        ----------
        table : Path | RemotePath | None
            The landmark table that was found.
        """
        detecting = self.landmarks == "detect"
        return {
            "recipe": _RECIPE_VERSION,
            "src": str(self.src.resolve()),
            "profile": self.profile,
            "size": self.size,
            "restorer": self.open_restorer().identity,
            "pipeline": self.pipeline,
            "landmarks": "detect" if detecting else _digest_of(_known(table)),
            "faces": self.faces if detecting else "annotated",
            "predictor": file_digest(find_predictor(self.predictor)) if detecting else "none",
            "libraries": {**pixel_library_versions(), "NumPy": np.__version__},
        }

    def resolved(self) -> "BuildSettings":
        """Return the same with what device and precision "auto" mean here."""
        device, precision = resolve_choices(
            self.restorer_spec, device=self.device, precision=self.precision
        )
        check_pipeline(
            self.pipeline,
            profile=Profile.named(self.profile),
            restorer_spec=self.restorer_spec,
        )
        return replace(self, device=device, precision=precision)

    def open_restorer(self, *, threads: int | None = None) -> Restorer:
        """Make the restorer; what is wrong with it is found here."""
        return open_restorer(
            self.restorer_spec, device=self.device, threads=threads, precision=self.precision
        )

    def selection_facts(self) -> dict[str, object]:
        """What the output depends on besides scores and crops."""
        select = self.select
        named = select if isinstance(select, str) else _digest_of(select)
        return {"select": named, "count": self.limit, "format": self.output_format}

    def _listed(self) -> list[str]:
        if not isinstance(self.select, str):
            return _read_keys(self.select)
        return [key_of(pick.orig_file) for pick in celeba_hq_list()]


def _require(fine: bool, option: str, value: object, expected: str) -> None:
    if not fine:
        raise UsageError(f"{option} {value}: expected {expected}")


def _word_or_file(option: str, value: object, words: tuple[str, ...]) -> object:
    if value in words:
        return value
    path = locate(value if isinstance(value, (Path, RemotePath)) else str(value))
    _require(path.is_file(), option, value, f"{', '.join(words)}, or a file that exists")
    return path


def _digest_of(place: Place) -> str:
    return f"sha256:{bytes_digest(read_file(place))}"


def _known(table: Place | None) -> Place:
    if table is None:
        raise DataError("no landmark table was found; name one with --landmarks FILE")
    return table


def _read_keys(path: Place) -> list[str]:
    """Keys or file names: the first column; empty lines, # comments and a header are skipped."""
    try:
        text = read_file(path, most_bytes=MOST_TEXT_BYTES).decode("utf-8-sig")
        rows = list(csv.reader(text.splitlines()))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: the list of keys cannot be read ({error})") from error
    words = [
        (number, row[0].strip())
        for number, row in enumerate(rows, 1)
        if row and not row[0].startswith("#")
    ]
    if words and words[0][1] in _KEY_HEADERS:
        del words[0]
    keys: dict[str, None] = {}
    for number, word in words:
        key = key_of(word)
        if leads_outside(key):
            raise DataError(
                f"{path}, line {number}: {word!r:.200} leads out of the folder of pictures; name "
                "keys, or files as they lie below that folder"
            )
        if key:
            keys[key] = None
    if not keys:
        raise DataError(f"{path}: no keys; expected one key or file name a line")
    return list(keys)

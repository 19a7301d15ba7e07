"""What a worker does with one photograph: score its faces, or render one that was selected."""

import errno
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal

from pgan_toolkit.arrays import Image, Landmarks
from pgan_toolkit.celebahq.crops import CropFolder
from pgan_toolkit.celebahq.detection import FaceDetector
from pgan_toolkit.celebahq.geometry import crop_quad
from pgan_toolkit.celebahq.landmarks import check_landmarks
from pgan_toolkit.celebahq.ledger import Row
from pgan_toolkit.celebahq.photographs import Photograph
from pgan_toolkit.celebahq.pipelines import Pipeline, open_renderer
from pgan_toolkit.celebahq.recipe import Profile
from pgan_toolkit.celebahq.rendering import Rendered, timed
from pgan_toolkit.digests import pixel_digest
from pgan_toolkit.engines import is_transient
from pgan_toolkit.errors import DataError, SetupError
from pgan_toolkit.faults import is_fault_of_the_machine
from pgan_toolkit.imaging import decode_image, encode_png, limit_threads
from pgan_toolkit.restoration import PrecisionChoice, open_restorer
from pgan_toolkit.storage import Place, RemotePath, read_file
from pgan_toolkit.storage.reading import MOST_PICTURE_BYTES

__all__ = ["Render", "Worker", "WorkerSettings", "failed_row", "render_face", "score_photograph"]


@dataclass(frozen=True)
class WorkerSettings:
    """All that a worker needs to know; picklable.

    Attributes
    ----------
    source : Path | RemotePath
        The folder of photographs.
    profile, restorer, device, precision, pipeline : str
        Names.
    output_size : int
        Side of a crop, pixels.
    faces : "largest", "every" or None
        Which faces to detect; None to use the annotated landmarks.
    predictor : Path | None
        The 68-point predictor file for detection.
    restorer_identity : str
        What the restorer says of itself where the build was begun.
    crops : CropFolder
        Where crops are written.
    spools_all : bool
        Write every crop as it is scored: the selection will hardly leave one out.
    """

    source: Place
    profile: str
    restorer: str
    device: str
    precision: PrecisionChoice
    pipeline: Pipeline
    output_size: int
    faces: Literal["largest", "every"] | None
    predictor: Path | None
    restorer_identity: str
    crops: CropFolder
    spools_all: bool

    def opener(self) -> "Callable[[], Worker]":
        """Return a picklable function that makes a worker where the crops' place is seen."""
        return partial(_open_worker, self)


@dataclass(frozen=True)
class Render:
    """A face that was selected: its row, and where its photograph is."""

    row: Row
    path: Place


_LOST = {errno.ENOTCONN, errno.ENODEV, errno.EMFILE, errno.ENFILE, errno.ENOMEM}


class _Unusable(DataError):
    """A photograph that cannot be used, with a word for the summary.

    Made from its message alone when it is unpickled, as every exception is; the word follows.
    """

    def __init__(self, reason: str, *, category: str = "unreadable") -> None:
        super().__init__(reason)
        self.category = category


class Worker:
    """What a process prepares once: the renderer, and the detector where one is needed.

    Several threads may use it at once; they detect faces one after another.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        limit_threads(1)
        self.settings = settings
        profile = Profile.named(settings.profile)
        restorer = open_restorer(
            settings.restorer,
            device=settings.device,
            threads=1,
            precision=settings.precision,
        )
        if restorer.identity != settings.restorer_identity:
            raise SetupError(
                f"{socket.gethostname()}: restores by {restorer.identity}, where the build was "
                f"begun by {settings.restorer_identity}: pixels would differ. Take nodes of one "
                "kind with the same packages, or --precision float32 where only bfloat16 differs"
            )
        self._renderer = open_renderer(
            profile,
            restorer,
            pipeline=settings.pipeline,
            output_size=settings.output_size,
        )
        self._detector = FaceDetector(settings.predictor) if settings.faces else None
        self._detecting = threading.Lock()

    def decode(self, path: Place) -> Image:
        """Read a photograph; raise DataError if it cannot be read."""
        try:
            # Annotations were made on the pixels as stored; a detector needs upright faces.
            return decode_image(
                read_file(path, most_bytes=MOST_PICTURE_BYTES),
                name=str(path),
                apply_orientation=self._detector is not None,
            )
        except DataError as error:
            self._require_source(error)
            raise _Unusable(str(error)) from error

    def _require_source(self, error: DataError) -> None:
        """Tell a photograph that cannot be read from a disk that has gone."""
        cause, source = error.__cause__, self.settings.source
        if isinstance(cause, OSError) and (
            cause.errno in _LOST or is_transient(cause) or not _has_entries(source)
        ):
            raise SetupError(
                f"{error}: the source or the system fails, not this photograph; see that "
                f"{source} is there, and run the same command again"
            ) from error

    def locate(self, image: Image, photograph: Photograph) -> list[Landmarks]:
        """Return the landmarks of the faces that can be used, largest face first."""
        if self._detector is None or self.settings.faces is None:
            faces = [] if photograph.landmarks is None else [photograph.landmarks]
        else:
            with self._detecting:
                found = self._detector.detect_faces(image, which=self.settings.faces)
            faces = [face.landmarks for face in found]
        if not faces:
            raise _Unusable(f"{photograph.path}: no face was found", category="no face")
        problems = [check_landmarks(landmarks, size=image.shape[:2]) for landmarks in faces]
        usable = [face for face, problem in zip(faces, problems, strict=True) if not problem]
        if not usable:
            raise _Unusable(f"{photograph.path}: {problems[0]}", category="bad landmarks")
        return usable

    def render(self, image: Image, landmarks: Landmarks) -> Image:
        """Return the aligned crop."""
        return self._renderer.render(image, landmarks)

    def render_scored(self, image: Image, landmarks: Landmarks) -> Rendered:
        """Return the same crop with its score."""
        return self._renderer.render_scored(image, landmarks)


def _open_worker(settings: WorkerSettings) -> Worker:
    settings.crops.require_shared()
    return Worker(settings)


def score_photograph(worker: Worker, photograph: Photograph) -> list[Row]:
    """Return the rows of a photograph: one a face, or one that says why there is none.

    Only what concerns this photograph becomes a failed row. A full disk or memory, or a GPU that
    failed, is raised: the build stops, and nothing is recorded that a later run would take for the
    photograph's fault.
    """
    crops: list[tuple[Row, Image]] = []
    try:
        crops = list(_scored_crops(worker, photograph))
    except _Unusable as error:
        return [failed_row(photograph, error.category, str(error))]
    except SetupError:
        raise
    except Exception as error:
        if is_fault_of_the_machine(error):
            raise SetupError(
                f"{photograph.path}: memory or the GPU fails, not this photograph ("
                f"{_first_line(error)}); end other programs, use fewer --workers or --device cpu, "
                "and run the same command again"
            ) from error
        # Recorded, counted and shown; the build goes on.
        reason = f"{photograph.path}: {type(error).__name__}: {error}"
        return [failed_row(photograph, "unexpected error", reason)]
    if worker.settings.spools_all:
        return [_spool(worker, row, crop) for row, crop in crops]
    return [row for row, _ in crops]


def render_face(worker: Worker, task: Render) -> str:
    """Write the crop of a selected face and return its key.

    Raises
    ------
    DataError
        The photograph is gone, or gives other pixels than when it was scored.
    """
    crop = worker.render(worker.decode(task.path), task.row.landmark_array())
    if pixel_digest(crop) != task.row.crop_digest:
        raise DataError(
            f"{task.path}: gives other pixels than when it was scored; the photograph, a library "
            "or the kind of processor has changed: put it back, or use --fresh"
        )
    _spool(worker, task.row, crop)
    return task.row.key


def failed_row(photograph: Photograph, category: str, reason: str) -> Row:
    """Return the row of a photograph that cannot be used; the reason will name its file."""
    path = str(photograph.path)
    return Row(
        key=photograph.key,
        photograph=photograph.key,
        file=_file_of(photograph),
        status="failed",
        category=category,
        reason=_one_line(reason if path in reason else f"{path}: {reason}"),
    )


def _file_of(photograph: Photograph) -> str:
    """Its path below the folder of pictures; the key is that without the extension."""
    return _one_line((PurePosixPath(photograph.key).parent / photograph.path.name).as_posix())


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def _has_entries(folder: Place) -> bool:
    """Whether a folder is there and not empty, as the place of an unmounted disk is."""
    if isinstance(folder, RemotePath):
        return folder.is_dir()
    try:
        with os.scandir(folder) as entries:
            return any(entries)
    except OSError:
        return False


def _one_line(text: str) -> str:
    """Escape line ends, control characters and bytes that are not UTF-8: names may hold any."""
    stored = os.fsencode(text).decode("utf-8", "backslashreplace")
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in stored
    )


def _scored_crops(worker: Worker, photograph: Photograph) -> Iterator[tuple[Row, Image]]:
    shared: dict[str, float] = {}
    with timed(shared, "decode"):
        image = worker.decode(photograph.path)
    with timed(shared, "locate"):
        faces = worker.locate(image, photograph)
    with timed(shared, "digest"):
        digest = pixel_digest(image)
    for number, landmarks in enumerate(faces, 1):
        rendered = worker.render_scored(image, landmarks)
        quad = crop_quad(landmarks)
        yield (
            Row(
                key=photograph.key if number == 1 else f"{photograph.key}-face{number}",
                photograph=photograph.key,
                file=_file_of(photograph),
                status="scored",
                pixel_digest=digest,
                crop_digest=pixel_digest(rendered.crop),
                landmarks=tuple((float(x), float(y)) for x, y in landmarks),
                quad=tuple((float(x), float(y)) for x, y in quad),
                zoom=worker.settings.output_size / float(((quad[3] - quad[0]) ** 2).sum() ** 0.5),
                score=rendered.score,
                seconds={**(shared if number == 1 else {}), **rendered.seconds},
            ),
            rendered.crop,
        )


def _spool(worker: Worker, row: Row, crop: Image) -> Row:
    seconds = dict(row.seconds)
    with timed(seconds, "write"):
        worker.settings.crops.write(row.key, encode_png(crop))
    return replace(row, seconds=seconds)

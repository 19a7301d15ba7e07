"""Finding faces and their five landmarks with dlib, for photographs that have no landmark table.

A face is found by dlib's frontal detector (histograms of oriented gradients: Dalal and Triggs
2005; faces turned or tilted by more than some 40 degrees are missed). A predictor of 68 points
(Kazemi and Sullivan 2014) places the points, which are reduced to CelebA's five.
"""

import importlib.util
import math
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pgan_toolkit.arrays import Image, Landmarks
from pgan_toolkit.errors import DataError, SetupError, UsageError
from pgan_toolkit.imaging import Box, box_downscale

__all__ = ["PREDICTOR_VARIABLE", "DetectionSettings", "Face", "FaceDetector", "find_predictor"]

PREDICTOR_VARIABLE = "PGAN_TOOLKIT_PREDICTOR"
"""Environment variable that names a predictor file."""

_PREDICTOR_PACKAGE = "face_recognition_models"
_PREDICTOR_IN_PACKAGE = Path("models", "shape_predictor_68_face_landmarks.dat")
_POINTS = 68
_PYRAMID_STEP = 1.2  # of dlib's frontal detector: each level has 5/6 of the size
_LEFT_EYE, _RIGHT_EYE = slice(36, 42), slice(42, 48)
_NOSE, _LEFT_MOUTH, _RIGHT_MOUTH = 30, 48, 54
_HOW_TO_GET = (
    "pip install face_recognition_models, or name a file with --predictor FILE or the "
    f"environment variable {PREDICTOR_VARIABLE}. The file was trained on 300-W, whose terms "
    "exclude commercial use"
)


@dataclass(frozen=True)
class DetectionSettings:
    """How faces are looked for.

    Attributes
    ----------
    max_side_px : int
        Larger pictures are shrunk by a whole factor until their longest side is at most this;
        pictures of at most half of it are doubled. The detector sees faces from 80 pixels up at
        that scale.
    min_score : float
        Weaker detections are dropped. dlib's own limit is 0, which lets false ones through.
    """

    max_side_px: int = 1600
    min_score: float = 0.2

    def __post_init__(self) -> None:
        if self.max_side_px < 1:
            raise UsageError(f"max_side_px is {self.max_side_px}; expected at least 1")


@dataclass(frozen=True, eq=False)
class Face:
    """One face of a picture.

    Attributes
    ----------
    landmarks : Landmarks
        float32 (5, 2), x and y in pixels of the picture given: the eye and the mouth
        corner on the left of an upright picture come first, as in CelebA's file.
    score : float
        The detector's confidence, above `DetectionSettings.min_score`; about 1 to 3 for clear
        faces.
    box : Box
        What the detector found, pixels; it may reach beyond the picture.
    """

    landmarks: Landmarks
    score: float
    box: Box


def find_predictor(path: Path | None = None) -> Path:
    """Find the file of the 68-point predictor.

    Parameters
    ----------
    path : Path or None
        The user's choice. Without it, the environment variable `PGAN_TOOLKIT_PREDICTOR` is
        asked, then the installed package face_recognition_models.

    Raises
    ------
    DataError
        The file named by the user or the variable does not exist.
    SetupError
        None is named and none is installed; the message says how to get it.
    """
    named = os.environ.get(PREDICTOR_VARIABLE)
    if path is not None or named:
        chosen = path if path is not None else Path(str(named))
        if not chosen.is_file():
            source = "" if path is not None else f" (named by {PREDICTOR_VARIABLE})"
            raise DataError(
                f"{chosen}{source}: no such file; expected a 68-point landmark predictor of dlib"
            )
        return chosen
    # The package is located, not imported: its import needs setuptools' pkg_resources.
    spec = importlib.util.find_spec(_PREDICTOR_PACKAGE)
    if spec is None or spec.origin is None:
        raise SetupError(f"landmark detection needs a 68-point predictor: {_HOW_TO_GET}")
    packaged = Path(spec.origin).parent / _PREDICTOR_IN_PACKAGE
    if not packaged.is_file():
        raise SetupError(f"{packaged}: missing from the installed package; {_HOW_TO_GET}")
    return packaged


class FaceDetector:
    """Finds faces and their landmarks. Picklable: a worker process loads the files itself.

    Parameters
    ----------
    predictor : Path or None
        File of the 68-point predictor; None looks for it as `find_predictor` does.
    settings : DetectionSettings
        How faces are looked for.

    Raises
    ------
    SetupError
        dlib or the predictor is missing.
    DataError
        The predictor file is damaged or not a 68-point predictor.
    """

    def __init__(
        self, predictor: Path | None = None, *, settings: DetectionSettings | None = None
    ) -> None:
        self.predictor = find_predictor(predictor)
        self.settings = settings or DetectionSettings()
        _models(self.predictor)

    def detect_faces(self, image: Image, *, which: Literal["largest", "every"]) -> list[Face]:
        """Find the faces of a picture.

        Parameters
        ----------
        image : Image
            uint8 (H, W, 3), RGB, upright.
        which : {"largest", "every"}
            One face alone, or all of them. The largest come first; among those of one size,
            which the detector tells apart in steps of 1.2, the surest.

        Returns
        -------
        list of Face
            Empty if there is none.
        """
        detector, predictor = _models(self.predictor)
        shortest, longest = sorted(image.shape[:2])
        factor = min(-(-longest // self.settings.max_side_px), shortest)
        small = _shrunk(image, factor)
        doublings = int(2 * longest <= self.settings.max_side_px)
        boxes, scores, _ = detector.run(small, doublings, self.settings.min_score)
        found = _largest_first(list(zip(boxes, scores, strict=True)))
        if which == "largest":
            found = found[:1]
        return [_face(predictor(small, box), box, score, factor) for box, score in found]


def _shrunk(image: Image, factor: int) -> Image:
    height, width = (side // factor * factor for side in image.shape[:2])
    return np.ascontiguousarray(box_downscale(image[:height, :width], factor=factor))


def _largest_first(found: list[tuple[Any, float]]) -> list[tuple[Any, float]]:
    widest = max((box.width() for box, _ in found), default=1)

    def order(item: tuple[Any, float]) -> tuple[int, float, int, int]:
        # Boxes come in the sizes of the detector's pyramid, give or take a pixel of rounding.
        level = round(math.log(widest / item[0].width(), _PYRAMID_STEP))
        return level, -item[1], item[0].left(), item[0].top()

    return sorted(found, key=order)


def _face(shape: Any, box: Any, score: float, factor: int) -> Face:
    points = np.array([[part.x, part.y] for part in shape.parts()], dtype=np.float64)
    return Face(
        landmarks=((_five_of(points) + 0.5) * factor - 0.5).astype(np.float32),
        score=float(score),
        box=Box(
            *(side * factor for side in (box.left(), box.top(), box.right() + 1, box.bottom() + 1))
        ),
    )


def _five_of(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """CelebA's five of 300-W's 68 points; an eye is the mean of its six."""
    eyes = [points[_LEFT_EYE].mean(axis=0), points[_RIGHT_EYE].mean(axis=0)]
    return np.stack([*eyes, points[_NOSE], points[_LEFT_MOUTH], points[_RIGHT_MOUTH]])


@lru_cache(maxsize=2)
def _models(path: Path) -> tuple[Any, Any]:
    """Detector and predictor; loading takes a second, hence once a process."""
    try:
        import dlib
    except ImportError as error:
        raise SetupError(
            f"landmark detection needs dlib, which cannot be imported ({error}); "
            "pip install dlib-bin"
        ) from error
    try:
        predictor = dlib.shape_predictor(str(path))
    except RuntimeError as error:
        raise DataError(
            f"{path}: not a landmark predictor of dlib, or damaged ({error}); "
            f"get it again: {_HOW_TO_GET}"
        ) from error
    blank = np.zeros((32, 32, 3), np.uint8)
    count = predictor(blank, dlib.rectangle(0, 0, 31, 31)).num_parts
    if count != _POINTS:
        raise DataError(f"{path}: a predictor of {count} points; expected {_POINTS} points")
    return dlib.get_frontal_face_detector(), predictor

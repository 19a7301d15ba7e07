import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data

from pgan_toolkit.celebahq import detection
from pgan_toolkit.celebahq.detection import (
    PREDICTOR_VARIABLE,
    DetectionSettings,
    FaceDetector,
    find_predictor,
)
from pgan_toolkit.celebahq.landmarks import read_landmarks
from pgan_toolkit.errors import DataError, SetupError, UsageError
from pgan_toolkit.imaging import decode_image

# Set by eye on the portrait, enlarged: eyes, nose, mouth corners.
ASTRONAUT = np.array([[203.2, 102], [246.8, 104], [225, 127], [202, 139], [246, 141]])


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch):
    monkeypatch.delenv(PREDICTOR_VARIABLE, raising=False)


def eye_distance(landmarks: np.ndarray) -> float:
    return float(np.hypot(*(landmarks[1] - landmarks[0])))


def error(found: np.ndarray, expected: np.ndarray) -> float:
    """Mean distance of the five points, in eye distances."""
    return float(np.hypot(*(found - expected).T).mean() / eye_distance(expected))


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return skimage.data.astronaut()


def test_finds_the_one_face_where_it_is(detector, astronaut):
    (face,) = detector.detect_faces(astronaut, which="every")
    assert face.landmarks.dtype == np.float32
    assert error(face.landmarks, ASTRONAUT) < 0.03
    left, top, right, bottom = face.box
    assert ((face.landmarks > (left, top)) & (face.landmarks < (right, bottom))).all()
    assert face.score > 1


def test_mirrored_it_is_still_the_left_eye_that_comes_first(detector, astronaut):
    mirrored = np.ascontiguousarray(astronaut[:, ::-1])
    (face,) = detector.detect_faces(mirrored, which="largest")
    expected = ASTRONAUT[[1, 0, 2, 4, 3]] * (-1, 1) + np.array([511, 0])
    assert error(face.landmarks, expected) < 0.03


def test_a_large_picture_is_shrunk_and_the_landmarks_are_brought_back(detector, astronaut):
    large = astronaut.repeat(5, axis=0).repeat(5, axis=1)
    (face,) = detector.detect_faces(large, which="largest")
    assert error(face.landmarks, (ASTRONAUT + 0.5) * 5 - 0.5) < 0.03


def test_several_faces_come_the_largest_first_and_of_one_size_the_surest(detector, astronaut):
    face = astronaut[20:220, 120:330]
    spoiled = (face // 4 * 3 + np.random.default_rng(0).integers(0, 64, face.shape)).astype(
        np.uint8
    )
    blank = np.full((300, 640, 3), 128, np.uint8)
    blank[20:120, 10:115] = face[::2, ::2]
    blank[20:220, 150:360] = spoiled
    blank[20:220, 400:610] = face
    every = detector.detect_faces(blank, which="every")
    assert [round(f.landmarks[0, 0] / 50) for f in every] == [10, 5, 1]
    assert every[0].score > every[1].score
    (largest,) = detector.detect_faces(blank, which="largest")
    assert np.array_equal(largest.landmarks, every[0].landmarks)


@pytest.mark.parametrize("shape", [(64, 64), (1, 1), (1, 4000), (4000, 2)])
def test_a_picture_without_a_face_gives_none(detector, shape):
    assert detector.detect_faces(np.zeros((*shape, 3), np.uint8), which="every") == []


def test_weak_detections_are_dropped(astronaut):
    strict = FaceDetector(settings=DetectionSettings(min_score=5.0))
    assert strict.detect_faces(astronaut, which="every") == []
    with pytest.raises(UsageError, match="max_side_px is 0"):
        DetectionSettings(max_side_px=0)


def test_a_pickled_detector_is_small_and_works(detector, astronaut):
    data = pickle.dumps(detector)
    assert len(data) < 1000
    again = pickle.loads(data).detect_faces(astronaut, which="largest")
    first = detector.detect_faces(astronaut, which="largest")
    assert np.array_equal(again[0].landmarks, first[0].landmarks)


def test_the_predictor_is_the_one_named_else_the_variables_else_the_packages(tmp_path, monkeypatch):
    packaged = find_predictor()
    assert packaged.name == "shape_predictor_68_face_landmarks.dat"
    assert "face_recognition_models" not in sys.modules
    variable, named = tmp_path / "v.dat", tmp_path / "n.dat"
    variable.touch()
    named.touch()
    monkeypatch.setenv(PREDICTOR_VARIABLE, str(variable))
    assert find_predictor() == variable
    assert find_predictor(named) == named
    variable.unlink()
    with pytest.raises(DataError, match=f"v.dat .named by {PREDICTOR_VARIABLE}"):
        find_predictor()
    with pytest.raises(DataError, match="no such file"):
        find_predictor(tmp_path / "none.dat")


def test_without_a_predictor_it_says_how_to_get_one(monkeypatch):
    monkeypatch.setattr(detection, "_PREDICTOR_PACKAGE", "no_such_package")
    with pytest.raises(SetupError, match=r"pip install face_recognition_models.*300-W"):
        find_predictor()


def test_a_wrong_or_damaged_predictor_is_named(tmp_path):
    (tmp_path / "text.dat").write_text("no predictor")
    (tmp_path / "cut.dat").write_bytes(find_predictor().read_bytes()[:100_000])
    five = find_predictor().with_name("shape_predictor_5_face_landmarks.dat")
    with pytest.raises(DataError, match=r"text\.dat: not a landmark predictor"):
        FaceDetector(tmp_path / "text.dat")
    with pytest.raises(DataError, match=r"cut\.dat: not a landmark predictor"):
        FaceDetector(tmp_path / "cut.dat")
    with pytest.raises(DataError, match=r"a predictor of 5 points; expected 68"):
        FaceDetector(five)


def test_without_dlib_it_says_what_to_install(monkeypatch):
    detection._models.cache_clear()
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(SetupError, match="pip install dlib-bin"):
        FaceDetector()


@pytest.mark.slow
@pytest.mark.shared_data
def test_agrees_with_the_landmarks_of_real_photographs(shared_data, detector):
    root = shared_data / "celeba_wild"
    table = read_landmarks(root / "Anno/list_landmarks_celeba.txt")
    errors = []
    for file, expected in list(table.items())[:20]:
        data = Path(root / "img_celeba" / file).read_bytes()
        image = decode_image(data, name=file, apply_orientation=False)
        faces = detector.detect_faces(image, which="every")
        errors.append(min((error(face.landmarks, expected) for face in faces), default=np.inf))
    assert np.median(errors) < 0.01  # measured 0.005 over all 83
    assert max(errors) < 0.06

"""The example of docs/landmarks.md does what the page says."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import PIL.Image
import pytest

from pgan_toolkit.celebahq.photographs import find_photographs
from pgan_toolkit.imaging import decode_image

PAGE = Path(__file__).parents[2] / "docs" / "landmarks.md"
ON_ITS_SIDE = 6
POINTS = ((20, 30), (40, 30), (30, 40), (22, 50), (38, 50))  # x, y in the stored pixels


class RedPoints:
    """In the detector's place: finds five red pixels, in the order of rows and columns."""

    def detect_faces(self, image: np.ndarray, *, which: str) -> list[SimpleNamespace]:
        assert which == "largest"
        rows, columns = np.nonzero((image == (255, 0, 0)).all(axis=2))
        return [SimpleNamespace(landmarks=np.stack([columns, rows], axis=1).astype(np.float32))]


def _put(path: Path, **options: object) -> None:
    pixels = np.zeros((64, 96, 3), np.uint8)
    for x, y in POINTS:
        pixels[y, x] = (255, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(pixels).save(path, **options)


def test_the_example_writes_points_of_the_stored_pixels_for_pictures_in_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned = PIL.Image.Exif()
    turned[0x0112] = ON_ITS_SIDE
    _put(tmp_path / "photos" / "a.png")
    _put(tmp_path / "photos" / "sub" / "a.png", exif=turned)
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pgan_toolkit.celebahq.detection.FaceDetector", RedPoints)
    exec(compile(example, str(PAGE), "exec"), {})

    found = find_photographs(tmp_path / "photos")  # as a build with the table does
    assert [item.key for item in found] == ["a", "sub/a"]
    for item in found:
        assert item.problem is None
        assert item.landmarks is not None
        assert item.landmarks.tolist() == [list(point) for point in POINTS]


def test_the_picture_is_turned_unless_its_table_speaks_of_the_stored_pixels(
    tmp_path: Path,
) -> None:
    turned = PIL.Image.Exif()
    turned[0x0112] = ON_ITS_SIDE
    _put(tmp_path / "a.png", exif=turned)
    data = (tmp_path / "a.png").read_bytes()
    x, y = POINTS[0]
    assert decode_image(data, name="a", apply_orientation=False)[y, x].tolist() == [255, 0, 0]
    # Orientation 6: the stored top row is the upright picture's right side.
    assert decode_image(data, name="a")[x, 64 - 1 - y].tolist() == [255, 0, 0]

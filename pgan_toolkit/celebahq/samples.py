"""A small data set in CelebA's layout, made on the spot from one public-domain photograph.

The photograph is NASA's portrait of Eileen Collins, which scikit-image's package carries. It is
turned, scaled, cut, blurred, printed, compressed and damaged in known ways, and the landmarks are
carried through each change, so that every step of a build has something to show.
"""

import importlib.util
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pgan_toolkit.arrays import Image, Landmarks
from pgan_toolkit.celebahq.landmarks import format_landmarks
from pgan_toolkit.errors import DataError, SetupError, UsageError
from pgan_toolkit.imaging import box_downscale, decode_image, encode_jpeg
from pgan_toolkit.storage.atomic import atomic_write_bytes

__all__ = ["Sample", "write_samples"]

_Float = NDArray[np.float64]

_PORTRAIT = Path("data", "astronaut.png")
_PORTRAIT_LANDMARKS = ((203.2, 101.7), (246.7, 104.2), (225.0, 127.0), (201.0, 139.5), (245.5, 141))
_MARKER = "samples.json"
_TABLE = "Anno/list_landmarks_celeba.txt"
_PICTURES = "img_celeba"
_GOOD_QUALITY = 95
_BEYOND_THE_PICTURE_PX = 3000.0


@dataclass(frozen=True, eq=False)
class Sample:
    """One file of the sample set.

    Attributes
    ----------
    file : str
        Its name in img_celeba.
    what : str
        What was done to the portrait.
    usable : bool
        Whether a build can make a crop of it; the others are there to be recorded as failed.
    landmarks : Landmarks | None
        float32 (5, 2) as the table has them; None where it has no usable row.
    """

    file: str
    what: str
    usable: bool
    landmarks: Landmarks | None


class _Photo(NamedTuple):
    image: Image
    points: _Float
    quality: int = _GOOD_QUALITY


class _Made(NamedTuple):
    sample: Sample
    data: bytes | None
    row: str | None = None  # what the table says where it is not the landmarks


_Change = Callable[[_Photo, np.random.Generator], _Photo]


def write_samples(out: Path, *, seed: int = 0) -> tuple[Sample, ...]:
    """Write the sample set: img_celeba/*.jpg, Anno/list_landmarks_celeba.txt and samples.json.

    The same seed and library versions give the same bytes. Files that are there already are left
    as they are, so that a build of them can resume.

    Parameters
    ----------
    out : Path
        A folder: new, empty, or written by this function before.
    seed : int
        Of the noise in the noisy ones.

    Returns
    -------
    tuple of Sample
        What was made; samples.json says the same.

    Raises
    ------
    UsageError
        `out` is a file, or a folder of something else.
    SetupError
        scikit-image's package lacks the photograph.
    """
    _refuse_foreign(out)
    made = _good(_portrait(), seed) + _bad(_portrait())
    samples = tuple(item.sample for item in made)
    described = [{"file": s.file, "usable": s.usable, "what": s.what} for s in samples]
    index = {"seed": seed, "source": "NASA portrait of Eileen Collins, public domain"}
    # First, because it marks the folder as ours should the rest be interrupted.
    _write(out / _MARKER, json.dumps({**index, "samples": described}, indent=1).encode())
    for item in made:
        if item.data is not None:
            _write(out / _PICTURES / item.sample.file, item.data)
    _write(out / _TABLE, _table(made).encode())
    return samples


def _refuse_foreign(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: is a file; name a folder for the samples")
    if out.is_dir() and any(out.iterdir()) and not (out / _MARKER).is_file():
        raise UsageError(f"{out}: holds other files; name a new or empty folder for the samples")


def _write(path: Path, data: bytes) -> None:
    if not path.is_file() or path.read_bytes() != data:
        atomic_write_bytes(path, data)


def _table(made: list[_Made]) -> str:
    landmarks = {m.sample.file: m.sample.landmarks for m in made if m.sample.landmarks is not None}
    extra = [f"{m.sample.file} {m.row}" for m in made if m.row is not None]
    lines = format_landmarks(landmarks).splitlines()
    return "\n".join([str(len(landmarks) + len(extra)), *lines[1:], *extra]) + "\n"


def _portrait() -> _Photo:
    # Read from the package itself: skimage.data.astronaut() may turn to the network.
    spec = importlib.util.find_spec("skimage")
    path = Path(spec.origin).parent / _PORTRAIT if spec and spec.origin else _PORTRAIT
    try:
        image = decode_image(path.read_bytes(), name=str(path))
    except (OSError, DataError) as error:
        raise SetupError(
            f"{path}: the sample photograph cannot be read ({error}); "
            "pip install --force-reinstall scikit-image"
        ) from error
    return _Photo(image, np.array(_PORTRAIT_LANDMARKS))


def _encoded(photo: _Photo) -> bytes:
    return encode_jpeg(photo.image, quality=photo.quality)


def _good(portrait: _Photo, seed: int) -> list[_Made]:
    made = []
    for index, (name, what, change) in enumerate(_VARIANTS):
        photo = change(portrait, np.random.default_rng([seed, index]))
        sample = Sample(f"{name}.jpg", what, True, photo.points.astype(np.float32))
        made.append(_Made(sample, _encoded(photo)))
    return made


def _bad(portrait: _Photo) -> list[_Made]:
    data = _encoded(portrait)
    right = portrait.points.astype(np.float32)
    outside = (portrait.points + _BEYOND_THE_PICTURE_PX).astype(np.float32)
    one_point = np.repeat(right[:1], 5, axis=0)
    nine = " ".join(str(round(value)) for value in portrait.points.ravel()[:9])
    return [
        _broken(
            "truncated", "the last 60 % of the file are missing", right, data[: len(data) // 5 * 2]
        ),
        _broken("not_a_picture", "text under a picture's name", right, b"This is not a picture.\n"),
        _broken("empty", "a file of no bytes", right, b""),
        _broken("no_picture", "a row of the table without a file", right, None),
        _broken("landmarks_outside", "landmarks far outside the picture", outside, data),
        _broken("landmarks_coincide", "five landmarks at one point", one_point, data),
        _broken("no_row", "a picture that the table does not name", None, data),
        _broken("nine_numbers", "a row of nine numbers", None, data, row=nine),
    ]


def _broken(
    name: str, what: str, landmarks: Landmarks | None, data: bytes | None, *, row: str | None = None
) -> _Made:
    return _Made(Sample(f"{name}.jpg", what, False, landmarks), data, row)


def _bytes(values: _Float) -> Image:
    return np.ascontiguousarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def _warped(photo: _Photo, linear: _Float, centre: _Float, size: tuple[int, int]) -> _Photo:
    """Map `centre` to the middle of a picture of (height, width) by a linear map of (x, y)."""
    middle = (np.array(size[::-1]) - 1) / 2
    offset = middle - linear @ centre
    inverse = np.linalg.inv(linear)
    # ndimage goes from target to source, and counts rows before columns.
    matrix, shift = inverse[::-1, ::-1], (-inverse @ offset)[::-1]
    channels = [
        ndimage.affine_transform(
            photo.image[..., channel].astype(np.float64),
            matrix,
            shift,
            output_shape=size,
            mode="nearest",
        )
        for channel in range(3)
    ]
    return photo._replace(
        image=_bytes(np.stack(channels, axis=-1)), points=photo.points @ linear.T + offset
    )


def _rotated(degrees: float) -> _Change:
    def change(photo: _Photo, _: np.random.Generator) -> _Photo:
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        # Turned about the chest, most of the frame stays inside the portrait.
        chest = photo.points.mean(axis=0) + np.array([16, 80])
        return _warped(photo, np.array([[cos, -sin], [sin, cos]]), chest, (384, 384))

    return change


def _enlarged(factor: float) -> _Change:
    def change(photo: _Photo, _: np.random.Generator) -> _Photo:
        height, width = photo.image.shape[:2]
        size = (round(height * factor), round(width * factor))
        middle = np.array([(width - 1) / 2, (height - 1) / 2])
        return _warped(photo, np.eye(2) * factor, middle, size)

    return change


def _reduced(factor: int) -> _Change:
    def change(photo: _Photo, _: np.random.Generator) -> _Photo:
        height, width = (side // factor * factor for side in photo.image.shape[:2])
        small = box_downscale(np.ascontiguousarray(photo.image[:height, :width]), factor=factor)
        return photo._replace(image=small, points=(photo.points + 0.5) / factor - 0.5)

    return change


def _cut(left: int, top: int, right: int, bottom: int) -> _Change:
    def change(photo: _Photo, _: np.random.Generator) -> _Photo:
        part = np.ascontiguousarray(photo.image[top:bottom, left:right])
        return photo._replace(image=part, points=photo.points - (left, top))

    return change


def _mirrored(photo: _Photo, _: np.random.Generator) -> _Photo:
    points = photo.points[[1, 0, 2, 4, 3]] * (-1, 1) + (photo.image.shape[1] - 1, 0)
    return photo._replace(image=np.ascontiguousarray(photo.image[:, ::-1]), points=points)


def _compressed(quality: int) -> _Change:
    return lambda photo, _: photo._replace(quality=quality)


def _filtered(function: Callable[[_Float], _Float]) -> _Change:
    """Change the values, 0..255, and leave the geometry."""
    return lambda photo, _: photo._replace(image=_bytes(function(photo.image.astype(np.float64))))


def _blurred(sigma_px: float) -> _Change:
    return _filtered(lambda values: ndimage.gaussian_filter(values, (sigma_px, sigma_px, 0)))


def _moved(length_px: int) -> _Change:
    return _filtered(lambda values: ndimage.uniform_filter1d(values, length_px, axis=1))


def _noisy(sigma: float) -> _Change:
    def change(photo: _Photo, random: np.random.Generator) -> _Photo:
        noise = random.normal(0.0, sigma, photo.image.shape)
        return photo._replace(image=_bytes(photo.image + noise))

    return change


def _screen(shape: tuple[int, ...], period_px: float, degrees: float) -> _Float:
    """Dots on a square lattice, -1..1."""
    y, x = np.mgrid[: shape[0], : shape[1]] * (2 * math.pi / period_px)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    waves: _Float = np.cos(x * cos + y * sin) * np.cos(y * cos - x * sin)
    return waves[..., None]


def _halftoned(period_px: float) -> _Change:
    """Print with dots whose area, not density, gives the tone, then scan it a little blurred."""

    def ink(values: _Float) -> _Float:
        sharpness = 5.0
        level = values / 255 - 0.5 + 0.5 * _screen(values.shape, period_px, 45.0)
        printed = 255 / (1 + np.exp(-2 * sharpness * level))
        scanned: _Float = ndimage.gaussian_filter(printed, (0.7, 0.7, 0))
        return 0.5 * (values + scanned)

    return _filtered(ink)


def _with_moire(values: _Float) -> _Float:
    """Beat of two close lattices, as when a print is scanned."""
    first, second = _screen(values.shape, 5.0, 10.0), _screen(values.shape, 5.6, 16.0)
    return values * (1 + 0.35 * first * second) + 12 * (first + second)


def _grey(values: _Float) -> _Float:
    return np.repeat(values @ np.array([0.299, 0.587, 0.114]), 3).reshape(values.shape)


_VARIANTS: tuple[tuple[str, str, _Change], ...] = (
    ("original", "the portrait, 512x512", lambda photo, _: photo),
    ("original_again", "the same bytes once more", lambda photo, _: photo),
    ("mirrored", "left and right exchanged", _mirrored),
    ("rotated_15", "turned by 15 degrees", _rotated(15)),
    ("rotated_35", "turned by 35 degrees", _rotated(35)),
    ("rotated_minus_25", "turned by -25 degrees", _rotated(-25)),
    ("rotated_180", "upside down", _rotated(180)),
    ("enlarged_2x", "twice the size, by cubic splines", _enlarged(2)),
    ("half_size", "half the size", _reduced(2)),
    ("third_size", "a third of the size", _reduced(3)),
    ("face_at_left_edge", "cut so that the face touches the left edge", _cut(190, 0, 512, 400)),
    ("face_at_right_edge", "cut at the right edge of the face", _cut(0, 0, 262, 400)),
    ("face_at_top_edge", "cut above the eyes", _cut(60, 85, 400, 420)),
    ("face_at_bottom_edge", "cut below the mouth", _cut(40, 0, 420, 158)),
    ("face_in_corner", "cut at the left and above the eyes", _cut(188, 84, 500, 380)),
    ("tight_cut", "cut close around the face on all sides", _cut(170, 70, 280, 180)),
    ("blur_1", "Gaussian blur, sigma 1 pixel", _blurred(1)),
    ("blur_2", "Gaussian blur, sigma 2 pixels", _blurred(2)),
    ("blur_4", "Gaussian blur, sigma 4 pixels", _blurred(4)),
    ("motion_blur", "moved by 11 pixels sideways", _moved(11)),
    ("halftone_4", "printed with a dot screen of 4 pixels", _halftoned(4)),
    ("halftone_7", "printed with a dot screen of 7 pixels", _halftoned(7)),
    ("moire", "two close lattices over it", _filtered(_with_moire)),
    ("jpeg_quality_12", "JPEG quality 12", _compressed(12)),
    ("jpeg_quality_5", "JPEG quality 5", _compressed(5)),
    ("noise_10", "noise of 10 grey levels", _noisy(10)),
    ("noise_30", "noise of 30 grey levels", _noisy(30)),
    ("dark", "a third of the brightness", _filtered(lambda values: values / 3)),
    ("low_contrast", "a third of the contrast", _filtered(lambda values: 85 + values / 3)),
    ("grey", "without colour", _filtered(_grey)),
)

"""One photograph to its crop: against the authors' pictures, and against the plain program."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import skimage.metrics

from pgan_toolkit.arrays import Image, Landmarks
from pgan_toolkit.celebahq import PROFILES, Profile, read_landmarks, render_crop
from pgan_toolkit.errors import UsageError
from pgan_toolkit.imaging import decode_image
from pgan_toolkit.restoration import LanczosRestorer, open_restorer

RESTORER = open_restorer("lanczos")


def _plain_render(path: Path, landmarks: Landmarks, size: int) -> Image:
    script = Path(__file__).parents[2] / "benchmarks" / "plain_recipe.py"
    spec = importlib.util.spec_from_file_location("plain_recipe", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return np.asarray(module.render(path, landmarks.astype(np.float64), size))


def _photograph(folder: Path, name: str) -> tuple[Image, Landmarks]:
    table = read_landmarks(folder / "Anno" / "list_landmarks_celeba.txt")
    path = folder / "img_celeba" / name
    return decode_image(path.read_bytes(), name=name, apply_orientation=False), table[name]


@pytest.mark.shared_data
@pytest.mark.parametrize(
    "key", ["000003", "000005", "000010", "000021", "000058", "000070", "000076"]
)
def test_official_profile_agrees_with_the_authors_pictures(shared_data: Path, key: str) -> None:
    image, landmarks = _photograph(shared_data / "celeba_wild", f"{key}.jpg")
    ours = render_crop(image, landmarks, profile=PROFILES["official"], restorer=RESTORER)
    theirs = shared_data.parent / "oracles" / "celebahq_crops" / f"{key}.png"
    expected = np.asarray(PIL.Image.open(theirs).convert("RGB"))
    assert skimage.metrics.peak_signal_noise_ratio(expected, ours) >= 45


@pytest.mark.parametrize(
    "name", ["original.jpg", "rotated_35.jpg", "face_in_corner.jpg", "face_at_left_edge.jpg"]
)
def test_official_profile_agrees_with_the_plain_program(samples: Path, name: str) -> None:
    image, landmarks = _photograph(samples, name)
    ours = render_crop(
        image, landmarks, profile=PROFILES["official"], restorer=RESTORER, output_size=128
    )
    expected = _plain_render(samples / "img_celeba" / name, landmarks, 128)
    assert skimage.metrics.peak_signal_noise_ratio(expected, ours) >= 45


def test_a_large_photograph_is_first_shrunk_as_the_plain_program_does(
    tmp_path: Path, samples: Path
) -> None:
    image, landmarks = _photograph(samples, "enlarged_2x.jpg")
    path = tmp_path / "large.png"
    PIL.Image.fromarray(image).save(path)
    ours = render_crop(
        image, landmarks, profile=PROFILES["official"], restorer=RESTORER, output_size=64
    )
    expected = _plain_render(path, landmarks, 64)
    assert skimage.metrics.peak_signal_noise_ratio(expected, ours) >= 45


def test_the_paper_profile_ends_with_the_softer_filter(samples: Path) -> None:
    image, landmarks = _photograph(samples, "enlarged_2x.jpg")
    paper, official = (
        render_crop(image, landmarks, profile=profile, restorer=RESTORER, output_size=256)
        for profile in (PROFILES["paper"], PROFILES["official"])
    )
    energy = [np.diff(crop.astype(float), axis=1).std() for crop in (paper, official)]
    assert energy[0] < energy[1]
    assert skimage.metrics.peak_signal_noise_ratio(paper, official) > 30


@dataclass(frozen=True)
class _FarSighted(LanczosRestorer):
    """Is shown the whole photograph: what restoring in context must agree with."""

    margin_px: int = 10_000


@pytest.mark.parametrize("name", ["original.jpg", "face_in_corner.jpg", "rotated_35.jpg"])
def test_restoring_the_region_gives_the_pixels_of_restoring_the_photograph(
    samples: Path, name: str
) -> None:
    image, landmarks = _photograph(samples, name)
    near, far = (
        render_crop(image, landmarks, profile=PROFILES["paper"], restorer=restorer, output_size=256)
        for restorer in (RESTORER, _FarSighted())
    )
    assert np.array_equal(near, far)


@pytest.mark.parametrize("size", [64, 256, 1024])
def test_any_output_size(samples: Path, size: int) -> None:
    image, landmarks = _photograph(samples, "original.jpg")
    crop = render_crop(
        image, landmarks, profile=PROFILES["paper"], restorer=RESTORER, output_size=size
    )
    assert crop.shape == (size, size, 3)
    assert crop.std() > 20


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="'best'; there is: paper, official"):
        Profile.named("best")
    with pytest.raises(UsageError, match="'lancsos' .did you mean lanczos.*; there is: nets, "):
        open_restorer("lancsos")
    with pytest.raises(UsageError, match="--device cuda: the lanczos restorer runs on the CPU"):
        open_restorer("lanczos", device="cuda")

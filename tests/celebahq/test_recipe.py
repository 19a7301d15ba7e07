"""One photograph to its crop: against the authors' pictures, and against the plain program."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import skimage.metrics
import torch

from pgan_toolkit.arrays import Image, Landmarks
from pgan_toolkit.celebahq import PROFILES, Profile, read_landmarks, render_crop
from pgan_toolkit.errors import UsageError
from pgan_toolkit.imaging import Box, decode_image
from pgan_toolkit.restoration import LanczosRestorer, open_restorer
from pgan_toolkit.restoration.nets import NetRestorer
from pgan_toolkit.restoration.networks import RedNet, RedNetConfig, SRResNet, SRResNetConfig

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


class _RestoresAll(NetRestorer):
    """Is shown the whole photograph, restores all of it, and only then cuts the part out."""

    margin_px = 10_000

    def restore(self, image: Image, *, scale: int, region: Box | None = None) -> Image:
        whole = super().restore(image, scale=scale)
        if region is None:
            return whole
        left, top, right, bottom = (edge * scale for edge in region)
        return np.ascontiguousarray(whole[top:bottom, left:right])


def _random_nets() -> tuple[RedNet, SRResNet]:
    torch.manual_seed(0)
    red = RedNet(RedNetConfig(layers=4, maps=8))
    torch.nn.init.normal_(red.last.weight, std=0.01)
    return red.eval(), SRResNet(SRResNetConfig(blocks=2, maps=8)).eval()


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("original.jpg", 128),
        ("original.jpg", 700),
        ("face_in_corner.jpg", 400),
        ("rotated_35.jpg", 601),
        ("enlarged_2x.jpg", 64),
    ],
)
def test_networks_restore_the_region_as_in_the_whole_photograph(
    samples: Path, name: str, size: int, profile: Profile
) -> None:
    image, landmarks = _photograph(samples, name)
    # From an odd corner, so that the region begins between the squares that a network folds.
    image, landmarks = np.ascontiguousarray(image[1:, 3:]), landmarks - np.array([3, 1], np.float32)
    near, far = (
        render_crop(image, landmarks, profile=profile, restorer=restorer, output_size=size)
        for restorer in (
            cls(*_random_nets(), device=torch.device("cpu")) for cls in (NetRestorer, _RestoresAll)
        )
    )
    assert np.abs(near.astype(int) - far).max() <= 1


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
    with pytest.raises(UsageError, match=r"'lancsos' .did you mean lanczos.*; there is: nets, "):
        open_restorer("lancsos")
    with pytest.raises(UsageError, match="--device cuda: the lanczos restorer runs on the CPU"):
        open_restorer("lanczos", device="cuda")

"""VGG-16's maps against torchvision's, and the vectors that are made of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pgan_toolkit.metrics.networks import PixelFeatures, VggFeatures, seeded_tensors
from pgan_toolkit.metrics.networks.vgg import LAYERS, central_crop


@pytest.fixture(scope="module")
def oracle(oracles: Path) -> Any:
    return json.loads((oracles / "vgg16.json").read_text())


@pytest.fixture(scope="module")
def network() -> VggFeatures:
    made = VggFeatures()
    made.load_state_dict(seeded_tensors(made))
    return made.eval()


def _noise(count: int, *, size: tuple[int, int] = (64, 64), seed: int = 1) -> Tensor:
    random = np.random.default_rng(seed)
    return torch.from_numpy(random.integers(0, 256, (count, 3, *size), dtype=np.uint8))


def _normalised() -> Tensor:
    y, x = np.mgrid[:128, :128]
    image = np.stack([4 * x % 256, 5 * y % 256, (x * y // 8) % 256]).astype(np.float32)
    mean, deviation = (
        np.array(each, np.float32).reshape(3, 1, 1)
        for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    return torch.from_numpy((image / 255 - mean) / deviation)[None]


def test_the_tensors_are_those_of_the_public_file_but_for_the_classifier(
    network: VggFeatures, oracle: Any
) -> None:
    ours = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    rest = {name for name in oracle["tensors"] if name not in ours}
    assert ours.items() <= oracle["tensors"].items()
    assert len(ours) == 26
    assert all(name.startswith("classifier.") for name in rest)


def test_the_maps_are_those_of_the_other_module(network: VggFeatures, oracle: Any) -> None:
    with torch.inference_mode():
        found = network.maps(_normalised())
    for name, maps in zip(LAYERS, found, strict=True):
        expected = oracle["maps"][name]
        assert list(maps.shape[1:]) == expected["shape"]
        assert float(maps.double().norm()) == pytest.approx(expected["norm"], rel=1e-5)
        places = {
            "at [0, 3, 4]": (0, 3, 4),
            "at [-1, -2, 5]": (-1, -2, 5),
            "at [7, 0, 0]": (7, 0, 0),
        }
        for place, index in places.items():
            found_there = float(maps[(0, *index)])
            assert found_there == pytest.approx(expected[place], abs=1e-5 * float(maps.max()))


@torch.inference_mode()
def test_the_vector_is_as_described(network: VggFeatures) -> None:
    image = _noise(1, size=(128, 128))
    features, logits = network(image)
    assert features.shape == (1, 23_552)
    assert logits.shape == (1, 0)
    assert float(features.norm()) == pytest.approx(1, abs=1e-5)
    crop = image[:, :, 24:104, 24:104].float()
    values = functional.interpolate(crop, (128, 128), mode="bilinear", antialias=True) / 255
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    values = (values - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)
    parts = []
    for maps in network.maps(values):
        size = maps.shape[2] // 4
        cells = maps.unfold(2, size, size).unfold(3, size, size).mean(dim=(4, 5))
        parts.append((cells / cells.square().sum(dim=1, keepdim=True).sqrt()).flatten(1))
    expected = torch.cat(parts, dim=1) / 80**0.5
    torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-7)


@torch.inference_mode()
def test_distances_see_the_middle_alone(network: VggFeatures) -> None:
    image = _noise(1, size=(64, 64))
    framed = image.clone()
    framed[:, :, :12] = framed[:, :, 52:] = 0
    framed[..., :12] = framed[..., 52:] = 0
    inside = image.clone()
    inside[:, :, 30, 30] ^= 255
    for extractor in (network, PixelFeatures()):
        features = [extractor(each)[0] for each in (image, framed, inside)]
        assert torch.equal(features[0], features[1])
        assert not torch.equal(features[0], features[2])


def test_the_crop_keeps_five_eighths_and_means() -> None:
    ramp = torch.arange(64, dtype=torch.uint8).view(1, 1, 1, 64).expand(1, 3, 64, 64)
    cut = central_crop(ramp, size_px=40)
    assert torch.equal(cut, ramp[:, :, 12:52, 12:52].float())
    small = central_crop(ramp, size_px=8)
    assert float(small.mean()) == pytest.approx(31.5, abs=1e-3)
    assert central_crop(ramp[:, :, :1, :1], size_px=4).shape == (1, 3, 4, 4)


def test_a_reduced_checkerboard_is_grey() -> None:
    board = (torch.arange(256).view(1, -1) + torch.arange(256).view(-1, 1)) % 2 * 255
    cut = central_crop(board.to(torch.uint8).expand(1, 3, -1, -1), size_px=16)
    assert float((cut - 127.5).abs().max()) < 3


def test_pixel_distance_is_the_rms_of_grey_levels() -> None:
    dark, light = (torch.full((1, 3, 64, 64), value, dtype=torch.uint8) for value in (40, 47))
    one, other = (PixelFeatures()(image)[0] for image in (dark, light))
    assert one.shape == (1, 12_288)
    assert float((one - other).norm()) == pytest.approx(7, abs=1e-3)

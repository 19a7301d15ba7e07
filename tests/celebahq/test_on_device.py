"""The recipe in torch against the one by NumPy and OpenCV: pixels to a grey level, equal scores."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgan_toolkit.arrays import Image, Quad
from pgan_toolkit.celebahq import PROFILES, measure_quality, read_landmarks
from pgan_toolkit.celebahq.landmarks import check_landmarks
from pgan_toolkit.celebahq.on_device import SLOTS, DeviceRenderer, open_device_engine
from pgan_toolkit.celebahq.on_device.padding import faded_pad
from pgan_toolkit.celebahq.on_device.spectrum import measure_spectrum
from pgan_toolkit.celebahq.on_device.warping import box_warp
from pgan_toolkit.celebahq.pipelines import check_pipeline
from pgan_toolkit.celebahq.rendering import HostRenderer
from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.imaging import Box, Margins, decode_image, feathered_pad, warp_quad
from pgan_toolkit.restoration.nets import NetRestorer
from pgan_toolkit.restoration.networks import RedNet, RedNetConfig, SRResNet, SRResNetConfig

CPU = torch.device("cpu")
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """As in a worker; several wait for each other at every small operation."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _picture(generator: np.random.Generator, height: int, width: int) -> Image:
    """Noise over a slope: every grey level, and edges of one pixel."""
    slope = np.linspace(0, 200, width)[None, :, None] + generator.uniform(0, 55, (height, width, 3))
    return slope.astype(np.uint8)


def _tensor(image: Image, device: torch.device = CPU) -> torch.Tensor:
    return torch.tensor(image, device=device).permute(2, 0, 1).contiguous()


def _pixels(image: torch.Tensor) -> Image:
    return image.permute(1, 2, 0).cpu().numpy()


def _require_alike(found: Image, expected: Image, *, share: float) -> None:
    """No more than a grey level apart, and few pixels at all."""
    difference = np.abs(found.astype(int) - expected)
    assert found.shape == expected.shape
    assert difference.max() <= 1
    assert (difference > 0).mean() <= share


def _quad(generator: np.random.Generator, height: int, width: int) -> Quad:
    """A square of any angle and size, partly outside."""
    turn, half = generator.uniform(0, 2 * np.pi), generator.uniform(0.1, 0.8) * min(height, width)
    across = half * np.array([np.cos(turn), np.sin(turn)])
    down = np.array([-across[1], across[0]])
    centre = generator.uniform(0.3, 0.7, 2) * (width, height)
    return np.stack(
        [
            centre - across - down,
            centre - across + down,
            centre + across + down,
            centre + across - down,
        ]
    )


@settings(max_examples=12, deadline=None)
@given(seed=seeds, size=st.sampled_from([64, 68, 100, 256]))
def test_warp_is_the_host_s(seed: int, size: int) -> None:
    generator = np.random.default_rng(seed)
    image = _picture(generator, *generator.integers(2, 400, 2))
    quad = _quad(generator, *image.shape[:2])
    expected = warp_quad(image, quad, size=size, final_filter="box")
    _require_alike(_pixels(box_warp(_tensor(image), quad, size=size)), expected, share=0.01)


def test_a_warp_in_bands_is_the_warp_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(1)
    image = _tensor(_picture(generator, 90, 120))
    quad = _quad(generator, 90, 120)
    whole = box_warp(image, quad, size=64)
    monkeypatch.setattr("pgan_toolkit.celebahq.on_device.warping._BAND_SAMPLES", 5 * 4 * 4 * 64)
    _require_alike(_pixels(box_warp(image, quad, size=64)), _pixels(whole), share=0.002)


@settings(max_examples=12, deadline=None)
@given(seed=seeds, sigma_px=st.floats(0.5, 40))
def test_padding_is_the_host_s(seed: int, sigma_px: float) -> None:
    generator = np.random.default_rng(seed)
    image = _picture(generator, *generator.integers(1, 150, 2))
    margins = Margins(*(int(side) for side in generator.integers(1, 200, 4)))
    width = image.shape[1] + margins.left + margins.right
    height = image.shape[0] + margins.top + margins.bottom
    left, top = (int(generator.integers(0, length)) for length in (width, height))
    window = Box(left, top, width, int(generator.integers(top + 1, height + 1)))
    expected = feathered_pad(image, margins, sigma_px=sigma_px, window=window)
    found = faded_pad(_tensor(image), margins, sigma_px=sigma_px, window=window)
    _require_alike(_pixels(found), expected, share=0.05)


@pytest.mark.parametrize("grey", [0, 77, 255])
def test_a_picture_of_one_grey_stays_as_it_is(grey: int) -> None:
    image = np.full((80, 70, 3), grey, np.uint8)
    padded = faded_pad(_tensor(image), Margins(9, 30, 20, 5), sigma_px=7, window=Box(0, 0, 99, 115))
    assert (padded == grey).all()
    assert (box_warp(padded, _quad(np.random.default_rng(2), 115, 99), size=64) == grey).all()


@pytest.mark.parametrize("size", [(64, 64), (100, 131), (256, 256)])
def test_scores_are_the_host_s_in_every_part(size: tuple[int, int]) -> None:
    generator = np.random.default_rng(3)
    noise = generator.integers(0, 256, (*size, 3), dtype=np.uint8)
    blocks = _picture(generator, *size)
    blocks[::8] //= 2  # a lattice, for the part of the score that looks for one
    for image in (noise, blocks):
        expected = measure_quality(image)
        measured = measure_spectrum(_tensor(image))
        found = measured.report(measured.sums)
        assert vars(found) == pytest.approx(vars(expected), abs=2e-3)


def test_a_blank_picture_has_a_score_of_zero_and_a_small_one_has_none() -> None:
    measured = measure_spectrum(_tensor(np.full((64, 64, 3), 9, np.uint8)))
    assert measured.report(measured.sums).score == 0
    with pytest.raises(DataError, match="63x64"):
        measure_spectrum(_tensor(np.zeros((64, 63, 3), np.uint8)))


def _restorer(device: torch.device = CPU) -> NetRestorer:
    """Small nets of random weights: what they do is alike on both paths, whatever it is."""
    torch.manual_seed(4)
    return NetRestorer(
        RedNet(RedNetConfig(layers=2, maps=4)),
        SRResNet(SRResNetConfig(blocks=1, maps=4)),
        device=device,
    )


def _require_one_recipe(folder: Path, restorer: NetRestorer, *, size: int) -> list[str]:
    """Compare crops and scores of a folder; return the names by score."""
    host = HostRenderer(PROFILES["paper"], restorer, output_size=size)
    device = DeviceRenderer(PROFILES["paper"], restorer, output_size=size)
    scores: dict[str, tuple[float, float]] = {}
    for name, landmarks in read_landmarks(folder / "Anno" / "list_landmarks_celeba.txt").items():
        path = folder / "img_celeba" / name
        try:
            image = decode_image(path.read_bytes(), name=name, apply_orientation=False)
        except (DataError, FileNotFoundError):
            continue
        if check_landmarks(landmarks, size=image.shape[:2]):
            continue
        expected = host.render_scored(image, landmarks)
        found = device.render_scored(image, landmarks)
        _require_alike(found.crop, expected.crop, share=0.002)
        assert np.array_equal(device.render(image, landmarks), found.crop)
        assert found.score == pytest.approx(expected.score, abs=0.05)
        scores[name] = (expected.score, found.score)
    by_host = sorted(scores, key=lambda name: scores[name][0])
    for worse, better in pairwise(by_host):
        # One pixel that lies between two levels moves the score of so small a crop by this.
        apart = scores[better][0] - scores[worse][0] > 0.05
        assert not apart or scores[better][1] > scores[worse][1]
    return by_host


def test_crops_and_ranking_of_the_samples_are_the_host_s(samples: Path) -> None:
    assert len(_require_one_recipe(samples, _restorer(), size=68)) == 30


@pytest.mark.parametrize(
    ("visible", "count", "device", "gpus"),
    [
        (None, 2, "cuda", ["0", "1"]),
        ("2, 5", 2, "cuda", ["2", "5"]),
        ("GPU-1a,GPU-2b,7", 2, "cuda", ["GPU-1a", "GPU-2b"]),
        (None, 2, "cuda:1", [None]),
        (None, 0, "cpu", [None]),
    ],
)
def test_every_gpu_that_may_be_used_gets_a_process(
    monkeypatch: pytest.MonkeyPatch,
    visible: str | None,
    count: int,
    device: str,
    gpus: list[str | None],
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    engine = open_device_engine(device, workers=5)
    assert [each.get("CUDA_VISIBLE_DEVICES") for each in engine.environments] == gpus
    assert engine.workers == len(gpus) * (-(-5 // len(gpus)) + SLOTS)


@pytest.mark.usefixtures("cuda")
def test_on_cuda_too(samples: Path) -> None:
    assert len(_require_one_recipe(samples, _restorer(torch.device("cuda")), size=132)) == 30


@pytest.mark.slow
@pytest.mark.shared_data
def test_crops_and_ranking_of_real_photographs_are_the_host_s(shared_data: Path) -> None:
    restorer = NetRestorer(None, None, device=CPU)
    assert len(_require_one_recipe(shared_data / "celeba_wild", restorer, size=256)) == 83


@pytest.mark.parametrize(("profile", "restorer"), [("official", "nets"), ("paper", "lanczos")])
def test_a_device_pipeline_that_there_is_not_is_refused(profile: str, restorer: str) -> None:
    with pytest.raises(UsageError, match="host"):
        check_pipeline("device", profile=PROFILES[profile], restorer_spec=restorer)

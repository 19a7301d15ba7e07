import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.metrics import structural_similarity
from pgan_toolkit.metrics.ms_ssim import MsSsim, ms_ssim, ms_ssim_of_pairs

Images = np.ndarray


def noise(seed: int, count: int, height: int, width: int | None = None) -> Images:
    shape = (count, 3, height, width or height)
    return np.random.RandomState(seed).randint(0, 256, shape).astype(np.uint8)


def blocky(seed: int, count: int, size: int) -> Images:
    random = np.random.RandomState(seed)
    blocks = random.uniform(0, 192, (count, 3, size // 8, size // 8))
    blocks = blocks.repeat(8, axis=2).repeat(8, axis=3)
    return np.clip(blocks + random.uniform(0, 63, (count, 3, size, size)), 0, 255).astype(np.uint8)


def related(seed: int, height: int, width: int) -> tuple[Images, Images]:
    """Pictures and their darker, noisy versions."""
    clean = noise(seed, 3, height, width)
    added = np.random.RandomState(seed + 1).randint(0, 128, clean.shape)
    return clean, (clean // 2 + added).astype(np.uint8)


# By the authors' published program.
AUTHORS = [
    (blocky, 11, 16, 0.1677744145496069),
    (noise, 12, 16, 0.07372187539309273),
    (blocky, 11, 32, 0.09274876303989026),
    (noise, 12, 32, 0.05465626850753669),
    (blocky, 11, 64, 0.028323949636183527),
    (noise, 12, 64, 0.07174688451326623),
    (blocky, 11, 128, 0.037841539586082405),
    (noise, 12, 128, 0.08401740542836886),
    (blocky, 11, 256, 0.004273948542540347),
    (noise, 12, 256, 0.08604571324663016),
]


@pytest.mark.parametrize(("make", "seed", "size", "expected"), AUTHORS)
def test_the_authors_values(
    make: Callable[[int, int, int], Images], seed: int, size: int, expected: float
) -> None:
    assert ms_ssim(make(seed, 20, size)).value == pytest.approx(expected, abs=1e-5)


def test_the_authors_value_of_slightly_changed_pictures() -> None:
    images = blocky(11, 10, 128)
    change = np.random.RandomState(13).randint(-20, 21, images.shape)
    changed = np.clip(images + change, 0, 255).astype(np.uint8)
    found = ms_ssim_of_pairs(images, changed).mean()
    assert found == pytest.approx(0.9923093540333043, abs=1e-5)


def test_white_against_black_is_the_closed_form() -> None:
    white = np.full((1, 3, 64, 64), 255, np.uint8)
    c1 = 2.55**2
    expected = (c1 / (255**2 + c1)) ** 0.1333
    assert ms_ssim_of_pairs(white, 0 * white)[0] == pytest.approx(expected, rel=1e-9)
    assert expected == pytest.approx(0.2929504781, abs=1e-10)


# By pytorch-msssim 1.0.0 in float64.
STANDARD = [
    (161, 161, [0.7276657872451424, 0.7221069932747811, 0.735892987971776]),
    (176, 161, [0.7325587542854599, 0.734036593161436, 0.7249144273724263]),
    (167, 331, [0.7319317791296177, 0.7318465475850323, 0.7275171222332709]),
    (192, 256, [0.725641617712499, 0.7249507799517971, 0.7286601623924372]),
]


@pytest.mark.parametrize(("height", "width", "expected"), STANDARD)
def test_the_standard_convention_is_pytorch_msssim(
    height: int, width: int, expected: list[float]
) -> None:
    found = ms_ssim_of_pairs(*related(5, height, width), convention="standard")
    assert found == pytest.approx(expected, abs=1e-5)


def reference(a: Images, b: Images) -> np.ndarray:
    """The definition in float64, one window position after the other along each axis."""
    values = np.ones(len(a))
    x, y = a.astype(np.float64), b.astype(np.float64)
    for level, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        size = min(11, *x.shape[2:])
        offsets = np.arange(size) - (size - 1) / 2
        window = np.exp(-(offsets**2) / (2 * (1.5 * size / 11) ** 2))
        window = np.outer(window, window) / window.sum() ** 2

        def mean(plane: np.ndarray, window: np.ndarray = window) -> np.ndarray:
            return np.einsum(
                "pchwij,ij->pchw",
                np.lib.stride_tricks.sliding_window_view(plane, window.shape, axis=(2, 3)),
                window,
            )

        mx, my = mean(x), mean(y)
        vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
        contrast = (2 * cov + 58.5225) / (vx + vy + 58.5225)
        luminance = (2 * mx * my + 6.5025) / (mx**2 + my**2 + 6.5025)
        term = contrast * luminance if level == 4 else contrast
        values *= term.mean((1, 2, 3)).clip(0) ** weight
        if level < 4:
            x, y = (halved(side) for side in (x, y))
    return values


def halved(x: np.ndarray) -> np.ndarray:
    x = np.pad(x, [(0, 0), (0, 0), (0, x.shape[2] % 2), (0, x.shape[3] % 2)], mode="edge")
    count, _, height, width = x.shape
    return x.reshape(count, 3, height // 2, 2, width // 2, 2).mean((3, 5))


@pytest.mark.parametrize("size", [(16, 16), (17, 16), (24, 50), (33, 65), (48, 16), (96, 80)])
def test_any_sides_agree_with_the_definition(size: tuple[int, int]) -> None:
    a, b = related(5, *size)
    assert ms_ssim_of_pairs(a, b) == pytest.approx(reference(a, b), abs=2e-6)


def test_flat_areas_of_the_highest_contrast_are_the_worst_case() -> None:
    tiles = np.random.RandomState(0).randint(0, 2, (2, 4, 3, 3, 3)) * 255
    a, b = tiles.repeat(32, axis=3).repeat(32, axis=4).astype(np.uint8)
    assert ms_ssim_of_pairs(a, b) == pytest.approx(reference(a, b), abs=2e-5)


def test_faint_noise_keeps_the_accuracy() -> None:
    a, b = (230 + noise(seed, 4, 64) // 86 for seed in (1, 2))
    assert ms_ssim_of_pairs(a, b) == pytest.approx(reference(a, b), abs=1e-6)


@pytest.mark.parametrize("convention", ["paper", "standard"])
def test_a_picture_is_like_itself_to_the_last_bit(convention: str) -> None:
    images = noise(1, 3, 176)
    assert ms_ssim_of_pairs(images, images, convention=convention).tolist() == [1.0] * 3


def test_order_within_a_pair_does_not_matter() -> None:
    a, b = related(7, 40, 40)
    assert ms_ssim_of_pairs(a, b) == pytest.approx(ms_ssim_of_pairs(b, a), rel=1e-9)


def test_transposed_pictures_are_as_alike() -> None:
    a, b = related(7, 40, 72)
    turned = ms_ssim_of_pairs(a.swapaxes(2, 3).copy(), b.swapaxes(2, 3).copy())
    assert ms_ssim_of_pairs(a, b) == pytest.approx(turned, abs=1e-6)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_constant_pictures_are_alike(level: int) -> None:
    assert ms_ssim(np.full((4, 3, 32, 32), level, np.uint8)).value == 1.0


def test_opposite_pictures_are_as_unlike_as_can_be() -> None:
    a = noise(1, 2, 64)
    assert ms_ssim_of_pairs(a, 255 - a).tolist() == [0.0, 0.0]


@given(st.data())
@settings(max_examples=20, deadline=None)
def test_no_splitting_moves_the_last_bit(data: st.DataObject) -> None:
    images = noise(1, 300, 16)
    cuts = sorted(data.draw(st.sets(st.integers(1, 299), max_size=6)))
    starts = [0, *cuts]
    parts = data.draw(st.permutations(list(zip(starts, [*cuts, 300], strict=True))))
    accumulators = [MsSsim(), MsSsim(), MsSsim()]
    for start, stop in parts:
        chosen = data.draw(st.sampled_from(accumulators))
        chosen.update(images[start:stop], first=start)
    whole = pickle.loads(pickle.dumps(accumulators[0]))
    for other in accumulators[1:]:
        whole.merge(other)
    assert whole.compute() == ms_ssim(images)


def test_one_image_at_a_time_is_one_pass() -> None:
    images = noise(1, 40, 128)
    single = MsSsim()
    for image in images:
        single.update(image[None])
    assert single.compute() == ms_ssim(images)
    pairs = ms_ssim_of_pairs(images[0::2], images[1::2])
    assert single.pair_values().tolist() == pairs.tolist()


def test_a_result_can_be_had_on_the_way() -> None:
    images = noise(1, 8, 32)
    accumulator = MsSsim()
    accumulator.update(images[:3])
    assert accumulator.compute().value == ms_ssim(images[:2]).value
    accumulator.update(images[3:])
    assert accumulator.compute() == ms_ssim(images)


def test_the_standard_error_is_over_pairs() -> None:
    images = noise(1, 8, 32)
    values = ms_ssim_of_pairs(images[0::2], images[1::2])
    result = ms_ssim(images)
    assert result.standard_error == pytest.approx(values.std(ddof=1) / 2)
    assert result.uncertainty == "4 pairs"
    assert ms_ssim(images[:2]).standard_error is None


def test_an_image_without_partner_is_left_out_and_said() -> None:
    images = noise(1, 5, 32)
    result = ms_ssim(images)
    assert result.value == ms_ssim(images[:4]).value
    assert result.images == {"fake": 5}
    assert result.warnings == (
        "5 images: the protocol takes 20,000",
        "1 image left out for want of a partner",
    )


def test_tensors_and_arrays_are_the_same() -> None:
    images = noise(1, 4, 32)
    assert ms_ssim(torch.from_numpy(images)) == ms_ssim(images)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_images(count: int) -> None:
    with pytest.raises(DataError, match=f"{count} images?, no two that follow each other"):
        ms_ssim(noise(1, count, 32))


@pytest.mark.parametrize(
    ("size", "convention", "message"),
    [
        ((15, 64), "paper", "images of 64x15; expected sides of 16 pixels or more"),
        ((200, 160), "standard", "images of 160x200; expected sides of 161 .* 'paper' takes 16"),
    ],
)
def test_too_small_images(size: tuple[int, int], convention: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        ms_ssim(noise(1, 2, *size), convention=convention)


def test_mixed_sizes() -> None:
    accumulator = MsSsim()
    accumulator.update(noise(1, 2, 32))
    with pytest.raises(DataError, match="an image of 64x64 among images of 32x32"):
        accumulator.update(noise(1, 2, 64))
    with pytest.raises(DataError, match="expected equal shapes"):
        ms_ssim_of_pairs(noise(1, 2, 32), noise(1, 3, 32))


def test_an_image_cannot_come_twice() -> None:
    accumulator, other = MsSsim(), MsSsim()
    accumulator.update(noise(1, 2, 32))
    other.update(noise(1, 2, 32))
    with pytest.raises(UsageError, match="taken before"):
        accumulator.merge(other)


def test_conventions_do_not_mix() -> None:
    with pytest.raises(UsageError, match="paper cannot take over standard"):
        MsSsim().merge(MsSsim(convention="standard"))


def test_the_precision_that_a_program_has_set_moves_nothing() -> None:
    images = noise(3, 8, 64)
    expected = ms_ssim(images)
    with torch.autocast("cpu", torch.bfloat16):
        assert ms_ssim(images) == expected
    conv = getattr(torch.backends.cudnn, "conv", None)
    if conv is None:
        return  # torch before 2.9 has one setting alone
    before = conv.fp32_precision
    conv.fp32_precision = "ieee"  # where older settings of torch cannot be read any more
    try:
        assert ms_ssim(images) == expected
    finally:
        conv.fp32_precision = before


def test_a_device_without_memory_takes_fewer_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    terms, tried = structural_similarity._terms, []
    room = 10

    def limited(x: torch.Tensor, *others: Any) -> torch.Tensor:
        tried.append(len(x))
        if len(x) > room:
            raise torch.OutOfMemoryError("no room")
        return terms(x, *others)

    images = noise(1, 64, 128)
    expected = ms_ssim(images).value
    monkeypatch.setattr(structural_similarity, "_terms", limited)
    monkeypatch.setattr(structural_similarity, "_PIXELS_IN_CACHE", 2**30)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert ms_ssim(images).value == pytest.approx(expected, abs=1e-7)
    finally:
        torch.set_num_threads(threads)
    assert tried == [16, 8, 8] * 2
    room = 0
    with pytest.raises(torch.OutOfMemoryError):
        ms_ssim(images)

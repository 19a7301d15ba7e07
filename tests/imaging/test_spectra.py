"""Power spectra: scaling, symmetry, and what peaks and lattices do to them."""

import io

import numpy as np
import PIL.Image
import pytest
import scipy.fft
from hypothesis import given, settings
from hypothesis import strategies as st

from pgan_toolkit import imaging
from pgan_toolkit.arrays import Plane


def _noise(size: tuple[int, int] = (256, 256), *, sigma: float = 10, seed: int = 0) -> Plane:
    return np.random.default_rng(seed).normal(128, sigma, size).astype(np.float32)


def _photo(size: int = 256) -> Plane:
    skimage_data = pytest.importorskip("skimage.data")
    image = np.ascontiguousarray(skimage_data.astronaut()[:size, 100 : 100 + size])
    return imaging.luma(image)


def _wave(size: int, *, period_px: float, angle_deg: float) -> Plane:
    y, x = np.mgrid[:size, :size]
    turn = np.radians(angle_deg)
    phase = (x * np.cos(turn) + y * np.sin(turn)) * 2 * np.pi / period_px
    return np.asarray(128 + 20 * np.cos(phase), np.float32)


def test_luma_is_rec_601_and_not_rounded() -> None:
    image = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 20, 31]]], np.uint8)
    expected = [0.299 * 255, 0.587 * 255, 0.114 * 255, 0.299 * 10 + 0.587 * 20 + 0.114 * 31]
    np.testing.assert_allclose(imaging.luma(image)[0], expected, atol=1e-4)


def test_power_spectrum_agrees_with_numpy_on_a_plain_formula() -> None:
    plane = _photo(64)
    hann = np.sin(np.pi * (np.arange(64) + 0.5) / 64) ** 2
    window = np.outer(hann, hann)
    centred = (plane - np.average(plane, weights=window)) * window
    expected = np.abs(np.fft.rfft2(centred)) ** 2 / (window**2).sum()
    power, variance = imaging.power_spectrum(plane)
    np.testing.assert_allclose(power, expected, rtol=1e-3, atol=1e-3 * expected.mean())
    assert variance == pytest.approx((centred**2).sum() / (window**2).sum(), rel=1e-5)


@pytest.mark.parametrize("size", [(512, 512), (400, 601)])
def test_white_noise_has_a_flat_symmetric_spectrum_of_its_variance(size: tuple[int, int]) -> None:
    power, variance = imaging.power_spectrum(_noise(size, sigma=10))
    spectrum = imaging.ring_spectrum(power, width=size[1])
    assert variance == pytest.approx(100, rel=0.05)
    np.testing.assert_allclose(spectrum.mean[4:], 100, rtol=0.15)
    np.testing.assert_allclose(spectrum.log_mean[12:], np.log(100), atol=0.25)
    np.testing.assert_allclose(spectrum.asymmetry[6:], 0, atol=0.1)


def test_rings_cover_four_octaves() -> None:
    frequencies = imaging.ring_frequencies()
    assert len(frequencies) == imaging.RING_COUNT
    np.testing.assert_allclose(frequencies[1:] / frequencies[:-1], 2**0.25)
    assert frequencies[0] > 1 / 32
    assert frequencies[-1] < 1 / 2


@pytest.mark.parametrize(("period", "angle"), [(4, 0), (4, 90), (5.3, 15), (10, 60)])
def test_a_wave_is_found_in_its_ring_and_direction(period: float, angle: float) -> None:
    power, _ = imaging.power_spectrum(_wave(512, period_px=period, angle_deg=angle))
    spectrum = imaging.ring_spectrum(power, width=512)
    ring = int(np.argmax(spectrum.mean))
    assert imaging.ring_frequencies()[ring] == pytest.approx(1 / period, rel=0.1)
    assert spectrum.asymmetry[ring] > 2
    sector = int(np.argmax(spectrum.log_mean[ring]))
    assert sector == round(angle / 22.5) % imaging.SECTOR_COUNT


def test_power_is_complete() -> None:
    """Parseval: the mean power over all frequencies is the variance."""
    plane = _photo()
    power, variance = imaging.power_spectrum(plane)
    doubled = np.full(power.shape[1], 2.0)
    doubled[[0, -1]] = 1
    assert (power * doubled).sum() / plane.size == pytest.approx(variance, rel=1e-4)


@pytest.mark.parametrize("turned", [np.fliplr, np.flipud, np.transpose, np.rot90])
def test_mirroring_and_turning_permute_sectors_only(turned: object) -> None:
    plane = _photo()
    other = np.ascontiguousarray(turned(plane))  # type: ignore[operator]
    a = imaging.ring_spectrum(imaging.power_spectrum(plane)[0], width=256)
    b = imaging.ring_spectrum(imaging.power_spectrum(other)[0], width=256)
    np.testing.assert_allclose(a.mean, b.mean, rtol=1e-4)
    np.testing.assert_allclose(a.asymmetry, b.asymmetry, atol=1e-4)
    full = ~np.isnan(a.log_mean).any(axis=1)
    np.testing.assert_allclose(
        np.sort(a.log_mean[full], axis=1), np.sort(b.log_mean[full], axis=1), atol=1e-3
    )
    assert imaging.lattice_share(plane) == pytest.approx(imaging.lattice_share(other), abs=1e-4)
    np.testing.assert_allclose(
        np.sort(imaging.tile_band_power(plane), axis=0),
        np.sort(imaging.tile_band_power(other), axis=0),
        rtol=1e-3,
    )


@settings(max_examples=10, deadline=None)
@given(scale=st.floats(0.01, 100), offset=st.floats(-100, 100))
def test_lattice_share_sees_neither_scale_nor_offset(scale: float, offset: float) -> None:
    plane = _photo(128)
    other = (plane * np.float32(scale) + np.float32(offset)).astype(np.float32)
    assert imaging.lattice_share(other) == pytest.approx(imaging.lattice_share(plane), abs=2e-3)


def test_tiles_of_white_noise_have_its_variance_and_smooth_tiles_none() -> None:
    plane = np.full((128, 160), 128, np.float32)
    plane[:, 96:] = _noise((128, 64), sigma=5)
    power = imaging.tile_band_power(plane)
    assert power.shape == (4 * 5, 3)
    by_place = power.reshape(4, 5, 3)
    np.testing.assert_allclose(by_place[:, 3:].mean(axis=(0, 1)), 25, rtol=0.15)
    np.testing.assert_allclose(by_place[:, :3], 0, atol=1e-6)


@pytest.mark.parametrize(("period", "octave"), [(10, 0), (5.7, 1), (2.8, 2)])
def test_tile_bands_are_the_three_upper_octaves(period: float, octave: int) -> None:
    wave = _wave(128, period_px=period, angle_deg=30)
    power = imaging.tile_band_power(wave).mean(axis=0)
    assert power[octave] > 20 * np.delete(power, octave).max()


def test_an_uneven_remainder_of_tiles_is_left_out() -> None:
    assert imaging.tile_band_power(_noise((70, 100))).shape == (2 * 3, 3)


@pytest.mark.parametrize("plane", [np.zeros((64, 64)), _noise((512, 512)), _photo()])
def test_no_lattice_in_noise_or_constants_or_photographs(plane: Plane) -> None:
    assert imaging.lattice_share(plane.astype(np.float32)) < 0.01


@pytest.mark.parametrize("factor", [1.0, 1.4])
def test_jpeg_blocks_are_a_lattice_at_any_pitch(factor: float) -> None:
    skimage_data = pytest.importorskip("skimage.data")
    picture = PIL.Image.fromarray(skimage_data.astronaut())
    shares = []
    for quality in (95, 50, 20):
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality)
        size = (round(512 * factor), round(512 * factor))
        coded = PIL.Image.open(buffer).convert("RGB").resize(size, PIL.Image.Resampling.BICUBIC)
        shares.append(imaging.lattice_share(imaging.luma(np.asarray(coded).copy())))
    assert shares[0] < shares[1] < shares[2]
    assert shares[2] > 0.03


def _blocks(size: int, *, flat: float, seed: int = 0) -> Plane:
    """Fine noise on 8x8 blocks of unequal brightness, of which a part `flat` has no noise."""
    generator = np.random.default_rng(seed)
    steps = generator.normal(0, 3, (size // 8, size // 8))
    alive = generator.random((size // 8, size // 8)) >= flat
    noise = generator.normal(0, 1, (size, size))
    grown = [np.kron(plane, np.ones((8, 8))) for plane in (steps, alive)]
    return np.asarray(128 + grown[0] + grown[1] * noise, np.float32)


def test_a_lattice_counts_by_the_part_of_the_picture_that_is_not_flat() -> None:
    shares = [imaging.lattice_share(_blocks(512, flat=flat)) for flat in (0.0, 0.3, 0.6, 0.9)]
    assert shares == sorted(shares)
    assert shares[3] > 1.5 * shares[0]
    assert shares[3] <= 1


def test_a_flat_background_makes_no_lattice_worse() -> None:
    """A lattice beside a background without any detail is the lattice that it is alone."""
    blocks = _blocks(512, flat=0.3)
    y, x = np.mgrid[:512, :512]
    white = np.clip((np.hypot(x - 256, y - 256) - 160) / 40, 0, 1)  # 61 % of the picture
    framed = np.asarray(blocks * (1 - white) + 255 * white, np.float32)
    alone = imaging.lattice_share(blocks)
    assert imaging.lattice_share(framed) == pytest.approx(alone, rel=0.35)


def test_constants_give_finite_logarithms() -> None:
    power, variance = imaging.power_spectrum(np.full((64, 64), 200, np.float32))
    spectrum = imaging.ring_spectrum(power, width=64)
    assert variance == pytest.approx(0, abs=1e-6)
    assert not np.isinf(spectrum.log_mean).any()
    assert not np.isinf(spectrum.asymmetry).any()


def test_spectrum_layout_is_that_of_scipy() -> None:
    power, _ = imaging.power_spectrum(_noise((64, 96)))
    assert power.shape == (64, len(scipy.fft.rfftfreq(96)))

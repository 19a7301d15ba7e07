"""The walk through the latent space: on the sphere, smooth, and without a seam."""

import numpy as np
import pytest
from tiny_generator import LATENT_SIZE, sampler_of, tiny_sampler

from pgan_toolkit.errors import UsageError
from pgan_toolkit.randomness import generator
from reference_trainer.sampling.walk import latent_walk, walk_frames


def walk(frames: int = 600, *, sigma: float = 45.0, walkers: int = 2, seed: int = 0) -> np.ndarray:
    return latent_walk(frames, walkers=walkers, latent_size=64, sigma_frames=sigma, seed=seed)


def test_every_vector_has_root_mean_square_1() -> None:
    ways = walk()
    assert ways.shape == (600, 2, 64)
    assert ways.dtype == np.float32
    assert np.abs(np.sqrt((ways.astype(np.float64) ** 2).mean(axis=2)) - 1).max() < 1e-6


def test_it_is_noise_blurred_around_a_circle() -> None:
    """The same by a product of spectra, with the Gaussian cut at 4 sigma as scipy has it."""
    noise = generator(3, "latent walk", 0).standard_normal((600, 64))
    place = np.arange(-180, 181)
    weights = np.exp(-(place**2) / (2 * 45.0**2))
    kernel = np.zeros(600)
    np.add.at(kernel, place % 600, weights / weights.sum())
    smooth = np.fft.ifft(np.fft.fft(noise, axis=0) * np.fft.fft(kernel)[:, None], axis=0).real
    expected = smooth / np.sqrt((smooth**2).mean(axis=1, keepdims=True))
    assert np.abs(walk(seed=3)[:, 0] - expected).max() < 1e-6


def test_it_ends_where_it_began() -> None:
    ways = walk().astype(np.float64)
    steps = np.sqrt(((np.roll(ways, -1, axis=0) - ways) ** 2).mean(axis=2))
    seam, inside = steps[-1], steps[:-1]
    assert (seam < inside.max(axis=0)).all()
    # Of noise blurred by sigma, a step has the mean square 1 / (2 sigma^2).
    assert np.sqrt((steps**2).mean()) == pytest.approx(1 / (np.sqrt(2) * 45), rel=0.15)


def test_more_smoothing_is_slower() -> None:
    slow, fast = (np.abs(np.diff(walk(sigma=sigma), axis=0)).mean() for sigma in (45.0, 15.0))
    assert slow * 2 < fast


def test_walkers_and_seeds_differ_and_do_not_disturb_each_other() -> None:
    ways = walk()
    assert np.abs(ways[:, 0] - ways[:, 1]).mean() > 0.5
    assert np.array_equal(ways[:, :1], walk(walkers=1))
    assert np.abs(ways - walk(seed=1)).mean() > 0.5


def test_a_loop_no_longer_than_the_smoothing_still_closes() -> None:
    ways = walk(45)
    assert np.isfinite(ways).all()
    assert np.abs(ways - ways[0]).max() < 0.01


@pytest.mark.parametrize("sigma", [45.1, 6e8])
def test_smoothing_beyond_the_loop_is_refused(sigma: float) -> None:
    """Of 10^7 seconds: it would take the memory of the whole machine."""
    with pytest.raises(UsageError, match=r"45 frames smoothed over .*--smoothing-seconds"):
        walk(45, sigma=sigma)


@pytest.mark.parametrize(("frames", "sigma"), [(0, 45.0), (10, 0.0), (10, -1.0), (10, np.nan)])
def test_impossible_walks_are_refused(frames: int, sigma: float) -> None:
    with pytest.raises(UsageError, match="expected"):
        latent_walk(frames, walkers=1, latent_size=4, sigma_frames=float(sigma), seed=0)


def test_frames_are_grids_of_the_walkers_pictures() -> None:
    ways = latent_walk(3, walkers=6, latent_size=LATENT_SIZE, sigma_frames=2.0, seed=0)
    frames = list(walk_frames(tiny_sampler(), ways, columns=3))
    # 2 rows of 16 pixels are replicated 8 times to reach 256.
    assert [frame.shape for frame in frames] == [(256, 384, 3)] * 3
    import torch

    last = tiny_sampler().pictures(torch.from_numpy(ways[2]))
    corner = frames[2][-128::8, -128::8]
    assert np.array_equal(corner, last[5].permute(1, 2, 0).numpy())


def test_frames_of_one_class() -> None:
    ways = latent_walk(1, walkers=2, latent_size=LATENT_SIZE, sigma_frames=1.0, seed=0)
    sampler = sampler_of(label_count=3)
    one, turns = (next(walk_frames(sampler, ways, columns=2, label=k)) for k in (0, None))
    assert np.array_equal(one[:, :256], turns[:, :256])
    assert not np.array_equal(one[:, 256:], turns[:, 256:])
    with pytest.raises(UsageError, match="3 classes; expected 0 to 2"):
        next(walk_frames(sampler, ways, columns=2, label=3))

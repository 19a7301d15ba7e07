"""A fresh net learns something within a few seconds, on real pictures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from skimage.metrics import peak_signal_noise_ratio

from pgan_toolkit.imaging import encode_png
from pgan_toolkit.restoration.networks import RedNetConfig
from pgan_toolkit.restoration.training import JpegDegradation, preset, train_restorer
from pgan_toolkit.restoration.training.pictures import CropPairs
from pgan_toolkit.restoration.weights import load_network
from pgan_toolkit.storage import open_source


def _mean_psnr_db(images: np.ndarray, clean: np.ndarray) -> float:
    pairs = zip(clean, images, strict=True)
    return float(np.mean([peak_signal_noise_ratio(a, b, data_range=1) for a, b in pairs]))


@pytest.mark.slow
def test_a_fresh_jpeg_net_comes_to_remove_artifacts_and_spares_clean_pictures(
    tmp_path: Path,
) -> None:
    """It once kept still for good: what little it changed did harm to the clean crops first."""
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    (photographs / "astronaut.png").write_bytes(encode_png(skimage.data.astronaut()))
    (photographs / "chelsea.png").write_bytes(encode_png(skimage.data.chelsea()))
    settings = replace(
        preset("cpu", task="jpeg"),
        network=RedNetConfig(layers=6, maps=24),
        degradation=JpegDegradation(quality=(10, 20)),
        steps=500,
        rough_steps=200,
        minibatch_size=8,
        crop_px=48,
        learning_rate=2e-3,
        warmup_steps=20,
        ema_halflife_steps=20,
    )
    weights = train_restorer(settings, data=photographs, out=tmp_path / "run", mode="quiet")
    network = load_network(weights, task="jpeg")
    for degradation, least_db in (
        (JpegDegradation(quality=(10, 20), untouched_share=0, twice_share=0), 0.1),
        (JpegDegradation(quality=(98, 98), untouched_share=0, twice_share=0), -0.5),
    ):
        pairs = CropPairs(open_source(photographs), degradation, crop_px=96, seed=1)
        given, clean = (
            np.stack(images) / 255 for images in zip(*map(pairs.pair, range(16)), strict=True)
        )
        with torch.no_grad():
            restored = network(torch.from_numpy(given).permute(0, 3, 1, 2).float())
        images = restored.clamp(0, 1).permute(0, 2, 3, 1).numpy()
        assert _mean_psnr_db(images, clean) > _mean_psnr_db(given, clean) + least_db

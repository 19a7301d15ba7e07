"""How far other packages' numbers are from ours on the same seeded inputs, and from each other.

    python benchmarks/other_packages.py [--json result.json] [--features]

Every package is called by its public function where it has one that takes tensors. What is not
installed is left out, and the result says so. --features also runs the Inception networks, with
seeded random weights: they show how packages prepare pictures, not what trained weights make of it.
"""

import argparse
import importlib
import importlib.metadata
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from other_packages_inputs import (
    Images,
    Row,
    Rows,
    blocky,
    called,
    features,
    load,
    noise,
    of_many_contrasts,
)
from other_packages_networks import feature_rows
from plain_swd import cut, descriptors, distance, pyramid

from pgan_toolkit.metrics.frechet import frechet_distance
from pgan_toolkit.metrics.inception_score import inception_score
from pgan_toolkit.metrics.kid import kernel_distance
from pgan_toolkit.metrics.manifold import precision_recall
from pgan_toolkit.metrics.ms_ssim import ms_ssim_of_pairs
from pgan_toolkit.metrics.swd import sliced_wasserstein_distance

PACKAGES = (
    "clean-fid",
    "piq",
    "pytorch-fid",
    "pytorch-msssim",
    "torch-fidelity",
    "torchmetrics",
)
SIZES = (64, 128, 256)


def main() -> None:
    """Measure, print and, if asked, write the result."""
    warnings.simplefilter("ignore")  # theirs
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--features", action="store_true", help="the networks, too: minutes")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result: dict[str, Any] = {
        "versions": versions(),
        "ms_ssim": ms_ssim_rows(),
        "swd": swd_rows(),
        "frechet_distance": frechet_rows(),
        "kernel_distance": kid_rows(),
        "inception_score": score_rows(),
        "precision_recall": manifold_rows(),
    }
    if options.features:
        result["prepared_pictures"] = feature_rows()
    text = json.dumps(result, indent=1)
    print(text)
    if options.json:
        options.json.write_text(f"{text}\n")


def versions() -> dict[str, str]:
    """What is compared, and what decides numbers besides."""
    found = {}
    for name in (*PACKAGES, "numpy", "scipy", "torch"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed: left out"
    return found


def ms_ssim_rows() -> dict[str, Row]:
    """Mean MS-SSIM of ten pairs, by input."""
    rows = {}
    for size in SIZES:
        for name, images in (
            ("noise(12)", noise(12, 20, size)),
            ("blocky(11)", blocky(11, 20, size)),
        ):
            rows[f"{name}, 10 pairs, {size} px"] = pairs_row(images[0::2], images[1::2])
    images = blocky(11, 10, 256)
    change = np.random.RandomState(13).randint(-20, 21, images.shape)
    changed = np.clip(images + change, 0, 255).astype(np.uint8)
    rows["blocky(11) and itself slightly changed, 256 px"] = pairs_row(images, changed)
    return rows


def pairs_row(first: Images, second: Images) -> Row:
    """MS-SSIM of pairs by every package."""
    x, y = (torch.from_numpy(side.copy()).float() for side in (first, second))
    torchmetrics = (
        "torchmetrics.functional.image",
        "multiscale_structural_similarity_index_measure",
    )
    return {
        "ours": float(ms_ssim_of_pairs(first, second).mean()),
        "ours, standard": called(
            lambda: ms_ssim_of_pairs(first, second, convention="standard").mean()
        ),
        "pytorch-msssim": called(lambda: load("pytorch_msssim", "ms_ssim")(x, y, data_range=255)),
        "piq": called(lambda: load("piq", "multi_scale_ssim")(x, y, data_range=255.0)),
        "torchmetrics": called(lambda: load(*torchmetrics)(x, y, data_range=255.0)),
        "torchmetrics, data_range not given": called(lambda: load(*torchmetrics)(x, y)),
    }


def swd_rows() -> dict[str, Row]:
    """The SWD, and what it becomes where each patch is normalised by itself."""
    cases = {
        "blocky(1) against blocky(2), 128 images, 64 px": (blocky(1, 128, 64), blocky(2, 128, 64)),
        "blocky(1) against noise(2), 128 images, 64 px": (blocky(1, 128, 64), noise(2, 128, 64)),
        "blocky(3) against noise(4), 64 images, 128 px": (blocky(3, 64, 128), noise(4, 64, 128)),
        "blocky(1) against blocky(2) of contrast 0.2 to 1 by image, 128 images, 64 px": (
            blocky(1, 128, 64),
            of_many_contrasts(blocky(2, 128, 64)),
        ),
    }
    return {
        name: {
            "ours": sliced_wasserstein_distance(*pair).value,
            "plain NumPy": plain_swd_value(*pair, by_patch=False),
            "plain NumPy, each patch normalised by itself": plain_swd_value(*pair, by_patch=True),
        }
        for name, pair in cases.items()
    }


def plain_swd_value(real: Images, fake: Images, *, by_patch: bool) -> float:
    """Return the mean over the levels, x1e3."""
    random = np.random.default_rng(0)
    cutting = patches_by_themselves if by_patch else descriptors
    pairs = zip(cutting(real, random), cutting(fake, random), strict=True)
    return float(np.mean([distance(a, b, random) for a, b in pairs]))


def patches_by_themselves(images: Images, random: np.random.Generator) -> list[Rows]:
    """Descriptors by level, each with mean 0 and deviation 1 over all of its numbers."""
    found = []
    for level in pyramid(images.astype(np.float32)):
        rows = cut(level, random).reshape(-1, 147)
        rows -= rows.mean(axis=1, keepdims=True)
        found.append(rows / rows.std(axis=1, keepdims=True))
    return found


def frechet_rows() -> dict[str, Row]:
    """Frechet distances of equal features, by every package's own arithmetic."""
    cases = {
        "2,000 against 2,000, 512 dimensions": (features(1, 2000, 512), features(2, 2000, 512)),
        "256 against 256, 512 dimensions": (features(1, 256, 512), features(2, 256, 512)),
        "2,000 against themselves": (features(1, 2000, 512),) * 2,
        "256 against themselves": (features(1, 256, 512),) * 2,
    }
    return {name: frechet_row(*pair) for name, pair in cases.items()}


def frechet_row(real: Rows, fake: Rows) -> Row:
    """One distance by every package."""
    x, y = (torch.from_numpy(side) for side in (real, fake))
    in_float32, moments = (
        [part for side in (real, fake) for part in statistics(side, dtype)]
        for dtype in (np.float32, np.float64)
    )
    tensors = [torch.from_numpy(part) for part in moments]

    def fidelity() -> float:
        moments_of = load("torch_fidelity.metric_fid", "fid_features_to_statistics")
        metric = load("torch_fidelity.metric_fid", "fid_statistics_to_metric")
        found: Mapping[str, float] = metric(moments_of(x), moments_of(y), False)
        return next(iter(found.values()))

    return {
        "ours": frechet_distance(real, fake).value,
        "pytorch-fid": called(
            lambda: load("pytorch_fid.fid_score", "calculate_frechet_distance")(*moments)
        ),
        "clean-fid": called(lambda: load("cleanfid.fid", "frechet_distance")(*in_float32)),
        "torch-fidelity": called(fidelity),
        "torchmetrics": called(lambda: load("torchmetrics.image.fid", "_compute_fid")(*tensors)),
        "piq": called(lambda: load("piq", "FID")().compute_metric(x, y)),
    }


def statistics(rows: Rows, dtype: type) -> tuple[NDArray[Any], NDArray[Any]]:
    """Mean, summed up in the type in which a package keeps its features, and covariance."""
    return rows.astype(dtype).mean(0), np.cov(rows, rowvar=False)


def kid_rows() -> dict[str, Row]:
    """Kernel distances of all 1,000 features of each side, so that nothing is drawn."""
    real, fake = features(1, 1000, 512), features(2, 1000, 512, shift=0.05)
    x, y = torch.from_numpy(real), torch.from_numpy(fake)
    whole = kernel_distance(real, fake, subsets=1, whole_sets=True).components["whole sets"]

    def fidelity() -> float:
        metric = load("torch_fidelity.metric_kid", "kid_features_to_metric")
        found = metric(x, y, kid_subsets=2, kid_subset_size=1000, verbose=False)
        return float(found["kernel_inception_distance_mean"])

    row: Row = {
        "ours": whole,
        "clean-fid": called(
            lambda: load("cleanfid.fid", "kernel_distance")(real, fake, num_subsets=2)
        ),
        "torch-fidelity": called(fidelity),
        "torchmetrics": called(lambda: load("torchmetrics.image.kid", "poly_mmd")(x, y)),
        "piq": called(lambda: load("piq", "KID")().compute_metric(x, y)),
    }
    return {"1,000 against 1,000, 512 dimensions": row}


def score_rows() -> dict[str, Row]:
    """Inception scores of logits, in random order and sorted by class."""
    random = np.random.RandomState(5)
    mixed = (3 * random.randn(2005, 1008)).astype(np.float32)
    ordered = mixed[np.argsort(mixed.argmax(1), kind="stable")]
    return {
        "2,005 images in random order": score_row(mixed),
        "the same, sorted by class": score_row(ordered),
    }


def score_row(logits: Rows) -> Row:
    """One score and its spread by every package."""
    tensor = torch.from_numpy(logits)
    ours = inception_score(logits)

    def fidelity(name: str, *, shuffle: bool) -> float:
        metric = load("torch_fidelity.metric_isc", "isc_features_to_metric")
        return float(metric(tensor, shuffle=shuffle)[f"inception_score_{name}"])

    def torchmetrics(place: int) -> float:
        metric = load("torchmetrics.image.inception", "InceptionScore")(torch.nn.Identity())
        metric.update(tensor)
        torch.manual_seed(0)  # it shuffles by the global generator
        return float(metric.compute()[place])

    return {
        "ours": ours.value,
        "ours, std": ours.components["std over splits"],
        "torch-fidelity": called(lambda: fidelity("mean", shuffle=True)),
        "torch-fidelity, std": called(lambda: fidelity("std", shuffle=True)),
        "torch-fidelity, not shuffled": called(lambda: fidelity("mean", shuffle=False)),
        "torch-fidelity, not shuffled, std": called(lambda: fidelity("std", shuffle=False)),
        "torchmetrics": called(lambda: torchmetrics(0)),
        "torchmetrics, std": called(lambda: torchmetrics(1)),
        "piq": called(lambda: load("piq", "inception_score")(tensor)[0]),
        "piq, second number": called(lambda: load("piq", "inception_score")(tensor)[1]),
    }


def manifold_rows() -> dict[str, Row]:
    """Precision and recall, also of features that hold equal ones."""
    real, fake = features(1, 1000, 64), features(2, 1000, 64, shift=0.1)
    mixed = np.concatenate([features(3, 500, 64), real[:500]])
    return {
        "1,000 against 1,000, 64 dimensions": manifold_row(real, fake),
        "half of the fakes are reals": manifold_row(real, mixed),
        "a set against itself": manifold_row(real, real),
    }


def manifold_row(real: Rows, fake: Rows) -> Row:
    """One pair of sets by every package."""
    x, y = torch.from_numpy(real), torch.from_numpy(fake)
    ours = precision_recall(real, fake).components

    def fidelity(name: str) -> float:
        metric = load("torch_fidelity.metric_prc", "prc_features_to_metric")
        return float(metric(y, x, verbose=False)[name])

    def piq(place: int) -> float:
        return float(load("piq", "PR")(nearest_k=3).compute_metric(x, y)[place])

    return {
        "ours, precision": ours["precision"],
        "ours, recall": ours["recall"],
        "torch-fidelity, precision": called(lambda: fidelity("precision")),
        "torch-fidelity, recall": called(lambda: fidelity("recall")),
        "piq, precision": called(lambda: piq(0)),
        "piq, recall": called(lambda: piq(1)),
    }


if __name__ == "__main__":
    main()

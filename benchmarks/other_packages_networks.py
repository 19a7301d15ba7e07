"""What packages do to a picture before the Inception network, with seeded weights in it."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from other_packages_inputs import Images, Rival, Row, Rows, blocky, load

from pgan_toolkit.metrics.frechet import frechet_distance
from pgan_toolkit.metrics.networks import InceptionV3, fold_batch_norm, seeded_tensors
from pgan_toolkit.metrics.networks.resize import tf1_bilinear

SIZES = (64, 128, 256, 512)


def feature_rows() -> dict[str, Row]:
    """How far features move by the way pictures are prepared, and the distance with them."""
    network = InceptionV3()
    network.load_state_dict(seeded_tensors(network), strict=False)
    fold_batch_norm(network)
    ways = preparations()
    rows = {}
    for size in SIZES:
        sides = [blocky(1, 8, size), blocky(2, 8, size)]
        found = {name: prepared_features(network, way, sides) for name, way in ways.items()}
        if torchmetrics := by_torchmetrics(sides):
            found["torchmetrics"] = torchmetrics
        rows[f"blocky, {size} px"] = moved(found)
    return rows


def preparations() -> dict[str, Rival]:
    """From uint8 (N, 3, H, W) to what the network takes, by package."""
    from torch.nn.functional import interpolate

    def half_pixel(images: torch.Tensor) -> torch.Tensor:
        return interpolate(images.float(), (299, 299), mode="bilinear", align_corners=False)

    def clean(images: torch.Tensor) -> torch.Tensor:
        resize = load("cleanfid.resize", "build_resizer")("clean")
        return torch.stack(
            [torch.from_numpy(resize(i.permute(1, 2, 0).numpy())).permute(2, 0, 1) for i in images]
        )

    ways: dict[str, Rival] = {
        "ours": lambda images: (tf1_bilinear(images, height=299, width=299) - 128) / 128,
        "pytorch-fid's preparation": lambda images: 2 * half_pixel(images) / 255 - 1,
        "torch-fidelity's preparation": lambda images: (
            load(
                "torch_fidelity.interpolate_compat_tensorflow",
                "interpolate_bilinear_2d_like_tensorflow1x",
            )(images.float(), size=(299, 299), align_corners=False) - 128
        ) / 128,
        "clean-fid's preparation": lambda images: (clean(images) - 128) / 128,
    }  # fmt: skip
    return {name: way for name, way in ways.items() if works(way)}


def works(way: Rival) -> bool:
    """Whether the package is there."""
    try:
        way(torch.from_numpy(blocky(0, 1, 64)))
    except ImportError:
        return False
    return True


@torch.inference_mode()
def prepared_features(network: InceptionV3, way: Rival, sides: list[Images]) -> list[Rows]:
    """Features of both sides."""
    return [network.from_normalised(way(torch.from_numpy(side)))[0].numpy() for side in sides]


@torch.inference_mode()
def by_torchmetrics(sides: list[Images]) -> list[Rows] | None:
    """Features by its whole network, with our weights in a file; None where it is not there."""
    weights = seeded_tensors(InceptionV3())
    counters = {n: t for n, t in InceptionV3().state_dict().items() if not t.ndim}
    try:
        make = load("torchmetrics.image.fid", "NoTrainInceptionV3")
    except ImportError:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seeded.pth"
        torch.save({**weights, **counters}, path)
        network = make("seeded", ["2048"], str(path))
    return [network(torch.from_numpy(side)).numpy() for side in sides]


def moved(found: Mapping[str, list[Rows]]) -> Row:
    """Mean difference of features from ours, over our mean; and the distance of the sides."""
    ours = found["ours"]
    row: Row = {"ours, distance": frechet_distance(*ours).value}
    for name, sides in found.items():
        if name != "ours":
            apart = np.mean([np.abs(a - b).mean() for a, b in zip(sides, ours, strict=True)])
            row[f"{name}, features moved by"] = float(apart / np.mean(np.abs(ours)))
            row[f"{name}, distance"] = frechet_distance(*sides).value
    return row

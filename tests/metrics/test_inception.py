"""The Inception network, against pytorch-fid's module with the same weights."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from pgan_toolkit.metrics.networks import InceptionV3, fold_batch_norm, seeded_tensors
from pgan_toolkit.metrics.networks import inception as module

PICTURES = ("noise", "ramp", "grey")


@pytest.fixture(scope="module")
def oracle(oracles: Path) -> Any:
    return json.loads((oracles / "inception.json").read_text())


@pytest.fixture(scope="module")
def plain() -> InceptionV3:
    network = InceptionV3()
    network.load_state_dict(seeded_tensors(network), strict=False)
    return network.eval()


@pytest.fixture(scope="module")
def folded(plain: InceptionV3) -> InceptionV3:
    return fold_batch_norm(copy.deepcopy(plain))


def _picture(name: str) -> Tensor:
    """The pictures that the oracle describes, uint8 (1, 3, H, W)."""
    if name == "noise":
        pixels = np.random.RandomState(7).randint(0, 256, (32, 32, 3))
    elif name == "ramp":
        y, x = np.mgrid[:48, :40]
        pixels = np.stack([4 * x % 256, 5 * y % 256, (x * y // 8) % 256], axis=-1)
    else:
        pixels = np.full((16, 16, 3), 128)
    return torch.from_numpy(pixels.astype(np.uint8)).permute(2, 0, 1)[None]


@torch.inference_mode()
def _outputs(network: InceptionV3, name: str) -> tuple[Tensor, Tensor]:
    features, logits = network(_picture(name))
    return features[0].double(), logits[0].double()


def _far(values: Tensor, expected: Tensor) -> float:
    return float((values - expected).abs().max() / expected.abs().max())


def test_the_tensors_are_those_of_the_public_file_one_by_one(
    plain: InceptionV3, oracle: Any
) -> None:
    ours = {name: list(tensor.shape) for name, tensor in plain.state_dict().items()}
    assert ours == oracle["tensors"]
    assert len(ours) == 566
    assert sum(tensor.numel() for tensor in seeded_tensors(plain).values()) == 23_885_392


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("which", ["plain", "folded"])
def test_features_and_logits_are_those_of_the_other_module(
    name: str, which: str, oracle: Any, request: pytest.FixtureRequest
) -> None:
    expected = oracle["expected"][name]
    for values, kind in zip(
        _outputs(request.getfixturevalue(which), name), ("feature", "logit"), strict=True
    ):
        norm = expected[f"{kind}_norm"]
        assert float(values.norm()) == pytest.approx(norm, rel=1e-5)
        found = [float(values[int(index)]) for index in expected[f"{kind}s"]]
        largest = float(values.abs().max())
        assert found == pytest.approx(list(expected[f"{kind}s"].values()), abs=1e-5 * largest)


def test_folding_the_batch_normalisation_moves_features_by_rounding_alone(
    plain: InceptionV3, folded: InceptionV3
) -> None:
    assert not any(isinstance(part, nn.BatchNorm2d) for part in folded.modules())
    for name in PICTURES:
        for one, other in zip(_outputs(folded, name), _outputs(plain, name), strict=True):
            assert _far(one, other) < 2e-6


@pytest.mark.parametrize("departure", ["padding counted", "average in Mixed_7c", "epsilon 1e-5"])
def test_the_oracle_sees_each_departure_from_other_inceptions(
    departure: str, plain: InceptionV3, oracle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = copy.deepcopy(plain)
    if departure == "padding counted":
        pool = functional.avg_pool2d
        monkeypatch.setattr(
            module.functional, "avg_pool2d", lambda maps, *args, **_: pool(maps, *args)
        )
    elif departure == "average in Mixed_7c":
        monkeypatch.setattr(
            network.get_submodule("Mixed_7c"), "_branches", module._block_e(module._AVERAGE)
        )
    else:
        for part in network.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eps = 1e-5
    norm = float(_outputs(network, "ramp")[0].norm())
    assert norm != pytest.approx(oracle["expected"]["ramp"]["feature_norm"], rel=1e-4)


def test_logits_leave_out_the_bias(folded: InceptionV3) -> None:
    features, logits = _outputs(folded, "ramp")
    with torch.inference_mode():
        biased = folded.fc(features.float()).double()
        assert _far(logits + folded.fc.bias, biased) < 1e-5
        assert float(folded.fc.bias.abs().max()) > 0.1


def test_features_hardly_depend_on_the_batch(folded: InceptionV3) -> None:
    images = torch.cat([_picture("noise"), 255 - _picture("noise"), _picture("noise").flip(3)])
    with torch.inference_mode():
        together = folded(images)[0]
        alone = torch.cat([folded(image[None])[0] for image in images])
    assert _far(together, alone) < 2e-6

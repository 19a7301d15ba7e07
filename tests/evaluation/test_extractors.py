"""Extractors: from a weight file to features, in batches, on a device that may be too small."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pgan_toolkit.errors import DataError, SetupError, UsageError
from pgan_toolkit.evaluation import extractors
from pgan_toolkit.evaluation.extractors import INCEPTION, FeatureExtractor, open_extractor
from pgan_toolkit.evaluation.weight_files import WEIGHTS_VARIABLE, PublicFile
from pgan_toolkit.metrics.networks import InceptionV3, VggFeatures, seeded_tensors

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def no_other_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(WEIGHTS_VARIABLE, raising=False)
    monkeypatch.delenv("PGAN_TOOLKIT_CACHE", raising=False)


def _drawn(network: type[nn.Module]) -> dict[str, Tensor]:
    with torch.device("meta"):
        shapes = network()
    return seeded_tensors(shapes)


@pytest.fixture(scope="module")
def inception_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "seeded.safetensors"
    save_file(_drawn(InceptionV3), path)
    return path


@pytest.fixture(scope="module")
def inception(inception_weights: Path) -> FeatureExtractor:
    return open_extractor(INCEPTION, weights=inception_weights, device=CPU)


def _noise(count: int, *, size: int = 24, seed: int = 1) -> Tensor:
    random = np.random.default_rng(seed)
    return torch.from_numpy(random.integers(0, 256, (count, 3, size, size), dtype=np.uint8))


def test_the_whole_path_gives_the_features_of_the_other_module(
    inception: FeatureExtractor, oracles: Path
) -> None:
    expected = json.loads((oracles / "inception.json").read_text())["expected"]["noise"]
    image = np.random.RandomState(7).randint(0, 256, (32, 32, 3)).astype(np.uint8)
    features, logits = inception.features_and_logits(image.transpose(2, 0, 1)[None])
    assert (features.dtype, features.shape) == (torch.float32, (1, 2048))
    assert logits.shape == (1, 1008)
    assert float(features.double().norm()) == pytest.approx(expected["feature_norm"], rel=1e-5)
    assert float(logits.double().norm()) == pytest.approx(expected["logit_norm"], rel=1e-5)


def test_weights_of_ones_own_are_told_apart(
    inception: FeatureExtractor, inception_weights: Path
) -> None:
    digest = hashlib.sha256(inception_weights.read_bytes()).hexdigest()
    assert inception.digest == digest
    assert inception.identity == f"{INCEPTION} sha256:{digest}"
    (warning,) = inception.warnings
    assert digest[:8] in warning
    assert "6726825d" in warning


def test_published_weights_give_no_warning(
    inception_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = inception_weights.read_bytes()
    known = PublicFile("seeded.safetensors", len(data), hashlib.sha256(data).hexdigest(), "")
    monkeypatch.setattr(extractors, "public_file", lambda _: known)
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(inception_weights.parent))
    assert open_extractor(INCEPTION, weights=None, device=CPU).warnings == ()


def test_without_weights_the_message_says_what_and_where() -> None:
    with pytest.raises(SetupError, match=r"6726825d.*--weights") as caught:
        open_extractor(INCEPTION, weights=None, device=CPU, download=False)
    assert caught.value.exit_code == 4


def test_weights_of_another_network_are_refused(inception_weights: Path) -> None:
    with pytest.raises(DataError, match=r"features\.0\.weight: missing.* more"):
        open_extractor("vgg16", weights=inception_weights, device=CPU)


def test_the_classifier_of_the_public_file_is_left_out(tmp_path: Path) -> None:
    torch.save(_drawn(VggFeatures) | {"classifier.0.bias": torch.zeros(4096)}, tmp_path / "vgg.pth")
    network = open_extractor("vgg16", weights=tmp_path / "vgg.pth", device=CPU)
    assert network.features(_noise(1)).shape == (1, 23_552)
    assert network.identity.startswith("vgg16 crop=0.625 128px cells=4 sha256:")
    with pytest.raises(UsageError, match=f"vgg16: has no classes; use {INCEPTION}"):
        network.features_and_logits(_noise(1))


def test_the_counters_of_public_files_are_left_out(
    inception_weights: Path, inception: FeatureExtractor, tmp_path: Path
) -> None:
    tensors = load_file(inception_weights)
    counters = {
        name.replace("running_var", "num_batches_tracked"): torch.tensor(0)
        for name in tensors
        if name.endswith("running_var")
    }
    assert len(tensors) + len(counters) == 566
    torch.save(tensors | counters, tmp_path / "inception.pth")
    complete = open_extractor(INCEPTION, weights=tmp_path / "inception.pth", device=CPU)
    assert torch.equal(complete.features(_noise(1)), inception.features(_noise(1)))


def test_pixels_need_no_weights(tmp_path: Path) -> None:
    pixels = open_extractor("pixels", weights=None, device=CPU)
    assert pixels.features(_noise(3)).shape == (3, 12_288)
    assert (pixels.identity, pixels.digest) == ("pixels crop=0.625 64px", None)
    with pytest.raises(UsageError, match="takes no weights"):
        open_extractor("pixels", weights=tmp_path / "any.pth", device=CPU)


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"'inception'.*did you mean inception-2015-12-05\?"):
        open_extractor("inception", weights=None, device=CPU)


def test_batches_do_not_matter_beyond_rounding(inception: FeatureExtractor) -> None:
    images = _noise(5)
    whole, logits = inception.features_and_logits(images)
    small = FeatureExtractor(inception._network, name="small", device=CPU, batch_size=2)
    found, found_logits = small.features_and_logits(images)
    assert float((found - whole).abs().max() / whole.abs().max()) < 2e-6
    assert float((found_logits - logits).abs().max() / logits.abs().max()) < 2e-6


class SmallDevice:
    """A network on a device that holds a given number of images."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.batches: list[int] = []

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        self.batches.append(len(images))
        if len(images) > self.room:
            raise torch.OutOfMemoryError("no room")
        return images.float().mean(dim=(2, 3)), torch.empty((len(images), 0))


def _small(room: int, **options: Any) -> tuple[SmallDevice, FeatureExtractor]:
    network = SmallDevice(room)
    return network, FeatureExtractor(network, name="small", device=CPU, batch_size=16, **options)


def test_where_memory_does_not_suffice_batches_are_halved() -> None:
    network, extractor = _small(room=5)
    images = _noise(11)
    features = extractor.features(images)
    assert torch.equal(features, images.float().mean(dim=(2, 3)))
    assert network.batches == [11, 5, 5, 1]
    assert extractor.batch_size == 5
    extractor.features(images)
    assert network.batches[4:] == [5, 5, 1]  # it was learned


def test_where_one_image_is_too_many_the_message_says_what_to_do() -> None:
    _, extractor = _small(room=0)
    with pytest.raises(SetupError, match=r"not enough free memory for one image.*--device cpu"):
        extractor.features(_noise(3))


def test_where_memory_does_not_suffice_for_the_network(
    inception_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(nn.Module, "to", full)
    with pytest.raises(SetupError, match=r"cpu: not enough free memory \(no room\)"):
        open_extractor(INCEPTION, weights=inception_weights, device=CPU)


def test_no_images_give_no_features() -> None:
    _, extractor = _small(room=4)
    assert extractor.features(_noise(0)).shape == (0, 3)


def test_other_images_are_refused() -> None:
    _, extractor = _small(room=4)
    with pytest.raises(DataError, match=r"expected \(N, 3, H, W\)"):
        extractor.features(np.zeros((2, 8, 8, 3), np.uint8))


def test_settings_of_cudnn_are_put_back() -> None:
    def setting() -> object:
        cudnn: Any = torch.backends.cudnn
        return cudnn.conv.fp32_precision

    before = setting()
    seen = []

    def network(images: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(setting())
        return images.float().flatten(1), torch.empty((len(images), 0))

    FeatureExtractor(network, name="plain", device=CPU).features(_noise(1))
    assert seen == ["ieee"]
    assert setting() == before

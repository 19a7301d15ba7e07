"""Discrete modes, with a classifier that reads the class from a digit's first pixel."""

import itertools
import math
import pickle
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy
from torch import Tensor

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.metrics.accumulator import Accumulator
from pgan_toolkit.metrics.modes import (
    DiscreteModes,
    discrete_modes,
    image_modes,
    modes_and_kl,
    modes_of_generator,
)
from pgan_toolkit.metrics.networks.digits import DigitClassifier, DigitNet, DigitNetConfig


class Reader:
    """Takes the value of the pixel in the left top corner for the class."""

    identity = "reader"

    def __call__(self, digits: Tensor) -> Tensor:
        assert digits.dtype == torch.uint8
        return digits[:, 0, 0].long()


def _images(modes: Sequence[int], *, size_px: int = 28) -> Tensor:
    """Images of these modes for the `Reader`, with noise that it does not read."""
    border = (size_px - 28) // 2
    images = torch.from_numpy(
        np.random.default_rng(0).integers(0, 256, (len(modes), 3, size_px, size_px), np.uint8)
    )
    for channel in range(3):
        values = [mode // 10**channel % 10 for mode in modes]
        images[:, channel, border, border] = torch.tensor(values, dtype=torch.uint8)
    return images


def _accumulator(**settings: int) -> DiscreteModes:
    return DiscreteModes(Reader(), **settings)


@pytest.mark.parametrize("size_px", [28, 32])
def test_red_counts_ones_green_tens_and_blue_hundreds(size_px: int) -> None:
    modes = [0, 1, 10, 100, 999, 357]
    assert image_modes(_images(modes, size_px=size_px), Reader()).tolist() == modes


def test_arrays_and_floats_are_taken() -> None:
    images = _images([12, 345])
    for same in (images.numpy(), images.double(), images.float().numpy()):
        assert image_modes(same, Reader()).tolist() == [12, 345]


def test_kl_is_scipys() -> None:
    histogram = np.random.default_rng(0).poisson(3, 1000).astype(np.int64)
    modes, kl = modes_and_kl(histogram)
    assert modes == np.count_nonzero(histogram)
    assert kl == pytest.approx(entropy(histogram, np.full(1000, 0.001)), abs=1e-12)


def test_closed_forms_of_the_kl() -> None:
    assert modes_and_kl(np.full(1000, 7)) == pytest.approx((1000, 0), abs=1e-12)
    one = np.zeros(1000, np.int64)
    one[31] = 12
    assert modes_and_kl(one) == pytest.approx((1, math.log(1000)))
    half = np.tile([3, 0], 500)
    assert modes_and_kl(half) == pytest.approx((500, math.log(2)))


def test_a_perfect_model_scores_what_the_protocol_says() -> None:
    draws = np.random.default_rng(0).integers(0, 1000, (20, 25_600))
    scores = [modes_and_kl(np.bincount(draw, minlength=1000)) for draw in draws]
    assert {modes for modes, _ in scores} == {1000}
    kl = np.array([kl for _, kl in scores])
    assert abs(kl.mean() - 0.0196) < 3 * 0.0008 / math.sqrt(20)
    assert 0.0004 < kl.std() < 0.0014


@pytest.mark.parametrize("counts", [[0] * 1000, [-1, 2] + [0] * 998])
def test_histograms_of_nothing_are_refused(counts: list[int]) -> None:
    with pytest.raises(DataError, match="expected one at least"):
        modes_and_kl(np.array(counts))


def test_repeats_are_runs_of_neighbours_and_the_result_is_their_mean() -> None:
    modes = [0, 1, 2, 3, 5, 5, 5, 5, 7, 7, 8, 8]
    result = discrete_modes(_images(modes), classifier=Reader(), images_per_repeat=4, repeats=3)
    scores = [
        modes_and_kl(np.bincount(part, minlength=1000)) for part in np.split(np.array(modes), 3)
    ]
    kl = [each for _, each in scores]
    assert result.value == result.components["modes"] == pytest.approx((4 + 1 + 2) / 3)
    assert result.components["kl"] == pytest.approx(np.mean(kl))
    assert result.standard_error == pytest.approx(np.std([4, 1, 2], ddof=1) / math.sqrt(3))
    assert result.component_errors["kl"] == pytest.approx(np.std(kl, ddof=1) / math.sqrt(3))
    assert result.images == {"fake": 12}
    assert result.extractor == "reader"
    assert result.seed is None
    assert "3 repeats of 4 images" in result.uncertainty


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_any_batches_order_and_split_give_the_same(data: st.DataObject) -> None:
    modes = data.draw(st.lists(st.integers(0, 999), min_size=1, max_size=30))
    cuts = sorted({0, len(modes), *data.draw(st.lists(st.integers(0, len(modes))))})
    parts = data.draw(st.permutations(list(itertools.pairwise(cuts))))
    images = _images(modes)
    protocol = {"images": 4, "repeats": 5}
    whole = _accumulator(**protocol)
    whole.update(images)
    halves = _accumulator(**protocol), _accumulator(**protocol)
    for number, (start, stop) in enumerate(parts):
        halves[number % 2].update(images[start:stop], first=start)
    merged = pickle.loads(pickle.dumps(halves[1]))
    merged.merge(halves[0])
    assert merged.compute() == whole.compute()
    assert np.array_equal(merged.histogram, whole.histogram)
    assert isinstance(merged, Accumulator)


def test_the_histogram_is_of_the_images_that_count() -> None:
    modes = _accumulator(images=3, repeats=2)
    modes.update(_images([4, 4, 999, 0, 0, 0, 77]))
    assert {mode: int(modes.histogram[mode]) for mode in np.flatnonzero(modes.histogram)} == {
        0: 3,
        4: 2,
        999: 1,
    }
    assert modes.histogram.shape == (1000,)
    assert "1 image beyond whole repeats left out" in modes.compute().warnings[-1]


def test_too_few_images_make_one_repeat_with_a_warning() -> None:
    modes = _accumulator()
    modes.update(_images([5, 6, 7]))
    result = modes.compute()
    assert (result.value, result.standard_error, result.uncertainty) == (3, None, "")
    assert result.component_errors == {}
    assert result.warnings == (
        "3 images: a repeat takes 25,600; with fewer, modes are missed and the KL is larger",
    )


def test_fewer_repeats_and_another_protocol_are_warned_of() -> None:
    modes = _accumulator(images=2, repeats=3)
    modes.update(_images([5, 6, 7, 8]))
    assert modes.compute().warnings == (
        "2 of 3 repeats: there are no more images",
        "3 repeats of 2 images: the protocol is 10 of 25,600",
    )


def test_the_protocol_itself_gives_no_warning() -> None:
    modes = _accumulator()
    modes._counts = {repeat: np.full(1000, 25_600 // 1000) for repeat in range(10)}
    for counts in modes._counts.values():
        counts[:600] += 1
    modes._seen = [range(256_000)]
    assert modes.compute().warnings == ()


def test_images_are_not_taken_twice_and_a_refused_batch_leaves_nothing() -> None:
    modes = _accumulator()
    modes.update(_images([1, 2]))
    with pytest.raises(UsageError, match="taken before"):
        modes.update(_images([3]), first=1)
    with pytest.raises(DataError, match="64x64"):
        modes.update(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
    modes.update(_images([3]))
    assert modes.histogram.sum() == 3


def test_merging_checks_protocol_and_images() -> None:
    modes = _accumulator(images=2)
    other = _accumulator(images=2)
    for each in (modes, other):
        each.update(_images([1, 2]))
    with pytest.raises(UsageError, match="taken before"):
        modes.merge(other)
    for wrong in (_accumulator(images=3), "modes"):
        with pytest.raises(UsageError, match="same classifier and protocol"):
            modes.merge(wrong)
    assert modes.histogram.sum() == 2


@pytest.mark.parametrize("shape", [(1, 3, 64, 64), (1, 3, 28, 32), (1, 3, 30, 30)])
def test_other_sizes_are_refused_with_a_remedy(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"28x28, or of 32x32.*resize or crop"):
        image_modes(torch.zeros(shape, dtype=torch.uint8), Reader())


def test_grey_digits_are_refused() -> None:
    with pytest.raises(DataError, match="RGB"):
        image_modes(torch.zeros(1, 1, 28, 28, dtype=torch.uint8), Reader())


def test_no_images_and_senseless_settings_are_refused() -> None:
    with pytest.raises(DataError, match="no image"):
        _accumulator().compute()
    with pytest.raises(UsageError, match="images=0"):
        _accumulator(images=0)
    with pytest.raises(UsageError, match="repeats=0"):
        _accumulator(repeats=0)


def test_a_generator_is_asked_for_every_repeat_anew() -> None:
    asked: list[tuple[int, int]] = []

    def generate(count: int, seed: int) -> Tensor:
        asked.append((count, seed))
        return _images([seed] * count)

    result = modes_of_generator(generate, classifier=Reader(), repeats=2, images=5, batch_size=4)
    assert asked == [(4, 0), (4, 1), (2, 2)]
    assert result.components["modes"] == 2  # seeds 0 and 1, then 1 and 2
    assert result.images == {"fake": 10}


def test_a_generator_that_gives_another_number_is_refused() -> None:
    with pytest.raises(DataError, match="gave 39 images for seed 0; expected 40"):
        modes_of_generator(
            lambda count, _: _images([1] * (count - 1)), classifier=Reader(), images=4
        )
    with pytest.raises(UsageError, match="batch_size=0"):
        modes_of_generator(lambda *_: _images([1]), classifier=Reader(), batch_size=0)


@pytest.fixture(scope="module")
def classifier() -> DigitClassifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = DigitNet(DigitNetConfig((4, 8, 8)))
    return DigitClassifier(network, identity="random", device=torch.device("cpu"))


def test_a_digits_class_does_not_depend_on_its_company(classifier: DigitClassifier) -> None:
    digits = _images(range(50)).reshape(-1, 28, 28)
    together = classifier(digits)
    assert together.dtype == torch.int64
    assert len(set(together.tolist())) > 1
    order = torch.randperm(150, generator=torch.Generator().manual_seed(0))
    assert torch.equal(classifier(digits[order]), together[order])
    alone = torch.cat([classifier(digit[None]) for digit in digits[:8]])
    assert torch.equal(alone, together[:8])
    assert classifier(digits[:0]).shape == (0,)


def test_logits_are_the_same_to_the_bit_in_any_place_of_a_block() -> None:
    network = DigitNet().eval()
    digits = torch.rand(128, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(network(digits.flip(0)).flip(0), network(digits))


def test_constant_images_have_a_mode(classifier: DigitClassifier) -> None:
    images = torch.stack([torch.full((3, 28, 28), value, dtype=torch.uint8) for value in (0, 255)])
    result = discrete_modes(images, classifier=classifier)
    assert math.isfinite(result.components["kl"])


@pytest.mark.parametrize("widths", [(0, 1, 1), (1, 2000, 1)])
def test_senseless_widths_are_refused(widths) -> None:
    with pytest.raises(UsageError, match="widths"):
        DigitNetConfig(widths)


def test_the_parameters_of_the_network_as_counted_by_hand() -> None:
    convolutions = 9 * (1 * 32 + 32 * 32 + 32 * 64 + 64 * 64 + 64 * 128 + 128 * 128)
    norms = 2 * 2 * (32 + 64 + 128)
    classes = 128 * 3 * 3 * 10 + 10
    counted = sum(parameter.numel() for parameter in DigitNet().parameters())
    assert counted == convolutions + norms + classes

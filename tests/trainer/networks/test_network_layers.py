import math

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

from reference_trainer.networks.layers import (
    ConvLayer,
    DenseLayer,
    LatentLayer,
    LayerStyle,
    StridedConvLayer,
    TransposedConvLayer,
    downscale,
    upscale,
)


def _style(**values) -> LayerStyle:
    return LayerStyle(generator=torch.Generator().manual_seed(0), **values)


def _correlated(maps: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    """SciPy's correlation, zeros around, at every place."""
    return np.stack(
        [
            sum(
                correlate2d(one, kernel, mode="same") for one, kernel in zip(maps, row, strict=True)
            )
            for row in kernels
        ]
    )


def test_a_convolution_is_scipys_with_weights_scaled_by_gain_over_root_of_fan_in(rng) -> None:
    layer = ConvLayer(3, 5, 3, style=_style()).double()
    with torch.no_grad():
        layer.bias.copy_(torch.arange(5.0))
    values = torch.randn(1, 3, 6, 6, generator=rng, dtype=torch.float64)
    scaled = layer.weight.detach().numpy() * math.sqrt(2 / (3 * 9))
    expected = _correlated(values[0].numpy(), scaled) + np.arange(5)[:, None, None]
    np.testing.assert_allclose(layer(values)[0].detach().numpy(), expected, atol=1e-12)


def test_leaky_relu_comes_before_pixelwise_normalisation() -> None:
    layer = ConvLayer(1, 2, 1, style=_style(activation="leaky_relu", normalization="pixel"))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([3.0, -20.0]).view(2, 1, 1, 1) / math.sqrt(2))
    made = layer(torch.ones(1, 1, 1, 1)).flatten()
    # 3 and 0.2 * -20 = -4, over the root of (9 + 16) / 2.
    expected = torch.tensor([3.0, -4.0]) / math.sqrt(12.5)
    torch.testing.assert_close(made, expected)


@pytest.mark.parametrize(
    ("make", "deviation"),
    [
        (lambda style: ConvLayer(64, 64, 3, style=style), math.sqrt(2 / (64 * 9))),
        (lambda style: ConvLayer(64, 64, 1, gain=1.0, style=style), 1 / 8),
        (lambda style: LatentLayer(64, 64, style=style), math.sqrt(2) / 4 / 8),
        (lambda style: DenseLayer(64, 64, style=style), 1 / 8),
        (lambda style: StridedConvLayer(64, 64, style=style), math.sqrt(2 / (64 * 9))),
    ],
)
def test_equalised_weights_are_unit_normal_and_hes_are_scaled(make, deviation: float) -> None:
    equalized, he = make(_style()), make(_style(equalized=False))
    assert equalized.scale == pytest.approx(deviation)
    assert he.scale == 1
    assert float(equalized.weight.detach().std()) == pytest.approx(1, rel=0.05)
    torch.testing.assert_close(he.weight, equalized.weight * deviation)
    assert not equalized.bias.any()


def test_the_first_layer_is_a_matrix_and_a_bias_a_map(rng) -> None:
    layer = LatentLayer(6, 3, style=_style())
    with torch.no_grad():
        layer.bias.copy_(torch.tensor([1.0, 2.0, 3.0]))
    latents = torch.randn(2, 6, generator=rng)
    weights = layer.weight.detach().numpy() * math.sqrt(2) / 4 / math.sqrt(6)
    expected = (latents.numpy() @ weights.T).reshape(2, 3, 4, 4)
    expected += np.array([1, 2, 3])[:, None, None]
    np.testing.assert_allclose(layer(latents).detach().numpy(), expected, rtol=1e-5, atol=1e-6)


def test_replication_and_means() -> None:
    values = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).view(1, 1, 2, 2)
    repeated = [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    assert upscale(values)[0, 0].tolist() == repeated
    assert downscale(values).item() == 2.5
    assert torch.equal(downscale(upscale(values)), values)


@pytest.mark.parametrize(("size", "first"), [(28, 1), (14, 1), (7, 0)])
def test_strided_convolutions_take_every_other_place(rng, size: int, first: int) -> None:
    """As TensorFlow's SAME padding: from the second place on where the size is even."""
    layer = StridedConvLayer(2, 3, style=_style()).double()
    values = torch.randn(1, 2, size, size, generator=rng, dtype=torch.float64)
    scaled = layer.weight.detach().numpy() * layer.scale
    expected = _correlated(values[0].numpy(), scaled)[:, first::2, first::2]
    np.testing.assert_allclose(layer(values)[0].detach().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize(("before", "size"), [(4, 7), (7, 14), (14, 28)])
def test_transposed_convolutions_are_the_transpose_of_strided_ones(
    rng, before: int, size: int
) -> None:
    """<conv(x), y> = <x, transposed(y)>, which no other padding fulfils."""
    forth = StridedConvLayer(2, 3, style=_style()).double()
    back = TransposedConvLayer(3, 2, size=size, style=_style()).double()
    with torch.no_grad():
        back.weight.copy_(forth.weight)
    x = torch.randn(1, 2, size, size, generator=rng, dtype=torch.float64)
    y = torch.randn(1, 3, before, before, generator=rng, dtype=torch.float64)
    left = (forth(x) / forth.scale * y).sum()
    right = (x * back(y) / back.scale).sum()
    torch.testing.assert_close(left, right, rtol=1e-12, atol=0)


@pytest.mark.parametrize("before", [4, 8])
def test_a_fresh_layer_neither_grows_nor_shrinks_values(rng, before: int) -> None:
    layer = TransposedConvLayer(64, 64, size=2 * before, style=_style())
    made = layer(torch.randn(16, 64, before, before, generator=rng)).detach()
    assert float(made.square().mean()) == pytest.approx(2, rel=0.15)  # the gain, squared

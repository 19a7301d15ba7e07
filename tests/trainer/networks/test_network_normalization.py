import numpy as np
import pytest
import torch

from pgan_toolkit.errors import UsageError
from reference_trainer.networks.normalization import BatchNorm, LayerNorm, pixel_norm


@pytest.mark.parametrize("shape", [(3, 5), (2, 5, 4, 6)])
def test_pixelwise_normalisation(rng, shape: tuple[int, ...]) -> None:
    values = torch.randn(shape, generator=rng, dtype=torch.float64)
    given = values.numpy()
    expected = given / np.sqrt((given**2).mean(axis=1, keepdims=True) + 1e-8)
    np.testing.assert_allclose(pixel_norm(values).numpy(), expected, rtol=1e-12)


def test_the_epsilon_of_pixelwise_normalisation() -> None:
    assert pixel_norm(torch.full((1, 4), 1e-4)).tolist() == [pytest.approx([0.5**0.5] * 4)]
    assert pixel_norm(torch.zeros(1, 4)).tolist() == [[0] * 4]


def test_halves_are_averaged_in_float32(rng) -> None:
    values = torch.randn(2, 512, 4, 4, generator=rng)
    made = pixel_norm(values.bfloat16())
    assert made.dtype == torch.bfloat16
    torch.testing.assert_close(made.float(), pixel_norm(values), rtol=0.02, atol=0.01)


def test_layer_normalisation_is_over_maps_and_places_with_one_gain(rng) -> None:
    layer = LayerNorm(3).double()
    with torch.no_grad():
        layer.weight.fill_(2)
        layer.bias.copy_(torch.tensor([1.0, 2.0, 3.0]))
    values = torch.randn(2, 3, 4, 4, generator=rng, dtype=torch.float64)
    given = values.numpy()
    axes = (1, 2, 3)
    expected = given - given.mean(axis=axes, keepdims=True)
    expected *= 2 / np.sqrt(given.var(axis=axes, keepdims=True) + 1e-4)
    expected += np.array([1, 2, 3])[:, None, None]
    np.testing.assert_allclose(layer(values).detach().numpy(), expected, rtol=1e-10)
    assert sum(value.numel() for value in layer.parameters()) == 1 + 3


def test_batch_normalisation_is_of_the_call_in_training_and_of_all_calls_after(rng) -> None:
    layer = BatchNorm(3).double()
    values = torch.randn(4, 3, 2, 2, generator=rng, dtype=torch.float64) * 3 + 1
    given = values.numpy()
    mean, variance = given.mean(axis=(0, 2, 3)), given.var(axis=(0, 2, 3))
    expected = (given - mean[:, None, None]) / np.sqrt(variance + 1e-4)[:, None, None]
    np.testing.assert_allclose(layer(values).detach().numpy(), expected, rtol=1e-10)
    np.testing.assert_allclose(layer.running_mean.numpy(), 0.1 * mean)
    layer.eval()
    assert not torch.allclose(layer(values), torch.from_numpy(expected))


def test_batch_normalisation_refuses_a_single_value() -> None:
    layer = BatchNorm(3)
    with pytest.raises(UsageError, match="microbatch_size"):
        layer(torch.zeros(1, 3, 1, 1))
    assert layer.eval()(torch.zeros(1, 3, 1, 1)).shape == (1, 3, 1, 1)

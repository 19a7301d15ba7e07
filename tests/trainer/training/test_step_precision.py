"""What a step computes in: chosen by the device, on inside alone, near float32."""

from typing import Any

import pytest
import torch
from small_runs import small_settings, trained, weights_of

from pgan_toolkit.devices import has_bfloat16
from pgan_toolkit.errors import SetupError
from reference_trainer.training.precision import choose_precision, computing


def test_precision_is_what_the_device_has() -> None:
    cpu = torch.device("cpu")
    assert choose_precision("auto", cpu) == "float32"
    assert choose_precision("auto", torch.device("cuda")) == "tf32"
    with pytest.raises(SetupError, match="precision=tf32: cpu has none"):
        choose_precision("tf32", cpu)


def test_tf32_is_on_inside_alone() -> None:
    cudnn: Any = torch.backends.cudnn
    places = (cudnn.conv, torch.backends.cuda.matmul)
    before = [place.fp32_precision for place in places]
    with computing("tf32", torch.device("cpu")):
        assert [place.fp32_precision for place in places] == ["tf32", "tf32"]
    assert [place.fp32_precision for place in places] == before
    with computing("float32", torch.device("cpu")):
        assert [place.fp32_precision for place in places] == ["ieee", "ieee"]


@pytest.mark.skipif(not has_bfloat16(torch.device("cpu")), reason="no bfloat16 in hardware")
def test_bfloat16_is_near_float32() -> None:
    exact, losses = trained(small_settings(), steps=1)
    rough, about = trained(small_settings(precision="bfloat16"), steps=1)
    assert rough.precision == "bfloat16"
    for name, loss in losses.items():
        assert about[name] == pytest.approx(loss, rel=0.05, abs=0.05), name
    for name, value in weights_of(rough).items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, weights_of(exact)[name], rtol=0.1, atol=0.1)
    assert losses != about

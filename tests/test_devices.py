from types import SimpleNamespace

import pytest
import torch

from pgan_toolkit.devices import find_device, whole_float32
from pgan_toolkit.errors import SetupError


def _settings() -> list[object]:
    cudnn = torch.backends.cudnn
    places = (getattr(cudnn, "conv", cudnn), torch.backends.cuda.matmul)
    name = "fp32_precision" if hasattr(cudnn, "conv") else "allow_tf32"
    return [getattr(place, name) for place in places]


def test_tf32_is_off_and_the_settings_are_as_they_were_afterwards() -> None:
    before = _settings()
    assert before[0] in ("tf32", True)  # torch's default of convolutions
    with whole_float32():
        assert set(_settings()) <= {"ieee", False}
    assert _settings() == before


def test_threads_that_overlap_leave_the_settings_as_the_first_has_found_them() -> None:
    before = _settings()
    first, second = whole_float32(), whole_float32()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert set(_settings()) <= {"ieee", False}
    second.__exit__(None, None, None)
    assert _settings() == before


def test_tf32_is_kept_off_by_the_setting_that_older_releases_of_torch_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cudnn, matmul = SimpleNamespace(allow_tf32=True), SimpleNamespace(allow_tf32=False)
    monkeypatch.setattr(torch.backends, "cudnn", cudnn)
    monkeypatch.setattr(torch.backends.cuda, "matmul", matmul)
    with whole_float32():
        assert (cudnn.allow_tf32, matmul.allow_tf32) == (False, False)
    assert (vars(cudnn), vars(matmul)) == ({"allow_tf32": True}, {"allow_tf32": False})


def test_autocast_is_off_within_and_as_it_was_afterwards() -> None:
    ones = torch.ones(2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        assert (ones @ ones).dtype == torch.bfloat16
        with whole_float32():
            assert (ones @ ones).dtype == torch.float32
        assert (ones @ ones).dtype == torch.bfloat16


def test_devices_whose_driver_is_too_old_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SetupError, match=r"--device cuda:1: .* can use 0 CUDA devices .* a driver"):
        find_device("cuda:1")

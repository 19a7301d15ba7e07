import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save

from pgan_toolkit.runs.tensor_file import stored_bytes, write_tensors


def _many() -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    dtypes = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
    whole = [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8]
    found = {f"f{n}": torch.randn(3, n, generator=rng).to(one) for n, one in enumerate(dtypes)}
    found |= {f"i{n}": torch.arange(n).to(one) for n, one in enumerate(whole)}
    flag = torch.tensor([True, False, True])
    return {**found, "flag": flag, "scalar": torch.tensor(2.5), "ünicode/1.x": torch.ones(2)}


def test_the_bytes_are_the_packages_own(tmp_path: Path) -> None:
    metadata = {"pgan-toolkit": json.dumps({"a": 'quoted "é"', "b": [1, 2.5, None]})}
    write_tensors(tmp_path / "a.safetensors", _many(), metadata=metadata)
    assert (tmp_path / "a.safetensors").read_bytes() == save(_many(), metadata)
    back = load_file(tmp_path / "a.safetensors")
    assert all(torch.equal(back[name], value) for name, value in _many().items())


def test_the_header_is_as_the_format_says(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a", {"a": torch.tensor([1.0])}, metadata={"k": "v"})
    text = b'{"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    assert len(text) == 79
    expected = b"\x50" + bytes(7) + text + b" " + b"\x00\x00\x80\x3f"
    assert (tmp_path / "a").read_bytes() == expected


def test_the_memory_format_does_not_show(tmp_path: Path) -> None:
    plain = torch.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)
    striped = plain.contiguous(memory_format=torch.channels_last)
    assert striped.stride() != plain.stride()
    for name, value in {"plain": plain, "striped": striped}.items():
        write_tensors(tmp_path / name, {"a": value.requires_grad_()}, metadata={})
    assert (tmp_path / "plain").read_bytes() == (tmp_path / "striped").read_bytes()


def test_parts_of_one_storage_are_written_apart(tmp_path: Path) -> None:
    whole = torch.arange(6.0)
    write_tensors(tmp_path / "a", {"first": whole[:2], "rest": whole[2:]}, metadata={})
    assert load_file(tmp_path / "a")["rest"].tolist() == [2, 3, 4, 5]


def test_other_dtypes_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"a: torch\.complex64"):
        write_tensors(tmp_path / "a", {"a": torch.ones(1, dtype=torch.complex64)}, metadata={})
    assert list(tmp_path.iterdir()) == []


def test_sizes_are_counted_in_bytes() -> None:
    assert stored_bytes({"a": torch.zeros(3, 4), "b": torch.zeros((), dtype=torch.int64)}) == 56

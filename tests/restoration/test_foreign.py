"""Other people's networks: what is loaded, and what is refused before it can do anything."""

import builtins
import hashlib
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from pgan_toolkit.errors import DataError, SetupError
from pgan_toolkit.imaging import lanczos_resize
from pgan_toolkit.restoration import nets, open_restorer, weights
from pgan_toolkit.restoration.foreign import REACH_PX, load_foreign
from pgan_toolkit.restoration.restorer import Step
from pgan_toolkit.storage import read_file


class _Descriptor:
    """What of spandrel's descriptors is used, around one convolution."""

    def __init__(self, weight: Tensor) -> None:
        outputs, inputs = weight.shape[:2]
        self.scale = int((outputs / inputs) ** 0.5)
        self.model = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.PixelShuffle(self.scale)
        )
        self.model[0].load_state_dict({"weight": weight})
        self.input_channels, self.output_channels = inputs, outputs // self.scale**2
        self.architecture = SimpleNamespace(name="Toy")
        self.size_requirements = SimpleNamespace(multiple_of=12)

    def eval(self) -> "_Descriptor":
        return self

    def to(self, device: torch.device) -> None:
        self.model.to(device)

    def __call__(self, images: Tensor) -> Tensor:
        result: Tensor = self.model(images)
        return result


class _Loader:
    def load_from_state_dict(self, state: dict[str, Tensor]) -> _Descriptor:
        return _Descriptor(state["weight"])


@pytest.fixture
def toy_spandrel(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module in spandrel's place that knows one architecture."""
    module: Any = ModuleType("spandrel")
    module.__version__ = "0"
    module.ModelLoader = _Loader
    module.ImageModelDescriptor = _Descriptor
    module.canonicalize_state_dict = lambda state: state.get("params", state)
    monkeypatch.setitem(sys.modules, "spandrel", module)
    return module  # type: ignore[no-any-return]


def _save(path: Path, *, outputs: int, inputs: int = 3) -> Path:
    weight = torch.rand(outputs, inputs, 3, 3, generator=torch.Generator().manual_seed(0)) / 27
    if path.suffix == ".safetensors":
        save_file({"weight": weight}, path)
    else:
        torch.save({"params": {"weight": weight}}, path)
    return path


def _picture(height: int, width: int) -> np.ndarray:
    small = np.random.default_rng(4).integers(0, 256, (12, 9, 3), np.uint8)
    return lanczos_resize(small, width=width, height=height)


@pytest.mark.usefixtures("toy_spandrel")
def test_networks_of_both_steps_restore_in_tiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jpeg = _save(tmp_path / "clean.pth", outputs=3)
    large = _save(tmp_path / "large.safetensors", outputs=48)
    restorer = open_restorer(f"spandrel:jpeg={jpeg},superres={large}", device="cpu")
    assert restorer.identity.startswith("spandrel: jpeg ")
    assert restorer.identity.endswith(", float32")
    assert (restorer.margin_px, restorer.alignment_px) == (2 * REACH_PX + 2, 24)
    whole = restorer.restore(_picture(100, 90), scale=4)
    assert whole.shape == (400, 360, 3)
    monkeypatch.setattr(nets, "TILE_PX", 30)
    tiled = restorer.restore(_picture(100, 90), scale=4)
    assert np.abs(tiled.astype(int) - whole).max() <= 1  # a convolution sees less than the margin


@pytest.mark.usefixtures("toy_spandrel")
@pytest.mark.parametrize(
    ("outputs", "inputs", "step", "message"),
    [
        (48, 3, "jpeg", "enlarges 4 times; expected 1 for jpeg"),
        (3, 3, "superres", "enlarges 1 times; expected 4 for superres"),
        (12, 3, "superres", "enlarges 2 times; expected 4 for superres"),
        (1, 1, "jpeg", "is for grey pictures; expected one for colour"),
        (4, 4, "jpeg", "maps 4 channels to 4; expected 3 to 3"),
    ],
)
def test_networks_that_do_something_else_are_refused(
    tmp_path: Path, outputs: int, inputs: int, step: Step, message: str
) -> None:
    path = _save(tmp_path / "net.pth", outputs=outputs, inputs=inputs)
    with pytest.raises(DataError, match=rf"net\.pth: this Toy network {message}"):
        load_foreign(path, step=step)


def test_a_network_that_fills_holes_is_refused(tmp_path: Path, toy_spandrel: Any) -> None:
    toy_spandrel.ImageModelDescriptor = int
    with pytest.raises(DataError, match="needs a mask; expected a network for jpeg"):
        load_foreign(_save(tmp_path / "net.pth", outputs=3), step="jpeg")


@pytest.mark.usefixtures("toy_spandrel")
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_the_file_is_read_once_and_the_digest_is_of_those_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = _save(tmp_path / f"net{suffix}", outputs=3)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    reads: list[Path] = []

    def read_and_replace(path: Path) -> bytes:
        data = read_file(path)
        reads.append(path)
        with path.open("r+b") as file:
            file.truncate(10)
        return data

    monkeypatch.setattr(weights, "read_file", read_and_replace)
    net = load_foreign(path, step="jpeg")
    assert (net.sha256, reads) == (digest, [path])
    assert net(torch.zeros(1, 3, 4, 4)).shape == (1, 3, 4, 4)


@pytest.mark.usefixtures("toy_spandrel")
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, suffix: str, value: float) -> None:
    path, weight = tmp_path / f"net{suffix}", torch.zeros(3, 3, 3, 3)
    weight[1, 2, 0, 0] = value
    if suffix == ".pth":
        torch.save({"weight": weight}, path)
    else:
        save_file({"weight": weight}, path)
    with pytest.raises(DataError, match=rf"net\{suffix}: the tensor 0\.weight has values that"):
        load_foreign(path, step="jpeg")


class _Malicious:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return os.mkdir, (self.trace,)


@pytest.mark.usefixtures("toy_spandrel")
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt"])
@pytest.mark.parametrize("legacy", [True, False])
def test_a_pickle_that_could_run_code_is_refused_and_does_not_run(
    tmp_path: Path, suffix: str, legacy: bool
) -> None:
    path, trace = tmp_path / f"net{suffix}", tmp_path / "ran"
    torch.save(
        {"weight": torch.zeros(3, 3, 3, 3), "more": _Malicious(trace)},
        path,
        _use_new_zipfile_serialization=not legacy,
    )
    with pytest.raises(DataError, match=r"not plain weights.*could run code, and so it was not"):
        load_foreign(path, step="jpeg")
    assert not trace.exists()


@pytest.mark.usefixtures("toy_spandrel")
def test_files_that_hold_no_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.pth: no such weight file"):
        load_foreign(tmp_path / "none.pth", step="jpeg")
    with pytest.raises(DataError, match="is a folder; name a"):
        load_foreign(tmp_path, step="jpeg")
    path = tmp_path / "net.onnx"
    path.touch()
    with pytest.raises(DataError, match=r"expected a file that ends in \.safetensors, \.pth"):
        load_foreign(path, step="jpeg")
    for suffix in (".pth", ".pt", ".safetensors"):
        for data in (b"", b"hello", _save(tmp_path / f"x{suffix}", outputs=3).read_bytes()[:99]):
            path = tmp_path / f"net{suffix}"
            path.write_bytes(data)
            with pytest.raises(DataError, match=str(path)):
                load_foreign(path, step="jpeg")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(DataError, match="holds a list; expected tensors by name"):
        load_foreign(tmp_path / "list.pth", step="jpeg")
    torch.save({"other": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(DataError, match=r"no architecture that spandrel 0 knows fits it .KeyError"):
        load_foreign(tmp_path / "other.pth", step="jpeg")


def test_without_spandrel_the_remedy_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(SetupError, match=r"pip install 'pgan-toolkit\[spandrel\]'"):
        open_restorer(f"spandrel:jpeg={tmp_path}/net.pth")


def test_a_torchvision_that_does_not_belong_to_torch_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordinary = builtins.__import__

    def broken(name: str, *rest: Any, **more: Any) -> Any:
        if name == "spandrel":
            raise RuntimeError("operator torchvision::nms does not exist")
        return ordinary(name, *rest, **more)

    monkeypatch.delitem(sys.modules, "spandrel", raising=False)
    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(SetupError, match=r"nms does not exist.*belong to torch"):
        load_foreign(tmp_path / "net.pth", step="jpeg")


# Below, spandrel itself, where it is installed.


@pytest.fixture
def spandrel() -> Any:
    try:
        return pytest.importorskip("spandrel")
    except RuntimeError as error:  # torchvision for another build of torch
        pytest.skip(f"spandrel does not load: {error}")


def test_real_architectures(tmp_path: Path, spandrel: Any) -> None:
    from spandrel.architectures.Compact import Compact
    from spandrel.architectures.DnCNN import DnCNN
    from spandrel.architectures.ESRGAN import ESRGAN

    torch.manual_seed(0)
    models = {
        "esrgan": ESRGAN(in_nc=3, out_nc=3, num_filters=8, num_blocks=1, scale=4),
        "compact": Compact(num_in_ch=3, num_out_ch=3, num_feat=8, num_conv=1, upscale=4),
        "two": ESRGAN(in_nc=3, out_nc=3, num_filters=8, num_blocks=1, scale=2),
        "dncnn": DnCNN(in_nc=3, out_nc=3, nc=8, nb=9, act_mode="R"),
        "grey": DnCNN(in_nc=1, out_nc=1, nc=8, nb=9, act_mode="R"),
    }
    for name, model in models.items():
        torch.save({"params_ema": model.state_dict()}, tmp_path / f"{name}.pth")
    for name in ("esrgan", "compact"):
        spec = f"spandrel:jpeg={tmp_path}/dncnn.pth,superres={tmp_path}/{name}.pth"
        restorer = open_restorer(spec, device="cpu")
        assert restorer.restore(_picture(41, 30), scale=4).shape == (164, 120, 3)
        assert restorer.restore(_picture(41, 30), scale=1).shape == (41, 30, 3)
    with pytest.raises(DataError, match="is for grey pictures"):
        load_foreign(tmp_path / "grey.pth", step="jpeg")
    with pytest.raises(DataError, match="enlarges 2 times"):
        load_foreign(tmp_path / "two.pth", step="superres")
    torch.save({"other": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(DataError, match=f"spandrel {spandrel.__version__} knows fits it"):
        load_foreign(tmp_path / "other.pth", step="jpeg")

"""Specifications of restorers: what each word means, and what is refused at once."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pgan_toolkit import devices
from pgan_toolkit.digests import file_digest
from pgan_toolkit.errors import DataError, SetupError, UsageError
from pgan_toolkit.restoration import LanczosRestorer, open_restorer, resolve_choices
from pgan_toolkit.restoration import weights as weights_module
from pgan_toolkit.restoration.networks import RedNet, RedNetConfig, SRResNet, SRResNetConfig
from pgan_toolkit.restoration.weights import save_network
from pgan_toolkit.storage import read_file

PICTURE = np.random.default_rng(0).integers(0, 256, (12, 14, 3), np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weight files named as the bundled ones are."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(1)
    red = RedNet(RedNetConfig(layers=2, maps=8))
    torch.nn.init.normal_(red.last.weight, std=0.02)
    save_network(folder / "jpeg.safetensors", red, task="jpeg")
    for name in ("superres", "superres-adversarial"):
        large = SRResNet(SRResNetConfig(blocks=1, maps=8))
        save_network(folder / f"{name}.safetensors", large, task="superres")
    return folder


def test_files_by_name_and_the_identity_is_their_digests(folder: Path, tmp_path: Path) -> None:
    jpeg, large = folder / "jpeg.safetensors", folder / "superres.safetensors"
    restorer = open_restorer(f"nets:jpeg={jpeg},superres={large}", device="cpu")
    assert file_digest(jpeg) in restorer.identity
    assert file_digest(large) in restorer.identity
    assert str(folder) not in restorer.identity
    assert (restorer.margin_px, restorer.alignment_px) == (31, 2)
    assert restorer.restore(PICTURE, scale=4).shape == (48, 56, 3)
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(jpeg.read_bytes())
    other = open_restorer(f"nets:superres={large},jpeg={copy}", device="cpu")
    assert other.identity == restorer.identity


@pytest.mark.parametrize(("step", "margin"), [("jpeg", 27), ("superres", 7)])
def test_either_network_may_be_left_out(folder: Path, step: str, margin: int) -> None:
    restorer = open_restorer(f"nets:{step}={folder}/{step}.safetensors")
    assert restorer.margin_px == margin
    assert restorer.restore(PICTURE, scale=2).shape == (24, 28, 3)


def test_the_bundled_ones(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        weights_module, "bundled_weights", lambda name: folder / f"{name}.safetensors"
    )
    for spec, large in (("nets", "superres-adversarial"), ("nets-psnr", "superres")):
        named = f"nets:jpeg={folder}/jpeg.safetensors,superres={folder}/{large}.safetensors"
        assert open_restorer(spec).identity == open_restorer(named).identity


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("lancsos", r"'lancsos' \(did you mean lanczos\?\); there is: nets, nets-psnr, lanczos"),
        ("net", r"did you mean nets\?"),
        ("best", "no restorer is called 'best'; there is"),
        ("nets:", "no restorer is called 'nets:'"),
        ("lanczos:jpeg=x", "no restorer is called"),
        ("nets:x.safetensors", "'x.safetensors' is not understood; expected nets:jpeg=FILE"),
        ("nets:jpg=x", "'jpg=x' is not understood"),
        ("nets:jpeg=", "'jpeg=' is not understood"),
        ("nets:jpeg=a,jpeg=b", "'jpeg=b' is not understood"),
        ("spandrel:x", "expected spandrel:jpeg=FILE,superres=FILE"),
    ],
)
def test_what_is_not_understood_is_refused_with_what_is(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_restorer(spec)


def test_files_that_cannot_be_used_are_refused_at_once(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.safetensors: no such weight file"):
        open_restorer(f"nets:jpeg={tmp_path}/none.safetensors")
    with pytest.raises(DataError, match="weights for superres; expected weights for jpeg"):
        open_restorer(f"nets:jpeg={folder}/superres.safetensors")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes((folder / "jpeg.safetensors").read_bytes()[:-100])
    with pytest.raises(DataError, match=r"damaged\.safetensors"):
        open_restorer(f"nets:jpeg={damaged}")


def test_devices(folder: Path) -> None:
    spec = f"nets:jpeg={folder}/jpeg.safetensors"
    for name in ("gpu", "cuda:x", "cpu:1", "cuda:", "cpu:", "", "cuda:-1", "cuda:٣", "cuda:01"):
        with pytest.raises(UsageError, match=f"--device {name}: expected auto, cpu, cuda"):
            open_restorer(spec, device=name)
    with pytest.raises(SetupError, match=r"--device cuda:99: .*use --device cpu"):
        open_restorer(spec, device="cuda:99")
    with pytest.raises(UsageError, match="expected auto"):
        open_restorer(spec, device="cuda:0\n")
    with pytest.raises(UsageError, match="the lanczos restorer runs on the CPU"):
        open_restorer("lanczos", device="cuda")
    assert isinstance(open_restorer("lanczos", device="cpu"), LanczosRestorer)


def test_threads_of_torch_are_limited_only_where_that_is_asked_for(folder: Path) -> None:
    spec = f"nets:jpeg={folder}/jpeg.safetensors"
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        open_restorer(spec)
        assert torch.get_num_threads() == 3
        open_restorer(spec, threads=1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("there", "taken"), [(True, "bfloat16"), (False, "float32")])
def test_auto_takes_bfloat16_where_the_hardware_has_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, there: bool, taken: str
) -> None:
    monkeypatch.setattr(devices, "has_bfloat16", lambda _: there)
    spec = f"nets:jpeg={folder}/jpeg.safetensors"
    assert open_restorer(spec).identity.endswith(f", {taken}")
    for precision in ("float32", "bfloat16"):
        assert open_restorer(spec, precision=precision).identity.endswith(f", {precision}")


@pytest.mark.parametrize(("there", "taken"), [(True, "bfloat16"), (False, "float32")])
def test_what_auto_means_is_said_without_reading_files(
    monkeypatch: pytest.MonkeyPatch, there: bool, taken: str
) -> None:
    monkeypatch.setattr(devices, "has_bfloat16", lambda _: there)
    place = "cuda" if torch.cuda.is_available() else "cpu"
    for spec in ("nets", "nets-psnr", "nets:jpeg=none"):
        assert resolve_choices(spec, device="auto", precision="auto") == (place, taken)
    others = resolve_choices("spandrel:jpeg=x.pth", device="cpu", precision="auto")
    assert others == ("cpu", "float32")
    assert resolve_choices("lanczos", device="auto", precision="auto") == ("cpu", "float32")
    again = resolve_choices("nets", device="cpu", precision=taken)  # type: ignore[arg-type]
    assert again == ("cpu", taken)
    with pytest.raises((UsageError, TypeError), match="half"):  # jaxtyping may be the first
        resolve_choices("nets", device="cpu", precision="half")  # type: ignore[arg-type]


def test_a_weight_file_is_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[Path] = []

    def counted(path: Path) -> bytes:
        reads.append(path)
        return read_file(path)

    monkeypatch.setattr(weights_module, "read_file", counted)
    jpeg, large = folder / "jpeg.safetensors", folder / "superres.safetensors"
    restorer = open_restorer(f"nets:superres={large},jpeg={jpeg}", device="cpu")
    assert sorted(reads) == [jpeg, large]
    assert restorer.identity.startswith(f"nets: jpeg {file_digest(jpeg)}, superres ")


def test_lanczos_has_no_precision_but_its_own() -> None:
    with pytest.raises(UsageError, match=r"bfloat16: the lanczos restorer runs in float32 only"):
        open_restorer("lanczos", precision="bfloat16")
    assert open_restorer("lanczos", precision="float32") == LanczosRestorer()


def test_others_networks_run_in_float32_only() -> None:
    with pytest.raises(UsageError, match="spandrel's networks run in float32 only"):
        open_restorer("spandrel:jpeg=x.pth", precision="bfloat16")


def test_lanczos_and_wrong_words_load_no_torch() -> None:
    code = (
        "import sys; from pgan_toolkit.restoration import open_restorer; open_restorer('lanczos')\n"
        "try: open_restorer('nots')\n"
        "except Exception: print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"

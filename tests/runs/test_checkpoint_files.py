import errno
import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import torch
from child_processes import Children
from safetensors.torch import save
from torch import nn

from pgan_toolkit.errors import DataError, SetupError
from pgan_toolkit.runs import (
    CheckpointKind,
    checkpoint,
    load_checkpoint,
    read_part,
    read_state,
    save_checkpoint,
)

KIND = CheckpointKind("test checkpoint", version=3)


class _Trained:
    """A net with a block that gets no gradient, and its Adam, after some steps."""

    def __init__(
        self, *, steps: int, fused: bool = False, seed: int = 0, device: str = "cpu"
    ) -> None:
        self.net = nn.ModuleDict({"conv": nn.Conv2d(3, 8, 3), "idle": nn.Linear(2, 2)})
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._rng = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for value in self.net.parameters():
                value.normal_(generator=self._rng)
        self.net.to(device)
        self.adam = torch.optim.Adam(self.net.parameters(), lr=0.01, betas=(0.0, 0.99), fused=fused)
        for _ in range(steps):
            self.step()

    @property
    def parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        return {"net": self.net, "adam": self.adam}

    def step(self) -> None:
        given = torch.randn(2, 3, 5, 5, generator=self._rng).to(self.net["conv"].weight.device)
        self.adam.zero_grad()
        self.net["conv"](given).square().sum().backward()
        self.adam.step()

    def go_on_as(self, other: "_Trained") -> None:
        self._rng.set_state(other._rng.get_state())


def _tensors(trained: _Trained) -> dict[str, torch.Tensor]:
    adam = trained.adam.state_dict()["state"]
    moments = {f"{i}.{key}": value for i, one in adam.items() for key, value in one.items()}
    return {**trained.net.state_dict(), **moments}


def _require_same(one: _Trained, other: _Trained) -> None:
    mine, others = _tensors(one), _tensors(other)
    assert mine.keys() == others.keys()
    assert all(torch.equal(mine[name], others[name]) for name in mine)
    assert all(mine[name].dtype == others[name].dtype for name in mine)


@pytest.mark.parametrize("saved_fused", [False, True])
@pytest.mark.parametrize("loaded_fused", [False, True])
def test_everything_comes_back_bit_for_bit(
    tmp_path: Path, saved_fused: bool, loaded_fused: bool
) -> None:
    trained = _Trained(steps=3, fused=saved_fused)
    state = {"step": 3, "share": 0.1 + 0.2, "nested": {"a": [1, None]}}
    save_checkpoint(tmp_path / "a", trained.parts, kind=KIND, state=state)
    other = _Trained(steps=1, fused=loaded_fused, seed=5)
    assert load_checkpoint(tmp_path / "a", other.parts, kind=KIND) == state
    _require_same(trained, other)
    if saved_fused == loaded_fused:
        other.go_on_as(trained)
        trained.step()
        other.step()
        _require_same(trained, other)


@pytest.mark.usefixtures("cuda")
def test_a_gpus_state_comes_back_bit_for_bit_and_its_fused_optimiser_goes_on(
    tmp_path: Path,
) -> None:
    trained = _Trained(steps=3, fused=True, device="cuda")
    save_checkpoint(tmp_path / "a", trained.parts, kind=KIND, state={})
    other = _Trained(steps=0, fused=True, device="cuda", seed=5)
    load_checkpoint(tmp_path / "a", other.parts, kind=KIND)
    assert all(value.device.type == "cuda" for value in _tensors(other).values())
    _require_same(trained, other)
    other.go_on_as(trained)
    trained.step()
    other.step()
    _require_same(trained, other)


def test_moments_lie_in_memory_as_their_parameters_do(tmp_path: Path) -> None:
    trained, other = _Trained(steps=2), _Trained(steps=0)
    save_checkpoint(tmp_path / "a", trained.parts, kind=KIND, state={})
    load_checkpoint(tmp_path / "a", other.parts, kind=KIND)
    weight = other.net["conv"].weight
    assert not weight.is_contiguous()
    assert other.adam.state[weight]["exp_avg"].stride() == weight.stride()


def test_an_optimiser_keeps_its_learning_rate_and_forgets_what_it_knew(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a", _Trained(steps=0).parts, kind=KIND, state={})
    other = _Trained(steps=2)
    other.adam.param_groups[0]["lr"] = 0.5
    load_checkpoint(tmp_path / "a", other.parts, kind=KIND)
    assert other.adam.param_groups[0]["lr"] == 0.5
    assert not other.adam.state


def test_what_is_loaded_outlives_the_file(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a", _Trained(steps=2).parts, kind=KIND, state={})
    other = _Trained(steps=0)
    load_checkpoint(tmp_path / "a", other.parts, kind=KIND)
    alone = read_part(tmp_path / "a", "net", kind=KIND)
    (tmp_path / "a").write_bytes(b"")
    _require_same(other, _Trained(steps=2))
    assert torch.equal(alone["conv.weight"], other.net["conv"].weight)


def test_files_of_before_are_read(tmp_path: Path) -> None:
    """Literally what restoration's checkpoints hold, written by the package."""
    described = {
        "format": "pgan-toolkit restoration checkpoint", "version": 1, "step": 8, "settings": "{}",
    }  # fmt: skip
    trained = _Trained(steps=2)
    tensors = {f"net/{name}": value for name, value in trained.net.state_dict().items()}
    for index, values in trained.adam.state_dict()["state"].items():
        tensors |= {f"adam/{index}.{key}": value for key, value in values.items()}
    tensors = {name: value.contiguous() for name, value in tensors.items()}
    data = save(tensors, {"pgan-toolkit": json.dumps(described)})
    (tmp_path / "old").write_bytes(data)
    kind = CheckpointKind("pgan-toolkit restoration checkpoint", version=1)
    other = _Trained(steps=0)
    state = load_checkpoint(tmp_path / "old", other.parts, kind=kind)
    assert state == {"step": 8, "settings": "{}"}
    _require_same(trained, other)
    save_checkpoint(tmp_path / "new", other.parts, kind=kind, state=state)
    assert (tmp_path / "new").read_bytes() == data


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (CheckpointKind("other checkpoint", version=3), "is no other checkpoint"),
        (CheckpointKind("test checkpoint", version=2), "version 3; expected 2"),
    ],
)
def test_foreign_ones_are_refused(tmp_path: Path, kind: CheckpointKind, told: str) -> None:
    trained = _Trained(steps=1)
    save_checkpoint(tmp_path / "a", trained.parts, kind=KIND, state={})
    for read in (
        lambda: read_state(tmp_path / "a", kind=kind),
        lambda: load_checkpoint(tmp_path / "a", trained.parts, kind=kind),
        lambda: read_part(tmp_path / "a", "net", kind=kind),
    ):
        with pytest.raises(DataError, match=told):
            read()


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 something else", bytes(100)])
def test_what_is_no_checkpoint_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(DataError, match=r"a: the checkpoint cannot be read"):
        read_state(tmp_path / "a", kind=KIND)


def test_one_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none: the checkpoint cannot be read"):
        read_state(tmp_path / "none", kind=KIND)


def test_cut_short_at_any_place_it_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a", _Trained(steps=1).parts, kind=KIND, state={})
    data = (tmp_path / "a").read_bytes()
    for length in range(0, len(data), 97):
        (tmp_path / "a").write_bytes(data[:length])
        with pytest.raises(DataError, match="cannot be read"):
            read_state(tmp_path / "a", kind=KIND)


def test_another_net_does_not_fit(tmp_path: Path) -> None:
    trained = _Trained(steps=1)
    save_checkpoint(tmp_path / "a", trained.parts, kind=KIND, state={})
    with pytest.raises(DataError, match="does not fit this run"):
        load_checkpoint(tmp_path / "a", {"net": nn.Linear(2, 2)}, kind=KIND)
    wide, few = nn.Conv2d(3, 9, 3), [nn.Parameter(torch.zeros(8, 3, 3, 3))]
    with pytest.raises(DataError, match=r"exp_avg is \(8, 3, 3, 3\), its parameter \(9, 3, 3, 3\)"):
        load_checkpoint(tmp_path / "a", {"adam": torch.optim.Adam(wide.parameters())}, kind=KIND)
    with pytest.raises(DataError, match="parameter 1, of 1 here"):
        load_checkpoint(tmp_path / "a", {"adam": torch.optim.Adam(few)}, kind=KIND)


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    save_checkpoint(path, _Trained(steps=1).parts, kind=KIND, state={"step": 1})
    before = path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SetupError, match=r"a: .*No space left.*untouched: make room there.*--res"):
        save_checkpoint(path, _Trained(steps=2).parts, kind=KIND, state={"step": 2})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_may_not_grow_leaves_the_old_one(tmp_path: Path) -> None:
    """The system itself refuses to write on, in the middle of a tensor."""
    path = tmp_path / "a"
    save_checkpoint(path, {"net": nn.Linear(2, 2)}, kind=KIND, state={"step": 1})
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(SetupError, match=r"File too large; it takes 1\.0 MB.*untouched"):
            save_checkpoint(path, {"net": nn.Linear(500, 500)}, kind=KIND, state={})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_a_file_system_that_is_really_full(tmp_path: Path) -> None:
    """In a name space of its own, where a test may mount one of a megabyte."""
    script = f"""
        import sys
        from pathlib import Path
        from torch import nn
        from pgan_toolkit.errors import SetupError
        from pgan_toolkit.runs import CheckpointKind, read_state, save_checkpoint
        path, kind = Path({str(tmp_path)!r}) / "a", CheckpointKind("test", version=1)
        save_checkpoint(path, {{"net": nn.Linear(2, 2)}}, kind=kind, state={{"step": 1}})
        try:
            save_checkpoint(path, {{"net": nn.Linear(600, 600)}}, kind=kind, state={{"step": 2}})
        except SetupError as error:
            print(error, read_state(path, kind=kind), len(list(path.parent.iterdir())))
    """
    mount = f"mount -t tmpfs -o size=1m tmpfs {tmp_path} 2>/dev/null || exit 77\n"
    inside = f'{mount}exec {sys.executable} -c "$1"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", inside, "sh", textwrap.dedent(script)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("no name spaces here")
    assert "No space left on device; it takes 1.4 MB, " in done.stdout, done
    assert done.stdout.endswith("{'step': 1} 1\n")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SetupError, match="make the folder writable"):
        save_checkpoint(tmp_path / "file" / "a", _Trained(steps=0).parts, kind=KIND, state={})


SAVER = """
import sys, torch
from pathlib import Path
from pgan_toolkit.runs import CheckpointKind, save_checkpoint
net, step = torch.nn.Linear(1500, 1500), 0
while True:
    step += 1
    torch.nn.init.constant_(net.weight, step)
    save_checkpoint(Path(sys.argv[1]), {"net": net},
                    kind=CheckpointKind("test checkpoint", version=3), state={"step": step})
    print(step, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("delay_s", [0.0, 0.002, 0.004, 0.007, 0.011, 0.016])
def test_killed_while_it_saves_the_last_one_is_whole(
    tmp_path: Path, delay_s: float, children: Children
) -> None:
    path = tmp_path / "a.safetensors"
    process = children.start(
        [sys.executable, "-c", SAVER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process:
        told = [int(process.stdout.readline()) for _ in range(3)]
        time.sleep(delay_s)
        process.send_signal(signal.SIGKILL)
        told += [int(line) for line in process.stdout.read().split()]
    step = read_state(path, kind=KIND)["step"]
    assert step >= told[-1]
    assert read_part(path, "net", kind=KIND)["weight"].eq(step).all()
    save_checkpoint(path, {"net": nn.Linear(2, 2)}, kind=KIND, state={})
    assert list(tmp_path.iterdir()) == [path]  # what the kill left is gone


def test_tensors_are_fetched_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No second copy of all that is saved: the highest use of memory says so."""
    import tracemalloc

    net = nn.Sequential(*(nn.Linear(300, 300) for _ in range(8)))
    size = sum(value.numel() * 4 for value in net.parameters())
    tracemalloc.start()
    checkpoint.save_checkpoint(tmp_path / "a", {"net": net}, kind=KIND, state={})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size / 2

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn

from pgan_toolkit.errors import DataError, SetupError
from reference_trainer.configuration import (
    DataSettings,
    OptimizationSettings,
    OutputSettings,
    RunSettings,
    ScheduleSettings,
)
from reference_trainer.runs import (
    Checkpoints,
    DataFacts,
    RunFolder,
    TrainingState,
    describe_changes,
    load_generator,
    newest_checkpoint,
    read_saved,
)
from reference_trainer.runs import checkpoints as checkpoint_module

SETTINGS = RunSettings(
    preset="test",
    data=DataSettings(resolution=32),
    optimization=OptimizationSettings(learning_rates={16: 0.0015, 32: 0.002}),
    schedule=ScheduleSettings(total_kimg=100, minibatch_sizes={32: 8}),
    output=OutputSettings(keep_checkpoints=2),
)
DATA = DataFacts(path="/data/faces", pictures=30_000, label_count=0, digest="ab" * 32)


class _Trained:
    """Stands for a training step: two nets, an average, two Adams."""

    def __init__(self, *, steps: int = 0, fused: bool = False, seed: int = 0) -> None:
        rng = torch.Generator().manual_seed(seed)
        self.nets = {
            name: nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
            for name in ("generator", "discriminator", "generator_ema")
        }
        with torch.no_grad():
            for net in self.nets.values():
                for value in net.parameters():
                    value.normal_(generator=rng)
        self.adams = {
            f"adam_{name[0]}": torch.optim.Adam(self.nets[name].parameters(), fused=fused)
            for name in ("generator", "discriminator")
        }
        for step in range(steps):
            self.step(step)

    def parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        return {**self.nets, **self.adams}

    def step(self, number: int) -> None:
        given = torch.randn(5, 3, generator=torch.Generator().manual_seed(number))
        for name, adam in zip(("generator", "discriminator"), self.adams.values(), strict=True):
            adam.zero_grad()
            self.nets[name][0](given).square().sum().backward()  # the last layer: no gradient
            adam.step()

    def numbers(self) -> dict[str, torch.Tensor]:
        found = {
            f"{name}.{key}": value
            for name, net in self.nets.items()
            for key, value in net.state_dict().items()
        }
        for name, adam in self.adams.items():
            for index, values in adam.state_dict()["state"].items():
                found |= {f"{name}.{index}.{key}": value for key, value in values.items()}
        return found


def _require_same(one: _Trained, other: _Trained) -> None:
    mine, others = one.numbers(), other.numbers()
    assert mine.keys() == others.keys()
    assert all(torch.equal(mine[name], others[name]) for name in mine)


def _checkpoints(
    path: Path, settings: RunSettings = SETTINGS, data: DataFacts = DATA
) -> Checkpoints:
    return Checkpoints(RunFolder(path), settings=settings, data=data)


def _state(kimg: float, **scores: float) -> TrainingState:
    return TrainingState(images_shown=round(kimg * 1000), steps=round(kimg * 10), scores=scores)


def _names(path: Path) -> list[str]:
    found = RunFolder(path).checkpoints_folder.iterdir()
    return sorted(entry.name for entry in found if entry.is_file())


def _name(kimg: float) -> str:
    return f"kimg-{kimg:010.3f}.safetensors"


@pytest.mark.parametrize("fused", [False, True])
def test_a_state_comes_back_bit_for_bit_and_goes_on_so(tmp_path: Path, fused: bool) -> None:
    trained, other = _Trained(steps=3, fused=fused), _Trained(fused=fused, seed=1)
    state = TrainingState(
        images_shown=1_234_567, steps=77, step_state={"noise_average": 0.1 + 0.2},
        scores={"swd": 1 / 3}, world_size=2, device="cuda",
    )  # fmt: skip
    checkpoints = _checkpoints(tmp_path)
    path = checkpoints.save(trained.parts(), state)
    assert path.name == "kimg-001234.567.safetensors"
    assert checkpoints.latest() == path == newest_checkpoint(RunFolder(tmp_path))
    saved = checkpoints.load(path, other.parts())
    assert (saved.state, saved.settings, saved.data) == (state, SETTINGS, DATA)
    _require_same(trained, other)
    trained.step(3)
    other.step(3)
    _require_same(trained, other)


def test_a_new_run_has_none(tmp_path: Path) -> None:
    assert _checkpoints(tmp_path / "run").latest() is None


def test_the_last_ones_and_the_best_stay(tmp_path: Path) -> None:
    checkpoints, trained = _checkpoints(tmp_path), _Trained()
    scores = {1: 9.0, 2: 3.0, 3: None, 4: float("nan"), 5: 4.0, 6: None}
    for kimg, score in scores.items():
        measured = {} if score is None else {"swd": score, "ms-ssim": 0.0}
        checkpoints.save(trained.parts(), _state(kimg, **measured))
    assert _names(tmp_path) == [_name(2), _name(5), _name(6)]
    checkpoints.save(trained.parts(), _state(7, swd=2.5))
    checkpoints.save(trained.parts(), _state(8))
    checkpoints.save(trained.parts(), _state(9))
    assert _names(tmp_path) == [_name(7), _name(8), _name(9)]


def test_scores_of_other_measurements_are_not_compared(tmp_path: Path) -> None:
    """Of fewer images an SWD is higher, whatever the state."""
    checkpoints, trained = _checkpoints(tmp_path), _Trained()
    measured = {1: (3.0, "20 fake"), 2: (9.0, "64 fake"), 3: (8.0, "64 fake"), 4: (8.5, "64 fake")}
    for kimg, (score, protocol) in measured.items():
        state = replace(_state(kimg, swd=score), protocols={"swd": protocol})
        checkpoints.save(trained.parts(), state)
    for kimg in (5, 6):
        checkpoints.save(trained.parts(), _state(kimg))
    assert _names(tmp_path) == [_name(3), _name(5), _name(6)]


def test_where_fewer_are_to_stay_the_others_make_room_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kimg in (10, 20):
        _checkpoints(tmp_path).save(_Trained().parts(), _state(kimg))
    seen: list[list[str]] = []
    monkeypatch.setattr(
        checkpoint_module, "save_checkpoint", lambda *_, **__: seen.append(_names(tmp_path))
    )
    fewer = replace(SETTINGS, output=OutputSettings(keep_checkpoints=1))
    _checkpoints(tmp_path, fewer).save(_Trained().parts(), _state(30))
    assert seen == [[_name(20)]]


def test_a_damaged_one_is_not_the_best_and_hinders_nothing(tmp_path: Path) -> None:
    checkpoints, trained = _checkpoints(tmp_path), _Trained()
    path = checkpoints.save(trained.parts(), _state(1, swd=1.0))
    path.write_bytes(path.read_bytes()[:100])
    for kimg in (2, 3, 4):
        checkpoints.save(trained.parts(), _state(kimg))
    assert _names(tmp_path) == [_name(3), _name(4)]


def test_the_same_kimg_is_saved_anew(tmp_path: Path) -> None:
    checkpoints = _checkpoints(tmp_path)
    checkpoints.save(_Trained(seed=0).parts(), _state(1))
    path = checkpoints.save(_Trained(seed=1).parts(), _state(1, swd=2.0))
    other = _Trained()
    assert checkpoints.load(path, other.parts()).state.scores == {"swd": 2.0}
    _require_same(other, _Trained(seed=1))


def test_gone_on_from_an_older_one_the_later_ones_are_moved_aside(tmp_path: Path) -> None:
    checkpoints, trained = _checkpoints(tmp_path), _Trained()
    for kimg in (10, 20):
        checkpoints.save(trained.parts(), _state(kimg))
    path = checkpoints.save(trained.parts(), _state(15))
    assert checkpoints.latest() == path
    assert _names(tmp_path) == [_name(10), _name(15)]
    left = RunFolder(tmp_path).left_behind / _name(20)
    assert read_saved(left).state.kimg == 20


def test_going_back_the_later_ones_are_moved_aside_at_once(tmp_path: Path) -> None:
    checkpoints, trained, folder = _checkpoints(tmp_path), _Trained(), RunFolder(tmp_path)
    older = checkpoints.save(trained.parts(), _state(10))
    newer = checkpoints.save(trained.parts(), _state(20))
    expected = newer.read_bytes()
    folder.fakes_folder.mkdir()
    for kimg in (9, 10, 15):
        folder.fakes(kimg).write_bytes(b"grid")
    checkpoints.go_on_from(older, _state(10))
    assert _names(tmp_path) == [_name(10)]
    assert [path.name for path in folder.fakes_left_behind.iterdir()] == [folder.fakes(15).name]
    assert folder.fakes(10).is_file()
    checkpoints.go_on_from(folder.left_behind / _name(20), _state(20))
    assert newer.read_bytes() == expected
    assert _names(tmp_path) == [_name(10), _name(20)]


def test_what_a_killed_process_left_makes_room(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path).checkpoints_folder
    folder.mkdir()
    (folder / f".{_name(3)}.0123abcd.partial").write_bytes(b"half")
    (folder / "notes.txt").write_bytes(b"the user's")
    _checkpoints(tmp_path).save(_Trained().parts(), _state(5))
    assert _names(tmp_path) == [_name(5), "notes.txt"]


@pytest.mark.parametrize(
    ("change", "listed"),
    [
        ({"preset": "other"}, r"preset: 'test', now 'other'"),
        ({"seed": 5}, r"seed: 0, now 5"),
        ({"data": DataSettings(resolution=64)}, r"data\.resolution: 32, now 64"),
        (
            {"optimization": OptimizationSettings(learning_rates={16: 0.5}, beta2=0.9)},
            r"learning_rates: \{16: 0\.0015, 32: 0\.002\}, now \{16: 0\.5\}; .*beta2: 0\.99",
        ),
    ],
)
def test_of_other_settings_it_is_refused_and_nothing_is_loaded(
    tmp_path: Path, change: dict[str, object], listed: str
) -> None:
    path = _checkpoints(tmp_path).save(_Trained(seed=1).parts(), _state(1))
    untouched = _Trained()
    other = _checkpoints(tmp_path, replace(SETTINGS, **change))  # type: ignore[arg-type]
    with pytest.raises(DataError, match=f"{path.name}: is of a run with other settings .*{listed}"):
        other.load(path, untouched.parts())
    _require_same(untouched, _Trained())


def test_what_may_change_may_change_and_is_told(tmp_path: Path) -> None:
    path = _checkpoints(tmp_path).save(_Trained().parts(), _state(1))
    now = replace(
        SETTINGS,
        schedule=replace(SETTINGS.schedule, total_kimg=500.0),
        optimization=replace(SETTINGS.optimization, microbatch_size=4, precision="float32"),
        output=OutputSettings(tick_kimg=1.0, metrics=("modes",)),
    )
    saved = _checkpoints(tmp_path, now).load(path, _Trained().parts())
    assert describe_changes(saved, SETTINGS, world_size=1, device="cpu") == ()
    told = describe_changes(saved, now, world_size=4, device="cuda")
    assert len(told) == 4
    assert told[0] == "optimization.microbatch_size was 0 and is 4 from here on"
    assert told[1] == "optimization.precision was 'auto' and is 'float32' from here on"
    assert told[2].startswith("processes were 1 and are 4 from here on")
    assert told[3] == "the device was cpu and is cuda from here on"


@pytest.mark.parametrize("change", [{"digest": "cd" * 32}, {"label_count": 10}])
def test_other_pictures_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = _checkpoints(tmp_path).save(_Trained().parts(), _state(1))
    other = _checkpoints(tmp_path, data=replace(DATA, path="/other", **change))  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"30,000 pictures \(/data/faces.*/other.*--data"):
        other.load(path, _Trained().parts())


def test_other_labels_are_refused(tmp_path: Path) -> None:
    """A run that does not say how many there were drew those of fakes otherwise."""
    labelled = replace(DATA, label_count=2, label_counts=(29_999, 1))
    path = _checkpoints(tmp_path, data=labelled).save(_Trained().parts(), _state(1))
    assert _checkpoints(tmp_path, data=labelled).load(path, _Trained().parts()).data == labelled
    for counts in ((29_998, 2), ()):
        other = _checkpoints(tmp_path, data=replace(labelled, label_counts=counts))
        with pytest.raises(DataError, match="the labels of /data/faces are not those"):
            other.load(path, _Trained().parts())


def test_moved_pictures_are_taken(tmp_path: Path) -> None:
    path = _checkpoints(tmp_path).save(_Trained().parts(), _state(1))
    _checkpoints(tmp_path, data=replace(DATA, path="/moved")).load(path, _Trained().parts())


def test_of_a_damaged_one_the_one_before_it_is_named(tmp_path: Path) -> None:
    checkpoints = _checkpoints(tmp_path)
    older = checkpoints.save(_Trained().parts(), _state(1))
    newest = checkpoints.save(_Trained().parts(), _state(2))
    newest.write_bytes(newest.read_bytes()[:-1])
    assert checkpoints.latest() == newest  # never another in silence
    with pytest.raises(DataError) as caught:
        checkpoints.load(newest, _Trained().parts())
    assert str(caught.value).startswith(f"{newest}: the checkpoint cannot be read")
    assert str(caught.value).endswith(f"{older.name}: go on there with --checkpoint {older}")
    older.unlink()
    with pytest.raises(DataError, match="the run has no other: begin it anew"):
        checkpoints.load(newest, _Trained().parts())


@pytest.mark.parametrize("data", [b"", b"not a checkpoint at all", bytes(64)])
def test_foreign_files_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "other").write_bytes(data)
    with pytest.raises(DataError, match="cannot be read"):
        _checkpoints(tmp_path).load(tmp_path / "other", _Trained().parts())
    with pytest.raises(DataError, match="cannot be read"):
        load_generator(tmp_path / "other")


def test_nets_of_another_shape_do_not_fit(tmp_path: Path) -> None:
    path = _checkpoints(tmp_path).save(_Trained().parts(), _state(1))
    with pytest.raises(DataError, match=r"(?s)does not fit this run.*size mismatch"):
        _checkpoints(tmp_path).load(
            path, {"generator": nn.Sequential(nn.Linear(3, 5), nn.Linear(4, 2))}
        )


def test_the_generator_alone_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = _Trained(steps=2)
    path = _checkpoints(tmp_path).save(trained.parts(), _state(1.5))
    read: list[str] = []

    class Spy:
        def __init__(self, *words: object) -> None:
            self._file = safe_open(*words)

        def __enter__(self) -> "Spy":
            self._file.__enter__()
            return self

        def __exit__(self, *words: object) -> None:
            self._file.__exit__(*words)

        def metadata(self) -> object:
            return self._file.metadata()

        def keys(self) -> object:
            return self._file.keys()

        def get_tensor(self, name: str) -> object:
            read.append(name)
            return self._file.get_tensor(name)

    monkeypatch.setattr("pgan_toolkit.runs.checkpoint.safe_open", Spy)
    found = load_generator(path)
    assert (found.saved.settings, found.saved.state.kimg) == (SETTINGS, 1.5)
    expected = trained.nets["generator_ema"].state_dict()
    assert found.weights.keys() == expected.keys()
    assert all(torch.equal(found.weights[name], value) for name, value in expected.items())
    assert sorted(read) == sorted(f"generator_ema/{name}" for name in expected)


def test_without_an_average_there_is_nothing_to_draw_from(tmp_path: Path) -> None:
    path = _checkpoints(tmp_path).save({"generator": nn.Linear(2, 2)}, _state(1))
    with pytest.raises(DataError, match="holds no average generator"):
        load_generator(path)


def test_a_full_disk_leaves_all_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints = _checkpoints(tmp_path)
    for kimg in (1, 2):
        checkpoints.save(_Trained(steps=2).parts(), _state(kimg))
    before = {
        name: (RunFolder(tmp_path).checkpoints_folder / name).read_bytes()
        for name in _names(tmp_path)
    }

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(SetupError, match=r"kimg-000003.000.*No space left.*make room there"):
            checkpoints.save(_Trained().parts(), _state(3))
    assert _names(tmp_path) == [_name(1), _name(2)]
    for name, data in before.items():
        assert (RunFolder(tmp_path).checkpoints_folder / name).read_bytes() == data
    other = _Trained()
    checkpoints.load(checkpoints.latest(), other.parts())  # type: ignore[arg-type]
    _require_same(other, _Trained(steps=2))


def test_a_state_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    from pgan_toolkit.runs import CheckpointKind, save_checkpoint

    kind = CheckpointKind("pgan-toolkit training checkpoint", version=1)
    path = tmp_path / "a"
    for state in (
        {},
        {"settings": {"preset": "x"}, "state": {}},
        {"settings": {"nonsense": 1}, "state": {}},
    ):
        save_checkpoint(path, {}, kind=kind, state=state)
        with pytest.raises(DataError, match=r"a: (says nothing of its run|was made by another)"):
            read_saved(path)

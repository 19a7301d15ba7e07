import inspect
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from child_processes import Children

from pgan_toolkit import __version__
from pgan_toolkit.errors import DataError, SetupError, UsageError
from reference_trainer.configuration import (
    DataSettings,
    RunSettings,
    ScheduleSettings,
    read_settings,
)
from reference_trainer.runs import (
    Checkpoints,
    DataFacts,
    RunFolder,
    begin_run,
    check_new,
    is_run,
    newest_checkpoint,
    note_resume,
    read_data_facts,
    read_saved,
)
from reference_trainer.runs.provenance import git_revision

SETTINGS = RunSettings(
    preset="test", data=DataSettings(resolution=32), schedule=ScheduleSettings(total_kimg=100)
)
DATA = DataFacts(path="/data/faces", pictures=3, label_count=10, digest="ab" * 32)
CPU = torch.device("cpu")


def _begun(path: Path) -> RunFolder:
    folder = RunFolder(path)
    with folder.held():
        begin_run(folder, SETTINGS, data=DATA, device=CPU)
    return folder


def test_a_run_begins_with_a_folder_that_explains_itself(tmp_path: Path) -> None:
    folder = _begun(tmp_path / "new" / "run")
    assert read_settings(folder.settings) == SETTINGS
    assert read_data_facts(folder) == DATA
    record = json.loads(folder.record.read_text())
    assert (record["format"], record["version"]) == ("pgan-toolkit training run", 1)
    assert (record["preset"], record["resumed"]) == ("test", [])
    begun = record["begun"]
    assert begun["versions"]["pgan-toolkit"] == __version__
    assert begun["versions"]["torch"].startswith(torch.__version__.partition("+")[0])
    assert (begun["device"], begun["processes"]) == ("cpu", 1)
    assert begun["command"]
    assert is_run(folder.path)


def test_the_text_names_every_file(tmp_path: Path) -> None:
    folder = _begun(tmp_path / "run")
    text = folder.readme.read_text()
    properties = inspect.getmembers(RunFolder, lambda member: isinstance(member, property))
    assert len(properties) >= 11
    for name, _ in properties:
        relative = getattr(folder, name).relative_to(folder.path)
        assert f"\n{relative}" in text, name
    assert folder.fakes(600).name in text
    assert folder.checkpoint(600).name in text
    assert all(len(line) <= 100 for line in text.splitlines())


@pytest.mark.parametrize(
    ("kimg", "name"),
    [(0.064, "kimg-000000.064"), (600.0, "kimg-000600.000"), (12_345.6, "kimg-012345.600")],
)
def test_names_sort_as_the_kimg_do(kimg: float, name: str) -> None:
    folder = RunFolder(Path("run"))
    assert folder.fakes(kimg) == Path("run", "fakes", f"{name}.png")
    assert folder.checkpoint(kimg) == Path("run", "checkpoints", f"{name}.safetensors")


def test_each_resume_is_noted(tmp_path: Path) -> None:
    folder = _begun(tmp_path)
    longer = replace(SETTINGS, schedule=ScheduleSettings(total_kimg=200))
    moved = replace(DATA, path="/moved")
    for kimg in (10.0, 20.5):
        note_resume(folder, longer, data=moved, device=CPU, world_size=2, kimg=kimg)
    record = json.loads(folder.record.read_text())
    assert [one["kimg"] for one in record["resumed"]] == [10.0, 20.5]
    assert (record["begun"]["processes"], record["resumed"][0]["processes"]) == (1, 2)
    assert read_settings(folder.settings) == longer
    assert read_data_facts(folder) == moved


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with (
        folder.held(),
        pytest.raises(SetupError, match=rf"another training \(process {os.getpid()}\)"),
        folder.held(),
    ):
        pass
    with folder.held():
        begin_run(folder, SETTINGS, data=DATA, device=CPU)


def test_another_process_keeps_this_one_out(tmp_path: Path, children: Children) -> None:
    folder = _begun(tmp_path / "run")
    code = (
        "import fcntl, os, sys; handle = os.open(sys.argv[1], os.O_RDWR)\n"
        "fcntl.flock(handle, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"
    )
    other = children.start(
        [sys.executable, "-S", "-c", code, str(folder.lock)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(SetupError, match="another training"), folder.held():
            pass
        other.kill()
    with folder.held():
        pass


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    for number in range(7):
        (tmp_path / f"{number}.jpg").write_bytes(b"")
    with pytest.raises(UsageError, match=r"is not empty \(0\.jpg, .*4\.jpg and 2 more\); name an"):
        _begun(tmp_path)
    assert not is_run(tmp_path)
    assert not (tmp_path / "README.txt").exists()


def test_a_run_is_not_begun_over_another(tmp_path: Path) -> None:
    folder = _begun(tmp_path)
    with pytest.raises(UsageError, match="holds a run; go on with it"):
        _begun(tmp_path)
    folder.record.write_text("damaged")
    with pytest.raises(UsageError, match="holds a run; go on with it"):
        check_new(folder)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="is a file"):
        check_new(RunFolder(tmp_path / "file"))


def test_a_folder_that_is_new_or_was_left_at_once_is_taken(tmp_path: Path) -> None:
    check_new(RunFolder(tmp_path / "none"))
    (tmp_path / "lock").write_bytes(b"1")
    (tmp_path / ".run.json.01234567.partial").write_bytes(b"{")
    _begun(tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, r"holds no run \(run\.json is missing\)"),
        ("{", "expected JSON"),
        ("[1]", "expected a JSON object"),
        ('{"format": "other", "version": 1}', "is of another program"),
        ('{"format": "pgan-toolkit training run", "version": 2}', "is of version 2; expected 1"),
        ('{"format": "pgan-toolkit training run", "version": 1}', "nothing whole of its data"),
        (
            '{"format": "pgan-toolkit training run", "version": 1, "data": {"path": 1}}',
            "nothing whole of its data",
        ),
        (
            '{"format": "pgan-toolkit training run", "version": 1, "data": {"path": "", "digest":'
            ' "", "pictures": 3, "label_count": 2, "label_counts": [1, 1, 1]}}',
            "label_counts do not fit label_count",
        ),
    ],
)
def test_what_is_no_run_is_not_resumed(tmp_path: Path, text: str | None, told: str) -> None:
    folder = RunFolder(tmp_path)
    if text is not None:
        folder.record.write_text(text)
    with pytest.raises(DataError, match=told):
        read_data_facts(folder)
    assert is_run(tmp_path) == (text is not None and "training run" in text)


def test_where_there_is_nothing_there_is_no_run(tmp_path: Path) -> None:
    assert not is_run(tmp_path / "none")
    with pytest.raises(DataError, match="no such folder"):
        read_data_facts(RunFolder(tmp_path / "none"))


def _git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b.invalid"]
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_revision_of_a_tree_and_whether_it_was_changed(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    _git(tmp_path, "init", "--quiet", str(tree))
    assert git_revision(tree) is None  # no commit yet
    (tree / "a").write_text("1")
    _git(tree, "add", "a")
    _git(tree, "commit", "--quiet", "-m", "first")
    head = _git(tree, "rev-parse", "HEAD")
    (tree / "untracked").write_text("")
    assert git_revision(tree) == head
    assert git_revision(tree, containing=tree / "a") == head
    assert git_revision(tree, containing=tree / "untracked") is None
    (tree / "a").write_text("2")
    assert git_revision(tree) == f"{head} with changes"


def test_without_a_tree_or_git_there_is_no_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_revision(tmp_path) is None
    monkeypatch.setenv("PATH", "")
    assert git_revision(Path(__file__).parent) is None


SAVER = """
import sys
from pathlib import Path
import torch
from reference_trainer.configuration import read_settings
from reference_trainer.runs import Checkpoints, RunFolder, TrainingState, read_data_facts
folder = RunFolder(Path(sys.argv[1]))
checkpoints = Checkpoints(
    folder, settings=read_settings(folder.settings), data=read_data_facts(folder)
)
net, kimg = torch.nn.Linear(1500, 1500), 0
with folder.held():
    while True:
        kimg += 1
        torch.nn.init.constant_(net.weight, kimg)
        state = TrainingState(images_shown=1000 * kimg, steps=kimg, scores={"swd": 1.0 + kimg % 7})
        checkpoints.save({"generator_ema": net}, state)
        print(kimg, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("wait", [1, 2, 4, 7])
def test_killed_again_and_again_a_run_always_has_its_last_state(
    tmp_path: Path, wait: int, children: Children
) -> None:
    folder = _begun(tmp_path / "run")
    process = children.start(
        [sys.executable, "-c", SAVER, str(folder.path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process:
        told = [int(process.stdout.readline()) for _ in range(wait)]
        process.send_signal(signal.SIGKILL)
        told += [int(line) for line in process.stdout.read().split()]
    newest = newest_checkpoint(folder)
    assert newest is not None
    assert read_saved(newest).state.kimg >= told[-1]
    net = torch.nn.Linear(1500, 1500)
    checkpoints = Checkpoints(folder, settings=SETTINGS, data=DATA)
    with folder.held():  # a kill has released it
        saved = checkpoints.load(newest, {"generator_ema": net})
        checkpoints.save({"generator_ema": net}, saved.state)
    assert net.weight.eq(saved.state.kimg).all()
    assert not list(folder.checkpoints_folder.glob(".*"))


def test_a_run_that_was_killed_while_it_began_can_be_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("made_with", "_write"):  # it asks git; it writes the record, last

        def killed(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(f"reference_trainer.runs.record.{name}", killed)
            with pytest.raises(KeyboardInterrupt):
                _begun(tmp_path / "run")
        check_new(RunFolder(tmp_path / "run"))
    assert is_run(_begun(tmp_path / "run").path)


def test_texts_of_others_are_not_written_over(tmp_path: Path) -> None:
    for name in ("settings.toml", "README.txt"):
        (tmp_path / name).write_text("mine")
        with pytest.raises(UsageError, match=rf"is not empty \(.*{name}"):
            _begun(tmp_path)
        assert (tmp_path / name).read_text() == "mine"

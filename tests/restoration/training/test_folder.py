from dataclasses import replace
from pathlib import Path

import pytest

from pgan_toolkit.errors import UsageError
from pgan_toolkit.restoration.training import JointSettings, RestorerFolder, preset
from pgan_toolkit.restoration.training.folder import check_folder

SETTINGS = preset("smoke", task="superres")


@pytest.fixture
def folder(tmp_path: Path) -> RestorerFolder:
    path = tmp_path / "run"
    path.mkdir()
    return RestorerFolder(path)


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("linked", [False, True])
def test_a_run_does_not_begin_from_the_weights_that_it_writes(
    tmp_path: Path, folder: RestorerFolder, resume: bool, linked: bool
) -> None:
    folder.weights.touch()
    folder.checkpoint.touch()
    given = folder.weights
    if linked:
        given = tmp_path / "linked.safetensors"
        given.symlink_to(folder.weights)
    with pytest.raises(UsageError, match=rf"--init {given}: .* would overwrite it .* copy it"):
        check_folder(folder, replace(SETTINGS, init=given), resume=resume)


def test_a_copy_of_an_earlier_runs_weights_may_be_begun_from(
    tmp_path: Path, folder: RestorerFolder
) -> None:
    other = tmp_path / "weights.safetensors"
    other.touch()
    check_folder(folder, replace(SETTINGS, init=other), resume=False)
    folder.weights.touch()
    folder.checkpoint.touch()
    check_folder(folder, replace(SETTINGS, init=other), resume=True)


def test_only_a_joint_run_writes_a_jpeg_net(tmp_path: Path, folder: RestorerFolder) -> None:
    folder.jpeg_weights.touch()
    behind = replace(SETTINGS, behind=folder.jpeg_weights)
    check_folder(folder, behind, resume=False)
    jointly = replace(behind, joint=JointSettings())
    with pytest.raises(UsageError, match=rf"--behind {folder.jpeg_weights}: .* copy it"):
        check_folder(folder, jointly, resume=False)
    elsewhere = replace(jointly, behind=tmp_path / "other.safetensors")
    with pytest.raises(UsageError, match=rf"{folder.jpeg_weights}: the run would overwrite it"):
        check_folder(folder, elsewhere, resume=False)


def test_weights_are_not_overwritten_unless_by_the_run_that_made_them(
    folder: RestorerFolder,
) -> None:
    folder.weights.touch()
    with pytest.raises(UsageError, match=rf"{folder.weights}: .* overwrite it; move it away"):
        check_folder(folder, SETTINGS, resume=False)
    with pytest.raises(UsageError, match="no run to resume"):
        check_folder(folder, SETTINGS, resume=True)
    folder.checkpoint.touch()
    check_folder(folder, SETTINGS, resume=True)


def test_a_run_that_was_killed_before_its_first_checkpoint_is_begun_anew(
    folder: RestorerFolder,
) -> None:
    for path in (folder.settings, folder.log, folder.lock):
        path.touch()
    check_folder(folder, SETTINGS, resume=False)


def test_a_file_is_no_folder_for_a_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=f"{tmp_path / 'file'}: is a file; name a folder"):
        check_folder(RestorerFolder(tmp_path / "file"), SETTINGS, resume=False)

"""The output: whose it is, whether it is whole, and that it appears at once."""

from pathlib import Path

import pytest

from pgan_toolkit.celebahq.output import Output
from pgan_toolkit.errors import DataError, UsageError

SELECTION: dict[str, object] = {"select": "ranked", "count": 3, "format": "folder"}


@pytest.fixture
def output(tmp_path: Path) -> Output:
    return Output(tmp_path / "hq", record=tmp_path / "output.json")


def publish(output: Output, *names: str) -> None:
    made = output.path.with_name("made")
    made.mkdir()
    for name in names:
        (made / name).write_text("x")
    output.publish(made, selection=SELECTION, pictures=len(names))


def test_an_empty_folder_is_no_output_and_a_file_is_one(output: Output) -> None:
    assert not output.exists()
    output.path.mkdir()
    assert not output.exists()
    assert output.is_finished(SELECTION) is False
    output.path.rmdir()
    output.path.touch()
    assert output.exists()


def test_what_was_published_is_known_again(output: Output) -> None:
    publish(output, "a.png", "b.png")
    assert sorted(path.name for path in output.path.iterdir()) == ["a.png", "b.png"]
    assert output.is_finished(dict(SELECTION)) is True
    with pytest.raises(DataError, match=r"count: 3, now 4.*--fresh"):
        output.is_finished({**SELECTION, "count": 4})


def test_an_output_that_is_not_whole_is_not_finished(output: Output) -> None:
    publish(output, "a.png", "b.png")
    (output.path / "b.png").unlink()
    with pytest.raises(DataError, match="hq: holds 1 pictures, 2 were written; move it away"):
        output.is_finished(SELECTION)


@pytest.mark.parametrize("before", [True, False])
def test_an_output_of_others_is_refused_and_kept(output: Output, before: bool) -> None:
    if before:  # one of the same name was published, and moved away
        publish(output, "a.png")
        output.path.rename(output.path.with_name("v1"))
    output.path.mkdir()
    (output.path / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="hq: exists and was not made by this build"):
        output.is_finished(SELECTION)
    with pytest.raises(UsageError, match="hq: --fresh removes only what a build made"):
        output.retire(output.path.with_name("trash"))
    assert (output.path / "thesis.txt").exists()


def test_another_folder_that_got_the_inode_is_not_what_was_made(output: Output) -> None:
    publish(output, "a.png")
    (output.path / "a.png").unlink()  # as if removed and made again, which gave it the same inode
    (output.path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="hq: --fresh removes only what a build made"):
        output.retire(output.path.with_name("trash"))
    assert (output.path / "thesis.txt").exists()


def test_a_file_that_was_written_since_is_not_what_was_made(output: Output) -> None:
    made = output.path.with_name("made")
    made.write_text("pictures")
    output.publish(made, selection=SELECTION, pictures=None)
    assert output.is_finished(SELECTION)
    output.path.write_text("years of work")
    with pytest.raises(UsageError, match="hq: --fresh removes only what a build made"):
        output.retire(output.path.with_name("trash"))


def test_a_link_to_what_was_published_is_not_it(output: Output) -> None:
    publish(output, "a.png")
    output.path.rename(output.path.with_name("elsewhere"))
    output.path.symlink_to(output.path.with_name("elsewhere"))
    with pytest.raises(UsageError, match="is a link"):
        output.refuse_unusable("folder")
    with pytest.raises(UsageError):
        output.retire(output.path.with_name("trash"))


@pytest.mark.parametrize("data", [b"", b"{", b"3", b"[1]", b"{}", b"\xff\xfe\x00"])
def test_a_damaged_record_removes_nothing_and_says_how_to_go_on(
    output: Output, tmp_path: Path, data: bytes
) -> None:
    publish(output, "a.png")
    (tmp_path / "output.json").write_bytes(data)
    for use in (
        lambda: output.is_finished(SELECTION),
        lambda: output.retire(tmp_path / "trash"),
    ):
        with pytest.raises(DataError, match=r"output\.json: damaged.*move .*hq away and run"):
            use()
    assert (output.path / "a.png").exists()
    output.path.rename(tmp_path / "away")
    assert output.is_finished(SELECTION) is False


def test_what_cannot_be_renamed_onto_is_refused_at_once(tmp_path: Path) -> None:
    record = tmp_path / "output.json"
    with pytest.raises(UsageError, match="is a mount point"):
        Output(Path("/proc"), record=record).refuse_unusable("folder")
    with pytest.raises(UsageError, match="is a folder, and --format zip makes a file"):
        Output(tmp_path, record=record).refuse_unusable("zip")
    (tmp_path / "hq.tar").mkdir()
    with pytest.raises(UsageError, match="is a folder, and --format webdataset makes a file"):
        Output(tmp_path / "hq.tar", record=record).refuse_unusable("webdataset")
    Output(tmp_path, record=record).refuse_unusable("folder")

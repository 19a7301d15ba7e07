"""The whole build on the embedded samples: what it makes, and that nothing changes the bytes."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pgan_toolkit.celebahq import BuildSettings, Ledger, build, build_dataset, plan_build
from pgan_toolkit.errors import DataError, SetupError, UsageError
from pgan_toolkit.storage import open_source

FAILED = {
    "empty", "landmarks_coincide", "landmarks_outside", "nine_numbers", "no_picture", "no_row",
    "not_a_picture", "truncated",
}  # fmt: skip


def _settings(samples: Path, out: Path, **changes: object) -> BuildSettings:
    base = BuildSettings(src=samples, out=out, count=10, size=64, workers=1, restorer="lanczos")
    return replace(base, **changes)  # type: ignore[arg-type]


def _bytes(out: Path) -> dict[str, bytes]:
    if out.is_file():
        return {out.name: out.read_bytes()}
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def built(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished build of ten; not to be changed."""
    out = tmp_path_factory.mktemp("built") / "hq"
    build_dataset(_settings(samples, out), mode="quiet")
    return out


def test_the_best_are_kept_and_everything_else_is_recorded(built: Path) -> None:
    with Ledger(built.with_name("hq.build") / "ledger.sqlite") as ledger:
        rows = {row.key: row for row in ledger.rows()}
        verdicts = ledger.verdicts()
    kept = [v.key for v in verdicts if v.verdict == "kept"]
    rejected = [v.key for v in verdicts if v.verdict == "rejected"]
    assert len(kept) == 10
    assert {v.key for v in verdicts if v.verdict == "failed"} == FAILED
    assert [v.duplicate_of for v in verdicts if v.verdict == "duplicate"] == ["original"]
    scores = [rows[key].score or 0.0 for key in kept + rejected]
    assert scores == sorted(scores, reverse=True)
    assert all(rows[key].reason for key in FAILED)
    source = open_source(built)
    assert sorted(source.keys()) == sorted(kept)
    assert all(record.image.shape == (64, 64, 3) for record in source)


def test_the_reports_say_what_the_ledger_says(built: Path) -> None:
    folder = built.with_name("hq.build")
    summary = json.loads((folder / "summary.json").read_text())
    rows = list(csv.DictReader((folder / "photographs.csv").read_text().splitlines()))
    assert summary["kept"] == 10
    assert summary["failed"] == len(FAILED)
    assert summary["failures"]["no picture"] == 1
    assert len(rows) == summary["photographs"]
    assert [row["verdict"] for row in rows[:10]] == ["kept"] * 10
    assert (folder / "contact_sheet.png").stat().st_size > 10_000
    assert not (folder / "crops").exists()


def test_a_second_call_changes_nothing(built: Path, samples: Path) -> None:
    before = _bytes(built)
    times = {path: path.stat().st_mtime_ns for path in built.rglob("*")}
    summary = build_dataset(_settings(samples, built), mode="quiet")
    assert summary.kept == 10
    assert _bytes(built) == before
    assert {path: path.stat().st_mtime_ns for path in built.rglob("*")} == times


@pytest.mark.slow
@pytest.mark.parametrize("format_name", ["folder", "zip", "hdf5", "hdf5-multires"])
def test_every_format_holds_the_same_pixels_and_the_same_bytes_each_time(
    built: Path, samples: Path, tmp_path: Path, format_name: str
) -> None:
    outs = [tmp_path / "one" / "set", tmp_path / "two" / "set"]
    for out in outs:
        build_dataset(_settings(samples, out, format=format_name), mode="quiet")
    assert _bytes(outs[0]) == _bytes(outs[1])
    source, expected = open_source(outs[0]), open_source(built)
    assert list(source.keys()) == list(expected.keys())
    for record, other in zip(source, expected, strict=True):
        assert np.array_equal(record.image, other.image)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("hq.tar", None),
        ("shards", ["000000.tar"]),
        ("hq.lmdb", ["data.mdb"]),
        ("hq.tfrecords", ["hq-r02.tfrecords", "hq-r06.tfrecords"]),
        ("hq.npz", None),
    ],
)
def test_a_dataset_of_any_format_has_its_name_and_is_known_again(
    samples: Path, tmp_path: Path, name: str, files: list[str] | None
) -> None:
    kind = {"format": "webdataset"} if name == "shards" else {}
    settings = _settings(samples, tmp_path / name, count=2, size=64, **kind)
    build_dataset(settings, mode="quiet")
    if files is None:
        assert settings.out.is_file()
    else:
        assert {*files} <= {path.name for path in settings.out.iterdir()}
    assert len(open_source(settings.out)) == 2
    made = _bytes(settings.out), settings.out.stat().st_mtime_ns
    assert build_dataset(settings, mode="quiet").kept == 2
    assert (_bytes(settings.out), settings.out.stat().st_mtime_ns) == made
    build_dataset(settings, fresh=True, mode="quiet")
    assert _bytes(settings.out) == made[0]


@pytest.mark.slow
def test_workers_and_passes_do_not_change_the_bytes(
    built: Path, samples: Path, tmp_path: Path
) -> None:
    build_dataset(_settings(samples, tmp_path / "two", workers=2), mode="quiet")
    assert _bytes(tmp_path / "two") == _bytes(built)
    # All at once in one pass, of which the same ten are then the best.
    build_dataset(_settings(samples, tmp_path / "all", select="all", count=None), mode="quiet")
    everything = _bytes(tmp_path / "all")
    assert len(everything) == 29 + len(["dataset.json"])
    assert {name: everything[name] for name in _bytes(built)} == _bytes(built)


def test_a_list_of_keys_is_what_is_built(samples: Path, tmp_path: Path) -> None:
    listed = tmp_path / "keys.txt"
    text = '# mine\nkey,score\nblur_4.jpg\noriginal\n"original_again",0.5\n\nnobody\n'
    listed.write_text(text, "utf-8-sig")
    summary = build_dataset(
        _settings(samples, tmp_path / "hq", select=listed, count=None), mode="quiet"
    )
    assert set(open_source(tmp_path / "hq").keys()) == {"blur_4", "original", "original_again"}
    assert (summary.photographs, summary.failed) == (4, 1)
    assert "nobody" in summary.reasons[0]


def test_the_published_list_is_used_by_file_name(samples: Path, tmp_path: Path) -> None:
    source = tmp_path / "src"
    (source / "img_celeba").mkdir(parents=True)
    table = (samples / "Anno" / "list_landmarks_celeba.txt").read_text().splitlines()
    row = next(line for line in table if line.startswith("original.jpg"))
    for name in ("119614.jpg", "000001.jpg"):  # the first is on top of the list, the other is not
        shutil.copy(samples / "img_celeba" / "original.jpg", source / "img_celeba" / name)
    rows = [row.replace("original.jpg", name) for name in ("119614.jpg", "000001.jpg")]
    (source / "landmarks.txt").write_text("\n".join(["2", table[1], *rows]))
    settings = _settings(source, tmp_path / "hq", select="official", count=3)
    summary = build_dataset(settings, mode="quiet")
    assert list(open_source(tmp_path / "hq").keys()) == ["119614"]
    assert summary.failures == {"no picture": 2}


def test_detected_faces_give_nearly_the_annotated_crops(samples: Path, tmp_path: Path) -> None:
    source = tmp_path / "photos"
    source.mkdir()
    shutil.copy(samples / "img_celeba" / "original.jpg", source)
    shutil.copy(samples / "img_celeba" / "blur_4.jpg", source)
    settings = _settings(source, tmp_path / "hq", landmarks="detect", count=None)
    build_dataset(settings, mode="quiet")
    annotated = _settings(samples, tmp_path / "all", select="all", count=None)
    build_dataset(annotated, mode="quiet")
    ours = open_source(tmp_path / "hq")
    assert "original" in set(ours.keys())
    by_key = {record.key: record.image for record in open_source(tmp_path / "all")}
    detected = {record.key: record.image for record in ours}
    difference = np.abs(detected["original"].astype(int) - by_key["original"])
    assert difference.mean() < 16


def test_other_scoring_settings_are_refused_and_named(built: Path, samples: Path) -> None:
    out = built.with_name("hq")
    with pytest.raises(DataError, match=r"size was 64 and is now 128.*--fresh"):
        build_dataset(_settings(samples, out, size=128), mode="quiet")
    with pytest.raises(DataError, match="count: 10, now 3"):
        build_dataset(_settings(samples, out, count=3), mode="quiet")


def test_a_moved_output_is_selected_anew_from_the_same_scores(
    samples: Path, tmp_path: Path
) -> None:
    out = tmp_path / "hq"
    build_dataset(_settings(samples, out), mode="quiet")
    out.rename(tmp_path / "ten")
    summary = build_dataset(_settings(samples, out, count=3), mode="quiet")
    assert summary.resumed == 30
    assert len(open_source(out)) == 3
    assert len(open_source(tmp_path / "ten")) == 10


def test_fresh_begins_anew_but_removes_only_its_own(samples: Path, tmp_path: Path) -> None:
    out = tmp_path / "hq"
    build_dataset(_settings(samples, out), mode="quiet")
    build_dataset(_settings(samples, out, count=2), fresh=True, mode="quiet")
    assert len(open_source(out)) == 2
    foreign = tmp_path / "mine"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="mine: --fresh removes only what a build made"):
        build_dataset(_settings(samples, foreign), fresh=True, mode="quiet")
    with pytest.raises(DataError, match="mine: exists and was not made by this build"):
        build_dataset(_settings(samples, foreign), mode="quiet")
    assert (foreign / "thesis.txt").read_text() == "years of work"


def test_too_many_failures_stop_the_build_and_keep_what_was_done(
    samples: Path, tmp_path: Path
) -> None:
    out = tmp_path / "hq"
    with pytest.raises(DataError, match="7 photographs have failed, more than --max-failures 6"):
        build_dataset(_settings(samples, out, max_failures=6), mode="quiet")
    assert not out.exists()
    summary = build_dataset(_settings(samples, out, max_failures=7), mode="quiet")
    assert (summary.resumed, summary.kept) == (30, 10)


def test_a_mended_photograph_is_taken_up_by_the_next_run(samples: Path, tmp_path: Path) -> None:
    source = tmp_path / "src"
    shutil.copytree(samples, source)
    with pytest.raises(DataError):
        build_dataset(_settings(source, tmp_path / "hq", max_failures=0), mode="quiet")
    shutil.copy(samples / "img_celeba" / "dark.jpg", source / "img_celeba" / "truncated.jpg")
    summary = build_dataset(_settings(source, tmp_path / "hq"), mode="quiet")
    assert summary.failed == len(FAILED) - 1


def test_a_photograph_that_changed_between_the_passes_is_noticed(
    samples: Path, tmp_path: Path
) -> None:
    source, out = tmp_path / "src", tmp_path / "hq"
    shutil.copytree(samples, source)
    build_dataset(_settings(source, out), mode="quiet")
    shutil.rmtree(out)
    victim = next(iter(open_source_keys(out)))
    shutil.copy(samples / "img_celeba" / "moire.jpg", source / "img_celeba" / f"{victim}.jpg")
    with pytest.raises(
        DataError, match=rf"{victim}\.jpg: gives other pixels than when it was scored"
    ):
        build_dataset(_settings(source, out), mode="quiet")


def open_source_keys(out: Path) -> list[str]:
    with Ledger(out.with_name(f"{out.name}.build") / "ledger.sqlite") as ledger:
        return [verdict.key for verdict in ledger.verdicts() if verdict.verdict == "kept"]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_source_that_goes_away_stops_the_build(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    source, out = tmp_path / "src", tmp_path / "hq"
    shutil.copytree(samples, source)
    plan = build.plan_build(_settings(source, out, workers=workers))
    monkeypatch.setattr(build, "plan_build", lambda _: plan)
    (source / "img_celeba").rename(tmp_path / "unplugged")
    with pytest.raises(SetupError, match="the source or the system fails, not this photograph"):
        build_dataset(plan.settings, mode="quiet")
    assert not out.exists()
    (tmp_path / "unplugged").rename(source / "img_celeba")
    assert build_dataset(plan.settings, mode="quiet").failed == len(FAILED)


def test_fresh_that_was_killed_leaves_no_stale_crop(samples: Path, tmp_path: Path) -> None:
    out = tmp_path / "hq"
    build_dataset(_settings(samples, out, select="all", count=None), mode="quiet")
    out.rename(out.with_name("hq.build") / "trash")  # as far as the killed call came
    build_dataset(_settings(samples, out, select="all", count=None), mode="quiet")
    assert {record.image.shape for record in open_source(out)} == {(64, 64, 3)}
    assert not (out.with_name("hq.build") / "trash").exists()


def test_a_dataset_that_lost_a_picture_is_not_called_finished(
    samples: Path, tmp_path: Path
) -> None:
    out = tmp_path / "hq"
    build_dataset(_settings(samples, out), mode="quiet")
    next(out.glob("*.png")).unlink()
    with pytest.raises(DataError, match="holds 9 pictures, 10 were written"):
        build_dataset(_settings(samples, out), mode="quiet")


def test_two_builds_into_one_place_at_once(samples: Path, tmp_path: Path) -> None:
    from pgan_toolkit.celebahq.workspace import Workspace

    with (
        Workspace(tmp_path / "hq").locked(),
        pytest.raises(SetupError, match=r"hq\.build: another build \(process \d+\) is at work"),
    ):
        build_dataset(_settings(samples, tmp_path / "hq"), mode="quiet")


def test_a_source_without_one_usable_photograph(samples: Path, tmp_path: Path) -> None:
    listed = tmp_path / "keys.txt"
    listed.write_text("truncated\nempty\n")
    with pytest.raises(DataError, match="none of 2 photographs could be used"):
        build_dataset(_settings(samples, tmp_path / "hq", select=listed), mode="quiet")
    assert not (tmp_path / "hq").exists()


def test_a_plan_writes_nothing(samples: Path, tmp_path: Path) -> None:
    plan = plan_build(_settings(samples, tmp_path / "deep" / "hq"))
    assert len(plan.source) == 38
    assert {row.key for row in plan.problems} == {"no_picture", "no_row", "nine_numbers"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"count": 0}, "--count 0"),
        ({"size": 66}, "--size 66: expected a multiple of 4"),
        ({"size": 96, "format": "hdf5-multires"}, "--size 96: expected a power of two"),
        ({"profile": "mine"}, "there is: paper, official"),
        ({"workers": 0}, "--workers 0"),
        ({"select": Path("no-such-list.txt")}, "--select no-such-list.txt: expected ranked, off"),
        ({"landmarks": Path("none.csv")}, "--landmarks none.csv: expected annotations, detect"),
        ({"faces": "every"}, "--faces every: expected --landmarks detect beside it"),
        ({"predictor": Path("p.dat")}, "--predictor p.dat: expected --landmarks detect beside it"),
    ],
)
def test_settings_are_checked_at_once(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        _settings(Path("src"), Path("out"), **changes)

"""`pgan-toolkit restore` as a user sees it."""

import errno
import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from command_line import run_main
from pgan_cli.restore import _not_restored, _read_mark

from pgan_toolkit.digests import pixel_digest
from pgan_toolkit.imaging import decode_image
from pgan_toolkit.restoration import open_restorer
from pgan_toolkit.restoration.networks import RedNet, RedNetConfig, SRResNet, SRResNetConfig
from pgan_toolkit.restoration.weights import save_network


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Small networks of random weights."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(1)
    red = RedNet(RedNetConfig(layers=2, maps=8))
    torch.nn.init.normal_(red.last.weight, std=0.02)
    save_network(folder / "j.safetensors", red, task="jpeg")
    large = SRResNet(SRResNetConfig(blocks=1, maps=8))
    save_network(folder / "s.safetensors", large, task="superres")
    return f"nets:jpeg={folder}/j.safetensors,superres={folder}/s.safetensors"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two small pictures, one of them in a folder of its own."""
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    random = np.random.default_rng(3)
    for name, size in (("a.jpg", (17, 23)), ("deep/b.png", (20, 12))):
        pixels = random.integers(0, 256, (*size, 3), dtype=np.uint8)
        PIL.Image.fromarray(pixels).save(folder / name)
    return folder


def _pixels(path: Path) -> np.ndarray:
    return decode_image(path.read_bytes(), name=path.name)


def test_every_picture_is_restored_under_its_own_name(
    photos: Path, tmp_path: Path, spec: str
) -> None:
    out = tmp_path / "out"
    done = run_main("restore", photos, "--out", out, "--restorer", spec, "--device", "cpu")
    assert done.code == 0
    assert done.out == f"{out}: pictures restored: 2\n"
    assert "restoring: 2 pictures" in done.err
    files = sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())
    assert files == [Path("a.png"), Path("deep/b.png")]
    expected = open_restorer(spec, device="cpu").restore(_pixels(photos / "a.jpg"), scale=4)
    assert np.array_equal(_pixels(out / "a.png"), expected)


@pytest.mark.parametrize(
    ("words", "step", "scale"),
    [
        (["--jpeg-only"], "jpeg", 1),
        (["--superres-only"], "superres", 4),
        (["--superres-only", "--scale", 2], "superres", 2),
        (["--scale", 1], None, 1),
    ],
)
def test_one_step_alone(
    photos: Path, tmp_path: Path, spec: str, words: list[object], step: str | None, scale: int
) -> None:
    photo, out = photos / "a.jpg", tmp_path / "out"
    done = run_main("restore", photo, "--out", out, "--restorer", spec, "--quiet", *words)
    assert done == (0, "", "")
    restorer = open_restorer(spec)
    alone = restorer if step is None else restorer.only(step)  # type: ignore[arg-type]
    expected = alone.restore(_pixels(photo), scale=scale)
    assert np.array_equal(_pixels(out / "a.png"), expected)


def test_a_damaged_picture_is_told_and_the_others_are_restored(
    photos: Path, tmp_path: Path
) -> None:
    (photos / "0.jpg").write_bytes((photos / "a.jpg").read_bytes()[:200])
    done = run_main("restore", photos, "--out", tmp_path / "out", "--restorer", "lanczos")
    assert done.code == 3
    assert "error: 1 of 3 pictures could not be restored (the others were):" in done.err
    assert done.err.count(f"{photos}/0.jpg: the picture") == 2  # as it is met, and at the end
    assert "pictures restored: 2" in done.out
    assert "restoring: 2 pictures in" in done.err
    assert sorted(path.name for path in (tmp_path / "out").rglob("*.png")) == ["a.png", "b.png"]


def test_what_is_there_already_is_left_unless_it_may_be_overwritten(
    photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_bytes(b"mine")
    words = ("restore", photos, "--out", out, "--restorer", "lanczos")
    done = run_main(*words)
    assert done.code == 0
    assert "pictures restored: 1; 1 there already (--overwrite restores them again)" in done.out
    assert (out / "a.png").read_bytes() == b"mine"
    assert run_main(*words, "--overwrite").code == 0
    assert _pixels(out / "a.png").shape == (68, 92, 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--jpeg-only", "--superres-only"], "leave nothing to do"),
        (["--jpeg-only", "--scale", 2], "--jpeg-only keeps the size"),
        (["--superres-only", "--scale", 1], "--superres-only --scale 1 leaves nothing to do"),
        (["--scale", 3], "--scale 3: expected a power of two"),
        (["--scale", 0], "--scale 0: expected a power of two"),
        (["--restorer", "nots"], "no restorer is called 'nots' (did you mean nets?)"),
        (["--device", "gpu"], "--device gpu"),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_written(
    photos: Path, tmp_path: Path, words: list[object], message: str
) -> None:
    done = run_main("restore", photos, "--out", tmp_path / "out", "--restorer", "lanczos", *words)
    assert done.code == 2
    assert message in done.err
    assert not (tmp_path / "out").exists()


def test_a_step_that_the_restorer_has_no_network_for_is_refused(
    photos: Path, tmp_path: Path, spec: str
) -> None:
    alone = spec.partition(",")[0]
    words = ("--superres-only", "--restorer", alone)
    done = run_main("restore", photos, "--out", tmp_path / "out", *words)
    assert done.code == 2
    assert "has no superres network; name one, superres=FILE" in done.err


def test_results_do_not_land_among_the_pictures(photos: Path) -> None:
    done = run_main("restore", photos, "--out", photos / "new", "--restorer", "lanczos")
    assert done.code == 2
    assert "lies among the pictures" in done.err
    picture = photos / "deep" / "b.png"
    before = picture.read_bytes()
    done = run_main("restore", picture, "--out", picture.parent, "--restorer", "lanczos")
    assert done.code == 2
    assert "would be replaced by its result" in done.err
    assert picture.read_bytes() == before


def test_no_such_picture(tmp_path: Path) -> None:
    done = run_main("restore", tmp_path / "no", "--out", tmp_path / "out", "--restorer", "lanczos")
    assert done.code == 2
    assert str(tmp_path / "no") in done.err


def test_a_result_says_how_it_was_made_in_a_text_that_others_read(
    photos: Path, tmp_path: Path
) -> None:
    run_main("restore", photos / "a.jpg", "--out", tmp_path, "--restorer", "lanczos")
    with PIL.Image.open(tmp_path / "a.png") as picture:
        picture.load()
        (text,) = picture.text.values()  # type: ignore[attr-defined]
    assert json.loads(text) == {
        "restorer": "lanczos",
        "steps": "jpeg and superres",
        "scale": 4,
        "source": "a.jpg",
        "pixels": pixel_digest(_pixels(photos / "a.jpg")),
    }


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--scale", 2], "scale 4, now 2"),
        (["--superres-only"], "steps jpeg and superres, now superres"),
        (["--jpeg-only"], "steps jpeg and superres, now jpeg; scale 4, now 1"),
    ],
)
def test_results_of_other_settings_are_not_kept_in_silence(
    photos: Path, tmp_path: Path, words: list[object], told: str
) -> None:
    out = tmp_path / "out"
    command = ("restore", photos, "--out", out, "--restorer", "lanczos")
    run_main(*command)
    (out / "deep" / "b.png").unlink()
    before = (out / "a.png").read_bytes()
    done = run_main(*command, *words)
    assert (done.code, done.out) == (2, "")
    assert f"{out}/a.png: was restored with other settings ({told})" in done.err
    assert "--overwrite" in done.err
    assert (out / "a.png").read_bytes() == before
    assert not (out / "deep" / "b.png").exists()
    assert run_main(*command, *words, "--overwrite").code == 0
    again = run_main(*command, *words)
    assert (again.code, "2 there already" in again.out) == (0, True)


def test_another_restorer_is_named(photos: Path, tmp_path: Path, spec: str) -> None:
    command = ("restore", photos / "a.jpg", "--out", tmp_path / "out", "--restorer")
    assert run_main(*command, "lanczos").code == 0
    done = run_main(*command, spec)
    assert done.code == 2
    assert "(restorer lanczos, now " in done.err
    assert str(open_restorer(spec).identity) in done.err


def test_another_picture_of_the_same_name_is_not_dropped_in_silence(
    photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = ("--out", out, "--restorer", "lanczos")
    run_main("restore", photos / "a.jpg", *command)
    before = (out / "a.png").read_bytes()
    PIL.Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    done = run_main("restore", tmp_path / "a.png", *command)
    assert done.code == 2
    assert f"{out}/a.png: was restored from a.jpg, which has other pixels" in done.err
    assert f"than {tmp_path}/a.png;" in done.err
    assert (out / "a.png").read_bytes() == before
    # The same picture from elsewhere is no conflict, nor is one whose file is lost by now.
    assert "1 there already" in run_main("restore", photos, *command).out
    (photos / "a.jpg").write_bytes(b"")
    assert run_main("restore", photos, *command).code == 0


def test_a_result_that_png_cannot_hold_is_told_and_the_others_go_on(
    photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    PIL.Image.new("RGB", (270_000, 1)).save(photos / "0.png")
    done = run_main("restore", photos, "--out", tmp_path / "out", "--restorer", "lanczos")
    assert done.code == 3
    assert "1 of 3 pictures could not be restored (the others were)" in done.err
    assert f"{photos}/0: its result of 1080000x4 pixels cannot be stored as PNG" in done.err
    assert "pictures restored: 2" in done.out
    assert capfd.readouterr() == ("", "")


def test_a_result_whose_place_is_taken_is_told_and_the_others_go_on(
    photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "deep").write_bytes(b"no folder")
    done = run_main("restore", photos, "--out", out, "--restorer", "lanczos")
    assert done.code == 3
    assert "1 of 2 pictures could not be restored (the other was)" in done.err
    assert f"{out}/deep/b.png: cannot be written" in done.err
    assert (out / "a.png").exists()


def test_a_full_disk_ends_the_work(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_words: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pgan_toolkit.storage.atomic_write_bytes", full)
    done = run_main("restore", photos, "--out", tmp_path / "out", "--restorer", "lanczos")
    assert done.code == 4
    assert "no space left" in done.err


@pytest.mark.parametrize(
    ("failed", "total", "told"),
    [
        (1, 1, "the picture could not be restored"),
        (3, 3, "all 3 pictures could not be restored"),
        (1, 2, "1 of 2 pictures could not be restored (the other was)"),
        (2, 1002, "2 of 1,002 pictures could not be restored (the others were)"),
    ],
)
def test_words_fit_the_counts(failed: int, total: int, told: str) -> None:
    assert str(_not_restored(["x: y"] * failed, total=total)).startswith(f"{told}:\n  x: y")


def test_interrupted_it_says_how_to_go_on(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_words: object) -> str:
        raise KeyboardInterrupt

    command = ("restore", photos, "--out", tmp_path / "out", "--restorer", "lanczos")
    with monkeypatch.context() as patched:
        patched.setattr("pgan_toolkit.imaging.encode_png", stop)
        done = run_main(*command)
        assert done.code == 130
        assert "error: interrupted; the same command goes on where it stopped" in done.err
        assert "begins anew" in run_main(*command, "--overwrite").err
    assert run_main(*command).code == 0


@pytest.mark.parametrize("data", [b"", b"\x89PNG", b"x" * 33 + b"\xff" * 60])
def test_what_is_no_result_has_no_mark(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.png").write_bytes(data)
    assert _read_mark(tmp_path / "x.png") is None
    assert _read_mark(tmp_path) is None


def test_a_url_is_no_place_for_results_and_is_told_before_anything_is_loaded(
    tmp_path: Path,
) -> None:
    done = run_main("restore", tmp_path, "--out", "s3://bucket/restored")
    assert done.code == 2
    assert "s3://bucket/restored: is a URL; name a folder of this machine" in done.err

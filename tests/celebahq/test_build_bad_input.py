"""Bad photographs and tables in a real build: the build goes on, and the ledger says why."""

import io
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from pgan_toolkit.celebahq import (
    BuildSettings,
    BuildSummary,
    Ledger,
    Row,
    build_dataset,
    read_landmarks,
)
from pgan_toolkit.celebahq.crops import CropFolder
from pgan_toolkit.celebahq.work import Render, WorkerSettings, render_face
from pgan_toolkit.engines import ordered_map
from pgan_toolkit.errors import DataError
from pgan_toolkit.storage import open_source

ORIENTATION = 0x0112
LEAVINGS = {"contact_sheet.png", "ledger.sqlite", "lock", "output.json", "photographs.csv",
            "summary.json"}  # fmt: skip


def _picture(samples: Path, name: str) -> PIL.Image.Image:
    with PIL.Image.open(samples / "img_celeba" / name) as picture:
        return picture.convert("RGB").reduce(2)


def _points(samples: Path) -> list[list[float]]:
    table = read_landmarks(samples / "Anno" / "list_landmarks_celeba.txt")
    return [[float(x) / 2, float(y) / 2] for x, y in table["original.jpg"]]


def _bytes(picture: PIL.Image.Image, form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


class Source:
    """A folder of photographs, with a table in JSON, which holds any name and any number."""

    def __init__(self, folder: Path, points: list[list[float]]) -> None:
        self.folder, self.points = folder, points
        self.rows: dict[str, object] = {}
        folder.mkdir()

    def path(self, file: str) -> Path:
        """Give a file its row in the table, and say where to write it."""
        self.rows[file] = self.points
        return self.folder / file

    def add(self, file: str, data: bytes, points: object = None) -> None:
        self.path(file).write_bytes(data)
        if points is not None:
            self.rows[file] = points

    def build(self, out: Path, **changes: object) -> BuildSummary:
        (self.folder / "landmarks.json").write_text(json.dumps(self.rows))
        base = BuildSettings(
            src=self.folder, out=out, select="all", size=64, workers=1, restorer="lanczos"
        )
        return build_dataset(replace(base, **changes), mode="quiet")  # type: ignore[arg-type]


def _rows(out: Path) -> dict[str, Row]:
    with Ledger(out.with_name(f"{out.name}.build") / "ledger.sqlite") as ledger:
        return {row.key: row for row in ledger.rows()}


def _crops(out: Path) -> dict[str, np.ndarray]:
    return {record.key: record.image for record in open_source(out)}


def _assert_clean(out: Path) -> None:
    """Nothing but the dataset and the reports."""
    build = out.with_name(f"{out.name}.build")
    assert {path.name for path in build.iterdir()} == LEAVINGS
    assert [p for p in out.parent.rglob("*") if ".partial" in p.name] == []
    assert {path.suffix for path in out.rglob("*") if path.is_file()} == {".png", ".json"}


@pytest.fixture
def source(samples: Path, tmp_path: Path) -> Source:
    """A source with one good photograph."""
    made = Source(tmp_path / "src", _points(samples))
    made.add("good.png", _bytes(_picture(samples, "original.jpg")))
    return made


# --- files that are no photographs, and numbers that are no landmarks


def _put_bad_files(source: Source, good: bytes, jpeg: bytes) -> None:
    source.add("truncated.jpg", jpeg[: len(jpeg) // 2])
    source.add("cut.png", good[: len(good) // 2])
    source.add("empty.jpg", b"")
    source.add("text.jpg", b"<html>404 not found</html>")
    source.add("header_only.png", good[:20])
    source.add("one_pixel.png", _bytes(PIL.Image.new("RGB", (1, 1))))
    source.add("bomb.png", _bytes(PIL.Image.new("1", (20_000, 10_000))))
    source.path("dangling.jpg").symlink_to("nowhere")
    source.path("looping.jpg").symlink_to("looping.jpg")
    source.path("endless.jpg").symlink_to("/dev/zero")
    source.path("folder_link.jpg").symlink_to(source.folder)
    os.mkfifo(source.path("pipe.jpg"))
    source.path("folder.jpg").mkdir()


def _put_bad_landmarks(source: Source, good: bytes) -> None:
    points = np.array(source.points)
    source.add("nan.png", good, [[float("nan"), 1.0], *source.points[1:]])
    source.add("infinite.png", good, [[float("inf"), 1.0], *source.points[1:]])
    source.add("words.png", good, [["left", 1.0], *source.points[1:]])
    source.add("coincident.png", good, [source.points[0]] * 5)
    source.add("outside.png", good, (points + 4000).tolist())
    source.add("too_few.png", good, source.points[:4])
    source.add("too_many.png", good, [*source.points, [1, 2]])
    source.add("no_points.png", good, [])
    source.add("no_row.png", good)
    del source.rows["no_row.png"]
    source.path("no_picture.jpg")


BAD = {
    # key: (category, parts of the reason)
    "truncated": ("unreadable", ["damaged or incomplete"]),
    "cut": ("unreadable", ["damaged or incomplete"]),
    "empty": ("unreadable", ["empty"]),
    "text": ("unreadable", ["not a picture that is read here"]),
    "header_only": ("unreadable", ["header_only.png"]),
    "one_pixel": ("bad landmarks", ["1x1 picture"]),
    "bomb": ("unreadable", ["200000000 pixels", "limit of 100"]),
    "dangling": ("unreadable", ["No such file"]),
    "looping": ("unreadable", ["symbolic links"]),
    "endless": ("unreadable", ["not a file"]),
    "folder_link": ("unreadable", ["not a file"]),
    "pipe": ("unreadable", ["not a file"]),
    "folder": ("no picture", ["has a row for it"]),
    "nan": ("bad landmarks", ["'nan' is not a position"]),
    "infinite": ("bad landmarks", ["'inf' is not a position"]),
    "words": ("bad landmarks", ["'left' is not a number"]),
    "coincident": ("bad landmarks", ["coincide"]),
    "outside": ("bad landmarks", ["px outside the 256x256 picture"]),
    "too_few": ("bad landmarks", ["8 numbers"]),
    "too_many": ("bad landmarks", ["12 numbers"]),
    "no_points": ("bad landmarks", ["0 numbers"]),
    "no_row": ("no landmarks", ["landmarks.json has no row for it"]),
    "no_picture": ("no picture", ["has a row for it"]),
}


@pytest.fixture(scope="module")
def bad(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[BuildSummary, Path]:
    """A build of two good photographs and all the bad ones; not to be changed."""
    folder = tmp_path_factory.mktemp("bad")
    picture = _picture(samples, "original.jpg")
    source = Source(folder / "src", _points(samples))
    source.add("a_good.png", _bytes(picture))
    source.add("z_good.png", _bytes(_picture(samples, "dark.jpg")))
    _put_bad_files(source, _bytes(picture), _bytes(picture, "JPEG"))
    _put_bad_landmarks(source, _bytes(picture))
    out = folder / "hq"
    return source.build(out), out


def test_the_good_photographs_are_kept_whatever_lies_beside_them(
    bad: tuple[BuildSummary, Path],
) -> None:
    summary, out = bad
    assert sorted(_crops(out)) == ["a_good", "z_good"]
    assert (summary.kept, summary.failed, summary.duplicates) == (2, len(BAD), 0)
    assert summary.photographs == len(BAD) + 2
    _assert_clean(out)


@pytest.mark.parametrize("key", sorted(BAD))
def test_the_ledger_says_why_a_photograph_failed(bad: tuple[BuildSummary, Path], key: str) -> None:
    row = _rows(bad[1])[key]
    category, parts = BAD[key]
    assert (row.status, row.category) == ("failed", category)
    assert f"{key}." in row.reason
    for part in parts:
        assert part in row.reason
    assert "\n" not in row.reason


def test_every_reason_in_the_summary_names_its_photograph(bad: tuple[BuildSummary, Path]) -> None:
    summary, out = bad
    assert len(summary.reasons) == 5
    assert all(f"{out.parent / 'src'}/" in reason for reason in summary.reasons)
    assert sum(summary.failures.values()) == len(BAD)


# --- pictures of other kinds: kept, with the pixels of the same picture as RGB


def _kinds(samples: Path) -> dict[str, tuple[bytes, np.ndarray, int]]:
    """File -> bytes, the pixels that they mean, and by how many levels a crop may differ."""
    base = np.asarray(_picture(samples, "original.jpg"))

    def rgb(number: int) -> np.ndarray:  # no two alike, or they would be duplicates
        return base // 2 + 9 * number

    def image(pixels: np.ndarray, mode: str = "RGB") -> PIL.Image.Image:
        return PIL.Image.fromarray(pixels).convert(mode)

    def reread(data: bytes) -> np.ndarray:
        with PIL.Image.open(io.BytesIO(data)) as picture:
            return np.asarray(picture.convert("RGB"))

    def tripled(plane: np.ndarray) -> np.ndarray:
        return np.repeat(plane[:, :, None], 3, axis=2)

    grey = np.asarray(image(rgb(0), "L"))
    deep = np.asarray(image(rgb(1), "L"))
    alpha = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
    share = alpha[:, :, None] / 255
    white = np.rint(rgb(2) * share + 255 * (1 - share)).astype(np.uint8)
    rgba = PIL.Image.fromarray(np.dstack([rgb(2), alpha]))
    palette = image(rgb(3)).quantize(64)
    cmyk = _bytes(image(rgb(4), "CMYK"), "JPEG", quality=95)
    bilevel = image(rgb(5), "1")
    progressive = _bytes(image(rgb(6)), "JPEG", progressive=True, quality=90)
    grey_jpeg = _bytes(image(rgb(7), "L"), "JPEG")
    return {
        "grey.png": (_bytes(PIL.Image.fromarray(grey)), tripled(grey), 0),
        "sixteen_bits.png": (
            _bytes(PIL.Image.fromarray(deep.astype(np.uint16) * 257)), tripled(deep), 0,
        ),
        "rgba.png": (_bytes(rgba), white, 1),
        "palette.png": (_bytes(palette), np.asarray(palette.convert("RGB")), 0),
        "cmyk.jpg": (cmyk, reread(cmyk), 0),
        "bilevel.png": (_bytes(bilevel), np.asarray(bilevel.convert("RGB")), 0),
        "progressive.jpeg": (progressive, reread(progressive), 0),
        "grey_jpeg.JPG": (grey_jpeg, reread(grey_jpeg), 0),
        "bitmap.bmp": (_bytes(image(rgb(8)), "BMP"), rgb(8), 0),
        "lossless.webp": (_bytes(image(rgb(9)), "WEBP", lossless=True), rgb(9), 0),
        "tagged.tiff": (_bytes(image(rgb(10)), "TIFF"), rgb(10), 0),
    }  # fmt: skip


def test_pictures_of_every_kind_are_kept_with_the_pixels_that_they_mean(
    samples: Path, tmp_path: Path
) -> None:
    kinds = _kinds(samples)
    given = Source(tmp_path / "given", _points(samples))
    meant = Source(tmp_path / "meant", _points(samples))
    for file, (data, pixels, _) in kinds.items():
        given.add(file, data)
        meant.add(f"{Path(file).stem}.png", _bytes(PIL.Image.fromarray(pixels)))
    assert given.build(tmp_path / "hq").kept == len(kinds)
    meant.build(tmp_path / "expected")
    crops, expected = _crops(tmp_path / "hq"), _crops(tmp_path / "expected")
    assert sorted(crops) == sorted(Path(file).stem for file in kinds)
    for file, (_, _, tolerance) in kinds.items():
        difference = crops[Path(file).stem].astype(int) - expected[Path(file).stem]
        assert np.abs(difference).max() <= tolerance, file
    _assert_clean(tmp_path / "hq")


def _with_orientation(picture: PIL.Image.Image, orientation: int) -> bytes:
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = orientation
    return _bytes(picture, exif=exif)


def test_annotations_go_with_the_pixels_as_stored_and_not_with_the_orientation(
    source: Source, samples: Path, tmp_path: Path
) -> None:
    source.build(tmp_path / "plain")
    for orientation in (3, 6):
        tagged = _with_orientation(_picture(samples, "original.jpg"), orientation)
        source.add("good.png", tagged)
        source.build(tmp_path / f"tagged_{orientation}")
        crop = _crops(tmp_path / f"tagged_{orientation}")["good"]
        assert np.array_equal(crop, _crops(tmp_path / "plain")["good"])


def test_detection_sees_the_photograph_as_the_orientation_turns_it(
    source: Source, samples: Path, tmp_path: Path
) -> None:
    source.build(tmp_path / "plain", landmarks="detect")
    sideways = _picture(samples, "original.jpg").transpose(PIL.Image.Transpose.ROTATE_90)
    source.add("good.png", _with_orientation(sideways, 6))  # 6: to be turned back clockwise
    source.build(tmp_path / "turned", landmarks="detect")
    assert np.array_equal(_crops(tmp_path / "turned")["good"], _crops(tmp_path / "plain")["good"])


# --- names


USABLE_NAMES = ["with space.png", "日本 é.png", "a.b.c.png", "-rf.png", "100%.png",
                "sub folder/in.png", "日" * 80 + ".png", "l" * 240 + ".png"]  # fmt: skip
UNUSABLE_NAMES = {
    "new\nline.png": "control character",
    "back\\slash.png": "backslash",
    "escape\x1b[2J.png": "control character",
    "zz_upper.png": "have the same key",  # ZZ_upper.png comes before it
    "l" * 241 + ".png": "more than 240 bytes",
    os.fsdecode(b"latin\xe9.png"): "backslash",
}


def test_names_are_kept_as_they_are_and_unusable_ones_are_told(
    source: Source, samples: Path, tmp_path: Path
) -> None:
    base = np.asarray(_picture(samples, "original.jpg")) // 2
    (source.folder / "sub folder").mkdir()
    good = [*USABLE_NAMES, "ZZ_upper.png"]
    for number, name in enumerate(good):
        source.add(name, _bytes(PIL.Image.fromarray(base + 9 * number)))
    for name in UNUSABLE_NAMES:
        source.add(name, _bytes(PIL.Image.fromarray(base)))
    summary = source.build(tmp_path / "hq")
    assert sorted(_crops(tmp_path / "hq")) == sorted(n[:-4] for n in [*good, "good.png"])
    assert summary.failures == {"unusable name": len(UNUSABLE_NAMES)}
    reasons = [row.reason for row in _rows(tmp_path / "hq").values() if row.status == "failed"]
    for part in UNUSABLE_NAMES.values():
        assert any(part in reason for reason in reasons), part
    assert all(reason.isprintable() for reason in reasons)
    assert len(summary.to_text().splitlines()) < 30
    _assert_clean(tmp_path / "hq")


def test_a_name_is_recorded_below_the_folder_of_pictures(
    source: Source, samples: Path, tmp_path: Path
) -> None:
    (source.folder / "sub").mkdir()
    source.add("sub/a.v2.JPG", _bytes(_picture(samples, "dark.jpg")))
    source.add("sub/b.jpg", b"")
    source.build(tmp_path / "hq")
    files = {key: row.file for key, row in _rows(tmp_path / "hq").items()}
    assert files == {"good": "good.png", "sub/a.v2": "sub/a.v2.JPG", "sub/b": "sub/b.jpg"}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_photograph_that_goes_between_the_passes_is_named(
    source: Source, tmp_path: Path, workers: int
) -> None:
    source.build(tmp_path / "hq")
    task = Render(_rows(tmp_path / "hq")["good"], source.folder / "good.png")
    task.path.unlink()
    opener = WorkerSettings(
        source=source.folder, profile="paper", restorer="lanczos", device="auto", precision="auto",
        pipeline="host", output_size=64, faces=None, predictor=None,
        restorer_identity="lanczos", crops=CropFolder(tmp_path / "crops"), spools_all=False,
    ).opener()  # fmt: skip
    again = ordered_map(render_face, [task], prepare=opener, on_lost=_lost, workers=workers)
    with pytest.raises(DataError, match=r"/src/good\.png: cannot be read \(No such file"):
        list(again)


def _lost(task: Render) -> str:
    raise AssertionError(f"{task.path}: taken for one that kills its worker")


# --- detection


def test_pictures_in_which_no_face_is_found_are_told(source: Source, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (160, 160, 3), np.uint8)
    source.add("noise.png", _bytes(PIL.Image.fromarray(noise)))
    for width, height in ((1, 1), (1, 3000), (3000, 1)):
        source.add(f"{width}x{height}.png", _bytes(PIL.Image.new("RGB", (width, height))))
    summary = source.build(tmp_path / "hq", landmarks="detect")
    assert (summary.kept, summary.failures) == (1, {"no face": 4})
    reason = _rows(tmp_path / "hq")["1x3000"].reason
    assert reason == f"{source.folder}/1x3000.png: no face was found"
    _assert_clean(tmp_path / "hq")

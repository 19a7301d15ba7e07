"""Films, read back: number of frames, size, rate, colours; and files that appear complete."""

import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import SetupError, UsageError
from reference_trainer.sampling.video import (
    VideoSettings,
    even_sized,
    film_frames,
    prepare_video,
    write_video,
)

COLOURS = [(200, 30, 60), (20, 180, 90), (250, 250, 250), (5, 5, 5), (40, 60, 220)]


def flat(count: int, *, height: int = 48, width: int = 64) -> Iterator[Image]:
    for number in range(count):
        frame = np.empty((height, width, 3), np.uint8)
        frame[:] = COLOURS[number % len(COLOURS)]
        yield frame


@pytest.mark.parametrize(("name", "codec"), [("film.mp4", "h264"), ("film.webm", "vp9")])
def test_a_film_reads_back(tmp_path: Path, name: str, codec: str) -> None:
    counted: list[int] = []
    settings = VideoSettings(fps=25, crf=10)
    count = write_video(
        tmp_path / name, flat(20), settings=settings, advance=lambda: counted.append(1)
    )
    assert (count, len(counted)) == (20, 20)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with av.open(str(tmp_path / name)) as film:
        stream = film.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == (codec, "yuv420p")
        assert (stream.width, stream.height) == (64, 48)
        assert float(stream.average_rate) == 25
        assert (stream.codec_context.colorspace, stream.codec_context.color_range) == (1, 1)
        frames = list(film.decode(video=0))
    assert len(frames) == 20
    for number, frame in enumerate(frames):
        assert float(frame.time) == pytest.approx(number / 25, abs=0.001)
        shown = frame.to_ndarray(format="rgb24").astype(int)
        assert np.abs(shown - COLOURS[number % len(COLOURS)]).max() <= 8


def test_odd_sides_are_made_even(tmp_path: Path) -> None:
    frame = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    even = even_sized(frame)
    assert even.shape == (6, 8, 3)
    assert np.array_equal(even[:5, :7], frame)
    assert np.array_equal(even[5, :7], frame[4])
    assert np.array_equal(even[:5, 7], frame[:, 6])
    assert even_sized(even) is even
    write_video(tmp_path / "a.mp4", flat(3, height=33, width=65), settings=VideoSettings())
    with av.open(str(tmp_path / "a.mp4")) as film:
        assert (film.streams.video[0].width, film.streams.video[0].height) == (66, 34)


@pytest.mark.parametrize("name", ["film.avi", "film", "film.gif"])
def test_other_extensions_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"\.mp4 or \.webm"):
        write_video(tmp_path / name, flat(2), settings=VideoSettings())


@pytest.mark.parametrize("seconds", [0.0, 0.04, -1.0, float("nan"), float("inf"), 1e9])
def test_impossible_lengths_are_refused(seconds: float) -> None:
    assert film_frames(2.5, fps=24) == 60
    with pytest.raises(UsageError, match="expected 2 to 1,000,000 frames"):
        film_frames(seconds, fps=25)


@pytest.mark.parametrize("settings", [VideoSettings(fps=0), VideoSettings(fps=241),
                                      VideoSettings(crf=-1), VideoSettings(crf=52)])  # fmt: skip
def test_impossible_settings_are_refused(tmp_path: Path, settings: VideoSettings) -> None:
    with pytest.raises(UsageError, match="expected"):
        prepare_video(tmp_path / "film.mp4", settings=settings)
    assert list(tmp_path.iterdir()) == []


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    def broken() -> Iterator[Image]:
        yield from flat(5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(tmp_path / "film.mp4", broken(), settings=VideoSettings())
    with pytest.raises(UsageError, match="no frames"):
        write_video(tmp_path / "film.mp4", iter(()), settings=VideoSettings())
    with pytest.raises(UsageError, match="frame 2: 32x16 pixels after frames of 64x48"):
        write_video(
            tmp_path / "film.mp4", [*flat(2), *flat(1, height=16, width=32)],
            settings=VideoSettings(),
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_a_film_is_replaced_only_when_told(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"old")
    with pytest.raises(UsageError, match="exists already"):
        prepare_video(path, settings=VideoSettings())
    with pytest.raises(UsageError, match="exists already"):
        write_video(path, flat(2), settings=VideoSettings())
    assert path.read_bytes() == b"old"
    assert write_video(path, flat(2), settings=VideoSettings(), overwrite=True) == 2
    assert path.stat().st_size > 100


def test_without_pyav_the_line_that_installs_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(SetupError, match=r"pip install 'pgan-toolkit\[video\]'"):
        prepare_video(tmp_path / "film.mp4", settings=VideoSettings())


def test_a_build_without_the_encoder_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reference_trainer.sampling import video

    kind = video._KINDS[".mp4"]._replace(codec="libx999")
    monkeypatch.setitem(video._KINDS, ".mp4", kind)
    with pytest.raises(SetupError, match="without the encoder libx999"):
        write_video(tmp_path / "film.mp4", flat(2), settings=VideoSettings())
    assert list(tmp_path.iterdir()) == []

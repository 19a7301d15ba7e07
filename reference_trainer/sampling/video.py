"""Films through PyAV: frames go in one by one, and the file appears when it is complete."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import SetupError, UsageError
from pgan_toolkit.storage import AtomicPath

__all__ = ["VideoSettings", "even_sized", "film_frames", "prepare_video", "write_video"]


class _Kind(NamedTuple):
    """How a film with some extension is stored."""

    container: str
    codec: str
    options: dict[str, str]


_KINDS = {
    ".mp4": _Kind("mp4", "libx264", {"preset": "medium", "movflags": "+faststart"}),
    ".webm": _Kind("webm", "libvpx-vp9", {"b": "0", "deadline": "good", "cpu-used": "4"}),
}
_MOST_CRF = 51
_MOST_FPS = 240
_MOST_FRAMES = 1_000_000
_BT709 = 1  # FFmpeg's number of its matrix, primaries and transfer
_LIMITED_RANGE = 1  # 16..235, as every player expects


class VideoSettings(NamedTuple):
    """How a film is stored.

    Attributes
    ----------
    fps : int
        Frames a second, 1 to 240.
    crf : int
        The encoder's constant quality, 0 (best) to 51.
    """

    fps: int = 60
    crf: int = 16

    def check(self) -> None:
        """Refuse what no encoder takes.

        Raises
        ------
        UsageError
            A value is outside its range.
        """
        if not 1 <= self.fps <= _MOST_FPS:
            raise UsageError(f"fps={self.fps}: expected 1 to {_MOST_FPS}")
        if not 0 <= self.crf <= _MOST_CRF:
            raise UsageError(f"crf={self.crf}: expected 0 (best) to {_MOST_CRF}")


def film_frames(seconds: float, *, fps: int) -> int:
    """Return how many frames a film of that length has.

    Raises
    ------
    UsageError
        Fewer than two, or more than a million.
    """
    if not 1.5 <= seconds * fps <= _MOST_FRAMES:
        raise UsageError(
            f"{seconds:g} seconds of {fps} frames: expected 2 to {_MOST_FRAMES:,} frames in all"
        )
    return round(seconds * fps)


def prepare_video(path: Path, *, settings: VideoSettings, overwrite: bool = False) -> None:
    """Refuse at once what would fail only after the first frames were made.

    Raises
    ------
    UsageError
        The extension is none of .mp4 and .webm, a setting is not possible, or the file exists and
        may not be replaced.
    SetupError
        PyAV is missing; the message has the line that installs it.
    """
    if path.suffix.lower() not in _KINDS:
        got = f"got {path.suffix}" if path.suffix else "it has none"
        raise UsageError(f"{path}: the extension says the format ({got}): {' or '.join(_KINDS)}")
    settings.check()
    try:
        import av  # noqa: F401
    except ImportError as error:
        raise SetupError(
            f"films need PyAV, which cannot be loaded ({error}); "
            "install it: pip install 'pgan-toolkit[video]'"
        ) from error
    AtomicPath(path, overwrite=overwrite).discard()


def even_sized(frame: Image) -> Image:
    """Repeat the last row and the last column where their number is odd: colour needs pairs.

    Parameters
    ----------
    frame : Image
        uint8 (H, W, 3).
    """
    height, width = frame.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return frame
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def write_video(
    path: Path,
    frames: Iterable[Image],
    *,
    settings: VideoSettings,
    overwrite: bool = False,
    advance: Callable[[], None] | None = None,
) -> int:
    """Encode frames, which are taken one by one, and return how many there were.

    Parameters
    ----------
    path : Path
        .mp4 (H.264) or .webm (VP9).
    frames : iterable of Image
        uint8 (H, W, 3), RGB, all of one size; an odd side is made even.
    settings : VideoSettings
        How.
    overwrite : bool
        Replace what has that name.
    advance : callable | None
        Called after each frame.

    Raises
    ------
    UsageError
        As `prepare_video`; or there are no frames, or they differ in size.
    SetupError
        PyAV is missing, or was built without the encoder.
    """
    prepare_video(path, settings=settings, overwrite=overwrite)
    with AtomicPath(path, overwrite=overwrite) as temporary:
        counted = _counted(frames, advance)
        return _encode(temporary, _KINDS[path.suffix.lower()], counted, settings)


def _counted(frames: Iterable[Image], advance: Callable[[], None] | None) -> Iterator[Image]:
    for frame in frames:
        yield frame
        if advance is not None:
            advance()


def _encode(path: Path, kind: _Kind, frames: Iterable[Image], settings: VideoSettings) -> int:
    import av

    options = {**kind.options, "crf": str(settings.crf)}
    count = 0
    stream: Any = None
    with av.open(str(path), "w", format=kind.container) as film:
        for image in frames:
            picture = even_sized(image)
            if stream is None:
                stream = _new_stream(film, kind, picture, settings.fps, options)
            elif picture.shape[:2] != (stream.height, stream.width):
                raise UsageError(
                    f"frame {count}: {picture.shape[1]}x{picture.shape[0]} pixels after frames of "
                    f"{stream.width}x{stream.height}; a film has one size"
                )
            film.mux(stream.encode(_frame(picture, count)))
            count += 1
        if stream is None:
            raise UsageError(f"{path}: a film of no frames")
        film.mux(stream.encode(None))
    return count


def _new_stream(film: Any, kind: _Kind, first: Image, fps: int, options: dict[str, str]) -> Any:
    import av

    try:
        stream = film.add_stream(kind.codec, rate=fps, options=options)
    except av.codec.codec.UnknownCodecError as error:
        raise SetupError(
            f"this PyAV {av.__version__} was built without the encoder {kind.codec}; install its "
            "wheel from PyPI (pip install 'pgan-toolkit[video]'), or take another extension: "
            f"{' or '.join(_KINDS)}"
        ) from error
    stream.height, stream.width = first.shape[:2]
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    # Untagged, small films would be shown in other colours than large ones.
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = _LIMITED_RANGE
    return stream


def _frame(image: Image, number: int) -> Any:
    import av

    rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    frame = rgb.reformat(
        format="yuv420p",
        dst_colorspace="ITU709",
        src_color_range="JPEG",
        dst_color_range="MPEG",
    )
    frame.pts = number
    return frame

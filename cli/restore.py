"""`pgan-toolkit restore`."""

import errno
import json
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from pgan_cli.options import (
    LOCAL_FOLDER,
    PLACE,
    device_option,
    precision_option,
    quiet_option,
    restorer_option,
)
from pgan_cli.terminal import echo

from pgan_toolkit.errors import DataError, Interrupted, UsageError
from pgan_toolkit.progress import Progress, ProgressMode

if TYPE_CHECKING:  # it would load all that decodes, which --help does without
    from pgan_toolkit.arrays import Image
    from pgan_toolkit.restoration import PrecisionChoice, Restorer, Step
    from pgan_toolkit.storage import Place, StoredSource

__all__ = ["restore"]

_EXAMPLES = """\b
Examples:
  pgan-toolkit restore photos --out restored
  pgan-toolkit restore portrait.jpg --out restored --jpeg-only
  pgan-toolkit restore photos.zip --out restored --scale 2 --restorer nets-psnr
"""
_KEYWORD = b"pgan-toolkit restore"
"""Of the text in a result's PNG file that says how, and of which pixels, it was made."""
_LONGEST_MARK_BYTES = 1 << 16
_HEADER_BYTES = 33  # PNG's signature and IHDR
_ALL_WILL_FAIL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}


@dataclass(frozen=True)
class _Settings:
    """What a picture's result depends on."""

    restorer: str
    steps: str
    scale: int


@dataclass(frozen=True)
class _Work:
    """What is to be done: by key what decodes a picture and its name, and where results go."""

    reads: Mapping[str, Callable[[], "Image"]]
    names: Mapping[str, str]
    out: Path

    def target(self, key: str) -> Path:
        return self.out / f"{key}.png"


@click.command(epilog=_EXAMPLES)
@click.argument("photos", type=PLACE)
@click.option("--out", required=True, type=LOCAL_FOLDER, help="A folder.")
@click.option("--jpeg-only", is_flag=True, help="Remove JPEG artifacts; keep the size.")
@click.option("--superres-only", is_flag=True, help="Enlarge; leave artifacts.")
@click.option(
    "--scale", type=int, help="Enlarge so many times: 1, 2, 4, 8, ...  [default: 4; 1 if jpeg only]"
)
@restorer_option(default="nets", default_help="nets")
@device_option
@precision_option
@click.option("--overwrite", is_flag=True, help="Restore again what OUT has already.")
@quiet_option
def restore(  # noqa: PLR0913 - one an option
    *,
    photos: "Place",
    out: Path,
    jpeg_only: bool,
    superres_only: bool,
    scale: int | None,
    restorer: str,
    device: str,
    precision: "PrecisionChoice",
    overwrite: bool,
    quiet: bool,
) -> None:
    """Remove JPEG artifacts from pictures and enlarge them.

    PHOTOS is a picture or a dataset of pictures, on this machine or at a URL. OUT gets a PNG file
    of each, under the same name, which says in a text how it was made. Stopped at any moment, the
    same command goes on: what OUT has already is left as it is. Results of other settings or of
    another picture are told, not kept.
    """
    from pgan_toolkit.restoration import open_restorer

    factor = _scale(scale, jpeg_only=jpeg_only, superres_only=superres_only)
    works = open_restorer(restorer, device=device, precision=precision)
    settings = _Settings(works.identity, "jpeg and superres", factor)
    if jpeg_only or superres_only:
        step: Step = "jpeg" if jpeg_only else "superres"
        works, settings = works.only(step), replace(settings, steps=step)
    work = _plan(photos, out)
    mode: ProgressMode = "quiet" if quiet else "auto"
    try:
        there = set() if overwrite else _there(work, settings, mode=mode)
        todo = [key for key in work.reads if key not in there]
        with Progress(len(todo), label="restoring", unit="picture", mode=mode) as bar:
            failed = _restore_all(work, todo, works, settings=settings, bar=bar)
    except KeyboardInterrupt:
        how = "begins anew" if overwrite else "goes on where it stopped"
        raise Interrupted(f"interrupted; the same command {how}") from None
    if not quiet:
        kept = f"; {len(there):,} there already (--overwrite restores them again)" if there else ""
        echo(f"{out}: pictures restored: {len(todo) - len(failed):,}{kept}")
    if failed:
        raise _not_restored(failed, total=len(todo))


def _scale(scale: int | None, *, jpeg_only: bool, superres_only: bool) -> int:
    if jpeg_only and superres_only:
        raise UsageError("--jpeg-only and --superres-only leave nothing to do; use one of them")
    if jpeg_only and scale not in (None, 1):
        raise UsageError(f"--jpeg-only keeps the size; leave out --scale {scale}")
    factor = (1 if jpeg_only else 4) if scale is None else scale
    if factor < 1 or factor & (factor - 1):
        raise UsageError(f"--scale {factor}: expected a power of two: 1, 2, 4, 8, ...")
    if superres_only and factor == 1:
        raise UsageError("--superres-only --scale 1 leaves nothing to do; enlarge by 2, 4, 8, ...")
    return factor


def _plan(photos: "Place", out: Path) -> _Work:
    """Find the pictures; refuse an output that the pictures lie in or that lies among them."""
    from pgan_toolkit.storage import PICTURE_EXTENSIONS, open_source

    if photos.is_file() and photos.suffix.lower() in PICTURE_EXTENSIONS:
        work = _Work({photos.stem: partial(_picture, photos)}, {photos.stem: str(photos)}, out)
        if work.target(photos.stem).resolve() == photos.resolve():
            raise UsageError(f"{photos}: would be replaced by its result; choose another --out")
        return work
    source = open_source(photos)
    if isinstance(photos, Path) and _lies_in(out, photos):
        raise UsageError(f"--out {out}: lies among the pictures of {photos}; choose another folder")
    reads = {key: partial(_recorded, source, index) for index, key in enumerate(source.keys())}
    return _Work(reads, {key: str(photos / key) for key in reads}, out)


def _lies_in(out: Path, photos: Path) -> bool:
    return photos.is_dir() and out.resolve().is_relative_to(photos.resolve())


def _picture(path: "Place") -> "Image":
    from pgan_toolkit.imaging import decode_image
    from pgan_toolkit.storage import read_file

    return decode_image(read_file(path), name=str(path))


def _recorded(source: "StoredSource", index: int) -> "Image":
    return source[index].image


def _there(work: _Work, settings: _Settings, *, mode: ProgressMode) -> set[str]:
    """Keys that OUT has a file of; refuse results of other settings or of other pictures.

    Files without the text that results have are not `restore`'s, and are nobody's to judge.
    """
    there = {key for key in work.reads if work.target(key).exists()}
    marks = {
        key: mark for key in sorted(there) if (mark := _read_mark(work.target(key))) is not None
    }
    for key, mark in marks.items():
        _require_same_settings(work.target(key), mark, settings)
    if marks:
        with Progress(len(marks), label="checking", unit="earlier result", mode=mode) as bar:
            for key, mark in marks.items():
                _require_same_picture(work, key, mark)
                bar.advance()
    return there


def _require_same_settings(target: Path, mark: Mapping[str, object], settings: _Settings) -> None:
    differences = [
        f"{name} {mark.get(name)}, now {value}"
        for name, value in asdict(settings).items()
        if mark.get(name) != value
    ]
    if differences:
        raise UsageError(
            f"{target}: was restored with other settings ({'; '.join(differences)}); repeat them, "
            "replace what is there (--overwrite), or choose another --out"
        )


def _require_same_picture(work: _Work, key: str, mark: Mapping[str, object]) -> None:
    from pgan_toolkit.digests import pixel_digest

    try:
        image = work.reads[key]()
    except DataError:
        return  # the result may be all that is left of it
    if mark.get("pixels") != pixel_digest(image):
        raise UsageError(
            f"{work.target(key)}: was restored from {mark.get('source')}, which has other pixels "
            f"than {work.names[key]}; replace it (--overwrite), or choose another --out"
        )


def _restore_all(
    work: _Work, keys: Sequence[str], restorer: "Restorer", *, settings: _Settings, bar: Progress
) -> list[str]:
    """Restore the pictures of these keys, and return why some could not be."""
    failed = []
    for key in keys:
        reason = _restore_one(work, key, restorer, settings)
        if reason is None:
            bar.advance()
        else:
            failed.append(reason)
            bar.note(f"left out: {reason}")
    return failed


def _restore_one(work: _Work, key: str, restorer: "Restorer", settings: _Settings) -> str | None:
    """Restore a picture, or return why it cannot be read or its result not be stored."""
    from pgan_toolkit.digests import pixel_digest
    from pgan_toolkit.imaging import encode_png
    from pgan_toolkit.storage import atomic_write_bytes

    try:
        image = work.reads[key]()
    except DataError as error:
        return str(error)
    result = restorer.restore(image, scale=settings.scale)
    mark = {**asdict(settings), "source": Path(work.names[key]).name, "pixels": pixel_digest(image)}
    try:
        atomic_write_bytes(work.target(key), _with_mark(encode_png(result), mark))
    except DataError as error:
        return f"{work.names[key]}: its result of {error}"
    except OSError as error:
        if error.errno in _ALL_WILL_FAIL:
            raise
        return f"{work.target(key)}: cannot be written ({error.strerror or error})"
    return None


def _with_mark(png: bytes, mark: Mapping[str, object]) -> bytes:
    """Insert a text chunk behind the header of a PNG file."""
    content = b"tEXt" + _KEYWORD + b"\0" + json.dumps(mark).encode("ascii")
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    return png[:_HEADER_BYTES] + chunk + png[_HEADER_BYTES:]


def _read_mark(path: Path) -> dict[str, object] | None:
    """Read what `_with_mark` inserted; None if the file has none."""
    if not path.is_file():
        return None
    start = b"tEXt" + _KEYWORD + b"\0"
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES + 4 + len(start))
        if not head.endswith(start):
            return None
        (length,) = struct.unpack(">I", head[_HEADER_BYTES : _HEADER_BYTES + 4])
        text = file.read(min(max(length - (len(start) - 4), 0), _LONGEST_MARK_BYTES))
    try:
        mark = json.loads(text)
    except (RecursionError, ValueError):
        return None
    return mark if isinstance(mark, dict) else None


def _not_restored(reasons: Sequence[str], *, total: int) -> DataError:
    lines = "\n".join(f"  {reason}" for reason in reasons)
    return DataError(f"{_how_many(len(reasons), total)}:\n{lines}")


def _how_many(failed: int, total: int) -> str:
    if failed == total:
        whole = "the picture" if total == 1 else f"all {total:,} pictures"
        return f"{whole} could not be restored"
    others = "the other was" if total - failed == 1 else "the others were"
    return f"{failed:,} of {total:,} pictures could not be restored ({others})"

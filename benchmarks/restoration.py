"""Restoration beside the published tables: artifacts, super-resolution, portraits, harm and speed.

    python benchmarks/restoration.py --photos photos_test --faces faces_1024 --json result.json
    python benchmarks/restoration.py --photos photos_test --parts jpeg --psnr nets:jpeg=FILE

`--photos` holds LIVE1, classic5, Set5 and Set14; `--faces` portraits of 1024x1024. The networks
that come with the package are measured unless others are named. Floors are judged beside what was
measured; where one is missed, the exit code is 1, after the result has been written.
"""

import argparse
import json
import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

from pgan_toolkit.imaging import bicubic_resize
from pgan_toolkit.progress import Progress, ProgressMode
from pgan_toolkit.restoration import Restorer, open_restorer
from pgan_toolkit.restoration.fidelity import Fidelity
from pgan_toolkit.restoration.scoring import (
    DEFAULT_QUALITIES,
    RESTORED,
    PictureScore,
    ScoredTask,
    mean_scores,
    score_restorer,
    stored_in_colour,
)
from pgan_toolkit.storage import StoredSource, open_source

QUALITIES = DEFAULT_QUALITIES["jpeg"]
PUBLISHED_JPEG = {
    "LIVE1": {
        "JPEG": (27.77, 30.07, 31.41, 32.35),
        "AR-CNN": (28.96, 31.29, 32.67, 33.61),
        "DnCNN-3": (29.19, 31.59, 32.98, 33.96),
        "FBCNN": (29.75, 32.13, 33.54, 34.53),
    },
    "classic5": {
        "JPEG": (27.82, 30.12, 31.48, 32.43),
        "AR-CNN": (29.03, 31.15, 32.51, 33.32),
        "DnCNN-3": (29.40, 31.63, 32.91, 33.77),
        "FBCNN": (30.12, 32.31, 33.54, 34.35),
    },
}
"""Luma PSNR, dB, at quality 10, 20, 30 and 40."""
PUBLISHED_SUPERRES = {
    "bicubic": (28.42, 25.99),
    "SRCNN": (30.08, 27.13),
    "VDSR": (31.35, 27.99),
    "SRResNet": (32.05, 28.49),
    "SRGAN": (29.40, 26.02),
}
"""Luma PSNR, dB, on Set5 and Set14."""
FLOOR_JPEG_DB = {"LIVE1": (28.9, 31.2, 32.6, 33.6)}
FLOOR_SUPERRES_DB = {"Set5": 30.9, "Set14": 27.7}
"""For the network that was trained for PSNR."""
BICUBIC_SET5_DB = 28.42
"""What the network that was trained adversarially must surpass."""
FLOOR_FACES_GAIN_DB = 1.0
"""Over Lanczos, for the network that was trained for PSNR."""
NEARLY_CLEAN_QUALITIES = (98, 100)
ALLOWED_LOSS_DB = 0.1
SPEED_SIDE_PX = {"jpeg": 768, "superres": 384}
"""Side of the square whose restoration is timed."""


@dataclass(frozen=True)
class Subject:
    """What is measured, and on what.

    `restorers` are "psnr" and "adversarial" by their training; `missed` collects missed floors.
    """

    photos: Path
    faces: Path | None
    restorers: dict[str, Restorer]
    missed: list[str] = field(default_factory=list)

    def judge(self, what: str, *, reached: bool) -> None:
        """Print whether a floor is reached, and remember it if not."""
        print(f"  {what}: {'reached' if reached else 'NOT REACHED'}")
        if not reached:
            self.missed.append(what)


def main() -> None:
    """Measure the parts that are asked for, print them and, if asked, write the result."""
    arguments = _arguments()
    specs = {"psnr": arguments.psnr, "adversarial": arguments.adversarial or arguments.psnr}
    restorers = {kind: open_restorer(spec, device=arguments.device) for kind, spec in specs.items()}
    subject = Subject(arguments.photos, arguments.faces, restorers)
    result: dict[str, object] = {
        "machine": f"{_processor()}, {os.cpu_count()} cores, device {arguments.device}, "
        f"Python {platform.python_version()}, torch {torch.__version__}",
        "restorers": {kind: restorer.identity for kind, restorer in restorers.items()},
    }
    for part in arguments.parts:
        result[part] = PARTS[part](subject)
        print(flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    if subject.missed:
        sys.exit("floors not reached:\n  " + "\n  ".join(subject.missed))


def measure_jpeg(subject: Subject) -> object:
    """Artifacts of compressed luma, on LIVE1 and classic5."""
    measured: dict[str, object] = {}
    for name, published in PUBLISHED_JPEG.items():
        means = _means(open_source(subject.photos / name), subject.restorers["psnr"], "jpeg")
        print(f"{name}: luma PSNR in dB (SSIM) at quality {', '.join(map(str, QUALITIES))}")
        _print_published(published)
        for way in ("jpeg", RESTORED):
            _print_row(way, [mean.fidelity[way] for mean in means])
        for mean, floor in zip(means, FLOOR_JPEG_DB.get(name, ()), strict=False):
            found = mean.fidelity[RESTORED].psnr_luma
            what = f"{name}, quality {mean.quality}: {found:.2f}, floor {floor:.2f}"
            subject.judge(what, reached=found >= floor)
        measured[name] = [asdict(mean) for mean in means]
    return measured


def measure_superres(subject: Subject) -> object:
    """Four times larger from bicubic, on Set5 and Set14."""
    print("Four times larger: luma PSNR in dB (SSIM) on Set5 and Set14, then detail on each")
    _print_published(PUBLISHED_SUPERRES)
    measured: dict[str, object] = {}
    for kind, restorer in subject.restorers.items():
        sets = [open_source(subject.photos / name) for name in ("Set5", "Set14")]
        means = [_means(source, restorer, "superres")[0] for source in sets]
        for way, label in _ways(kind, plain=not measured):
            fidelities = [mean.fidelity[way] for mean in means]
            _print_row(label, fidelities, ", ".join(map(_detail, fidelities)))
        measured[kind] = {"Set5": asdict(means[0]), "Set14": asdict(means[1])}
        judge_superres(subject, kind, [mean.fidelity[RESTORED].psnr_luma for mean in means])
    return measured


def judge_superres(subject: Subject, kind: str, found: list[float]) -> None:
    """Judge luma PSNR on Set5 and Set14: floors of one training, more than bicubic of the other."""
    if kind == "adversarial":
        what = f"Set5, {kind}: {found[0]:.2f}, to be above bicubic's {BICUBIC_SET5_DB:.2f}"
        subject.judge(what, reached=found[0] > BICUBIC_SET5_DB)
        return
    for (name, floor), value in zip(FLOOR_SUPERRES_DB.items(), found, strict=True):
        what = f"{name}, {kind}: {value:.2f}, floor {floor:.2f}"
        subject.judge(what, reached=value >= floor)


def measure_faces(subject: Subject) -> object:
    """Portraits, reduced four times and compressed at quality 60."""
    if subject.faces is None:
        raise ValueError("no portraits")
    print("Portraits at a quarter and quality 60: luma PSNR in dB (SSIM), gain, RGB PSNR, detail")
    measured: dict[str, object] = {}
    for kind, restorer in subject.restorers.items():
        (mean,) = _means(open_source(subject.faces), restorer, "faces")
        lanczos = mean.fidelity["lanczos"].psnr_luma
        for way, label in _ways(kind, plain=not measured):
            found = mean.fidelity[way]
            gain = f"{found.psnr_luma - lanczos:+.2f} over lanczos"
            _print_row(label, [found], f"{gain}, {found.psnr_rgb:.2f}, {_detail(found)}")
        judge_faces(subject, kind, mean)
        measured[kind] = asdict(mean)
    return measured


def judge_faces(subject: Subject, kind: str, mean: PictureScore) -> None:
    """Judge the gain over Lanczos of one training, and of the other how much detail it restores."""
    restored, lanczos = mean.fidelity[RESTORED], mean.fidelity["lanczos"]
    if kind == "psnr":
        gain = restored.psnr_luma - lanczos.psnr_luma
        what = f"portraits, {kind}: {gain:+.2f} over lanczos, floor {FLOOR_FACES_GAIN_DB:+.2f}"
        subject.judge(what, reached=gain >= FLOOR_FACES_GAIN_DB)
        return
    for band, (ours, theirs) in enumerate(
        zip(restored.band_ratios, lanczos.band_ratios, strict=True), 1
    ):
        what = f"portraits, {kind}, band {band}: detail {ours:.3f}, to be nearer to 1 than "
        subject.judge(f"{what}{theirs:.3f}", reached=_from_1(ours) < _from_1(theirs))


def _from_1(ratio: float) -> float:
    """How far a ratio is from 1, so that twice and half are as far."""
    return abs(math.log(ratio)) if ratio > 0 else math.inf


def measure_harm(subject: Subject) -> object:
    """What the net against artifacts costs pictures that have next to none: LIVE1, in colour."""
    source = open_source(subject.photos / "LIVE1")
    pending = score_restorer(
        source,
        subject.restorers["psnr"],
        task="jpeg",
        qualities=NEARLY_CLEAN_QUALITIES,
        colour=True,
    )
    scores = _finished(pending, len(source) * len(NEARLY_CLEAN_QUALITIES))
    print(f"LIVE1, 4:2:0: dB that restoring adds; {-ALLOWED_LOSS_DB} or more is asked for")
    measured: dict[str, dict[str, float]] = {}
    for quality in NEARLY_CLEAN_QUALITIES:
        for channel in ("psnr_luma", "psnr_rgb"):
            gains = [_gain(score, channel) for score in scores if score.quality == quality]
            mean, worst = statistics.mean(gains), min(gains)
            what = f"quality {quality:3}, {channel:9}  mean {mean:+.3f}, worst picture {worst:+.3f}"
            subject.judge(what, reached=mean >= -ALLOWED_LOSS_DB)
            measured[f"quality {quality}, {channel}"] = {"mean": mean, "worst": worst}
    return measured


def measure_speed(subject: Subject) -> object:
    """Seconds a megapixel of input, median of three, with one thread and with all."""
    source = open_source(subject.photos / "LIVE1")
    print("Seconds a megapixel of input")
    measured: dict[str, object] = {}
    for kind, restorer in subject.restorers.items():
        for step in ("jpeg", "superres") if kind == "psnr" else ("superres",):
            side = SPEED_SIDE_PX[step]
            square = bicubic_resize(source[0].image, width=side, height=side)
            seconds = _thread_seconds(restorer.only(step), square, scale=1 if step == "jpeg" else 4)
            row = {threads: value / (side**2 / 1e6) for threads, value in seconds.items()}
            print(f"  {step}, {kind}: " + ", ".join(f"{k} {v:.2f} s" for k, v in row.items()))
            measured[f"{step}, {kind}"] = row
    return measured


PARTS: dict[str, Callable[[Subject], object]] = {
    "jpeg": measure_jpeg,
    "superres": measure_superres,
    "faces": measure_faces,
    "harm": measure_harm,
    "speed": measure_speed,
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--photos", type=Path, required=True, help="folder of the four sets")
    parser.add_argument("--faces", type=Path, help="folder of portraits")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--psnr", default="nets-psnr", help="restorer trained for PSNR")
    parser.add_argument(
        "--adversarial", help="restorer trained adversarially; default: nets, or --psnr if given"
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.faces is None and "faces" in arguments.parts:
        parser.error("--faces: name a folder of portraits, or leave the part faces out of --parts")
    if arguments.adversarial is None and arguments.psnr == parser.get_default("psnr"):
        arguments.adversarial = "nets"
    return arguments


def _means(source: StoredSource, restorer: Restorer, task: ScoredTask) -> list[PictureScore]:
    total = len(source) * len(DEFAULT_QUALITIES.get(task, (None,)))
    coloured = stored_in_colour(source)
    return mean_scores(
        _finished(score_restorer(source, restorer, task=task, coloured=coloured), total)
    )


def _finished(pending: Iterator[PictureScore], total: int) -> list[PictureScore]:
    scores = []
    mode: ProgressMode = "auto" if sys.stderr.isatty() else "quiet"
    with Progress(total, label="scoring", unit="trial", mode=mode) as bar:
        for score in pending:
            scores.append(score)
            bar.advance()
    return scores


def _gain(score: PictureScore, channel: str) -> float:
    restored, given = score.fidelity[RESTORED], score.fidelity["jpeg"]
    return float(getattr(restored, channel) - getattr(given, channel))


def _ways(kind: str, *, plain: bool) -> list[tuple[str, str]]:
    """What to print of a restorer's scores, and how to call it; the plain ways only once."""
    beside = [("bicubic", "bicubic"), ("lanczos", "lanczos")] if plain else []
    return [*beside, (RESTORED, f"{RESTORED}, {kind}")]


def _print_published(table: Mapping[str, tuple[float, ...]]) -> None:
    for method, values in table.items():
        cells = "".join(f"{value:8.2f}{'':9}" for value in values)
        print(f"  {method + ', published':22}{cells}".rstrip())


def _print_row(label: str, fidelities: list[Fidelity], note: str = "") -> None:
    cells = "".join(f"{found.psnr_luma:8.2f} ({found.ssim_luma:.4f})" for found in fidelities)
    print(f"  {label:22}{cells}  {note}".rstrip(), flush=True)


def _detail(fidelity: Fidelity) -> str:
    return "/".join(f"{ratio:.2f}" for ratio in fidelity.band_ratios)


def _thread_seconds(restorer: Restorer, image: np.ndarray, *, scale: int) -> dict[str, float]:
    """Median seconds of three, with one thread and with as many as torch takes by itself."""
    most = torch.get_num_threads()
    seconds = {}
    for threads in sorted({1, most}):
        torch.set_num_threads(threads)
        restorer.restore(np.ascontiguousarray(image[:64, :64]), scale=scale)
        times = []
        for _ in range(3):
            start = time.perf_counter()
            restorer.restore(image, scale=scale)
            times.append(time.perf_counter() - start)
        seconds[f"{threads} thread" + ("" if threads == 1 else "s")] = statistics.median(times)
    torch.set_num_threads(most)
    return seconds


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


if __name__ == "__main__":
    main()

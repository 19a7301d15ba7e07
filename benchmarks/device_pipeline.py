"""The build's device pipeline: photographs a second, how busy the device is, time of each stage.

    python benchmarks/device_pipeline.py --data celeba_wild --device cuda [--repeat 40] [--json F]

Three parts. Stages: photographs one after another in this process, with CUDA events between the
steps on the device and a clock around those on the host. Rate: the build's own work (decode, crop,
score, digest, PNG file) over the photographs many times, by a process a GPU and its threads, from
the first result to the last. Busy: what `nvidia-smi` says while that runs (the share of time in
which a kernel runs), and the stages' device time as a share of the run. It runs with --device cpu
too, which says only that it runs.
"""

import argparse
import contextlib
import json
import platform
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from pgan_toolkit.celebahq import PROFILES, BuildSettings, Photograph, plan_build, plan_crop
from pgan_toolkit.celebahq.on_device import open_device_engine
from pgan_toolkit.celebahq.on_device.padding import faded_pad
from pgan_toolkit.celebahq.on_device.spectrum import measure_spectrum
from pgan_toolkit.celebahq.on_device.warping import box_warp
from pgan_toolkit.celebahq.plan import BuildPlan
from pgan_toolkit.celebahq.recipe import seen_part
from pgan_toolkit.celebahq.work import score_photograph
from pgan_toolkit.devices import whole_float32
from pgan_toolkit.digests import pixel_digest
from pgan_toolkit.imaging import decode_image, encode_png, limit_threads
from pgan_toolkit.restoration.nets import NetRestorer

ON_DEVICE = ("restore", "pad", "warp", "sums", "fetch")
_SAMPLE_SECONDS = 0.2


class Clock:
    """Times between marks: on the device by CUDA events, elsewhere by the clock."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._marks: list[tuple[str, Any]] = [("start", self._now())]

    def mark(self, stage: str) -> None:
        """End a stage here."""
        self._marks.append((stage, self._now()))

    def milliseconds(self) -> dict[str, float]:
        """Return each stage's time; waits for the device."""
        if self._cuda:
            torch.cuda.synchronize()
        spans = zip(self._marks[:-1], self._marks[1:], strict=True)
        return {stage: self._between(before, now) for (_, before), (stage, now) in spans}

    def _now(self) -> Any:
        if not self._cuda:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event

    def _between(self, before: Any, now: Any) -> float:
        return float(before.elapsed_time(now)) if self._cuda else 1000 * (now - before)


def main() -> None:
    """Measure, print and, if asked, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True, help="photographs with landmarks")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--restorer", default="nets")
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--workers", type=int, help="threads in all  [default: one a core]")
    parser.add_argument("--repeat", type=int, default=40, help="passes over the photographs")
    parser.add_argument("--only", type=int, help="take so many of the photographs")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plan = plan_build(
            BuildSettings(
                src=arguments.data,
                out=Path(folder) / "hq",
                select="all",
                size=arguments.size,
                restorer=arguments.restorer,
                device=arguments.device,
                precision=arguments.precision,
                pipeline="device",
                workers=arguments.workers,
            )
        )
        usable = [each for each in plan.source if each.problem is None][: arguments.only]
        result = measure(plan, usable, arguments.repeat)
    print(json.dumps(result, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


def measure(plan: BuildPlan, photographs: list[Photograph], repeat: int) -> dict[str, Any]:
    """Return all figures, with what they were measured on."""
    settings = plan.settings
    stages, peak_mib = measure_stages(plan, photographs)
    rate, busy = measure_rate(plan, photographs, repeat)
    gpus = torch.cuda.device_count() if settings.device == "cuda" else 1
    device_ms = sum(stages[name] for name in ON_DEVICE)
    return {
        "device": _device_name(settings.device),
        "gpus": gpus,
        "torch": torch.__version__,
        "precision": settings.precision,
        "workers": settings.processes,
        "photographs": len(photographs),
        "repeat": repeat,
        "stages_ms_a_photograph": stages,
        "peak_device_mib_of_one_photograph": peak_mib,
        "photographs_a_second": rate,
        "busy_by_nvidia_smi": busy,
        "busy_by_stages": rate * device_ms / 1000 / gpus,
    }


def measure_stages(
    plan: BuildPlan, photographs: list[Photograph]
) -> tuple[dict[str, float], float | None]:
    """Mean milliseconds of each stage, the first photographs left out, and the device's memory."""
    limit_threads(1)
    settings = plan.settings
    if settings.device.startswith("cuda:"):
        torch.cuda.set_device(settings.device)  # of the clock's events
    restorer = settings.open_restorer(threads=1)
    assert isinstance(restorer, NetRestorer)
    warm = min(5, len(photographs) - 1)
    with whole_float32(), torch.inference_mode():
        times = [_stages(restorer, photograph, settings.size) for photograph in photographs]
    cuda = restorer.device.type == "cuda"
    peak = torch.cuda.max_memory_allocated(restorer.device) / 2**20 if cuda else None
    return {
        stage: statistics.mean(each[stage] for each in times[warm:]) for stage in times[0]
    }, peak


def _stages(restorer: NetRestorer, photograph: Photograph, size: int) -> dict[str, float]:
    assert photograph.landmarks is not None
    host = Clock(torch.device("cpu"))
    image = decode_image(
        photograph.path.read_bytes(), name=str(photograph.path), apply_orientation=False
    )
    host.mark("decode")
    plan = plan_crop(
        photograph.landmarks, width=image.shape[1], height=image.shape[0], output_size=size
    )
    cut, wanted = seen_part(image, plan, profile=PROFILES["paper"], restorer=restorer)
    host.mark("cut")
    device = Clock(restorer.device)
    crop = restorer.restore_tensor(cut, scale=plan.upscale, region=wanted)
    device.mark("restore")
    if plan.margins:
        crop = faded_pad(crop, plan.margins, sigma_px=plan.sigma_px, window=plan.window)
    device.mark("pad")
    crop = box_warp(crop, plan.quad_in_warped, size=size)
    device.mark("warp")
    measured = measure_spectrum(crop)
    device.mark("sums")
    pixels, sums = crop.permute(1, 2, 0).contiguous().cpu().numpy(), measured.sums.cpu()
    device.mark("fetch")
    on_device = device.milliseconds()
    end = Clock(torch.device("cpu"))
    measured.report(sums)
    end.mark("score")
    pixel_digest(image)
    pixel_digest(pixels)
    end.mark("digest")
    encode_png(pixels)
    end.mark("encode")
    return {**host.milliseconds(), **on_device, **end.milliseconds()}


def measure_rate(
    plan: BuildPlan, photographs: list[Photograph], repeat: int
) -> tuple[float, float | None]:
    """Photographs a second of the build's work, and the share of time that the GPUs are busy."""
    items = [
        replace(photograph, key=f"{number:05}/{photograph.key}")
        for number in range(repeat)
        for photograph in photographs
    ]
    engine = open_device_engine(plan.settings.device, workers=plan.settings.processes)
    results = engine.map(
        score_photograph, items, prepare=plan.worker_settings().opener(), on_lost=_lost
    )
    with plan.workspace.locked(), contextlib.closing(results), _sampled(plan) as samples:
        next(results)
        samples.clear()  # of the start
        start = time.perf_counter()
        count = sum(rows[0].status == "scored" for rows in results)
        wall = time.perf_counter() - start
        busy = statistics.mean(samples) / 100 if samples else None
    assert count == len(items) - 1
    return count / wall, busy


def _lost(photograph: Photograph) -> list[Any]:
    raise RuntimeError(f"{photograph.path}: its process died")


@contextlib.contextmanager
def _sampled(plan: BuildPlan) -> Iterator[list[float]]:
    """Per cent of time in which a kernel runs, sampled while the block runs."""
    samples: list[float] = []
    ended = threading.Event()
    thread = threading.Thread(target=_sample, args=(plan.settings.device, samples, ended))
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()


def _sample(device: str, samples: list[float], ended: threading.Event) -> None:
    if not device.startswith("cuda"):
        return
    command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    if ":" in device:
        command.append(f"--id={device.partition(':')[2]}")
    while not ended.wait(_SAMPLE_SECONDS):
        with contextlib.suppress(OSError, ValueError):
            told = subprocess.run(command, capture_output=True, text=True, check=False)
            samples.extend(float(line) for line in told.stdout.split())


def _device_name(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()

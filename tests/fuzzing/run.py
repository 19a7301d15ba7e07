"""Fuzz one reader: python tests/fuzzing/run.py TARGET --minutes N.

By atheris, which is led by the code that an input reaches, where that is installed (pip install
atheris); else by random edits of valid files. A child process reads, so that a crash of a library
in C is a finding too and not the end. What falls is written to build/fuzzing/TARGET/ and told at
the end, once each: the bytes, and the traceback.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
KEPT = FOLDER.parents[1] / "build" / "fuzzing"
_STATISTICS = "statistics.json"
_INPUT = "input"
_SILENCE_S = 60
_BEGINNING_S = 600  # atheris takes its time to instrument what is imported
_NOTED_EVERY = 10
_INSTRUMENTED = [
    *("pgan_toolkit.storage", "pgan_toolkit.celebahq.landmarks", "pgan_toolkit.celebahq.ledger"),
    *("pgan_toolkit.imaging.codec", "pgan_toolkit.recipes", "pgan_toolkit.runs"),
    *("pgan_toolkit.evaluation", "reference_trainer.configuration", "reference_trainer.runs"),
    *("zipfile", "tarfile", "json", "tomllib"),
]


def main() -> int:
    """Start children until the time is over; tell what they found."""
    given = _arguments()
    if given.child:
        return _child(given)
    place = KEPT / given.target
    place.mkdir(parents=True, exist_ok=True)
    until = time.time() + 60 * given.minutes
    done = Counter[str]()
    while (left := until - time.time()) > 1:
        with tempfile.TemporaryDirectory() as folder:
            seed = given.seed + done["executions"]
            code = _run_child(given, Path(folder), seconds=left, seed=seed)
            done.update(_statistics(Path(folder)))
            if code not in {0, 1}:
                done["crashes"] += 1
                _keep_crash(place, Path(folder), code)
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    engine = "atheris" if given.atheris else "random edits"
    sys.stdout.write(
        f"{given.target}: {done['executions']:,} executions by {engine}, {done['accepted']:,} "
        f"files accepted, {spent.ru_utime + spent.ru_stime:.0f} s of CPU, {done['crashes']} "
        f"crashes; findings in {place}: {len(list(place.glob('*.txt')))}\n"
    )
    return 0


def _statistics(folder: Path) -> dict[str, int]:
    try:
        found: dict[str, int] = json.loads((folder / _STATISTICS).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return found


def _arguments() -> argparse.Namespace:
    sys.path.insert(0, str(FOLDER))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--random", dest="atheris", action="store_false", help="without atheris")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.atheris = given.atheris and importlib.util.find_spec("atheris") is not None
    return given


def _run_child(given: argparse.Namespace, folder: Path, *, seconds: float, seed: int) -> int:
    command = [sys.executable, __file__, given.target, "--child", str(folder)]
    command += ["--seconds", str(seconds), "--seed", str(seed)]
    command += [] if given.atheris else ["--random"]
    with (KEPT / given.target / "log").open("ab") as out:
        child = subprocess.Popen(command, stdout=out, stderr=out)
        before, since = 0, time.monotonic()
        while child.poll() is None:
            time.sleep(0.5)
            now = _statistics(folder).get("executions", 0)
            if now != before:
                before, since = now, time.monotonic()
            if time.monotonic() - since > (
                _SILENCE_S if before else _BEGINNING_S
            ):  # in C, where no signal is heard
                child.kill()
        return child.wait()


def _keep_crash(place: Path, folder: Path, code: int) -> None:
    """Keep the input that a process died of."""
    for path in folder.glob(f"{_INPUT}*"):
        data = path.read_bytes()
        name = f"crash{code}-{hashlib.sha256(data).hexdigest()[:12]}"
        (place / name).write_bytes(data)
        (place / f"{name}.txt").write_text(f"the process ended with {code}\n")


def _child(given: argparse.Namespace) -> int:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if given.atheris:
        import atheris

        with atheris.instrument_imports(include=_INSTRUMENTED):
            fuzzer = _Fuzzer(given)
        corpus = given.child / "corpus"
        corpus.mkdir()
        for number, data in enumerate(fuzzer.seeds):
            (corpus / str(number)).write_bytes(data)
        options = [f"-max_total_time={int(given.seconds)}", "-max_len=65536", "-timeout=60"]
        options += [f"-seed={given.seed + 1}", "-rss_limit_mb=4096", "-detect_leaks=0"]
        atheris.Setup([sys.argv[0], *options, str(corpus)], fuzzer.run_one)
        atheris.Fuzz()
    fuzzer = _Fuzzer(given)
    fuzzer.run_random(seconds=given.seconds)
    return 0


class _Fuzzer:
    """Runs inputs and keeps what falls, once for each place in the code."""

    def __init__(self, given: argparse.Namespace) -> None:
        import torch
        from fuzz_contract import hold_to_contract
        from fuzz_mutations import mutated, random_edits
        from fuzz_targets import TARGETS

        torch.set_num_threads(1)
        self._edits, self._mutated, self._hold = random_edits, mutated, hold_to_contract
        self._target = TARGETS[given.target]
        self._place = KEPT / given.target
        self._folder = given.child
        self.seeds = self._target.seeds(given.child)
        self._chance = random.Random(given.seed)
        self._executions = self._accepted = 0

    def run_random(self, *, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            data = self._mutated(self._chance.choice(self.seeds), self._edits(self._chance))
            self.run_one(data)
        self._note()

    def run_one(self, data: bytes) -> None:
        path = self._folder / f"{_INPUT}.{self._target.suffix}"
        path.write_bytes(self._target.framed(data))
        try:
            self._accepted += self._hold(self._target.read, path)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            self._keep(data, error)
        self._executions += 1
        if self._executions % _NOTED_EVERY == 0:
            self._note()

    def _note(self) -> None:
        done = {"executions": self._executions, "accepted": self._accepted}
        (self._folder / _STATISTICS).write_text(json.dumps(done))

    def _keep(self, data: bytes, error: Exception) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "pgan_toolkit" in frame.filename] or frames
        where = f"{Path(ours[-1].filename).stem}-{ours[-1].lineno}"
        path = self._place / f"{type(error).__name__}-{where}"
        if not path.exists():
            path.write_bytes(data)
            lines = "".join(traceback.format_exception(error))
            path.with_name(f"{path.name}.txt").write_text(lines[-4000:])


if __name__ == "__main__":
    sys.exit(main())

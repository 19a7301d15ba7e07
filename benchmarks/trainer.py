"""What the trainer learns on a CPU, and how fast it is.

    python benchmarks/trainer.py speed [--device cpu] [--sizes 4,8,16,32,64] [--json result.json]
    python benchmarks/trainer.py learn faces --photos thumbnails.zip --out work [--kimg 260]
    python benchmarks/trainer.py learn digits --mnist mnist --out work [--kimg 2000]
    python benchmarks/trainer.py plot work/run --out learning.png

`speed` is described in trainer_speed.py. `learn` prepares 32x32 pictures in the working folder and
runs the command that users have, `pgan-toolkit train`; a run that was stopped goes on. `plot` draws
what the run has measured.
"""

import argparse
import json
from pathlib import Path

from trainer_learning import learn_digits, learn_faces
from trainer_plot import plot_run
from trainer_speed import measure_speed, measured_once


def main() -> None:
    """Do what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    commands = parser.add_subparsers(dest="command", required=True)
    _add_speed(commands.add_parser("speed"))
    _add_learn(commands.add_parser("learn"))
    plot = commands.add_parser("plot")
    plot.add_argument("run", type=Path, help="the folder of a run")
    plot.add_argument("--out", type=Path, required=True, help="a .png or .svg file")
    arguments = parser.parse_args()
    if arguments.command == "speed":
        _speed(arguments)
    elif arguments.command == "plot":
        plot_run(arguments.run, out=arguments.out)
    elif arguments.what == "faces":
        learn_faces(arguments.photos, work=arguments.out, kimg=arguments.kimg)
    else:
        learn_digits(arguments.mnist, work=arguments.out, kimg=arguments.kimg)


def _add_speed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sizes", type=_sizes, help="pixels; to 64 on a CPU, to 1024 on CUDA")
    parser.add_argument(
        "--seconds", type=float, default=10.0, help="that each measurement lasts at least"
    )
    parser.add_argument("--minibatch-size", type=int, default=0, help="0: the paper's")
    parser.add_argument(
        "--clock",
        choices=("wall", "processor"),
        default="wall",
        help="of the table; processor seconds where the machine is busy with something else",
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", help=argparse.SUPPRESS)


def _add_learn(parser: argparse.ArgumentParser) -> None:
    what = parser.add_subparsers(dest="what", required=True)
    faces = what.add_parser("faces")
    faces.add_argument("--photos", type=Path, required=True, help="CelebA's thumbnails, 89x109")
    digits = what.add_parser("digits")
    digits.add_argument("--mnist", type=Path, required=True, help="folder of the official files")
    for each in (faces, digits):
        each.add_argument("--out", type=Path, required=True, help="the working folder")
        each.add_argument("--kimg", type=float, help="in all; the preset's by default")


def _sizes(text: str) -> list[int]:
    return [int(size) for size in text.split(",")]


def _speed(arguments: argparse.Namespace) -> None:
    if arguments.sizes is None:
        largest = 6 if arguments.device == "cpu" else 10
        arguments.sizes = [2**power for power in range(2, largest + 1)]
    if arguments.one:
        print(json.dumps(measured_once(arguments)))
        return
    text = json.dumps(measure_speed(arguments), indent=1)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")


if __name__ == "__main__":
    main()

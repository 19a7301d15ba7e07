"""The README's commands are run as they stand, on the embedded samples in place of CelebA."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

KEPT = {
    *(
        "original.jpg",
        "mirrored.jpg",
        "half_size.jpg",
        "third_size.jpg",
        "rotated_15.jpg",
        "grey.jpg",
    ),
    *("low_contrast.jpg", "noise_10.jpg", "blur_1.jpg", "jpeg_quality_12.jpg", "truncated.jpg"),
    "face_at_left_edge.jpg",
}
README = (Path(__file__).parents[1] / "README.md").read_text()
NOT_RUN = ("make ", "pip ")  # the first are what runs this test, the second what made it possible


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def _commands() -> list[str]:
    lines = "\n".join(_blocks("sh")).splitlines()
    commands = (line.partition("#")[0].strip() for line in lines)
    return [command for command in commands if command and not command.startswith(NOT_RUN)]


def _copy_some(samples: Path, target: Path) -> None:
    """Copy a dozen photographs, with their landmarks: every build restores all that it finds."""
    shutil.copytree(samples, target)
    table = target / "Anno" / "list_landmarks_celeba.txt"
    _, header, *rows = table.read_text().splitlines()
    kept = [row for row in rows if row.split()[0] in KEPT]
    table.write_text("\n".join([str(len(kept)), header, *kept, ""]))
    for photo in (target / "img_celeba").iterdir():
        if photo.name not in KEPT:
            photo.unlink()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_commands_of_the_readme_work_in_their_order(samples: Path, tmp_path: Path) -> None:
    _copy_some(samples, tmp_path / "celeba_wild")
    (tmp_path / "photos").mkdir()
    shutil.copy(samples / "img_celeba" / "original.jpg", tmp_path / "photos")
    commands = _commands()
    assert len(commands) >= 10
    for command in commands:
        words = shlex.split(command)
        assert words[0] == "pgan-toolkit", command
        # The published list names none of the samples, which is an error, and a clear one.
        expected = 3 if "official" in words else 0
        done = subprocess.run(
            [sys.executable, "-m", "pgan_cli", *words[1:]],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == expected, f"{command}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
    for script in _blocks("python"):
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert done.stdout


def test_every_command_is_in_the_readme() -> None:
    from pgan_cli.main import cli

    names = cli.list_commands(click.Context(cli))
    assert len(names) >= 5
    assert [n for n in names if f"pgan-toolkit {n}" not in README and n != "demo"] == []
    assert "make demo" in README

import importlib
import importlib.metadata
import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner, Result
from pgan_cli.doctor import doctor

from pgan_toolkit import environment
from pgan_toolkit.environment import Fact


def run(*arguments: str) -> Result:
    return CliRunner().invoke(doctor, arguments, standalone_mode=False)


def facts_of(result: Result) -> dict[str, dict[str, object]]:
    assert result.exception is None
    return {fact["name"]: fact for fact in json.loads(result.output)["facts"]}


@pytest.fixture
def without(monkeypatch):
    """Make the import of some modules fail as it does where they are not installed."""

    def hide(*modules: str) -> None:
        for module in modules:
            for name in [n for n in sys.modules if n == module or n.startswith(f"{module}.")]:
                monkeypatch.delitem(sys.modules, name)
            monkeypatch.setitem(sys.modules, module, None)

    return hide


def test_a_table_with_every_group_and_success_here():
    result = run()
    assert result.return_value == 0
    lines = result.output.splitlines()
    groups = [line for line in lines if line and not line.startswith(" ")]
    expected = [
        "packages", "decoders", "devices", "detection", "restoration", "extras", "folder",
    ]  # fmt: skip
    assert groups == [*expected, "The essentials work."]
    assert max(map(len, lines)) <= 160


def test_json_holds_versions_that_the_packages_themselves_state():
    import h5py
    import numpy as np
    import torch
    from PIL import features

    facts = facts_of(run("--json"))
    for name, module in {"numpy": np, "h5py": h5py, "torch": torch}.items():
        assert facts[name]["detail"] == module.__version__
        assert facts[name]["state"] == "ok"
    assert features.version("libjpeg_turbo") in facts["JPEG"]["detail"]
    assert facts["WebP"]["state"] == ("ok" if features.check("webp") else "missing")
    assert ("CUDA" in facts) != torch.cuda.is_available()


@pytest.mark.parametrize(
    ("module", "name", "command"),
    [
        ("torch", "torch", 'pip install "torch>=2.6"'),
        ("PIL", "pillow", 'pip install "pillow>=11.3"'),
        ("cv2", "opencv-python-headless", 'pip install "opencv-python-headless>=4.12"'),
        ("h5py", "h5py", 'pip install "h5py>=3.10"'),
    ],
)
def test_a_missing_essential_is_named_with_its_remedy_and_exits_with_4(
    without, module, name, command
):
    without(module)
    result = run("--json")
    assert result.return_value == 4
    assert json.loads(result.output)["ok"] is False
    assert facts_of(result)[name]["state"] == "missing"
    assert facts_of(result)[name]["remedy"] == command
    assert f"Essentials that are missing or broken: {name}" in run().output


def test_a_missing_dlib_is_named_and_is_no_failure(without):
    without("dlib")
    result = run("--json")
    assert result.return_value == 0
    assert facts_of(result)["dlib-bin"]["remedy"] == 'pip install "dlib-bin>=19.24"'


def test_a_package_that_breaks_on_import_is_broken_not_a_traceback(monkeypatch):
    real = importlib.import_module

    def import_module(name: str) -> object:
        if name == "scipy":
            raise OSError("libopenblas.so: cannot open shared object file")
        return real(name)

    monkeypatch.setattr(environment.importlib, "import_module", import_module)
    result = run("--json")
    assert result.return_value == 4
    fact = facts_of(result)["scipy"]
    assert fact["state"] == "broken"
    assert "libopenblas.so" in fact["detail"]
    assert fact["remedy"] == 'pip install "scipy>=1.11" --force-reinstall'


def test_a_missing_predictor_says_how_to_get_it(tmp_path):
    result = run("--json", "--predictor", str(tmp_path / "none.dat"))
    assert result.return_value == 0
    fact = facts_of(result)["landmark predictor"]
    assert fact["state"] == "missing"
    assert "none.dat: no such file" in fact["remedy"]


def test_a_missing_extra_says_how_to_get_it(monkeypatch):
    real = environment._installed_version
    monkeypatch.setattr(
        environment,
        "_installed_version",
        lambda name: None if name == "face_recognition_models" else real(name),
    )
    fact = facts_of(run("--json"))["landmarks"]
    assert (fact["state"], fact["detail"]) == ("missing", "face_recognition_models")
    assert fact["remedy"] == 'pip install "face_recognition_models>=0.3"'
    assert "dev" not in facts_of(run("--json"))


def test_a_pillow_without_a_decoder_is_replaced_by_one_that_has_it(monkeypatch):
    from PIL import features

    real = features.check
    monkeypatch.setattr(features, "check", lambda name: name != "avif" and real(name))
    fact = facts_of(run("--json"))["AVIF"]
    assert (fact["state"], fact["essential"]) == ("missing", False)
    assert fact["remedy"] == (
        'pip install "pillow>=11.3" --upgrade --force-reinstall --only-binary pillow'
    )


def test_outside_an_installation_no_index_is_named(monkeypatch):
    def missing(name: str) -> object:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(environment.importlib.metadata, "metadata", missing)
    (fact,) = environment.extra_facts()
    assert fact.remedy == "pip install . in the toolkit's folder"


def test_locking_is_tried_in_the_folder_and_leaves_nothing_behind(tmp_path):
    room, locking = environment.folder_facts(tmp_path)
    assert locking == Fact("folder", "file locking", "ok", "works")
    assert str(tmp_path) in room.detail
    assert list(tmp_path.iterdir()) == []


def test_locks_that_exclude_nobody_are_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(environment.fcntl, "flock", lambda *_: None)
    locking = environment.folder_facts(tmp_path)[1]
    assert locking.state == "broken"
    assert "second process" in locking.detail
    assert "local disk" in locking.remedy


def test_a_folder_that_cannot_be_written_to_is_reported(tmp_path, monkeypatch):
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(environment.tempfile, "TemporaryDirectory", refuse)
    locking = environment.folder_facts(tmp_path)[1]
    assert (locking.state, locking.essential) == ("broken", False)
    assert "Permission denied" in locking.detail


def test_little_room_is_noted(tmp_path, monkeypatch):
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda _: _Usage(1 << 30))
    room = environment.folder_facts(tmp_path)[0]
    assert (room.state, room.detail.split(" in ")[0]) == ("note", "1.0 GiB")


class _Usage:
    def __init__(self, free: int) -> None:
        self.free = free


def test_help_has_an_example():
    with click.Context(doctor, info_name="pgan-toolkit doctor") as context:
        assert "pgan-toolkit doctor --json" in doctor.get_help(context)


def test_the_command_exits_as_it_says(tmp_path):
    code = "from pgan_cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "doctor", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert json.loads(done.stdout)["ok"] is True

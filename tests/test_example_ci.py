"""The GitHub Action, and the example of a repository that uses it, run as workflows run them."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "ci-of-another-repo"
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS = ACTION["runs"]["steps"]
WORKFLOW = yaml.safe_load((EXAMPLE / ".github" / "workflows" / "quality.yml").read_text())
[EVALUATE] = [step for step in STEPS if step.get("id") == "evaluate"]
SHA = re.compile(r"[^@]+@[0-9a-f]{40}")


def input_name(variable: str) -> str:
    return variable.removeprefix("PGAN_").lower().replace("_", "-")


def test_inputs_reach_the_shell_through_the_environment_alone() -> None:
    for step in STEPS:
        assert "${{" not in step.get("run", "")
    for name, value in EVALUATE["env"].items():
        assert value.removeprefix("${{ inputs.").removesuffix(" }}") == input_name(name)
    used = {input_name(each) for each in EVALUATE["env"]}
    assert used == set(ACTION["inputs"]) - {"python-version"}


def test_other_actions_are_pinned_to_commits() -> None:
    used = [step["uses"] for step in STEPS if "uses" in step]
    used += [step["uses"] for step in WORKFLOW["jobs"]["evaluate"]["steps"] if "uses" in step]
    ours = [name for name in used if name.startswith("OWNER/")]
    assert len(used) == 5
    assert ours == ["OWNER/pgan-toolkit@v1"]
    assert all(SHA.fullmatch(name) for name in used if name not in ours)


def test_the_workflow_may_do_no_more_than_read() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    [step] = [s for s in WORKFLOW["jobs"]["evaluate"]["steps"] if "OWNER" in s.get("uses", "")]
    assert set(step["with"]) <= set(ACTION["inputs"])


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """As a runner has it; `pgan-toolkit` is the one of this checkout."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, arguments in (("pgan-toolkit", "-m pgan_cli"), ("python", "")):
        program = commands / name
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {arguments} "$@"\n')
        program.chmod(0o755)
    return os.environ | {
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "PGAN_TOOLKIT_CACHE": str(tmp_path / "cache"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_ACTION_PATH": str(ROOT),
    }


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    copy = tmp_path / "repository"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def run(line: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", line],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def act(folder: Path, environment: dict[str, str], **given: str) -> Any:
    """Run the action's own step with the inputs that a workflow gives."""
    values = {name: each.get("default", "") for name, each in ACTION["inputs"].items()}
    values |= {name.replace("_", "-"): value for name, value in given.items()}
    inputs = {f"PGAN_{name.upper().replace('-', '_')}": value for name, value in values.items()}
    return run(EVALUATE["run"], folder, environment | inputs)


@pytest.mark.slow
def test_the_readmes_commands_do_what_they_say(
    repository: Path, environment: dict[str, str]
) -> None:
    readme = (repository / "README.md").read_text()
    [block] = re.findall(r"^```sh\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    for line in block.splitlines():
        done = run(line, repository, environment)
        assert done.returncode == int("exits with 1" in line), f"{line}\n{done.stderr}"
    assert "a regression" in " ".join(done.stdout.split())
    tested = run("python -m pytest -q -p no:cacheprovider tests", repository, environment)
    assert "1 passed" in tested.stdout, tested.stdout


@pytest.mark.slow
def test_the_workflow_runs_as_it_stands(
    repository: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    ours = 0
    for step in WORKFLOW["jobs"]["evaluate"]["steps"]:
        if "pip install" in step.get("run", ""):
            continue
        if "run" in step:
            assert run(step["run"], repository, environment).returncode == 0
        if step.get("uses", "").startswith("OWNER/"):
            done = act(repository, environment, **step["with"])
            assert done.returncode == 0, done.stderr
            ours += 1
    assert ours == 1
    assert "## pgan-toolkit evaluate: ✅ passed" in (tmp_path / "summary.md").read_text()
    assert (tmp_path / "output").read_text().splitlines() == [
        "status=pass", "json=pgan-report.json", "html=pgan-report.html",
    ]  # fmt: skip
    assert (repository / "pgan-report.html").stat().st_size > 10_000


@pytest.mark.slow
def test_a_drop_in_quality_fails_the_job_unless_only_errors_do(
    repository: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    run("python -m tiny_gan.reals real.npy", repository, environment)
    given = {
        "real": "real.npy",
        "generator": "tiny_gan.sampling:generate_blurred",
        "config": "pgan-eval.toml",
        "html": "",
    }
    failed = act(repository, environment, **given)
    assert failed.returncode == 1
    assert "\n::error title=swd.avg%3A fail::swd.avg is " in f"\n{failed.stdout}"
    assert act(repository, environment, **given, fail_on="error").returncode == 0
    assert (tmp_path / "output").read_text().splitlines() == [
        "status=fail",
        "json=pgan-report.json",
    ] * 2
    assert act(repository, environment, **{**given, "config": "none.toml"}).returncode == 2
    assert act(repository, environment, **given, fail_on="never").returncode == 2


@pytest.mark.slow
def test_paths_may_hold_spaces_quotes_and_signs_of_the_shell(
    repository: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    odd = 'it\'s "$(touch owned)" & `x`; *'
    run("python -m tiny_gan.reals real.npy", repository, environment)
    images = np.load(repository / "real.npy")
    for name in (f"real {odd}.npy", f"-fake {odd}.npy"):
        np.save(repository / name, images[:64])
    (repository / f"{odd}.toml").write_text("[evaluate]\nmetrics = ['swd']\nimages = 64\n")
    written = {name: f"{name} {odd}" for name in ("html", "json", "junit")}
    done = act(
        repository, environment, real=f"real {odd}.npy", fake=f"-fake {odd}.npy",
        config=f"{odd}.toml", **written,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not (repository / "owned").exists()
    assert all((repository / name).stat().st_size for name in written.values())
    assert (tmp_path / "output").read_text().splitlines() == [
        "status=pass", f"json={written['json']}", f"html={written['html']}",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", ["real", "fake", "generator", "config", "json"])
def test_an_input_of_two_lines_forges_nothing_in_the_log(
    name: str, repository: Path, environment: dict[str, str]
) -> None:
    given = {"real": "real.npy", "fake": "fake.npy", name: "a\n::error title=forged::b"}
    done = act(repository, environment, **given)
    assert done.returncode == 2
    assert not re.search(r"^::", done.stdout + done.stderr, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize(
    "hostile",
    ["$(touch owned)", "`touch owned`", "x; touch owned", "--json=owned", "-", "a\nb=c", "'\""],
)
def test_inputs_are_never_run_and_are_no_options(
    hostile: str, repository: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    done = act(repository, environment, real=hostile, fake=hostile, html="", json="out.json")
    assert done.returncode == 2
    assert hostile.splitlines()[0] in done.stderr
    assert not (repository / "owned").exists()
    done = act(repository, environment, real="nowhere", config=hostile, json="out.json")
    assert done.returncode == 2
    assert not (repository / "owned").exists()
    assert not (tmp_path / "output").exists()


def test_packages_are_pinned_and_pip_is_not_looked_for_in_the_workspace() -> None:
    [install] = [step["run"] for step in STEPS if "pip install" in step.get("run", "")]
    assert install.startswith("python -I -m pip install ")
    assert '-c "$GITHUB_ACTION_PATH/constraints.txt"' in install
    theirs = [step["run"] for step in WORKFLOW["jobs"]["evaluate"]["steps"] if "run" in step]
    assert all(re.search(r"==[0-9.]+$", line) for line in theirs if "pip install" in line)

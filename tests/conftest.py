"""Shared fixtures; shapes and dtypes of every annotated array are checked while tests run."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

# An int may stand where a float is asked for, as type checkers hold.
install_import_hook(
    ["pgan_toolkit", "reference_trainer"],
    "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))",
)

# How long an example takes, to be made or to be tried, says how busy the machine is.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

pytest_plugins = (
    "child_processes",
    "small_networks",
    "evaluated_sets",
    "pretended_cuda",
    "remote_storage",
    "two_nodes",
)
"""Fixtures beside this file: processes, networks, sets, a GPU, an S3 server, a Ray cluster."""

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real pictures beside the project; without it the test is skipped."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"no real pictures at {SHARED / 'data'}")
    return SHARED / "data"


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded sample photographs, laid out as CelebA in the wild. Not to be changed."""
    from pgan_toolkit.celebahq.samples import write_samples

    folder = tmp_path_factory.mktemp("samples") / "celeba_sample"
    write_samples(folder)
    return folder


@pytest.fixture(scope="session")
def oracles() -> Path:
    """Expected values that were computed by others."""
    return Path(__file__).parent / "oracles"

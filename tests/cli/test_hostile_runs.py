"""Runs that others made, whose settings are of networks that nobody could hold."""

import json
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.torch import save_file
from tiny_run import tiny_run

from pgan_toolkit.errors import DataError
from pgan_toolkit.storage import open_source

pytestmark = pytest.mark.slow


def test_a_network_that_its_weights_are_not_of_is_not_made(tmp_path: Path) -> None:
    tiny_run(tmp_path / "run")
    (path,) = (tmp_path / "run" / "checkpoints").glob("*.safetensors")
    with safe_open(path, "pt") as file:
        about, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    described = json.loads(about["pgan-toolkit"])
    described["settings"]["generator"] |= {"g_map_base": 10**8, "g_map_most": 10**8}
    save_file(tensors, path, metadata={"pgan-toolkit": json.dumps(described)})
    with pytest.raises(DataError, match="its weights are not those of its settings"):
        open_source(tmp_path / "run")[0]

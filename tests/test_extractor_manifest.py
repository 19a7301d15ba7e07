"""The manifest of public weight files: valid, and the program reads it as it is meant."""

import json
from importlib import resources

import jsonschema
import pytest

from pgan_toolkit.evaluation.extractors import EXTRACTORS
from pgan_toolkit.evaluation.weight_files import public_file
from pgan_toolkit.metrics.networks import InceptionV3

FOLDER = resources.files("pgan_data_manifests")
MANIFEST = json.loads((FOLDER / "extractors.json").read_text())
ENTRIES = {entry["name"]: entry for entry in MANIFEST["extractors"]}


def test_it_follows_its_schema() -> None:
    schema = json.loads((FOLDER / "extractors.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(MANIFEST, schema)


def test_every_extractor_with_weights_is_in_it() -> None:
    assert set(ENTRIES) == set(EXTRACTORS) - {"pixels"}


@pytest.mark.parametrize("name", ENTRIES)
def test_the_digest_begins_as_the_files_name_says(name: str) -> None:
    file = public_file(name)
    assert file.name.removesuffix(".pth").rpartition("-")[2] == file.sha256[:8]
    assert file.url == ENTRIES[name]["url"]
    assert file.url.endswith(f"/{file.name}")


def test_the_size_is_that_of_the_tensors_and_little_more() -> None:
    tensors = InceptionV3().state_dict().values()
    stored = 4 * sum(tensor.numel() for tensor in tensors if tensor.is_floating_point())
    assert 0 < public_file("inception-2015-12-05").size_bytes - stored < 200_000

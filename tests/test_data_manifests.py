"""The manifests that come with the program: valid, and what they say is true."""

import csv
import hashlib
import json
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
from safetensors.torch import load

from pgan_toolkit.evaluation.digits import bundled_digits
from pgan_toolkit.restoration.weights import BUNDLED, BundledName, bundled_weights, read_weights
from pgan_toolkit.storage.manifests import celeba_hq_list, load_manifest, manifest_names

FOLDER = resources.files("pgan_data_manifests")
SCHEMA = json.loads((FOLDER / "manifest.schema.json").read_text())


def test_schema_is_itself_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", ["celeba", "celeba_hq", "cifar10", "lsun", "mnist"])
def test_manifest_follows_the_schema_and_loads(name: str) -> None:
    content = json.loads((FOLDER / f"{name}.json").read_text())
    jsonschema.validate(content, SCHEMA)
    manifest = load_manifest(name)
    assert manifest.name == content["name"] == name
    assert [file.path for file in manifest.files] == [file["path"] for file in content["files"]]


def test_names() -> None:
    assert manifest_names() == ("celeba", "celeba_hq", "cifar10", "lsun", "mnist")


def test_celeba_holds_the_published_facts() -> None:
    manifest = load_manifest("celeba")
    files = {file.path: file for file in manifest.files}
    assert len(files) == 37
    assert manifest.counts["photographs"] == 202_599
    assert manifest.licence.name == "non-commercial research"
    landmarks = files["Anno/list_landmarks_celeba.txt"]
    assert landmarks.size_bytes == 12_352_635
    assert landmarks.md5 == "063ee6ddb681f96bc9ca28c6febb9d1a"
    parts = [path for path in files if path.startswith("Img/img_celeba.7z/")]
    assert parts == [f"Img/img_celeba.7z/img_celeba.7z.{part:03d}" for part in range(1, 15)]


def test_celeba_hq_list_is_what_its_manifest_describes() -> None:
    manifest = load_manifest("celeba_hq")
    data = (FOLDER / manifest.files[0].path).read_bytes()
    assert len(data) == manifest.files[0].size_bytes
    assert hashlib.sha256(data).hexdigest() == manifest.files[0].sha256
    assert manifest.counts == {"rows": 30_000}


def test_celeba_hq_list_is_consistent() -> None:
    picks = celeba_hq_list()
    assert [pick.rank for pick in picks] == list(range(30_000))
    assert len({pick.orig_idx for pick in picks}) == 30_000
    assert all(pick.orig_file == f"{pick.orig_idx + 1:06d}.jpg" for pick in picks)
    assert max(pick.orig_idx for pick in picks) < 202_599
    assert picks[0] == (0, 119_613, "119614.jpg")


@pytest.mark.shared_data
def test_facts_agree_with_the_official_listing(shared_data: Path) -> None:
    with (shared_data / "celeba_meta" / "official_sizes_md5.tsv").open() as table:
        official = [
            (row["file"], int(row["bytes"]), row["md5"])
            for row in csv.DictReader(table, delimiter="\t")
        ]
    listed = [(file.path, file.size_bytes, file.md5) for file in load_manifest("celeba").files]
    assert listed == official


WEIGHTS = json.loads((FOLDER / "weights.json").read_text())["weights"]


def _weight_file(name: str) -> Path:
    return bundled_digits() if name == "digits" else bundled_weights(name)


def test_weights_follow_their_schema() -> None:
    schema = json.loads((FOLDER / "weights.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads((FOLDER / "weights.json").read_text()), schema)
    assert tuple(entry["name"] for entry in WEIGHTS) == (*BUNDLED, "digits")


@pytest.mark.parametrize("changes", [{"task": "jpeg"}, {"runs": []}, {"crop_px": 3}])
def test_the_schema_refuses_what_fits_no_network(changes: dict[str, object]) -> None:
    content = json.loads((FOLDER / "weights.json").read_text())
    content["weights"][-1] |= changes
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, json.loads((FOLDER / "weights.schema.json").read_text()))


@pytest.mark.parametrize("entry", WEIGHTS, ids=lambda entry: entry["name"])
def test_weight_files_are_those_described(entry: dict) -> None:
    data = _weight_file(entry["name"]).read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (entry["bytes"], entry["sha256"])
    assert sum(tensor.numel() for tensor in load(data).values()) == entry["parameters"]


@pytest.mark.parametrize("name", BUNDLED)
def test_restoration_nets_are_for_the_task_described(name: BundledName) -> None:
    stored = read_weights(bundled_weights(name))
    entry = next(entry for entry in WEIGHTS if entry["name"] == name)
    assert (stored.task, stored.network) == (entry["task"], entry["network"])


def test_the_classifier_of_digits_is_small_and_good() -> None:
    entry = WEIGHTS[-1]
    assert entry["bytes"] < 1_000_000
    assert entry["scores"]["test_errors"] <= 0.004 * entry["scores"]["test_images"]


def test_all_weights_together_stay_small() -> None:
    assert sum(_weight_file(entry["name"]).stat().st_size for entry in WEIGHTS) <= 10_000_000


def test_the_scores_of_weights_are_those_of_the_benchmark() -> None:
    measured = json.loads(
        (Path(__file__).parents[1] / "benchmarks" / "results" / "restoration.json").read_text()
    )
    scores = {entry["name"]: entry["scores"] for entry in WEIGHTS}
    for name in ("LIVE1", "classic5"):
        found = {str(row["quality"]): _luma(row) for row in measured["jpeg"][name]}
        assert scores["jpeg"][name] == found
    for name, kind in (("superres", "psnr"), ("superres-adversarial", "adversarial")):
        found = {test: _luma(row) for test, row in measured["superres"][kind].items()}
        assert scores[name] == found


def _luma(row: dict) -> float:
    return round(row["fidelity"]["restored"]["psnr_luma"], 2)

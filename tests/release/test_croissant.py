"""croissant.json: mlcroissant accepts it and reads every row through it, and finds what is broken in it."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq
import pytest

from factory.configs import CONFIGS
from factory.records import canonical_json
from factory.release import croissant, manifest
from factory.release.build import file_digest

READ: Final = """
import json, sys
import mlcroissant
found = {}
for place in sys.argv[1:]:
    try:
        data = mlcroissant.Dataset(place)
    except mlcroissant.ValidationError as error:
        found[place] = {"refused": str(error)}
        continue
    issues = data.metadata.ctx.issues
    rows = {}
    for one in data.metadata.record_sets:
        rows[one.id] = [
            json.loads(json.dumps(row, default=lambda it: it.decode() if type(it) is bytes else it.item()))
            for row in data.records(one.id)
        ]
    found[place] = {"errors": sorted(issues.errors), "warnings": sorted(issues.warnings), "rows": rows}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(made: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What mlcroissant says of both releases, and of two broken descriptions; by name."""
    root = tmp_path_factory.mktemp("croissant")
    places = {form: folder / "croissant.json" for form, folder in made.items()}
    release = json.loads(places["text"].read_text())
    for name, change in {"typeless": typeless, "homeless": homeless}.items():
        places[name] = root / f"{name}.json"
        places[name].write_text(json.dumps(change(copy.deepcopy(release))))
    # The reader changes its logging and warns by its own rules: it has a process of its own.
    done = subprocess.run(
        [sys.executable, "-c", READ, *(str(place) for place in places.values())],
        env=os.environ | {"CROISSANT_CACHE": str(root / "cache")},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert "Could not match" not in done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    return {name: told[str(place)] for name, place in places.items()}


def typeless(content: dict[str, Any]) -> dict[str, Any]:
    del content["recordSet"][1]["field"][1]["dataType"]
    return content


def homeless(content: dict[str, Any]) -> dict[str, Any]:
    content["recordSet"][1]["field"][1]["source"]["fileSet"]["@id"] = "files-nowhere"
    return content


def test_there_are_no_errors_and_only_what_a_release_cannot_know_is_missing(found: dict[str, Any]) -> None:
    missing = '[Metadata(sums)] Property "https://schema.org/{}" is recommended, but does not exist.'
    assert found["text"]["errors"] == found["messages"]["errors"] == []
    assert found["text"]["warnings"] == [missing.format(name) for name in ("datePublished", "license")]
    assert found["messages"]["warnings"] == [missing.format("datePublished")]


@pytest.mark.parametrize(("name", "said"), [("typeless", "valid"), ("homeless", "files-nowhere")])
def test_a_broken_description_is_refused(found: dict[str, Any], name: str, said: str) -> None:
    assert said in found[name]["refused"]


def plain(config: str, row: dict[str, Any]) -> dict[str, Any]:
    """A row of mlcroissant with the names of its columns."""
    return {
        name.removeprefix(f"{config}/"): [plain(name, one) for one in value]
        if isinstance(value, list)
        else value
        for name, value in row.items()
    }


@pytest.mark.parametrize("form", ["text", "messages"])
@pytest.mark.parametrize("config", CONFIGS)
def test_every_row_is_read_with_its_split(
    found: dict[str, Any], made: dict[str, Path], form: str, config: str
) -> None:
    expected = [
        row | {"in_split": split}
        for split in manifest.read(made[form])["configs"][config]["splits"]
        for file in sorted((made[form] / "data" / config).glob(f"{split}-*"))
        for row in pq.read_table(file).to_pylist()
    ]
    rows = [plain(config, row) for row in found[form]["rows"][config]]
    assert sorted(rows, key=canonical_json) == sorted(expected, key=canonical_json)


def test_splits_are_told_by_their_use(found: dict[str, Any]) -> None:
    assert found["messages"]["rows"]["splits"] == [
        {"splits/name": "test", "splits/url": "cr:TestSplit"},
        {"splits/name": "train", "splits/url": "cr:TrainingSplit"},
    ]


def test_every_file_has_its_digest_and_every_claim_stands_in_the_manifest(
    made: dict[str, Path],
) -> None:
    folder = made["messages"]
    release, content = manifest.read(folder), json.loads((folder / "croissant.json").read_text())
    files = [one for one in content["distribution"] if one["@type"] == "cr:FileObject"]
    assert {one["contentUrl"]: one["sha256"] for one in files} == {
        path.relative_to(folder).as_posix(): file_digest(path) for path in folder.rglob("*.parquet")
    }
    assert content["conformsTo"][0] == "http://mlcommons.org/croissant/1.1"
    assert (content["version"], content["identifier"]) == (release["version"], release["release_id"])
    assert content["isLiveDataset"] is False
    assert content["rai:dataCollectionType"] == ["Synthetic"]
    assert content["license"] == "https://creativecommons.org/licenses/by/4.0/"
    assert content["inLanguage"] == ["en"]
    assert content["prov:wasDerivedFrom"] == [{"@type": "prov:Entity", "prov:label": "file:sums"}]
    assert [one["prov:label"] for one in content["prov:wasAttributedTo"]] == [
        "strong: imported",
        "weak: imported",
    ]
    assert "datePublished" not in content
    assert content == json.loads(json.dumps(croissant.make(release)))


def test_datasets_of_the_hub_are_linked_and_hostile_texts_stay_values(made: dict[str, Path]) -> None:
    release = manifest.read(made["text"])
    release["recipe"]["problems"] = [{"source": "gsm8k"}]
    release["recipe"]["description"] = '"}]<script>'
    release["licences"]["license"] = "mine"
    content = json.loads(json.dumps(croissant.make(release)))
    assert content["prov:wasDerivedFrom"][0] == {"@id": "https://huggingface.co/datasets/openai/gsm8k"}
    assert content["description"] == '"}]<script>'
    assert content["license"] == "mine"

"""Releases of recipes out of the ordinary: each passes the check of a stranger, and the next follows it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from factory import checking, releasing
from factory.errors import CheckFailed, UsageError
from factory.planning import PlannedGenerator
from factory.recipe import load
from factory.release import build, check, reading
from factory.release.findings import refusal
from factory.release.licence_terms import identifier, known
from factory.store import Store
from tests.support import forging, releases
from tests.support.running import factory


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("releasing")


@pytest.fixture(scope="module")
def store(place: Path) -> Store:
    """A store whose problems hold one that stands twice, and one without an answer."""
    made = releases.make_store(place, samples=4)
    first = json.dumps(releases.problem(0)) + "\n"
    none = json.dumps(releases.problem(99) | {"answer": None}) + "\n"
    with (place / "problems.jsonl").open("a") as file:
        file.write(first + none)
    return made


def manifest(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return content


def told(folder: Path) -> str:
    return refusal(checking.check_folder(folder, checking.named(folder)))


@pytest.fixture(autouse=True)
def alone(store: Store) -> Iterator[None]:
    """No test sees the releases of another."""
    yield
    shutil.rmtree(store.releases, ignore_errors=True)


def test_a_problem_that_stands_twice_and_one_that_cannot_be_judged_are_no_fault(
    place: Path, store: Store
) -> None:
    folder = releases.release(place, store)
    rows = pq.read_table(folder / "data/problems").to_pylist()
    twice = [(one["reason"], one["repeat"]) for one in rows if one["reason"] == "duplicate_problem"]
    assert twice == [("duplicate_problem", 1)]
    assert [one["reason"] for one in rows if one["reason"].startswith("bad_gold")] == [
        "bad_gold: it has no answer"
    ]
    assert manifest(folder)["counts"]["problems"] == {"asked": 12, "bad_gold": 1, "duplicate_problem": 1}
    assert told(folder) == ""
    after = releases.release(place, store, "1.1.0", samples=4, sets=("problems.0.split=dev", "version=2.0.0"))
    changed = json.loads((after / "changes.json").read_text())["configs"]["problems"]
    assert (changed["changed"], changed["added"], changed["removed"]) == (14, 0, 0)


@pytest.mark.parametrize("config", ["sft", "samples"])
def test_a_release_of_one_config_passes_the_check(place: Path, store: Store, config: str) -> None:
    assert told(releases.release(place, store, configs=config)) == ""


def test_the_order_of_keys_moves_no_problem_to_another_split(place: Path, store: Store) -> None:
    one, other = (
        f"  splits: {{{', '.join(f'{name}: 0.3' for name in names)}}}\n"
        for names in (("test", "dev"), ("dev", "test"))
    )
    first = manifest(releases.release(place, store, more=one, configs="sft"))
    shutil.rmtree(store.releases)
    second = manifest(releases.release(place, store, more=other, configs="sft"))
    same = [(one["release_id"], one["configs"]["sft"]["splits"], one["files"]) for one in (first, second)]
    assert same[0] == same[1]


def test_rows_in_another_split_are_another_release(place: Path, store: Store) -> None:
    """Nothing but the split tells these two apart: `sft` has no column of it, and both recipes are one."""
    made = releases.release(place, store, more="  splits: {test: 0.4}\n", configs="sft")
    folder = forging.copy(made, place / "copy" / made.name)
    train, test = (folder / f"data/sft/{split}-00000-of-00001.parquet" for split in ("train", "test"))
    rows = {path: pq.read_table(path) for path in (train, test)}
    found = manifest(folder)
    for path, other in ((train, test), (test, train)):
        pq.write_table(rows[other], path)
    for file in found["files"]:
        file["rows"] = pq.read_metadata(folder / file["path"]).num_rows
    found["configs"]["sft"]["splits"] = {file["split"]: file["rows"] for file in found["files"]}
    (folder / "manifest.json").write_text(json.dumps(found))
    faults = [one for one in checking.check_folder(folder, {}) if one.status == "failed"]
    assert {one.check for one in faults} >= {"content", "card"}
    for file in found["files"]:
        file["sha256"] = build.file_digest(folder / file["path"])
        file["bytes"] = (folder / file["path"]).stat().st_size
    (folder / "manifest.json").write_text(json.dumps(found))
    read, _ = reading.read(folder)
    assert read is not None
    paths = [file["path"] for file in found["files"]]
    (digest,) = check.digests(folder, read, paths, lambda: None)
    assert (digest.status, digest.found) == ("failed", found["configs"]["sft"]["content_digest"])


@pytest.mark.parametrize("held", [None, "{}", "no JSON", '{"format": 1}'])
def test_a_folder_in_the_way_that_is_no_release_is_named(place: Path, store: Store, held: str | None) -> None:
    folder = store.releases / "sums@1.0.0"
    folder.mkdir(parents=True)
    if held is not None:
        (folder / "manifest.json").write_text(held)
    with pytest.raises(CheckFailed, match=r"is none that can be read: .*Move it away, or raise the version"):
        releases.release(place, store, configs="sft")
    assert folder.is_dir()
    assert [path.name for path in store.releases.iterdir()] == ["sums@1.0.0"], "the draft is gone"


def test_a_version_by_the_calendar_can_be_read_again(place: Path, store: Store) -> None:
    folder = releases.release(place, store, "20261121.0.0", configs="sft")
    assert told(folder) == ""


def test_a_split_of_ones_own_is_not_called_all(place: Path, store: Store) -> None:
    with pytest.raises(UsageError, match="all means every split to loaders"):
        releases.release(place, store, more="  splits: {all: 0.4}\n")


@pytest.mark.parametrize(
    "license", ["The CC BY 4.0 Licence.", "CC-BY (4.0)", "My own terms, " + "long " * 20]
)
def test_the_card_names_the_licence_as_the_manifest_does(place: Path, store: Store, license: str) -> None:
    more = f"  license: {json.dumps(license)}\n"
    assert told(releases.release(place, store, more=more, configs="sft")) == ""


@pytest.mark.parametrize(
    ("stated", "name"),
    [
        ("The MIT Licence.", "mit"),
        ("CC-BY (4.0)", "cc-by-4.0"),
        ("MIT or my own", None),
        ("not apache-2.0", None),
        ("GPL-3.0+", "gpl-3.0"),
        ("MIT+", None),
        ("", None),
    ],
)
def test_a_licence_is_known_by_its_letters(stated: str, name: str | None) -> None:
    assert known(stated) == name
    assert known(identifier(stated)) == name


def test_where_a_model_lies_is_no_part_of_a_release(tmp_path: Path) -> None:
    text = releases.recipe_text("1.0.0", 1).replace(
        "strong: {engine: replay, imported: strong}",
        "strong: {engine: transformers, model: MODEL, prompt: cot-answer}",
    )
    contents = []
    for number, model in enumerate(("/home/ann/models/tiny", "~/tiny", "./models/tiny", "org/tiny")):
        path = tmp_path / f"{number}.yaml"
        path.write_text(text.replace("MODEL", model))
        contents.append(load(path).content())
    assert contents[0] == contents[1] == contents[2] != contents[3]
    assert contents[3]["generators"]["strong"]["model"] == "org/tiny"
    identities = {"local": None, "named": "org/tiny"}
    planned = [
        PlannedGenerator(name, "transformers", "/home/ann/org/tiny" if model is None else model,
                         {"model": model}, sampled=True)
        for name, model in identities.items()
    ]  # fmt: skip
    shown = {name: one["model"] for name, one in releasing._identities(planned).items()}
    assert shown == {"local": "tiny", "named": "org/tiny"}


def test_the_list_shows_every_release_and_says_which_cannot_be_read(place: Path, store: Store) -> None:
    made = releases.release(place, store, configs="sft")
    older = store.releases / "sums@0.1.0"
    older.mkdir()
    (older / "manifest.json").write_text('{"format": 1, "configs": {}}')
    found = factory("release", "list", "--json", "--store", store.root, cwd=place)
    assert found.returncode == 0, found.stderr
    one, other = json.loads(found.stdout)
    assert one["release"] == "sums@0.1.0"
    assert "format: 1, expected format 2" in one["error"]
    assert other == {
        "release": "sums@1.0.0",
        "release_id": manifest(made)["release_id"],
        "rows": {"sft": manifest(made)["configs"]["sft"]["rows"]},
        "folder": str(made),
    }

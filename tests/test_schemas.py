"""The exported schemas are those of the code, and say of a recipe what loading it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from factory import schemas, yaml_text
from factory.recipe import Recipe
from factory.records import TABLES
from tests.test_recipe import FULL, MINIMAL, PLANNED

ROOT = Path(__file__).parents[1]
EXPORTED = schemas.export()
GRAMMARS = ("recipe.schema.json", "import-map.schema.json")


def plain(text: str) -> Any:
    return yaml_text.read(text, str).data


def accepts(name: str, data: object) -> bool:
    return bool(jsonschema.Draft202012Validator(json.loads(EXPORTED[name])).is_valid(data))


def test_the_folder_holds_what_the_code_exports() -> None:
    there = {path.name: path.read_text() for path in (ROOT / "schemas").iterdir()}
    different = sorted(name for name in there | EXPORTED if there.get(name) != EXPORTED.get(name))
    assert not different, f"schemas/ differs from the code in {different}; run: factory schema"


def test_writing_gives_the_same_bytes_every_time(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    names = schemas.write(folder)
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert schemas.write(folder) == names == sorted(first)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
    assert first == {name: text.encode() for name, text in EXPORTED.items()}


def test_there_is_a_file_for_every_table() -> None:
    assert set(EXPORTED) == {*GRAMMARS, *(f"{table}.json" for table in TABLES)}
    for name, schema in TABLES.items():
        described = json.loads(EXPORTED[f"{name}.json"])
        assert sorted(described) == ["columns", "key", "schema_version", "table"]
        assert [column["name"] for column in described["columns"]] == schema.names


@pytest.mark.parametrize("name", GRAMMARS)
def test_grammars_are_json_schemas_with_their_own_defaults(name: str) -> None:
    schema = json.loads(EXPORTED[name])
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for section in schema["$defs"].values():
        for key, one in section["properties"].items():
            if "default" in one:
                assert not list(validator.evolve(schema=one).iter_errors(one["default"])), key


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda path: path.name)
def test_what_is_shipped_is_accepted_by_the_schema_it_names(path: Path) -> None:
    text = path.read_text()
    (name,) = [
        name for name in GRAMMARS if text.startswith(f"# yaml-language-server: $schema=../schemas/{name}\n")
    ]
    assert accepts(name, plain(text))


def test_what_is_planned_is_not_offered() -> None:
    assert not accepts("recipe.schema.json", plain(PLANNED))
    sections = json.loads(EXPORTED["recipe.schema.json"])
    offered = {key for section in [*sections["$defs"].values(), sections] for key in section["properties"]}
    assert "decontaminate" not in offered
    assert "steps" not in sections["properties"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ("decides: {math: {percent: value}}", "decides: math"),
        ("decides: {math: {percent: value}}", "decides: {name: math, options: {last_number: false}}"),
        ("[exact,", "[{exact: true},"),
        ("[exact,", "["),
        ("temperature: 1,", "stop: [Q], temperature: 1.5,"),
        ("also: [math]", "also: [], workers: 2"),
        ("also: [math]", "workers: null"),
        ("{source: gsm8k,", "{source: gsm8k, path: a/b.jsonl,"),
        ("large:", "smol-1.7b:"),
    ],
)
def test_schema_and_loading_accept_the_same(old: str, new: str) -> None:
    for text in (FULL.replace(old, new, 1), MINIMAL):
        assert accepts("recipe.schema.json", plain(text))
        Recipe.model_validate(plain(text))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("decides: {math: {percent: value}}", "decides: mth"),
        ("decides: {math: {percent: value}}", "decides: {math: {percent: half}}"),
        ("decides: {math: {percent: value}}", "decides: {options: {}}"),
        ("[exact,", "[{exact: false},"),
        ("[exact,", "[{},"),
        ("[exact,", "[exact, {path: equations, near: minhash},"),
        ("dedup: [", "dedup: exact, dudep: ["),
        ("temperature: 1,", "temperature: -1,"),
        ("temperature: 1,", "temperature: '1',"),
        ("temperature: 1,", "temprature: 1,"),
        ("also: [math]", "also: math"),
        ("{source: gsm8k,", "{source: gsm8,"),
        ("{source: gsm8k,", "{source: gsm8k, path: 5,"),
        ("large:", "human:"),
        ("large:", "Large:"),
        ("version: 1.0.0", "version: 1.0"),
        ("version: 1.0.0", "version: 01.0.0"),
        ("{samples: 16}", "{samples: true}"),
        ('">= 0.2"', '"= 0.2"'),
        ("k: [1, 2, 4]", "k: [0]"),
    ],
)
def test_schema_and_loading_refuse_the_same(old: str, new: str) -> None:
    assert old in FULL
    data = plain(FULL.replace(old, new, 1))
    assert not accepts("recipe.schema.json", data)
    with pytest.raises(ValueError, match="validation error"):
        Recipe.model_validate(data)

"""Import maps: what is read from YAML, what is refused, and the JSON Schema that editors use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from factory import config, importing
from factory.errors import UsageError
from factory.importing import ImportMap

YAML = """
problem:
  join:
    source: {source: gsm8k, path: test.jsonl, split: test}
    on: question
completions:
  - {generator: 6b, completion: 6b.solution, keep: [6b.is_correct]}
  - {generator: 175b, completion: 175b.solution, index: i, keep: {right: 175b.is_correct}}
missing: skip
"""


def read(folder: Path, text: str) -> ImportMap:
    path = folder / "map.yaml"
    path.write_text(text)
    return config.load(path, ImportMap)


def test_a_map_is_read_from_yaml(tmp_path: Path) -> None:
    map = read(tmp_path, YAML)
    assert map.paths == ["question", "6b.solution", "6b.is_correct", "175b.solution", "i", "175b.is_correct"]
    assert dict(map.completions[0].kept) == {"6b.is_correct": "6b.is_correct"}
    assert dict(map.completions[1].kept) == {"right": "175b.is_correct"}
    assert map.missing == "skip"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "generator: 6b,",
            "generator: gold,",
            "map.yaml:7: completions.0.generator: the name 'gold' is reserved",
        ),
        (
            "generator: 175b",
            "generator: human",
            "map.yaml:8: completions.1.generator: the name 'human' is reserved",
        ),
        ("missing: skip", "missing: ignore", "map.yaml:9: missing: 'ignore' is not allowed"),
        ("index: i", "indx: i", "map.yaml:8: completions.1.indx is not a key here; did you mean index?"),
        (
            "split: test",
            "splt: test",
            "map.yaml:4: problem.join.source.splt is not a key here; did you mean split?",
        ),
        ("on: question", "to: question", "map.yaml:5: problem.join.to is not a key here"),
        ("source: gsm8k", "source: gsm9k", "map.yaml:4: problem.join.source.source: 'gsm9k' is not allowed"),
        ("generator: 175b", "generator: 6b", "generator '6b' has an index in one entry and none in another"),
    ],
)
def test_bad_maps(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, YAML.replace(old, new, 1))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("map", "told"),
    [
        ("problem: {prompt: q}\ncompletions: []\n", "completions: is empty; write at least 1"),
        (
            "problem: {prompt: q, anser: a}\ncompletions: [{generator: m, completion: c}]\n",
            "did you mean answer?",
        ),
        ("completions: [{generator: m, completion: c}]\n", "problem is missing; add it"),
    ],
)
def test_maps_that_lack_something(tmp_path: Path, map: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, map)
    assert told in str(caught.value)


def test_the_schema_agrees_with_the_type() -> None:
    schema: dict[str, Any] = importing.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    entry, columns = {"generator": "m", "completion": "c"}, {"prompt": "q", "answer": "a"}
    join = {"source": {"source": "gsm8k", "path": "test.jsonl"}, "on": "question"}
    for problem in (columns, {"join": join}):
        assert validator.is_valid({"problem": problem, "completions": [entry]})
    for wrong in (
        {"problem": columns, "completions": []},
        {"problem": columns, "completions": [entry | {"generator": "gold"}]},
        {"problem": {"join": {}}, "completions": [entry]},
        {"problem": columns, "completions": [entry], "mising": "skip"},
    ):
        assert not validator.is_valid(wrong)

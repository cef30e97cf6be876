"""What the folder of a model says, and what is refused when somebody else wrote it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factory.errors import CheckFailed
from factory.training import folder

CONTENT: dict[str, Any] = {
    "kind": "trained",
    "name": "m@1.0.0",
    "training_id": "a" * 32,
    "weights": "b" * 64,
    "identity": {"steps": 3},
    "lineage": [],
    "release": {"reference": "sums@1.0.0"},
}


def rows(path: Path, *problems: tuple[str, str]) -> Path:
    told = [{"problem_id": one, "prompt": prompt} for one, prompt in problems]
    pq.write_table(pa.Table.from_pylist(told, schema=folder.ASKED), path)
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    folder.write(tmp_path, CONTENT)
    first = (tmp_path / "training.json").read_bytes()
    found = folder.read(tmp_path)
    assert found is not None
    assert (found.folder, found.kind, found.name, found.identity) == (
        tmp_path,
        "trained",
        "m@1.0.0",
        {"steps": 3},
    )
    assert (found.training_id, found.weights) == ("a" * 32, "b" * 64)
    folder.write(tmp_path, dict(reversed(CONTENT.items())))
    assert (tmp_path / "training.json").read_bytes() == first, "equal content, equal bytes"


@pytest.mark.parametrize("text", [None, "[]", "3", '{"lr": 0.1}', '{"name": "m@1.0.0"}'])
def test_a_model_of_another_program_is_none_of_ours(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "training.json").write_text(text)
    assert folder.read(tmp_path) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"factory_model": 2}, "factory_model: Input should be 1; this factory reads format 1"),
        ({"factory_model": "1"}, "factory_model"),
        ({"training_id": "../../etc"}, "training_id"),
        ({"weights": "B" * 64}, "weights"),
        ({"kind": "other"}, "kind"),
        ({"name": ""}, "name"),
        ({"lineage": {}}, "lineage"),
        ({"lineage": [{"name": "m@1.0.0", "kind": "trained", "release": None}]}, r"lineage\.0\.release"),
        ({"release": None}, "release"),
        ({"base": []}, "base"),
        ({"base": {"hub": "a: b\n---"}}, r"base\.hub"),
        ({"identity": None}, "identity"),
    ],
)
def test_a_record_of_another_shape_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    folder.write(tmp_path, CONTENT)
    path = tmp_path / "training.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CheckFailed, match=message):
        folder.read(tmp_path)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_record_that_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "training.json").write_bytes(content)
    with pytest.raises(CheckFailed, match="nobody can tell what this model was trained on"):
        folder.read(tmp_path)


def test_a_number_that_json_has_not_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        folder.write(tmp_path, CONTENT | {"loss": float("nan")})


def test_each_problem_is_listed_once_in_one_order(tmp_path: Path) -> None:
    asked = rows(tmp_path / "asked.parquet", ("c", "3"), ("a", "1"), ("c", "3"), ("b", "it's 2"))
    assert folder.write_trained_on(asked, None, tmp_path / "out.parquet") == 3
    found = pq.read_table(tmp_path / "out.parquet")
    assert found.schema.equals(folder.ASKED)
    assert found.to_pylist() == [
        {"problem_id": one, "prompt": prompt} for one, prompt in (("a", "1"), ("b", "it's 2"), ("c", "3"))
    ]


def test_what_the_base_saw_was_seen(tmp_path: Path) -> None:
    base = tmp_path / "it's a base"
    base.mkdir()
    asked = rows(tmp_path / "asked.parquet", ("b", "2"))
    assert folder.write_trained_on(asked, base, tmp_path / "out.parquet") == 1, "a base that says nothing"
    rows(base / "trained_on.parquet", ("a", "1"), ("b", "2"))
    assert folder.write_trained_on(asked, base, tmp_path / "out.parquet") == 2


def test_a_list_that_cannot_be_read_is_never_passed_over(tmp_path: Path) -> None:
    asked = rows(tmp_path / "asked.parquet", ("b", "2"))
    listed = tmp_path / "trained_on.parquet"
    listed.write_bytes(b"PAR1 no")
    with pytest.raises(CheckFailed, match="nobody can tell what the base was trained on"):
        folder.write_trained_on(asked, tmp_path, tmp_path / "out.parquet")
    pq.write_table(pa.table({"problem_id": ["a"]}), listed)
    with pytest.raises(CheckFailed, match="expected problem_id string, prompt string"):
        folder.write_trained_on(asked, tmp_path, tmp_path / "out.parquet")
    with pytest.raises(CheckFailed, match="expected problem_id string, prompt string"):
        folder.check(tmp_path)


def test_the_models_before_are_told_nearest_first(tmp_path: Path) -> None:
    assert folder.lineage(None) == []
    first = {"name": "first@1.0.0", "kind": "new", "release": {"reference": "sums@1.0.0"}}
    folder.write(tmp_path, CONTENT | {"lineage": [first], "name": "second@1.0.0"})
    told = folder.lineage(folder.read(tmp_path))
    assert [one["name"] for one in told] == ["second@1.0.0", "first@1.0.0"]
    assert told[0]["release"] == {"reference": "sums@1.0.0"}

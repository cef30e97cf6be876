"""Dotted paths, lossless texts, and errors that name the place."""

from __future__ import annotations

import json
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.errors import UsageError
from factory.problems import columns
from factory.problems.columns import Row, Written
from factory.recipe import Columns

KEYS = st.text("ab.", min_size=1, max_size=4)
TREES = st.recursive(st.integers(), lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=8)


@pytest.mark.parametrize(
    ("values", "path", "found"),
    [
        ({"a": 1}, "a", 1),
        ({"a": {"b": {"c": 2}}}, "a.b.c", 2),
        ({"a": {"b": 1}}, "a", {"b": 1}),
        ({"gpt-4.1": {"text": "t"}}, "gpt-4.1.text", "t"),
        ({"a.b": 1, "a": {"b": 2}}, "a.b", 1),
        ({"a": {"x": 1}, "a.b": {"c": 3}}, "a.b.c", 3),
        ({"a": None}, "a.b", None),
    ],
)
def test_find(values: dict[str, object], path: str, found: object) -> None:
    assert columns.find(values, path) == found


@pytest.mark.parametrize("path", ["b", "a.c", "a.b.c", "", "a.", ".a", "a..b"])
def test_find_refuses_what_is_not_there(path: str) -> None:
    with pytest.raises(KeyError):
        columns.find({"a": {"b": 1}}, path)


@given(st.dictionaries(KEYS, TREES, max_size=3))
def test_every_name_is_found(values: dict[str, object]) -> None:
    found = {name: columns.find(values, name) for name in columns.names(values)}
    assert all(any(name == top or name.startswith(f"{top}.") for name in found) for top in values)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, None),
        (" 1,000 \n", " 1,000 \n"),
        ("", ""),
        ("half \ud83d", "half \ufffd"),
        (18, "18"),
        (10**30, "1" + "0" * 30),
        (True, "true"),
        (Written("0.10"), "0.10"),
        (Written("1E+05"), "1E+05"),
        (Written("1e999"), "1e999"),
        (0.1, "0.1"),
        (18.0, "18.0"),
        (Decimal("1.50"), "1.50"),
        (Decimal("1E+3"), "1000"),
    ],
)
def test_text_is_exact(value: object, written: str | None) -> None:
    assert columns.text(value, "column 'a'", "f:1") == written


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (["1"], "a value of type list"),
        ({"a": 1}, "a value of type dict"),
        (float("nan"), "nan"),
        (Decimal("NaN"), "NaN"),
    ],
)
def test_text_refuses(value: object, told: str) -> None:
    with pytest.raises(UsageError, match=r"^f:1: column 'a' ") as caught:
        columns.text(value, "column 'a'", "f:1")
    assert told in str(caught.value)


@given(st.decimals(allow_nan=False, allow_infinity=False).map(str))
def test_a_json_number_keeps_its_digits(written: str) -> None:
    value = json.loads(f"[{written}]", parse_float=Written)[0]
    assert columns.text(value, "", "") == ("0" if written == "-0" else written)


def test_json_text_takes_text_as_it_is_and_writes_the_rest() -> None:
    assert columns.json_text("[1,  2]", "tests", "f:1") == "[1,  2]"
    assert columns.json_text({"b": [Written("1.50")], "a": None}, "tests", "f:1") == '{"a":null,"b":[1.5]}'
    with pytest.raises(UsageError, match=r"f:1: tests cannot be written as JSON"):
        columns.json_text([Written("1e999")], "tests", "f:1")


def test_problem_takes_every_part() -> None:
    mapped = Columns(prompt="q", answer="r.a", tests="t", solution="s", difficulty="d", group_id="g")
    row = Row({"q": "1+1?", "r": {"a": 2}, "t": [1], "s": "It is 2.", "d": 3, "g": "x"}, 7, "f:7")
    made = columns.problem(row, mapped, source="file:f", split="test", license="MIT", origin="{}")
    assert made.row() == {
        "problem_id": made.problem_id,
        "source": "file:f",
        "split": "test",
        "group_id": "x",
        "prompt": "1+1?",
        "answer": "2",
        "tests": "[1]",
        "difficulty": "3",
        "license": "MIT",
        "origin": "{}",
    }
    assert made.solutions == ("It is 2.",)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            {"question": "x", "a": "1"},
            "no column 'qestion'; the columns are a, question; did you mean 'question'?",
        ),
        ({"qestion": "x", "b": "1"}, "no column 'a'; the columns are b, qestion; correct the mapping"),
        ({"qestion": " \n", "a": "1"}, "column 'qestion' is empty; a problem needs a prompt"),
        ({"qestion": None, "a": "1"}, "column 'qestion' is empty; a problem needs a prompt"),
        ({"qestion": "x", "a": [1]}, "column 'a' is a value of type list; it must be text or a number"),
    ],
)
def test_problem_names_the_place_and_what_is_wrong(values: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=r"^f\.jsonl:3: ") as caught:
        columns.problem(Row(values, 3, "f.jsonl:3"), Columns(prompt="qestion", answer="a"), source="s")
    assert told in str(caught.value)


def test_a_null_in_a_mapped_column_is_no_value() -> None:
    made = columns.problem(Row({"q": "x", "a": None}, 1, "f:1"), Columns(prompt="q", answer="a"), source="s")
    assert made.answer is None


def test_long_lists_of_columns_are_cut() -> None:
    error = columns.no_such_column("f:1", "zz", [f"c{at:03}" for at in range(40)])
    assert "c029 and 10 more" in str(error)


def test_tables_give_the_shortest_digits_of_single_precision() -> None:
    table = pa.table({"x": pa.array([0.1, None], pa.float32()), "y": pa.array([1, 2])})
    assert list(columns.plain_rows(table, ["x"])) == [{"x": 0.1}, {"x": None}]


def test_needed_checks_paths_in_the_schema() -> None:
    schema = pa.schema([("a", pa.struct([("b", pa.int64())])), ("a.c", pa.string()), ("d", pa.string())])
    assert columns.needed(schema, ["a.b", "d", "d"], "f") == ["a", "d"]
    for path in ("e", "a.x", "d.x"):
        with pytest.raises(UsageError, match=r"^f: there is no column"):
            columns.needed(schema, [path], "f")

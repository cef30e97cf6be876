"""Ids and canonical JSON, pinned: a change of any value here makes every store and release another one."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory import configs, records
from factory.records import Problem, canonical_json, content_id

PROBLEM = "c771eee72a42db1bfa6b7fbbac011b93"
GENERATOR = "116eecad28c7253d6f6fe5ab14a0a326"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"b": 1, "a": {"d": [], "c": {}}}, '{"a":{"c":{},"d":[]},"b":1}'),
        ({"Z": 1, "a": 2, "É": 3, "": 4}, '{"":4,"Z":1,"a":2,"É":3}'),
        ([1, 1.0, True, None, "1"], '[1,1.0,true,null,"1"]'),
        ((1, (2,)), "[1,[2]]"),
        ("Écrire x² 🙂", '"Écrire x² 🙂"'),
        ("e\u0301", '"e\u0301"'),
        ("\u2028\u007f/", '"\u2028\u007f/"'),
        ('a\n\t"\\\x00', '"a\\n\\t\\"\\\\\\u0000"'),
        (0.1, "0.1"),
        (1e-07, "1e-07"),
        (5.0e15, "5000000000000000.0"),
        (1e16, "1e+16"),
        (-0.0, "-0.0"),
        (0.1 + 0.2, "0.30000000000000004"),
        (2**70, "1180591620717411303424"),
    ],
    ids=repr,
)
def test_canonical_json(value: object, expected: str) -> None:
    assert canonical_json(value) == expected


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, [0.5, math.nan], {"a": math.inf}], ids=repr)
def test_numbers_that_json_does_not_have_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(value)


@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}, b"bytes", Path("path"), 1j, len, {"a": object()}, {("a", "b"): 1}],
    ids=lambda value: type(value).__name__,
)
def test_values_without_one_form_are_refused(value: object) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)


def test_an_id_is_the_hash_of_the_canonical_text() -> None:
    text = '{"answer":"5","prompt":"What is 2 + 3?","tests":null}'
    assert hashlib.sha256(text.encode()).hexdigest()[:32] == PROBLEM


@pytest.mark.parametrize(
    ("prompt", "answer", "tests", "expected"),
    [
        ("What is 2 + 3?", "5", None, PROBLEM),
        ("Écrire f(x) = x² 🙂", None, '{"calls":[]}', "2240945d82a968b2366e7fb3422f85c8"),
        ("", None, None, "39973f3973d1bb7779b21a3d5a9e2387"),
        ("\ud800", "1", None, "f3affe09641b48a4a407b21d67a2d44d"),
    ],
)
def test_problem_ids(prompt: str, answer: str | None, tests: str | None, expected: str) -> None:
    assert records.problem_id(prompt, answer, tests) == expected


def test_generator_ids() -> None:
    decoding = {"max_tokens": 256, "temperature": 0.7}
    assert records.generator_id({"engine": "vllm", "decoding": decoding, "model": "m"}) == GENERATOR
    assert (
        records.generator_id({"engine": "vllm", "decoding": decoding | {"stop": []}, "model": "m"})
        != GENERATOR
    )
    assert records.reserved_generator_id("gold") == "87ac39322f28aba48cfa1177aef2536d"
    assert records.reserved_generator_id("human") == "8dc558934b5418f21791c408695dd6e2"
    assert records.imported_generator_id("gold") == "cc4989683a998ae04e31bbcdf56fb0a3"
    assert records.imported_generator_id("metamath") == "cd5b4eadfa4e09ba7431b67475c0ff8d"


@pytest.mark.parametrize(
    ("index", "sample", "seed"),
    [
        (0, "99a922f87bdefdd0f488fe372361ee5c", 1168538371),
        (1, "166dec4f38b7687061f5b0392954c184", 1855781457),
        (2**31 - 1, "b971087a14076ac93e017dc4995b4b27", 1158543422),
    ],
)
def test_sample_ids_and_seeds(index: int, sample: str, seed: int) -> None:
    assert records.sample_id(PROBLEM, GENERATOR, index) == sample
    assert records.sample_seed(PROBLEM, GENERATOR, index) == seed


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
sections = st.dictionaries(st.text(), plain, min_size=1, max_size=4)


def reversed_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reversed_keys(inner) for key, inner in reversed(value.items())}
    return [reversed_keys(inner) for inner in value] if isinstance(value, list) else value


@given(plain)
def test_canonical_json_reads_back_as_it_was(value: object) -> None:
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


@given(sections)
def test_ids_ignore_the_order_of_keys(value: dict[str, object]) -> None:
    assert content_id(reversed_keys(value)) == content_id(value)


@given(sections, plain, st.data())
def test_ids_change_with_any_value(value: dict[str, object], other: object, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(value)))
    same = canonical_json(value[key]) == canonical_json(other)
    assert (content_id(value | {key: other}) == content_id(value)) == same
    assert content_id({name: value[name] for name in value if name != key}) != content_id(value)


@given(st.text(), st.text(), st.text())
def test_no_part_of_a_problem_stands_for_another(prompt: str, answer: str, tests: str) -> None:
    ids = {
        records.problem_id(prompt, answer, tests),
        records.problem_id(prompt, answer, None),
        records.problem_id(prompt, None, tests),
        records.problem_id(prompt + answer, "", tests),
    }
    assert len(ids) == (3 if answer == "" else 4)


@given(st.text(), st.text(), st.integers(0, 2**31 - 1))
def test_seeds_have_31_bits(problem: str, generator: str, index: int) -> None:
    assert 0 <= records.sample_seed(problem, generator, index) < 2**31


def test_more_samples_keep_the_ids_of_the_first() -> None:
    drawn = [records.sample_id(PROBLEM, GENERATOR, index) for index in range(1000)]
    assert len(set(drawn)) == 1000
    assert drawn[0] == "99a922f87bdefdd0f488fe372361ee5c"


def test_a_problem_is_its_content_wherever_it_came_from() -> None:
    one = Problem("What is 2 + 3?", "a", answer="5", split="train", solutions=("2 + 3 = 5",))
    two = Problem("What is 2 + 3?", "b", answer="5", split="test", difficulty="1")
    assert one.problem_id == two.problem_id == PROBLEM
    assert list(one.row()) == ["problem_id", *[n for n in records.PROBLEMS.names if n != "problem_id"]]
    assert "solutions" not in one.row()


@pytest.mark.parametrize(
    ("given_", "clean"),
    [("a\ud800b", "a\ufffdb"), ("\ud83d\ude00", "\U0001f600"), ("é", "é"), ("a", "a"), (None, None), (5, 5)],
)
def test_clean_text(given_: object, clean: object) -> None:
    assert records.clean_text(given_) == clean


def test_every_table_has_its_key_and_describes_each_column() -> None:
    assert list(records.TABLES) == list(records.KEYS)
    for name, schema in records.TABLES.items():
        assert set(records.KEYS[name]) <= set(schema.names)
        assert all(not schema.field(column).nullable for column in records.KEYS[name])
    forms: tuple[configs.Form, ...] = ("text", "messages")
    shown = {(config, form): configs.schema(config, form) for config in configs.CONFIGS for form in forms}
    for (config, _), schema in shown.items():
        assert set(configs.KEYS[config]) <= set(schema.names)
        assert not {"margin", "completions", "prompts", "images"} & set(schema.names), "trainers misread them"
    for schema in (*records.TABLES.values(), *shown.values()):
        assert [one["name"] for one in records.describe(schema)] == schema.names
        assert all(one["description"] and one["type"] for one in records.describe(schema))

"""The reader of YAML: values by the core rules of YAML 1.2, places, and what is refused with its line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory import yaml_text
from factory.errors import UsageError
from factory.yaml_text import Mark


def place(line: int) -> str:
    return f"file:{line}"


def value(text: str) -> object:
    return yaml_text.read(f"key: {text}", place).data["key"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("tRUE", "tRUE"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("nULL", "nULL"),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b11", "0b11"),
        ("+1", 1),
        ("1_000", "1_000"),
        ("1e-6", 1e-6),
        ("5.0e15", 5e15),
        (".5", 0.5),
        ("1.", 1.0),
        ("1.0.0", "1.0.0"),
        ("2026-08-22", "2026-08-22"),
        ("12:30:45", "12:30:45"),
        ("'5'", "5"),
        ('"true"', "true"),
        ("|\n  5\n", "5\n"),
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("{a: [1, x]}", {"a": [1, "x"]}),
    ],
)
def test_scalars_follow_the_core_rules_of_yaml_1_2(text: str, expected: object) -> None:
    found = value(text)
    assert (type(found), found) == (type(expected), expected)


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in ["ab", "bc", "cd", "de", "ef"]
)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a: 1\nb: 2\na: 3", 3, "the key a is given twice, first in line 1"),
        ("a:\n  b: 1\n  b: 1", 3, "the key b is given twice, first in line 2"),
        ("a: {b: 1, 'b': 2}", 1, "the key b is given twice"),
        ("a: 1\n---\nb: 2", 2, "a second document begins here"),
        ("a: 1\nb: !x 1", 2, "the tag '!x' is not allowed"),
        ("a: !!python/object/apply:os.system [ls]", 1, "python/object/apply:os.system' is not allowed"),
        ("a: ! 1", 1, "the tag '!' is not allowed"),
        ("a: !!str 1", 1, "is not allowed"),
        ("1: a", 1, "a key must be text, found 1; put it in quotes"),
        ("true: a", 1, "a key must be text, found true"),
        ("~: a", 1, "a key must be text, found ~"),
        ("? [a]\n: b", 1, "a key must be text, found a list or section"),
        ("a: .nan", 1, ".nan is not a finite number"),
        ("a: -.inf", 1, "-.inf is not a finite number"),
        ("a: 1e999", 1, "1e999 is not a finite number"),
        ("a: 9223372036854775808", 1, "needs more than 64 bits"),
        ("a: " + "9" * 10_000, 1, "needs more than 64 bits"),
        ("a: b\nc: d\x00", 2, r"the character '\x00' cannot stand in YAML"),
        ('a: "\\ud83d"', 1, "an escape names half a character"),
        ('a: "\\UFFFFFFFF"', 1, "this is not YAML"),
        ("a: [1\n", 2, "this is not YAML: expected ',' or ']'"),
        ("a: 1\nb: c: d", 2, "mapping values are not allowed here; look at column 5"),
        ("a:\n\t- b", 2, "cannot start any token"),
        ("a: *b", 1, "undefined alias"),
        ("a: &x 1\nb: &x 2", 2, "an anchor of this name was given before"),
        ("a: &x [*x]", 1, "it may not hold itself"),
        ("[" * 100_000, 1, "nested deeper than 64"),
        (BOMB, 1, "unfold to more than 100000 values"),
    ],
    ids=lambda given: given[:24] if isinstance(given, str) else str(given),
)
def test_what_is_refused_names_line_and_reason(text: str, line: int, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        yaml_text.read(text, place)
    assert str(caught.value).startswith(f"file:{line}: ")
    assert reason in str(caught.value)


def test_an_alias_is_a_value_of_its_own() -> None:
    data = yaml_text.read("a: &x {n: 1}\nb: *x", place).data
    data["b"]["n"] = 2
    assert data == {"a": {"n": 1}, "b": {"n": 2}}


def test_places_of_keys_and_values() -> None:
    places = yaml_text.read("a:\n  b: {c: 1}\nd:\n  - x\n  - e: |\n      text\n", place).places
    assert places[()].value == Mark(1, 1)
    assert places["a",] == (Mark(1, 1), Mark(2, 3))
    assert places["a", "b", "c"] == (Mark(2, 7), Mark(2, 10))
    assert places["d", 0] == (Mark(4, 5), Mark(4, 5))
    assert places["d", 1, "e"] == (Mark(5, 5), Mark(5, 8))


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing but a comment\n"])
def test_an_empty_text_has_no_places(text: str) -> None:
    assert yaml_text.read(text, place) == yaml_text.Document(None)


words = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=20)
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


@given(plain)
def test_json_is_read_as_json(data: object) -> None:
    read = yaml_text.read(json.dumps(data), place).data
    assert json.dumps(read) == json.dumps(data)


@given(st.text(alphabet="ab:-[]{}&*!%#|>'\"\\x,?@~.0 \n\t\r\x00\x85\ufeff\U0001f600", max_size=40))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    try:
        yaml_text.read(text, place)
    except UsageError as error:
        where, _, what = str(error).partition(": ")
        assert where.startswith(place(1).rstrip("1")), "the place comes first"
        assert what.strip(), "and words after it"

"""Values cross by exact type and value; whatever else comes is refused with its reason."""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.verifiers import sandbox_wire as wire

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**400), 10**400),
    st.floats(allow_nan=False),
    st.text(st.characters(codec=None, exclude_categories=())),
    st.binary(),
    st.complex_numbers(allow_nan=False),
    st.fractions(),
    st.decimals(allow_nan=False),
    st.sampled_from([int, str, list, dict]),
)
hashable = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=5)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.lists(inner, max_size=4).map(deque),
        st.sets(hashable, max_size=4),
        st.frozensets(hashable, max_size=4),
        st.dictionaries(hashable, inner, max_size=4),
        st.dictionaries(hashable, inner, max_size=4).map(OrderedDict),
        st.dictionaries(hashable, st.integers(), max_size=4).map(Counter),
    ),
    max_leaves=20,
)


def sent(value: Any) -> Any:
    return wire.decode(wire.unframe(wire.frame(wire.encode(value))))


def kinds(value: Any) -> Any:
    """The types of a value and of what it holds, in order where it has one."""
    if isinstance(value, list | tuple | deque):
        return type(value), [kinds(part) for part in value]
    if isinstance(value, dict):
        return type(value), [(kinds(key), kinds(part)) for key, part in value.items()]
    return type(value)


@given(values)
def test_a_value_arrives_as_it_was(value: Any) -> None:
    assert sent(value) == value
    assert kinds(sent(value)) == kinds(value)


def test_what_equality_does_not_tell() -> None:
    assert str(sent(-0.0)) == "-0.0"
    assert str(sent(float("nan"))) == "nan"
    assert sent(deque([1], 3)).maxlen == 3
    assert type(sent(defaultdict(int, {1: 2}))) is defaultdict
    assert sent(bytearray(b"x")) == bytearray(b"x")
    assert sent(range(1, 10**30, 7)) == range(1, 10**30, 7)
    assert (sent(True), sent(1), sent(1.0)) == (True, 1, 1.0)
    assert [type(sent(value)) for value in (True, 1, 1.0)] == [bool, int, float]


def deep(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


class Sly(int):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (Sly(3), "type Sly"),
        (object(), "type object"),
        (Sly, "type type"),
        (OSError, "type type"),
        (len, "type builtin_function_or_method"),
        (iter([1]), "type list_iterator"),
        ([{"a": (1, lambda: 0)}], "type function"),
        (deep(41), "depth"),
        ([0] * (wire.MAX_VALUES + 1), "size"),
        ("x" * (17 * wire.MAX_VALUES), "size"),
        (1 << 100_000_000, "size"),
        (b"x" * (9 * wire.MAX_VALUES), "size"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 50 else "",
)
def test_what_cannot_cross_is_named(value: Any, reason: str) -> None:
    with pytest.raises(wire.Unplain, match=reason):
        wire.encode(value)


def test_depth_and_size_have_an_edge() -> None:
    assert sent(deep(40)) == deep(40)
    with pytest.raises(wire.Unplain, match="size"):
        wire.frame(wire.encode("x" * wire.MAX_BYTES))


@pytest.mark.parametrize(
    "form",
    [
        {"a": 1},
        1.5,
        [],
        ["?"],
        ["h", 1],
        [1, 2],
        [["l"]],
        [None],
        ["i", "0xzz"],
        ["i"],
        ["f", "one"],
        ["f", 1],
        ["F", 1, 0],
        ["r", 1, 2, 0],
        ["d", 1],
        ["d", ["l"], 1],
        ["s", ["l"]],
        ["q", "x"],
        ["N", "one"],
        ["T", "object"],
        ["T", "__import__"],
        ["T", ["l"]],
        ["b", "0"],
    ],
    ids=json.dumps,
)
def test_forms_that_no_honest_sender_writes(form: Any) -> None:
    with pytest.raises(wire.Malformed):
        wire.decode(form)


def test_a_form_that_is_too_deep() -> None:
    form: Any = 0
    for _ in range(41):
        form = ["l", form]
    with pytest.raises(wire.Malformed, match="depth"):
        wire.decode(form)


@given(st.binary(max_size=200))
def test_bytes_are_a_value_or_malformed(data: bytes) -> None:
    with contextlib.suppress(wire.Malformed):
        wire.decode(wire.unframe(data))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=20))
def test_json_is_a_value_or_malformed(form: Any) -> None:
    try:
        value = wire.decode(form)
    except wire.Malformed:
        return
    assert sent(value) == value


def test_streams() -> None:
    ours, theirs = os.pipe()
    os.write(theirs, wire.frame([1]) + b"\xff\xff\xff\xff" + b"\0\0")
    assert wire.read_form(ours) == [1]
    with pytest.raises(wire.Malformed, match="4294967295 bytes"):
        wire.read_form(ours)
    os.close(theirs)
    with pytest.raises(EOFError):
        wire.read_form(ours)
    os.close(ours)


@pytest.mark.parametrize("data", [b"", b"\0\0\0\1", wire.frame(1) + b"x", wire.frame(1) * 2])
def test_a_report_is_one_message_exactly(data: bytes) -> None:
    with pytest.raises(wire.Malformed, match="are not one message"):
        wire.unframe(data)


def test_brackets_without_end_are_malformed() -> None:
    with pytest.raises(wire.Malformed):
        wire.parse(b"[" * 1_000_000)


def test_fractions_and_decimals_are_themselves() -> None:
    assert kinds(sent([Fraction(1, 3), Decimal("1.10")])) == (list, [Fraction, Decimal])
    assert str(sent(Decimal("1.10"))) == "1.10"

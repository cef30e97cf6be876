"""The content digest: as its definition says, whatever holds the rows, and other for every other row."""

from __future__ import annotations

import hashlib
import math
import struct
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from factory.configs import MESSAGES
from factory.release import digest
from factory.release.digest import ContentDigest, rows_digest

SCHEMA = pa.schema(
    [
        ("text", pa.string()),
        ("count", pa.int32()),
        ("real", pa.float64()),
        ("right", pa.bool_()),
        ("messages", MESSAGES),
        ("tags", pa.list_(pa.string())),
    ]
)

Row = dict[str, Any]


def written(value: Any) -> bytes:
    """A value as the definition has it, in plain Python."""
    if value is None:
        return b"n"
    if isinstance(value, bool):
        return b"t" if value else b"f"
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, float):
        return b"r" + struct.pack(">d", math.nan if math.isnan(value) else value + 0.0).hex().encode()
    if isinstance(value, str):
        return b"%d:%b" % (len(value.encode()), value.encode())
    if isinstance(value, list):
        return b"l" + b"".join(map(written, value)) + b"e"
    return b"d" + b"".join(written(key) + written(value[key]) for key in sorted(value, key=str.encode)) + b"e"


def defined(rows: list[Row]) -> str:
    total = 0
    for row in rows:
        content = {name: value for name, value in row.items() if name not in ("run_id", "seconds")}
        stretched = hashlib.shake_128(hashlib.sha256(written(content)).digest()).digest(256)
        total += int.from_bytes(stretched, "big")
    return hashlib.sha256((total % 2**2048).to_bytes(256, "big") + len(rows).to_bytes(8, "big")).hexdigest()


def digested(rows: list[Row], schema: pa.Schema = SCHEMA, size: int = 1000) -> str:
    return rows_digest(pa.Table.from_pylist(rows, schema=schema).to_batches(max_chunksize=size), schema)


def a_row(**changes: Any) -> Row:
    return {
        "text": "4", "count": 4, "real": 0.5, "right": True,
        "messages": [{"role": "user", "content": "2+2"}, {"role": "assistant", "content": "4"}],
        "tags": ["a", None],
    } | changes  # fmt: skip


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
rows_of_all_kinds = st.lists(
    st.fixed_dictionaries(
        {
            "text": st.none() | texts,
            "count": st.none() | st.integers(-(2**31), 2**31 - 1),
            "real": st.none() | st.floats(),
            "right": st.none() | st.booleans(),
            "messages": st.none()
            | st.lists(st.fixed_dictionaries({"role": texts, "content": texts}), max_size=3),
            "tags": st.none() | st.lists(st.none() | texts, max_size=3),
        }
    ),
    max_size=8,
)


def test_it_is_known_by_heart() -> None:
    """A contract: another digest of these rows is another definition, and every release id with it."""
    rows = [a_row(), a_row(text="ünï", real=-0.0, tags=None, messages=[]), a_row(count=None, right=False)]
    assert digested(rows) == "e9cf744aa44236a10c0121bcd2630d319147682a3ec2d4d2a02f49e77c4f2a6f"
    assert digested([]) == hashlib.sha256(bytes(264)).hexdigest()


@given(rows_of_all_kinds, st.integers(1, 9), st.randoms(use_true_random=False))
@example([a_row(real=math.nan), a_row(real=-0.0)], 1, None)
@settings(max_examples=60)
def test_it_is_what_its_definition_says_in_any_order_and_batches(
    rows: list[Row], size: int, chance: Any
) -> None:
    expected = defined(rows)
    assert digested(rows, size=size) == expected
    if chance is not None:
        chance.shuffle(rows)
    names = list(reversed(SCHEMA.names))
    assert digested(rows, pa.schema([SCHEMA.field(name) for name in names]), size) == expected


@given(rows_of_all_kinds, rows_of_all_kinds)
@settings(max_examples=60)
def test_equal_digests_are_of_equal_rows(first: list[Row], second: list[Row]) -> None:
    same = sorted(map(written, first)) == sorted(map(written, second))
    assert (digested(first) == digested(second)) == same


def test_the_width_of_types_and_the_way_of_storing_do_not_matter() -> None:
    rows = [a_row(), a_row(text="5")]
    wide = pa.Table.from_pylist(rows, schema=SCHEMA)
    wide = wide.set_column(0, "text", wide["text"].cast(pa.large_string()))
    wide = wide.set_column(1, "count", wide["count"].cast(pa.int64()))
    assert rows_digest(wide.to_batches(), SCHEMA) == digested(rows)
    packed = wide.set_column(0, "text", wide["text"].cast(pa.string()).dictionary_encode())
    assert rows_digest(packed.to_batches(), SCHEMA) == digested(rows)
    direct = ContentDigest()
    direct.update(wide)
    assert direct.hexdigest() == digested(rows)


def test_parts_of_a_table_have_the_digest_of_their_rows_alone() -> None:
    rows = [a_row(messages=[{"role": "user", "content": str(n)}] * (n % 3), real=n / 3) for n in range(20)]
    (batch,) = pa.Table.from_pylist(rows, schema=SCHEMA).to_batches()
    assert rows_digest([batch.slice(5, 7)], SCHEMA) == defined(rows[5:12])


def test_the_act_of_sampling_is_left_out() -> None:
    rows = [
        {"sample_id": "s", "seconds": 0.5, "run_id": "a"},
        {"sample_id": "s", "seconds": 7.0, "run_id": "b"},
    ]
    digests = {digested([row], pa.Table.from_pylist([row]).schema) for row in rows}
    assert digests == {defined([{"sample_id": "s"}])}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([a_row(text=None)], [a_row(text="")]),
        ([a_row(text="n")], [a_row(text=None)]),
        ([a_row(tags=None)], [a_row(tags=[])]),
        ([a_row(tags=[])], [a_row(tags=[None])]),
        ([a_row(tags=["ab", "c"])], [a_row(tags=["a", "bc"])]),
        ([a_row(tags=["a", "b"])], [a_row(tags=["b", "a"])]),
        ([a_row(messages=[])], [a_row(messages=[{"role": "", "content": ""}])]),
        ([a_row(text="e1:e")], [a_row(text="e")]),
        ([a_row(right=False)], [a_row(right=None)]),
        ([a_row(real=math.nan)], [a_row(real=None)]),
        ([a_row(real=1.0)], [a_row(real=math.nextafter(1.0, 2.0))]),
        ([a_row()], [a_row(), a_row()]),
        ([], [a_row()]),
        ([a_row(text="\u00e9")], [a_row(text="e\u0301")]),
    ],
)
def test_other_rows_have_another_digest(one: list[Row], other: list[Row]) -> None:
    assert digested(one) != digested(other)


def test_a_column_that_is_missing_is_not_one_of_nulls() -> None:
    less = pa.schema([field for field in SCHEMA if field.name != "tags"])
    batches = pa.Table.from_pylist([a_row()], schema=less).to_batches()
    assert rows_digest(batches, less) != digested([a_row(tags=None)])
    with pytest.raises(KeyError, match="tags"):
        rows_digest(batches, SCHEMA)


def test_kinds_of_values_are_told_apart() -> None:
    values: list[Any] = [1, 1.0, "1", True, ["1"], {"x": "1"}, None]
    digests = {digested([{"x": value}], pa.Table.from_pylist([{"x": value}]).schema) for value in values[:6]}
    assert len(digests | {digested([{"x": None}], pa.schema([("x", pa.string())]))}) == len(values)


def test_long_texts_are_read_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [a_row(text="x" * length) for length in (3_000_000, 0, 5, 70_000)]
    whole = digested(rows)
    monkeypatch.setattr(digest, "STEP_BYTES", 1)
    assert digested(rows) == whole == defined(rows)


@pytest.mark.parametrize(
    "kind", [pa.timestamp("s"), pa.binary(), pa.decimal128(5, 2), pa.map_(pa.string(), pa.string())]
)
def test_types_that_no_config_has_are_refused(kind: pa.DataType) -> None:
    table = pa.table({"x": pa.array([None], kind)})
    with pytest.raises(TypeError, match="has no content digest; texts, numbers, lists and structs have"):
        ContentDigest().update(table)


def test_a_value_that_the_schema_cannot_hold_is_refused() -> None:
    with pytest.raises(pa.ArrowInvalid):
        rows_digest(pa.table({"count": [2**40]}).to_batches(), pa.schema([("count", pa.int32())]))

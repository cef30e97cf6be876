"""Rows are found by id as a filter of the whole table would find them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.lineage import lookup

LOOKED_UP = pa.schema([("nested", pa.list_(pa.struct([("a", pa.int64())]))), ("id", pa.string())])


@given(
    st.lists(st.tuples(st.text("abc", min_size=2, max_size=2), st.integers(0, 9)), max_size=40),
    st.sets(st.text("abc", min_size=2, max_size=2), max_size=3),
    st.integers(1, 7),
)
def test_rows_are_those_that_a_filter_gives(
    tmp_path_factory: pytest.TempPathFactory, content: list[tuple[str, int]], wanted: set[str], group: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "looked-up.parquet"
    table = pa.table({"nested": [[{"a": n}] for _, n in content], "id": [i for i, _ in content]}, LOOKED_UP)
    pq.write_table(table, path, row_group_size=group)
    expected = [{"id": i, "nested": [{"a": n}]} for i, n in content if i in wanted]
    assert (lookup.rows(path, "id", wanted, ("id", "nested", "not there"))) == expected
    assert lookup.beginning(path, "id", "a") == {i for i, _ in content if i.startswith("a")}

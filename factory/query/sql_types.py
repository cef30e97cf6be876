"""The columns of a result in types that its form can hold, with a name of its own for each.

Guarantees: no type of the engine makes an answer fail; what a form has no type for becomes text. Left out:
how the text is written (`sql_output.py`).
"""

from __future__ import annotations

from typing import Any, Final

import duckdb

# fmt: off
_NATIVE: Final = frozenset({
    "boolean", "tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger", "ubigint",
    "float", "double", "varchar",
})
# fmt: on
_NESTED: Final = frozenset({"list", "struct", "map", "array", "union", "variant"})
_NOT_IN_PARQUET: Final = (
    "INTERVAL",
    "UNION",
    "VARIANT",
    "BIGNUM",
    "UHUGEINT",
    "BIT",
    "ENUM",
    "NULL",
    "TIME WITH",
)


def shown(relation: duckdb.DuckDBPyRelation, *, plain: bool) -> duckdb.DuckDBPyRelation:
    """The same rows with a name of its own for each column, in types that the form can hold.

    `plain` is for text: numbers, truth values and texts stay, nested values become JSON, all else its text.
    Otherwise only what Parquet has no type for becomes text.
    """
    used: set[str] = set()
    columns, changed = [], False
    for place, (name, kind) in enumerate(zip(relation.columns, relation.types, strict=True), 1):
        fresh, number = name, 0
        while fresh.lower() in used:
            number += 1
            fresh = f"{name}_{number}"
        used.add(fresh.lower())
        value = _value(f"#{place}", kind, plain=plain)
        changed |= fresh != name or value != f"#{place}"
        columns.append(f'{value} AS "{fresh.replace(chr(34), chr(34) * 2)}"')
    return relation.project(", ".join(columns)) if changed else relation


def kind(of: Any) -> str:
    """What the text of a column is in the plain form: json, number, or text; or native."""
    if of.id in _NESTED:
        return "json"
    if of.id in ("decimal", "hugeint", "uhugeint", "bignum"):
        return "number"
    return "native" if of.id in _NATIVE else "text"


def _value(column: str, kind: Any, *, plain: bool) -> str:
    nested = kind.id in _NESTED
    if (plain and nested) or (not plain and nested and any(word in str(kind) for word in _NOT_IN_PARQUET)):
        return f"to_json({column})::VARCHAR"
    if (plain and kind.id not in _NATIVE) or (not plain and str(kind).startswith(_NOT_IN_PARQUET)):
        return f"{column}::VARCHAR"
    return column

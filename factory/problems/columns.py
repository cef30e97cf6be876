"""From a row of named values to a Problem: dotted paths, texts without loss, and errors that name the place.

Guarantees: text stays as it is, numbers become the digits that were written (an integer stays one, 0.10
stays 0.10 where the format keeps it); a column that is not there, a blank prompt and a value that is no
text are UsageErrors with the place, the columns there are and the nearest spelling. Left out: reading
files (`files.py`) and the Hub (`hub.py`).
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

import pyarrow as pa

from factory.errors import UsageError
from factory.recipe import Columns
from factory.records import Problem, canonical_json, clean_text

PARTS: Final = ("prompt", "answer", "tests", "solution", "difficulty", "group_id")


class Row(NamedTuple):
    """One row: its values by name, and where it stands.

    `number` is the line of a text file (from 1), or the row of a table (from 1); `place` names it for people.
    """

    values: Mapping[str, Any]
    number: int
    place: str


class Written(float):
    """A JSON number with a fraction or an exponent, which remembers how it was written."""

    __slots__ = ("text",)

    def __new__(cls, text: str) -> Written:
        number = super().__new__(cls, text)
        number.text = text
        return number

    text: str


def paths(columns: Columns) -> dict[str, str]:
    """Which part of a problem stands at which path, for the parts that are mapped."""
    return {part: path for part in PARTS if (path := getattr(columns, part)) is not None}


def find(values: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; None where a parent is null. Raises KeyError where the path is not there.

    A name that itself has dots is found before its parts: `gpt-4.1.text` is `text` in `gpt-4.1`.
    """
    if path in values:
        return values[path]
    for at, sign in enumerate(path):
        if sign != "." or path[:at] not in values:
            continue
        inner = values[path[:at]]
        if inner is None:
            return None
        if isinstance(inner, Mapping):
            try:
                return find(inner, path[at + 1 :])
            except KeyError:
                continue
    raise KeyError(path)


def names(values: Mapping[str, Any]) -> list[str]:
    """The dotted paths of all values that are no mappings."""
    found: list[str] = []
    for name, value in values.items():
        inner = names(value) if isinstance(value, Mapping) else []
        found.extend(f"{name}.{deeper}" for deeper in inner) if inner else found.append(name)
    return found


def no_such_column(place: str, path: str, there: Iterable[str]) -> UsageError:
    """The error for a mapped path that is not there: what is, and what is nearest."""
    known = sorted(set(there))
    shown = ", ".join(known[:30]) + (f" and {len(known) - 30} more" if len(known) > 30 else "")
    near = difflib.get_close_matches(path, known, n=1)
    return UsageError(
        f"{place}: there is no column {path!r}; the columns are {shown or 'none'}; "
        + (f"did you mean {near[0]!r}?" if near else "correct the mapping of the columns")
    )


def text(value: object, what: str, place: str) -> str | None:
    """`value` as text, or None for null. Raises UsageError for what is neither text nor a finite number.

    Half a surrogate pair, which JSON can write and no table can hold, becomes U+FFFD (`clean_text`).
    """
    if value is None:
        return None
    if isinstance(value, str):
        return str(clean_text(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Written):
        return value.text
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal) and value.is_finite():
        return format(value, "f")
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    found = (
        f"{value!r:.40}" if isinstance(value, float | Decimal) else f"a value of type {type(value).__name__}"
    )
    raise UsageError(
        f"{place}: {what} is {found}; it must be text or a number: map another column, or convert it"
    )


def json_text(value: object, what: str, place: str) -> str | None:
    """`value` as canonical JSON; text is taken as it is. Raises UsageError for what JSON cannot hold."""
    if not isinstance(value, Mapping | list | tuple):
        return text(value, what, place)
    try:
        written = canonical_json(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"{place}: {what} cannot be written as JSON ({error}); convert it to text") from None
    return text(written, what, place)


def problem(row: Row, columns: Columns, **facts: Any) -> Problem:
    """The problem in a row; `facts` are the fields of Problem that the source knows: source, origin, ...

    Raises UsageError, with the place, for a column that is not there, a blank prompt and what is no text.
    """
    found: dict[str, Any] = {}
    for part, path in paths(columns).items():
        try:
            value = find(row.values, path)
        except KeyError:
            raise no_such_column(row.place, path, names(row.values)) from None
        reader = json_text if part == "tests" else text
        found[part] = reader(value, f"column {path!r}", row.place)
    prompt = found.pop("prompt")
    if prompt is None or not prompt.strip():
        raise UsageError(
            f"{row.place}: column {columns.prompt!r} is empty; a problem needs a prompt: fill it, or remove "
            "the row"
        )
    solution = found.pop("solution", None)
    return Problem(prompt=prompt, solutions=() if solution is None else (solution,), **found, **facts)


# --- Arrow tables, from Parquet and from the Hub -----------------------------------------------------


def _shape(kind: pa.DataType) -> dict[str, Any]:
    """The names inside a struct, nested as they are; nothing for any other type."""
    if not pa.types.is_struct(kind):
        return {}
    return {kind.field(at).name: _shape(kind.field(at).type) for at in range(kind.num_fields)}


def needed(schema: pa.Schema, wanted: Iterable[str], place: str) -> list[str]:
    """The top columns that hold the wanted paths. Raises UsageError where a path is not in the schema."""
    shape = {column.name: _shape(column.type) for column in schema}
    tops: dict[str, None] = {}
    for path in wanted:
        try:
            find(shape, path)
        except KeyError:
            raise no_such_column(place, path, names(shape)) from None
        tops.update((name, None) for name in shape if path == name or path.startswith(f"{name}."))
    return list(tops)


def plain_rows(batch: pa.Table | pa.RecordBatch, tops: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The rows of some columns of a table as plain values, float32 numbers by their shortest digits."""
    values = {}
    for name in tops:
        column = batch.column(name)
        if pa.types.is_float32(column.type):  # 0.1 would come out as 0.10000000149011612
            column = column.cast(pa.string()).cast(pa.float64())
        values[name] = column.to_pylist()
    for at in range(batch.num_rows):
        yield {name: column[at] for name, column in values.items()}

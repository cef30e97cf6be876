"""A result of SQL as a table for people, as CSV or JSON, or as a file.

Guarantees: rows are written as they come, whatever their number, but for the table; a file is there whole or
not at all, and never inside the store. CSV tells an empty text (quoted) from null (nothing). JSON is strict:
a number that JSON or a double cannot hold exactly stands as text, as do NaN and the infinities, so null is
always null. Signs that would steer a terminal are shown as escapes in the table; CSV and JSON hold the text
itself. Left out: formulas that a spreadsheet might see in a text of the CSV.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq
from rich.table import Table

from factory.atomic import write_atomically
from factory.commands import display
from factory.errors import UsageError
from factory.query.sql import Answer
from factory.store import Store

CELL_CHARACTERS: Final = 200
"""Of a text in the table; CSV, JSON and files have the whole of it."""

SUFFIXES: Final = (".parquet", ".csv", ".json")
_EXPLAINED: Final = ["explain_key", "explain_value"]


def target(path: Path, store: Store) -> Path:
    """`path`, if a result may be written there. Raises UsageError for another suffix and for the store."""
    if path.suffix not in SUFFIXES:
        raise UsageError(f"--out {path}: the suffix says the form; give one of {', '.join(SUFFIXES)}")
    if path.resolve().is_relative_to(store.root.resolve()):
        raise UsageError(
            f"--out {path} is inside the store {store.root}, which SQL only reads; name another place"
        )
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise UsageError(f"--out {path}: give the name of a file in a folder that there is")
    return path


def write_file(answer: Answer, path: Path) -> int:
    """Write the rows in the form of the suffix, a Parquet file or a text; returns how many."""
    written = 0

    def counted() -> Iterator[Any]:
        nonlocal written
        for batch in answer.batches:
            written += batch.num_rows
            yield batch

    def parquet(file: Any) -> None:
        with pq.ParquetWriter(file, answer.schema, compression="zstd") as writer:
            for batch in counted():
                writer.write_batch(batch)

    def text(file: Any) -> None:
        pieces = write_csv if path.suffix == ".csv" else write_json
        whole = Answer(answer.schema, counted(), answer.kinds, answer.notes)
        pieces(whole, lambda piece: file.write(piece.encode()))

    write_atomically(path, parquet if path.suffix == ".parquet" else text)
    return written


def rows(answer: Answer) -> Iterator[tuple[Any, ...]]:
    """The rows as tuples of what the plain form holds."""
    for batch in answer.batches:
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def table(answer: Answer) -> Table | str:
    """All rows as a table for a terminal, long texts cut; an explained plan as the text it is."""
    if answer.schema.names == _EXPLAINED:
        return "\n".join(display.printable(str(plan)) for _, plan in rows(answer))
    names = [display.printable(name) for name in answer.schema.names]
    return display.table("", names, map(_cells, rows(answer)))


def _cells(row: Sequence[Any]) -> list[Any]:
    return [_cell(value) if isinstance(value, str) else value for value in row]


def _cell(text: str) -> str:
    return text if len(text) <= CELL_CHARACTERS else text[: CELL_CHARACTERS - 3] + "..."


def write_csv(answer: Answer, write: Callable[[str], object]) -> None:
    """The rows as CSV with a head, UTF-8, one line feed a row."""
    write(",".join(_field(name) for name in answer.schema.names) + "\n")
    for row in rows(answer):
        write(",".join(map(_field, row)) + "\n")


def _field(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(_finite(value))
    text = str(value)
    plain = text and not any(sign in text for sign in '",\r\n') and text == text.strip()
    return text if plain else '"' + text.replace('"', '""') + '"'


def write_json(answer: Answer, write: Callable[[str], object]) -> None:
    """The rows as a JSON list of objects, one a line."""
    names, before = answer.schema.names, "[\n"
    for row in rows(answer):
        values = [_value(value, kind) for value, kind in zip(row, answer.kinds, strict=True)]
        one = json.dumps(dict(zip(names, values, strict=True)), ensure_ascii=False, allow_nan=False)
        write(before + one)
        before = ",\n"
    write("[]\n" if before == "[\n" else "\n]\n")


def _value(value: Any, kind: str) -> Any:
    if isinstance(value, float):
        return _finite(value)
    if isinstance(value, str) and kind == "json":
        return _nested(value)
    if isinstance(value, str) and kind == "number":
        return _number(value)
    return value


def _finite(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"


def _nested(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text


def _number(text: str) -> int | float | str:
    """A decimal as a number where that is exact, else as the text it is."""
    try:
        exact = Decimal(text)
        if exact == exact.to_integral_value() and "." not in text:
            return int(text)
        near = float(exact)
    except (ValueError, InvalidOperation, OverflowError):
        return text
    return near if Decimal(repr(near)) == exact else text

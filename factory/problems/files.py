"""Rows of local JSONL, CSV and Parquet files, and the problems in them.

Guarantees: rows stream, in the order of the file, each with the place it stands at; the suffix decides
the format (.jsonl .jsonlines .ndjson .json: one JSON object a line; .csv; both also as .gz; .parquet);
numbers of JSON keep the digits they were written with; what cannot be read is a UsageError with file and
line. An empty CSV cell is null, blank lines are passed over. Left out: JSON arrays, other encodings than
UTF-8, other CSV separators than the comma.
"""

from __future__ import annotations

import csv
import difflib
import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Final, NoReturn

import pyarrow as pa
import pyarrow.parquet as pq

from factory.errors import OutsideError, UsageError
from factory.problems import columns
from factory.problems.columns import Row
from factory.recipe import Files
from factory.records import Problem, canonical_json

CELL_LIMIT: Final = 2**31 - 1
"""Characters of one CSV cell; the csv module's own limit of 131,072 is less than a long solution."""


def load(source: Files, base: Path) -> Iterator[Problem]:
    """The problems of a file, in its order. Raises UsageError with file and line."""
    path = base / source.path
    for row in rows(path, columns.paths(source.columns).values()):
        yield columns.problem(
            row,
            source.columns,
            source=source_name(source.name, path),
            split=source.split,
            license=source.license,
            origin=origin(path, row),
        )


def source_name(name: str | None, path: Path) -> str:
    """The name of a file as a source of problems: file:NAME, by default its name without the suffixes."""
    return f"file:{name or Path(path.name.removesuffix('.gz')).stem}"


def origin(path: Path, row: Row) -> str:
    """Where a problem stands, as JSON: the file's name, and the line, or in Parquet the row, from 1."""
    unit = "row" if suffix(path) == ".parquet" else "line"
    return canonical_json({"file": path.name, unit: row.number})


def suffix(path: Path) -> str:
    """The suffix that tells the format, .gz aside, in small letters."""
    return Path(path.name.removesuffix(".gz")).suffix.lower()


def rows(path: Path, wanted: Iterable[str]) -> Iterator[Row]:
    """All rows of a file. Of Parquet only the columns that hold the `wanted` dotted paths are read.

    Raises UsageError for a file that is not there, an unknown suffix and content that cannot be read, and
    OutsideError when reading itself fails.
    """
    reader = READERS.get(suffix(path))
    if reader is None or (path.suffix == ".gz" and suffix(path) == ".parquet"):
        raise UsageError(f"{path}: cannot tell the format; the suffix is one of {', '.join(READERS)}")
    try:
        yield from reader(path, wanted)
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file{_nearest(path)}") from None
    except IsADirectoryError:
        raise UsageError(f"{path}: is a folder; name a file in it") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UsageError(f"{path}: is no whole gzip file ({error}); fetch or compress it again") from None
    except OSError as error:
        raise OutsideError(f"{path}: cannot be read: {error}; check the disk and the permissions") from error


def _nearest(path: Path) -> str:
    there = sorted(other.name for other in path.parent.iterdir()) if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, there, n=1)
    return (
        f"; did you mean {near[0]}?" if near else "; a relative path in a recipe or map starts at its folder"
    )


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


# --- JSON lines --------------------------------------------------------------------------------------


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _json_rows(path: Path, wanted: Iterable[str]) -> Iterator[Row]:
    decode = json.JSONDecoder(parse_float=columns.Written, parse_constant=_refuse_constant).decode
    with _open(path) as file:
        for number, line in enumerate(file, 1):
            place = f"{path}:{number}"
            try:
                written = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                if not written:
                    continue
                values = decode(written)
            except UnicodeDecodeError as error:
                raise UsageError(f"{place}: is no UTF-8 ({error}); convert the file to UTF-8") from None
            except (ValueError, RecursionError) as error:
                raise UsageError(
                    f"{place}: is no JSON object on one line ({error}); correct the line"
                ) from None
            if not isinstance(values, dict):
                raise UsageError(
                    f"{place}: is of type {type(values).__name__}, not an object; write one {{...}} a line"
                )
            yield Row(values, number, place)


# --- CSV ---------------------------------------------------------------------------------------------


def _text_lines(path: Path, file: IO[bytes]) -> Iterator[str]:
    for number, line in enumerate(file, 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise UsageError(f"{path}:{number}: is no UTF-8 ({error}); convert the file to UTF-8") from None


def _csv_rows(path: Path, wanted: Iterable[str]) -> Iterator[Row]:
    if csv.field_size_limit() < CELL_LIMIT:
        csv.field_size_limit(CELL_LIMIT)
    with _open(path) as file:
        reader = csv.reader(_text_lines(path, file), strict=True)
        header: list[str] | None = None
        while True:
            number = reader.line_num + 1  # a cell may hold line breaks: the line where the row begins
            place = f"{path}:{number}"
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise UsageError(f'{place}: is no CSV ({error}); quote cells as "..."') from None
            if cells is None:
                return
            if header is None:
                header = _header(cells, place)
            elif cells:
                yield Row(_cells(header, cells, place), number, place)


def _header(cells: list[str], place: str) -> list[str]:
    twice = sorted({name for name in cells if cells.count(name) > 1})
    if twice:
        raise UsageError(f"{place}: column {twice[0]!r} stands twice in the header; rename one of them")
    return cells


def _cells(header: list[str], cells: list[str], place: str) -> dict[str, str | None]:
    if len(cells) != len(header):
        raise UsageError(
            f"{place}: has {len(cells)} cells where the header has {len(header)}; quote cells with commas"
        )
    return {name: cell or None for name, cell in zip(header, cells, strict=True)}


# --- Parquet -----------------------------------------------------------------------------------------


def _parquet_rows(path: Path, wanted: Iterable[str]) -> Iterator[Row]:
    with path.open("rb") as file:
        try:
            parquet = pq.ParquetFile(file)
            tops = columns.needed(parquet.schema_arrow, wanted, str(path))
            number = 0
            for batch in parquet.iter_batches(batch_size=1024, columns=tops):
                for values in columns.plain_rows(batch, tops):
                    number += 1
                    yield Row(values, number, f"{path}, row {number}")
        except pa.ArrowInvalid as error:
            raise UsageError(
                f"{path}: is no Parquet file that can be read ({error}); write it again"
            ) from None


READERS: Final[Mapping[str, Callable[[Path, Iterable[str]], Iterator[Row]]]] = {
    ".jsonl": _json_rows,
    ".jsonlines": _json_rows,
    ".ndjson": _json_rows,
    ".json": _json_rows,
    ".csv": _csv_rows,
    ".parquet": _parquet_rows,
}

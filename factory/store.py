"""The store: a folder of append-only Parquet parts, one sub-folder a table.

Guarantees
- A part is written to a temporary name, flushed to the disk and renamed. What is not renamed does not
  exist, so a kill at any instant leaves every committed row and no half row.
- A part is named FIRST-LAST.parquet after the commits it holds. Compaction writes one part that spans
  several; the rename makes them superseded in the same instant, so no reader sees a row twice or never.
- One writer at a time: the lock is the operating system's and dies with its process. Readers need none.
- A part that is damaged, or of another schema version, stops the reader with its name; nothing is
  deleted or sampled again because of it.

Left out: object stores. Renames and locks are what the guarantees rest on, and they have neither.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb
import filelock
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from factory.atomic import write_atomically
from factory.errors import CheckFailed, UsageError
from factory.records import SCHEMA_VERSION, TABLES

FLUSH_ROWS: Final = 50_000
"""Rows of one row group, and the most rows of one commit."""

COMPACT_FROM: Final = 16
"""Compaction starts when a table has more than this many parts that are small."""

COMPACT_BYTES: Final = 128 * 2**20


class Part(NamedTuple):
    """One committed file and the range of commits it holds."""

    first: int
    last: int
    path: Path


def _parts_in(folder: Path) -> tuple[list[Part], list[Part]]:
    """(live parts in order, superseded parts) of one table's folder."""
    found = []
    for path in folder.glob("*-*.parquet"):
        first, _, last = path.stem.partition("-")
        if first.isdigit() and last.isdigit():
            found.append(Part(int(first), int(last), path))
    live: list[Part] = []
    superseded: list[Part] = []
    for part in sorted(found, key=lambda part: (part.first, -part.last)):
        (superseded if live and part.last <= live[-1].last else live).append(part)
    return live, superseded


class Store:
    """The store at `root`. Opening creates nothing; `lock()` makes it the writer's."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        if self.root.exists() and not self.root.is_dir():
            raise UsageError(f"--store {root} is a file; name a folder")
        self._checked: set[tuple[Path, int, int]] = set()

    @property
    def releases(self) -> Path:
        return self.root / "releases"

    @property
    def scratch(self) -> Path:
        """Where sorting may spill; emptied by every writer."""
        return self.root / "scratch"

    # --- writing

    @contextlib.contextmanager
    def lock(self, command: str) -> Iterator[None]:
        """Hold the store as its only writer; CheckFailed names the process that has it already."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"--store {self.root}: cannot make this folder ({error.strerror})") from error
        held, owner = filelock.FileLock(self.root / "lock"), self.root / "lock.json"
        try:
            held.acquire(blocking=False)
        except filelock.Timeout:
            raise CheckFailed(
                f"{self.root} is being written by {_describe_owner(owner)}; wait for it to end, "
                "or use another --store"
            ) from None
        except OSError as error:
            raise UsageError(
                f"--store {self.root} cannot be written ({error.strerror}); use another --store"
            ) from error
        try:
            self._sweep()
            entry = {
                "pid": os.getpid(),
                "host": socket.gethostname(),
                "command": command,
                "since": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            write_atomically(owner, lambda file: file.write(json.dumps(entry).encode()))
            yield
        finally:
            with contextlib.suppress(OSError):
                owner.unlink(missing_ok=True)
                shutil.rmtree(self.scratch, ignore_errors=True)
            held.release()

    def _sweep(self) -> None:
        """Remove what a killed writer left (it holds no committed row) and parts that were superseded."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        for folder in [self.root, self.releases, *(self.root / table for table in TABLES)]:
            for left in folder.glob(".tmp-*"):
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        for table in TABLES:
            for part in _parts_in(self.root / table)[1]:
                part.path.unlink()

    def append(self, table: str, rows: pa.Table) -> None:
        """Commit `rows` as one part. The caller holds the lock."""
        if not rows.num_rows:
            return
        live, superseded = _parts_in(self.root / table)
        number = max((part.last for part in [*live, *superseded]), default=0) + 1
        self._write(table, number, number, [rows])

    def _write(self, table: str, first: int, last: int, tables: Iterable[pa.Table]) -> None:
        schema = TABLES[table].with_metadata({"factory.table": table, "factory.schema": SCHEMA_VERSION})

        def write(file: Any) -> None:
            with pq.ParquetWriter(file, schema, compression="zstd") as writer:
                for rows in tables:
                    writer.write_table(rows.cast(schema), row_group_size=FLUSH_ROWS)

        write_atomically(self.root / table / f"{first:010d}-{last:010d}.parquet", write)

    def compact(self, table: str) -> int:
        """Merge runs of small neighbouring parts; returns how many parts were merged away."""
        live = self.parts(table)
        if sum(part.path.stat().st_size < COMPACT_BYTES // 4 for part in live) <= COMPACT_FROM:
            return 0
        merged, run, size = 0, list[Part](), 0
        for part in [*live, None]:
            grown = size + (part.path.stat().st_size if part else 0)
            if part is None or grown > COMPACT_BYTES:
                if len(run) > 1:
                    self._write(table, run[0].first, run[-1].last, (pq.read_table(one.path) for one in run))
                    merged += len(run)
                run, grown = [], grown - size
            if part is not None:
                run.append(part)
            size = grown
        return merged

    # --- reading

    def parts(self, table: str) -> list[Part]:
        """The committed parts of a table, each checked once: whole, and of this schema version."""
        live = _parts_in(self.root / table)[0]
        for part in live:
            stat = part.path.stat()
            key = (part.path, stat.st_size, stat.st_mtime_ns)
            if key not in self._checked:
                _check(part.path, table, stat.st_size)
                self._checked.add(key)
        return live

    def dataset(self, table: str) -> ds.Dataset:
        """The table as a pyarrow dataset (an empty one when nothing is stored)."""
        paths = [str(part.path) for part in self.parts(table)]
        schema = TABLES[table]
        return ds.dataset(paths, schema=schema) if paths else ds.dataset(schema.empty_table())

    def count(self, table: str) -> int:
        return sum(pq.read_metadata(part.path).num_rows for part in self.parts(table))

    def connect(self, *, memory: str = "700MB") -> duckdb.DuckDBPyConnection:
        """A DuckDB connection with one view a table, for the stages. Sorting spills into `scratch`.

        Not for SQL of users: that is `sql.py`, which confines it.
        """
        connection = duckdb.connect()
        connection.execute(f"SET memory_limit = '{memory}'")
        connection.execute(f"SET temp_directory = '{_quote(self.scratch)}'")
        connection.execute("SET preserve_insertion_order = false")
        self.refresh(connection)
        return connection

    def refresh(self, connection: duckdb.DuckDBPyConnection, *tables: str) -> None:
        """Point the views of `tables` (all when none is named) at the parts that are committed now."""
        for table in tables or TABLES:
            paths = [f"'{_quote(part.path)}'" for part in self.parts(table)]
            put(connection, f"{table}_empty", TABLES[table].empty_table())
            stored = f"FROM {table}_empty"
            if paths:  # by name: parts written before a column came in have nulls there
                stored += f" UNION ALL BY NAME FROM read_parquet([{', '.join(paths)}], union_by_name = true)"
            connection.execute(f"CREATE OR REPLACE VIEW {table} AS {stored}")


def put(connection: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    """Make `rows` a table of the connection, seen by its cursors too (registered objects are not)."""
    connection.register("incoming", rows)
    connection.execute(f"CREATE OR REPLACE TABLE {name} AS FROM incoming")
    connection.unregister("incoming")


def batches(
    connection: duckdb.DuckDBPyConnection, query: str, size: int = 10_000
) -> Iterator[pa.RecordBatch]:
    """The result of a query, streamed on a cursor of its own, so that other queries may run meanwhile."""
    with connection.cursor() as cursor:
        yield from cursor.sql(query).to_arrow_reader(size)


def _quote(path: Path) -> str:
    return str(path).replace("'", "''")


def _describe_owner(owner: Path) -> str:
    try:
        entry = json.loads(owner.read_text())
        return f"process {entry['pid']} on {entry['host']} (`{entry['command']}`, since {entry['since']})"
    except (OSError, ValueError, KeyError):
        return "another process"


def _check(path: Path, table: str, size: int) -> None:
    try:
        metadata = pq.read_metadata(path).metadata or {}
    except (pa.ArrowInvalid, OSError) as error:
        raise CheckFailed(
            f"{path} is not a whole Parquet file ({size:,} bytes): it was cut or damaged after it was "
            "written. Nothing was changed. Put a good copy in its place, or move it away: the next run then "
            "makes again what only it held"
        ) from error
    version = metadata.get(b"factory.schema", b"none").decode()
    if version != SCHEMA_VERSION or metadata.get(b"factory.table") != table.encode():
        raise CheckFailed(
            f"{path} is of {table} schema version {version}; this factory reads version {SCHEMA_VERSION}. "
            "Nothing was changed. Use the factory that wrote it, or another --store"
        )

"""DuckDB over every table of a store and every release in it, for SQL that a user wrote.

Guarantees: a query only reads, and only what is named here. The data are registered as Arrow datasets, so
SQL owns no path; access to files, network, extensions and settings is closed and the configuration locked;
one statement, of type SELECT or EXPLAIN, whose parse tree holds no writing node and no table function that
reads files. Left out: confinement by the operating system, which SQL from strangers needs besides.

Views: `problems`, `generators`, `samples`, `verdicts`, `ledger` (the facts); `release_sft`,
`release_samples`, `release_problems` (every release, with columns `release` and `split`); `selection` (why a
sample is in or out of each release); and each release alone, as "NAME@VERSION/sft" and so on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs

from factory.configs import CONFIGS, schema
from factory.errors import UsageError
from factory.records import TABLES
from factory.release import manifest
from factory.store import Store

WRITING_NODES: Final = frozenset(
    {"COPY_QUERY_NODE", "INSERT_QUERY_NODE", "UPDATE_QUERY_NODE", "DELETE_QUERY_NODE"}
)
TABLE_FUNCTIONS: Final = frozenset({"unnest", "range", "generate_series"})
SETTINGS: Final = (
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET allow_community_extensions = false",
    "SET allow_persistent_secrets = false",
    "SET temp_directory = ''",
    "SET python_enable_replacements = false",
    "SET enable_external_access = false",
)


def query(store: Store, text: str, *, seconds: float = 60.0, memory: str = "1GB") -> pa.Table:
    """The result of one SELECT (or EXPLAIN) as an Arrow table.

    Raises UsageError when it is no such statement, when DuckDB refuses it, or when it takes longer than
    `seconds`.
    """
    with duckdb.connect() as connection:
        _check(connection, text)
        for name, data in _views(store):
            connection.register(name, data)
        for setting in SETTINGS:
            connection.execute(setting)
        connection.execute(f"SET memory_limit = '{memory}'")
        connection.execute(f"SET max_execution_time = {int(seconds * 1000)}")
        connection.execute(
            "CREATE TEMP VIEW selection AS"
            " SELECT release, sample_id, kept, reason, duplicate_of, rank FROM release_samples"
        )
        connection.execute("SET lock_configuration = true")
        try:
            return connection.sql(text).to_arrow_table()
        except duckdb.Error as error:
            raise UsageError(f"sql: {_first_lines(error)}") from error


def _first_lines(error: Exception) -> str:
    return "\n".join(str(error).strip().splitlines()[:6])


def _views(store: Store) -> Iterator[tuple[str, ds.Dataset]]:
    for table in TABLES:
        yield table, store.dataset(table)
    releases = sorted(store.releases.glob("[!.]*@*/manifest.json")) if store.releases.is_dir() else []
    files: dict[str, list[tuple[str, ds.Expression]]] = {config: [] for config in CONFIGS}
    for path in releases:
        name = path.parent.name
        for file in manifest.read(path.parent)["files"]:
            marks = (pc.field("release") == name) & (pc.field("split") == file["split"])
            files[file["config"]].append((str(path.parent / file["path"]), marks))
    for config in CONFIGS:
        columns = schema(config)
        yield f"release_{config}", _marked(files[config], columns)
        for path in releases:
            start = str(path.parent) + "/"
            own = [entry for entry in files[config] if entry[0].startswith(start)]
            if own:
                yield f"{path.parent.name}/{config}", _marked(own, columns)


def _marked(files: list[tuple[str, ds.Expression]], columns: pa.Schema) -> ds.Dataset:
    """A dataset of `files` with the columns `release` and `split`, which stand in no file."""
    marks = [
        field
        for field in (pa.field("release", pa.string()), pa.field("split", pa.string()))
        if field.name not in columns.names
    ]
    full = pa.schema([*marks, *columns])
    if not files:
        return ds.dataset(full.empty_table())
    return ds.FileSystemDataset.from_paths(
        [path for path, _ in files],
        schema=full,
        format=ds.ParquetFileFormat(),
        filesystem=pyarrow.fs.LocalFileSystem(),
        partitions=[mark for _, mark in files],
    )


def _check(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    """Refuse everything but one statement that only reads."""
    try:
        statements = connection.extract_statements(text)
    except duckdb.Error as error:
        raise UsageError(f"sql: {_first_lines(error)}") from error
    if len(statements) != 1:
        raise UsageError(f"sql: give one statement; these are {len(statements)}")
    kind = statements[0].type
    if kind not in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN):
        raise UsageError(
            f"sql: only SELECT and EXPLAIN are allowed, this is {kind.name}; the store is read-only here"
        )
    if kind == duckdb.StatementType.EXPLAIN:
        text = text.strip()[len("explain") :]
        if text.split(maxsplit=1)[0].lower() in ("analyze", "(analyze"):
            raise UsageError("sql: EXPLAIN ANALYZE runs the statement; use EXPLAIN")
    ((serialized,),) = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [text]).fetchall()
    tree = json.loads(serialized)
    if tree.get("error"):
        raise UsageError(f"sql: {tree.get('error_message', 'this statement cannot be checked')}")
    for node in _nodes(tree):
        if node.get("type") in WRITING_NODES:
            raise UsageError(f"sql: {node['type'].split('_')[0]} writes; only reading is allowed here")
        function = node.get("function")
        if node.get("type") == "TABLE_FUNCTION" and isinstance(function, dict):
            name = function.get("function_name")
            if name not in TABLE_FUNCTIONS:
                allowed = ", ".join(sorted(TABLE_FUNCTIONS))
                raise UsageError(f"sql: the table function {name} is not allowed here; allowed are {allowed}")


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of a JSON value, without recursion (a query may be nested deeply)."""
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            yield current
            waiting.extend(current.values())
        elif isinstance(current, list):
            waiting.extend(current)

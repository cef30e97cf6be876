"""Whether a text is one SQL statement that only reads registered tables, by its parse tree.

Guarantees: it is one SELECT, or EXPLAIN of one without ANALYZE; no node of its tree writes; its table
functions read no file, its functions tell nothing of the machine, and every table it names is a registered
one, or one that it defines itself. What it does not know is refused. Left out: what the engine would do with
a statement that passed wrongly: settings, and the process that the query runs in, hold that (`sql_child.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import duckdb

from factory.errors import UsageError

QUERY_NODES: Final = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
"""The nodes of a query that read; any other is refused."""

TABLE_FUNCTIONS: Final = frozenset({"unnest", "range", "generate_series"})
REFUSED_FUNCTIONS: Final = frozenset(
    {"getenv", "current_setting", "getvariable", "nextval", "currval", "setval", "write_log", "which_secret"}
    | {"json_serialize_plan"}
)
"""Functions that tell of the machine or of settings, that change something, or that plan a text as SQL."""

_OWN_VIEWS: Final = (
    "SELECT lower(view_name) FROM duckdb_views() WHERE internal AND schema_name <> 'information_schema'"
)
MOST_CHARACTERS: Final = 100_000

_EXPLAIN: Final = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|(?>/\*.*?\*/))*+explain\b", re.IGNORECASE | re.DOTALL)
"""Without backtracking: comments before another word would take time that doubles with each."""


class Checked(NamedTuple):
    """The statement to run, and the names in it that may be tables, as they are written."""

    text: str
    tables: list[str]
    defined: frozenset[str]


def check(connection: duckdb.DuckDBPyConnection, text: str) -> Checked:
    """Parse `text`, without running it. Raises UsageError for all but a statement that only reads."""
    _check_characters(text)
    kind = _kind(connection, text)
    explained = ""
    if kind == duckdb.StatementType.EXPLAIN:
        begins = _EXPLAIN.match(text)
        if begins is None:
            raise UsageError("sql: write EXPLAIN as the first word, followed by a SELECT")
        explained, text = "EXPLAIN ", text[begins.end() :]
        try:
            inner = _kind(connection, text)
        except UsageError:
            inner = None
        if inner != duckdb.StatementType.SELECT:
            raise UsageError(
                "sql: EXPLAIN takes a SELECT and nothing else here; EXPLAIN ANALYZE runs the statement, so "
                "it is refused"
            )
    elif kind != duckdb.StatementType.SELECT:
        hint = "; a PIVOT needs its values: ON column IN (...)" if kind.name == "MULTI" else ""
        raise UsageError(
            f"sql: only SELECT and EXPLAIN are allowed, this is {kind.name}; the store is read-only "
            f"here{hint}"
        )
    tables, defined = _walk(_tree(connection, text))
    return Checked(explained + text, tables, defined)


def _check_characters(text: str) -> None:
    if len(text) > MOST_CHARACTERS:
        raise UsageError(f"sql: the statement has {len(text):,} characters; {MOST_CHARACTERS:,} are allowed")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"sql: the statement is not UTF-8 (at character {error.start})") from error
    if "\0" in text:
        raise UsageError(f"sql: the statement has a NUL character (at character {text.index(chr(0))})")


def _kind(connection: duckdb.DuckDBPyConnection, text: str) -> duckdb.StatementType:
    try:
        statements = connection.extract_statements(text)
    except duckdb.Error as error:
        raise UsageError(f"sql: {first_lines(error)}") from error
    if len(statements) != 1:
        raise UsageError(f"sql: give one statement; these are {len(statements)}")
    return statements[0].type


def _tree(connection: duckdb.DuckDBPyConnection, text: str) -> Any:
    ((serialized,),) = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [text]).fetchall()
    try:
        tree = json.loads(serialized)
    except RecursionError as error:
        raise UsageError("sql: the statement is nested too deeply to be checked") from error
    if tree.get("error"):
        raise UsageError(f"sql: {tree.get('error_message', 'this statement cannot be checked')}")
    return tree


def _walk(tree: Any) -> tuple[list[str], frozenset[str]]:
    """The tables that a tree names, and the names that it defines by WITH."""
    tables: list[str] = []
    defined: set[str] = set()
    for node in _nodes(tree):
        kind = node.get("type")
        if isinstance(kind, str) and kind.endswith("_NODE") and kind not in QUERY_NODES:
            raise UsageError(f"sql: {kind.split('_')[0]} writes; only reading is allowed here")
        if kind == "TABLE_FUNCTION":
            _check_table_function(node)
        name = node.get("function_name")
        if isinstance(name, str) and name.lower() in REFUSED_FUNCTIONS:
            raise UsageError(f"sql: the function {name} is not allowed here: it is no reading of a table")
        if kind == "SHOW_REF" and node.get("query") is None:
            raise UsageError(
                "sql: SHOW lists nothing here; SELECT * FROM tables does, and DESCRIBE takes a table"
            )
        if kind == "BASE_TABLE":
            tables.append(_table_name(node))
        if isinstance(node.get("cte_map"), dict):
            defined |= {str(entry["key"]).lower() for entry in node["cte_map"]["map"]}
        if kind == "RECURSIVE_CTE_NODE":
            defined.add(str(node.get("cte_name", "")).lower())
    return tables, frozenset(defined)


def _check_table_function(node: dict[str, Any]) -> None:
    function = node.get("function")
    name = str(function.get("function_name") if isinstance(function, dict) else function)
    if name.lower() not in TABLE_FUNCTIONS:
        allowed = ", ".join(sorted(TABLE_FUNCTIONS))
        raise UsageError(f"sql: the table function {name} is not allowed here; allowed are {allowed}")


def _table_name(node: dict[str, Any]) -> str:
    place = [str(node.get(part) or "") for part in ("catalog_name", "schema_name")]
    name = str(node["table_name"])
    if place not in (["", ""], ["", "main"], ["memory", "main"]):
        written = ".".join(part for part in (*place, name) if part)
        raise UsageError(f"sql: there is no table {written!r:.200}; SELECT * FROM tables lists all there are")
    return name


def wanted(connection: duckdb.DuckDBPyConnection, checked: Checked, names: Sequence[str]) -> list[str]:
    """The registered `names` that a statement reads, each once. Raises KeyError with an unknown one.

    A name that WITH defines anywhere in the statement passes, but for the engine's own views: those it would
    give where the definition is out of sight.
    """
    registered = {name.lower(): name for name in names}
    own = {str(name) for (name,) in connection.execute(_OWN_VIEWS).fetchall()}
    found: dict[str, None] = {}
    for name in checked.tables:
        if name.lower() in registered:
            found[registered[name.lower()]] = None
        elif name.lower() not in checked.defined or name.lower() in own:
            raise KeyError(name)
    return list(found)


def first_lines(error: Exception) -> str:
    """What the engine said, without its advice."""
    return "\n".join(str(error).strip().splitlines()[:6])


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

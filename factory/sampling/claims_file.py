"""The file of claims: how it is laid out, opened and read.

Guarantees: a file that is opened is whole and can be written. Left out: what a claim means (`claims.py`).
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

VERSION: Final = 1

_TABLES: Final = f"""
CREATE TABLE claims (
    charge_id TEXT PRIMARY KEY, state TEXT NOT NULL, drawn INTEGER NOT NULL, generator_id TEXT NOT NULL,
    sample_id TEXT NOT NULL, run_id TEXT NOT NULL, recipe TEXT NOT NULL, samples INTEGER NOT NULL,
    prompt_tokens INTEGER, completion_tokens INTEGER, flops REAL, usd REAL, seconds REAL,
    engine_seconds REAL) WITHOUT ROWID;
CREATE TABLE clocks (
    run_id TEXT NOT NULL, generator_id TEXT NOT NULL, busy REAL NOT NULL, shared REAL NOT NULL,
    PRIMARY KEY (run_id, generator_id)) WITHOUT ROWID;
PRAGMA user_version = {VERSION};
"""

State = Literal["open", "ended", "failed"]

_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


@dataclass(frozen=True, slots=True)
class Claim:
    """A call and its costs: the most it may cost while it is open or where it failed, else what it cost.

    `drawn`: a sample is drawn, so that the stored sample accounts for it; of other calls (a judge's), which
    are about a sample that is stored, only a charge does.
    """

    charge_id: str
    state: State
    drawn: bool
    generator_id: str
    sample_id: str
    run_id: str
    recipe: str
    samples: int
    prompt_tokens: int | None
    completion_tokens: int | None
    flops: float | None
    usd: float | None
    seconds: float | None
    engine_seconds: float | None


def opened(path: Path) -> sqlite3.Connection:
    """The record at `path`, made where there is none; raises sqlite3.DatabaseError."""
    connection = sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False)
    try:
        # What a process has written survives its death; only a power cut needs more than NORMAL.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint = 8000")  # each waits for the disk
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} COMMIT;")
        elif version != VERSION:
            raise _not_ours(f"it is of version {version}, not {VERSION}")
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise _not_ours(str(found))
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM claims WHERE false")
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _not_ours(reason: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(reason)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def damaged(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


def rows_of(connection: sqlite3.Connection, where: str) -> list[dict[str, Any]]:
    """The claims `where`, as rows of the ledger with their state; open ones share the time not yet shared."""
    names = ", ".join(f"c.{name}" for name in Claim.__slots__ if name != "engine_seconds")
    cursor = connection.execute(
        f"SELECT {names}, CASE c.state WHEN 'open' THEN (k.busy - k.shared) /"
        " count(*) FILTER (WHERE c.state = 'open') OVER (PARTITION BY c.run_id, c.generator_id)"
        " ELSE c.engine_seconds END AS engine_seconds FROM claims c LEFT JOIN clocks k"
        f" ON k.run_id = c.run_id AND k.generator_id = c.generator_id WHERE c.{where} ORDER BY c.charge_id"
    )
    columns = [one[0] for one in cursor.description]
    return [dict(zip(columns, row, strict=True)) for row in cursor]


def sums_of(connection: sqlite3.Connection, where: str, *values: str) -> dict[str, dict[str, Any]]:
    costs = {"tokens": "prompt_tokens + completion_tokens", "flops": "flops", "usd": "usd"}
    sums = ", ".join(f"CASE WHEN count({one}) = count(*) THEN sum({one}) END" for one in costs.values())
    rows = connection.execute(
        f"SELECT generator_id, sum(samples), {sums} FROM claims WHERE {where}"
        " GROUP BY generator_id ORDER BY generator_id",
        values,
    ).fetchall()
    return {ident: dict(zip(("samples", *costs), row, strict=True)) for ident, *row in rows}

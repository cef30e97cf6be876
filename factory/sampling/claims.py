"""Claims: a record of every call that is under way, written before it, so that a kill leaves none uncounted.

Guarantees: a claim is on record before its call goes out, with the most that the call may cost; whatever
kills the process, the next writer charges it exactly once, as a row of the ledger: `presumed` at its bound
where it was under way, `lost` at what it cost where it had ended and its text died with the process,
`failed` at its bound where it came to nothing. A call whose sample or charge is stored leaves no claim. The
file is SQLite's; a damaged one is put aside and made anew, which is said. Left out: a power cut, after
which the claims of the last moments may be missing (a kill of the process alone loses none), and what may
be spent (`account.py`).
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import duckdb
import pyarrow as pa

from factory.errors import OutsideError, UsageError
from factory.records import TABLES
from factory.store import Store, put

log = logging.getLogger(__name__)

FILE: Final = "claims.sqlite"
VERSION: Final = 1

State = Literal["open", "ended", "failed"]
KINDS: Final[Mapping[State, str]] = {"open": "presumed", "ended": "lost", "failed": "failed"}
"""The kind of charge that a claim of each state becomes when nothing else accounts for it."""

COSTS: Final = ("prompt_tokens", "completion_tokens", "flops", "usd", "seconds", "engine_seconds")

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


_WRITE: Final = (
    f"INSERT OR REPLACE INTO claims ({', '.join(Claim.__slots__)})"
    f" VALUES ({', '.join('?' * len(Claim.__slots__))})"
)

TICK: Final = 0.2
"""Seconds by which the clock on record may be behind."""


class Clock(NamedTuple):
    """Seconds that a generator was busy in a run, and how many of them its ended calls account for."""

    busy: float
    shared: float


class Claims:
    """The claims of the store; use as a context manager, holding the store's lock. Safe among threads.

    `rebuilt` says that the record was damaged or lost and is empty now: what a killed run had under way is
    not known.
    """

    def __init__(self, store: Store) -> None:
        self._store, self._path = store, store.root / FILE
        self._guard = threading.RLock()
        self._told: dict[tuple[str, str], float] = {}
        self.rebuilt = self._made = False

    def __enter__(self) -> Claims:
        """Raises UsageError where the file cannot be written."""
        self._made = not self._path.exists()
        try:
            self._connection = _opened(self._path)
        except sqlite3.DatabaseError as error:
            if not _damaged(error):
                raise UsageError(
                    f"{self._path} cannot be written ({error}); calls are recorded there before they are "
                    "made. Make the folder writable, or use another --store"
                ) from error
            self._rebuild(error)
        return self

    def __exit__(self, *_: object) -> None:
        with self._guard:
            self._connection.close()

    def _rebuild(self, error: sqlite3.DatabaseError) -> None:
        aside = self._path.with_name(f"{FILE}.damaged")
        os.replace(self._path, aside)
        for suffix in ("-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        self._connection, self.rebuilt = _opened(self._path), True
        log.warning(
            "%s was damaged (%s) and is put aside as %s: what was under way when a run was killed is not "
            "charged",
            self._path,
            error,
            aside.name,
        )

    # --- while calls are made ------------------------------------------------------------------------

    def write(self, claim: Claim, clock: Clock) -> None:
        """Put a claim, or what it has come to, on record; from then on a kill does not lose it."""
        with self._writing() as connection:
            connection.execute(_WRITE, [getattr(claim, name) for name in Claim.__slots__])
            self._tell(connection, claim, clock)

    def drop(self, charge_ids: Iterable[str]) -> None:
        """Take claims off the record: they cost nothing, or the store accounts for them now."""
        with self._writing() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("DELETE FROM claims WHERE charge_id = ?", [(one,) for one in charge_ids])
            connection.execute("COMMIT")

    def _tell(self, connection: sqlite3.Connection, claim: Claim, clock: Clock) -> None:
        """Keep the clock on record, TICK behind at most while calls begin and end."""
        key = (claim.run_id, claim.generator_id)
        if clock.busy - self._told.get(key, -TICK) >= TICK:
            connection.execute("INSERT OR REPLACE INTO clocks VALUES (?, ?, ?, ?)", (*key, *clock))
            self._told[key] = clock.busy

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """The connection, each statement of which is a transaction of its own unless one is begun."""
        with self._guard:
            try:
                yield self._connection
            except sqlite3.Error as error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise OutsideError(
                    f"{self._path}: a call could not be recorded ({error}), so it was not made. Make room on "
                    "the disk, or use another --store, and run again: what was finished is kept"
                ) from error

    # --- between calls -------------------------------------------------------------------------------

    def recover(self, connection: duckdb.DuckDBPyConnection, run_id: str) -> dict[str, Any]:
        """Charge what earlier runs left behind; call it before anything is drawn.

        Returns {presumed, lost, failed: charges made; stored: claims whose sample or charge was stored;
        rebuilt}. A kill at any instant of it leaves a state from which it does the same.
        """
        if self._made and _drawn_before(connection):
            self.rebuilt = True
            log.warning("%s is not there: calls under way when a run was killed are not charged", self._path)
        made = self._charge(connection, f"run_id <> '{run_id}'")
        with self._writing() as claims:
            claims.execute("DELETE FROM clocks WHERE run_id <> ?", (run_id,))
        return made | {"rebuilt": self.rebuilt}

    def book(self, connection: duckdb.DuckDBPyConnection, run_id: str) -> int:
        """Charge the calls of this run that failed; returns how many. Call it after sampling and judging."""
        return self._charge(connection, f"run_id = '{run_id}' AND state = 'failed'")["failed"]

    def _charge(self, connection: duckdb.DuckDBPyConnection, where: str) -> dict[str, int]:
        """Make ledger rows of the claims `where` that nothing stored accounts for, and forget them all."""
        counts = dict.fromkeys((*KINDS.values(), "stored"), 0)
        with self._guard:
            claims = _read(self._connection, where)
            if not claims:
                return counts
            stored = self._stored(connection, claims)
            rows = []
            for one in claims:
                if one["charge_id"] in stored:
                    counts["stored"] += 1
                    continue
                kind = KINDS[one["state"]]
                counts[kind] += 1
                rows.append(one | {"kind": kind, "presumed": one["state"] != "ended"})
            self._store.append("ledger", pa.Table.from_pylist(rows, schema=TABLES["ledger"]))
            self.drop(one["charge_id"] for one in claims)
        if rows:
            self._store.refresh(connection, "ledger")
        return counts

    def _stored(self, connection: duckdb.DuckDBPyConnection, claims: list[dict[str, Any]]) -> set[str]:
        """The ids of those claims whose charge is in the ledger, or whose sample is there.

        An attempt that failed is paid for although a later one brought the sample.
        """
        self._store.refresh(connection, "samples", "ledger")
        columns = ("charge_id", "sample_id", "state", "drawn")
        claimed = [{name: one[name] for name in columns} for one in claims]
        put(connection, "claimed", pa.Table.from_pylist(claimed))
        rows = connection.execute(
            "SELECT charge_id FROM claimed c WHERE charge_id IN (SELECT charge_id FROM ledger)"
            " OR c.state <> 'failed' AND c.drawn = 1 AND c.sample_id IN (SELECT sample_id FROM samples)"
        ).fetchall()
        connection.execute("DROP TABLE claimed")
        return {charge for (charge,) in rows}


def under_way(root: Path) -> dict[str, dict[str, Any]]:
    """By generator_id: the calls that are under way in the store at `root`, at their bound; for a reader.

    {calls, prompt_tokens, completion_tokens, flops, usd}, a cost None where it is not known. Empty where
    there is no record or it cannot be read now; nothing is written.
    """
    path = root / FILE
    if not path.is_file():
        return {}
    sums = ", ".join(
        f"CASE WHEN count({name}) = count(*) THEN sum({name}) END AS {name}" for name in COSTS[:4]
    )
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=1.0)) as claims:
            claims.row_factory = sqlite3.Row
            rows = claims.execute(
                f"SELECT generator_id, count(*) AS calls, {sums} FROM claims WHERE state = 'open'"
                " GROUP BY generator_id ORDER BY generator_id"
            ).fetchall()
    except sqlite3.Error as error:
        log.warning("%s cannot be read now (%s): what is under way is not known", path, error)
        return {}
    return {row["generator_id"]: {name: row[name] for name in row.keys()[1:]} for row in rows}


def _opened(path: Path) -> sqlite3.Connection:
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


def _drawn_before(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the store holds samples whose draws were on record."""
    ((found,),) = connection.execute(
        "SELECT EXISTS (FROM samples WHERE engine_seconds IS NOT NULL)"
    ).fetchall()
    return bool(found)


def _not_ours(reason: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(reason)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _damaged(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


def _read(connection: sqlite3.Connection, where: str) -> list[dict[str, Any]]:
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

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
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb
import pyarrow as pa

from factory.errors import OutsideError, UsageError
from factory.records import TABLES
from factory.sampling import claims_file
from factory.sampling.claims_file import Claim, State
from factory.store import Store, put

log = logging.getLogger(__name__)

FILE: Final = "claims.sqlite"
KINDS: Final[Mapping[State, str]] = {"open": "presumed", "ended": "lost", "failed": "failed"}
"""The kind of charge that a claim of each state becomes when nothing else accounts for it."""

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
        self._made = not self._path.exists() or not self._path.stat().st_size
        try:
            self._connection = claims_file.opened(self._path)
        except sqlite3.DatabaseError as error:
            if not claims_file.damaged(error):
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
        self._connection, self.rebuilt = claims_file.opened(self._path), True
        log.error(
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
        # Before what was told last there is another stream of the same generator, whose clock begins anew.
        if not 0.0 <= clock.busy - self._told.get(key, -TICK) < TICK:
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

    def pending(self, run_id: str) -> dict[str, dict[str, Any]]:
        """By generator_id: what calls of this run are charged with that neither samples nor ledger tell yet.

        {samples, tokens, flops, usd} of those that failed, or whose outcome nobody waited for; None: unknown.
        """
        with self._writing() as connection:
            return claims_file.sums_of(connection, "run_id = ? AND state <> 'ended'", run_id)

    # --- between calls -------------------------------------------------------------------------------

    def recover(self, connection: duckdb.DuckDBPyConnection, run_id: str) -> dict[str, Any]:
        """Charge what earlier runs left behind; call it before anything is drawn.

        Returns {presumed, lost, failed: charges made; stored: claims whose sample or charge was stored;
        rebuilt}. A kill at any instant of it leaves a state from which it does the same.
        """
        if self._made and _drawn_before(connection):
            self.rebuilt = True
            log.error("%s is not there: calls under way when a run was killed are not charged", self._path)
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
            claims = claims_file.rows_of(self._connection, where)
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

    {samples, tokens, flops, usd}, None where it is not known. Empty where there is no record or it cannot be
    read now; nothing is written.
    """
    path = root / FILE
    if not path.is_file():
        return {}
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=1.0)) as claims:
            return claims_file.sums_of(claims, "state = 'open'")
    except sqlite3.Error as error:
        log.warning("%s cannot be read now (%s): what is under way is not known", path, error)
        return {}


def _drawn_before(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the store holds samples whose draws were on record."""
    ((found,),) = connection.execute(
        "SELECT EXISTS (FROM samples WHERE engine_seconds IS NOT NULL)"
    ).fetchall()
    return bool(found)

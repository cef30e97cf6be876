"""Rows on their way into the store: collected, and committed as parts by size or by time.

Guarantees: a row that was added is committed within FLUSH_SECONDS and the time of one write, also when no
other row follows. Left out: what a row means (`records.py`) and how a part is committed (`store.py`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from factory.errors import FactoryError
from factory.records import TABLES
from factory.store import FLUSH_ROWS, Store

FLUSH_SECONDS: Final = 10.0
FLUSH_BYTES: Final = 32 * 2**20


class Writer:
    """Collects rows of one table and commits them as parts, by size or after FLUSH_SECONDS.

    A timer thread commits too, so a finished row does not wait for the next one. An error of the timer
    is raised by the next `add` or at the end. Use as a context manager: leaving commits what is left,
    also when an exception passes through. `committed` is told the rows of each part once it is in the
    store, on whichever thread wrote it; what it raises is raised like an error of writing.
    """

    def __init__(
        self,
        store: Store,
        table: str,
        *,
        seconds: float | None = None,
        committed: Callable[[Sequence[Mapping[str, Any]]], None] | None = None,
    ) -> None:
        self._store, self._table, self._committed = store, table, committed
        self._seconds = FLUSH_SECONDS if seconds is None else seconds
        self._rows: list[Mapping[str, Any]] = []
        self._bytes, self._since = 0, 0.0
        self._guard, self._done = threading.Lock(), threading.Event()
        self._error: FactoryError | OSError | None = None
        self._timer = threading.Thread(target=self._tick, name=f"commit-{table}", daemon=True)

    def __enter__(self) -> Writer:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._timer.join()
        self._raise()
        with self._guard:
            self._flush()

    def add(self, row: Mapping[str, Any]) -> None:
        self.extend([row])

    def extend(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows as mappings from column name to value; columns left out are null."""
        self._raise()
        with self._guard:
            self._since = self._since if self._rows else time.monotonic()
            self._rows.extend(rows)
            self._bytes += sum(len(row.get("completion", "")) for row in rows)
            if self._bytes > FLUSH_BYTES or len(self._rows) >= FLUSH_ROWS:
                self._flush()

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _tick(self) -> None:
        while not self._done.wait(min(1.0, self._seconds / 4)):
            with self._guard:
                if self._rows and time.monotonic() - self._since >= self._seconds:
                    try:
                        self._flush()
                    except (FactoryError, OSError) as error:
                        self._error = error
                        return

    def _flush(self) -> None:
        rows, self._rows, self._bytes = self._rows, [], 0
        if rows:
            self._store.append(self._table, pa.Table.from_pylist(rows, schema=TABLES[self._table]))
            if self._committed is not None:
                self._committed(rows)

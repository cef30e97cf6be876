"""SQL over every table of a store and every release in it: for anyone, confined; and for trusted code, plain.

Guarantees: `ask` and `query` run one statement that only reads, in a fresh process that owns no path and
cannot write (`sql_child.py` says how it is held): it is killed at its time limit, and gives no more rows and
bytes than asked for. `connect` gives trusted code the same tables and views on a connection of its own, with
no confinement. Left out: how a result is shown or written (`sql_output.py`).
"""

from __future__ import annotations

import base64
import contextlib
import io
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, NoReturn

import duckdb
import pyarrow as pa

from factory.errors import CheckFailed, FactoryError, OutsideError, UsageError
from factory.query import sql_tables, sql_views, sql_wire
from factory.query.sql_tables import Catalogue
from factory.store import Store

START_SECONDS: Final = 120.0
"""How long the process may take until it has read the statement; most of it is importing."""

GRACE_SECONDS: Final = 3.0
"""The engine stops itself at the time limit; so much later the process is killed."""

ROOT: Final = str(Path(__file__).parents[2])
BOOT: Final = (
    # A statement needs neither package, and their import is half the time that the process takes to start.
    "import sys; sys.modules['numpy'] = sys.modules['pandas'] = None; "
    f"sys.path.append({ROOT!r}); from factory.query.sql_child import main; main("
)

_log = logging.getLogger(__name__)


class Limits(NamedTuple):
    """How long a statement may run, how much memory its engine may hold, and how much may come out."""

    seconds: float = 60.0
    memory_mib: int = 1024
    rows: int = 1_000_000
    bytes: int = 4 * 2**30


DEFAULT: Final = Limits()


@dataclass
class Answer:
    """The rows of a statement as they come, and what stands beside them.

    `kinds` says for each column, in the plain form, whether its text is json, a number or just text; `notes`
    says what the tables that were read do not hold. `cut` is known when the batches are exhausted: None for
    all rows, or the limit (rows, bytes) that was met.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    kinds: list[str]
    notes: list[str]
    cut: str | None = None


def query(store: Store, text: str, limits: Limits = DEFAULT) -> pa.Table:
    """The result of one SELECT (or EXPLAIN) as an Arrow table; raises what `ask` raises.

    Raises CheckFailed besides when there are more rows or bytes than `limits` allow.
    """
    with ask(store, text, limits) as answer:
        table = pa.Table.from_batches(answer.batches, answer.schema)
        if answer.cut:
            raise CheckFailed(f"sql: {cut_words(answer.cut, limits)}; ask for less, or raise the limit")
        for note in answer.notes:
            _log.warning(note)
        return table


def cut_words(cut: str, limits: Limits) -> str:
    """Why a result is not whole, in words."""
    if cut == "rows":
        return f"only the first {limits.rows:,} rows are given; there are more"
    return f"only the first {limits.bytes:,} bytes are given; there are more"


@contextlib.contextmanager
def ask(store: Store, text: str, limits: Limits = DEFAULT, *, plain: bool = False) -> Iterator[Answer]:
    """Run one statement in a process of its own; its rows stream while the context is open.

    `plain` gives every column as number, truth value or text, for showing. Raises UsageError for a statement
    that is refused or fails, CheckFailed for a limit that is met or a table that is damaged, and OutsideError
    when the process cannot be confined or breaks down; some of them while the rows are read.
    """
    found = sql_tables.catalogue(store)
    with _started(limits) as child:
        job = {
            "text": text,
            "names": found.names,
            "plain": plain,
            "seconds": limits.seconds,
            "memory_mib": limits.memory_mib,
            "rows": limits.rows,
            "bytes": limits.bytes,
        }
        child.tell(job)
        asked = child.expect(found)
        child.limit(limits.seconds + GRACE_SECONDS)
        for name in asked["needed"]:
            _hand_over(child, found, name)
        kinds = child.expect(found)["kinds"]
        try:
            reader = pa.ipc.open_stream(child.result)
        except (pa.ArrowInvalid, OSError):
            child.expect(found)  # says why there is no result
            child.broke_down()
        answer = Answer(reader.schema, iter(()), kinds, found.notes([*asked["asked"], *asked["needed"]]))
        answer.batches = _rows(reader, child, found, answer)
        yield answer


def _rows(
    reader: pa.RecordBatchReader, child: _Child, found: Catalogue, answer: Answer
) -> Iterator[pa.RecordBatch]:
    """The batches; an end that the process does not confirm is an error, since rows may be missing."""
    try:
        yield from reader
    except (pa.ArrowInvalid, OSError):
        child.expect(found)
        child.broke_down()
    answer.cut = child.expect(found)["cut"]


def _hand_over(child: _Child, found: Catalogue, name: str) -> None:
    """Open the files of a table and send their descriptors, with the release and split of each."""
    if name == sql_tables.LISTING:
        sink = io.BytesIO()
        listing = found.listing()
        with pa.ipc.new_stream(sink, listing.schema) as writer:
            writer.write_table(listing)
        child.tell({"content": base64.b64encode(sink.getvalue()).decode()})
        return
    table = found.tables[name]
    sources = table.sources()
    content = base64.b64encode(table.schema.serialize().to_pybytes()).decode()
    child.tell({"content": content, "marks": [(one.release, one.split) for one in sources]})
    for start in range(0, len(sources), sql_wire.AT_ONCE):
        try:
            part = [str(one.file) for one in sources[start : start + sql_wire.AT_ONCE]]
            sql_wire.send_files(child.control, part)
        except BrokenPipeError:
            _log.info("the process of the query is gone; it says why where its answer is read")
        except OSError as error:
            raise OutsideError(f"sql: {error.filename}: cannot be opened ({error.strerror})") from error
        child.expect(found)


# --- the process -------------------------------------------------------------------------------------


@dataclass
class _Child:
    process: subprocess.Popen[bytes]
    control: socket.socket
    result: IO[bytes]
    limits: Limits
    timers: list[threading.Timer] = field(default_factory=list)
    late: bool = False

    def limit(self, seconds: float) -> None:
        """Kill the process after so many seconds, in place of any earlier limit."""
        for timer in self.timers:
            timer.cancel()
        timer = threading.Timer(seconds, self._kill_late)
        timer.daemon = True
        self.timers.append(timer)
        timer.start()

    def _kill_late(self) -> None:
        self.late = True
        self.kill()

    def kill(self) -> None:
        """End the process and its child: they are a session of their own."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def tell(self, value: object) -> None:
        # A process that is gone says so where its answer is read.
        with contextlib.suppress(BrokenPipeError):
            sql_wire.send(self.control, value)

    def expect(self, found: Catalogue) -> dict[str, Any]:
        """The next message; raises the error that it stands for."""
        try:
            said = sql_wire.receive(self.control)
        except (OSError, ValueError):
            said = None
        if not isinstance(said, dict):
            self.broke_down()
        if "missing" in said:
            raise found.missing(str(said["missing"]))
        error = self._error(said)
        if error is not None:
            raise error
        return said

    def _error(self, said: dict[str, Any]) -> FactoryError | None:
        if "refused" in said:
            return UsageError(str(said["refused"]))
        if "unconfined" in said:
            return OutsideError(
                f"sql: the query's process cannot be confined here ({said['unconfined']}), and SQL is not "
                "run with less; start `factory` as an ordinary user, or use factory.connect for SQL you trust"
            )
        if "limit" in said:
            return self._over(str(said["limit"]))
        return None

    def _over(self, limit: str) -> CheckFailed:
        if limit == "time":
            return CheckFailed(
                f"sql: stopped after {self.limits.seconds:g} seconds, its time limit; ask for less, or raise "
                "it with --seconds"
            )
        return CheckFailed(
            f"sql: it needs more than {self.limits.memory_mib:,} MiB of memory, its limit; ask for less, or "
            "raise it with --memory"
        )

    def broke_down(self) -> NoReturn:
        """Raise what the end of the process without a word stands for."""
        status = self.process.wait()
        if self.late:
            raise self._over("time")
        raise OutsideError(
            f"sql: the query's process ended without an answer (status {status}), as it does when memory "
            "runs out or a file changes while it is read; nothing was changed. Ask for less or raise --memory"
        )


@contextlib.contextmanager
def _started(limits: Limits) -> Iterator[_Child]:
    """A fresh process; it is gone when the context ends, however that is."""
    ours, theirs = socket.socketpair()
    read_end, write_end = os.pipe()
    with ours, open(read_end, "rb") as result:
        try:
            program = f"{BOOT}{theirs.fileno()}, {write_end}, {limits.memory_mib})"
            process = subprocess.Popen(
                [sys.executable, "-I", "-B", "-X", "utf8", "-c", program],
                # Results must not depend on this machine: times are UTC, and its environment is not there.
                env={"TZ": "UTC", "LC_ALL": "C.UTF-8"},
                cwd="/",
                pass_fds=(theirs.fileno(), write_end),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=None if "FACTORY_DEBUG" in os.environ else subprocess.DEVNULL,
                start_new_session=True,
            )
        finally:
            theirs.close()
            os.close(write_end)
        child = _Child(process, ours, result, limits)
        child.limit(START_SECONDS)
        try:
            yield child
        finally:
            for timer in child.timers:
                timer.cancel()
            child.kill()
            process.wait()


# --- trusted code ------------------------------------------------------------------------------------


def connect(store: str | Path | Store = "store") -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with every table of a store and its releases, and the views, for trusted code.

    Nothing is confined: SQL on it can read and write files. For SQL that others wrote use `factory sql`, or
    `query`. The tables are those of the moment: connect again to see later rows. A release that cannot be
    read is left out, and a warning logged; raises CheckFailed for a damaged part of the facts.
    """
    opened = store if isinstance(store, Store) else Store(Path(store))
    if not opened.root.is_dir():
        raise UsageError(f"{opened.root} is no store; name its folder, or make one with `factory run RECIPE`")
    found = sql_tables.catalogue(opened)
    for note in found.notes(list(sql_views.VIEWS)):
        _log.warning(note)
    tables = {name: sql_views.dataset(one.schema, one.sources()) for name, one in found.tables.items()}
    connection = duckdb.connect()
    sql_views.enter(connection, tables | {sql_tables.LISTING: found.listing()})
    return connection


__all__ = ["Answer", "Limits", "ask", "connect", "cut_words", "query"]

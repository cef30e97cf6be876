"""The process that runs one SQL statement of a user, closed in before it reads a word of it.

Guarantees, each by itself:
1. the engine's settings: no access to files or network, no extension, no secret, limits of memory and time,
   and none of it can be changed by the statement;
2. it owns no path: the tables are Arrow datasets over files that another process opened for reading and whose
   descriptors came over a socket, so a store in a folder that only its owner may enter can be read by nobody;
3. the statement passed `sql_guard.py`: one SELECT that only reads registered tables;
4. the process: where it is started as root it becomes user 65534; it may write no byte to any file, dump no
   core, and not hold more data than its limit; on Linux landlock takes every path from it (but what tells of
   cores) and seccomp sockets, other programs and other processes; it ends with its parent. One statement, and
   the process ends.

Left out: watching its wall clock and counting what comes out (`sql.py`). Where the kernel has no landlock, or
the system is not Linux, measure 4 is less by that.
"""

from __future__ import annotations

import base64
import errno
import logging
import mmap
import os
import resource
import socket
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import duckdb
import pyarrow as pa

from factory.errors import UsageError
from factory.query import sql_guard, sql_types, sql_views, sql_wire
from factory.verifiers import confinement

NOBODY: Final = 65534
SPARE_MIB: Final = 768
"""Data of the interpreter, of Arrow and of the stacks of threads, beside the engine's memory."""

OPEN_FILES: Final = 2**16
"""A file that is mapped keeps a descriptor, and a table has one file or more of each release."""
BATCH_ROWS: Final = 10_000
SETTINGS: Final = (
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET allow_community_extensions = false",
    "SET allow_persistent_secrets = false",
    "SET temp_directory = ''",
    "SET max_temp_directory_size = '0B'",
    "SET python_enable_replacements = false",
    "SET enable_external_access = false",
)
READABLE: Final = ("/sys/devices/system/cpu", "/sys/fs/cgroup", "/proc/self/cgroup")
"""What the engine reads when it starts, to know its cores; it breaks down where it cannot open these."""

THREAD_CALLS: Final = frozenset({"clone", "clone3", "sched_setaffinity", "mbind", "set_mempolicy"})
"""Calls that threads need, of those that `confinement` refuses; programs are refused by `execve`."""

_log = logging.getLogger(__name__)


class Job(NamedTuple):
    """What is asked: the statement, all names of tables, the form of the result and the limits."""

    text: str
    names: list[str]
    plain: bool
    seconds: float
    memory_mib: int
    rows: int
    bytes: int


def main(control_fd: int, result_fd: int, memory_mib: int) -> None:
    """Run one job, from `control_fd` and with its result to `result_fd`, in a closed child of this process.

    A child, since what is imported starts threads, which landlock and seccomp would not hold; a fork has one.
    """
    _warm_up()
    warnings.simplefilter("ignore")
    pid = os.fork()
    if pid:
        os.close(control_fd)
        os.close(result_fd)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os._exit(status if status >= 0 else 128 - status)
    try:
        _serve(control_fd, result_fd, memory_mib)
    finally:
        os._exit(1)


def _serve(control_fd: int, result_fd: int, memory_mib: int) -> None:
    """Close this process in, then read one job and answer it."""
    control = socket.socket(fileno=control_fd)
    try:
        close_in(memory_mib, keep=(control_fd, result_fd))
    except OSError as error:
        sql_wire.send(control, {"unconfined": str(error)})
        return
    try:
        job = Job(**sql_wire.receive(control))
        said = _run(control, result_fd, job)
    except UsageError as error:
        said = {"refused": str(error)}
    except BrokenPipeError:
        os._exit(1)
    except (duckdb.Error, pa.ArrowException, OSError, MemoryError) as error:
        said = _failed(error)
    sql_wire.send(control, said)
    os._exit(0)


def _failed(error: Exception) -> dict[str, str]:
    """Why the engine gave up. Errors of a stream are Arrow's, with the engine's text in them."""
    told = sql_guard.first_lines(error)
    if isinstance(error, duckdb.InterruptException) or "maximum execution time" in told:
        return {"limit": "time"}
    if isinstance(error, duckdb.OutOfMemoryException | MemoryError) or "Out of Memory" in told:
        return {"limit": "memory"}
    return {"refused": f"sql: {told or type(error).__name__}"}


# --- the process -------------------------------------------------------------------------------------


def _warm_up() -> None:
    """Use what a statement will use, so that nothing is imported, and no file opened, once closed in."""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("warm", pa.table({"a": [1]}))
        connection.execute("SELECT json_serialize_sql('SELECT 1')").fetchall()
        reader = connection.sql("SELECT a, to_json([a]) AS b, TIMESTAMPTZ '2020-01-01' AS c FROM warm")
        reader.to_arrow_reader(10).read_all()
        try:
            connection.sql("SELECT missing FROM warm")
        except duckdb.Error as error:
            str(error)


def close_in(memory_mib: int, keep: tuple[int, ...]) -> None:
    """Give up, for good, what a statement needs not; descriptors but 0, 1, 2 and `keep` are closed.

    Raises OSError where this process cannot become another user, or has threads already (landlock and
    seccomp would not hold those).
    """
    for fd in range(3, max(keep)):
        if fd not in keep:
            _close(fd)
    os.closerange(max(keep) + 1, 2**31 - 1)
    for limit, value in (
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_DATA, (memory_mib * 2 + SPARE_MIB) * 1024**2),
    ):
        hard = resource.getrlimit(limit)[1]
        low = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (low, low))
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    if sys.platform == "linux":
        _close_in_linux()


def _close(fd: int) -> None:
    try:
        os.close(fd)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise


def _close_in_linux() -> None:
    if len(os.listdir("/proc/self/task")) > 1:
        raise OSError("the process has threads before it is closed in")
    try:
        machine, rules = (
            confinement.machine(),
            confinement.landlock_rules([path for path in READABLE if os.path.exists(path)]),
        )
    except OSError as error:
        _log.info("SQL runs without landlock and seccomp: %s", error)
        return
    confinement.forbid_new_privileges()
    confinement.restrict_files(rules)
    os.close(rules)
    confinement.restrict_calls(confinement.seccomp_filter(machine, THREAD_CALLS))


# --- the statement -----------------------------------------------------------------------------------


def _run(control: socket.socket, result_fd: int, job: Job) -> dict[str, Any]:
    """Check the statement, get the tables it reads, and stream its rows; says how many, and why no more."""
    with duckdb.connect() as connection:
        _settle(connection, job)
        checked = sql_guard.check(connection, job.text)
        try:
            asked = sql_guard.wanted(connection, checked, job.names)
        except KeyError as error:
            return {"missing": error.args[0]}
        sql_views.enter(connection, _tables(control, asked))
        connection.execute("SET lock_configuration = true")
        threading.Thread(target=_end_with_parent, args=(control,), daemon=True).start()
        asked_for = connection.sql(checked.text)
        relation = sql_types.shown(asked_for, plain=job.plain)
        sql_wire.send(
            control, {"kinds": [sql_types.kind(one) for one in asked_for.types] if job.plain else []}
        )
        with os.fdopen(result_fd, "wb", closefd=True) as pipe:
            return _stream(relation, pipe, job)


def _settle(connection: duckdb.DuckDBPyConnection, job: Job) -> None:
    for setting in SETTINGS:
        connection.execute(setting)
    connection.execute(f"SET memory_limit = '{job.memory_mib}MiB'")
    connection.execute(f"SET max_execution_time = {max(1, int(job.seconds * 1000))}")


def _tables(control: socket.socket, asked: list[str]) -> dict[str, Any]:
    """The tables that `asked` names, and those that its views read, from the files of the other side."""
    needed = dict.fromkeys(
        table
        for name in asked
        for table in (sql_views.VIEWS[name].needs if name in sql_views.VIEWS else [name])
    )
    sql_wire.send(control, {"asked": asked, "needed": list(needed)})
    tables: dict[str, Any] = {}
    for name in needed:
        told = sql_wire.receive(control)
        if told is None:
            os._exit(1)
        content = base64.b64decode(told["content"])
        if "marks" in told:
            files = _files(control, len(told["marks"]))
            sources = [
                sql_views.Source(file, release, split)
                for file, (release, split) in zip(files, told["marks"], strict=True)
            ]
            tables[name] = sql_views.dataset(pa.ipc.read_schema(pa.py_buffer(content)), sources)
        else:
            tables[name] = pa.ipc.open_stream(content).read_all()
    return tables


def _files(control: socket.socket, count: int) -> list[pa.Buffer]:
    """The bytes of the `count` files of a table, however many; each part is answered before the next."""
    found: list[pa.Buffer] = []
    while len(found) < count:
        fds = sql_wire.receive_files(control, min(count - len(found), sql_wire.AT_ONCE))
        found += map(_mapped, fds)
        sql_wire.send(control, {"received": len(found)})
    return found


def _mapped(fd: int) -> pa.Buffer:
    """The bytes of a file, read when they are used. Mapped, the file needs no path."""
    try:
        return pa.py_buffer(mmap.mmap(fd, 0, prot=mmap.PROT_READ))
    except ValueError as error:
        raise UsageError("sql: a file of a table is empty, so it is no Parquet file") from error
    finally:
        os.close(fd)


def _end_with_parent(control: socket.socket) -> None:
    control.recv(1)
    os._exit(1)


def _stream(relation: duckdb.DuckDBPyRelation, pipe: Any, job: Job) -> dict[str, Any]:
    reader = relation.to_arrow_reader(BATCH_ROWS)
    rows = size = 0
    with pa.ipc.new_stream(pipe, reader.schema) as writer:
        for batch in reader:
            for part in _parts(batch):
                if rows >= job.rows or size >= job.bytes:
                    return {"rows": rows, "cut": "rows" if rows >= job.rows else "bytes"}
                kept = part.slice(0, job.rows - rows)
                writer.write_batch(kept)
                rows, size = rows + kept.num_rows, size + kept.nbytes
                if kept.num_rows < part.num_rows:
                    return {"rows": rows, "cut": "rows"}
    return {"rows": rows, "cut": None}


def _parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The rows of a batch in pieces of about 16 MB: one row may be large, and a batch is read whole."""
    step = max(1, batch.num_rows * 2**24 // max(1, batch.nbytes))
    for start in range(0, batch.num_rows, step):
        yield batch.slice(start, step)

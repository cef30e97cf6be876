"""The pool names every fault, loses and blames no honest item, and leaves no process behind."""

from __future__ import annotations

import collections
import contextlib
import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tasks

from factory.errors import OutsideError
from factory.verifiers import pool, pool_server

MEMORY = 64 * 1024**2


def outcomes(items: list[str], *, time_limit: float = 0.4, **settings: Any) -> list[str]:
    """The value or the reason for each item, in order; every item must have exactly one outcome."""
    found: dict[int, str] = {}
    for index, outcome in pool.run(tasks.act, items, time_limit=time_limit, memory_bytes=MEMORY, **settings):
        assert index not in found
        assert outcome.seconds >= 0
        found[index] = outcome.reason if isinstance(outcome, pool.Lost) else outcome.value
    return [found[index] for index in range(len(items))]


def processes_of(parent: int) -> set[int]:
    """Pids whose parent is `parent`, zombies included."""
    children = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            children.add(int(stat.parent.name))
    return children


def gone(pid: int) -> bool:
    """Whether a process has ended (a zombie that nobody reaps has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def wait_until_gone(pids: set[int], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not all(gone(pid) for pid in pids):
        assert time.monotonic() < deadline, f"still alive: {[pid for pid in pids if not gone(pid)]}"
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def _no_process_left() -> Iterator[None]:
    before = processes_of(os.getpid())
    yield
    assert processes_of(os.getpid()) <= before


@pytest.mark.parametrize("count", [0, 1, 5, 3000])
def test_every_item_has_one_outcome(count: int) -> None:
    found = list(pool.run(tasks.square, range(count), workers=2, time_limit=5))
    assert len(found) == count
    assert {index: outcome.value for index, outcome in found if isinstance(outcome, pool.Done)} == {
        number: number * number for number in range(count)
    }


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("c_loop", "time_limit"),
        ("python_loop", "time_limit"),
        ("sleep_for_ever", "time_limit"),
        ("segfault", "crash"),
        ("exit", "crash"),
        ("system_exit", "crash"),
        ("raise", "crash"),
        ("memory", "memory"),
        ("memory_slowly", "memory"),
        ("killed", "worker_lost"),
    ],
)
def test_each_fault_is_named_and_its_neighbours_live(what: str, reason: str) -> None:
    assert outcomes(["a", "b", what, "c", "d"], workers=1) == ["a", "b", reason, "c", "d"]


def test_a_mix_of_faults_costs_no_honest_item() -> None:
    bad = ["c_loop"] * 3 + ["python_loop"] * 2 + ["segfault"] * 4 + ["exit"] * 2 + ["memory_slowly", "killed"]
    items = ["ok"] * 2000 + bad
    random.Random(3).shuffle(items)
    reasons = collections.Counter(zip(items, outcomes(items, workers=2), strict=True))
    assert reasons == {
        ("ok", "ok"): 2000,
        ("c_loop", "time_limit"): 3,
        ("python_loop", "time_limit"): 2,
        ("segfault", "crash"): 4,
        ("exit", "crash"): 2,
        ("memory_slowly", "memory"): 1,
        ("killed", "worker_lost"): 1,
    }


@pytest.mark.skipif(sys.platform != "linux", reason="the CPU clock of another process is known on Linux")
def test_the_limit_counts_work_and_not_waiting() -> None:
    assert outcomes(["nap", "nap"], workers=2, time_limit=0.3) == ["nap", "nap"]


def test_a_slow_reader_makes_nobody_late() -> None:
    results = pool.run(tasks.huge, [1_000_000] * 12, workers=2, time_limit=0.2)
    sizes = []
    for _, outcome in results:
        assert isinstance(outcome, pool.Done)
        sizes.append(len(outcome.value))
        time.sleep(0.1)
    assert sizes == [1_000_000] * 12


def test_items_are_pulled_as_there_is_room() -> None:
    pulled = itertools.count()
    last = 0

    def endless() -> Iterator[int]:
        nonlocal last
        for last in pulled:  # noqa: UP028 - what was pulled last must be known
            yield last

    results = pool.run(tasks.square, endless(), workers=2, time_limit=5)
    for _ in range(50):
        next(results)
    results.close()  # type: ignore[attr-defined]
    assert last < 50 + 2 * pool.CHUNKS_IN_FLIGHT * pool.LARGEST_CHUNK + pool.LARGEST_CHUNK


def test_an_error_of_the_source_ends_the_pool() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise KeyError("source")

    with pytest.raises(KeyError, match="source"):
        list(pool.run(tasks.square, broken(), workers=2, time_limit=5))


def test_a_value_that_cannot_travel_is_a_crash_of_its_item() -> None:
    found = dict(pool.run(tasks.unpicklable, range(3), workers=1, time_limit=5))
    assert [found[index].reason for index in range(3)] == ["crash"] * 3  # type: ignore[union-attr]


def test_a_function_that_workers_cannot_import_is_an_error(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from factory.verifiers import pool\n"
        "def mine(x): return x\n"
        "print('again')\n"  # a second `again` would be this script run by its own workers
        "list(pool.run(mine, range(3), workers=2, time_limit=5))\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "again\n"
    assert (
        done.stderr.strip().splitlines()[-1].startswith("factory.errors.OutsideError: 3 workers of the pool")
    )


def test_a_module_that_cannot_be_preloaded_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OutsideError, match="server of the worker pool ended"):
        list(pool.run(tasks.square, range(3), workers=1, time_limit=5, preload=["no_such_module_here"]))
    assert "no_such_module_here" in capfd.readouterr().err


def test_modules_are_preloaded_in_the_server() -> None:
    def loaded(preload: list[str]) -> object:
        ((_, outcome),) = pool.run(tasks.loaded, ["colorsys"], workers=1, time_limit=5, preload=preload)
        assert isinstance(outcome, pool.Done)
        return outcome.value

    assert (loaded(["colorsys"]), loaded([])) == (True, False)


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}


def test_a_killed_starter_leaves_no_process(tmp_path: Path) -> None:
    script = tmp_path / "starter.py"
    script.write_text(
        "import tasks\n"
        "from factory.verifiers import pool\n"
        "list(pool.run(tasks.act, ['c_loop'] * 9, workers=2, time_limit=900))\n"
    )
    family: set[int] = set()
    with subprocess.Popen([sys.executable, str(script)], env=environment()) as starter:
        try:
            deadline = time.monotonic() + 30
            while len(family) < 3 and time.monotonic() < deadline:
                servers = processes_of(starter.pid)
                family = servers.union(*map(processes_of, servers))
                time.sleep(0.05)
            time.sleep(0.3)  # until both are in their loops
        finally:
            starter.send_signal(signal.SIGKILL)
    assert len(family) == 3
    wait_until_gone(family)


def test_a_server_waits_for_the_next_pool_of_its_kind_and_no_longer_than_it_is_kept() -> None:
    before = processes_of(os.getpid())
    with pool_server.kept():
        assert outcomes(["ok"] * 3, workers=1) == outcomes(["ok"] * 3, workers=1)
        (server,) = processes_of(os.getpid()) - before
        outcomes(["ok"], workers=2)
        assert len(processes_of(os.getpid()) - before) == 2, "another kind has its own"
        os.kill(server, signal.SIGKILL)
        wait_until_gone({server})
        assert outcomes(["ok"], workers=1) == outcomes(["ok"], workers=1), "a dead one is replaced"
        with contextlib.suppress(ValueError), pool_server.kept():
            raise ValueError
        assert processes_of(os.getpid()) - before, "the outer keeper keeps them"
    assert processes_of(os.getpid()) == before

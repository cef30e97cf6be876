"""The store: what a kill, a second writer, a full disk and a damaged part leave behind."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.atomic import write_atomically
from factory.errors import CheckFailed, OutsideError, UsageError
from factory.planning import LATEST
from factory.records import SAMPLES, VERDICTS
from factory.store import COMPACT_FROM, Store, _parts_in, put
from factory.writing import Writer


def samples(*indices: int, text: str = "it is 4") -> list[dict[str, Any]]:
    return [
        {
            "sample_id": f"s{index}",
            "problem_id": "p",
            "generator_id": "g",
            "sample_index": index,
            "completion": text,
            "run_id": "r",
        }
        for index in indices
    ]


def commit(store: Store, *indices: int, text: str = "it is 4") -> None:
    store.append("samples", pa.Table.from_pylist(samples(*indices, text=text), schema=SAMPLES))


def ids(store: Store) -> list[str]:
    return sorted(store.dataset("samples").to_table(columns=["sample_id"])["sample_id"].to_pylist())


def test_rows_come_back_as_they_went_in(tmp_path: Path) -> None:
    store = Store(tmp_path)
    commit(store, 0, 1, text="ünïcode \x00 and\nlines")
    row = store.dataset("samples").to_table().to_pylist()[0]
    assert row["completion"] == "ünïcode \x00 and\nlines"
    assert row["seconds"] is None
    assert store.dataset("samples").schema.equals(SAMPLES)


def test_an_empty_store_has_every_table(tmp_path: Path) -> None:
    store = Store(tmp_path / "none")
    with store.connect() as connection:
        assert connection.execute(
            "SELECT count(*) FROM samples JOIN verdicts USING (sample_id)"
        ).fetchall() == [(0,)]
    assert not (tmp_path / "none").exists()


def test_a_row_without_a_value_it_must_have_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rows = pa.Table.from_pylist([samples(0)[0] | {"completion": None}], schema=SAMPLES)
    with pytest.raises((ValueError, pa.ArrowInvalid)):
        store.append("samples", rows)
    assert list((tmp_path / "samples").iterdir()) == []


def test_compaction_supersedes_in_one_rename_and_loses_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for index in range(COMPACT_FROM + 4):
        commit(store, index)
    before = ids(store)
    assert store.compact("samples") == COMPACT_FROM + 4
    # The old files are still there for readers that have them open; nobody new sees them.
    assert len(list((tmp_path / "samples").glob("*.parquet"))) == COMPACT_FROM + 5
    assert len(store.parts("samples")) == 1
    assert ids(store) == before
    with store.lock("test"):
        assert len(list((tmp_path / "samples").glob("*.parquet"))) == 1
    commit(store, 99)
    assert ids(store) == sorted([*before, "s99"])


def test_parts_that_are_few_or_large_are_left_alone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for index in range(3):
        commit(store, index)
    assert store.compact("samples") == 0


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 8)), max_size=12))
@settings(max_examples=60)
def test_live_parts_never_overlap_by_containment(
    tmp_path_factory: Any, ranges: list[tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    for first, width in ranges:
        (folder / f"{first:010d}-{first + width:010d}.parquet").touch()
    live, superseded = _parts_in(folder)
    for part in superseded:
        assert any(one.first <= part.first and part.last <= one.last for one in live)
    for one in live:
        assert not any(
            other.first <= one.first and one.last <= other.last for other in live if other is not one
        )
    assert len(live) + len(superseded) == len({(first, first + width) for first, width in ranges})


# --- kill ---------------------------------------------------------------------------------------------


def _append_for_ever(root: Path) -> None:
    store = Store(root)
    for index in range(10**6):
        commit(store, 2 * index, 2 * index + 1)
        if index % 7 == 6:
            store.compact("samples")


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.11, 0.23])
def test_a_kill_leaves_whole_commits_only(tmp_path: Path, delay: float) -> None:
    writer = multiprocessing.get_context("spawn").Process(target=_append_for_ever, args=(tmp_path,))
    writer.start()
    while writer.is_alive() and len(list(tmp_path.glob("samples/*.parquet"))) < 3:
        time.sleep(0.005)
    time.sleep(delay)
    assert writer.pid
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    store = Store(tmp_path)
    found = ids(store)
    assert len(found) == len(set(found))
    assert len(found) % 2 == 0, "a commit is there whole or not at all"
    assert set(found) == {f"s{index}" for index in range(len(found))}
    with store.lock("after"):
        assert list(tmp_path.glob("samples/.tmp-*")) == []
        commit(store, 10**7)
    assert len(ids(store)) == len(found) + 1


# --- the lock -----------------------------------------------------------------------------------------

HOLD = """
import sys, time
from pathlib import Path
from factory.store import Store
with Store(Path(sys.argv[1])).lock("factory run other.yaml"):
    print("held", flush=True)
    time.sleep(60)
"""


def hold(root: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(root)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    return holder


def test_a_store_locked_by_a_living_process_is_refused_by_name(tmp_path: Path) -> None:
    with hold(tmp_path) as holder:
        with (
            pytest.raises(CheckFailed, match=f"process {holder.pid} .*factory run other.yaml"),
            Store(tmp_path).lock("x"),
        ):
            pass
        assert ids(Store(tmp_path)) == []  # readers need no lock
        holder.kill()


def test_the_lock_of_a_dead_process_is_free(tmp_path: Path) -> None:
    with hold(tmp_path) as holder:
        holder.kill()
        holder.wait()
    assert (tmp_path / "lock.json").exists()
    with Store(tmp_path).lock("next"):
        commit(Store(tmp_path), 0)
    assert ids(Store(tmp_path)) == ["s0"]


# --- damaged and foreign parts ------------------------------------------------------------------------


def test_a_truncated_part_is_named_and_nothing_is_touched(tmp_path: Path) -> None:
    store = Store(tmp_path)
    commit(store, 0)
    commit(store, 1)
    part = store.parts("samples")[0].path
    whole = part.read_bytes()
    part.write_bytes(whole[:-40])
    with pytest.raises(CheckFailed, match=rf"{re.escape(str(part))} is not a whole Parquet file"):
        Store(tmp_path).parts("samples")
    assert part.read_bytes() == whole[:-40]
    part.write_bytes(whole)
    assert ids(Store(tmp_path)) == ["s0", "s1"]


def test_a_part_cut_while_the_store_is_open_is_noticed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    commit(store, 0)
    assert ids(store) == ["s0"]
    part = store.parts("samples")[0].path
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(CheckFailed, match="not a whole Parquet file"):
        store.parts("samples")


def test_a_part_of_another_schema_version_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    commit(store, 0)
    part = store.parts("samples")[0].path
    other = SAMPLES.with_metadata({"factory.table": "samples", "factory.schema": "2"})
    pq.write_table(pq.read_table(part).cast(other), part)
    with pytest.raises(CheckFailed, match="samples schema version 2; this factory reads version 1"):
        Store(tmp_path).parts("samples")


def test_a_part_of_another_table_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    commit(store, 0)
    (tmp_path / "verdicts").mkdir()
    store.parts("samples")[0].path.rename(tmp_path / "verdicts" / "0000000001-0000000001.parquet")
    with pytest.raises(CheckFailed, match="verdicts schema version"):
        store.parts("verdicts")


def test_a_file_given_as_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file; name a folder"):
        Store(tmp_path / "file")


# --- the disk -----------------------------------------------------------------------------------------

FULL = """
import resource, signal, sys
from pathlib import Path
from factory.errors import OutsideError
from factory.store import Store
from factory.writing import Writer
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = Store(Path(sys.argv[1]))
row = {"problem_id": "p", "generator_id": "g", "sample_index": 0, "completion": "x", "run_id": "r"}
with Writer(store, "samples") as writer:
    writer.add(row | {"sample_id": "kept"})
resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))
try:
    with Writer(store, "samples") as writer:
        writer.add(row | {"sample_id": "lost"})
except OutsideError as error:
    print(error.exit_code, error)
"""


def test_a_full_disk_keeps_what_was_committed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("3 ")
    assert "the disk is full" in done.stdout
    assert "Everything committed before is kept" in done.stdout
    assert ids(Store(tmp_path)) == ["kept"]
    assert list(tmp_path.glob("samples/.tmp-*")) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_really_full_file_system(tmp_path: Path) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(tmp_path)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        store = Store(tmp_path)
        commit(store, 0)
        noise = os.urandom(400_000).hex()
        with pytest.raises(OutsideError, match="the disk is full"):
            commit(store, 1, text=noise)
        assert ids(store) == ["s0"]
        commit(store, 2)
        assert ids(store) == ["s0", "s2"]
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_an_error_that_is_not_the_disk_stays_what_it_is(tmp_path: Path) -> None:
    def fail(_: Any) -> None:
        raise PermissionError(13, "denied")

    with pytest.raises(PermissionError):
        write_atomically(tmp_path / "file", fail)
    assert list(tmp_path.iterdir()) == []


# --- the writer ---------------------------------------------------------------------------------------


def test_a_row_is_committed_by_time_although_no_other_follows(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with Writer(store, "samples", seconds=0.2) as writer:
        writer.add(samples(0)[0])
        deadline = time.monotonic() + 10
        while not ids(store) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert ids(store) == ["s0"]
        writer.add(samples(1)[0])
    assert ids(store) == ["s0", "s1"]


def test_what_was_added_is_committed_although_the_stage_fails(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def fail() -> None:
        with Writer(store, "samples") as writer:
            writer.add(samples(0)[0])
            raise OutsideError("the engine died")

    with pytest.raises(OutsideError, match="the engine died"):
        fail()
    assert ids(store) == ["s0"]


def test_an_error_of_the_timer_reaches_the_caller(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (tmp_path / "samples").write_text("a file where the folder should be")

    def fill() -> None:
        with Writer(store, "samples", seconds=0.05) as writer:
            writer.add(samples(0)[0])
            time.sleep(0.5)

    with pytest.raises(OSError, match="samples"):
        fill()


# --- what is missing ----------------------------------------------------------------------------------


@given(st.sets(st.integers(0, 20)), st.integers(0, 20))
@settings(max_examples=25)
def test_missing_is_planned_less_present(tmp_path_factory: Any, present: set[int], planned: int) -> None:
    store = Store(tmp_path_factory.mktemp("store"))
    if present:
        commit(store, *present)
    with store.connect() as connection:
        put(connection, "plan_ids", pa.table({"sample_index": pa.array(range(planned), pa.int32())}))
        rows = connection.execute(
            "SELECT sample_index FROM plan_ids p WHERE NOT EXISTS"
            " (FROM samples s WHERE s.sample_index = p.sample_index) ORDER BY 1"
        ).fetchall()
    assert {index for (index,) in rows} == set(range(planned)) - present


def test_attempts_are_kept_and_the_highest_is_read(tmp_path: Path) -> None:
    store = Store(tmp_path)
    row = {
        "sample_id": "s",
        "verifier": "math",
        "version": "1",
        "status": "error",
        "reason": "crash",
        "run_id": "r",
    }
    store.append("verdicts", pa.Table.from_pylist([row | {"attempt": 0, "answer": "5"}], schema=VERDICTS))
    store.append("verdicts", pa.Table.from_pylist([row | {"attempt": 1, "status": "pass"}], schema=VERDICTS))
    with store.connect() as connection:
        connection.execute(LATEST)
        found = connection.execute("SELECT attempt, status, answer FROM latest").fetchall()
    assert found == [(1, "pass", None)]


def test_a_store_whose_lock_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()  # stands for a folder that one may not write, which root always may
    with pytest.raises(UsageError, match="cannot be written"), Store(tmp_path).lock("test"):
        pass

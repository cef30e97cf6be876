"""Claims: what every instant of a kill leaves, and what the next writer makes of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from factory.errors import OutsideError, UsageError
from factory.generators.base import Failure
from factory.sampling.account import Account, Purse
from factory.sampling.claims import FILE, Claims, under_way
from factory.store import Store
from tests.support.budgets import GENERATOR, JUDGE, Reader, plan, request, served, stored


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "store")
    with store.lock("test"):
        yield store


def purse_of(claims: Claims, run: str = "one", **now: Any) -> Purse:
    return Account(claims, plan(), run, {}, **now).purse(GENERATOR, Reader())


def recover(store: Store, run: str = "next") -> dict[str, Any]:
    with Claims(store) as claims, store.connect() as connection:
        return claims.recover(connection, run)


def ledger(store: Store) -> list[dict[str, Any]]:
    rows = store.dataset("ledger").to_table().to_pylist()
    assert len({row["charge_id"] for row in rows}) == len(rows), "a call was charged twice"
    return sorted(rows, key=lambda row: row["sample_id"])


def dies(*_: object) -> None:
    """In the place of what comes next: the process ends there."""
    raise SystemExit


NONE: dict[str, Any] = {"presumed": 0, "lost": 0, "failed": 0, "stored": 0, "rebuilt": False}


def test_each_state_of_a_call_becomes_its_kind_of_charge(store: Store) -> None:
    clock = iter([0.0, 0.0, 0.0, 0.0, 0.0, 6.0, 6.0, 6.0, 6.0, 6.0])
    with Claims(store) as claims:
        purse = purse_of(claims, now=lambda: next(clock))
        for ident in ("cut", "dead", "failed", "there"):
            assert purse.admit(request(ident))
        purse.settle(served(request("dead"), written=3))
        purse.settle(served(request("there"), written=4))
        purse.settle(Failure(request("failed"), "no reply", began=True))
    stored(store, served(request("there"), written=4))
    assert recover(store) == NONE | {"presumed": 1, "lost": 1, "failed": 1, "stored": 1}
    rows = {row["sample_id"]: row for row in ledger(store)}
    assert {ident: row["kind"] for ident, row in rows.items()} == {
        "cut": "presumed",
        "dead": "lost",
        "failed": "failed",
    }
    assert rows["cut"]["completion_tokens"] == 10, "max_tokens"
    assert rows["dead"]["completion_tokens"] == 3, "what it really wrote"
    assert [rows[ident]["presumed"] for ident in ("cut", "dead", "failed")] == [True, False, True]
    assert {row["recipe"] for row in rows.values()} == {"spent"}
    assert {row["run_id"] for row in rows.values()} == {"one"}
    assert rows["dead"]["engine_seconds"] == 1.5
    assert recover(store) == NONE, "what was charged is not charged again"


def test_calls_of_this_run_are_left_alone(store: Store) -> None:
    with Claims(store) as claims:
        assert purse_of(claims, "now").admit(request("a"))
    assert recover(store, "now") == NONE
    assert recover(store, "later")["presumed"] == 1


def test_a_kill_between_charge_and_removal_charges_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Claims(store) as claims:
        assert purse_of(claims).admit(request("a"))
    with monkeypatch.context() as patched:
        patched.setattr(Claims, "drop", dies)
        with pytest.raises(SystemExit):
            recover(store)
    assert len(ledger(store)) == 1
    assert recover(store) == NONE | {"stored": 1}
    assert len(ledger(store)) == 1


def test_a_kill_before_the_charge_is_written_leaves_the_claim(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Claims(store) as claims:
        assert purse_of(claims).admit(request("a"))
    with monkeypatch.context() as patched:
        patched.setattr(Store, "append", dies)
        with pytest.raises(SystemExit):
            recover(store)
    assert not ledger(store)
    assert recover(store)["presumed"] == 1


def test_attempts_that_failed_are_charged_although_a_later_one_was_stored(store: Store) -> None:
    with Claims(store) as claims, store.connect() as connection:
        purse = purse_of(claims)
        assert purse.admit(request("a"))
        assert purse.again(request("a"))
        done = served(request("a"), written=2)
        purse.settle(done)
        stored(store, done)
        purse.committed(["a"])
        assert claims.pending("one")[GENERATOR.generator_id]["tokens"] == 15
        assert claims.book(connection, "one") == 1
        assert claims.pending("one") == {}
    (row,) = ledger(store)
    assert (row["kind"], row["samples"], row["completion_tokens"]) == ("failed", 0, 10)


def test_a_judges_call_is_not_accounted_for_by_the_sample_it_is_about(store: Store) -> None:
    stored(store, served(request("problem of a.0"), written=1))
    with Claims(store) as claims:
        purse = Account(claims, plan(), "one", {}).purse(JUDGE, Reader())
        assert purse.admit(request("a.0"), "f" * 32)
    assert recover(store)["presumed"] == 1
    (row,) = ledger(store)
    assert (row["charge_id"], row["sample_id"]) == ("f" * 32, "problem of a.0")


def test_a_process_that_is_killed_loses_no_claim(store: Store) -> None:
    program = textwrap.dedent(
        """
        import sys
        from factory.sampling.account import Account
        from factory.sampling.claims import Claims
        from factory.store import Store
        from tests.support.budgets import GENERATOR, Reader, plan, request, served
        with Claims(Store(sys.argv[1])) as claims:
            purse = Account(claims, plan(), "killed", {}).purse(GENERATOR, Reader())
            for number in range(64):
                assert purse.admit(request(f"s{number:02}"))
            purse.settle(served(request("s00"), written=1))
            print("ready", flush=True)
            sys.stdin.read()
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(store.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    known = under_way(store.root)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert known[GENERATOR.generator_id]["samples"] == 63, "a reader sees them while they are under way"
    assert recover(store) == NONE | {"presumed": 63, "lost": 1}


@pytest.mark.parametrize("damage", ["cut", "overwritten", "emptied", "another"])
def test_a_damaged_record_is_put_aside_and_said(
    store: Store, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Claims(store) as claims:
        purse = purse_of(claims)
        for number in range(200):
            assert purse.admit(request(f"s{number}"))
    stored(store, served(request("drawn"), written=1))
    path = store.root / FILE
    whole = path.read_bytes()
    content = {
        "cut": whole[: len(whole) // 2],
        "overwritten": whole[:5000] + os.urandom(20_000) + whole[25_000:],
        "emptied": b"",
        "another": b"this is a diary" * 1000,
    }
    path.write_bytes(content[damage])
    assert recover(store) == NONE | {"rebuilt": True}
    assert "not charged" in caplog.text
    assert (store.root / f"{FILE}.damaged").exists() == (damage != "emptied")
    with Claims(store) as claims:
        assert purse_of(claims, "after").admit(request("b")), "the new one can be used"
    assert recover(store) == NONE | {"presumed": 1}


def test_a_record_that_is_gone_is_said_where_draws_were_on_record(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    assert recover(store) == NONE, "a new store has nothing to lose"
    stored(store, served(request("drawn"), written=1))
    (store.root / FILE).unlink()
    assert recover(store)["rebuilt"]
    assert "is not there" in caplog.text


def test_a_record_that_cannot_be_written_is_refused(store: Store) -> None:
    (store.root / FILE).mkdir()
    with pytest.raises(UsageError, match=r"cannot be written .* use another --store"), Claims(store):
        pass


def test_a_call_that_cannot_be_recorded_is_not_made(store: Store) -> None:
    with Claims(store) as claims:
        purse = purse_of(claims)
        claims._connection.execute("PRAGMA query_only = ON")
        with pytest.raises(OutsideError, match=r"could not be recorded .* so it was not made"):
            purse.admit(request("a"))
        claims._connection.execute("PRAGMA query_only = OFF")
    assert recover(store) == NONE


@pytest.mark.parametrize("content", [None, b"no database at all" * 100])
def test_a_reader_of_what_cannot_be_read_is_told_nothing(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    assert under_way(tmp_path) == {}
    assert sorted(one.name for one in tmp_path.iterdir()) == ([FILE] if content else []), "it writes nothing"


def test_time_of_calls_cut_off_is_shared_among_them(store: Store) -> None:
    clock = iter([0.0, 0.0, 0.0, 4.0, 8.0])
    with Claims(store) as claims:
        purse = purse_of(claims, now=lambda: next(clock))
        assert purse.admit(request("a"))
        assert purse.admit(request("b"))
        assert purse.admit(request("c")), "4 seconds on"
        purse.settle(served(request("c"), written=1))
    recover(store)
    seconds = {row["sample_id"]: row["engine_seconds"] for row in ledger(store)}
    assert sum(seconds.values()) == pytest.approx(8.0)
    assert seconds["a"] == seconds["b"]


def test_a_second_stream_of_a_generator_has_a_clock_of_its_own(store: Store) -> None:
    first, second = iter([0.0, 0.0, 100.0]), iter([0.0, 0.0, 1.0, 3.0])
    with Claims(store) as claims:
        purse = purse_of(claims, now=lambda: next(first))
        assert purse.admit(request("a"))
        purse.settle(served(request("a"), written=1))
        purse = purse_of(claims, now=lambda: next(second))
        assert purse.admit(request("b"))
        assert purse.admit(request("c"))
        purse.settle(served(request("c"), written=1))
    recover(store)
    seconds = {row["sample_id"]: row["engine_seconds"] for row in ledger(store)}
    assert seconds["b"] == pytest.approx(3.0 - 1.0), "of 3 seconds its neighbour had one"


def test_charges_of_a_claim_change_with_its_state_alone(store: Store) -> None:
    """A claim is written again under its key: the last word counts."""
    with Claims(store) as claims:
        purse = purse_of(claims)
        assert purse.admit(request("a"))
        (call,) = purse._calls.values()
        claims.write(replace(call.claim, state="ended", completion_tokens=1), purse._read())
    assert recover(store)["lost"] == 1

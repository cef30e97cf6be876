"""The order of rows, the ledger of what was consumed, and checkpoints: each a law, and what a kill leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.errors import UsageError
from factory.training import checkpoints, ledger, order
from factory.training.ledger import Step

counts = st.integers(1, 40)


@given(rows=counts, seed=st.integers(0, 5), steps=counts, batch=st.integers(1, 8))
def test_every_epoch_holds_every_row_once(rows: int, seed: int, steps: int, batch: int) -> None:
    planned = order.planned(rows, seed, steps, batch).tolist()
    assert len(planned) == steps * batch
    for start in range(0, len(planned), rows):
        part = planned[start : start + rows]
        assert len(set(part)) == len(part), f"a row comes twice in the epoch that begins at {start}"
        if len(part) == rows:
            assert sorted(part) == list(range(rows))


@given(rows=counts, seed=st.integers(0, 5), steps=counts, more=counts, batch=st.integers(1, 8))
def test_a_longer_training_begins_as_a_shorter_one(
    rows: int, seed: int, steps: int, more: int, batch: int
) -> None:
    longer = order.planned(rows, seed, steps + more, batch)
    assert order.planned(rows, seed, steps, batch).tolist() == longer[: steps * batch].tolist()


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    planned = order.planned(50, 0, 100, 1).tolist()
    assert planned[:50] != planned[50:]
    assert planned[:50] != order.planned(50, 1, 50, 1).tolist()


def test_no_row_has_no_order() -> None:
    with pytest.raises(ValueError, match="no row"):
        order.planned(0, 0, 1, 1)


def test_the_digest_tells_orders_apart() -> None:
    assert order.digest(["a", "b"]) != order.digest(["b", "a"])
    assert order.digest(["ab"]) != order.digest(["a", "b"])
    assert order.digest(["a", "b"]) == "911169ddaaf146aff539f58c26c489af3b892dff0fe283c1c264c65ae5aa59a2", (
        "printf 'a\\nb\\n' | sha256sum"
    )


# --- the ledger --------------------------------------------------------------------------------------


def step(number: int, rows: list[int], loss: float = 1.0) -> Step:
    return Step(number, rows, loss, 0.1, 1.0, tokens=8, loss_tokens=4, seconds=2.0)


def begun(path: Path, steps: int) -> ledger.Ledger:
    found = ledger.read(path)
    found.resume(0)
    for number in range(1, steps + 1):
        found.add(step(number, [number]))
    return found


def test_a_step_done_again_replaces_its_line_and_its_time_stays_counted(tmp_path: Path) -> None:
    path = tmp_path / ledger.NAME
    begun(path, 5)
    again = ledger.read(path)
    again.resume(2)
    for number in (3, 4):
        again.add(step(number, [100 + number]))
    found = ledger.read(path)
    assert [one.rows for one in found.steps] == [[1], [2], [103], [104]]
    assert found.resumed_at == [2]
    assert found.lost_seconds == 6.0, "the seconds of steps 3, 4 and 5"


def test_a_line_cut_in_half_ends_the_ledger(tmp_path: Path) -> None:
    path = tmp_path / ledger.NAME
    begun(path, 3)
    path.write_text(path.read_text()[:-20])
    assert [one.step for one in ledger.read(path).steps] == [1, 2]


def test_stopping_as_asked_is_no_interruption_and_everything_else_is(tmp_path: Path) -> None:
    path = tmp_path / ledger.NAME
    begun(path, 4).end()
    stopped = ledger.read(path)
    stopped.resume(4)
    assert stopped.resumed_at == []
    killed = ledger.read(path)
    killed.resume(4)
    assert killed.resumed_at == [4], "a process began at step 4 and did not end"
    killed.resume(0)
    assert killed.resumed_at == [4, 0]


def test_a_ledger_has_no_gap(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="step 3 comes after step 1"):
        begun(tmp_path / ledger.NAME, 1).add(step(3, [3]))


def test_a_short_curve_has_every_step_and_a_long_one_about_two_hundred() -> None:
    short = [step(number, [0], float(number)) for number in range(1, 6)]
    assert [(one.step, one.loss) for one in ledger.curve(short, 5)] == [(n, float(n)) for n in range(1, 6)]
    long = [step(number, [0], float(number)) for number in range(1, 1001)]
    points = ledger.curve(long, 1000)
    assert len(points) == 200
    assert (points[0].step, points[0].loss) == (5, 3.0), "the mean of 1, 2, 3, 4, 5"
    assert [one.step for one in ledger.curve(long[:7], 1000)] == [5, 7], "a part has the points of the whole"
    assert ledger.curve([], 1000) == []


# --- checkpoints -------------------------------------------------------------------------------------


def checkpoint(work: Path, number: int, *, closed: bool = True) -> Path:
    folder = work / f"checkpoint-{number}"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights" * number)
    (folder / "optimizer.pt").write_bytes(b"moments")
    if closed:
        checkpoints.close(folder)
    return folder


def test_the_last_whole_checkpoint_is_found(tmp_path: Path) -> None:
    assert checkpoints.latest(tmp_path, 100) == (0, None)
    checkpoint(tmp_path, 8)
    last = checkpoint(tmp_path, 10)
    assert checkpoints.latest(tmp_path, 100) == (10, last)


@pytest.mark.parametrize("fault", ["no marker", "a file is gone", "a file is short", "the marker is cut"])
def test_a_checkpoint_that_is_not_whole_is_not_resumed_from(tmp_path: Path, fault: str) -> None:
    before = checkpoint(tmp_path, 4)
    broken = checkpoint(tmp_path, 6, closed=fault != "no marker")
    if fault == "a file is gone":
        (broken / "optimizer.pt").unlink()
    if fault == "a file is short":
        (broken / "model.safetensors").write_bytes(b"weig")
    if fault == "the marker is cut":
        marker = broken / "whole.json"
        marker.write_bytes(marker.read_bytes()[:5])
    assert checkpoints.latest(tmp_path, 100) == (4, before), fault
    assert not broken.exists(), "training would write into it"


def test_a_checkpoint_that_is_written_anew_is_open(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, 4)
    checkpoints.open_anew(folder)
    assert not checkpoints.whole(folder)


def test_checkpoints_after_the_last_step_that_is_asked_for_are_removed(tmp_path: Path) -> None:
    early, late = checkpoint(tmp_path, 4), checkpoint(tmp_path, 8)
    assert checkpoints.latest(tmp_path, 6) == (4, early)
    assert not late.exists()


def test_a_folder_of_checkpoints_is_of_one_training(tmp_path: Path) -> None:
    checkpoints.claim(tmp_path / "work", {"seed": 0, "steps": 8}).release()
    checkpoints.claim(tmp_path / "work", {"steps": 8, "seed": 0}).release()
    with pytest.raises(UsageError, match=r"another training \(seed: 0 there, 1 here\)"):
        checkpoints.claim(tmp_path / "work", {"seed": 1, "steps": 8})


def test_two_processes_do_not_train_in_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "_PATIENCE", 0.05)
    held = checkpoints.claim(tmp_path, {"seed": 0})
    with pytest.raises(UsageError, match="another process trains here"):
        checkpoints.claim(tmp_path, {"seed": 0})
    held.release()
    assert json.loads((tmp_path / "training.json").read_text()) == {"seed": 0}

"""Loops that are killed with kill -9 and taken up again, and what must be as if they had not been.

A loop runs as `factory loop` in a process of its own, which commits every fifth of a second, so that short
ones have moments in which they can be killed. The processes are forks of one that has imported what takes
seconds to import; none of them shares anything else.
"""

from __future__ import annotations

import copy
import hashlib
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Final

from factory import cli, writing
from factory.errors import CheckFailed
from factory.loop import loop_state
from factory.store import Store

HASTY = "import factory.writing as w; w.FLUSH_SECONDS = 0.2; from factory.cli import main; main()"


def command(recipe: str, store: Path) -> list[str]:
    return [sys.executable, "-c", HASTY, "loop", recipe, "--json", "-q", "--store", str(store)]


PROCESSES: Final = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["torch", "transformers.models.llama.modeling_llama"])


def _loop(recipe: str, store: Path, cwd: Path, environment: dict[str, str]) -> None:
    """What a process runs; what it says goes to files beside the store."""
    os.environ.update(environment)
    os.chdir(cwd)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(said(store, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv = ["factory", "loop", recipe, "--json", "-q", "--store", str(store)]
    writing.FLUSH_SECONDS = 0.2  # type: ignore[misc]
    cli.main()


def said(store: Path, name: str) -> Path:
    """The file with what the last process of a store said: `out` or `err`."""
    return store.with_name(f"{store.name}.{name}")


def _started(recipe: str, store: Path, cwd: Path) -> ForkServerProcess:
    process = PROCESSES.Process(target=_loop, args=(recipe, store, cwd, dict(os.environ)))
    process.start()
    return process


def finish(recipe: str, store: Path, cwd: Path) -> dict[str, Any]:
    """Carry the loop to its end; returns its state."""
    process = _started(recipe, store, cwd)
    process.join()
    assert process.exitcode == 0, said(store, "err").read_text()
    state = read(store)
    assert state is not None
    assert json.loads(said(store, "out").read_text())["stopped"] == state["stopped"]
    return state


def kill(recipe: str, store: Path, cwd: Path, moment: Callable[[Path], bool]) -> bool:
    """Start the loop and kill it at a moment; whether it came."""
    process = _started(recipe, store, cwd)
    until = time.monotonic() + 600
    try:
        while process.is_alive() and time.monotonic() < until:
            if moment(store):
                process.kill()
                return True
            time.sleep(0.01)
        assert process.exitcode in (0, None), said(store, "err").read_text()
        return False
    finally:
        process.kill()
        process.join()


def read(store: Path) -> dict[str, Any] | None:
    """The state of the only loop of a store, if it has one."""
    for folder in (store / "loops").glob("*@*"):
        return loop_state.read(folder)
    return None


def running(store: Path) -> tuple[int, str] | None:
    """The round and the step that go on now."""
    try:
        state = read(store)
    except CheckFailed:
        return None
    now = None if state is None else state["running"]
    return None if now is None else (now["round"], now["step"])


def sampling(number: int, samples: int) -> Callable[[Path], bool]:
    """While round `number` samples, and so many samples are committed since the moment was first seen."""
    before: list[int] = []

    def moment(store: Path) -> bool:
        if running(store) != (number, "release"):
            return False
        there = Store(store).count("samples")
        before.append(there)
        return there >= before[0] + samples

    return moment


def training(number: int, checkpoints: int) -> Callable[[Path], bool]:
    """While round `number` trains, and its checkpoint of so many has been written."""

    def moment(store: Path) -> bool:
        if running(store) != (number, "train"):
            return False
        return len(list((store / "models").glob(".*.work/**/checkpoint-*"))) >= checkpoints

    return moment


def evaluating(number: int, samples: int) -> Callable[[Path], bool]:
    """While round `number` is evaluated, and so many answers are committed."""
    before: list[int] = []

    def moment(store: Path) -> bool:
        if running(store) != (number, "evaluate"):
            return False
        there = Store(store).count("samples")
        before.append(there)
        return there >= before[0] + samples

    return moment


def samples(store: Path) -> dict[str, dict[str, Any]]:
    """Every committed sample by its id; fails when one is there twice."""
    rows = Store(store).dataset("samples").to_table().to_pylist()
    found = {row["sample_id"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def outputs(store: Path) -> dict[str, tuple[int, str]]:
    """Time of change and digest of every file of a finished release or model."""
    found = {}
    for kind in ("releases", "models"):
        for path in sorted((store / kind).rglob("*")):
            parts = path.relative_to(store / kind).parts
            if path.is_file() and not parts[0].startswith("."):
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                found[os.path.join(kind, *parts)] = (path.stat().st_mtime_ns, digest)
    return found


def settled(state: dict[str, Any]) -> dict[str, Any]:
    """A state less the times, where its store lies, and what tells that it was taken up again."""
    plain = copy.deepcopy(state)
    plain.pop("resumed")
    for entry in plain["rounds"]:
        entry.pop("seconds")
        if entry["model"]:
            for key in ("seconds", "resumed_at"):
                entry["model"]["result"].pop(key)
        if entry["evaluation"]:
            entry["evaluation"].pop("evaluation_id")
            for one in entry["evaluation"]["models"]:
                one["reference"] = Path(one["reference"]).name
        costs = [entry["release"]["metrics"]] if entry["release"] else []
        while costs:
            part = costs.pop()
            for name in ("seconds", "engine_seconds", "budget"):  # with calls that a kill cut off
                part.pop(name, None)
            costs += [one for by in part.get("by", {}).values() for one in by.values()]
    return plain

"""What a loop has done so far: `<store>/loops/NAME@VERSION/state.json`.

Guarantees: the file is there whole or not at all, and is written after each step with what the step made; one
process at a time carries a loop on; a loop goes on only under the settings that it began with, but for those
that say when it ends. Seconds of a step are those of all its attempts, of one that was killed up to its last
sign of life. Left out: the steps themselves (`looping.py`), and whether what they made is still there.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import filelock

from factory.atomic import write_atomically
from factory.errors import CheckFailed, UsageError
from factory.recipe import Recipe
from factory.store import Store
from factory.training_sections import OPERATIONAL

FORMAT: Final = 1
STATE: Final = "state.json"
ALIVE: Final = "alive"
"""Touched while a step goes on, so that the time of one that was killed is known."""

State = dict[str, Any]
"""
{"format", "name", "version", "description", "learner": name, "settings": {...}, "base": {"reference" or null,
"folder" or null, "weights"} or null, "resumed": times it was taken up again before it had ended, "running":
{"round", "step", "since"} or null, "stopped": {"why", "reason"} or null, "best": round or null, "rounds":
[{"round": 0, "sampled_from": model or null, "release": {"id", "release_id", "counts", "metrics", "rows":
{config: rows}, "kept": {generator: samples} or null} or null, "model": {"id", "folder", "training_id",
"weights", "result"} or null, "evaluation": what `evaluating.evaluate` returns or null, "seconds": {step:
seconds}, "done": bool}, ...]}.
Folders are relative to the store.
"""


def folder_of(store: Store, recipe_id: str) -> Path:
    """Where the loop NAME@VERSION keeps what it knows of itself."""
    return store.root / "loops" / recipe_id


@contextlib.contextmanager
def held(folder: Path, recipe_id: str) -> Iterator[None]:
    """Keep the loop to this process; CheckFailed when another one carries it on."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{folder}: cannot make this folder ({error.strerror}); use another --store"
        ) from error
    lock = filelock.FileLock(folder / "lock")
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        raise CheckFailed(
            f"the loop {recipe_id} is carried on by another process; wait for it to end, or use another "
            "--store"
        ) from None
    try:
        yield
    finally:
        lock.release()


def read(folder: Path) -> State | None:
    """The state of a loop, or None where none was begun. Raises CheckFailed for a file that is none."""
    path = folder / STATE
    try:
        state = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        state, told = None, f" ({type(error).__name__})"
    else:
        told = ""
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise CheckFailed(
            f"{path} is not the state of a loop that this version reads{told}. Nothing was changed. Put a "
            "good copy in its place, or remove the folder: the loop then begins anew; samples and releases "
            "are kept"
        )
    return state


def overview(store: Store) -> list[dict[str, str]]:
    """Every loop of a store with how it stands, in words."""
    found = []
    for folder in sorted((store.root / "loops").glob("[!.]*@*")):
        try:
            state = read(folder)
        except CheckFailed as error:
            told = str(error)
        else:
            told = "not begun" if state is None else _stands(state)
        found.append({"loop": folder.name, "told": told})
    return found


def _stands(state: State) -> str:
    done = max((one["round"] for one in state["rounds"] if one["done"]), default=None)
    rounds = "no round is done" if done is None else f"round {done} is done"
    if state["stopped"] is not None:
        return f"{rounds}; it ended: {state['stopped']['reason']}"
    running = state["running"]
    at = f", at the step {running['step']} of round {running['round']}" if running else ""
    return f"{rounds}; it has not ended{at}; `factory loop` with the same recipe goes on"


def opened(folder: Path, recipe: Recipe, learner: str) -> State:
    """The state to go on from; a new one is not written before its first step begins.

    Raises CheckFailed naming what differs when the loop was begun with other settings.
    """
    now = settings(recipe)
    state = read(folder)
    if state is None:
        return {
            "format": FORMAT,
            "name": recipe.name,
            "version": recipe.version,
            "description": recipe.description,
            "learner": learner,
            "settings": now,
            "base": None,
            "resumed": 0,
            "running": None,
            "stopped": None,
            "best": None,
            "rounds": [],
        }
    changed = list(_differences(state["settings"], now))
    if changed:
        raise CheckFailed(
            f"the loop {recipe.id} was begun with other settings: {'; '.join(changed[:8])}"
            + (f"; and {len(changed) - 8} more" if len(changed) > 8 else "")
            + ". It goes on under those it began with (loop.rounds and what of loop.stop says when it ends "
            "may change); raise the version in the recipe, or add --set version=..., for a loop of its own"
        )
    _account(folder, state)
    return state


def settings(recipe: Recipe) -> dict[str, Any]:
    """All that can change what a loop makes, as plain data: not how fast, and not when it ends."""
    plain = recipe.model_dump(mode="json", include={"train", "evaluate", "loop"})
    for key in OPERATIONAL:
        (plain["train"] or {}).pop(key, None)
    loop = plain["loop"] or {}
    loop.pop("rounds", None)
    loop["stop"] = {"on": (loop.get("stop") or {}).get("on")}
    return recipe.content() | plain


def save(folder: Path, state: Mapping[str, Any]) -> None:
    """Write the state; what was written before is replaced in one instant."""
    text = json.dumps(state, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(folder / STATE, lambda file: file.write(text.encode()))


def round_of(state: State, number: int) -> dict[str, Any]:
    """The entry of a round, a new one where it has not begun."""
    rounds: list[dict[str, Any]] = state["rounds"]
    if number == len(rounds):
        rounds.append(
            {
                "round": number,
                "sampled_from": None,
                "release": None,
                "model": None,
                "evaluation": None,
                "seconds": {},
                "done": False,
            }
        )
    return rounds[number]


@contextlib.contextmanager
def step(folder: Path, state: State, number: int, name: str) -> Iterator[None]:
    """Time a step of a round; when it ends, well or not, the state is written with its seconds."""
    round_of(state, number)
    state["stopped"] = None
    state["running"] = {"round": number, "step": name, "since": time.time()}
    save(folder, state)
    began = time.monotonic()
    try:
        yield
    finally:
        state["running"] = None
        _add(state, number, name, time.monotonic() - began)
        save(folder, state)


class Pulse:
    """Tells the file system, at most once a second, that a step goes on."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / ALIVE
        self._told = 0.0

    def beat(self) -> None:
        now = time.monotonic()
        if now - self._told >= 1.0:
            self._told = now
            self._file.touch()


def _account(folder: Path, state: State) -> None:
    """Count an interruption, and add the seconds of the step that was killed."""
    if state["stopped"] is None:
        state["resumed"] += 1
    running = state["running"]
    if running is not None:
        with contextlib.suppress(OSError):
            lived = (folder / ALIVE).stat().st_mtime - running["since"]
            _add(state, running["round"], running["step"], max(0.0, lived))
        state["running"] = None


def _add(state: State, number: int, name: str, seconds: float) -> None:
    spent = round_of(state, number)["seconds"]
    spent[name] = round(spent.get(name, 0.0) + seconds, 3)


def _differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """One `key: old -> new` for every leaf that differs; a missing key counts as null."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _differences(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
    elif old != new:
        yield f"{path}: {_short(old)} -> {_short(new)}"


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."

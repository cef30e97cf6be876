"""Kills a loop many times at drawn moments, takes it up again, and compares it with an undisturbed run.

    python tests/benchmarks/loop_kills.py recipes/rest-em-nano.yaml --kills 4 --folder /tmp/kills

Prints one line a kill, and what differs at the end: samples that were changed, releases and models that were
written again, rows by stage, accuracies. Exit code 1 when something committed was changed. The folder keeps
both stores; `--folder` of a run that ended early takes the undisturbed one up again.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from factory.loop import loop_figures
from tests.support import loop_kills


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--kills", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--folder", type=Path, required=True)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    recipe, here = str(asked.recipe.resolve()), asked.folder.resolve()
    began = time.monotonic()
    expected = loop_kills.finish(recipe, here / "undisturbed", here)
    minutes = sum(sum(one["seconds"].values()) for one in expected["rounds"]) / 60
    print(f"undisturbed: {minutes:.1f} minutes ({time.monotonic() - began:.0f} s now)", flush=True)
    draw, faults = random.Random(asked.seed), 0
    for number in range(asked.kills):
        faults += killed(recipe, here, draw.uniform(0.5, 1.5) * 60 * minutes / (asked.kills + 1), number)
    before = committed(here / "store")
    state = loop_kills.finish(recipe, here / "store", here)
    faults += changed(before, committed(here / "store"))
    faults += compare(state, expected)
    same_texts(here)
    return 1 if faults else 0


def killed(recipe: str, here: Path, seconds: float, number: int) -> int:
    """Run for so long, kill, and count what was changed of what had been committed before."""
    store = here / "store"
    before = committed(store)
    process = subprocess.Popen(
        loop_kills.command(recipe, store), cwd=here, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    status = process.wait()
    at = loop_kills.running(store)
    print(f"kill {number + 1} after {seconds:.0f} s, exit {status}, at {at}", flush=True)
    return changed(before, committed(store))


def committed(store: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    return (loop_kills.samples(store), loop_kills.outputs(store)) if store.is_dir() else ({}, {})


def changed(before: tuple[dict[str, Any], ...], after: tuple[dict[str, Any], ...]) -> int:
    """How many samples and files of before are not there as they were; prints the first of them."""
    faults = [key for old, new in zip(before, after, strict=True) for key in old if new.get(key) != old[key]]
    if faults:
        print(f"CHANGED: {len(faults)}, as {faults[0]}")
    return len(faults)


def compare(state: dict[str, Any], expected: dict[str, Any]) -> int:
    """How many rounds have other rows by stage; prints accuracies side by side."""
    faults = 0
    for one, other in zip(state["rounds"], expected["rounds"], strict=True):
        ours, theirs = (
            {"counts": it["release"]["counts"], "rows": it["release"]["rows"]} if it["release"] else None
            for it in (one, other)
        )
        if ours != theirs:
            faults += 1
            print(f"round {one['round']}: {ours} where the undisturbed run has {theirs}")
    for ours, theirs in zip(
        loop_figures.summary(state)["rounds"], loop_figures.summary(expected)["rounds"], strict=True
    ):
        for name, told in ours["accuracy"].items():
            whole = theirs["accuracy"][name]
            print(
                f"round {ours['round']} {name}: {told['value']} against {whole['value']} "
                f"[{whole['low']}, {whole['high']}]"
            )
    print(f"equal but for times: {loop_kills.settled(state) == loop_kills.settled(expected)}")
    return faults


def same_texts(here: Path) -> None:
    ours, theirs = loop_kills.samples(here / "store"), loop_kills.samples(here / "undisturbed")
    both = ours.keys() & theirs.keys()
    same = sum(ours[key]["completion"] == theirs[key]["completion"] for key in both)
    print(f"samples: {len(ours):,} and {len(theirs):,}, {len(both):,} of both, {same:,} with the same text")


if __name__ == "__main__":
    sys.exit(main())

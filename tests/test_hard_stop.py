"""Hard stops through the real command line: killed runs, faulty servers, and what a server really counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from factory.sampling.claims import under_way
from tests.support.hard_stops import Fault, ScriptedServer, figures, finish, kill_at, write
from tests.support.running import done, factory

MOST = 40


@pytest.mark.parametrize(("match", "amount", "kills"), [("tokens", 60_000.0, 1), ("usd", 100_000.0, 3)])
def test_a_killed_run_never_costs_more_than_its_amount(
    tmp_path: Path, match: str, amount: float, kills: int
) -> None:
    with ScriptedServer(delay=0.15, words=MOST) as server:
        write(tmp_path, server, problems=60, most=MOST, match=match, amount=amount)
        for _ in range(kills):
            assert kill_at(tmp_path, server, 150), "it was to be killed while 64 requests were under way"
        assert under_way(tmp_path / "store"), "what was under way is on record, for readers without a lock"
        finish(tmp_path)
        found = figures(tmp_path, server, match=match, amount=amount)
        again = finish(tmp_path)
        assert figures(tmp_path, server, match=match, amount=amount) == found, "a second run draws nothing"
    assert found.charges["presumed"] >= 64, "the calls that the kills cut off are charged"
    assert found.real <= amount, f"overspent by {found.overspent:g}, of calls under way {found.bounds:g}"
    assert found.stored + found.presumed <= amount * (1 + 1e-9)
    assert found.real > 0.3 * amount, "most of an amount buys samples"
    assert again["unchanged"]


def test_attempts_that_may_be_paid_for_count_against_the_amount(tmp_path: Path) -> None:
    """A server that fails after work and one that refuses before it: only the former costs."""
    faults = [Fault("500", every=5), Fault("429", every=7, retry_after="0")]
    with ScriptedServer(words=MOST, faults=faults) as server:
        write(tmp_path, server, problems=30, most=MOST, match="tokens", amount=20_000.0)
        finish(tmp_path)
        work = sum(
            sum(server.completion(one)["usage"][part] for part in ("prompt_tokens", "completion_tokens"))
            for one in server.log
            if one.number is not None and one.done != "429"
        )
        failures = server.done["500"]
        found = figures(tmp_path, server, match="tokens", amount=20_000.0)
    assert failures > 20, "there is something to charge"
    assert found.charges == {"failed": failures}, "every attempt that came to nothing is a charge of its own"
    assert work <= 20_000, "what the server may have done for the failed attempts is within the amount"
    assert found.stored + found.presumed <= 20_000


def test_a_total_stops_all_generators_together(tmp_path: Path) -> None:
    with ScriptedServer(words=MOST) as server:
        write(tmp_path, server, problems=20, most=MOST, total={"flops": 4.0e10}, per_problem={"samples": 40})
        recipe = json.loads((tmp_path / "recipe.json").read_text())
        other = recipe["generators"]["scripted"] | {"model": "another"}
        recipe["generators"]["another"] = other
        (tmp_path / "recipe.json").write_text(json.dumps(recipe))
        finish(tmp_path)
        found = figures(tmp_path, server, match="flops", amount=4.0e10)
    assert found.charges == {}, "nothing was lost"
    assert found.real == found.stored <= 4.0e10
    assert found.real > 3.0e10


def test_judges_spend_from_the_total_too(tmp_path: Path) -> None:
    """What the total does not pay for is not asked, and its samples are left without a verdict."""
    with ScriptedServer(words=MOST) as server:
        write(tmp_path, server, problems=10, most=MOST, total={"usd": 4000.0}, per_problem={"samples": 2})
        recipe = json.loads((tmp_path / "recipe.json").read_text())
        judge = recipe["generators"]["scripted"] | {"model": "strict"}
        del judge["prompt"]
        recipe["judges"] = {"strict": judge}
        recipe["verify"]["decides"] = {"judge": {"generator": "strict", "rubric": "solution"}}
        (tmp_path / "recipe.json").write_text(json.dumps(recipe))
        result = factory("run", "recipe.json", "--json", "-q", "--store", "store", cwd=tmp_path)
        found = figures(tmp_path, server, match="usd", amount=4000.0)
        judged = [one for one in server.log if one.body.get("model") == "strict"]
    assert found.rows == 20, "all samples are paid for"
    assert 0 < len(judged) < 20
    assert found.real <= 4000.0
    assert found.charges == {"judge": len(judged)}
    assert done(result)["counts"]["verdicts"]["unverified"] == 20 - len(judged)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"match": "usd", "amount": 5.0}, "generators.scripted.price"),
        ({"match": "flops", "amount": 1e9}, "generators.scripted.active_parameters"),
        ({"total": {"usd": 3.0}, "per_problem": {"samples": 2}}, "generators.scripted.price"),
    ],
)
def test_a_currency_that_cannot_be_told_is_refused_before_anything_is_drawn(
    tmp_path: Path, change: dict[str, object], named: str
) -> None:
    with ScriptedServer() as server:
        write(tmp_path, server, problems=3, most=MOST, **change)
        recipe = json.loads((tmp_path / "recipe.json").read_text())
        for key in ("price", "active_parameters"):
            del recipe["generators"]["scripted"][key]
        (tmp_path / "recipe.json").write_text(json.dumps(recipe))
        result = factory("run", "recipe.json", "--json", "-q", "--store", "store", cwd=tmp_path)
        asked = len(server.log)
    assert result.returncode == 2
    assert f"Write {named}" in " ".join(result.stderr.split())
    assert asked == 0

"""Sampling within an amount, by an engine of random costs: even, never overspent, and whole after crashes."""

from __future__ import annotations

import heapq
import json
import random
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from factory import asked, pipeline, planning
from factory.errors import OutsideError, UsageError
from factory.generators import engines
from factory.generators.base import Completion, Failure, Request
from factory.progress import Silent
from factory.recipe import load
from factory.sampling import allotment, cutting, drawing, spending
from factory.sampling.claims import Claims
from factory.store import Store

PARAMETERS = 1e6
PROMPT, MOST = 7, 40

RECIPE = """
name: drawn
version: 1.0.0
problems: [{{source: file, path: problems.jsonl, columns: {{prompt: question, answer: answer}}, name: sums}}]
generators:
  one:
    engine: openai
    base_url: http://localhost:1/v1
    model: m
    price: {{input: 1, output: 2}}
    active_parameters: 1.0e+6
    decoding: {{max_tokens: 40}}
budget: {budget}
verify: {{decides: consensus}}
"""


class Crash(BaseException):
    """The process dies here."""


class Fake:
    """Serves so many at once, ends them in any order, crashes after some; its texts have random lengths."""

    parameters = PARAMETERS

    def __init__(
        self,
        concurrency: int,
        seed: int,
        crash: int | None = None,
        refuse: int | None = None,
        *,
        reread: int | None = None,
        prompt: int = PROMPT,
    ) -> None:
        self.reread, self.prompt, self.last = reread, prompt, ""
        self.concurrency, self.chance = concurrency, random.Random(seed)
        self.crash, self.refuse, self.served, self.peak = crash, refuse, 0, 0
        self.order: list[tuple[str, int]] = []
        self.paid: dict[str, int] = {}

    def most_prompt_tokens(self, prompt: object) -> int:
        return self.prompt

    def generate(self, requests: Iterable[Request | None]) -> Iterator[Completion | Failure]:
        source, flying, more = iter(requests), list[Request](), True
        while True:
            while more and len(flying) < self.concurrency:
                try:
                    request = next(source)
                except StopIteration:
                    more = False
                    break
                if request is None:
                    break
                self.order.append((request.problem_id, request.sample_index))
                shared = self.reread is not None and request.problem_id == self.last
                self.paid[request.sample_id] = (self.reread or 0) if shared else self.prompt
                self.last = request.problem_id
                flying.append(request)
            self.peak = max(self.peak, len(flying))
            if not flying:
                if not more:
                    return
                continue
            if self.crash is not None and self.served >= self.crash:
                raise Crash
            request = flying.pop(self.chance.randrange(len(flying)))
            self.served += 1
            if self.refuse is not None and self.served % self.refuse == 0:
                yield Failure(request, "cut", began=True)
                continue
            written = random.Random(request.sample_id).randint(1, MOST)
            yield Completion(
                request, "The answer is 3.", "stop", self.prompt, written, None, None,
                2.0 * PARAMETERS * (self.paid[request.sample_id] + written), 0.1,
            )  # fmt: skip

    def close(self) -> None: ...


def write(folder: Path, budget: str, problems: int) -> Path:
    rows = [{"question": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(problems)]
    (folder / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "recipe.yaml").write_text(RECIPE.format(budget=budget))
    return folder


def draw(folder: Path, engine: Fake, run_id: str = "run", *sets: str) -> dict[str, Any]:
    """What a run draws and takes into scope: {samples: index list by problem, spent, why, present}."""
    store = Store(folder / "store")
    with (
        pytest.MonkeyPatch.context() as patch,
        store.lock("test"),
        store.connect() as connection,
        Claims(store) as claims,
    ):
        patch.setattr(engines, "open_engine", lambda config: engine)
        plan = pipeline.plan_of(load(folder / "recipe.yaml", sets), folder, Silent())
        planning.enter(connection, plan)
        claims.recover(connection, run_id)
        asked.decide_problems(connection, plan)
        allotment.enter(connection, plan)
        drawing.sample(drawing.Sampling(store, connection, plan, run_id, claims, Silent()), lambda: None)
        cutting.cut(connection, plan)
        return told(connection, plan)


def told(connection: duckdb.DuckDBPyConnection, plan: planning.Plan) -> dict[str, Any]:
    stops = connection.execute("SELECT problem_id, samples, why FROM stops ORDER BY problem_id").fetchall()
    indices = connection.execute(
        "SELECT s.problem_id, list(c.sample_index ORDER BY c.sample_index) FROM scoped s"
        " JOIN candidates c ON c.sample_id = s.sample_id GROUP BY 1"
    ).fetchall()
    (spent,) = spending.spent(connection, plan).values()
    return {
        "numbers": {problem: number for problem, number, _ in stops},
        "why": {why for *_, why in stops},
        "indices": dict(indices),
        "spent": spent,
        "present": planning.count(connection, "FROM candidates"),
    }


CURRENCIES = st.sampled_from(["samples", "tokens", "flops", "usd"])
BOUND = {
    "samples": 1.0,
    "tokens": PROMPT + MOST,
    "flops": 2.0 * PARAMETERS * (PROMPT + MOST),
    "usd": (PROMPT + 2 * MOST) / 1e6,
}


@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.generate])
@given(
    CURRENCIES, st.integers(1, 9), st.floats(1.0, 60.0), st.integers(1, 32), st.integers(0, 999),
    st.lists(st.integers(0, 20), max_size=2),
)  # fmt: skip
def test_an_amount_is_spent_evenly_and_never_exceeded(
    currency: str, problems: int, draws: float, concurrency: int, seed: int, crashes: list[int]
) -> None:
    amount = draws * BOUND[currency]
    with tempfile.TemporaryDirectory() as place:
        folder = write(Path(place), f"{{match: {currency}, amount: {amount!r}}}", problems)
        for number, after in enumerate(crashes):
            engine = Fake(concurrency, seed + number, crash=after)
            try:
                draw(folder, engine, f"crashed-{number}")
            except Crash:
                continue
        found = draw(folder, Fake(concurrency, seed), "last")
        numbers = list(found["numbers"].values())
        assert len(numbers) == problems
        assert max(numbers) - min(numbers) <= 1, "n differs by 1 at most"
        assert all(
            found["indices"].get(problem, []) == list(range(n)) for problem, n in found["numbers"].items()
        )
        spent = found["spent"].of(currency)
        assert spent <= amount * (1 + 1e-6), "what crashed is charged at its bound, and nothing is overspent"
        assert amount - spent < BOUND[currency] * (1 + 1e-6), "the next draw would not have fitted"
        assert found["why"] == {"amount"}
        engine = Fake(concurrency, seed)
        again = draw(folder, engine, "again")
        assert (engine.served, again["numbers"]) == (0, found["numbers"]), "a second run draws nothing"


def test_paid_draws_of_a_problem_are_asked_for_together(tmp_path: Path) -> None:
    engine = Fake(4, 1)
    found = draw(write(tmp_path, "{match: samples, amount: 200}", 20), engine)
    assert set(found["numbers"].values()) == {10}
    assert [index for _, index in engine.order[:16]] == [0] * 16, "a pilot of single draws first"
    changes = sum(one != other for (one, _), (other, _) in zip(engine.order, engine.order[1:], strict=False))
    assert changes < 80, "most neighbours are draws of one problem, which share its prompt"


class ShortFirst(Fake):
    """Draws take as long as their texts are, and most texts are short."""

    def generate(self, requests: Iterable[Request | None]) -> Iterator[Completion | Failure]:
        source, flying, now, more = iter(requests), list[tuple[int, int, Request, int]](), 0, True
        while more or flying:
            while more and len(flying) < self.concurrency:
                request = next(source, self)
                more = request is not self
                if not isinstance(request, Request):
                    break
                self.order.append((request.problem_id, request.sample_index))
                written = int(min(1000.0, random.Random(request.sample_id).lognormvariate(4.0, 1.0)) + 1)
                heapq.heappush(flying, (now + written, len(self.order), request, written))
            if flying:
                now, _, request, written = heapq.heappop(flying)
                yield Completion(request, "", "stop", PROMPT, written, None, None, None, 0.1)


def test_draws_that_end_first_do_not_make_the_others_look_cheap(tmp_path: Path) -> None:
    engine = ShortFirst(64, 1)
    folder = write(tmp_path, "{match: tokens, amount: 150000}", 250)
    found = draw(folder, engine, "run", "generators.one.decoding.max_tokens=1001")
    assert sum(found["numbers"].values()) == found["present"] == len(engine.order), "all are in scope"
    assert max(found["numbers"].values()) - min(found["numbers"].values()) <= 1
    assert 150_000 - found["spent"].tokens < PROMPT + 1001


@pytest.mark.parametrize("concurrency", [4, 32])
@pytest.mark.parametrize(("reread", "least"), [(0, 11), (16, 7), (None, 2)])
def test_a_prompt_that_is_shared_is_paid_once_for_all_draws_of_a_problem(
    tmp_path: Path, reread: int | None, least: int, concurrency: int
) -> None:
    """Prompts of 200 tokens, 20 written, FLOPs of 680 tokens a problem: 3 draws would fit apart."""
    engine = Fake(concurrency, 1, reread=reread, prompt=200)
    found = draw(write(tmp_path, f"{{match: flops, amount: {30 * 2 * PARAMETERS * 680!r}}}", 30), engine)
    numbers = set(found["numbers"].values())
    assert max(numbers) - min(numbers) <= 1
    assert min(numbers) >= least
    assert sum(found["numbers"].values()) >= 0.9 * found["present"], "hardly a draw is out of scope"
    assert found["spent"].flops <= 30 * 2 * PARAMETERS * 680


def test_a_number_of_samples_and_an_amount_end_at_the_first_that_is_reached(tmp_path: Path) -> None:
    rule = "per_problem: {samples: 3}"
    plenty = draw(write(tmp_path, f"{{{rule}, match: tokens, amount: 1.0e+6}}", 4), Fake(8, 1))
    assert (plenty["why"], set(plenty["numbers"].values())) == ({"planned"}, {3})
    tight = draw(tmp_path, Fake(8, 1), "run2", "budget.amount=200", "version=2.0.0")
    assert tight["why"] == {"amount"}
    assert sum(tight["numbers"].values()) < 12, "the store holds more than the amount pays for"


def test_a_total_is_a_hard_stop_over_all(tmp_path: Path) -> None:
    folder = write(tmp_path, "{per_problem: {samples: 50}, total: {usd: 0.1, tokens: 600}}", 5)
    found = draw(folder, Fake(16, 3))
    assert found["why"] == {"total"}
    assert found["spent"].tokens <= 600
    assert 600 - found["spent"].tokens < BOUND["tokens"]
    assert max(found["numbers"].values()) - min(found["numbers"].values()) <= 1


def test_calls_that_failed_after_they_began_are_charged_at_their_bound(tmp_path: Path) -> None:
    folder = write(tmp_path, "{match: tokens, amount: 2000}", 40)
    with pytest.raises(OutsideError, match=r"one: \d+ of \d+ samples could not be had \(\d+ x cut\)"):
        draw(folder, Fake(4, 1, refuse=5))
    found = draw(folder, Fake(4, 1), "second")
    assert found["spent"].tokens <= 2000
    assert found["present"] < found["spent"].samples, "failed calls count among what was spent"


@pytest.mark.parametrize(
    ("budget", "lacking"),
    [
        ("{match: flops, amount: 5.0e+9}", "active_parameters"),
        ("{total: {usd: 1}, per_problem: {samples: 1}}", "price"),
    ],
)
def test_a_currency_that_cannot_be_told_is_refused_before_anything_is_drawn(
    tmp_path: Path, budget: str, lacking: str
) -> None:
    engine = Fake(4, 1)
    with pytest.raises(UsageError, match=rf"Write generators\.one\.{lacking}"):
        draw(write(tmp_path, budget, 2), engine, "run", f"generators.one.{lacking}=null")
    assert engine.served == 0

"""The account: nothing is overspent in any order of events, kills among them, nor charged twice."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from factory.amounts import Amounts
from factory.budget_sections import Currency
from factory.errors import UsageError
from factory.generators.base import Completion, Failure, Request
from factory.sampling import spending
from factory.sampling.account import Account, Purse
from factory.sampling.claims import Claims
from factory.store import Store
from tests.support.budgets import GENERATOR, JUDGE, Reader, candidates, plan, request, served, stored

MOST = 10


class Ticking:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def claims(tmp_path: Path) -> Iterator[Claims]:
    store = Store(tmp_path / "store")
    with store.lock("test"), Claims(store) as opened:
        yield opened


def purse_of(
    claims: Claims, now: Ticking | None = None, spent: Amounts | None = None, **budget: Any
) -> Purse:
    before = {} if spent is None else {GENERATOR.generator_id: spent}
    account = Account(
        claims, plan(most=MOST, **budget), "r", before, spent or Amounts(), now=now or Ticking()
    )
    return account.purse(GENERATOR, Reader())


def left(purse: Purse) -> float | None:
    """Of the amount: neither spent nor held by calls under way; None: there is none."""
    own = [one for one in purse.limits if one.name == "amount"]
    return own[0].most - own[0].spent - own[0].held if own else None


# --- what is admitted --------------------------------------------------------------------------------


def test_a_call_is_admitted_as_long_as_all_bounds_fit(claims: Claims) -> None:
    purse = purse_of(claims, match="tokens", amount=31)
    assert purse.admit(request("a")), "15 of 31"
    assert purse.admit(request("b")), "30 of 31"
    assert not purse.admit(request("c", tokens=1)), "11 more than the 1 left"
    assert left(purse) == 1
    assert purse.ended() is None, "what is under way may cost less than is held for it"
    purse.settle(served(request("a"), written=3))
    purse.settle(served(request("b"), written=3))
    assert left(purse) == 31 - 16
    assert purse.ended() is None, "the one refused fits now"
    assert purse.admit(request("d"))
    purse.settle(served(request("d"), written=10))
    assert not purse.admit(request("e"))
    assert purse.ended() == "amount"


@pytest.mark.parametrize(
    ("match", "cost"), [("samples", 1.0), ("tokens", 12.0), ("flops", 2.4e7), ("usd", 5.0 + 14.0)]
)
def test_a_call_costs_what_it_read_and_wrote(claims: Claims, match: Currency, cost: float) -> None:
    purse = purse_of(claims, match=match, amount=1e9)
    assert purse.admit(request("a"))
    paid = purse.settle(served(request("a"), written=7))
    assert paid.of(match) == cost
    assert left(purse) == 1e9 - cost
    assert purse.mean is not None
    assert purse.mean.of(match) == cost
    assert purse.shown == (match, cost, 1e9), "what a watcher is told"


def test_what_was_spent_before_counts(claims: Claims) -> None:
    purse = purse_of(claims, spent=Amounts(2, 90, 0, 0, 0), match="tokens", amount=100)
    assert not purse.admit(request("a"))
    assert purse.ended() == "amount"
    assert purse.mean == Amounts(1, 45, 0, 0, 0)


def test_a_failure_costs_its_bound_only_where_work_may_have_begun(claims: Claims) -> None:
    purse = purse_of(claims, match="tokens", amount=100)
    for ident in ("refused", "cut"):
        assert purse.admit(request(ident))
    assert purse.settle(Failure(request("refused"), "too long")).tokens == 0
    assert purse.settle(Failure(request("cut"), "no reply", began=True)).tokens == 15
    assert left(purse) == 85


def test_every_attempt_that_may_be_paid_for_is_charged(claims: Claims) -> None:
    purse = purse_of(claims, match="tokens", amount=47)
    assert purse.admit(request("a"))
    assert purse.again(request("a"))
    assert left(purse) == 47 - 30
    assert purse.admit(request("b")), "45 of 47"
    assert purse.again(request("a")) is None, "there may be room when the other has ended"
    purse.settle(served(request("b"), written=0, read=2))
    assert purse.again(request("a")), "13 more are free"
    assert purse.again(request("a")) is False
    assert purse.settle(Failure(request("a"), "no reply", began=True)).tokens == 15
    assert left(purse) == 0


def test_of_calls_that_all_wait_for_room_one_gives_up(claims: Claims) -> None:
    purse = purse_of(claims, match="tokens", amount=44)
    assert purse.admit(request("a"))
    assert purse.admit(request("b"))
    assert purse.again(request("a")) is None
    assert purse.again(request("b")) is False, "the other waits for this one"


def test_a_total_is_shared_by_all_that_spend(claims: Claims) -> None:
    account = Account(claims, plan(most=MOST, per_problem={"samples": 9}, total={"usd": 60}), "r", {})
    drawing, judging = account.purse(GENERATOR, Reader()), account.purse(JUDGE, Reader())
    assert drawing.admit(request("a")), "25 dollars"
    assert judging.admit(request("a.0"))
    assert not drawing.admit(request("b"))
    judging.settle(served(request("a.0"), written=0))
    assert drawing.admit(request("b")), "the judge cost 5 of its 25"
    assert left(drawing) is None
    drawing.settle(served(request("a"), written=10))
    drawing.settle(served(request("b"), written=10))
    assert not drawing.admit(request("c"))
    assert drawing.ended() == "total"


def test_seconds_end_by_the_clock_and_are_shared(claims: Claims) -> None:
    now = Ticking()
    purse = purse_of(claims, now, match="seconds", amount=3)
    assert purse.admit(request("a"))
    now.seconds = 2.0
    assert purse.admit(request("b"))
    assert left(purse) == 1.0
    now.seconds = 4.0
    assert not purse.admit(request("c")), "4 of 3 seconds"
    assert purse.settle(served(request("a"), written=1)).seconds == 2.0 + 1.0
    assert purse.ended() is None
    now.seconds = 5.0
    assert purse.settle(served(request("b"), written=1)).seconds == 1.0 + 1.0
    assert purse.ended() == "amount"
    now.seconds = 99.0
    assert purse.mean is not None
    assert purse.mean.seconds == 2.5, "where nothing is under way no time is spent"


def test_without_a_budget_everything_is_admitted_and_on_record(claims: Claims) -> None:
    purse = purse_of(claims)
    for number in range(50):
        assert purse.admit(request(str(number)))
    assert (purse.under_way, left(purse), purse.ended()) == (50, None, None)
    assert claims.pending("r")[GENERATOR.generator_id]["samples"] == 50


def test_a_server_that_tells_no_tokens_cannot_be_limited_in_them(claims: Claims) -> None:
    purse = purse_of(claims, match="tokens", amount=100)
    asked = request("a")
    assert purse.admit(asked)
    silent = Completion(asked, "text", "stop", None, None, 1, None, None, 0.5)
    with pytest.raises(UsageError, match="for a server that states no usage, limit samples or seconds"):
        purse.settle(silent)
    assert claims.pending("r")[GENERATOR.generator_id]["tokens"] == 15, "it is charged at its bound"


# --- any order of events -----------------------------------------------------------------------------


class Spending(RuleBasedStateMachine):
    """Calls begin, end, fail, are repeated, are committed, and the process dies, in any order.

    `charged` is what all calls together are to be charged: real costs of those that ended, bounds of those
    that failed or were under way at a kill.
    """

    @initialize(
        match=st.sampled_from(["samples", "tokens", "flops", "usd"]),
        calls=st.floats(1.0, 12.0),
        totals=st.booleans(),
    )
    def begin(self, match: Currency, calls: float, totals: bool) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.store = Store(self.folder.name)
        self.match: Currency = match
        unit = {"samples": 1.0, "tokens": 15.0, "flops": 3e7, "usd": 25.0}[match]
        self.amount = calls * unit
        budget: dict[str, Any] = {"match": match, "amount": self.amount}
        if totals:
            budget = {"total": {match: self.amount}, "per_problem": {"samples": 99}}
        self.plan = plan(most=MOST, **budget)
        self.charged, self.number, self.run = 0.0, 0, 0
        self.open: dict[str, tuple[Request, float]] = {}
        self.buffer: list[Completion] = []
        self.lock = self.store.lock("test")
        self.lock.__enter__()
        self.connection = self.store.connect()
        self._start()

    def _start(self) -> None:
        self.run += 1
        self.claims = Claims(self.store).__enter__()
        self.claims.recover(self.connection, str(self.run))
        candidates(self.connection, self.store)
        spent = spending.spent(self.connection, self.plan)
        known = spent[GENERATOR.generator_id].of(self.match)
        assert known == pytest.approx(self.charged), "every call is charged once, whatever became of it"
        account = Account(self.claims, self.plan, str(self.run), spent, spending.total(spent.values()))
        self.purse = account.purse(GENERATOR, Reader())

    def _cost(self, read: int, written: int) -> float:
        both = float(read + written)
        costs = {"samples": 1.0, "tokens": both, "flops": 2e6 * both, "usd": float(read + 2 * written)}
        return costs[self.match]

    @rule(tokens=st.integers(0, 8))
    def admit(self, tokens: int) -> None:
        self.number += 1
        asked = request(f"s{self.number}", tokens)
        if self.purse.admit(asked):
            self.open[asked.sample_id] = (asked, self._cost(tokens, MOST))

    @precondition(lambda self: self.open)
    @rule(data=st.data(), written=st.integers(0, MOST))
    def end(self, data: st.DataObject, written: int) -> None:
        asked, _ = self.open.pop(data.draw(st.sampled_from(sorted(self.open))))
        done = served(asked, written)
        self.purse.settle(done)
        self.charged += self._cost(len(asked.prompt), written)
        self.buffer.append(done)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), began=st.booleans())
    def fail(self, data: st.DataObject, began: bool) -> None:
        asked, bound = self.open.pop(data.draw(st.sampled_from(sorted(self.open))))
        self.purse.settle(Failure(asked, "gone", began))
        self.charged += bound if began else 0.0

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        asked, bound = self.open[data.draw(st.sampled_from(sorted(self.open)))]
        if self.purse.again(asked) and self.match != "samples":
            self.charged += bound

    @precondition(lambda self: self.buffer)
    @rule(dies=st.booleans())
    def commit(self, dies: bool) -> None:
        """`dies`: between the rename of the part and the removal of the claims."""
        stored(self.store, *self.buffer)
        if not dies:
            self.purse.committed([one.request.sample_id for one in self.buffer])
        self.buffer = []
        if dies:
            self.kill()

    @rule()
    def kill(self) -> None:
        self.charged += sum(bound for _, bound in self.open.values())
        self.open, self.buffer = {}, []
        self.claims.__exit__()
        self._start()

    @invariant()
    def nothing_is_overspent(self) -> None:
        if hasattr(self, "purse"):
            held = sum(bound for _, bound in self.open.values())
            assert self.charged + held <= self.amount * (1 + 1e-8)

    def teardown(self) -> None:
        if hasattr(self, "purse"):
            self.claims.__exit__()
            self.connection.close()
            self.lock.__exit__(None, None, None)
            self.folder.cleanup()


TestAnyOrderOfEvents = Spending.TestCase
TestAnyOrderOfEvents.settings = settings(
    max_examples=8, stateful_step_count=16, deadline=None, suppress_health_check=list(HealthCheck)
)

"""The account of a run: what may still be spent, asked before every call and told after it.

Guarantees: a call is admitted only where everything spent, the most that all calls under way may cost and
the most it may cost itself stay within the amount of its generator and within the totals, so nothing is
overspent in samples, tokens, FLOPs or US dollars whatever ends in which order; its claim is on record before
it is made. Seconds end by the clock and overshoot by what is under way. A failed call that may have begun
work is charged at its bound, and so is every attempt before the last. Safe among threads. Left out: which
call is next (`drawing.py`), what the store says was spent (`spending.py`), and servers that read more tokens
in a prompt than the engine's bound of it, or write more than max_tokens.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from factory.amounts import CURRENCIES, NOTHING, UNITS, Amounts, flops, usd
from factory.budget_sections import Currency
from factory.errors import UsageError
from factory.generator_sections import Price
from factory.generators.base import Completion, Engine, Failure, Request
from factory.planning import Plan, PlannedGenerator
from factory.records import content_id
from factory.sampling.claims import Claims, Clock
from factory.sampling.claims_file import Claim
from factory.sampling.limits import Limit, VirtualClock


class Account:
    """What a run may spend. `spent` says by generator what samples and charges cost so far, `total` of all.

    What calls of this run are charged with that the ledger does not have yet is added here.
    Raises UsageError where a total is limited in a currency that what was spent before cannot tell.
    """

    def __init__(
        self,
        claims: Claims,
        plan: Plan,
        run_id: str,
        spent: Mapping[str, Amounts],
        total: Amounts = NOTHING,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.claims, self.plan, self.run_id, self.now = claims, plan, run_id, now
        self.guard = threading.RLock()
        pending = {ident: Amounts(**sums) for ident, sums in claims.pending(run_id).items()}
        self.spent = {ident: spent.get(ident, NOTHING) + more for ident, more in pending.items()}
        self.spent = {**spent, **self.spent}
        whole = sum(pending.values(), total)
        self.totals = [
            Limit("total", currency, most, _known(whole, currency, "all generators"))
            for currency, most in (plan.recipe.budget.total or {}).items()
        ]

    def purse(self, generator: PlannedGenerator, engine: Engine) -> Purse:
        """What `generator` may spend through `engine`: a generator that samples, or a judge, which has totals
        alone. Where the engine repeats attempts, it asks the purse for each."""
        purse = Purse(self, generator, engine)
        if hasattr(engine, "again"):
            engine.again = purse.again
        return purse


@dataclass(slots=True)
class _Call:
    """A call under way: its claim, the most it may cost, and where the clock stood."""

    claim: Claim
    bound: Amounts
    start: float


class Purse:
    """What one generator or judge may spend, and what it spends. See `Account.purse`.

    `limits` are its amount, where it has one, and the totals.
    """

    def __init__(self, account: Account, generator: PlannedGenerator, engine: Engine) -> None:
        recipe = account.plan.recipe
        config: Any = {**recipe.generators, **recipe.judges}[generator.name]
        self._account, self._generator, self._engine = account, generator, engine
        self._ident, self._name, self._recipe = generator.generator_id, generator.name, recipe.name
        self._price: Price | None = config.price
        self._most: int = config.decoding.max_tokens
        self._spent = account.spent.get(self._ident, NOTHING)
        self._clock = VirtualClock(account.now)
        self._calls: dict[str, _Call] = {}
        self._ended: dict[str, str] = {}
        self._waiting: set[str] = set()
        self._refused: Amounts | None = None
        self._serial = 0
        budget, self._own = recipe.budget, None
        if generator.sampled and budget.match is not None and budget.amount is not None:
            before = _known(self._spent, budget.match, generator.name)
            self._own = Limit("amount", budget.match, budget.amount, before)
        self.limits = [*([self._own] if self._own else []), *account.totals]

    # --- before and after a call ---------------------------------------------------------------------

    def admit(self, request: Request, charge_id: str | None = None) -> bool:
        """Open the claim of a call and count its bound as held; False: not now, see `ended`.

        `charge_id` is the key of its charge, for calls that are charged in the ledger; by default one of
        its own. Raises OutsideError where the claim cannot be written.
        """
        prompt = self._engine.most_prompt_tokens(request.prompt)
        bound = self._costs(prompt, self._most, None, None)
        with self._account.guard:
            self._tick()
            if not all(one.fits(_part(bound, one), one.held) for one in self.limits):
                self._refused = bound
                return False
            claim = self._claim(request, charge_id, bound, prompt)
            self._account.claims.write(claim, self._read())
            self._clock.under_way += 1
            self._calls[request.sample_id] = _Call(claim, bound, self._clock.stands)
            self._hold(bound, 1)
            self._refused = None
            return True

    def again(self, request: Request) -> bool | None:
        """Whether a call whose attempt may be paid for, though nothing came of it, may be tried again.

        If so, the attempt is charged at its bound, and the call under way stays held. None: not now, but
        there may be room when another call has ended. False: never.
        """
        with self._account.guard:
            self._tick()
            call = self._calls[request.sample_id]
            attempt = replace(call.bound, samples=0.0)  # the draw itself is asked for once
            if all(one.fits(_part(attempt, one), one.held) for one in self.limits):
                self._waiting.discard(request.sample_id)
                failed = self._claim(request, None, attempt, call.claim.prompt_tokens or 0)
                failed = replace(failed, state="failed", samples=0, engine_seconds=0.0)
                self._account.claims.write(failed, self._read())
                self._pay(attempt)
                return True
            self._waiting.add(request.sample_id)
            alone = all(one.fits(_part(attempt, one), _part(call.bound, one)) for one in self.limits)
            # Where all that is under way waits for room, none comes unless one gives up.
            if alone and len(self._waiting) < len(self._calls):
                return None
            self._waiting.discard(request.sample_id)
            return False

    def settle(self, outcome: Completion | Failure, seconds: float | None = None) -> Amounts:
        """Count what a call cost in the place of its bound, and end its claim; returns it.

        `seconds` of it are the call's share of the engine's time. A failure costs its bound where it may have
        begun, else nothing. Raises UsageError where the engine does not tell what a limit is set on.
        """
        with self._account.guard:
            self._tick()
            call = self._calls.pop(outcome.request.sample_id)
            self._clock.under_way -= 1
            share = self._clock.share(call.start)
            self._hold(call.bound, -1)
            if isinstance(outcome, Failure):
                cost = replace(call.bound, seconds=share) if outcome.began else NOTHING
                self._pay(cost)
                self._end_failed(call.claim, outcome.began, share)
            else:
                prompt, written = outcome.prompt_tokens, outcome.completion_tokens
                cost = self._costs(prompt, written, outcome.flops, share)
                self._pay(cost)  # first: where it cannot be told, the claim stays open, at its bound
                done = replace(
                    call.claim,
                    state="ended",
                    prompt_tokens=prompt,
                    completion_tokens=written,
                    flops=cost.flops,
                    usd=cost.usd,
                    seconds=outcome.seconds,
                    engine_seconds=share,
                )
                self._account.claims.write(done, self._read())
                self._ended[outcome.request.sample_id] = done.charge_id
            return cost

    def committed(self, sample_ids: Iterable[str]) -> None:
        """Take the claims of calls off the record: their samples, or charges, are in the store now."""
        with self._account.guard:
            there = [self._ended.pop(one) for one in sample_ids if one in self._ended]
            self._account.claims.drop(there)

    # --- what is left --------------------------------------------------------------------------------

    def ended(self) -> str | None:
        """Why no further call will ever be admitted, `amount` or `total`, by the one last refused.

        None while a call of this purse is under way, which may cost less than is held for it.
        """
        with self._account.guard:
            self._tick()
            if self._calls or self._refused is None:
                return None
            for one in self.limits:
                if not one.fits(_part(self._refused, one), 0.0):
                    return one.name
            return None

    @property
    def under_way(self) -> int:
        """Calls that are admitted and not settled."""
        return len(self._calls)

    @property
    def shown(self) -> tuple[Currency, float, float | None] | None:
        """What a watcher is told is spent, of how much: of the limit nearest to its end, else US dollars."""
        with self._account.guard:
            if self.limits:
                one = max(self.limits, key=lambda limit: limit.spent / limit.most)
                return one.currency, one.spent, one.most
            return None if self._price is None or self._spent.usd is None else ("usd", self._spent.usd, None)

    @property
    def mean(self) -> Amounts | None:
        """What a draw has cost on average, earlier runs among them; None before the first."""
        with self._account.guard:
            number = self._spent.samples
            if not number:
                return None
            parts = {name: self._spent.of(name) for name in CURRENCIES}
            return Amounts(**{name: None if part is None else part / number for name, part in parts.items()})

    # --- within --------------------------------------------------------------------------------------

    def _costs(
        self, prompt: int | None, written: int | None, known: float | None, seconds: float | None
    ) -> Amounts:
        """What a call costs that reads `prompt` and writes `written` tokens; `known` FLOPs where it tells."""
        both = None if prompt is None or written is None else prompt + written
        processed = flops(self._engine.parameters, both) if known is None else known
        return Amounts(1.0, both, processed, usd(self._price, prompt, written), seconds)

    def _claim(self, request: Request, charge_id: str | None, bound: Amounts, prompt: int) -> Claim:
        self._serial += 1
        # Several attempts at a sample are calls of their own.
        key = {"run_id": self._account.run_id, "sample_id": request.sample_id, "call": self._serial}
        drawn = self._generator.sampled
        return Claim(
            charge_id=charge_id or content_id(key),
            state="open",
            drawn=drawn,
            generator_id=self._ident,
            sample_id=request.sample_id if drawn else request.problem_id,
            run_id=self._account.run_id,
            recipe=self._recipe,
            samples=1,
            prompt_tokens=prompt,
            completion_tokens=self._most,
            flops=bound.flops,
            usd=bound.usd,
            seconds=None,
            engine_seconds=None,
        )

    def _end_failed(self, claim: Claim, began: bool, share: float) -> None:
        if began:
            failed = replace(claim, state="failed", engine_seconds=share)
            self._account.claims.write(failed, self._read())
        else:
            self._account.claims.drop([claim.charge_id])

    def _tick(self) -> None:
        passed = self._clock.tick()
        for one in self.limits:
            if one.currency == "seconds":
                one.spent += passed

    def _hold(self, bound: Amounts, sign: int) -> None:
        for one in self.limits:
            one.held += sign * _part(bound, one)
            if not self._calls and one is self._own:
                one.held = 0.0  # what rounding left

    def _pay(self, cost: Amounts) -> None:
        self._spent = self._spent + cost
        for one in self.limits:
            if one.currency != "seconds":  # which the clock has counted
                one.spent += _known(cost, one.currency, self._name)

    def _read(self) -> Clock:
        return Clock(self._clock.busy, self._clock.shared)


def _part(bound: Amounts, limit: Limit) -> float:
    return 0.0 if limit.currency == "seconds" else _known(bound, limit.currency, limit.name)


def _known(amounts: Amounts, currency: Currency, whose: str) -> float:
    value = amounts.of(currency)
    if value is None:
        raise UsageError(
            f"budget: {UNITS[currency]} are limited, and those of {whose} are not known. Write price (for "
            "usd) or active_parameters (for flops) of every generator and judge; for a server that states no "
            "usage, limit samples or seconds"
        )
    return value

"""Amounts: what is spent, in every currency of a budget at once.

Guarantees: an amount that is not known is None, never 0, and a sum with an unknown part is unknown. Left out:
what may be spent (`budget_sections.py`), and who spent it (`sampling/`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, NamedTuple

from factory.budget_sections import Currency
from factory.generator_sections import Price

CURRENCIES: Final[tuple[Currency, ...]] = ("samples", "tokens", "flops", "usd", "seconds")

UNITS: Final[Mapping[Currency, str]] = {
    "samples": "samples",
    "tokens": "tokens of prompts and completions",
    "flops": "FLOPs, 2 x active parameters x tokens processed",
    "usd": "US dollars",
    "seconds": "seconds of the engine",
}

NAMES: Final[Mapping[str, str]] = {
    "samples": "samples",
    "tokens": "tokens",
    "flops": "FLOPs",
    "usd": "US dollars",
    "seconds": "seconds of the engine",
}
"""Currencies as axes, tables and sentences name them."""

EVERYONE: Final = "all generators and judges"

STOPS: Final[Mapping[str, str]] = {
    "planned": "as many as planned",
    "reached": "enough are correct",
    "at_most": "given up at the most draws",
    "amount": "the amount is spent",
    "total": "the total is spent",
    "exhausted": "no more were imported",
    "failed": "calls failed",
}
"""Why sampling of a problem by a generator stopped, in words."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """So much of each currency; None where it is not known."""

    samples: float | None = 0.0
    tokens: float | None = 0.0
    flops: float | None = 0.0
    usd: float | None = 0.0
    seconds: float | None = 0.0

    def __add__(self, other: Amounts) -> Amounts:
        def sum_of(name: str) -> float | None:
            one, two = getattr(self, name), getattr(other, name)
            return None if one is None or two is None else one + two

        return Amounts(**{name: sum_of(name) for name in CURRENCIES})

    def of(self, currency: Currency) -> float | None:
        """The amount of one currency."""
        value: float | None = getattr(self, currency)
        return value

    def as_dict(self) -> dict[str, Any]:
        """By currency, for JSON."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


NOTHING: Final = Amounts()


def usd(price: Price | None, prompt_tokens: int | None, completion_tokens: int | None) -> float | None:
    """What a call costs: every call pays for its prompt, whatever the server shares. None: not known."""
    if price is None or prompt_tokens is None or completion_tokens is None:
        return None
    return (price.input * prompt_tokens + price.output * completion_tokens) / 1e6


def flops(active_parameters: float | None, processed: int | None) -> float | None:
    """2 x active parameters x tokens really processed (arXiv 2001.08361, section 2.1); None: not known."""
    return None if active_parameters is None or processed is None else 2.0 * active_parameters * processed


def written(value: float | None) -> str:
    """An amount as people read it: whole numbers whole, others to four digits."""
    if value is None:
        return "not known"
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e9 else f"{value:,.4g}"


def allowed(found: Mapping[str, Any]) -> str:
    """What may be spent, as one or two sentences; `found` is `budget` of metrics.json."""
    match, total = found.get("match"), found.get("total") or {}
    each = f"Each generator may spend {written(found.get('amount'))} {NAMES[match]}." if match else ""
    stops = ", ".join(f"{written(amount)} {NAMES[unit]}" for unit, amount in total.items())
    whole = f"{EVERYONE[0].upper()}{EVERYONE[1:]} together may spend {stops}." if stops else ""
    return " ".join(one for one in (each, whole) if one) or "Samples are planned, and no amount is set."


def first_draws(m: Mapping[str, int]) -> str:
    """Which draws are measured; `m` is that of metrics.json, the draws of each problem that count."""
    draws = ", ".join(f"{number:,} of {name}" for name, number in m.items())
    return (
        "How many draws a problem has depends on what they turned out to be, so that only the first of each "
        f"problem are measured: {draws}."
    )


class Line(NamedTuple):
    """A currency of a generator, a judge, or EVERYONE; None where nothing is planned, limited or known.

    `presumed` are bounds of calls under way when their process died, `lost` calls that ended without a sample
    or a vote. Neither is in `realised`.
    """

    name: str
    currency: Currency
    planned: float | None
    realised: float | None
    presumed: float | None
    lost: float | None
    left: float | None


def lines(found: Mapping[str, Any]) -> Iterator[Line]:
    """Every currency of everyone, but for those of which nothing is known or asked.

    `found` is `budget` of metrics.json.
    """
    judges = {f"judge {name}": one for name, one in (found.get("judges") or {}).items()}
    whole = {EVERYONE: found["all"]} if found.get("all") else {}
    for name, entry in {**found["generators"], **judges, **whole}.items():
        for currency in CURRENCIES:
            planned, realised, presumed, lost, failed = (
                (entry.get(what) or {}).get(currency)
                for what in ("planned", "realised", "presumed", "lost", "failed")
            )
            left = entry.get("left")
            if isinstance(left, Mapping):
                left = left.get(currency)
            elif currency != found.get("match"):
                left = None
            gone = None if lost is None or failed is None else lost + failed
            if any(one is not None for one in (planned, realised, left)):
                yield Line(name, currency, planned, realised, presumed, gone, left)

"""Whether measured metrics meet the conditions a release sets.

Guarantees: a metric that could not be measured meets no condition, and a name that is no metric is
refused, so a misspelt requirement never holds by accident. The value is compared, not its interval.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from factory.errors import UsageError
from factory.recipe import REQUIREMENT

COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


def require(metrics: Mapping[str, Any], conditions: Mapping[str, str]) -> list[str]:
    """One sentence for each condition, as {"coverage@4": ">= 0.2"}, that `metrics` does not meet.

    `metrics` is the result of `measure`; its top-level estimates can be required. Raises UsageError
    for any other name and for a condition that is no comparison with a number.
    """
    failed = (_failure(metrics, name, condition) for name, condition in conditions.items())
    return [sentence for sentence in failed if sentence is not None]


def _failure(metrics: Mapping[str, Any], name: str, condition: str) -> str | None:
    available = [key for key, entry in metrics.items() if isinstance(entry, Mapping) and "value" in entry]
    if name not in available:
        raise UsageError(
            f"release.require: {name!r} is not measured; use one of {', '.join(available) or 'none'}, "
            f"or add its k to measure.k"
        )
    match = REQUIREMENT.match(condition)
    if match is None:
        raise UsageError(f"release.require: {name}: {condition!r} is not a comparison such as '>= 0.2'")
    sign, bound = match.groups()
    estimate = metrics[name]
    value, low, high = estimate["value"], estimate["low"], estimate["high"]
    if value is None:
        return (
            f"{name} could not be measured: no problem has enough verified samples; required {sign} {bound}"
        )
    if COMPARISONS[sign](value, float(bound)):
        return None
    interval = "no interval" if low is None else f"95 % interval {low} to {high}"
    return f"{name} is {value} ({interval}, {estimate['n_problems']} problems); required {sign} {bound}"

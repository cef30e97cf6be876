"""Whether a run meets the conditions a release sets; if not, by how much it misses, and what would help.

Guarantees: what could not be measured meets no condition, and the sentence says why; a name that is no
metric is refused, so a misspelt requirement never holds by accident. The value is compared, not its interval,
but for `false_positive_upper`, which is the upper end of one. What would help is worked out from what was
measured, and said to be about so much; where more of the same cannot help, that is said.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from factory.amounts import CURRENCIES
from factory.errors import UsageError
from factory.metrics.beta import clopper_pearson
from factory.metrics.measure import NO_ANSWERS
from factory.metrics.rates import missed, posterior, standing
from factory.recipe import FALSE_POSITIVE_UPPER, PER_KEPT_ROW, REQUIREMENT, ROWS

COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}

MOST_LABELS: Final = 100_000
MOST_DRAWS: Final = 10_000
"""More labels, or draws of a problem, than these are no help that anybody could take."""

Whole = NDArray[np.int64]


class Figure(NamedTuple):
    """What a condition is about: its value, or why there is none; where it is an estimate, what of."""

    value: float | None
    why: str = ""
    interval: str = ""


class Unmet(NamedTuple):
    """A condition that does not hold: its name, its comparison, and the figure that it is about."""

    name: str
    sign: str
    bound: float
    figure: Figure


def require(
    metrics: Mapping[str, Any],
    conditions: Mapping[str, str],
    *,
    kept: int | None = None,
    solved: tuple[Whole, Whole] | None = None,
) -> list[str]:
    """A text, without its last full stop, for each condition that does not hold.

    `conditions` are as {"coverage@4": ">= 0.2"}. `metrics` are those of metrics.json: their top-level
    estimates can be required, and `release_sections.FIGURES`. `kept` is the number of kept samples, `solved`
    (n, c) of every problem, which tell what would help; both may be unknown. Raises UsageError for any other
    name, and for a condition that is no comparison with a number.
    """
    figures = _figures(metrics, kept)
    unmet = [_unmet(figures, name, condition) for name, condition in conditions.items()]
    return [_sentence(one, metrics, kept, solved) for one in unmet if one is not None]


def _figures(metrics: Mapping[str, Any], kept: int | None) -> dict[str, Figure]:
    found = {
        name: _estimate(entry)
        for name, entry in metrics.items()
        if isinstance(entry, Mapping) and "value" in entry
    }
    found[FALSE_POSITIVE_UPPER] = _upper(metrics)
    found[ROWS] = Figure(kept, "" if kept is not None else "nothing was selected")
    return found | {f"{one}{PER_KEPT_ROW}": _per_kept_row(metrics, one, kept) for one in CURRENCIES}


def _estimate(entry: Mapping[str, Any]) -> Figure:
    if entry["value"] is None:
        return Figure(None, entry.get("why") or "no problem has enough verified samples")
    low, high = entry["low"], entry["high"]
    interval = "no interval" if low is None else f"95 % interval {low} to {high}"
    return Figure(entry["value"], interval=f"{interval}, {entry['n_problems']} problems")


def _upper(metrics: Mapping[str, Any]) -> Figure:
    entry = _of_kept(metrics)
    if entry is None or not entry["labelled"]:
        return Figure(None, "nobody has labelled a kept sample")
    return Figure(
        entry["high"],
        interval=f"{entry['wrong']} of {entry['labelled']} labelled kept samples are wrong, an estimated "
        f"{entry['value']}",
    )


def _of_kept(metrics: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found = metrics.get("false_positives")
    entry: Mapping[str, Any] | None = found and found["kept"]["per_solution"]
    return entry


def _per_kept_row(metrics: Mapping[str, Any], currency: str, kept: int | None) -> Figure:
    spent = metrics.get("budget", {}).get("all", {}).get("realised", {}).get(currency)
    if spent is None:
        return Figure(None, _UNKNOWN[currency])
    if not kept:
        return Figure(None, "no row is kept")
    return Figure(float(f"{spent / kept:.10g}"))


_UNKNOWN: Final[Mapping[str, str]] = {
    "samples": "what was drawn is not known",
    "tokens": "the engine tells no tokens",
    "flops": "the active parameters of a generator or its tokens are not known; write active_parameters",
    "usd": "the price of a generator is not known; write price: {input: .., output: ..} for each",
    "seconds": "the engine's time is not known, as of imported samples",
}


def _unmet(figures: Mapping[str, Figure], name: str, condition: str) -> Unmet | None:
    if name not in figures:
        raise UsageError(
            f"release.require: {name!r} is not measured; use one of {', '.join(figures)}, "
            f"or add its k to measure.k"
        )
    match = REQUIREMENT.match(condition)
    if match is None:
        raise UsageError(f"release.require: {name}: {condition!r} is not a comparison such as '>= 0.2'")
    figure, bound = figures[name], float(match[2])
    if figure.value is not None and COMPARISONS[match[1]](figure.value, bound):
        return None
    return Unmet(name, match[1], bound, figure)


# --- what would help ---------------------------------------------------------------------------------


def _sentence(
    one: Unmet, metrics: Mapping[str, Any], kept: int | None, solved: tuple[Whole, Whole] | None
) -> str:
    figure, required = one.figure, f"required {one.sign} {one.bound:g}"
    help_ = _help(one, metrics, kept, solved)
    if figure.value is None:
        return f"{one.name} could not be measured: {figure.why}; {required}. {help_}".rstrip(" .")
    told = f" ({figure.interval})" if figure.interval else ""
    gap = abs(figure.value - one.bound)
    missed_by = f", missed by {gap:.3g}" if gap else ""
    return f"{one.name} is {figure.value}{told}; {required}{missed_by}. {help_}".rstrip(" .")


def _help(
    one: Unmet, metrics: Mapping[str, Any], kept: int | None, solved: tuple[Whole, Whole] | None
) -> str:
    kind, _, k = one.name.partition("@")
    if one.name == FALSE_POSITIVE_UPPER:
        return _help_labels(one, metrics)
    if one.sign in ("<", "<=") and not one.name.endswith(PER_KEPT_ROW):
        return ""
    if one.figure.why == NO_ANSWERS:
        return "Let a verifier that reads answers decide: verify.decides"
    if k and one.figure.value is None:
        return f"Draw {k} or more of each problem: --set 'budget.per_problem={{samples: {k}}}'"
    if kind in ("coverage", "pass"):
        return _help_coverage(one, kind, int(k), solved)
    if one.name == ROWS:
        return _help_rows(one, metrics, kept)
    if one.name.endswith(PER_KEPT_ROW) and one.figure.value is not None and one.sign in ("<", "<="):
        more = one.figure.value / one.bound if one.bound > 0 else math.inf
        return (
            f"Of what was spent {more:.3g} times as many rows would have to be kept: a cheaper generator, "
            "problems that it solves more often, budget.per_problem.until_correct, or a looser select"
        )
    if kind in ("diversity", "unique_paths"):
        return "More draws of each problem find more paths: --set budget.per_problem.samples, and a larger k"
    return ""


def _help_coverage(one: Unmet, kind: str, k: int, solved: tuple[Whole, Whole] | None) -> str:
    if solved is None or not solved[0].sum():
        return ""
    reached = draws_for_coverage(*solved, one.bound)
    more = f"More draws at the same k make {one.name} surer and no larger. "
    if reached is None:
        return (
            more + f"At these solve rates no {MOST_DRAWS:,} draws of a problem reach it: another generator, "
            "or other problems, would"
        )
    if reached <= k:
        return more + "It is within reach of chance: more problems would tell, --set budget.problems"
    now = int(solved[0].max())
    lacking = f"about {reached - now} more of each problem" if reached > now else "as many as there are"
    return (
        more + f"At these solve rates about {reached} draws of a problem reach it: draw {lacking}, --set "
        f"'budget.per_problem={{samples: {max(reached, now)}}}', with {reached} in measure.k, and require "
        f"{kind}@{reached}"
    )


def draws_for_coverage(n: Whole, c: Whole, coverage: float) -> int | None:
    """About how many draws of each problem solve the share `coverage` of problems like these.

    By the expected coverage under `rates.posterior` of problems with c of n draws correct; None: no number
    up to MOST_DRAWS does.
    """
    fresh = standing(posterior(n, c, seed=0), [0], [0])

    def falls_short(draws: int) -> bool:
        return 1.0 - float(missed(fresh, draws).mean()) < coverage

    return _least(falls_short, MOST_DRAWS)


def _help_labels(one: Unmet, metrics: Mapping[str, Any]) -> str:
    entry = _of_kept(metrics)
    labelled = entry["labelled"] if entry else 0
    if one.sign not in ("<", "<="):
        return ""
    rate, worth = 0.0, 1.0
    if entry and labelled:
        rate, worth = entry["value"], max(entry["effective"] / labelled, 0.01)
    if rate >= one.bound:
        return (
            "The rate itself seems too high, and no number of labels would help: a verifier that rejects "
            "such samples would, as verify.also: [arithmetic] or a judge there, or a better generator"
        )
    enough = labels_for_upper(rate, one.bound)
    if enough is None:
        return f"Not even {MOST_LABELS:,} labels could show it"
    wanted = math.ceil(enough / worth)
    if entry and wanted >= entry["population"]:
        accepted = metrics["false_positives"]["accepted"]["per_solution"]["population"]
        return (
            f"Nearly all of the {entry['population']:,} kept samples would need a label to show it: factory "
            f"audit RECIPE --number {accepted}"
        )
    seems = f"the rate is the {rate:.3g} that it seems" if labelled else "none of them is wrong"
    return (
        f"About {max(1, wanted - labelled):,} labels more would show it if {seems}: factory audit RECIPE "
        f"--number {math.ceil(max(wanted, labelled + 1) / _share_of_kept(metrics))}"
    )


def _share_of_kept(metrics: Mapping[str, Any]) -> float:
    """How many of the samples that `false_positives.draw` takes are kept ones, about."""
    found = metrics.get("false_positives") or {}
    kept, accepted = (
        found.get(of, {}).get("per_solution", {}).get("population", 0) for of in ("kept", "accepted")
    )
    return max(0.5, kept / accepted) if accepted else 1.0


def labels_for_upper(rate: float, bound: float) -> int | None:
    """The least number of independent labels that bound a `rate` by `bound`, their upper end.

    By Clopper and Pearson's interval; None: no number up to MOST_LABELS.
    """

    def falls_short(labels: int) -> bool:
        return (clopper_pearson(rate * labels, labels).high or 1.0) > bound

    return _least(falls_short, MOST_LABELS)


def _least(falls_short: Callable[[int], bool], most: int) -> int | None:
    """The least whole number from 1 that does not fall short, by bisection; None where `most` does."""
    if falls_short(most):
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if falls_short(middle) else (low, middle)
    return high


def _help_rows(one: Unmet, metrics: Mapping[str, Any], kept: int | None) -> str:
    drawn = metrics.get("samples", {}).get("verified", 0)
    if not kept or not drawn:
        return "No sample is kept so far: see what rejects them with factory sql 'FROM why'"
    more = math.ceil((one.bound - kept) * drawn / kept)
    return (
        f"At {kept / drawn:.3g} kept rows a sample about {more:,} samples more would do, if as many of them "
        "are kept: --set budget.per_problem.samples or budget.problems, or a larger select.per_problem"
    )

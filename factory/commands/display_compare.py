"""How the command line shows generators or releases side by side.

Guarantees: what is not known is said, with the reason where there is one, and never shown as 0. Texts of a
release cannot steer the terminal. Left out: what is compared (`comparing/`, whose `compare` gives the shape).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.markup import escape
from rich.table import Table

from factory.commands.display import cell_text, printable, table

CANNOT_TELL: Final = "cannot tell"
_METRICS: Final = ("coverage", "diversity")

Level = Mapping[str, Any]


def lines(found: Mapping[str, Any]) -> Iterator[str | Table]:
    """The whole comparison: who is compared, then at equal cost, at equal number, by difficulty; cautions."""
    yield printable(_head(found))
    yield _sides(found)
    yield _levels("At equal cost", found["equal_cost"], found, cost=found["match"])
    yield _levels("At equal number of draws", found["equal_number"], found, cost=None)
    if found["by_difficulty"]:
        yield _by_difficulty(found)
    yield from _false_positives(found)
    for one in found["warnings"]:
        yield printable(f"Note: {one}.")


def _head(found: Mapping[str, Any]) -> str:
    told = found["problems"]
    groups = f" in {told['groups']:,} groups" if told["groups"] else ""
    left = [f"{number:,} of {name} alone" for name, number in told["left_out"].items() if number]
    ratio = "; ".join(
        f"{name} draws {share:.3g} for the cost of one of {found['reference']}"
        for name, share in found["ratio"].items()
        if name != found["reference"]
    )
    return (
        f"{' against '.join(found['sides'])}, matched by {found['match']} ({found['unit']})\n"
        f"{told['compared']:,} problems{groups} that all have"
        + (f"; left out: {', '.join(left)}" if left else "")
        + f"\n{ratio}\nDifferences are against {found['reference']}, paired by problem; brackets are 95% "
        "intervals over problems"
    )


def _sides(found: Mapping[str, Any]) -> Table:
    """A column a side, so that it is read on a terminal of 80 columns."""
    match, sides = found["match"], found["sides"].values()
    counts = ("release", "draws", "judged", "correct", "kept")
    rows = [[name, *(cell_text(one[name]) for one in sides)] for name in counts]
    rows.append([f"{match} spent", *(amount(one["spent"][match]) for one in sides)])
    costs = {"a judged draw": "per_draw", "a correct draw": "per_correct", "a kept row": "per_kept"}
    rows += [
        [f"{match} {name}", *(estimate(one[key][match], amount) for one in sides)]
        for name, key in costs.items()
    ]
    return table("Sides", ("", *(escape(printable(name)) for name in found["sides"])), rows)


def _levels(title: str, levels: Sequence[Level], found: Mapping[str, Any], cost: str | None) -> Table:
    head = [f"{cost} a problem"] if cost else []
    rows = [
        [*([amount(level["cost"])] if cost else []), name, _k(level, name), *_figures(level, name, found)]
        for level in levels
        for name in found["sides"]
    ]
    columns = (*head, "side", "k", *(f"{one}@k" for one in _METRICS), *(f"{one} more" for one in _METRICS))
    return table(title, columns, rows)


def _by_difficulty(found: Mapping[str, Any]) -> Table:
    rows = [
        [name, level["coverage"][side]["n_problems"], side, _k(level, side), *_figures(level, side, found)]
        for name, level in found["by_difficulty"].items()
        for side in found["sides"]
    ]
    columns = ("side", "k", *(f"{one}@k" for one in _METRICS), *(f"{one} more" for one in _METRICS))
    return table("By difficulty, at the greatest equal cost", ("difficulty", "problems", *columns), rows)


def _k(level: Level, name: str) -> str:
    return f"{level['k'][name]:.4g}"


def _figures(level: Level, name: str, found: Mapping[str, Any]) -> list[str]:
    """A side's metrics, and by how much they are more than the reference's."""
    shown = [_metric(level[metric][name]) for metric in _METRICS]
    if name == found["reference"]:
        return [*shown, *("" for _ in _METRICS)]
    return [*shown, *(_difference(level["difference"][name][metric]) for metric in _METRICS)]


def _metric(one: Mapping[str, Any]) -> str:
    if one["value"] is None and one["n_short"]:
        short = one["n_short"]
        return f"{CANNOT_TELL}: {short:,} problem{' has' if short == 1 else 's have'} fewer draws"
    return estimate(one, lambda value: f"{value:.3f}")


def _difference(one: Mapping[str, Any]) -> str:
    relative = one["relative"]["value"]
    shown = estimate(one, lambda value: f"{value:+.3f}")
    return shown if relative is None else f"{shown} {relative:+.0%}"


def _false_positives(found: Mapping[str, Any]) -> Iterator[Table | str]:
    told = found["false_positives"]
    if not any(one["accepted"]["per_solution"]["labelled"] for one in told.values()):
        yield "False positives: not labelled; `factory audit NAME@VERSION` asks people"
        return
    rows = []
    for name, one in told.items():
        shown = [_share(one[of][per]) for of, per in _OF]
        more = "" if one["difference"] is None else estimate(one["difference"], lambda value: f"{value:+.3f}")
        rows.append((name, one["kept"]["per_solution"]["labelled"], *shown, more))
    columns = (
        "side",
        "kept rows labelled",
        "of kept rows",
        "of problems with one",
        "of correct draws",
        "more",
    )
    yield table("False positives: right answer, wrong reasoning", columns, rows)


_OF: Final = (("kept", "per_solution"), ("kept", "per_problem"), ("accepted", "per_solution"))


def _share(one: Mapping[str, Any]) -> str:
    return "not labelled" if one["value"] is None else estimate(one, lambda value: f"{value:.3f}")


def estimate(one: Mapping[str, Any], shown: Any) -> str:
    """A value with its interval, as `shown` writes a number."""
    if one["value"] is None:
        return CANNOT_TELL
    if one["low"] is None:
        return f"{shown(one['value'])} [no interval]"
    return f"{shown(one['value'])} [{shown(one['low'])}, {shown(one['high'])}]"


def amount(value: float | None) -> str:
    """An amount of any currency, short."""
    if value is None:
        return CANNOT_TELL
    return f"{value:.3g}" if value and (abs(value) >= 1e6 or abs(value) < 0.01) else f"{value:,.4g}"

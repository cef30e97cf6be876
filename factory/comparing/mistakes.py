"""False positives of each side: what people's labels say of its correct and of its kept draws, as of now.

Guarantees: labels given after a release count too, so that two releases are told by the same labels; without
a label nothing is known and nothing is claimed. Left out: the estimate (`metrics/false_positives.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from factory import signals
from factory.comparing.sides import Side
from factory.errors import CheckFailed
from factory.metrics.false_positive_summary import Word, words_of_most
from factory.metrics.false_positives import estimates
from factory.metrics.measure import rounded
from factory.release import reading
from factory.release.findings import refusal
from factory.store import Store

OF: Final = ("accepted", "kept")


def of(store: Store, side: Side) -> dict[str, Any]:
    """{accepted, kept: {per_solution, per_problem}} of a side, each as `false_positives.estimates` gives it.

    Labels, and the verdicts of signals that sort the samples, are those of `store`.
    """
    found, findings = reading.read(side.release.folder)
    if found is None:
        raise CheckFailed(f"{side.release.folder} cannot be read: {refusal(findings)}")
    with store.connect() as connection:
        signals.enter_release(connection, side.release.folder, found)
        rows = pl.DataFrame(signals.strata(connection))
        said = words_of_most(Word(*one[:3]) for one in signals.words(connection))
    mine = rows.filter(pl.col("generator").is_in(side.generators))
    return {"accepted": estimates(mine, said), "kept": estimates(mine.filter("kept"), said)}


def compared(sides: Mapping[str, Mapping[str, Any]], reference: str) -> dict[str, Any]:
    """What `of` gave of each side, with `difference`: its kept rows less those of the reference."""
    against = sides[reference]["kept"]["per_solution"]
    return {
        name: {**said, "difference": difference(said["kept"]["per_solution"], against)}
        if name != reference
        else {**said, "difference": None}
        for name, said in sides.items()
    }


def difference(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """{value, low, high} of one rate less another, of samples drawn apart; None where one is not known.

    From the ends of both intervals, by squares and sums (Newcombe, doi
    10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I, method 10).
    """
    one, other = ours["value"], theirs["value"]
    if one is None or other is None:
        return {"value": None, "low": None, "high": None}
    below = math.hypot(one - ours["low"], theirs["high"] - other)
    above = math.hypot(ours["high"] - one, other - theirs["low"])
    return {
        "value": rounded(one - other),
        "low": rounded(one - other - below),
        "high": rounded(one - other + above),
    }

"""False positives as they stand in metrics.json: estimates, labels, annotators, signals, and a sentence.

Guarantees: no annotator is named; the word of several people on a sample is that of most of them, a tie is
unsure; what a model or a rule says of the samples stands apart from what people say, and is never called an
estimate. Left out: the estimates themselves (`false_positives.py`), and reading the store (`signals.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import polars as pl

from factory.metrics.agreement import agreement
from factory.metrics.beta import clopper_pearson
from factory.metrics.false_positives import estimates, without_replacement
from factory.metrics.intervals import wilson
from factory.metrics.measure import rounded
from factory.records import Status

LABELS: Final = ("right", "wrong", "unsure")
JUDGED: Final = ("clear", "suspect", "unjudged")
SHOWN_BELOW: Final = 0.01
"""A sentence says what so few labels can show at best as long as that is more than this."""


class Word(NamedTuple):
    """The last thing that an annotator said of a sample: right, wrong or unsure."""

    sample_id: str
    annotator: str
    label: str


def words_of_most(words: Iterable[Word]) -> dict[str, str]:
    """The word on each sample: wrong or right where more say so than say the other, else unsure."""
    votes: dict[str, Counter[str]] = {}
    for sample, _, label in words:
        votes.setdefault(sample, Counter())[label] += 1
    found = {}
    for sample, said in votes.items():
        ahead = said["wrong"] - said["right"]
        found[sample] = "unsure" if ahead == 0 else "wrong" if ahead > 0 else "right"
    return found


def summary(rows: pl.DataFrame, words: Sequence[Word], *, until: str | None) -> dict[str, Any]:
    """All that is known of how many accepted samples are wrong.

    `rows` has sample_id, problem_id, generator, difficulty, judge (clear, suspect, unjudged), kept, and the
    statuses arithmetic and model of the signals, null where one was not asked; `words` are about its samples
    alone, one of each annotator on each. `until` is when the last label was given. Returns

    - accepted and kept: {per_solution, per_problem}, each as `false_positives.estimates` gives it, of the
      accepted samples before selection, and of those that it keeps;
    - by: {generator: {name: {accepted, kept}}};
    - labels: samples whose word is right, wrong and unsure; annotators: how many; until; agreement: as
      `agreement.agreement` without names, null with fewer than two annotators;
    - signal: {clear, suspect, unjudged: {samples, right, wrong, unsure}}: what people say of each;
    - arithmetic and judge: {asked, pass, fail, no_answer, error, rate}, null where not asked at all; rate is
      {value, low, high}, the share of fail among pass and fail, which is the signal's opinion;
    - said: one sentence or two.
    """
    said = words_of_most(words)
    generators = sorted(rows["generator"].unique())
    counted = Counter(said.values())
    found = {
        **_both(rows, said),
        "by": {
            "generator": {name: _both(rows.filter(pl.col("generator") == name), said) for name in generators}
        },
        "labels": {label: counted[label] for label in LABELS},
        "annotators": len({word.annotator for word in words}),
        "until": until,
        "agreement": _agreement(words),
        "signal": _by_signal(rows, said),
        "arithmetic": _opinion(rows["arithmetic"]),
        "judge": _opinion(rows["model"]),
    }
    return found | {"said": _sentence(found)}


def _both(rows: pl.DataFrame, said: Mapping[str, str]) -> dict[str, Any]:
    return {"accepted": estimates(rows, said), "kept": estimates(rows.filter("kept"), said)}


def _agreement(words: Sequence[Word]) -> dict[str, Any] | None:
    names = {name: f"annotator {place}" for place, name in enumerate(sorted({w.annotator for w in words}), 1)}
    if len(names) < 2:
        return None
    return agreement((word.sample_id, names[word.annotator], word.label) for word in words)


def _by_signal(rows: pl.DataFrame, said: Mapping[str, str]) -> dict[str, dict[str, int]]:
    words = rows["sample_id"].replace_strict(said, default=None, return_dtype=pl.String)
    pairs = pl.DataFrame({"judge": rows["judge"], "word": words}).group_by("judge", "word").len().rows()
    counts = {(judge, word): number for judge, word, number in pairs}
    return {
        judge: {"samples": sum(counts.get((judge, word), 0) for word in (*LABELS, None))}
        | {word: counts.get((judge, word), 0) for word in LABELS}
        for judge in JUDGED
    }


def _opinion(statuses: pl.Series) -> dict[str, Any] | None:
    counts = dict(statuses.drop_nulls().value_counts().rows())
    if not counts:
        return None
    fails, told = counts.get("fail", 0), counts.get("fail", 0) + counts.get("pass", 0)
    low, high = wilson(fails, told)
    return {
        "asked": sum(counts.values()),
        **{status.value: counts.get(status.value, 0) for status in Status},
        "rate": {
            "value": rounded(fails / told) if told else None,
            "low": None if low is None else rounded(low),
            "high": None if high is None else rounded(high),
        },
    }


# --- in words ----------------------------------------------------------------------------------------


def least_shown(labelled: int, population: int) -> float:
    """The least upper end that so many labels can show, when not one of them is wrong."""
    return clopper_pearson(0, labelled * without_replacement(labelled / population)).high or 1.0


def _sentence(found: Mapping[str, Any]) -> str:
    of = "kept" if found["kept"]["per_solution"]["population"] else "accepted"
    one = found[of]["per_solution"]
    if not one["population"]:
        return "No sample is accepted, so there is none that could be a false positive."
    if not one["labelled"]:
        return " ".join(filter(None, [_unlabelled(of, one), *_opinions(found)]))
    parts = [f"{one['wrong']:,} of {one['labelled']:,} labelled {of} samples {_are(one['wrong'])} wrong"]
    if one["wrong"]:
        parts[0] += (
            f": of all {one['population']:,} an estimated {_percent(one['value'])}"
            f" (95 % interval {_percent(one['low'])} to {_percent(one['high'])})"
        )
    else:
        parts[0] += f": at most {_percent(one['high'])} of all {one['population']:,}, with 95 % confidence"
    if one["unsure"]:
        parts.append(f"Of {one['unsure']:,} more people could not tell")
    if one["labelled"] < one["population"]:
        least = least_shown(one["labelled"], one["population"])
        if least > SHOWN_BELOW:
            parts.append(f"{one['labelled']:,} {_labels(one['labelled'])} show less than {_percent(least)}")
    return ". ".join(parts) + "."


def _unlabelled(of: str, one: Mapping[str, Any]) -> str:
    unsure = f", and could not tell of {one['unsure']:,}" if one["unsure"] else ""
    return (
        f"Nobody has labelled any of {one['population']:,} {of} samples right or wrong{unsure}, so how "
        "many of them are wrong is not known."
    )


def _opinions(found: Mapping[str, Any]) -> Iterable[str]:
    judge, arithmetic = found["judge"], found["arithmetic"]
    if judge and judge["pass"] + judge["fail"]:
        yield (
            f"The judge calls {judge['fail']:,} of {judge['pass'] + judge['fail']:,} accepted samples wrong; "
            "that is its opinion, and no estimate."
        )
    if arithmetic and arithmetic["fail"]:
        yield f"{arithmetic['fail']:,} hold an equation that is wrong."


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _labels(number: int) -> str:
    return "label cannot" if number == 1 else "labels cannot"


def _percent(share: float) -> str:
    """A share in per cent, to two digits."""
    return f"{100 * share:.2g} %" if 0 < share < 0.995 else f"{100 * share:.0f} %"

"""One mark for every sample of one problem: kept, or why not.

Guarantees: every candidate gets exactly one mark, in order of position; the order in which they are
handed in changes nothing. Status comes first, then the duplicate rules in the order the recipe
writes them, then the cap. Candidates stand by position (sample index first), so a later draw never
makes an earlier one a duplicate, except under `keep: farthest`, which chooses among wordings.
Left out: anything between two problems.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from factory.recipe import DedupRule, ExactRule, PathRule, Select
from factory.records import Status, content_id
from factory.selection import duplicates

KEPT: Final = "kept"
OVER_LIMIT: Final = "over_limit"
REJECTED_BY: Final = "rejected_by:"
UNACCEPTED: Final[Mapping[Status | None, str]] = {
    Status.FAIL: "wrong",
    Status.NO_ANSWER: "no_answer",
    Status.ERROR: "error",
    None: "unverified",
}
"""The reason of each status but pass."""

EXACT_DUPLICATE: Final = "exact_duplicate"
PATH_DUPLICATE: Final = "path_duplicate"
NEAR_DUPLICATE: Final = "near_duplicate"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sample and what is known of it.

    `position` orders the samples of the problem: (sample_index, place of the generator). `status` is
    the deciding verdict's, None without one; `also_failed` names a further verifier that failed it.
    `apart`: it stands outside duplicates and the cap, as a worked solution may (arXiv 2308.01825).
    """

    sample_id: str
    position: tuple[int, ...]
    completion: str
    status: Status | None
    also_failed: str | None = None
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """Why one sample is in or out.

    `duplicate_of` names the sample it repeats, one that no duplicate rule dropped (the cap may have
    dropped it since). `rank` counts the kept from 0 in order of position; None where not kept.
    """

    sample_id: str
    kept: bool
    reason: str
    duplicate_of: str | None = None
    rank: int | None = None


def select(candidates: Iterable[Candidate], rules: Select, *, problem_id: str) -> list[Mark]:
    """One mark for each candidate of the problem `problem_id`, in order of position.

    The cap keeps the first drawn, whom no later draw displaces; with `choice: random` those whose hash with
    the seed and the problem is lowest, a choice that needs no order and that a later draw changes by one
    sample at most. What stands apart is kept if it is correct, repeats nothing, makes no other a repeat, and
    takes no place under the cap. Raises ValueError when two candidates share a sample_id.
    """
    ordered = sorted(candidates, key=lambda one: (one.position, one.sample_id))
    if len({one.sample_id for one in ordered}) != len(ordered):
        raise ValueError(f"problem {problem_id}: a sample_id stands twice among {len(ordered)} candidates")
    reasons = {one.sample_id: reason for one in ordered if (reason := _unaccepted(one))}
    accepted = [one for one in ordered if one.sample_id not in reasons and not one.apart]
    repeats = _repeats(accepted, rules.dedup)
    reasons |= {sample: reason for sample, (reason, _) in repeats.items()}
    survivors = [one.sample_id for one in accepted if one.sample_id not in repeats]
    reasons |= dict.fromkeys(_over_limit(survivors, rules, problem_id), OVER_LIMIT)
    kept = [one.sample_id for one in ordered if one.sample_id not in reasons]
    ranks = {sample: rank for rank, sample in enumerate(kept)}
    return [
        Mark(
            sample_id=one.sample_id,
            kept=one.sample_id in ranks,
            reason=reasons.get(one.sample_id, KEPT),
            duplicate_of=_survivor(one.sample_id, repeats) if one.sample_id in repeats else None,
            rank=ranks.get(one.sample_id),
        )
        for one in ordered
    ]


def _unaccepted(candidate: Candidate) -> str | None:
    if candidate.status is not Status.PASS:
        return UNACCEPTED[candidate.status]
    return f"{REJECTED_BY}{candidate.also_failed}" if candidate.also_failed is not None else None


def _repeats(accepted: Sequence[Candidate], rules: Sequence[DedupRule]) -> dict[str, tuple[str, str]]:
    """{sample dropped: (reason, sample it repeated when the rule ran)}; each rule sees what the last left."""
    repeats: dict[str, tuple[str, str]] = {}
    left = list(accepted)
    for rule in rules:
        reason, places = _run(rule, [one.completion for one in left])
        repeats |= {left[place].sample_id: (reason, left[of].sample_id) for place, of in places.items()}
        left = [one for place, one in enumerate(left) if place not in places]
    return repeats


def _run(rule: DedupRule, texts: Sequence[str]) -> tuple[str, dict[int, int]]:
    if isinstance(rule, ExactRule):
        return EXACT_DUPLICATE, duplicates.exact(texts)
    if isinstance(rule, PathRule):
        return PATH_DUPLICATE, duplicates.same_path(texts, rule.keep)
    return NEAR_DUPLICATE, duplicates.near(texts, rule.threshold)


def _survivor(sample: str, repeats: Mapping[str, tuple[str, str]]) -> str:
    """The end of the chain: what a sample repeats may itself have been dropped by a later rule."""
    while sample in repeats:
        sample = repeats[sample][1]
    return sample


def _over_limit(survivors: Sequence[str], rules: Select, problem_id: str) -> list[str]:
    if rules.per_problem is None:
        return []
    if rules.choice == "first":
        return list(survivors[rules.per_problem :])
    drawn = sorted(
        survivors,
        key=lambda sample: content_id({"problem_id": problem_id, "sample_id": sample, "seed": rules.seed}),
    )
    return drawn[rules.per_problem :]

"""The verifier `consensus`: the answer that most samples of a problem give stands for its reference.

Guarantees: only samples that gave an answer vote; a tie, too few answers and too small a share decide
nothing. Answers are read by `extraction.py` and compared as by the verifier `math`; what cannot be compared
is not the same. Left out: whether the majority is right. Equality need not be transitive (20% is 0.2 and
20, which differ), so each answer joins the first group, in the order of the samples, whose first answer it
equals: where equality is transitive the order does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from factory.recipe import ConsensusOptions, MathOptions
from factory.records import Status, canonical_json
from factory.verifiers import extraction
from factory.verifiers.base import Check, Item
from factory.verifiers.extraction import Found
from factory.verifiers.judging import judge
from factory.verifiers.last_resort import Wanted
from factory.verifiers.majority import is_majority
from factory.verifiers.spelling import clean, key

NAME: Final = "consensus"
VERSION: Final = "1"


def vote(completions: Sequence[str], options: ConsensusOptions) -> list[Check]:
    """A verdict for each sample of one problem, in their order.

    `detail` is {answer: the commonest, share: of the answers, answers: how many, samples: how many}; answer
    and share are null when there are no answers, and answer is null in a tie.
    """
    # No reference says what is looked for: as to a number, where that is allowed.
    wanted = Wanted.NUMBER if options.math.last_number else Wanted.MARKED
    found = [extraction.extract(text, wanted) for text in completions]
    groups = equal_answers([one.text or one.answer for one in found], options.math)
    ranked = sorted(groups, key=len, reverse=True)
    answers = sum(map(len, groups))
    tied = len(ranked) > 1 and len(ranked[0]) == len(ranked[1])
    most = ranked[0] if ranked else []
    detail = canonical_json(
        {
            "answer": found[most[0]].answer if most and not tied else None,
            "share": len(most) / answers if answers else None,
            "answers": answers,
            "samples": len(completions),
        }
    )
    abstains = ""
    if answers < options.answers:
        abstains = "too_few"
    elif tied or not is_majority(len(most), answers, options.agreement):
        abstains = "no_majority"
    return [_check(one, index in most, abstains, detail) for index, one in enumerate(found)]


def _check(found: Found, agrees: bool, abstains: str, detail: str) -> Check:
    if abstains or found.answer is None:
        status, reason = Status.NO_ANSWER, abstains or found.reason
    else:
        status, reason = (Status.PASS, "majority") if agrees else (Status.FAIL, "minority")
    return Check(status, reason, found.answer, found.rule, detail)


def equal_answers(answers: Sequence[str | None], options: MathOptions) -> list[list[int]]:
    """The indices of equal answers, each group in order and the groups by their first."""
    groups: list[list[int]] = []
    known: dict[str, list[int]] = {}  # by text, so that what is written alike is compared once
    for index, answer in enumerate(answers):
        if answer is None:
            continue
        text = key(clean(answer))
        if text not in known:
            known[text] = next((one for one in groups if _same(answer, answers[one[0]], options)), [])
            if not known[text]:
                groups.append(known[text])
        known[text].append(index)
    return groups


def _same(answer: str, other: str | None, options: MathOptions) -> bool:
    return judge(Item(answer, other), "math", options, whole=True).status is Status.PASS

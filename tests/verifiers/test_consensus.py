"""The verifier `consensus`: who votes, what is one answer, and when nothing is decided."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.recipe import ConsensusOptions
from factory.records import Status
from factory.verifiers import consensus
from factory.verifiers.base import Check


def vote(completions: list[str], **changed: Any) -> list[Check]:
    return consensus.vote(completions, ConsensusOptions.model_validate({"answers": 1, **changed}))


def marks(completions: list[str], **changed: Any) -> list[str]:
    return [f"{check.status} {check.reason}" for check in vote(completions, **changed)]


def detail(completions: list[str], **changed: Any) -> dict[str, Any]:
    details = {check.detail for check in vote(completions, **changed)}
    assert len(details) == 1, "one vote, one detail"
    return dict(json.loads(details.pop() or ""))


SIX = "So the answer is 6."
SEVEN = "It is 7. The answer is 7."
NONE = "I do not know."


@pytest.mark.parametrize(
    ("completions", "options", "expected"),
    [
        ([SIX, SIX, SEVEN], {}, ["pass majority", "pass majority", "fail minority"]),
        ([SIX, r"\boxed{6.0}", SEVEN], {}, ["pass majority", "pass majority", "fail minority"]),
        ([r"\boxed{\frac{1}{2}}", "The answer is 0.5.", SIX], {}, ["pass majority"] * 2 + ["fail minority"]),
        ([SIX, SEVEN, SEVEN], {}, ["fail minority", "pass majority", "pass majority"]),
        ([SIX], {}, ["pass majority"]),
        ([SIX, SEVEN], {}, ["no_answer no_majority"] * 2),
        ([SIX, SEVEN], {"agreement": 0.0}, ["no_answer no_majority"] * 2),
        ([SIX, SIX, SEVEN, SEVEN, NONE], {"agreement": 0.0}, ["no_answer no_majority"] * 5),
        ([SIX, SIX, SEVEN, "#### 8"], {}, ["no_answer no_majority"] * 4),
        ([SIX, SIX, SEVEN, "#### 8"], {"agreement": 0.3}, ["pass majority"] * 2 + ["fail minority"] * 2),
        ([SIX, SIX, SIX], {"answers": 4}, ["no_answer too_few"] * 3),
        ([SIX, SIX, SIX, NONE], {"answers": 4}, ["no_answer too_few"] * 4),
        ([SIX, SIX, SIX, SIX], {"answers": 4}, ["pass majority"] * 4),
        ([SIX, SIX, SIX, SEVEN], {"agreement": 0.75}, ["no_answer no_majority"] * 4),
        ([NONE, ""], {}, ["no_answer too_few"] * 2),
        ([], {}, []),
    ],
)
def test_a_majority_of_the_answers_decides(
    completions: list[str], options: dict[str, Any], expected: list[str]
) -> None:
    assert marks(completions, **options) == expected


def test_only_parsed_answers_vote() -> None:
    """F6: two replies that cannot be read, then 42 and 41; the unread ones must not win."""
    replies = [NONE, NONE, "The answer is 42.", "The answer is 41."]
    assert marks(replies) == ["no_answer no_majority"] * 4
    assert detail(replies) == {"answer": None, "answers": 2, "samples": 4, "share": 0.5}
    more = [NONE, NONE, NONE, "The answer is 42.", "The answer is 42."]
    assert [check.status for check in vote(more)] == [Status.NO_ANSWER] * 3 + [Status.PASS] * 2
    assert detail(more)["answer"] == "42"
    assert detail(more)["share"] == 1.0


def test_when_no_reply_can_be_read_there_is_no_vote() -> None:
    assert detail([NONE, NONE]) == {"answer": None, "answers": 0, "samples": 2, "share": None}


def test_a_sample_without_an_answer_keeps_its_own_reason() -> None:
    checks = vote([SIX, SIX, NONE, ""])
    assert [(one.status, one.reason, one.answer) for one in checks[2:]] == [
        (Status.NO_ANSWER, "none", None),
        (Status.NO_ANSWER, "empty", None),
    ]


def test_the_answer_and_the_rule_that_found_it_are_kept() -> None:
    checks = vote([SIX, r"\boxed{6}", "#### 8"])
    assert [(one.answer, one.rule) for one in checks] == [("6", "answer_is"), ("6", "boxed"), ("8", "hash")]


def test_what_cannot_be_compared_is_not_the_same() -> None:
    units = [r"\boxed{5m}", r"\boxed{5}", r"\boxed{5}"]  # metres, or 5 times m
    assert marks(units) == ["fail minority", "pass majority", "pass majority"]


def test_an_answer_that_cannot_be_computed_with_is_the_same_as_its_own_text() -> None:
    huge = r"\boxed{9^{9^{9^{9}}}}"
    assert marks([huge, huge, SIX]) == ["pass majority", "pass majority", "fail minority"]


def test_the_conventions_are_those_of_math() -> None:
    answers = [r"\boxed{20\%}", r"\boxed{\frac{1}{5}}", r"\boxed{20\%}", r"\boxed{\frac{2}{10}}"]
    assert marks(answers, math={"percent": "value"}) == ["pass majority"] * 4
    assert marks(answers, math={"percent": "sign"}) == ["no_answer no_majority"] * 4


def test_the_last_number_votes_only_where_it_counts_as_an_answer() -> None:
    texts = ["We are left with 6", "There remain 6", SEVEN]
    assert marks(texts)[0] == "pass majority"
    assert marks(texts, math={"last_number": False})[0].startswith("no_answer")


WRITTEN = st.integers(0, 4).flatmap(
    lambda n: st.sampled_from(
        [
            f"The answer is {n}.",
            rf"\boxed{{{n}}}",
            f"#### {n}.0",
            rf"\boxed{{\frac{{{3 * n}}}{{3}}}}",
            NONE,
        ]
    )
)


@settings(max_examples=60)
@given(st.lists(WRITTEN, max_size=12), st.randoms(), st.sampled_from([0.0, 0.3, 0.5, 0.8]))
def test_the_order_of_the_samples_does_not_matter(texts: list[str], random: Any, share: float) -> None:
    order = random.sample(range(len(texts)), len(texts))
    straight = vote(texts, agreement=share)
    shuffled = vote([texts[index] for index in order], agreement=share)
    for position, index in enumerate(order):
        assert shuffled[position].status == straight[index].status
        assert shuffled[position].reason == straight[index].reason


@settings(max_examples=60)
@given(st.lists(WRITTEN, max_size=12), st.integers(0, 5))
def test_samples_without_an_answer_change_no_vote(texts: list[str], more: int) -> None:
    alone = vote(texts)
    together = vote([*texts, *[NONE] * more])
    assert [one.status for one in together[: len(texts)]] == [one.status for one in alone]
    assert {one.status for one in together[len(texts) :]} <= {Status.NO_ANSWER}


@settings(max_examples=60)
@given(st.lists(WRITTEN, max_size=12), st.sampled_from([0.5, 0.6, 0.9]))
def test_who_agrees_with_the_majority_passes_and_they_are_more_than_the_share(
    texts: list[str], share: float
) -> None:
    checks = vote(texts, agreement=share)
    answered = [one for one in checks if one.answer is not None]
    agreeing = [one for one in checks if one.status is Status.PASS]
    assert not agreeing or len(agreeing) > share * len(answered)
    if not agreeing:
        assert not any(one.status is Status.FAIL for one in checks), "no minority without a majority"

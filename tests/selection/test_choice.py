"""One mark for every sample of a problem, tested by reason."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.recipe import Select
from factory.records import Status
from factory.selection.choice import Candidate, Mark, select

ALL_RULES = {
    "dedup": ["exact", {"path": "equations", "keep": "farthest"}, {"near": "minhash", "threshold": 0.7}]
}


def rules(**fields: object) -> Select:
    return Select.model_validate(fields)


def passed(name: str, completion: str, *position: int) -> Candidate:
    return Candidate(name, position or (int(name[1:]), 0), completion, Status.PASS)


def reasons(marks: list[Mark]) -> dict[str, str]:
    return {mark.sample_id: mark.reason for mark in marks}


@pytest.mark.parametrize(
    ("status", "also_failed", "reason"),
    [
        (Status.PASS, None, "kept"),
        (Status.PASS, "arithmetic", "rejected_by:arithmetic"),
        (Status.FAIL, None, "wrong"),
        (Status.FAIL, "arithmetic", "wrong"),
        (Status.NO_ANSWER, None, "no_answer"),
        (Status.ERROR, None, "error"),
        (None, None, "unverified"),
    ],
)
def test_reason_of_a_status(status: Status | None, also_failed: str | None, reason: str) -> None:
    (mark,) = select([Candidate("s0", (0, 0), "text", status, also_failed)], rules(), problem_id="p")
    assert mark == Mark("s0", reason == "kept", reason, None, 0 if reason == "kept" else None)


def test_a_rejected_sample_makes_no_duplicate() -> None:
    wrong = Candidate("s0", (0, 0), "same", Status.FAIL)
    marks = select([wrong, passed("s1", "same"), passed("s2", "same")], rules(), problem_id="p")
    assert reasons(marks) == {"s0": "wrong", "s1": "kept", "s2": "exact_duplicate"}


def test_duplicates_name_what_they_repeat_and_ranks_count_the_kept() -> None:
    texts = ["so 3 + 4 = 7", "4 + 3 = 7", "so  3 + 4 = 7", "thus 3 + 4 = 7", "1 + 1 = 2"]
    marks = select(
        [passed(f"s{place}", text) for place, text in enumerate(texts)],
        rules(dedup=["exact", {"path": "equations"}]),
        problem_id="p",
    )
    assert marks == [
        Mark("s0", True, "kept", None, 0),
        Mark("s1", True, "kept", None, 1),
        Mark("s2", False, "exact_duplicate", "s0", None),
        Mark("s3", False, "path_duplicate", "s0", None),
        Mark("s4", True, "kept", None, 2),
    ]


def test_a_near_duplicate() -> None:
    story = (
        "she sold all of her clips to friends she met in the month of {} and that made seven of them in all"
    )
    marks = select(
        [passed("s0", story.format("May")), passed("s1", story.format("June")), passed("s2", "seven it is")],
        rules(dedup=[{"near": "minhash", "threshold": 0.6}]),
        problem_id="p",
    )
    assert marks[1] == Mark("s1", False, "near_duplicate", "s0", None)
    assert reasons(marks) == {"s0": "kept", "s1": "near_duplicate", "s2": "kept"}


def test_a_chain_is_followed_to_what_survived() -> None:
    texts = ["x 3+4=7", "y 1+1=2", "x  3+4=7", "a much longer wording that ends in 3+4=7"]
    marks = select(
        [passed(f"s{place}", text) for place, text in enumerate(texts)], rules(**ALL_RULES), problem_id="p"
    )
    assert marks[0] == Mark("s0", False, "path_duplicate", "s3", None)
    assert marks[2] == Mark("s2", False, "exact_duplicate", "s3", None), "it repeats s0, which s3 replaced"


def test_the_rules_run_in_the_order_written() -> None:
    candidates = [passed("s0", "3 + 4 = 7"), passed("s1", "3 + 4 = 7")]
    path_first = rules(dedup=[{"path": "equations"}, "exact"])
    assert reasons(select(candidates, path_first, problem_id="p"))["s1"] == "path_duplicate"
    assert reasons(select(candidates, rules(dedup=["exact", {"path": "equations"}]), problem_id="p"))[
        "s1"
    ] == ("exact_duplicate")
    assert reasons(select(candidates, rules(dedup=[]), problem_id="p"))["s1"] == "kept"


def test_position_decides_and_not_the_name() -> None:
    marks = select([passed("s0", "same", 1, 0), passed("s9", "same", 0, 1)], rules(), problem_id="p")
    assert [(mark.sample_id, mark.reason) for mark in marks] == [("s9", "kept"), ("s0", "exact_duplicate")]


def test_over_limit_is_a_choice_by_seed_and_problem() -> None:
    candidates = [passed(f"s{place}", f"text {place}") for place in range(12)]

    def kept(problem: str, seed: int) -> frozenset[str]:
        marks = select(candidates, rules(per_problem=4, seed=seed, choice="random"), problem_id=problem)
        assert {mark.reason for mark in marks} == {"kept", "over_limit"}
        assert [mark.rank for mark in marks if mark.kept] == [0, 1, 2, 3]
        return frozenset(mark.sample_id for mark in marks if mark.kept)

    assert kept("p", 0) == kept("p", 0)
    assert kept("p", 0) == {"s2", "s3", "s6", "s7"}, "golden: a change makes other releases of old recipes"
    assert len({kept("p", seed) for seed in range(20)} | {kept(f"q{i}", 0) for i in range(20)}) > 30
    often = [sum(f"s{place}" in kept("p", seed) for seed in range(300)) for place in range(12)]
    assert all(60 < count < 140 for count in often), "each is kept in 4 of 12 choices"


def test_the_first_drawn_are_kept_and_no_later_draw_displaces_them() -> None:
    candidates = [passed(f"s{place}", f"text {place}") for place in range(12)]
    for count in (4, 5, 12):
        marks = select(candidates[:count][::-1], rules(per_problem=4), problem_id="p")
        assert [mark.sample_id for mark in marks if mark.kept] == ["s0", "s1", "s2", "s3"]
        assert {mark.reason for mark in marks[4:]} <= {"over_limit"}


def test_a_later_draw_changes_a_choice_by_one_at_most() -> None:
    def kept(count: int) -> set[str]:
        candidates = [passed(f"s{place}", f"text {place}") for place in range(count)]
        marks = select(candidates, rules(per_problem=4, choice="random"), problem_id="p")
        return {mark.sample_id for mark in marks if mark.kept}

    assert all(len(kept(count) - kept(count + 1)) <= 1 for count in range(4, 30))


def test_over_limit_keeps_the_duplicate_of_its_twin() -> None:
    marks = select(
        [passed("s0", "a"), passed("s1", "b"), passed("s2", "a")], rules(per_problem=1), problem_id="p"
    )
    assert marks[2].duplicate_of == "s0"
    assert sorted(mark.reason for mark in marks) == ["exact_duplicate", "kept", "over_limit"]


def test_a_sample_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="problem p: a sample_id stands twice among 2 candidates"):
        select([passed("s0", "a"), passed("s0", "b")], rules(), problem_id="p")


def test_no_candidates_no_marks() -> None:
    assert select([], rules(), problem_id="p") == []


_TEXT = st.sampled_from(
    ["3 + 4 = 7", "so 3+4=7", "3+4=7  ok", "no equation", "No equation", "a b c d 5", "a b c d 6"]
)
_STATUS = st.sampled_from([*[Status.PASS] * 5, Status.FAIL, Status.NO_ANSWER, Status.ERROR, None])


@settings(max_examples=100)
@given(
    st.lists(st.tuples(_TEXT, _STATUS), max_size=10),
    st.randoms(use_true_random=False),
    st.none() | st.integers(1, 4),
)
def test_laws(drawn: list[tuple[str, Status | None]], shuffler: random.Random, limit: int | None) -> None:
    candidates = [
        Candidate(f"s{place}", (place // 2, place % 2), text, status)
        for place, (text, status) in enumerate(drawn)
    ]
    shuffled = list(candidates)
    shuffler.shuffle(shuffled)
    chosen = rules(**ALL_RULES, per_problem=limit)
    marks = select(candidates, chosen, problem_id="p")
    assert marks == select(shuffled, chosen, problem_id="p")
    assert [mark.sample_id for mark in marks] == [one.sample_id for one in candidates]
    kept = [mark for mark in marks if mark.kept]
    assert [mark.rank for mark in kept] == list(range(len(kept)))
    assert limit is None or len(kept) <= limit
    survived = {mark.sample_id for mark in marks if mark.reason in ("kept", "over_limit")}
    for mark in marks:
        assert mark.kept == (mark.reason == "kept") == (mark.rank is not None)
        assert (mark.duplicate_of in survived) == mark.reason.endswith("_duplicate")


def test_what_stands_apart_takes_no_place_and_is_no_twin() -> None:
    apart = Candidate("s0", (0, 0), "same", Status.PASS, apart=True)
    others = [passed("s1", "same", 0, 1), passed("s2", "same", 1, 1), passed("s3", "another", 2, 1)]
    marks = select([apart, *others], rules(per_problem=1), problem_id="p")
    assert reasons(marks) == {"s0": "kept", "s1": "kept", "s2": "exact_duplicate", "s3": "over_limit"}
    assert [mark.rank for mark in marks if mark.kept] == [0, 1]


def test_what_stands_apart_is_kept_only_if_it_is_correct() -> None:
    wrong = Candidate("s0", (0, 0), "text", Status.FAIL, apart=True)
    rejected = Candidate("s1", (1, 0), "text", Status.PASS, "arithmetic", apart=True)
    marks = select([wrong, rejected], rules(), problem_id="p")
    assert reasons(marks) == {"s0": "wrong", "s1": "rejected_by:arithmetic"}

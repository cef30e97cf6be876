"""Pairs for preference training: the nearest first, each sample once, and the same for any order of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.release.pairs import PAIRINGS, READ, Sample, by_length, by_similarity

Pairing = Callable[[list[Sample], list[Sample], int], list[tuple[str, str]]]


def sample(name: str, text: str = "", tokens: int | None = None) -> Sample:
    return Sample(name, tokens, len(text), text)


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[Sample], list[Sample], int]:
    """The kept and the failed samples of a problem, and a limit."""
    texts = draw(st.lists(st.text("ab1 ", max_size=6), max_size=9))
    counted = draw(st.booleans())
    made = [
        sample(f"s{place}", text, draw(st.integers(0, 5)) if counted else None)
        for place, text in enumerate(texts)
    ]
    border = draw(st.integers(0, len(made)))
    return made[:border], made[border:], draw(st.integers(1, 5))


@pytest.mark.parametrize("pairing", PAIRINGS.values(), ids=PAIRINGS)
@given(problem=problems(), chance=st.randoms(use_true_random=False))
@settings(max_examples=80)
def test_laws_of_pairing(pairing: Pairing, problem: Any, chance: Any) -> None:
    kept, failed, limit = problem
    pairs = pairing(kept, failed, limit)
    chosen, rejected = [one for one, _ in pairs], [other for _, other in pairs]
    assert set(chosen) <= {one.sample_id for one in kept}, "what is chosen was kept"
    assert set(rejected) <= {one.sample_id for one in failed}, "what is rejected failed"
    assert len({*chosen, *rejected}) == 2 * len(pairs), "no sample stands in two pairs"
    assert len(pairs) == min(limit, len(kept), len(failed)), "as many as there can be"
    assert pairing(kept, failed, limit + 1)[: len(pairs)] == pairs, "a higher limit only adds pairs"
    chance.shuffle(kept)
    chance.shuffle(failed)
    assert pairing(kept, failed, limit) == pairs


def test_length_pairs_the_nearest_in_tokens() -> None:
    kept = [sample("k1", "x" * 50, 10), sample("k2", "x", 100)]
    failed = [sample("f1", "x", 99), sample("f2", "x" * 50, 40), sample("f3", "x" * 50, 12)]
    assert by_length(kept, failed, 4) == [("k2", "f1"), ("k1", "f3")]


def test_one_unknown_token_count_makes_it_characters_for_the_whole_problem() -> None:
    kept = [sample("k1", "xx", 1000)]
    failed = [sample("f1", "x" * 500, 1000), sample("f2", "xxx", None)]
    assert by_length(kept, failed, 4) == [("k1", "f2")]


def test_equally_near_ones_go_by_their_ids() -> None:
    kept, failed = [sample("b"), sample("a")], [sample("d"), sample("c")]
    assert by_length(kept, failed, 4) == by_similarity(kept, failed, 4) == [("a", "c"), ("b", "d")]


def test_likeness_pairs_those_that_little_but_the_error_parts() -> None:
    kept = [
        sample("k1", "3 + 5 = 8. The answer is 8."),
        sample("k2", "Count on from five: six, seven, eight: 8"),
    ]
    failed = [sample("f1", "Count on from five: six, seven: 7"), sample("f2", "3 + 5 = 9. The answer is 9.")]
    assert by_similarity(kept, failed, 4) == [("k1", "f2"), ("k2", "f1")]
    assert by_similarity(kept, failed, 1) == [("k1", "f2")]


def test_texts_are_compared_as_far_as_they_are_read() -> None:
    beginning = "a" * READ
    kept = [sample("k1", beginning + "b" * 50_000)]
    failed = [sample("f1", "a" * (READ - 1) + "c"), sample("f2", beginning + "c" * 50_000)]
    assert by_similarity(kept, failed, 1) == [("k1", "f2")]


@pytest.mark.parametrize("pairing", PAIRINGS.values(), ids=PAIRINGS)
def test_a_problem_with_one_side_gives_no_pair(pairing: Pairing) -> None:
    assert pairing([sample("k")], [], 4) == pairing([], [sample("f")], 4) == pairing([], [], 4) == []

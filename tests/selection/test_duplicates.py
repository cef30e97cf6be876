"""Duplicates: what repeats what, in order of arrival."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from functools import partial
from string import ascii_lowercase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.selection.duplicates import bands, exact, farthest, near, numbers, same_path, shingles

STORY = (
    "Natalia sold clips to {n} of her friends in April and then she sold half as many clips in the month of "
    "May so altogether she sold {total} clips in the two months and that is what the question asks us to find"
)


def test_exact_names_the_first_and_looks_past_whitespace() -> None:
    assert exact(["a b", "c", "a  b\n", "A b", "c"]) == {2: 0, 4: 1}


def test_same_path_keeps_the_first() -> None:
    assert same_path(["3 + 4 = 7", "4 + 3 = 7", "we add 3+4=7", "no equation", "none either"]) == {2: 0}


RFT = (("A", "aaaa"), ("A", "bbbbbbbb"), ("B", "aaab"), ("B", "zz"))


def test_farthest_gives_the_published_results_over_all_orders() -> None:
    results = Counter(
        frozenset(order[place][1] for place in farthest(order).values())
        for order in itertools.permutations(RFT)
    )
    assert results == {
        frozenset({"aaaa", "zz"}): 2,
        frozenset({"bbbbbbbb", "zz"}): 20,
        frozenset({"aaab", "bbbbbbbb"}): 2,
    }


def test_farthest_in_the_order_as_written() -> None:
    assert farthest(RFT) == {"A": 0, "B": 3}


def test_a_tie_does_not_replace() -> None:
    assert farthest([("A", "ab"), ("B", "zz"), ("A", "cd")]) == {"A": 0, "B": 1}


def test_alone_there_is_nothing_to_be_far_from() -> None:
    assert farthest([("A", "a"), ("A", "bbbbbbbbbbb")]) == {"A": 0}


def test_same_path_farthest_names_the_representative_finally_kept() -> None:
    texts = ["x 3+4=7", "y 1+1=2", "a much longer wording that ends in 3+4=7", "x! 3+4=7"]
    assert same_path(texts, "farthest") == {0: 2, 3: 2}


def _edit_distance(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        above, row[0] = row[0], i
        for j, right in enumerate(other, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (left != right))
    return row[-1]


def _published(keyed: list[tuple[str, str]]) -> dict[str, str]:
    kept: dict[str, str] = {}
    for key, text in keyed:
        if key not in kept:
            kept[key] = text
            continue
        others = [other for other in kept.values() if other != kept[key]]
        if sum(_edit_distance(text, o) for o in others) > sum(_edit_distance(kept[key], o) for o in others):
            kept[key] = text
    return kept


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from("ABC"), st.text("abc", max_size=6)), max_size=12))
def test_farthest_is_the_published_loop(keyed: list[tuple[str, str]]) -> None:
    assert {key: keyed[place][1] for key, place in farthest(keyed).items()} == _published(keyed)


# --- near --------------------------------------------------------------------------------------------


def test_near_finds_a_light_paraphrase() -> None:
    told = STORY.format(n=48, total=72)
    assert near(
        [told, "Something else with 48 and 72.", told.replace("month of May", "month of June")], 0.7
    ) == {2: 0}


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(STORY.format(n=48, total=73), id="one number changed"),
        pytest.param(STORY.format(n=48, total=72) + " 5", id="one number more"),
        pytest.param(" ".join(reversed(STORY.format(n=48, total=72).split())), id="words in another order"),
        pytest.param("48 and 72", id="numbers only"),
        pytest.param("", id="nothing"),
    ],
)
def test_near_keeps(changed: str) -> None:
    assert near([STORY.format(n=48, total=72), changed], 0.7) == {}


def test_near_reads_through_calculator_annotations() -> None:
    told = STORY.format(n=48, total=72)
    assert near([told, told.replace("72", "<<48+24=72>>72")], 0.7) == {1: 0}


def test_near_names_a_kept_text_and_not_a_chain() -> None:
    words = [one + other for one in "abcdefgh" for other in "stuvwxyz"]
    first, second = " ".join(words), " ".join([*words[:-8], *"ijklmnop"])
    third = " ".join([*"qrstuvwx", *words[8:-8], *"ijklmnop"])
    assert near([second, third], 0.7) == {1: 0}
    assert near([first, second, third], 0.7) == {1: 0}, "third is near second alone, which is not kept"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,000 and 1000.0 and 3.5", {"1000", "3.5"}),
        ("<<3+4=7>>7", {"7"}),
        ("two", set()),
        ("٣ apples", {"3"}),
        ("(2), 3! 4.", {"2", "3", "4"}),
    ],
)
def test_numbers(text: str, expected: set[str]) -> None:
    assert numbers(text) == expected


def test_shingles_of_short_texts() -> None:
    assert shingles("One two, three FOUR") == {"one two three", "two three four"}
    assert shingles("one two") == {"one two"}
    assert shingles("+ !") == {"+ !"} != shingles("")


@given(st.floats(0.04, 0.99))
def test_the_index_meets_pairs_at_the_threshold(threshold: float) -> None:
    count, rows = bands(threshold)
    assert count * rows <= 128
    assert 1 - (1 - threshold**rows) ** count >= 0.99


_WORDS = st.lists(st.sampled_from(["one", "two", "3", "4", "add", "to"]), max_size=8).map(" ".join)


RULES = {
    "exact": exact,
    "path": same_path,
    "near 0.3": partial(near, threshold=0.3),
    "near 0.9": partial(near, threshold=0.9),
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
@settings(max_examples=50)
@given(texts=st.lists(_WORDS, max_size=8), seen=st.integers(0, 8))
def test_repeats_name_a_kept_text_before_them_and_later_draws_change_nothing(
    rule: Callable[[list[str]], dict[int, int]], texts: list[str], seen: int
) -> None:
    repeats = rule(texts)
    assert not set(repeats.values()) & set(repeats)
    assert all(of < place for place, of in repeats.items())
    assert {place: of for place, of in repeats.items() if place < seen} == rule(texts[:seen])


@settings(max_examples=50)
@given(st.lists(_WORDS, max_size=8))
def test_near_texts_share_numbers_and_equal_texts_are_near(texts: list[str]) -> None:
    repeats = near(texts, 0.5)
    assert set(exact(texts)) <= set(repeats)
    assert all(numbers(texts[place]) == numbers(texts[of]) for place, of in repeats.items())


@pytest.mark.parametrize("alike", [0.2, 0.5, 0.8, 0.95])
def test_the_estimate_follows_the_true_likeness(alike: float) -> None:
    shared = round(2 * 400 * alike / (1 + alike))  # of 400 3-grams each, so that shared / union = alike
    words = [one + other for one in ascii_lowercase for other in ascii_lowercase]
    texts = [
        " ".join(words[:402]),
        " ".join(words[: shared + 2] + [f"{word}q" for word in words[shared + 2 : 402]]),
    ]
    one, other = map(shingles, texts)
    assert len(one & other) / len(one | other) == pytest.approx(alike, abs=0.01)
    assert near(texts, alike - 0.15) == {1: 0}
    assert near(texts, min(alike + 0.15, 0.999)) == {}

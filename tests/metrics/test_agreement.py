"""Agreement of annotators: textbook values, what is not defined, and laws."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.metrics.agreement import LABELS, agreement


def words(*rows: str) -> list[tuple[str, str, str]]:
    """One row an item: r, w or u by annotators a, b, c, ...; a point is no word."""
    full = {one[0]: one for one in LABELS}
    return [
        (f"s{place}", "abcdefgh"[who], full[letter])
        for place, row in enumerate(rows)
        for who, letter in enumerate(row)
        if letter != "."
    ]


def test_cohens_kappa_of_a_table_worked_out_by_hand() -> None:
    # 20 both right, 15 both wrong, 5 and 10 apart: share 0.7, chance 0.5 x 0.6 + 0.5 x 0.4 = 0.5.
    rows = ["rr"] * 20 + ["rw"] * 5 + ["wr"] * 10 + ["ww"] * 15
    found = agreement(words(*rows))
    assert found["kappa_name"] == "cohen"
    assert found["share"]["value"] == pytest.approx(0.7)
    assert found["kappa"]["value"] == pytest.approx(0.4)
    assert found["kappa"]["low"] < 0.4 < found["kappa"]["high"]
    assert (found["items"], found["pairs"]) == (50, 50)
    assert found["by_pair"] == [
        {"annotators": ["a", "b"], "items": 50, "share": pytest.approx(0.7), "kappa": pytest.approx(0.4)}
    ]


def test_fleisss_kappa_of_three_people_worked_out_by_hand() -> None:
    # Items rrr, rrw, www, rww: shares 1, 1/3, 1, 1/3, mean 2/3; both labels half of the words, chance 1/2.
    found = agreement(words("rrr", "rrw", "www", "rww"))
    assert found["kappa_name"] == "fleiss"
    assert found["share"]["value"] == pytest.approx(2 / 3)
    assert found["kappa"]["value"] == pytest.approx(1 / 3)
    assert found["pairs"] == 12
    assert len(found["by_pair"]) == 3


def test_an_item_with_one_word_says_nothing_of_agreement() -> None:
    found = agreement(words("rr", "rw", "w.", ".u"))
    assert (found["items"], found["share"]["value"]) == (2, 0.5)
    assert found["annotators"] == ["a", "b"]


@pytest.mark.parametrize("rows", [[], ["r."], ["r.", ".r"]])
def test_without_two_words_on_an_item_nothing_is_measured(rows: list[str]) -> None:
    found = agreement(words(*rows))
    assert found["share"]["value"] is found["kappa"]["value"] is found["kappa_name"] is None
    assert found["by_pair"] == []


def test_kappa_is_not_defined_where_all_words_are_the_same() -> None:
    found = agreement(words("rr", "rr", "rr"))
    assert found["share"] == {"value": 1.0, "low": pytest.approx(0.4385, abs=1e-3), "high": 1.0}
    assert found["kappa"] == {"value": None, "low": None, "high": None}


def test_full_agreement_on_two_labels_has_kappa_one_and_no_interval() -> None:
    assert agreement(words("rr", "ww", "rr"))["kappa"] == {"value": 1.0, "low": None, "high": None}


def test_unsure_is_a_word_like_the_others() -> None:
    assert agreement(words("uu", "ru"))["share"]["value"] == 0.5


def test_a_label_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="'fine' is no label; labels are right, wrong, unsure"):
        agreement([("s", "a", "fine")])


def test_two_words_of_one_person_are_refused() -> None:
    with pytest.raises(ValueError, match="a has two words on s"):
        agreement([("s", "a", "right"), ("s", "a", "wrong")])


tables = st.lists(st.text("rwu.", min_size=1, max_size=4), max_size=12)


@given(tables)
def test_the_share_is_the_mean_over_items_of_the_equal_pairs(rows: list[str]) -> None:
    said = [[one for one in row if one != "."] for row in rows]
    shares = [
        sum(one == other for one, other in itertools.combinations(row, 2)) / (len(row) * (len(row) - 1) / 2)
        for row in said
        if len(row) > 1
    ]
    found = agreement(words(*rows))
    assert found["items"] == len(shares)
    if shares:
        assert found["share"]["value"] == pytest.approx(sum(shares) / len(shares))
        assert found["share"]["low"] <= found["share"]["value"] + 1e-9
        assert found["share"]["high"] >= found["share"]["value"] - 1e-9
        assert found["kappa"]["value"] is None or found["kappa"]["value"] <= 1 + 1e-9


@given(tables, st.randoms())
def test_order_does_not_matter(rows: list[str], random: Any) -> None:
    said = words(*rows)
    mixed = list(said)
    random.shuffle(mixed)
    one, other = agreement(said), agreement(mixed)
    assert Counter(map(str, one["by_pair"])) == Counter(map(str, other["by_pair"]))
    assert one["share"] == pytest.approx(other["share"])
    assert one["kappa"]["value"] == pytest.approx(other["kappa"]["value"])

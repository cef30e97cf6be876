"""pass@k and diversity@k against known values, brute force and their laws."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.metrics.estimators import diversity_at_k, diversity_at_k_array, pass_at_k, pass_at_k_array


@pytest.mark.parametrize(
    ("n", "c", "k", "expected"),
    [
        (30, 10, 1, 0.3333),
        (30, 10, 3, 0.7192),
        (30, 10, 10, 0.9939),
        (16, 3, 5, 0.705357),
        (4, 0, 4, 0.0),
        (4, 1, 4, 1.0),
        (4, 2, 3, 1.0),
        (1, 1, 1, 1.0),
    ],
)
def test_pass_at_k(n: int, c: int, k: int, expected: float) -> None:
    assert pass_at_k(n, c, k) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(("k", "expected"), [(1, 0.3333), (3, 0.9131), (10, 2.2771)])
def test_diversity_at_k(k: int, expected: float) -> None:
    assert diversity_at_k(30, [5, 3, 1, 1], k) == pytest.approx(expected, abs=5e-5)


def test_it_is_not_the_plug_in_estimate() -> None:
    assert round(pass_at_k(16, 3, 5), 6) == 0.705357
    assert pytest.approx(0.645908, abs=1e-6) == 1 - (1 - 3 / 16) ** 5, "with replacement it is another number"


@pytest.mark.parametrize(
    ("n", "c", "k"), [(4, 0, 8), (4, -1, 2), (4, 5, 2), (4, 2, 0), (0, 0, 1), (4, 2, -1)]
)
def test_pass_at_k_refuses(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError, match=rf"needs 0 <= c <= n and 1 <= k <= n, got n={n}, c={c}, k={k}$"):
        pass_at_k(n, c, k)


def test_pass_at_k_array_names_the_problem_it_refuses() -> None:
    with pytest.raises(ValueError, match="got n=3, c=1, k=4"):
        pass_at_k_array([8, 3, 2], [1, 1, 1], 4)


@pytest.mark.parametrize(
    ("n", "groups", "k"), [(4, [1], 5), (4, [1], 0), (4, [3, 2], 2), (4, [2, 0], 2), (4, [-1], 2)]
)
def test_diversity_at_k_refuses(n: int, groups: list[int], k: int) -> None:
    with pytest.raises(ValueError, match=rf"got n={n}, groups={groups}, k={k}$".replace("[", r"\[")):
        diversity_at_k(n, groups, k)


def test_no_passes_and_no_problems() -> None:
    assert diversity_at_k(4, [], 4) == 0.0
    assert str(pass_at_k(4, 0, 2)) == "0.0", "not -0.0"
    assert pass_at_k_array([], [], 4).shape == diversity_at_k_array([], [], [], 4).shape == (0,)


_SMALL = st.integers(1, 10).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n)))


@given(_SMALL)
def test_pass_at_k_is_the_average_over_all_subsets(case: tuple[int, int, int]) -> None:
    n, c, k = case
    draws = [any(place < c for place in drawn) for drawn in combinations(range(n), k)]
    assert pass_at_k(n, c, k) == pytest.approx(sum(draws) / len(draws), abs=1e-14)


@given(st.lists(st.integers(1, 3), max_size=4), st.integers(0, 3))
def test_diversity_is_the_average_over_all_subsets_and_grows_with_k(groups: list[int], wrong: int) -> None:
    labels = ([place for place, size in enumerate(groups) for _ in range(size)] + [None] * wrong)[:10]
    sizes = [labels.count(place) for place in range(len(groups)) if place in labels]
    found = [0.0]
    for k in range(1, len(labels) + 1):
        counts = [len({one for one in drawn if one is not None}) for drawn in combinations(labels, k)]
        found.append(diversity_at_k(len(labels), sizes, k))
        assert found[-1] == pytest.approx(sum(counts) / len(counts), abs=1e-12)
        assert found[-1] >= found[-2] - 1e-12


_ANY = st.integers(2, 3000).flatmap(
    lambda n: st.tuples(st.just(n), st.integers(0, n - 1), st.integers(1, n - 1))
)


@given(_ANY)
def test_exact_and_monotone_in_k_and_c(case: tuple[int, int, int]) -> None:
    n, c, k = case
    exact = 1 - Fraction(comb(n - c, k), comb(n, k))
    value = pass_at_k(n, c, k)
    assert value == pytest.approx(float(exact), rel=1e-11, abs=0)
    assert value <= pass_at_k(n, c + 1, k) + 1e-12
    assert value <= pass_at_k(n, c, k + 1) + 1e-12


@pytest.mark.parametrize(
    ("c", "k"), [(1, 1), (1, 100_000), (99_999, 1), (50_000, 3), (7, 50_000), (300, 300), (0, 9)]
)
def test_large_n(c: int, k: int) -> None:
    exact = 1 - Fraction(comb(100_000 - c, k), comb(100_000, k))
    assert pass_at_k(100_000, c, k) == pytest.approx(float(exact), rel=1e-11, abs=0)


@given(
    st.lists(st.tuples(st.integers(5, 40), st.lists(st.integers(1, 4), max_size=5)), max_size=8),
    st.integers(1, 5),
)
def test_the_array_forms_agree_with_the_single_ones(cases: list[tuple[int, list[int]]], k: int) -> None:
    cases = [(n, groups) for n, groups in cases if sum(groups) <= n]
    n = [one for one, _ in cases]
    c = [sum(groups) for _, groups in cases]
    owner = [place for place, (_, groups) in enumerate(cases) for _ in groups]
    sizes = [size for _, groups in cases for size in groups]
    passing, distinct = pass_at_k_array(n, c, k), diversity_at_k_array(n, owner, sizes, k)
    for place, (samples, groups) in enumerate(cases):
        assert passing[place] == pass_at_k(samples, sum(groups), k)
        assert distinct[place] == pytest.approx(diversity_at_k(samples, groups, k), abs=1e-13)
    assert np.all(passing <= distinct + 1e-12), "a solved draw holds one path or more"

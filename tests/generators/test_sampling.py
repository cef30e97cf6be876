"""Drawing tokens: laws of the draw, and each filter by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from factory.generators.sampling import draw
from factory.recipe import Decoding

ONE = 1 - 2**-53  # the largest number that random() returns
logits = st.lists(st.floats(-20, 20, width=32), min_size=2, max_size=40)
uniforms = st.floats(0, ONE) | st.sampled_from([0.0, ONE])


def grid(weights: list[float], decoding: Decoding, steps: int = 1000) -> list[float]:
    """Shares of each token when the uniform numbers are spread evenly."""
    row = torch.tensor(weights).log()
    drawn = draw(row.expand(steps, -1), [(one + 0.5) / steps for one in range(steps)], decoding)
    return [drawn.tokens.count(token) / steps for token in range(len(weights))]


@given(logits, uniforms)
def test_greedy_takes_the_most_probable_and_needs_no_number(row: list[float], number: float) -> None:
    drawn = draw(torch.tensor([row]), [number], Decoding(temperature=0.0))
    assert row[drawn.tokens[0]] == max(row)


@given(logits, uniforms, st.floats(0.05, 1.0), st.integers(0, 5))
def test_the_log_probability_is_the_models_own_at_temperature_1(
    row: list[float], number: float, top_p: float, top_k: int
) -> None:
    drawn = draw(torch.tensor([row]), [number], Decoding(temperature=0.5, top_p=top_p, top_k=top_k))
    peak = max(row)
    total = math.log(sum(math.exp(one - peak) for one in row)) + peak
    assert drawn.logprobs[0] == pytest.approx(row[drawn.tokens[0]] - total, abs=1e-4)


@given(st.lists(st.booleans(), min_size=2, max_size=30).filter(any), uniforms, st.booleans())
def test_a_token_of_probability_zero_is_never_drawn(live: list[bool], number: float, filtered: bool) -> None:
    row = torch.tensor([[0.0 if one else -math.inf for one in live]])
    drawn = draw(row, [number], Decoding(temperature=1.0, top_p=0.999 if filtered else 1.0))
    assert live[drawn.tokens[0]]


@given(st.lists(st.tuples(logits.filter(lambda row: len(row) > 8), uniforms), min_size=2, max_size=5))
def test_a_row_draws_the_same_alone_and_among_others(rows: list[tuple[list[float], float]]) -> None:
    decoding = Decoding(temperature=0.8, top_p=0.9)
    width = min(len(row) for row, _ in rows)
    table = torch.tensor([row[:width] for row, _ in rows])
    together = draw(table, [number for _, number in rows], decoding).tokens
    alone = [
        draw(table[index : index + 1], [number], decoding).tokens[0] for index, (_, number) in enumerate(rows)
    ]
    assert together == alone


WEIGHTS = [0.1, 0.5, 0.15, 0.25]


@pytest.mark.parametrize(
    ("decoding", "shares"),
    [
        (Decoding(temperature=1.0), WEIGHTS),
        (Decoding(temperature=0.5), [0.029, 0.725, 0.065, 0.181]),
        (Decoding(temperature=1.0, top_k=1), [0, 1, 0, 0]),
        (Decoding(temperature=1.0, top_k=2), [0, 2 / 3, 0, 1 / 3]),
        (Decoding(temperature=1.0, top_k=99), WEIGHTS),
        (Decoding(temperature=1.0, top_p=0.4), [0, 1, 0, 0]),
        (Decoding(temperature=1.0, top_p=0.6), [0, 2 / 3, 0, 1 / 3]),
        (Decoding(temperature=1.0, top_p=0.8), [0, 5 / 9, 1.5 / 9, 2.5 / 9]),
        (Decoding(temperature=1.0, top_k=3, top_p=0.7), [0, 2 / 3, 0, 1 / 3]),
    ],
)
def test_tokens_are_drawn_in_these_shares(decoding: Decoding, shares: list[float]) -> None:
    assert grid(WEIGHTS, decoding) == pytest.approx(shares, abs=0.003)


def test_the_tail_of_a_large_vocabulary_is_reached() -> None:
    shares = grid([1e-5] * 50_000 + [0.5], Decoding(temperature=1.0))
    assert shares[-1] == pytest.approx(0.5, abs=0.002)

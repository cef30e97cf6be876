"""What a draw is expected to cost: told by those that began first, never by the short ones alone."""

from __future__ import annotations

import pytest

from factory.amounts import Amounts
from factory.sampling.expected import Expected


def tokens(number: float | None) -> Amounts:
    return Amounts(1.0, number, None, None, 0.1)


def test_a_draw_counts_when_all_before_it_have_ended() -> None:
    expected = Expected()
    for name in "abc":
        expected.begin(name)
    expected.end("c", tokens(1))
    expected.end("b", tokens(2))
    assert (expected.number, expected.cost("tokens")) == (0, None), "the first is the longest, and goes on"
    expected.end("a", tokens(9))
    assert expected.number == 3
    mean, most = expected.cost("tokens") or (0, 0)
    assert mean == pytest.approx(4.0)
    assert most == pytest.approx(4.0 + 3 * (38 / 3 / 2) ** 0.5), "three standard errors above"


def test_a_draw_that_failed_holds_up_no_other_and_does_not_count() -> None:
    expected = Expected()
    for name in "abc":
        expected.begin(name)
        expected.end(name, None if name == "a" else tokens(5))
    assert (expected.number, expected.cost("tokens")) == (2, (5.0, 5.0))


def test_what_one_draw_does_not_tell_is_not_known() -> None:
    expected = Expected()
    for name, cost in (("a", 1.0), ("b", None), ("c", 1.0)):
        expected.begin(name)
        expected.end(name, tokens(cost))
    assert (expected.cost("tokens"), expected.cost("flops")) == (None, None)
    assert expected.cost("samples") == (1.0, 1.0)

"""Mutants are what they say: other programs, valid, the same every time, each named by its mutation."""

from __future__ import annotations

import ast
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import mutants

PROGRAM = '''
def f(numbers, low=0):
    """The sum of what is above low, 10 at most."""
    total = 0
    for number in numbers:
        if number > low:
            total += number * 1
    return min(total, 10)
'''


def test_every_mutation_is_made_and_named() -> None:
    made = list(mutants.mutants(PROGRAM))
    counts = Counter(one.mutation for one in made)
    assert counts == {
        "off_by_one": 8,
        "flipped_comparison": 1,
        "swapped_operator": 2,
        "negated_condition": 1,
        "wrong_return": 2,
        "early_return": 1,
        "dropped_statement": 5,
    }
    lines = {one.mutation: one.line for one in made if one.mutation in ("flipped_comparison", "early_return")}
    assert lines == {"flipped_comparison": 6, "early_return": 5}


@pytest.mark.parametrize(
    ("mutation", "expected"),
    [
        ("flipped_comparison", "if number >= low:"),
        ("negated_condition", "if not number > low:"),
        ("wrong_return", "return None"),
        ("wrong_return", "return [min(total, 10)]"),
        ("early_return", "        break\n    return"),
        ("swapped_operator", "total -= number * 1"),
        ("swapped_operator", "total += number + 1"),
        ("off_by_one", "min(total, 11)"),
        ("dropped_statement", "    pass\n    for"),
    ],
)
def test_a_mutation(mutation: str, expected: str) -> None:
    made = [one.program for one in mutants.mutants(PROGRAM) if one.mutation == mutation]
    assert any(expected in program for program in made)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32))
def test_mutants_differ_from_the_program_and_each_other(seed: int) -> None:
    made = list(mutants.mutants(PROGRAM, seed))
    trees = [ast.dump(ast.parse(one.program)) for one in made]
    assert ast.dump(ast.parse(PROGRAM)) not in trees
    assert len(set(trees)) == len(trees)
    assert made == list(mutants.mutants(PROGRAM, seed))
    assert {one.program for one in made} == {one.program for one in mutants.mutants(PROGRAM, 0)}


def test_a_program_without_anything_to_change_has_none() -> None:
    assert list(mutants.mutants("def f(): pass\n")) == []

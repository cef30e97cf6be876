r"""Mutants of references: no wrong one is right and no right one wrong, by a reader of numbers of its own."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.recipe import MathOptions
from factory.records import Status
from factory.verifiers.base import Item
from factory.verifiers.judging import judge
from factory.verifiers.mutation import Mutant, mutants


def made(gold: str, *, expected: bool, mutation: str) -> list[str]:
    return [one.text for one in mutants(gold) if (one.expected, one.mutation) == (expected, mutation)]


def value(text: str) -> Fraction:
    """The number in a mutant, read here without the module that made it."""
    text = re.sub(
        r"^The answer is |^####|\\boxed|\\[dt]frac(?=\{)", lambda m: r"\frac" if "frac" in m[0] else "", text
    )
    text = (
        text.replace("−", "-").replace("{,}", "").lstrip(" $").rstrip(" $.").replace(",", "").replace(" ", "")
    )
    text = text[1:-1] if text.startswith("{") and text.endswith("}") else text
    if power := re.fullmatch(r"(.*)\\times10\^\{(\d+)\}", text):
        return Fraction(power[1]) * 10 ** int(power[2])
    if fraction := re.fullmatch(r"(-?)\\frac\{(-?\d+)\}\{(\d+)\}", text):
        return Fraction(int(fraction[1] + fraction[2]), int(fraction[3]))
    if ratio := re.fullmatch(r"(-?\d+)/(\d+)", text):
        return Fraction(int(ratio[1]), int(ratio[2]))
    return Fraction(text)


integers = st.integers(-(10**12), 10**12).map(str)
grouped = st.integers(-(10**12), 10**12).map(lambda number: f"{number:,}")
decimals = st.decimals(-(10**9), 10**9, places=3, allow_nan=False).map(lambda number: format(number, "f"))
fractions = st.tuples(
    st.integers(-9999, 9999), st.integers(1, 9999), st.sampled_from((r"\frac{%d}{%d}", "%d/%d"))
).map(lambda parts: parts[2] % (parts[0], parts[1]))


@given(st.one_of(integers, grouped, decimals, fractions), st.integers(0, 3))
def test_a_mutant_of_a_number_equals_it_exactly_when_it_says_so(gold: str, seed: int) -> None:
    found = list(mutants(gold, seed))
    for one in found:
        assert (value(one.text) == value(gold)) == one.expected, one
    assert {one.expected for one in found} == {True, False} or value(gold) == 0


@given(st.lists(st.integers(-20, 20), min_size=2, max_size=5), st.sampled_from(("()", "[]", (r"\{", r"\}"))))
def test_a_wrong_mutant_of_a_group_has_other_elements(elements: list[int], brackets: tuple[str, str]) -> None:
    opening, closing = brackets
    gold = f"{opening}{', '.join(map(str, elements))}{closing}"
    for one in mutants(gold):
        found = [int(number) for number in re.findall(r"-?\d+", one.text)]
        same = set(found) == set(elements) if opening == r"\{" else found == elements
        assert same == one.expected, one


@given(st.text(max_size=60), st.integers(0, 3))
def test_any_text_gives_the_same_mutants_again_each_once_and_never_the_reference(
    gold: str, seed: int
) -> None:
    found = list(mutants(gold, seed))
    assert found == list(mutants(gold, seed))
    texts = [one.text for one in found]
    assert len(texts) == len(set(texts))
    assert gold not in texts


@given(st.one_of(integers, grouped, decimals, fractions))
def test_the_verifier_agrees_on_numbers(gold: str) -> None:
    for one in mutants(gold):
        status = judge(Item(one.text, gold), "math", MathOptions(last_number=False), whole=True).status
        assert status is (Status.PASS if one.expected else Status.FAIL), one


@pytest.mark.parametrize(
    ("gold", "mutation", "texts"),
    [
        ("18", "off_by_one", ["19", "17"]),
        ("18", "sign", ["-18"]),
        ("18", "swapped_digits", ["81"]),
        ("18", "times_ten", ["180"]),
        ("2.50", "off_by_one_in_last_digit", ["2.51", "2.49"]),
        ("7", "swapped_digits", []),
        ("11", "swapped_digits", []),
        ("0", "sign", []),
        ("0", "times_ten", []),
        ("$5", "other_unit", ["€5"]),
        ("5 cm", "other_unit", ["5 kg"]),
        (r"5\text{ cm}", "other_unit", [r"5\text{ kg}"]),
        ("5 apples", "other_unit", []),
        ("x = 5", "off_by_one", ["x = 6", "x = 4"]),
        (r"x \leq 5", "relation_strictness", ["x < 5"]),
        (r"\frac{2}{3}", "swapped_fraction", [r"\frac{3}{2}"]),
        (r"-\frac{2}{3}", "swapped_fraction", [r"-\frac{3}{2}"]),
        ("1/1", "swapped_fraction", []),
        ("(1, 2)", "tuple_reordered", ["(2, 1)"]),
        ("(2, 2)", "tuple_reordered", []),
        ("(x, y)", "tuple_reordered", []),
        ("(1, 2, 3)", "element_dropped", ["(1, 2)", "(2, 3)"]),
        (r"\{1, 1\}", "element_dropped", []),
        (r"\{1, 2\}", "element_changed", [r"\{2, 2\}", r"\{1, 3\}"]),
        ("[0, 9)", "endpoint_opened", ["(0, 9)"]),
        ("[0, 9)", "endpoint_closed", ["[0, 9]"]),
        (r"(-\infty, 3)", "endpoint_closed", [r"(-\infty, 3]"]),
        ("(5, 3]", "endpoint_opened", []),
        ("(a, 3]", "endpoint_opened", []),
        ("(1,200)", "element_dropped", []),
        (r"2\pi", "coefficient_off_by_one", [r"3\pi"]),
        (r"2\sqrt{4}", "sum_for_product", []),
        (r"3\sqrt{4}", "sum_for_product", [r"3 + \sqrt{4}"]),
        (r"2 \cdot 2", "sum_for_product", []),
        (r"2 \cdot 3", "sum_for_product", ["2 + 3"]),
        ("x^2", "plus_one", ["x^2 + 1"]),
        (r"x \in [1, 2]", "plus_one", []),
        (r"\pm 3", "plus_one", []),
        ("B", "other_letter", ["C"]),
        (r"\text{E}", "other_letter", [r"\text{D}"]),
        ("Yes", "opposite_word", ["No"]),
        ("Evelyn", "opposite_word", []),
        ("5 pm", "sign", []),
    ],
)
def test_wrong_ones(gold: str, mutation: str, texts: list[str]) -> None:
    assert made(gold, expected=False, mutation=mutation) == texts


@pytest.mark.parametrize(
    ("gold", "mutation", "texts"),
    [
        ("3", "trailing_zeros", ["3.0"]),
        ("1200", "thousands_commas", ["1,200"]),
        ("1,200", "commas_dropped", ["1200"]),
        ("-1200", "unicode_minus", ["−1200"]),
        ("0.50", "trailing_zeros_dropped", ["0.5"]),
        ("0.5", "leading_zero_dropped", [".5"]),
        ("0.5", "as_fraction", [r"\frac{1}{2}"]),
        (r"\frac{6}{4}", "reduced_fraction", [r"\frac{3}{2}"]),
        (r"\frac{1}{3}", "as_decimal", []),
        (r"\frac{1}{4}", "as_decimal", ["0.25"]),
        (r"\frac{x}{2}", "dfrac", [r"\dfrac{x}{2}"]),
        ("20%", "percent_sign", [r"20\%", "20 %"]),
        ("(1,2)", "sized_brackets", [r"\left( 1, 2 \right)", r"\left(1,2\right)"]),
        (r"\{1, 2\}", "set_reordered", [r"\{2, 1\}"]),
        ("(1, 2)", "set_reordered", []),
        ("$7$", "undollared", ["7"]),
        ("7", "boxed", [r"\boxed{7}"]),
        ("$7", "boxed", []),
        ("{1, 2}", "boxed", []),
        ("5 cm", "dollars", []),
        ("a.m.", "period", []),
    ],
)
def test_right_ones(gold: str, mutation: str, texts: list[str]) -> None:
    assert made(gold, expected=True, mutation=mutation) == texts


@pytest.mark.parametrize(
    "gold", ["", "  ", "two\nlines", r"\boxed{1}\boxed{2}", "a $1$ b", "}{", "{", r"\frac{1}{2"]
)
def test_nothing_is_made_of_what_is_no_single_answer(gold: str) -> None:
    assert list(mutants(gold)) == []


def test_a_long_reference_keeps_its_content() -> None:
    assert not [one for one in mutants("7" * 301) if not one.expected]
    assert Mutant("7" * 301 + ".", True, "period") in list(mutants("7" * 301))

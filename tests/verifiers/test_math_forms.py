"""Laws of the forms that answers are written in: residues, ranges, bases, fences, vectors, characters."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.recipe import MathOptions
from factory.records import Status
from factory.verifiers import characters, math_answer, phrasing, statements, vectors
from factory.verifiers.base import Check, Item
from factory.verifiers.spelling import Unsettled, clean

SMALL = st.integers(-40, 40)
MODULI = st.integers(2, 30)


def verdict(answer: str, reference: str) -> Check:
    return math_answer.check_answer(Item(answer, reference), MathOptions())


def passes(answer: str, reference: str) -> bool:
    """Whether both orders say so; every pair must be decided."""
    checks = verdict(answer, reference), verdict(reference, answer)
    assert checks[0].status is checks[1].status, checks
    assert checks[0].status in (Status.PASS, Status.FAIL), checks
    return checks[0].status is Status.PASS


@given(SMALL, SMALL, MODULI, MODULI)
def test_residue_classes_are_the_same_when_they_hold_the_same_integers(
    a: int, b: int, m: int, n: int
) -> None:
    same = m == n and (a - b) % m == 0
    assert passes(rf"x = {n}k + {b}, k \in \mathbb{{Z}}", rf"x \equiv {a} \pmod{{{m}}}") == same


@given(st.integers(-9, 9), MODULI, st.integers(1, 4))
def test_a_class_is_the_union_of_its_parts(a: int, m: int, times: int) -> None:
    parts = ", ".join(str(a + step * m) for step in range(times))
    assert passes(rf"x \equiv {parts} \pmod{{{m * times}}}", rf"x \equiv {a} \pmod{{{m}}}")
    if times > 1:
        fewer = parts.rpartition(",")[0]
        assert not passes(rf"x \equiv {fewer} \pmod{{{m * times}}}", rf"x \equiv {a} \pmod{{{m}}}")


@given(st.integers(-9, 9), st.integers(2, 12), st.booleans(), st.booleans())
def test_a_range_of_integers_is_the_set_of_them(low: int, size: int, below: bool, above: bool) -> None:
    members = rf"\{{{', '.join(map(str, range(low, low + size)))}\}}"
    left = f"{low - 1} <" if below else rf"{low} \le"
    right = f"< {low + size}" if above else rf"\le {low + size - 1}"
    assert passes(rf"{left} n {right}, n \in \mathbb{{Z}}", members)
    assert not passes(rf"{left} n {right}, n \in \mathbb{{Z}}", members.replace(str(low), str(low - 1), 1))


@given(st.integers(2, 5000), st.sampled_from("xXbBoO"))
def test_a_prefix_names_a_base(number: int, prefix: str) -> None:
    spelled = f"0{prefix}{number:{prefix.lower()}}"
    assert verdict(spelled, str(number)).reason == "equal:base"
    assert verdict(spelled, str(number + 1)).status is not Status.PASS


@pytest.mark.parametrize("opening", "[](")
@pytest.mark.parametrize("closing", "[])")
def test_a_bracket_that_turns_away_is_an_open_end(opening: str, closing: str) -> None:
    plain = f"{'[' if opening == '[' else '('}2,5{']' if closing == ']' else ')'}"
    if "(" in opening and closing == "[":
        return  # `(2, 5[` mixes two notations
    if opening == "]" and closing == ")":
        return
    for reference in ("[2,5]", "(2,5]", "[2,5)", "(2,5)"):
        assert passes(f"{opening}2; 5{closing}", reference) == (reference == plain)


@given(SMALL, SMALL, SMALL)
def test_unit_vectors_are_components(x: int, y: int, z: int) -> None:
    spelled = rf"{x}\hat{{i}} + ({y})\hat{{j}} + ({z})\mathbf{{k}}"
    assert passes(spelled, f"({x}, {y}, {z})")
    assert not passes(spelled, f"({x}, {y}, {z + 1})")
    assert passes(spelled, rf"\begin{{pmatrix}}{x}\\{y}\\{z}\end{{pmatrix}}")


@pytest.mark.parametrize("text", ["3i", "3 + 2j", "jk", "i^2 + j", "2", "x"])
def test_what_is_no_certain_vector_has_no_components(text: str) -> None:
    assert vectors.components(statements.parse(text), 3) is None


@given(st.text())
def test_plain_characters_stay(text: str) -> None:
    once = characters.plain(text)
    assert characters.plain(once) == once
    assert not any(character.isdecimal() and not character.isascii() for character in once)


def test_letters_and_digits_of_every_mathematical_font_are_plain() -> None:
    for code in range(0x1D400, 0x1D800):
        usual = unicodedata.normalize("NFKC", chr(code))
        if usual.isascii():
            struck = "DOUBLE-STRUCK CAPITAL" in unicodedata.name(chr(code), "")
            assert clean(chr(code)) == (rf"\mathbb{{{usual}}}" if struck else usual)
    assert [clean(one) for one in "𝝅𝛉ℝℤ"] == [r"\pi", r"\theta", r"\mathbb{R}", r"\mathbb{Z}"]


@pytest.mark.parametrize(
    "words", ["about", "nearly", "at least", "not exactly", "just under", "almost exactly"]
)
def test_words_of_doubt_are_never_taken_off(words: str) -> None:
    assert verdict(f"{words} 12", "12").status is not Status.PASS


@pytest.mark.parametrize(
    "sentence",
    [
        "The number is odd when n is even",
        "It is false that it is even",
        "They think it is even",
        "It is either odd or it is even",
        "It is not even",
        "It is hardly even",
        "Is it even",
        "The sum is odd, the product is even",
    ],
)
def test_a_word_at_the_end_of_a_sentence_decides_only_a_plain_one(sentence: str) -> None:
    assert phrasing.by_one_word("It is even", "even") == "equal:word"
    with pytest.raises(Unsettled, match="undecided"):
        phrasing.by_one_word(sentence, "even")


@pytest.mark.parametrize(
    ("text", "left", "domain"),
    [
        ("f(x) = 3x for all x", "f(x) = 3x", ""),
        (r"f(x) = 3x \text{ for all real } x", "f(x) = 3x", "real"),
        (r"f(n) = n, \forall n \in \mathbb{N}", "f(n) = n", "natural"),
        ("f(x) = 3x for all y", "f(x) = 3x for all y", ""),
        ("f(x) = 3x for all x > 0", "f(x) = 3x for all x > 0", ""),
        ("x = 7k, where k is an integer", r"x = 7k, k \in \mathbb{Z}", "integer"),
        (r"x \in \mathbb{R}", r"x \in \mathbb{R}", ""),
    ],
)
def test_a_quantifier_is_taken_off_with_its_domain(text: str, left: str, domain: str) -> None:
    assert phrasing.read(clean(text))[:2] == (left, domain)


def test_two_domains_that_differ_are_not_compared() -> None:
    check = verdict("f(n) = n for all real n", "f(n) = n for all integers n")
    assert (check.status, check.reason) == (Status.ERROR, "unsupported:domain")


@pytest.mark.parametrize(
    ("completion", "reference", "status"),
    [
        ("It must be 42!", "42", Status.PASS),
        (r"so \boxed{42!}", "42", Status.FAIL),
        (r"so \boxed{4!}", "24", Status.PASS),
        ("The answer is 10!", "3628800", Status.PASS),
        ("The answer is $42!$.", "42", Status.FAIL),
        (r"The answer is \(10!\)", "10", Status.FAIL),
        ("The answer is $10!$.", "3628800", Status.PASS),
    ],
)
def test_an_exclamation_ends_a_sentence_and_a_factorial_a_formula(
    completion: str, reference: str, status: Status
) -> None:
    assert math_answer.check(Item(completion, reference), MathOptions()).status is status

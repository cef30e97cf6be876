"""Paths: which equations are found in a text, and which two texts share a path."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.selection.notation import plain_arithmetic, plain_numeral
from factory.selection.paths import equations, path_key, text_key

FOUND = {
    "annotations in order": ("<<3+4=7>> then <<7 * 2 = 14>>", ("3+4=7", "7*2=14")),
    "annotations silence the prose": ("1 + 1 = 2, <<3+4=7>>7", ("3+4=7",)),
    "an empty annotation is none": ("<<>> 3 + 4 = 7", ("3+4=7",)),
    "an annotation left open is none": ("<<3+4=7", ("3+4=7",)),
    "a chain is one equation": ("<<a=b=c>>", ("a=b=c",)),
    "a fraction on the right (F21)": ("<<2/4=1/2>>", ("2/4=1/2",)),
    "dollars on the right (F21)": ("<<2+3=$5>>", ("2+3=5",)),
    "commas on the right (F21)": ("<<500*2=1,000>>", ("500*2=1000",)),
    "percent on the right (F21)": ("<<1/5=20%>>", ("1/5=20%",)),
    "a decimal of zeros": ("<<48/2=24.0>>", ("48/2=24",)),
    "variables in an annotation": ("<<2x+3=7>>", ("2x+3=7",)),
    "prose": ("so 3 + 4 = 7.", ("3+4=7",)),
    "a formula in dollars": ("$48 \\div 2 = 24$", ("48/2=24",)),
    "money": ("5 * $0.50 = \\$2.50", ("5*0.5=2.5",)),
    "a negative amount": ("2 - 7 = -$5", ("2-7=-5",)),
    "cross, dot and division sign": (
        "3 × 4 = 12; 3x4=12; 8 ÷ 2 = 4; 2·3=6",
        ("3*4=12", "3*4=12", "8/2=4", "2*3=6"),
    ),
    "digits of other scripts": ("３ + ４ = ７", ("3+4=7",)),
    "TeX": ("\\frac{48}{2} \\times 3 = 72", ("48/2*3=72",)),
    "units": ("3 clips + 4 clips = 7 clips", ("3+4=7",)),
    "parentheses": ("(3 + 4) * 2 = 14", ("(3+4)*2=14",)),
    "parentheses of the sentence": ("that is 7 (3 + 4 = 7) days", ("3+4=7",)),
    "a parenthesis left open": ("((3+4) = 7", ("(3+4)=7",)),
    "an implied product": ("2(3+4) = 14", ("2*(3+4)=14",)),
    "bold": ("**3 * 4** = **12**", ("3*4=12",)),
    "a power": ("2**3 = 8", ("2^3=8",)),
    "a list": ("- 3 + 4 = 7\n2. 5 + 2 = 7\n* -1 + 2 = 1", ("3+4=7", "5+2=7", "-1+2=1")),
    "a name on the left": ("total = 3 + 4 = 7", ("3+4=7",)),
    "a number before": ("In 2020 3 + 4 = 7", ("3+4=7",)),
    "a dash after": ("3 + 4 = 7 - done", ("3+4=7",)),
    "several sides": ("3 + 4 = 7 = 14 / 2", ("3+4=7=14/2",)),
    "minus a negative": ("10 - -3 = 13", ("10--3=13",)),
    "percent": ("20% = 0.2", ("20%=0.2",)),
}

NOT_FOUND = {
    "nothing": "",
    "words": "The answer is seven.",
    "no left side": "= 7",
    "no right side": "3 + 4 =",
    "no operation": "7 = 7",
    "a variable": "x = 5",
    "a side with a variable before": "x + 3 + 4 = 7",
    "a side with a variable that is subtracted from": "x - 3 + 5 = 7",
    "a coefficient": "2x + 3 = 7",
    "a coefficient before a minus": "2x-3+1=5",
    "a right side that goes on": "3 + 4 = 7 + x",
    "inequalities": "3 + 4 <= 7, 3 + 4 >= 7, 3 + 4 != 8",
    "an arrow": "3 + 4 => 7",
    "a broken line": "10 - 3\n= 7",
    "an ordinal": "5th + 4 = 9",
    "a version": "1.2.3 + 4 = 5",
    "an expression only": "3 + 4 * 2",
}


@pytest.mark.parametrize(("text", "expected"), FOUND.values(), ids=FOUND.keys())
def test_equations_found(text: str, expected: tuple[str, ...]) -> None:
    assert equations(text) == expected


@pytest.mark.parametrize("text", NOT_FOUND.values(), ids=NOT_FOUND.keys())
def test_no_equation_found(text: str) -> None:
    assert equations(text) == ()


def test_path_key_joins_equations() -> None:
    assert path_key("<<3+4=7>> and <<7*2=14>>") == "3+4=7|7*2=14"


SAME = {
    "other words": ("He has 3 + 4 = 7 eggs.", "Adding, 3+4 = 7."),
    "annotated or written": ("<<48/2=24.0>>24", "48 ÷ 2 = 24"),
    "case and blanks of a text without equations": ("The answer\n is Seven", "the answer is seven"),
}
DIFFERENT = {
    "swapped operands": ("3 + 4 = 7", "4 + 3 = 7"),
    "swapped order": ("3 + 4 = 7, 1 + 1 = 2", "1 + 1 = 2, 3 + 4 = 7"),
    "other operation": ("<<4-2=2>>", "<<4/2=2>>"),
    "one step more": ("3 + 4 = 7", "3 + 4 = 7, 7 * 2 = 14"),
    "texts without equations": ("the answer is seven", "it must be seven"),
    "percent is a sign": ("<<1/5=20%>>", "<<1/5=20>>"),
    "numbers beyond machine precision": ("1 + 9007199254740992 = 2", "1 + 9007199254740993 = 2"),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME.keys())
def test_same_path(one: str, other: str) -> None:
    assert path_key(one) == path_key(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT.keys())
def test_different_path(one: str, other: str) -> None:
    assert path_key(one) != path_key(other)


def test_text_key_keeps_case() -> None:
    assert text_key(" a\n\tb ") == "a b" != text_key("A b")


@pytest.mark.parametrize(
    ("numeral", "plain"),
    [
        ("007.50", "7.5"),
        ("1,000", "1000"),
        ("24.0", "24"),
        (".5", "0.5"),
        ("0", "0"),
        ("000", "0"),
        ("10", "10"),
    ],
)
def test_plain_numeral(numeral: str, plain: str) -> None:
    assert plain_numeral(numeral) == plain


@given(st.decimals(min_value=0, max_value=10**12, places=3))
def test_plain_numeral_keeps_the_value_and_is_final(value: object) -> None:
    plain = plain_numeral(str(value))
    assert float(plain) == float(str(value))
    assert plain_numeral(plain) == plain == plain_numeral(f"{value:,}")


_NUMBER = st.integers(0, 9999).map(str)
_SIDE = st.lists(_NUMBER, min_size=2, max_size=4).map(" + ".join)


@given(_SIDE, _NUMBER)
def test_prose_and_annotation_of_one_equation_share_a_key(side: str, result: str) -> None:
    equation = f"{side} = {result}"
    assert (
        path_key(f"So we get {equation} in all.") == path_key(f"<<{equation}>>") == plain_arithmetic(equation)
    )


@given(st.text(alphabet="0123456789+-*/^=()%$<>., \nx\\", max_size=60) | st.text(max_size=60))
def test_any_text_has_a_key_that_ignores_outer_blanks(text: str) -> None:
    assert path_key(text) == path_key(f" {text} ")


@pytest.mark.parametrize(
    "piece", ["(", "1 ", "1+", "<<1", "(1=", "1,111", "**1", "\\frac{1", "1 ab ", "- ", "="]
)
def test_hostile_text_is_read_in_linear_time(piece: str) -> None:
    start = time.process_time()
    path_key(piece * (200_000 // len(piece)) + "x")
    assert time.process_time() - start < 20, "a quadratic scan of this text takes minutes"


def test_a_number_of_any_length_is_read() -> None:
    long = "9" * 10_000
    assert equations(f"1 + {long} = {long}") == (f"1+{long}={long}",)

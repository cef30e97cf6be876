"""Solutions cut into steps: where, and that nothing is lost or run."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.auditing.steps import steps


def texts(solution: str, *, code: bool = False) -> list[str]:
    return ["".join(part for part, _ in one["parts"]) for one in steps(solution, code=code)]


def marked(solution: str) -> list[str]:
    return [part for one in steps(solution) for part, equation in one["parts"] if equation]


@pytest.mark.parametrize(
    ("solution", "expected"),
    [
        ("One.\n\nTwo.\r\nThree", ["One.", "Two.", "Three"]),
        ("So 3 + 4 = 7. Then 7 + 1 = 8. Done.", ["So 3 + 4 = 7.", "Then 7 + 1 = 8.", "Done."]),
        ("Why? Because! \\frac{1}{2}", ["Why?", "Because!", "\\frac{1}{2}"]),
        ("Mr. Smith has 3 . 5 apples, e.g. Granny", ["Mr. Smith has 3 . 5 apples, e.g. Granny"]),
        ("1. First we add. 2 more", ["1. First we add. 2 more"]),
        ("It costs 3.50 dollars vs. A. Then", ["It costs 3.50 dollars vs. A. Then"]),
        ("", []),
        (" \n\t\n", []),
    ],
)
def test_a_step_is_a_sentence_of_a_line(solution: str, expected: list[str]) -> None:
    assert texts(solution) == expected


def test_of_a_program_a_step_is_a_line_with_its_indent() -> None:
    assert texts("def f(x):\n    return x. Y\n", code=True) == ["def f(x):", "    return x. Y"]


def test_numbers_go_on_from_line_to_line() -> None:
    assert [one["number"] for one in steps("A one. B two.\nC three.")] == [1, 2, 3]


@pytest.mark.parametrize(
    ("solution", "expected"),
    [
        ("First 3 + 4 = 7 apples", ["3 + 4 = 7"]),
        ("48/2 = <<48/2=24>>24", ["48/2=24"]),
        ("it is 5 = x", []),
        ("= 7", []),
        ("a == b and 3 = 2 = 1.", ["3 = 2 = 1"]),
        ("$1,000 × 2 = $2,000.", ["$1,000 × 2 = $2,000"]),
        ("2 + 2 = 5", ["2 + 2 = 5"]),  # a false one is marked like any other
    ],
)
def test_equations_are_marked_whether_they_hold_or_not(solution: str, expected: list[str]) -> None:
    assert marked(solution) == expected


def test_what_cannot_be_seen_is_shown_by_its_number() -> None:
    assert texts("a\u202eb\u200bc\x1b[0m") == ["a⟨U+202E⟩b⟨U+200B⟩c⟨U+001B⟩[0m"]


@given(st.text("ab3 .=+\n\r\t!?(A$,", max_size=80))
def test_nothing_but_blanks_and_line_ends_is_lost(solution: str) -> None:
    assert re.sub(r"\s", "", "".join(texts(solution))) == re.sub(r"\s", "", solution)


@pytest.mark.timeout(60)  # a time that grew with the square of the length would take hours
@pytest.mark.parametrize(
    "text", ["3" * 200_000, "3 = " * 60_000, ". " * 100_000, "A. " * 60_000, "(" * 200_000]
)
def test_long_texts_are_read_once(text: str) -> None:
    assert "".join(texts(text)).count("=") == text.count("=")

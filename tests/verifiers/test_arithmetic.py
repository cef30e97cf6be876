"""The verifier `arithmetic`: golden marks, verdicts, laws, and public data (FACTORY_TEST_DATA)."""

from __future__ import annotations

import itertools
import json
import os
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from factory.recipe import ArithmeticOptions
from factory.records import Status
from factory.verifiers import steps_tokens
from factory.verifiers.arithmetic import MAX_MARKS, Mark, by_line, marks
from factory.verifiers.base import Check, Item
from factory.verifiers.judging import judge
from factory.verifiers.steps_values import Number, agreement, text_of

GOLDEN = Path(__file__).parent.parent / "golden" / "arithmetic.jsonl"
CASES: list[dict[str, Any]] = [json.loads(line) for line in GOLDEN.read_text("utf-8").splitlines()]
DATA = os.environ.get("FACTORY_TEST_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="FACTORY_TEST_DATA does not name the data folder")


def check(text: str, **options: Any) -> Check:
    return judge(Item(text), "arithmetic", ArithmeticOptions(**options))


def shown(mark: Mark) -> list[str | None]:
    return [mark.written, mark.source, mark.outcome, mark.kind, mark.found]


# --- golden cases -------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=[f"{case['id']}-{case['source']}" for case in CASES])
def test_golden(case: dict[str, Any]) -> None:
    found = marks(case["text"])
    assert [shown(mark) for mark in found] == case["marks"]
    assert all(case["text"][mark.start : mark.end] == mark.written for mark in found)


def test_the_golden_file_shows_both_sides_of_every_rule_and_more_wrong_than_right() -> None:
    assert len(CASES) >= 150
    assert len({case["id"] for case in CASES}) == len({case["text"] for case in CASES}) == len(CASES)
    judged = [mark[2] for case in CASES for mark in case["marks"] if mark[2] != "unchecked"]
    assert judged.count("wrong") * 2 >= len(judged)
    for rule in range(1, 11):
        outcomes = {
            mark[2] for case in CASES if case["source"].startswith(f"rule {rule}:") for mark in case["marks"]
        }
        assert {"right", "wrong"} <= outcomes, f"rule {rule} shows {outcomes}"


# --- verdicts -----------------------------------------------------------------------------------------


def test_one_wrong_equation_fails_and_is_the_answer() -> None:
    found = check("2 + 2 = 4\n3 + 3 = 7\n4 + 4 = <<4+4=9>>9")
    assert (found.status, found.reason) == (Status.FAIL, "wrong:3")
    assert (found.answer, found.rule) == ("3 + 3 = 7", "text")
    assert found.detail == (
        '{"marks":[[0,9,"text","right","exact"],[10,19,"text","wrong","wrong"],'
        '[20,38,"text","wrong","wrong"],[28,37,"annotation","wrong","wrong"]],"right":1,"unchecked":0,"wrong":3}'
    )


@pytest.mark.parametrize(
    ("read", "status", "reason", "rule"),
    [
        ("both", "fail", "wrong:2", "text"),
        ("text", "fail", "wrong:1", "text"),
        ("annotations", "fail", "wrong:1", "annotation"),
    ],
)
def test_what_is_read_is_an_option(read: str, status: str, reason: str, rule: str) -> None:
    found = check("3 + 4 = <<3+4=7>>8", read=read)
    assert (found.status, found.reason, found.rule) == (status, reason, rule)


def test_right_equations_pass_whatever_is_unchecked_beside_them() -> None:
    found = check("x + 5 = 9, so 2 * 2 = 4")
    assert (found.status, found.reason, found.answer) == (Status.PASS, "right:1", None)
    assert found.detail is not None
    assert json.loads(found.detail)["unchecked"] == 1


@pytest.mark.parametrize("on_missing", ["no_answer", "pass", "fail"])
@pytest.mark.parametrize("text", ["", "The answer is 7.", "x + 5 = 9", "<<560//10=57>>"])
def test_nothing_to_check_is_what_the_option_says(text: str, on_missing: str) -> None:
    found = check(text, on_missing=on_missing)
    assert (found.status, found.reason) == (on_missing, "nothing_to_check")


def test_the_detail_is_bounded_and_the_counts_are_of_all() -> None:
    found = check("1 + 1 = 3\n" * 300)
    assert found.reason == "wrong:300"
    assert found.detail is not None
    assert len(json.loads(found.detail)["marks"]) == MAX_MARKS


def test_each_line_has_one_label() -> None:
    text = "2 + 2 = 4, 2 + 2 = 5\n\nx + 1 = 2\nx + 1 = 2 and 1 + 1 = 2\nso <<1+1=3>>\n"
    assert by_line(text) == ["wrong", "none", "unchecked", "right", "wrong", "none"]
    assert by_line("") == ["none"]


# --- laws ---------------------------------------------------------------------------------------------

SIGNS = {
    "+": ["+", " + ", " plus "],
    "-": ["-", " - ", " − ", " – "],
    "*": ["*", " * ", " x ", "×", " · ", " times "],
}
NUMBERS = st.integers(0, 10**6) | st.decimals(0, 1000, places=2).map(str)


@st.composite
def equations(draw: st.DrawFn) -> tuple[str, str, Fraction, Fraction]:
    """(left side, a spelling of its value, the value, the unit of the last place shown)."""
    numbers = [str(draw(NUMBERS)) for _ in range(draw(st.integers(2, 5)))]
    operations = [draw(st.sampled_from("+-*")) for _ in numbers[1:]]
    unit = draw(st.sampled_from(["", " apples", " red apples", "$"]))
    spell = [
        f"${n}" if unit == "$" else f"{n}{unit}"
        for n in (draw(st.sampled_from([n, grouped(n)])) for n in numbers)
    ]
    left = spell[0]
    for operation, number in zip(operations, spell[1:], strict=True):
        left += draw(st.sampled_from(SIGNS[operation])) + number
    terms, sign = [Fraction(numbers[0])], [1]
    for operation, number in zip(operations, numbers[1:], strict=True):
        if operation == "*":
            terms[-1] *= Fraction(number)
        else:
            terms.append(Fraction(number))
            sign.append(1 if operation == "+" else -1)
    value = sum((s * t for s, t in zip(sign, terms, strict=True)), Fraction(0))
    text = text_of(value)
    return left, text, value, Fraction(1, 10 ** len(text.partition(".")[2]))


def grouped(number: str) -> str:
    whole, point, part = number.partition(".")
    return f"{int(whole):,}{point}{part}"


@given(equations(), st.sampled_from(["{} = {}", "So he has {}={} in all.", "<<{}={}>>", "- {} = **{}**"]))
def test_a_true_equation_is_right_in_every_spelling(equation: Any, layout: str) -> None:
    left, right, _, _ = equation
    assume("<<" not in layout or not any(c.isalpha() for c in left.replace("x", "")))
    assert [mark.outcome for mark in marks(layout.format(left, right))] == ["right"]


@given(
    equations(), st.integers(2, 10**6), st.booleans(), st.sampled_from(["{} = {}", "So he has {}={} in all."])
)
def test_with_its_result_changed_it_is_wrong(equation: Any, steps: int, up: bool, layout: str) -> None:
    left, _, value, unit = equation
    changed = value + steps * unit * (1 if up else -1)
    assume(changed not in (value * 100, value / 100))
    assume(abs(changed - value) > abs(value) / 10**8 or value.denominator == 1)
    places = len(str(unit.denominator)) - 1
    digits = str(abs(int(changed / unit))).rjust(places + 1, "0")
    written = f"{'-' if changed < 0 else ''}{digits[: len(digits) - places]}.{digits[len(digits) - places :]}"
    found = marks(layout.format(left, written.removesuffix(".")))
    assert [(mark.outcome, mark.found) for mark in found] == [("wrong", text_of(value))]


SCRAPS = st.sampled_from(
    re.split(
        " ",
        "<< >> = 1 23 4.5 1,000 80 000 % ( ) [ ] { } + - * / ^ ** x y of and is then half $ ½ . , : ' \" ≈"
        " apples #### ... √ 1/2 <<1+1=2>> <<2=3>>4 \n \\frac \\text",
    )
)
TEXTS = st.text(max_size=200) | st.lists(SCRAPS | st.just(" "), max_size=80).map("".join)


@given(TEXTS, st.sampled_from(["both", "text", "annotations"]))
def test_arbitrary_text_has_marks_that_are_slices_in_order(text: str, read: str) -> None:
    found = marks(text, read)
    lines = text.split("\n")
    for mark in found:
        assert 0 <= mark.start < mark.end <= len(text)
        assert mark.written == text[mark.start : mark.end]
        assert "\n" not in mark.written
        assert mark.written in lines[mark.line - 1]
        assert (mark.found is not None) == (mark.outcome == "wrong")
    assert [mark.start for mark in found] == sorted(mark.start for mark in found)
    annotations = [mark for mark in found if mark.source == "annotation"]
    assert all(one.end <= other.start for one, other in itertools.pairwise(annotations))
    of_text = [mark for mark in found if mark.source == "text"]
    for one, other in itertools.pairwise(of_text):
        shared = re.sub("<<[^<>\n]*>>", "", text[other.start : one.end])
        assert one.start < other.start
        assert one.end < other.end
        assert "=" not in shared
    assert len(by_line(text)) == len(lines)


@given(TEXTS)
def test_reading_both_is_reading_each(text: str) -> None:
    apart = marks(text, "text") + marks(text, "annotations")
    assert sorted(apart, key=str) == sorted(marks(text), key=str)


@pytest.mark.parametrize(
    "scrap",
    ["=", "1+1=", "(", ")", "(1+", "1/2 ", "<<", "<<1", ">>", "<<1=1>>", "1 is ", "x ", "5 ", "5 000 ",
     "1,0,", "\\text{", "\\frac{", "- ", "** ", ". ", "3 and ", "half of 3 ", " ", "1 apples ", "1^", "~",
     "1 2/3 "],
)  # fmt: skip
def test_tokens_read_grow_no_faster_than_the_text(scrap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work is counted, not timed: the marks of ten times the text need about ten times the tokens."""
    counted = [0, 0]
    real = steps_tokens.tokens

    class Counted(list[Any]):
        def __getitem__(self, place: Any) -> Any:
            counted[1] += 1
            return list.__getitem__(self, place)

    def reading(line: str) -> list[Any]:
        found = Counted(real(line))
        counted[0] += len(found)
        return found

    monkeypatch.setattr(steps_tokens, "tokens", reading)
    marks(f"1 + 1 = 2 {scrap * 20_000} = 3")
    assert counted[1] <= 20 * counted[0] + 100


@pytest.mark.parametrize(
    ("left", "right", "kind", "found"),
    [
        (Fraction(5, 2), 2, "rounded", "2.5"),
        (Fraction(-5, 2), -3, "rounded", "-2.5"),
        (Fraction(1, 3), 1, "wrong", "1/3"),
        (3, 300, "percent", "3"),
        (300, 3, "percent", "300"),
        (10**12, 10**12 + 1, "wrong", "1000000000000"),
        (0, 0, "exact", "0"),
        (0, 1, "wrong", "0"),
    ],
)
def test_two_values_agree_in_one_way(left: Any, right: Any, kind: str, found: str) -> None:
    over = Fraction(left)
    sides = [Number(over.numerator, 0), "/", Number(over.denominator, 0)], [Number(right, 0)]
    value = agreement(*sides)
    assert (value[0], text_of(value[1])) == (kind, found)


# --- hostile text and public data ---------------------------------------------------------------------


def rows(name: str) -> list[dict[str, Any]]:
    assert DATA is not None
    with (Path(DATA) / name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@needs_data
def test_hostile_text_is_never_run_and_never_called_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cases = {case["id"]: check(case["prediction"]) for case in rows("verifiers/adversarial_math.jsonl")}
    assert list(tmp_path.iterdir()) == []
    assert {case.reason for case in (cases["a084"], cases["a085"])} == {"nothing_to_check"}
    assert {case.status for case in cases.values()} <= {Status.NO_ANSWER, Status.PASS, Status.FAIL}


@needs_data
def test_human_solutions() -> None:
    found = [mark for row in rows("gsm8k/test.jsonl") for mark in marks(row["answer"])]
    annotations = [mark for mark in found if mark.source == "annotation"]
    assert [shown(mark) for mark in annotations if mark.outcome == "wrong"] == []
    of_text = [mark for mark in found if mark.source == "text"]
    assert sum(mark.outcome == "wrong" for mark in of_text) <= 0.002 * len(of_text)
    assert sum(mark.outcome == "right" for mark in of_text) >= 0.95 * len(annotations)


@needs_data
def test_solutions_of_models_with_a_wrong_answer_are_flagged_more_often() -> None:
    flagged = {True: 0, False: 0}
    for row in rows("gsm8k/example_model_solutions.jsonl"):
        solution = row["175b_verification"]
        flagged[solution["is_correct"]] += check(solution["solution"]).status is Status.FAIL
    assert flagged[False] > 3 * flagged[True]

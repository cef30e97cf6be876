"""Laws of the verifier `math`: symmetry, spellings, near misses, bounded time, errors kept apart."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.recipe import MathOptions
from factory.records import Status
from factory.verifiers import equivalence, math_answer
from factory.verifiers.base import Check, Item
from factory.verifiers.extraction import extract
from factory.verifiers.judging import VERIFIERS, judge
from factory.verifiers.last_resort import Wanted
from factory.verifiers.spelling import Unsettled, clean, key

OPTIONS = MathOptions()
NUMBERS = st.integers(-(10**30), 10**30)
ATOMS = st.sampled_from(["x", "y", "2", "7", "0.5", r"\pi", r"\sqrt{2}", r"\frac{1}{3}", "e", "n!"])
FORMULAS = st.recursive(
    ATOMS,
    lambda part: st.one_of(
        st.tuples(part, st.sampled_from(["+", "-", r" \cdot "]), part).map("".join),
        part.map(lambda one: rf"\sqrt{{{one}}}"),
        st.tuples(part, st.integers(0, 4)).map(lambda pair: f"({pair[0]})^{{{pair[1]}}}"),
        st.tuples(part, part).map(lambda pair: rf"\frac{{{pair[0]}}}{{{pair[1]}}}"),
        st.tuples(part, part).map(lambda pair: f"({pair[0]}, {pair[1]})"),
    ),
    max_leaves=5,
)


def verdict(completion: str, reference: str | None) -> Check:
    return judge(Item(completion, reference), "math", OPTIONS)


@given(NUMBERS)
def test_separators_change_no_number(number: int) -> None:
    for spelling in (f"{number:,}", f"{number:,}".replace(",", "{,}"), f"{number:,}".replace(",", r"\,")):
        assert verdict(rf"\boxed{{{spelling}}}", str(number)).reason in ("equal:exact", "equal:text")


@given(NUMBERS, st.sampled_from([-1, 1]))
def test_off_by_one_never_passes(number: int, step: int) -> None:
    for spelling in ("{:,}", "#### {}", r"\boxed{{{}}}", "The answer is {}.", "A: {}", "so it is {}"):
        assert verdict(spelling.format(number + step), str(number)).reason == "different:exact"


@given(st.fractions(max_denominator=10**6), st.fractions(max_denominator=10**6))
def test_fractions_are_equal_by_value(one: Fraction, other: Fraction) -> None:
    spelled = rf"\frac{{{one.numerator * 7}}}{{{one.denominator * 7}}}"
    assert verdict(spelled, str(one)).status is Status.PASS
    assert (verdict(str(one), str(other)).status is Status.PASS) == (one == other)


def compared(one: str, other: str) -> str:
    try:
        return equivalence.decided(clean(one), clean(other), MathOptions())
    except Unsettled as error:
        return error.reason


@given(st.one_of(FORMULAS, st.text(max_size=12)), st.one_of(FORMULAS, st.text(max_size=12)))
def test_both_orders_get_the_same_verdict(one: str, other: str) -> None:
    assert compared(one, other).partition(":")[0] == compared(other, one).partition(":")[0]


COMMON = (
    *("5", "5.0", "5 cm", "5 m", "$5", "50%", "1/3", "0.333333", "0.33", "1,000", "1, 2", "(1,2)"),
    *(r"\{1,2\}", "5!", "120", "x=5", "x=1,y=2", "2,1", r"\pi", "3.141593", "[0,1)", "5m", "odd"),
    *(
        "x>5",
        "1e400",
        "1e2000",
        "9" * 5000,
        "100/3 = 33.33",
        "3 + 4 = 8",
        "5 million",
        "½",
        "2(",
        r"10^{99999}",
    ),
)


@pytest.mark.parametrize("one", COMMON, ids=lambda text: text[:12])
def test_both_orders_of_common_forms_get_the_same_verdict(one: str) -> None:
    for other in COMMON:
        assert compared(one, other) == compared(other, one), other[:12]


@given(FORMULAS)
def test_a_formula_equals_itself_and_not_itself_plus_one(formula: str) -> None:
    assert verdict(rf"so \boxed{{{formula}}}", formula).reason == "equal:text"
    assert verdict(rf"so \boxed{{1+{formula}}}", formula).status is not Status.PASS


@pytest.mark.parametrize("number", ["1e2000", "0e1001", "1/" + "9" * 1200])
def test_a_reference_too_large_to_compute_with_is_compared_as_text(number: str) -> None:
    assert verdict(rf"so \boxed{{{number}}}", number).reason == "equal:text"
    assert verdict("so it is 5", number).reason == "refused"


@given(st.text())
def test_any_text_gets_a_verdict_and_the_answer_is_a_slice(text: str) -> None:
    check = verdict(text, "5")
    assert not check.reason.startswith("raised")
    assert check.answer is None or check.answer in text


@given(st.text(alphabet="0123456789.,-+*/^_=<>()[]{}|!\\ $%abexπ½√\n#", max_size=60))
def test_any_formula_like_text_gets_a_verdict(text: str) -> None:
    for check in (verdict(text, "5"), verdict("5", text), verdict(rf"\boxed{{{text}}}", "x+1")):
        assert not check.reason.startswith("raised")


@given(FORMULAS)
def test_layout_changes_no_key(formula: str) -> None:
    for spelled in (f"$ {formula} $", rf"\[ {formula} \]", f"**{formula}**.", rf"\displaystyle {formula}\!"):
        assert key(clean(spelled)) == key(clean(formula))


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "9",
            "1,000,",
            "{",
            "\\boxed{",
            "\\boxed{6} ",
            "#### ",
            "answer is ",
            "the answer is 5, ",
            "A: 5\n",
        ),
        *(
            "\n",
            "-",
            "$5 ",
            "\\",
            "\\frac{1",
            "(",
            "a",
            "5% ",
            "1+",
            "5 a ",
            "not ",
            "~",
            "²",
            "1\\,",
            "answer ",
        ),
        *("5 and ", "^{\\circ}", "\\text{a}", "1e", "Question:", "**", " "),
    ],
)
def test_a_megabyte_is_read_in_linear_time(piece: str) -> None:
    text = (piece * (1_000_000 // len(piece)))[:1_000_000]
    start = time.process_time()
    check = verdict(text, "5")
    assert not check.reason.startswith("raised")
    verdict("5", text[: math_answer.LONGEST])
    assert time.process_time() - start < 10.0  # at most 1 where this was written; a quadratic scan takes 90


def test_numbers_never_load_the_algebra() -> None:
    code = (
        "import sys; from factory.recipe import MathOptions; from factory.verifiers.base import Item\n"
        "from factory.verifiers.judging import judge\n"
        "for pair in [('#### 1,800', '1800'), ('A: 3/4', '0.75'), ('A: 5', '6'), ('A: 5 cm', '5')]:\n"
        "    assert judge(Item(*pair), 'math', MathOptions()).reason.endswith(('exact', 'text')), pair\n"
        "print([name for name in ('sympy', 'mpmath', 'torch') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_errors_are_not_cached_and_verdicts_are() -> None:
    equivalence.decided.cache_clear()
    for _ in range(3):
        assert verdict("99999999!", "5").reason == "refused"
        assert verdict("6", "5").reason == "different:exact"
    assert equivalence.decided.cache_info().currsize == 1
    assert equivalence.decided.cache_info().hits == 2


def test_last_number_is_an_option() -> None:
    assert extract("so it is 5 in all", Wanted.NUMBER).answer == "5"
    assert verdict("so it is 5 in all", "5").rule == "last_number"
    check = judge(Item("so it is 5 in all", "5"), "math", MathOptions(last_number=False))
    assert (check.status, check.reason) == (Status.NO_ANSWER, "none")


def test_a_check_that_raises_is_an_error_without_a_score(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(item: Item, options: MathOptions) -> Check:
        raise RecursionError

    monkeypatch.setattr(math_answer, "check", broken)
    check = verdict("5", "5")
    assert (check.status, check.reason, check.score) == (Status.ERROR, "raised:RecursionError", None)


def test_lack_of_memory_is_left_to_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    def hungry(item: Item, options: MathOptions) -> Check:
        raise MemoryError

    monkeypatch.setattr(math_answer, "check", hungry)
    with pytest.raises(MemoryError):
        verdict("5", "5")


def test_scores_follow_the_status() -> None:
    assert [verdict(text, "5").score for text in ("5", "6", "none", "x^(")] == [1.0, 0.0, None, None]


def test_a_verdict_travels() -> None:
    check = verdict("#### 5", "5")
    assert pickle.loads(pickle.dumps(check)) == check


def test_every_verifier_has_a_name_and_a_version() -> None:
    assert all(name == module.NAME and module.VERSION for name, module in VERIFIERS.items())

"""Random and mutated texts through extraction and equivalence: laws that hold for any text.

The same with 100,000 texts, in processes that can be killed: `python -m tests.benchmarks.fuzz_math`.
"""

from __future__ import annotations

import pytest

from factory.recipe import MathOptions
from factory.records import Status
from factory.verifiers import math_answer
from factory.verifiers.base import Check, Item
from factory.verifiers.judging import judge
from tests.support.math_laws import broken
from tests.support.mutated import golden_texts, pairs

COUNT = 2_000


def test_no_law_is_broken() -> None:
    found = {pair: law for pair in pairs(COUNT, seed=1) if (law := broken(pair)) is not None}
    assert found == {}


def test_the_laws_are_broken_by_verifiers_that_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def verdicts(check: Check) -> str | None:
        monkeypatch.setattr("tests.support.math_laws.judge", lambda *_, **__: check)
        law = broken(("5", "6"))
        return law and law.name

    assert verdicts(Check(Status.ERROR, "raised:ValueError")) == "RAISED"
    assert verdicts(Check(Status.PASS, "equal:text", "7")) == "NOT_A_SLICE"
    assert verdicts(Check(Status.FAIL, "different:exact", None)) == "NOT_REFLEXIVE"
    assert verdicts(Check(Status.PASS, "equal:text", None)) is None


def test_a_golden_text_accepts_itself_or_is_no_reference() -> None:
    for text in golden_texts():
        check = judge(Item(text, text), "math", MathOptions(), whole=True)
        assert check.status is not Status.FAIL, (text, check)
        assert check.status is Status.PASS or math_answer.check(Item("5", text), MathOptions()).reason

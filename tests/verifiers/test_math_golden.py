"""Every golden case of the verifier `math` gets its status, its reason, its rule and its answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from factory.recipe import MathOptions
from factory.verifiers.base import Item
from factory.verifiers.judging import judge

CASES: list[dict[str, Any]] = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "golden" / "math.jsonl").read_text("utf-8").splitlines()
]


@pytest.mark.parametrize("case", CASES, ids=[f"{case['id']}-{case['source']}" for case in CASES])
def test_golden(case: dict[str, Any]) -> None:
    options = MathOptions(**case.get("options", {}))
    check = judge(Item(case["completion"], case["reference"]), "math", options)
    assert (check.status, check.reason[: len(case["reason"])]) == (case["status"], case["reason"]), check
    if "rule" in case:
        assert check.rule == case["rule"]
    if "answer" in case:
        assert check.answer == case["answer"]
    assert check.answer is None or check.answer in case["completion"]


def test_at_least_half_of_the_golden_cases_do_not_pass() -> None:
    assert len(CASES) >= 120
    assert len({case["id"] for case in CASES}) == len(CASES)
    assert sum(case["status"] != "pass" for case in CASES) * 2 >= len(CASES)

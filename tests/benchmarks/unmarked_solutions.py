"""How the verifier `math` reads solutions that mark no answer: GSM8K's own, and those of four models.

    FACTORY_TEST_DATA=DIR python tests/benchmarks/unmarked_solutions.py [--show N]

Takes the answer line off each solution (`#### 18`, `A: 18`) and judges the rest twice: against the answer it
gave, which it should be found to give, and, where that was wrong, against the reference, which it should not.
Human solutions are read with and without their calculator annotations. With --show, prints N of the solutions
whose own answer was not found.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

from factory.recipe import MathOptions
from factory.verifiers import math_answer
from factory.verifiers.base import Item

MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
ANNOTATION = re.compile(r"<<[^<>\n]*>>")


class Case(NamedTuple):
    source: str
    text: str
    said: str
    reference: str


def rows(name: str) -> Iterator[dict[str, object]]:
    with (Path(os.environ["FACTORY_TEST_DATA"]) / "gsm8k" / name).open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def cases() -> Iterator[Case]:
    for row in rows("test.jsonl"):
        text, _, answer = str(row["answer"]).partition("####")
        yield Case("human, annotated", text.strip(), answer.strip(), answer.strip())
        yield Case("human", ANNOTATION.sub("", text).strip(), answer.strip(), answer.strip())
    for row in rows("example_model_solutions.jsonl"):
        reference = str(row["ground_truth"]).rpartition("A:")[2].strip()
        for model in MODELS:
            solution = row[model]
            assert isinstance(solution, dict)
            text, _, said = ANNOTATION.sub("", solution["solution"]).rpartition("A:")
            if text.strip():
                yield Case(model, text.strip(), said.strip(), reference)


def same(one: str, other: str) -> bool:
    try:
        return Decimal(one.replace(",", "")) == Decimal(other.replace(",", ""))
    except InvalidOperation:
        return one == other


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--show", type=int, default=0)
    show = parser.parse_args().show
    own: collections.Counter[tuple[str, str]] = collections.Counter()
    against: collections.Counter[tuple[str, str]] = collections.Counter()
    unread = []
    for case in cases():
        check = math_answer.check(Item(case.text, case.said), MathOptions())
        own[case.source, check.status] += 1
        if check.status != "pass":
            unread.append((case, check))
        if not same(case.said, case.reference):
            verdict = math_answer.check(Item(case.text, case.reference), MathOptions())
            against[case.source, verdict.status] += 1
    for source in (*dict.fromkeys(name for name, _ in own), "all"):
        of_own, of_wrong = (
            sum(
                (
                    collections.Counter({status: n})
                    for (name, status), n in of.items()
                    if source in (name, "all")
                ),
                collections.Counter[str](),
            )
            for of in (own, against)
        )
        found, other = (of_own[status] / of_own.total() for status in ("pass", "fail"))
        print(
            f"{source:18} {of_own.total():5} solutions: own answer in {found:.1%}, another in {other:.1%};"
            f" {of_wrong['pass']} of {of_wrong.total()} wrong ones pass"
        )
    for case, check in random.Random(0).sample(unread, min(show, len(unread))):
        print(f"\n{case.source}, said {case.said}, read {check.answer} ({check.reason})\n{case.text[-300:]}")


if __name__ == "__main__":
    main()

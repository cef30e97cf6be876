"""What the verifier `arithmetic` finds in GSM8K: human solutions, and solutions of four models.

    FACTORY_TEST_DATA=DIR python tests/benchmarks/step_arithmetic.py [--wrong train|test|models]

Prints, as tables: the annotations and the equations in free text by kind; the share of annotations that
are found again in the text alone; how many solutions with a right and with a wrong answer have a wrong
equation; what is caught of the solutions that were read by hand; and solutions a CPU second. With
--wrong, prints instead each equation of that set called wrong, with its line.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import re
import time
from pathlib import Path
from typing import Any

from factory.verifiers.arithmetic import Mark, marks

MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
ANNOTATION = re.compile(r"<<[^<>\n]*>>")
REVIEWED = {"unflagged": 1893 / 120, "flagged": 108 / 78}
"""Solutions that stand behind one that was read: the review drew 120 of 1893 and 78 of 108."""


def rows(name: str) -> list[dict[str, Any]]:
    with (Path(os.environ["FACTORY_TEST_DATA"]) / "gsm8k" / name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def solutions() -> dict[str, list[tuple[str, bool | None]]]:
    """(text, whether its answer is right) for train, test and the models."""
    found: dict[str, list[tuple[str, bool | None]]] = {
        name: [(row["answer"], None) for row in rows(f"{name}.jsonl")] for name in ("train", "test")
    }
    found["models"] = [
        (row[model]["solution"], row[model]["is_correct"])
        for row in rows("example_model_solutions.jsonl")
        for model in MODELS
    ]
    return found


def recovered(text: str, of_text: list[Mark]) -> tuple[int, int]:
    """How many annotations lie in an equation that was judged from the text without them, and all of them."""
    judged = [mark for mark in of_text if mark.outcome != "unchecked"]
    places = [match.span() for match in ANNOTATION.finditer(text)]
    return sum(any(m.start <= a and b <= m.end for m in judged) for a, b in places), len(places)


def table(name: str, texts: list[tuple[str, bool | None]]) -> None:
    start = time.process_time()
    both = [marks(text) for text, _ in texts]
    seconds = time.process_time() - start
    print(f"\n{name}: {len(texts)} solutions, {len(texts) / seconds:.0f} a CPU second")
    for source in ("annotation", "text"):
        kinds = collections.Counter(
            (m.outcome, m.kind) for found in both for m in found if m.source == source
        )
        outcomes = collections.Counter(m.outcome for found in both for m in found if m.source == source)
        judged, all_ = outcomes["right"] + outcomes["wrong"], outcomes.total()
        share = outcomes["wrong"] / max(1, all_)
        print(f"  {source}: {all_}, judged {judged}, wrong {outcomes['wrong']} ({share:.2%})")
        print("    " + ", ".join(f"{outcome}:{kind} {n}" for (outcome, kind), n in kinds.most_common()))
    counts = [recovered(text, marks(text, "text")) for text, _ in texts]
    hit, total = (sum(column) for column in zip(*counts, strict=True))
    print(f"  found again in the text alone: {hit} of {total} ({hit / total:.2%})")
    for label in sorted({answer for _, answer in texts if answer is not None}, reverse=True):
        chosen = [found for found, (_, answer) in zip(both, texts, strict=True) if answer is label]
        print(f"  answer {'right' if label else 'wrong'}: {len(chosen)}")
        for what in ("annotation", "text", "both"):
            print(f"    by {what}: {outcomes_of_solutions(chosen, what)}")


def outcomes_of_solutions(chosen: list[list[Mark]], what: str) -> str:
    """Solutions with all right, one wrong, and none judged, by the marks of one source or of both."""
    counts: collections.Counter[str] = collections.Counter()
    for found in chosen:
        outcomes = {m.outcome for m in found if what in (m.source, "both") and m.kind != "after_annotation"}
        if what == "both":
            outcomes = {m.outcome for m in found}
        unread = what == "annotation" and "unchecked" in outcomes
        verdict = "one wrong" if "wrong" in outcomes else "none or unread" if unread else ""
        counts[verdict or ("all right" if "right" in outcomes else "none or unread")] += 1
    return ", ".join(f"{name} {n} ({n / len(chosen):.2%})" for name, n in counts.most_common())


def review() -> None:
    """What is flagged of the solutions read by hand, weighted by the draw of the review."""
    table: collections.Counter[tuple[str, str, bool]] = collections.Counter()
    for row in rows("false_positive_review.jsonl"):
        flagged = any(mark.outcome == "wrong" for mark in marks(row["solution"]))
        table[row["stratum"], row["verdict"], flagged] += 1
    print("\nread by hand (final answer right):")
    for verdict in ("wrong_reasoning", "minor_wording", "ok"):
        caught = {s: (table[s, verdict, True], table[s, verdict, False]) for s in REVIEWED}
        weighted = [sum(caught[s][i] * REVIEWED[s] for s in REVIEWED) for i in (0, 1)]
        shares = ", ".join(f"{s} {a} of {a + b}" for s, (a, b) in caught.items())
        print(f"  {verdict}: flagged {shares}; weighted {weighted[0]:.0f} of {sum(weighted):.0f} solutions")


def show_wrong(name: str) -> None:
    for text, answer in solutions()[name]:
        for mark in marks(text):
            if mark.outcome == "wrong":
                line = text.split("\n")[mark.line - 1]
                print(f"{mark.source}:{mark.kind} answer={answer} | {mark.written} | {mark.found} | {line}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--wrong", choices=("train", "test", "models"))
    args = parser.parse_args()
    if args.wrong:
        show_wrong(args.wrong)
        return
    for name, texts in solutions().items():
        table(name, texts)
    review()


if __name__ == "__main__":
    main()

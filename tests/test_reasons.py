"""Every reason that the code can give has a sentence, and a sentence never acts on a terminal."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import factory
from factory import asked, planning
from factory.lineage import reasons
from factory.records import PASSING_REASONS, canonical_json
from factory.selection import choice

FACTORY = Path(factory.__file__).parent


def texts_in(node: ast.AST) -> list[str]:
    """The string constants of an expression; a formatted one with X for its values."""
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)]
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.IfExp):
        return [*texts_in(node.body), *texts_in(node.orelse)]
    if isinstance(node, ast.BoolOp):
        return [text for value in node.values for text in texts_in(value)]
    return []


REASON_PLACE = {
    "Check": 1,
    "Unsettled": 0,
    "Found": 2,
    "settle": 1,
    "Report": 1,
    "Ran": 1,
    "ran": 1,
    "Lost": 0,
}
"""Which argument of a call is a reason."""


def reasons_of(path: Path) -> set[str]:
    """Every reason that a module of the verifiers can give, by the calls and pairs that hold one."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            place = REASON_PLACE.get(name)
            if place is not None and len(node.args) > place:
                found.update(texts_in(node.args[place]))
        elif isinstance(node, ast.Tuple) and len(node.elts) == 2:
            first = ast.unparse(node.elts[0])
            if first.startswith("Status.") or first in ("'failed'", "'unsettled'"):
                found.update(texts_in(node.elts[1]))
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "abstains":
            found.update(texts_in(node.value))
        elif isinstance(node, ast.Constant) and re.fullmatch(r"(equal|different):[a-z]+", str(node.value)):
            found.add(str(node.value))
    return {reason for reason in found if re.fullmatch(r"[a-z_]+(:.*)?", reason)}


VERIFIER_OF = {
    "judge": "judge",
    "consensus": "consensus",
    "arithmetic": "arithmetic",
    "unit_tests": "unit_tests",
}
VERIFIED = sorted(
    {
        (VERIFIER_OF.get(path.stem, "unit_tests" if path.stem.startswith("sandbox") else "math"), reason)
        for path in sorted((FACTORY / "verifiers").glob("*.py"))
        if path.stem not in ("programs", "labelled", "mutation", "number_mutation")
        for reason in reasons_of(path)
    }
    | {("math", reason) for reason in PASSING_REASONS}
    | {("unit_tests", "syntax"), ("unit_tests", "exit")}  # the program's own word, passed on by the link
)


def test_the_reasons_of_the_verifiers_are_found_in_their_code() -> None:
    found = {reason for _, reason in VERIFIED}
    assert len(found) > 70
    assert {"equal:algebra", "retracted", "exceeded:cpu", "too_few", "judged_correct", "wrong:X"} <= found


@pytest.mark.parametrize(("verifier", "reason"), VERIFIED, ids=lambda part: part)
def test_every_reason_of_a_verdict_has_words(verifier: str, reason: str) -> None:
    told = reasons.words(verifier, reason)
    assert told != reason, f"{verifier} gives the reason {reason}, and reasons.py has no words for it"
    assert "{" not in told


def test_every_reason_of_selection_has_a_sentence() -> None:
    tree = ast.parse(Path(choice.__file__).read_text())
    constants = {
        str(node.value.value)
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Constant)
    }
    known = {*constants, *choice.UNACCEPTED.values()}
    assert {choice.KEPT, choice.OVER_LIMIT, choice.REJECTED_BY, "wrong", "unverified"} <= known
    for reason in known:
        told = reasons.selected(reason, verdict="math@2 says so", verifier="math@2")
        assert told.startswith("kept: " if reason == choice.KEPT else "out: "), reason


def test_the_cap_is_told_as_the_recipe_chooses() -> None:
    told = {
        one: reasons.selected("over_limit", per_problem=4, choice=one, seed=7) for one in ("first", "random")
    }
    assert "only the first 4 drawn are kept, and those stand before it" in told["first"]
    assert "seed" not in told["first"], "no lot is drawn"
    assert "the lot fell on others of its problem (per_problem: 4, choice: random, seed: 7)" in told["random"]
    other = reasons.selected("over_limit", per_problem=4, choice="best")
    assert other == "out: no other rule drops it, but others of its problem were chosen"


def test_every_reason_of_planning_has_a_sentence() -> None:
    source = Path(asked.__file__).read_text()
    bad = set(re.findall(r"'(bad_gold: [a-z ]+)'", source)) | {"bad_gold: not judged"}
    assert len(bad) >= 3
    for reason in (*bad, planning.MARK_DUPLICATE, asked.NOT_CHOSEN, "asked"):
        assert "does not know" not in reasons.planned(reason), reason
    assert reasons.planned("bad_gold: error unsupported:reference", "math@2") == (
        "not asked: math@2, given its own reference, could not tell: this verifier does not know: reference"
    )


@given(st.text(), st.text())
def test_an_unknown_reason_is_quoted_and_never_acts(verifier: str, reason: str) -> None:
    told = [reasons.words(verifier, reason), reasons.selected(reason), reasons.planned(reason)]
    assert all(one.isprintable() for one in told)


@given(st.text(), st.integers(1, 80))
def test_a_quotation_is_short_and_printable(text: str, limit: int) -> None:
    shown = reasons.quoted(text, limit)
    assert shown.isprintable()
    assert (shown.endswith("...") and len(text) > limit) or ast.literal_eval(shown) == text


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (
            {"verifier": "judge", "status": "no_answer", "reason": "disagreement"}
            | {"detail": canonical_json({"votes": {"correct": 1, "incorrect": 2, "unsure": 0}})},
            "judge@1 finds nothing in it to judge: the votes of the judge disagree (1 correct, 2 incorrect)",
        ),
        (
            {"verifier": "unit_tests", "status": "fail", "reason": "raised:KeyError", "detail": '{"test":2}'},
            "unit_tests@1 fails it: its program raises KeyError (test 2, the first being 0)",
        ),
        (
            {"verifier": "consensus", "status": "fail", "reason": "minority"}
            | {"detail": '{"answer":"4","answers":9}'},
            "consensus@1 fails it: its answer is not that of the majority (the commonest answer: '4', "
            "of 9 answers)",
        ),
        (
            {"verifier": "math", "status": "error", "reason": "raised:ValueError", "detail": "{not json"},
            "math@1 could not tell: the verifier itself ended with ValueError",
        ),
        (
            {"verifier": "unit_tests", "status": "error", "reason": "unsupported:hash of an object"},
            "unit_tests@1 could not tell: the sandbox cannot serve hash of an object",
        ),
        (
            {"verifier": "later", "status": "odd", "reason": "new\x1b[1m:thing"},
            "later@1 odd: new\\x1b[1m:thing",
        ),
    ],
)
def test_a_verdict_is_one_sentence(row: dict[str, Any], sentence: str) -> None:
    assert reasons.verdict({"version": "1"} | row, "8") == sentence


@pytest.mark.parametrize(
    ("text", "value"), [('{"a": NaN}', {"a": "NaN"}), ("[" * 100_000, "[" * 100_000), (None, None)]
)
def test_json_that_is_none_stays_text(text: str | None, value: object) -> None:
    assert reasons.parsed(text) == value

"""Every reason a row can carry, as a sentence for people.

Guarantees: each reason that verifying, planning and selecting can give has words of its own; a reason of
another version of the factory is quoted as it stands. Texts of models and problems are quoted in short, with
everything that a terminal would act on written as an escape. Left out: which reasons hold (`stages.py`,
`planning.py`), and where a row stands in a release (`standing.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

Row = Mapping[str, Any]

QUOTED: Final = 60
"""Characters of a text that a sentence quotes."""

_VERDICTS: Final[Mapping[str, str]] = {
    "pass": "accepts it",
    "fail": "fails it",
    "no_answer": "finds nothing in it to judge",
    "error": "could not tell",
}

_WORDS: Final[Mapping[str, str]] = {
    # an answer that was compared
    "equal:text": "the same as the answer, layout aside",
    "equal:exact": "the same number as the answer, exactly",
    "equal:float": "the same number as the answer, as far as floating point shows it",
    "equal:rounded": "the answer, rounded as far as it is shown",
    "equal:algebra": "the same as the answer by algebra",
    "equal:base": "the same number as the answer, in its base",
    "equal:choice": "the same choice as the answer",
    "equal:clock": "the same moment as the answer",
    "equal:exclaimed": "the answer, with an exclamation mark",
    "equal:spaced": "the same as the answer, blanks in numbers aside",
    "equal:word": "the same word as the answer",
    "different:text": "another text than the answer",
    "different:exact": "another number than the answer",
    "different:algebra": "not equal to the answer by algebra",
    "different:base": "another number than the answer, or another base",
    "different:choice": "another choice than the answer",
    "different:clock": "another moment than the answer",
    "different:contradiction": "a contradiction, which the answer is not",
    "different:name": "about another name than the answer",
    "different:shape": "of another shape than the answer",
    "different:type": "of another kind than the answer",
    "different:units": "in units that the answer's cannot be turned into",
    "different:word": "another word than the answer",
    # an answer that was not found
    "none": "no answer is marked in it, and none can be read for certain",
    "several": "it gives several answers where one was asked for",
    "empty": "there is no text, or nothing where the answer should stand",
    "struck_out": "a part of its answer is struck out",
    "retracted": "it takes its answer back",
    "negated": "it says what the answer is not",
    "inside_formula": "its mark stands inside a formula, and what is meant is not certain",
    "unclosed": "the mark of its answer is not closed",
    # what could not be decided
    "refused": "what is written is too large to compute with",
    "unparsed": "what is written cannot be read as an answer",
    "undecided": "no rule decides whether the two are equal",
    "unsupported": "this verifier does not know: {rest}",
    "raised": "the verifier itself ended with {rest}",
    "time_limit": "it took longer than the time limit; another attempt may do better",
    "memory": "it took more memory than allowed; another attempt may do better",
    "crash": "the worker crashed at it; another attempt may do better",
    "worker_lost": "the worker, or the model that was asked, was lost; another attempt may do better",
    # equations of the steps
    "wrong": "equations that are wrong: {rest}",
    "right": "equations that are right: {rest}, and none is wrong",
    "nothing_to_check": "it writes no equation that can be checked",
    # votes of samples and of judges
    "majority": "its answer is that of the majority",
    "minority": "its answer is not that of the majority",
    "too_few": "too few samples of the problem gave an answer to vote",
    "no_majority": "no answer has the majority among the samples of the problem",
    "judged_correct": "the votes of the judge say it is correct",
    "judged_incorrect": "the votes of the judge say it is incorrect",
    "unsure": "the judge is unsure",
    "disagreement": "the votes of the judge disagree",
    "judge/empty": "there is no text to ask about",
    "judge/unparsed": "no reply of the judge has the form that was asked for",
    "judge/unsupported": "there is nothing to compare with: the problem has no answer",
    # programs
    "passed": "its program passes every test",
    "assertion": "its program fails a test",
    "wrong_output": "its program prints another output than the test expects",
    "missing": "its program does not define {rest}",
    "syntax": "its program is no valid Python",
    "exit": "its program ends in the middle of the tests",
    "crashed": "its program crashes with {rest}",
    "exceeded": "its program goes past its limit of {rest}",
    "forged": "its program tampers with the testing",
    "unit_tests/none": "there is no program in it",
    "unit_tests/raised": "its program raises {rest}",
    "unit_tests/unsupported": "the sandbox cannot serve {rest}",
    "unit_tests/time_limit": "it waited past the time limit without computing; another attempt may do better",
}
"""Words by reason or by what stands before its colon; `VERIFIER/...` where one verifier means another."""

_SELECTED: Final[Mapping[str, str]] = {
    "kept": "kept: {verdict}, and no rule drops it",
    "kept_apart": "kept: {verdict}, and select.apart keeps all such of {generator}, outside dedup and "
    "per_problem",
    "wrong": "out: {verdict}",
    "no_answer": "out: {verdict}",
    "error": "out: {verdict}; that is no evidence against it",
    "unverified": "out: {verifier} has not judged it",
    "rejected_by": "out: {verdict}, but {also}",
    "exact_duplicate": "out: its text is, blanks aside, that of {other}",
    "path_duplicate": "out: its equations are those of {other}",
    "near_duplicate": "out: it is nearly word for word, with the same numbers, {other}",
    "over_limit": "out: no other rule drops it, but {choice}",
}

_CHOSEN: Final[Mapping[str, str]] = {
    "first": "of its problem only the first {per_problem} drawn are kept, and those stand before it "
    "(per_problem: {per_problem}, choice: first)",
    "random": "the lot fell on others of its problem (per_problem: {per_problem}, choice: random, "
    "seed: {seed})",
}
"""Whom the cap keeps, by `select.choice`."""

_PLANNED: Final[Mapping[str, str]] = {
    "asked": "asked of every generator",
    "duplicate_problem": "not asked again: the same prompt, answer and tests stand earlier in the recipe",
    "not_chosen": "not asked: the lot fell on others, as budget.problems asks no more than so many",
    "bad_gold": "not asked: {rest}",
}

_BAD_GOLD: Final[Mapping[str, str]] = {
    "it has no answer": "it has no answer to judge by",
    "it has no tests": "it has no tests to judge by",
    "not judged": "its reference was not judged, so that no sample of it could be",
}


def quoted(text: object, limit: int = QUOTED) -> str:
    """A text in quotes, cut after `limit` characters, with control and invisible characters as escapes."""
    whole = str(text)
    return repr(whole) if len(whole) <= limit else f"{whole[:limit]!r}..."


def words(verifier: str, reason: str) -> str:
    """What a verifier's reason says. One that is not known is quoted as it stands."""
    base, _, rest = reason.partition(":")
    for name in (f"{verifier}/{reason}", f"{verifier}/{base}", reason, base):
        if name in _WORDS:
            return _WORDS[name].format(rest=_printable(rest))
    return _printable(reason)


def _printable(text: str) -> str:
    return repr(text[:QUOTED])[1:-1]


def verdict(row: Row, reference: str | None = None) -> str:
    """One verdict as a sentence without its full stop.

    `row` has verifier, version, status, reason, answer and perhaps detail; `reference` the problem's answer.
    """
    name, status, answer = row["verifier"], row["status"], row.get("answer")
    said = f"{name}@{row['version']} {_VERDICTS.get(status, status)}: {words(name, row['reason'])}"
    if name == "math" and answer is not None:
        said += f" (it found {quoted(answer)}; the answer is {quoted(reference)})"
    elif name == "arithmetic" and answer is not None:
        said += f" (the first: {quoted(answer)})"
    return said + _details(name, parsed(row.get("detail")))


def _details(verifier: str, detail: Any) -> str:
    """What is worth telling of a verdict's detail: votes, the vote of the samples, the test that failed."""
    if not isinstance(detail, dict):
        return ""
    if verifier == "judge" and isinstance(detail.get("votes"), dict):
        return f" ({', '.join(f'{number} {said}' for said, number in detail['votes'].items() if number)})"
    if verifier == "consensus" and detail.get("answer") is not None:
        return f" (the commonest answer: {quoted(detail['answer'])}, of {detail.get('answers')} answers)"
    if verifier == "unit_tests" and detail.get("test") is not None:
        return f" (test {detail['test']}, the first being 0)"
    return ""


def parsed(text: Any) -> Any:
    """The value of a JSON text, numbers without a finite value as text; the text itself where it is none."""
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text


def selected(
    reason: str,
    *,
    verdict: str = "",
    verifier: str = "",
    also: str = "",
    other: str = "",
    generator: str = "",
    per_problem: int | None = None,
    choice: str = "first",
    seed: int = 0,
) -> str:
    """Why selection keeps a sample or not; the arguments are sentences and settings that it may need."""
    base, _, rest = reason.partition(":")
    if base not in _SELECTED:
        return f"for a reason that this factory does not know: {quoted(reason)}"
    return _SELECTED[base].format(
        verdict=verdict,
        verifier=verifier,
        also=also or f"{_printable(rest)} fails it",
        other=other or "another",
        generator=_printable(generator),
        choice=_CHOSEN.get(choice, "others of its problem were chosen").format(
            per_problem=per_problem, seed=seed
        ),
    )


def planned(reason: str, verifier: str = "") -> str:
    """Why a problem is put to the generators or not; `verifier` is the one that decides, name@version."""
    base, _, rest = reason.partition(": ")
    if base not in _PLANNED:
        return f"for a reason that this factory does not know: {quoted(reason)}"
    if rest not in _BAD_GOLD:
        status, _, why = rest.partition(" ")
        judged = _VERDICTS.get(status, "said").removesuffix(" it")
        said = f"{verifier or 'the verifier'}, given its own reference, {judged}: "
        return _PLANNED[base].format(rest=said + words(verifier.partition("@")[0], why))
    return _PLANNED[base].format(rest=_BAD_GOLD[rest])

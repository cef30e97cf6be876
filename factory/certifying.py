"""Certifies a verifier by labelled cases: how often it accepts what is wrong and rejects what is right.

Guarantees: every row of the file is a case, is left out for a reason the caller gave, or is an error with
file and line; only `pass` accepts. A certificate names the verifier's version and options, the file's
sha256, all figures with their intervals, and every disagreement. Left out: where certificates are kept
(`certificates.py`), and how they are shown.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from factory import wording, yaml_text
from factory.errors import CheckFailed, UsageError
from factory.metrics import certification
from factory.metrics.certification import Outcome
from factory.problems import columns, files
from factory.problems.columns import Row
from factory.progress import Progress
from factory.recipe import ArithmeticOptions, MathOptions, UnitTestsOptions, VerifierOptions, verifier_version
from factory.verifiers import labelled
from factory.verifiers.base import Item
from factory.verifiers.labelled import Case

OPTIONS: Final[Mapping[str, type[MathOptions | ArithmeticOptions | UnitTestsOptions]]] = {
    "math": MathOptions,
    "arithmetic": ArithmeticOptions,
    "unit_tests": UnitTestsOptions,
}
"""The options of each verifier that can be certified by cases."""

NOT_BY_CASES: Final[Mapping[str, str]] = {
    "judge": "it asks a model, whose draws cost and vary; give it labelled samples and compare",
    "consensus": "its word depends on the other samples of the problem, which a case does not have",
}

WHOLE: Final[Mapping[str | None, bool]] = {
    None: True, "answer": True, "pair": True, "completion": False, "extraction_only": False
}  # fmt: skip
"""Whether the prediction of a case of each kind is the answer and nothing else."""


class Wanted(NamedTuple):
    """What is to be certified: a verifier, a file of cases and how they are read, as the user wrote it."""

    verifier: str
    cases: Path
    options: tuple[str, ...] = ()
    mutate: bool = False
    skip_noted: bool = False
    limit: int | None = None
    require: tuple[str, ...] = ()


def certify(wanted: Wanted, progress: Progress) -> dict[str, Any]:
    """The certificate, as plain data.

    Raises UsageError for a wrong verifier, option, condition or case, and OutsideError when workers cannot
    be started.
    """
    options = _options(wanted)
    certification.conditions(wanted.require)
    progress.start(f"read {wanted.cases.name}", 0, "cases")
    cases = list(_cases(wanted, options))
    progress.finish()
    if not cases:
        raise UsageError(f"{wanted.cases}: has no case; {_needed(wanted)}")
    with wanted.cases.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    made = certificate(wanted.verifier, options, cases, progress)
    return made | {"cases_file": wanted.cases.name, "cases_sha256": digest, "mutated": wanted.mutate}


def require(certificate: Mapping[str, Any], wanted: Wanted) -> None:
    """Raise CheckFailed when a required condition does not hold."""
    missed = certification.unmet(certificate, certification.conditions(wanted.require))
    if missed:
        raise CheckFailed(
            f"{certificate['verifier']}@{certificate['version']} on {wanted.cases.name}: "
            + "; ".join(missed)
            + ". The disagreements are listed above"
        )


def certificate(
    verifier: str,
    options: VerifierOptions,
    cases: Sequence[Case],
    progress: Progress,
    workers: int | None = None,
) -> dict[str, Any]:
    """What the verifier said of the cases: figures, figures by category, speed and disagreements."""
    progress.start(f"certify {verifier}", len(cases), "cases")
    found: dict[int, labelled.Timed] = {}
    for timed in labelled.run(verifier, cases, options, workers):
        found[timed.position] = timed
        progress.advance()
    progress.finish()
    checks = [found[position].check for position in range(len(cases))]
    outcomes = [
        Outcome(case.category, case.expected, check.status, check.reason)
        for case, check in zip(cases, checks, strict=True)
    ]
    cpu_seconds = sum(timed.cpu_seconds for timed in found.values())
    return {
        "verifier": verifier,
        "version": version(verifier, options),
        "options": options.model_dump(mode="json"),
        **certification.figures(outcomes),
        "by_category": certification.by_category(outcomes),
        "cpu_seconds": cpu_seconds,
        "verdicts_per_cpu_second": len(cases) / cpu_seconds if cpu_seconds else None,
        "disagreements": [
            {
                "id": case.name,
                "category": case.category,
                "gold": case.item.reference,
                "prediction": case.item.completion,
                "expected": case.expected,
                "status": check.status.value,
                "reason": check.reason,
                "answer": check.answer,
            }
            for case, check, outcome in zip(cases, checks, outcomes, strict=True)
            if not outcome.right
        ],
    }


def version(verifier: str, options: VerifierOptions) -> str:
    """The version of a verifier that can be certified, as its verdicts have it."""
    return verifier_version(labelled.version(verifier), options)


# --- what the user wrote -----------------------------------------------------------------------------


def _options(wanted: Wanted) -> MathOptions | ArithmeticOptions | UnitTestsOptions:
    """The options of the verifier, from texts as percent=value."""
    name = wanted.verifier
    if name in NOT_BY_CASES:
        raise UsageError(f"certify {name}: it cannot be certified by cases: {NOT_BY_CASES[name]}")
    if name not in OPTIONS:
        near = wording.nearest(name, OPTIONS)
        meant = f"did you mean {near}? " if near else ""
        raise UsageError(f"certify {name}: is no verifier; {meant}Allowed: {', '.join(OPTIONS)}")
    data: dict[str, Any] = {}
    for text in wanted.options:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--options {text}: write it as KEY=VALUE, with a KEY of {_keys(name)}")
        data[key.strip()] = yaml_text.read(value, lambda line, key=key: f"--options {key}").data  # type: ignore[misc]
    try:
        return OPTIONS[name].model_validate(data)
    except ValidationError as error:
        told = "; ".join(fault.text for fault in wording.faults(error, OPTIONS[name], data))
        raise UsageError(f"--options of {name}: {told}") from None


def _keys(verifier: str) -> str:
    return ", ".join(OPTIONS[verifier].model_fields)


# --- cases -------------------------------------------------------------------------------------------


def _cases(wanted: Wanted, options: VerifierOptions) -> Iterator[Case]:
    rows: Iterable[Row] = files.rows(wanted.cases, ())
    if wanted.skip_noted:
        rows = (row for row in rows if not row.values.get("note"))
    rows = itertools.islice(rows, wanted.limit)
    if not wanted.mutate:
        return (_case(row, wanted.verifier) for row in rows)
    if wanted.verifier != "math":
        raise UsageError(
            f"certify {wanted.verifier} --mutate: only answers of math can be mutated; leave it out"
        )
    golds = (_text(row, "gold" if "gold" in row.values else "answer") for row in rows)
    return labelled.from_golds(golds, options)


def _case(row: Row, verifier: str) -> Case:
    """The case in a row."""
    kind = row.values.get("kind")
    if verifier == "math" and kind not in WHOLE:
        allowed = ", ".join(name for name in WHOLE if name)
        raise UsageError(f"{row.place}: kind is {kind!r:.40}; write one of {allowed}, or leave it out")
    gold = _text(row, "gold") if verifier == "math" else _optional(row, "gold")
    tests = columns.json_text(row.values.get("tests"), "tests", row.place)
    if verifier == "unit_tests" and tests is None:
        raise UsageError(f"{row.place}: tests is missing; write the tests of the problem, as JSON")
    item = Item(_text(row, "prediction"), gold, tests, _optional(row, "prompt") or "")
    category = _optional(row, "category") or _optional(row, "hazard") or "all"
    name = _optional(row, "id") or str(row.number)
    return Case(name, category, _expected(row), item, verifier == "math" and WHOLE[kind])


def _expected(row: Row) -> bool:
    for key in ("math_expected", "expected"):
        value = row.values.get(key)
        if isinstance(value, bool):
            return value
        if value is not None:
            raise UsageError(f"{row.place}: {key} is {value!r:.40}; write true or false")
    raise UsageError(
        f"{row.place}: expected is missing; write true where the prediction is right, else false"
    )


def _text(row: Row, key: str) -> str:
    text = _optional(row, key)
    if text is None:
        raise UsageError(
            f"{row.place}: {key} is missing; write it as text. The row has {', '.join(row.values)}"
        )
    return text


def _optional(row: Row, key: str) -> str | None:
    return columns.text(row.values.get(key), key, row.place)


def _needed(wanted: Wanted) -> str:
    if wanted.mutate:
        return "write one JSON object a line, with gold"
    return "write one JSON object a line, with gold, prediction and expected"

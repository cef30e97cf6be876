"""How the lineage of a sample or a problem is laid out for people.

Guarantees: texts of models and problems stand in quotes, cut short, and nothing that a terminal acts on is in
any line; --json has all in full. Left out: what is told (`explaining.py`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from rich.table import Table

from factory.amounts import STOPS
from factory.commands import display
from factory.lineage.lookup import Row
from factory.lineage.reasons import quoted

SHOWN: Final = 300
"""Characters of a prompt or a completion."""

MOST_SAMPLES: Final = 50
"""Samples of a problem, and rows of any other list; --json has all."""


def lines(found: Row) -> Iterator[str | Table]:
    """What `explaining.explain` found, in the order in which it happened."""
    told = _sample(found) if found["kind"] == "sample" else _problem(found)
    for one in told:
        yield _safe(one) if isinstance(one, str) else one


def _safe(line: str) -> str:
    """The line with what is not printable as escapes: names come from files of others."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in line)


def _sample(found: Row) -> Iterator[str | Table]:
    kept = sum(one["state"] == "kept" for one in found["releases"])
    known = len(found["releases"])
    yield f"Sample {found['sample_id']} ({found['from']}): kept by {kept} of {known} releases"
    yield "1 Problem"
    yield from _source_lines(found)
    yield "2 Generator"
    yield from _generator(found["generator"])
    yield "3 Draw"
    yield from _draw(found["draw"], found["equations"])
    yield "4 Verdicts"
    yield from _verdicts(found["verdicts"])
    yield from _charges(found["charges"])
    for one in found["labels"]:
        note = f": {quoted(one['note'])}" if one["note"] else ""
        yield f"    label {one['label']} by {one['annotator']}, {one['at']}{note}"
    for one in found["rollouts"]:
        share = f"{one['c']} of {one['n']} completions are correct"
        yield f"    rollouts from step {one['step_index']} by generator {one['generator_id']}: {share}"
    yield "5 Releases"
    yield from _each(found["releases"], _release_of_sample, "release")


_SAID_OF_SOURCES: Final = (
    ("split", "split"),
    ("group_id", "group"),
    ("difficulty", "difficulty"),
    ("license", "licence"),
)


def _source_lines(found: Row) -> Iterator[str]:
    problem = found["problem"]
    yield f"    {problem['problem_id']}: {quoted(problem.get('prompt'), SHOWN)}"
    if problem.get("answer") is not None:
        yield f"    answer {quoted(problem['answer'])}"
    if problem.get("tests") is not None:
        yield f"    tests {_json(problem['tests'])}"
    for one in found["sources"]:
        said = [f"{name} {one[key]}" for key, name in _SAID_OF_SOURCES if one.get(key) is not None]
        origin = f", origin {_json(one['origin'])}" if one.get("origin") else ""
        yield f"    from {', '.join([str(one.get('source')), *said])}{origin}"


def _json(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN // 2 else text[: SHOWN // 2] + "..."


def _generator(one: Row) -> Iterator[str]:
    model = f", model {one['model']}" if one.get("model") else ""
    yield f"    {one['name']} ({one.get('engine') or 'engine not stored'}{model}), {one['generator_id']}"
    identity = one.get("identity")
    if isinstance(identity, Mapping):
        for name, value in sorted(identity.items()):
            if value is not None:
                yield f"    {name}: {_json(value)}"


_SAID_OF_DRAWS: Final = (
    ("sample_index", "index {}"),
    ("seed", "seed {}"),
    ("finish_reason", "ended by {}"),
    ("prompt_tokens", "{} tokens of prompt"),
    ("completion_tokens", "{} tokens written"),
    ("flops", "{:.3g} FLOPs"),
    ("usd", "{:.4g} USD"),
    ("seconds", "{:.3g} s"),
    ("engine_seconds", "{:.3g} s of the engine"),
    ("logprob", "log probability {:.4g}"),
    ("run_id", "run {}"),
)


def _draw(one: Row, equations: Sequence[str] | None) -> Iterator[str]:
    yield "    " + ", ".join(unit.format(one[name]) for name, unit in _SAID_OF_DRAWS if one[name] is not None)
    yield f"    {quoted(one['completion'], SHOWN)}"
    if one["extra"]:
        yield f"    kept by the import: {_json(one['extra'])}"
    if equations is not None:
        path = "; ".join(equations) if equations else "none: its text is its path"
        yield f"    its equations: {_json(path)}"


def _verdicts(verdicts: Sequence[Row]) -> Iterator[str]:
    if not verdicts:
        yield "    none"
    for one in verdicts:
        attempt = "" if one["attempt"] in (None, 0) else f", attempt {one['attempt']}"
        rule = f", found by the rule {one['rule']}" if one.get("rule") else ""
        superseded = "" if one["counts"] else " (a later attempt counts)"
        yield f"    {one['sentence']} [{one['reason']}{rule}{attempt}]{superseded}"


_CHARGED: Final = {
    "judge": "to judge it",
    "presumed": "to draw it that died with their process, charged at the most they can have cost",
    "lost": "to draw it whose text died with their process",
    "failed": "that failed, charged at the most they can have cost",
}
"""What the calls of each kind of charge were for."""


def _charges(charges: Sequence[Row]) -> Iterator[str]:
    """One line for each model that was asked and each kind of call: calls, tokens, price."""
    by_model: dict[tuple[str, str], list[Row]] = {}
    for one in charges:
        by_model.setdefault((str(one["generator"] or one["generator_id"]), one["kind"]), []).append(one)
    for (name, kind), calls in by_model.items():
        tokens = [sum(one[key] or 0 for one in calls) for key in ("prompt_tokens", "completion_tokens")]
        priced = [one["usd"] for one in calls if one["usd"] is not None]
        usd = f", {sum(priced):.4g} USD" if priced else ""
        why = _CHARGED.get(kind, f"of kind {kind}")
        yield f"    {len(calls)} calls of {name} {why}: {tokens[0]} + {tokens[1]} tokens{usd}"


def _each(rows: Sequence[Row], told: Any, what: str) -> Iterator[str]:
    """The lines of each of the last rows; how many more there are."""
    if not rows:
        yield f"    no {what}"
    if len(rows) > MOST_SAMPLES:
        yield f"    {len(rows) - MOST_SAMPLES:,} more before these; --json has all of them"
    for one in rows[-MOST_SAMPLES:]:
        yield from told(one)


def _release_of_sample(one: Row) -> Iterator[str]:
    yield f"    {one['release']}  {one['why']}"
    facts = (("decided_by", "decided by"), ("rank", "rank"), ("path", "path"), ("split", "split"))
    said = [f"{name} {one[key]}" for key, name in facts if one.get(key) is not None]
    if said:
        yield f"        {', '.join(said)}"
    if stopped := one.get("stopped"):
        why = STOPS.get(stopped["why"], stopped["why"])
        yield f"        its problem stopped after {stopped['samples']} samples: {why}"
    if one.get("stands"):
        yield f"        in {'; '.join(map(_place, one['stands']))}"


def _place(one: Row) -> str:
    said = f"{one['config']} ({one['split']})"
    if "as" in one:
        return f"{said} as {one['as']} {'over' if one['as'] == 'chosen' else 'under'} {one['partner']}"
    return f"{said} with label {str(one['label']).lower()}" if "label" in one else said


# --- problems ----------------------------------------------------------------------------------------


def _problem(found: Row) -> Iterator[str | Table]:
    asked = sum(one["state"] == "asked" for one in found["releases"])
    known = len(found["releases"])
    yield f"Problem {found['problem_id']} ({found['from']}): asked in {asked} of {known} releases"
    yield f"1 Where it comes from ({_number(len(found['sources']), 'source')})"
    yield from _source_lines(found)
    yield "2 Its references, as the verifiers judge them"
    if not found["references"]:
        yield "    none"
    for one in found["references"]:
        yield f"    {one['generator']} {quoted(one['completion'])}"
        yield from ("    " + line for line in _verdicts(one["verdicts"]))
        for release, mark in one.get("releases", {}).items():
            yield f"        as a sample of {release}: {mark}"
    yield "3 Releases"
    yield from _each(found["releases"], _release_of_problem, "release")
    counts = [
        (one["release"], *(row | {"stopped": STOPS.get(row["stopped"], row["stopped"])}).values())
        for one in found["releases"][-MOST_SAMPLES:]
        for row in one.get("generators", ())
    ]
    if counts:
        columns = ("release", "generator", "n", "c", "kept", "no_answer", "error", "unverified", "stopped")
        yield display.table("", columns, [[*map(_cell, row)] for row in counts])
    yield f"4 Samples ({len(found['samples']):,})"
    yield from map(_sample_line, found["samples"][:MOST_SAMPLES])
    if len(found["samples"]) > MOST_SAMPLES:
        yield f"    {len(found['samples']) - MOST_SAMPLES:,} more; --json has all of them"


def _number(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def _cell(value: Any) -> Any:
    return _safe(value) if isinstance(value, str) else value


def _release_of_problem(one: Row) -> Iterator[str]:
    yield f"    {one['release']}  {one['why']}"
    for row in one.get("rows", ()):
        group = f", group {row['group_id']}" if row["group_id"] is not None else ""
        other = f": {row['why']}" if row["why"] != one["why"] else ""
        yield f"        {row['source']}, split {row['split']}{group}{other}"


def _sample_line(one: Row) -> str:
    verdicts = [f"{of['verifier']}@{of['version']} {of['status']}" for of in one["verdicts"] if of["counts"]]
    place = f"{one['sample_id']} {one['generator']} {one['sample_index']}"
    marks = _marks(one["releases"].values())
    return f"    {place}: {', '.join(verdicts) or 'not judged'}; {marks}; {quoted(one['completion'], 40)}"


def _marks(marks: Iterable[str]) -> str:
    """What releases made of a sample: each mark with the number of releases."""
    return ", ".join(f"{mark} in {count}" for mark, count in Counter(marks).items()) or "in no release"

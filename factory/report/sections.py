"""The parts of the page that are no charts: head, changes, sampled rows, certificates, origin.

Guarantees: as in `page.py`; every text goes through `markup.text`. What is not known is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from factory.configs import MEANINGS
from factory.report.accounts import in_words
from factory.report.figures import interval
from factory.report.markup import NOT_KNOWN, cell, folded, link, paragraph, table, text

SHORT: Final = 1_200
"""Characters of a completion that are shown at once; the rest is on demand."""

FULL: Final = 12_000
"""Characters of a completion that the page holds at most."""

GROUPS: Final[Mapping[str, str]] = {"right": "Right", "wrong": "Wrong", "unsure": "Could not tell"}

MOST_CHANGES: Final = 40

BUMPS: Final[Mapping[str, str]] = {
    "major": "What was released changed: by these differences it is a new major version.",
    "minor": "What was released is still there, and there is more: a new minor version.",
    "patch": "The rows are the same: a new patch version.",
    "none": "Nothing differs.",
}


def head(data: Mapping[str, Any]) -> str:
    """Name, version, description, key numbers and what the configs hold."""
    release = data["release"]
    numbers = "".join(
        f"<div><dt>{text(name)}</dt><dd>{text(cell(value))}<small>{text(note)}</small></dd></div>"
        for name, value, note in data["numbers"]
    )
    shown = [
        (config, one["rows"], _by_split(one["splits"]), MEANINGS.get(config, ""))
        for config, one in release["configs"].items()
    ]
    return (
        f"<header><h1>{text(release['name'])} {text(release['version'])}</h1>"
        f'<p class="id">Release id <code>{text(release["release_id"])}</code></p>'
        f"{paragraph(release['description'])}"
        f"{_written(release)}"
        f'<dl class="numbers">{numbers}</dl>'
        f"{table('Configs', ('config', 'rows', 'by split', 'what'), shown)}</header>"
    )


def _written(release: Mapping[str, Any]) -> str:
    """Whether models or people wrote the completions."""
    people = f"those of {', '.join(release['by_people'])} are worked solutions by people"
    if not release["synthetic"]:
        return paragraph(f"No completion is synthetic: {people}.") if release["by_people"] else ""
    but = f", but {people}" if release["by_people"] else ""
    return paragraph(f"Synthetic: the completions were written by models{but}.")


def _by_split(splits: Mapping[str, int]) -> str:
    return ", ".join(f"{split} {number:,}" for split, number in splits.items())


def loop(found: Mapping[str, Any] | None) -> str:
    """Which round of which loop made the release: {loop, round, page}, the page a path or None."""
    if found is None:
        return ""
    named = link(found["loop"], found["page"]) if found["page"] else text(found["loop"])
    return f"<section><h2>Loop</h2><p>Round {text(found['round'])} of the loop {named}.</p></section>"


# --- changes -----------------------------------------------------------------------------------------


def changes(found: Mapping[str, Any] | None) -> str:
    """What is different from the release before; `found` has the shape that `release/diff.py` describes."""
    if found is None:
        told = "This release holds no comparison with an earlier version; --against REFERENCE makes one."
        return f"<section><h2>Changes</h2>{paragraph(told)}</section>"
    old = found["old"]
    parts = [
        f"<section><h2>Changes since {text(old['name'])} {text(old['version'])}</h2>",
        f'<p class="id">Compared with release id <code>{text(old["release_id"])}</code></p>',
        paragraph(BUMPS.get(found["bump"], found["bump"])),
        "<ul>" + "".join(f"<li>{text(one)}</li>" for one in found["because"]) + "</ul>",
        _changed_rows(found["configs"]),
        _flips(found["verdicts"]),
        _deltas(found.get("metrics") or ()),
    ]
    for place in ("recipe", "lock", "licences"):
        lines = found.get(place) or ()
        shown = [(one["path"], _short(one["old"]), _short(one["new"])) for one in lines[:MOST_CHANGES]]
        if shown:
            more = len(lines) - len(shown)
            note = paragraph(f"{more:,} more are not shown.") if more else ""
            title = f"{place.capitalize()}: {len(lines):,} different"
            parts.append(folded(title, table(title, ("what", "before", "now"), shown) + note))
    return "".join(parts) + "</section>"


def _changed_rows(configs: Mapping[str, Mapping[str, Any]]) -> str:
    lines = []
    for config, one in configs.items():
        changed = ", ".join(f"{name} {number:,}" for name, number in (one.get("columns") or {}).items())
        note = changed if one["in"] == "both" else "only in this release" if one["in"] == "new" else "dropped"
        counts = (one[name] for name in ("old", "new", "added", "removed", "changed"))
        lines.append((config, *("none" if value is None else value for value in counts), note))
    columns = ("config", "rows before", "rows now", "added", "removed", "changed", "in column")
    return "<h3>Rows</h3>" + table("Rows changed", columns, lines)


def _flips(verdicts: Mapping[str, Any]) -> str:
    names = verdicts["verifier"]
    who = f"{names['old']} before, {names['new']} now" if names else ""
    if verdicts["flips"] is None:
        why = verdicts["why"] or "samples are not in both releases"
        return f"<h3>Verdicts</h3>{paragraph(f'Verdicts cannot be compared: {why}.')}"
    lines = [
        (one["old"] or "unverified", one["new"] or "unverified", one["samples"]) for one in verdicts["flips"]
    ]
    told = f"{verdicts['compared']:,} samples are in both releases ({who}); "
    told += (
        f"{verdicts['became_correct']:,} became right, {verdicts['no_longer_correct']:,} are right no longer."
    )
    shown = table("Verdicts that changed", ("before", "now", "samples"), lines) if lines else ""
    return f"<h3>Verdicts</h3>{paragraph(told)}{shown}"


def _deltas(metrics: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        (
            one["metric"],
            one["old"],
            one["new"],
            one["delta"] if one["delta"] is not None else one["why"] or NOT_KNOWN,
            interval(one["low"], one["high"]),
            one["n_problems"],
        )
        for one in metrics
    ]
    told = (
        "The difference is over the problems that both releases have; its interval resamples them. One that "
        "holds 0 may be chance."
    )
    columns = ("metric", "before", "now", "difference", "95 % interval", "problems")
    return f"<h3>Metrics</h3>{paragraph(told)}{table('Metrics compared', columns, lines)}" if lines else ""


def _short(value: object) -> str:
    shown = "nothing" if value is None else str(value)
    return shown if len(shown) <= 200 else shown[:200] + "…"


# --- sampled rows ------------------------------------------------------------------------------------


def rows(found: Mapping[str, Sequence[Mapping[str, Any]]] | None) -> str:
    """Samples drawn by the release id, folded; {"right": [row], "wrong": [row], "unsure": [row]}."""
    if found is None:
        told = paragraph("This release has no config `samples`, so no sample can be shown.")
        return f"<section><h2>Sampled rows</h2>{told}</section>"
    number = sum(len(one) for one in found.values())
    told = paragraph(f"{number} samples, drawn at random by the release id and not chosen by anyone.")
    groups = "".join(
        f'<h3>{text(title)} ({len(found[name])})</h3><div class="rows">'
        + "".join(_row(name, one) for one in found[name])
        + "</div>"
        for name, title in GROUPS.items()
        if found[name]
    )
    return f"<section><h2>Sampled rows</h2>{told}{groups}</section>"


def _row(group: str, one: Mapping[str, Any]) -> str:
    problem = one["prompt"] if one["prompt"] is not None else "The problem is not in this release."
    verdict = [
        ("verdict", one["status"] or "none"),
        ("because", one["because"]),
        ("answer found", "none" if one["found"] is None else one["found"]),
        ("reference answer", "none" if one["reference"] is None else one["reference"]),
        ("rejected by", one["rejected_by"] or "no other verifier"),
        ("in the dataset", "kept" if one["kept"] else f"no: {in_words(one['reason'])}"),
        ("generator", one["generator"]),
        ("sample", one["sample_id"]),
    ]
    summary = " ".join(str(problem).split())
    summary = summary if len(summary) <= 90 else summary[:90] + "…"
    return (
        f'<details class="row {group}"><summary><span class="tag">{text(GROUPS[group])}</span> '
        f"{text(summary)}</summary><h3>Problem</h3>{_long(str(problem), len(str(problem)))}"
        f"<h3>Completion</h3>{_long(one['completion'], one['characters'])}"
        f"{table('Verdict', ('what', 'is'), verdict)}</details>"
    )


def _long(value: str, characters: int) -> str:
    """A text: whole where it is short, folded after SHORT characters, cut after FULL."""
    if characters <= SHORT:
        return f'<pre dir="auto">{text(value)}</pre>'
    first = f'<pre dir="auto">{text(value[:SHORT])}…</pre>'
    if characters > FULL:
        return first + paragraph(
            f"Its first {SHORT:,} of {characters:,} characters; the page leaves out the rest."
        )
    return first + folded(f"All {characters:,} characters", f'<pre dir="auto">{text(value)}</pre>')


# --- certificates and origin -------------------------------------------------------------------------


def certificates(found: Sequence[Mapping[str, Any]]) -> str:
    """How far the verifiers can be trusted, by labelled cases."""
    title = "<section><h2>How far verdicts can be trusted</h2>"
    if not found:
        told = "No verifier of this release is certified, so how often its verdicts are wrong is not known."
        return f"{title}{paragraph(told)}</section>"
    rates = ("accuracy", "false_accept_rate", "false_reject_rate", "undecided_rate")
    lines = [
        (
            one["verifier"],
            one["cases_file"] + (", answers made from its references" if one["mutated"] else ""),
            one["cases"],
            *(_rate(one[rate], one["intervals"][rate]) for rate in rates),
        )
        for one in found
    ]
    columns = ("verifier", "cases", "number", "accuracy", "false accepts", "false rejects", "undecided")
    told = "Shares of labelled cases with 95 % intervals; false accepts are wrong answers that were passed."
    return f"{title}{paragraph(told)}{table('Certificates', columns, lines)}</section>"


def _rate(value: float | None, ends: Mapping[str, float | None]) -> str:
    return NOT_KNOWN if value is None else f"{value:.4f} ({interval(ends['low'], ends['high'])})"


def origin(data: Mapping[str, Any]) -> str:
    """Licence, generators, verifiers and the account of every stage."""
    lines = [
        (stage, reason, number) for stage, some in data["counts"].items() for reason, number in some.items()
    ]
    generators = table("Generators", ("generator", "engine", "model", "id"), data["generators"])
    licences = table("Licences", ("of", "licence"), data["licences"])
    return (
        f"<section><h2>Licence</h2>{licences}</section>"
        f"<section><h2>Made by</h2>{generators}"
        f"{paragraph('Verifiers: ' + ', '.join(data['verifiers']) + '.')}"
        f"{folded('The account of every stage', table('Counts', ('stage', 'reason', 'rows'), lines))}"
        f'<p class="id">Recipe digest <code>{text(data["release"]["recipe_digest"])}</code></p></section>'
    )

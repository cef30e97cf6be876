"""The README.md of a release: what a person reads first.

Guarantees: everything said is taken from manifest, metrics and changes; no clock, no path of a machine. Texts
of recipes and models show as they are and open nothing (`markdown.py`). Left out: the front matter
(`front_matter.py`), budget and false positives (`card_budget.py`), the known limits (`limits.py`), licence
and use (`card_use.py`), and drawing charts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from factory import configs
from factory.amounts import first_draws
from factory.records import HUMAN
from factory.release import card_budget, card_use, front_matter
from factory.release.limits import limits
from factory.release.markdown import bullets, code, fence, table, text

_ONWARD: Final[Mapping[str, str]] = {
    "problems": "asked",
    "samples": "present",
    "verdicts": "pass",
    "selection": "kept",
}
"""The reason of each stage that leads on; all others say where rows were left."""

_STAGES: Final[Mapping[str, str]] = {
    "problems": "problems of the recipe",
    "samples": "samples planned",
    "verdicts": "samples judged",
    "selection": "samples selected from",
}

_REASONS: Final = 8
"""So many reasons for a step are told; `changes.json` has all."""

Chart = tuple[str, str, str]
"""(path in the release, alternative text, caption)."""


def make(
    manifest: Mapping[str, Any],
    metrics: Mapping[str, Any],
    *,
    charts: Sequence[Chart] = (),
    changes: Mapping[str, Any] | None = None,
) -> str:
    """The card as Markdown with YAML front matter; `changes` are as `release/diff.py` describes them."""
    body = [
        f"# {manifest['name']} {manifest['version']}",
        text(manifest["recipe"].get("description") or "Reasoning traces made from a recipe."),
        _summary(manifest),
        *_content(manifest),
        *_accounts(manifest["counts"]),
        *_measured(metrics, charts),
        *card_budget.false_positives(metrics),
        *card_budget.budget(metrics, manifest["counts"]),
        *_made(manifest),
        *_changed(changes),
        "## Known limits",
        bullets(limits(manifest, metrics)),
        *card_use.licence(manifest["licences"]),
        *card_use.use(manifest),
    ]
    return front_matter.make(manifest) + "\n\n".join(body) + "\n"


def _summary(manifest: Mapping[str, Any]) -> str:
    counts, lock = manifest["counts"], manifest["lock"]
    kept, samples = counts.get("selection", {}).get("kept", 0), counts.get("samples", {}).get("present", 0)
    return (
        f"{_written(manifest)} {kept:,} of {samples:,} samples were kept, for "
        f"{counts.get('problems', {}).get('asked', 0):,} problems, written by "
        f"{', '.join(code(name) for name in lock['generators'])} and judged by "
        f"{', '.join(code(one['verifier']) for one in lock['verifiers'])}."
    )


def _written(manifest: Mapping[str, Any]) -> str:
    """Whether models or people wrote the completions."""
    people = ", ".join(code(name) for name in front_matter.by_people(manifest))
    if not people:
        return "All completions are synthetic."
    solutions = f"completions of {people} are worked solutions that came with the problems"
    if manifest["synthetic"]:
        return f"The {solutions}; all others are synthetic."
    return f"No completion is synthetic: the {solutions}."


def _content(manifest: Mapping[str, Any]) -> Iterator[str]:
    yield "## Content"
    shown = [(name, manifest["configs"][name]) for name in front_matter.shown_configs(manifest)]
    yield table(
        ("config", "rows", "splits", "a row is"),
        [
            (
                code(name),
                config["rows"],
                ", ".join(f"{code(split)} {rows:,}" for split, rows in config["splits"].items()),
                configs.MEANINGS[name],
            )
            for name, config in shown
        ],
    )
    for name, reason in manifest.get("left_out", {}).items():
        yield f"{code(name)} is left out: {reason}."
    yield f"Release id: {code(manifest['release_id'])}"


def _accounts(counts: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """Each stage with what went in, what went on, and where the rest was left, by reason."""
    yield "## Where every row went"
    rows = []
    for stage in sorted(counts, key=[*_STAGES, *counts].index):
        reasons = counts[stage]
        onward = _ONWARD.get(stage, "")
        left = sorted((number, reason) for reason, number in reasons.items() if reason != onward and number)
        rows.append(
            (
                _STAGES.get(stage, text(stage)),
                sum(reasons.values()),
                f"{reasons.get(onward, 0):,} {code(onward)}",
                ", ".join(f"{number:,} {code(reason)}" for number, reason in reversed(left)),
            )
        )
    yield table(("stage", "in", "went on", "left, and why"), rows)


def _measured(metrics: Mapping[str, Any], charts: Sequence[Chart]) -> Iterator[str]:
    yield "## Measured"
    rows = [("all", *row) for row in _curves(metrics)]
    parts = metrics.get("by", {}).get("generator", {})
    if len(parts) > 1:
        rows += [(code(name), *row) for name, part in parts.items() for row in _ends(_curves(part))]
    if not rows:
        yield "Nothing could be measured."
        return
    yield table(("generator", "metric", "value", "95% interval", "problems"), rows)
    paths = text(metrics.get("path_key", "equations"))
    yield (
        "coverage@k is the expected share of problems that k random samples solve (pass@k is the same "
        "number), maj@k the share whose commonest answer among k samples is right, diversity@k the expected "
        f"number of distinct correct paths in k samples, told apart by their {paths}. A value is of all "
        "problems or not known. The intervals resample problems, or groups of problems of one template. "
        "`metrics.json` has the same by generator, source and difficulty."
    )
    if counted := metrics.get("m"):
        yield text(first_draws(counted))
    for path, alt, caption in charts:
        yield f"![{text(alt)}]({quote(path)})"
        yield text(caption)


def metric_rows(metrics: Mapping[str, Any]) -> list[tuple[str, str, str, int]]:
    """(name, value, 95% interval, problems) of every metric at k; why, for one that is not known.

    None at all where nothing was drawn.
    """
    rows = []
    for name, entry in metrics.items():
        if "@" not in name:
            continue
        if entry["value"] is not None:
            interval = "" if entry["low"] is None else f"{entry['low']:.3f} to {entry['high']:.3f}"
            rows.append((name, f"{entry['value']:.3f}", interval, entry["n_problems"]))
        elif metrics.get("problems"):
            rows.append((name, "not known", entry["why"], entry["n_problems"]))
    return rows


def _curves(metrics: Mapping[str, Any]) -> list[tuple[str, str, str, int]]:
    """The rows of a card: each metric from the least k to the largest; pass@k is coverage@k."""
    rows = [
        (name, value, text(interval), problems)
        for name, value, interval, problems in metric_rows(metrics)
        if not name.startswith("pass@")
    ]
    return sorted(rows, key=lambda row: (row[0].partition("@")[0], int(row[0].partition("@")[2])))


def _ends(rows: list[tuple[str, str, str, int]]) -> list[tuple[str, str, str, int]]:
    """Of one generator: coverage at the least and the largest k."""
    found = [row for row in rows if row[0].startswith("coverage@")]
    return found[:1] + found[-1:] if len(found) > 1 else found


# --- how the rows were made --------------------------------------------------------------------------


def _made(manifest: Mapping[str, Any]) -> Iterator[str]:
    lock = manifest["lock"]
    yield "## How the rows were made"
    yield table(
        ("generator", "engine", "model", "decoding", "id"),
        [
            (
                code(name),
                text(one["engine"]),
                _model(one),
                "none" if one["engine"] == HUMAN else _decoding(one["identity"]),
                code(one["generator_id"][:12]),
            )
            for name, one in lock["generators"].items()
        ],
    )
    for name, one in lock["generators"].items():
        if prompt := one["identity"].get("prompt"):
            examples = f", with {len(prompt['examples'])} worked examples" if prompt["examples"] else ""
            yield f"Prompt of {code(name)} ({text(prompt['mode'])}{examples}):"
            parts = [prompt["system"], prompt["template"]]
            yield fence("\n\n".join(part for part in parts if part))
    decides, *also = [code(one["verifier"]) for one in lock["verifiers"]]
    rejects = f", and no sample that {' or '.join(also)} fails" if also else ""
    yield f"Correct is what {decides} passes{rejects}."
    yield from _certified(manifest.get("certificates", ()))


def _model(one: Mapping[str, Any]) -> str:
    if one["engine"] == HUMAN:
        return "none: worked solutions by people"
    return code(one["model"].partition("#")[0]) if one["model"] else "not recorded"


def _decoding(identity: Mapping[str, Any]) -> str:
    found = identity.get("decoding", {})
    names = ("temperature", "top_p", "top_k", "max_tokens", "seed")
    return (
        ", ".join(f"{name} {found[name]}" for name in names if found.get(name) is not None) or "not recorded"
    )


def _certified(certificates: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """How far the verifiers can be trusted, by labelled cases; nothing where there are no certificates."""
    rates = ("false_accept_rate", "false_reject_rate", "undecided_rate")
    rows = [
        (
            code(one["verifier"]),
            text(one["cases_file"]) + (", and answers made from its references" if one["mutated"] else ""),
            one["cases"],
            *(_rate(one[name], one["intervals"][name]) for name in rates),
        )
        for one in certificates
    ]
    if rows:
        yield table(("verifier", "tried on", "cases", "wrong accepted", "right rejected", "undecided"), rows)
        yield "Shares of labelled cases with 95% intervals; `certificates.json` has every disagreement."


def _rate(value: float | None, interval: Mapping[str, float | None]) -> str:
    if value is None:
        return "no such case"
    low, high = interval["low"], interval["high"]
    return f"{value:.2%}" + ("" if low is None or high is None else f" ({low:.2%} to {high:.2%})")


def _changed(changes: Mapping[str, Any] | None) -> Iterator[str]:
    """What is different from the release before; nothing for the first one."""
    if not changes:
        return
    yield f"## Changed since {text(changes['old']['version'])}"
    yield f"By its content this is a {code(changes['bump'])} step:"
    because = [text(line) for line in changes["because"]]
    more = [f"and {len(because) - _REASONS:,} more"] if len(because) > _REASONS else []
    yield bullets(because[:_REASONS] + more)
    yield table(
        ("config", "added", "removed", "changed", "changed columns"),
        [
            (
                code(name),
                one["added"],
                one["removed"],
                one["changed"],
                ", ".join(f"{code(column)} {rows:,}" for column, rows in one["columns"].items()),
            )
            for name, one in sorted(changes["configs"].items(), key=lambda one: configs.CONFIGS.index(one[0]))
        ],
    )
    flips = changes["verdicts"]["flips"]
    if flips:
        yield "Verdicts that flipped: " + ", ".join(
            f"{one['samples']:,} from {code(one['old'])} to {code(one['new'])}" for one in flips
        )
    yield "`changes.json` has the whole comparison."

"""What is not known of a release, or known only roughly, in sentences for its card.

Guarantees: every sentence follows from the manifest and the metrics; where a number stands it is counted, and
where nothing was counted the sentence says that nobody looked. Left out: what the reader should do about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from factory.records import HUMAN
from factory.release.front_matter import PUBLISHED
from factory.release.markdown import code, text

FEW_PROBLEMS: Final = 200
"""Below so many problems the 95% interval of a share near one half is wider than 0.14."""


def limits(manifest: Mapping[str, Any], metrics: Mapping[str, Any]) -> list[str]:
    """The known limits as Markdown, the weightiest first."""
    return [
        *_verifiers(manifest),
        _reasoning(metrics.get("false_positives")),
        *_samples(manifest["counts"], metrics.get("samples", {})),
        *_generators(manifest["lock"]["generators"]),
        *_problems(manifest, metrics),
        "Nothing was screened for personal data, bias or harm.",
    ]


def _verifiers(manifest: Mapping[str, Any]) -> Iterator[str]:
    """How many wrong answers may pass as right, as far as labelled cases can tell."""
    certificates = {one["verifier"]: one for one in manifest.get("certificates", ())}
    for one in manifest["lock"]["verifiers"]:
        certificate = certificates.get(one["verifier"])
        name = code(one["verifier"])
        if certificate is None:
            yield f"{name} was not tried on labelled cases; how often it errs is unknown."
            continue
        high = certificate["intervals"]["false_accept_rate"]["high"]
        if high is None:
            yield f"{name} was tried on no wrong answer; how often it accepts one is unknown."
            continue
        yield (
            f"{name} may accept up to {high:.1%} of wrong answers: the upper end of the 95% interval on "
            f"{certificate['cases']:,} labelled cases, which need not be like the samples."
        )


def _reasoning(found: Mapping[str, Any] | None) -> str:
    """How many kept samples may have a right answer by wrong reasoning, as far as anybody looked."""
    kept = ((found or {}).get("kept") or {}).get("per_solution") or {}
    if not found or kept.get("low") is None:
        return (
            "Nobody has looked for kept samples with a right answer and wrong reasoning; their share is "
            "unknown."
        )
    if kept.get("value") is None:
        return (
            "Nobody has labelled kept samples with a right answer by their reasoning: what a judge or an "
            "arithmetic check says of them is no measure of how many are wrong."
        )
    return (
        f"Up to {kept['high']:.1%} of kept samples may have a right answer and wrong reasoning: the upper "
        f"end of the 95% interval on {kept['labelled']:,} labels."
    )


def _samples(counts: Mapping[str, Mapping[str, int]], samples: Mapping[str, int]) -> Iterator[str]:
    errors, unverified = samples.get("errors", 0), samples.get("unverified", 0)
    no_answer = counts.get("verdicts", {}).get("no_answer", 0)
    exhausted = counts.get("samples", {}).get("exhausted", 0)
    if errors:
        yield (
            f"{_many(errors)} could not be judged (`error`): neither right nor wrong, in no measure, and "
            "never a negative example."
        )
    if unverified:
        yield f"{_many(unverified)} were never judged; they are in `samples` alone."
    if no_answer:
        yield (
            f"{_many(no_answer)} give no answer that could be read: they count as not solved, and are never "
            "a negative example."
        )
    if cut := samples.get("truncated", 0):
        yield f"{_many(cut)} were cut at the limit of tokens, so right ones may be missing among them."
    if exhausted:
        yield f"{_many(exhausted)} that the recipe asks for do not exist: an import had fewer."


def _many(number: int) -> str:
    return f"{number:,} samples" if number != 1 else "1 sample"


def _generators(generators: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    imported = [name for name, one in generators.items() if one["engine"] == "imported"]
    if imported:
        yield (
            f"The completions of {_names(imported)} were imported: with which model, prompt, decoding and "
            "seeds they were drawn is not recorded, so they cannot be drawn again."
        )
    if people := [name for name, one in generators.items() if one["engine"] == HUMAN]:
        yield (
            f"The completions of {_names(people)} are worked solutions that came with the problems: they "
            "were not drawn, so nothing is measured of them."
        )
    unproven = [
        name
        for name, one in generators.items()
        if one["engine"] not in ("imported", HUMAN) and one["identity"].get("weights") is None
    ]
    if unproven:
        yield f"{_names(unproven)} answered from a server: nothing proves which weights it served."


def _names(names: list[str]) -> str:
    return ", ".join(code(name) for name in names)


def _problems(manifest: Mapping[str, Any], metrics: Mapping[str, Any]) -> Iterator[str]:
    for one in manifest["recipe"]["problems"]:
        if one["source"] in PUBLISHED and one["split"] != "train":
            yield (
                f"Problems are from the split {code(one['split'])} of the benchmark {code(one['source'])}: "
                "a model trained on them cannot be measured by it."
            )
    sources = sorted(metrics.get("by", {}).get("source", {}))
    if len(sources) == 1:
        yield f"All problems are from one source, {text(sources[0])}; other tasks may go otherwise."
    problems = metrics.get("problems", 0)
    if 0 < problems < FEW_PROBLEMS:
        yield f"Everything is measured on {problems:,} problems, so the intervals are wide."
    if "decontaminate" not in manifest["recipe"]["select"]:
        yield "Overlap with benchmarks was not looked for; do not assume that there is none."
    if not manifest["recipe"]["release"].get("language"):
        yield "The language of the texts is not stated."

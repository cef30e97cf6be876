"""Which problems of an evaluation a model was trained on: the same problem, the same prompt, or nearly so.

Guarantees: two prompts are the same when their words, numbers and signs of arithmetic are, whatever their
case, blanks and punctuation; 3 - 5 and 3 + 5 differ. Near is a run of 13 words in common (GPT-3's measure,
arXiv 2005.14165, appendix C), a number being a word of its own; it is measured, and refuses nothing. Time
and memory grow with the texts, not with the pairs of them. What nothing is known of is said to be unknown,
never to be clean. Left out: paraphrases, and what a base model saw before it came here.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from factory import problems
from factory.errors import CheckFailed
from factory.generators import references
from factory.recipe import Recipe
from factory.records import Problem
from factory.training.folder import TRAINED_ON

MARK: Final = "overlap"
"""Why a problem is not asked, in the counts of problems."""

RUN: Final = 13
OF_THE_RECIPE: Final = "the recipe's problems"
_SHOWN: Final = 3
_TOKEN: Final = re.compile(r"\d+(?:[.,]\d+)*!*|[^\W\d_]+|\S")
_HYPHEN: Final = re.compile(r"(?<=[^\W\d_])[-'](?=[^\W\d_])")
_THOUSANDS: Final = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?!*")


class _Text(NamedTuple):
    """A prompt as it is compared: its tokens as one text, and the hashes of its runs of words."""

    key: str
    runs: frozenset[int]


@dataclass
class Seen:
    """What was met of the problems asked among those that one model, or the recipe, trains on.

    `problems` is the number of the latter, None when it is not known.
    """

    problems: int | None = None
    ids: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    runs: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Overlap:
    """What `search` found: the texts asked by problem id, and what was seen by whom."""

    asked: Mapping[str, _Text]
    seen: Mapping[str, Seen]

    def same(self, asked: Iterable[str]) -> dict[str, str]:
        """Those of `asked` that were trained on, each with "id" or, where the prompt alone is, "prompt"."""
        ids, keys = self._all("ids"), self._all("keys")
        return {one: "id" if one in ids else "prompt" for one in asked if self._is_same(one, ids, keys)}

    def near(self, asked: Iterable[str]) -> set[str]:
        """Those of `asked` that have a run of words in common with what was trained on."""
        runs = self._all("runs")
        return {one for one in asked if not self.asked[one].runs.isdisjoint(runs)}

    def _is_same(self, problem: str, ids: set[Any], keys: set[Any]) -> bool:
        return problem in ids or self.asked[problem].key in keys

    def _all(self, name: str) -> set[Any]:
        return set().union(*(getattr(one, name) for one in self.seen.values()))

    def report(self, asked: Sequence[str], policy: str) -> dict[str, Any]:
        """The figures on the problems `asked`, as plain data; `near` is of those that are not the same.

        What is not known of any is null.
        """
        same = self.same(asked)
        left = [one for one in asked if one not in same]
        near = self.near(left)
        against = {
            name: None
            if one.problems is None
            else {
                "problems": one.problems,
                "same": sum(self._is_same(problem, one.ids, one.keys) for problem in asked),
            }
            for name, one in self.seen.items()
        }
        known = any(against.values())
        share = len(near) / len(left) if left else None
        return {
            "policy": policy,
            "against": against,
            "same_id": sum(how == "id" for how in same.values()) if known else None,
            "same_prompt": sum(how == "prompt" for how in same.values()) if known else None,
            "near": {"problems": len(near), "of": len(left), "share": share} if known else None,
            "left_out": len(same),
        }


def search(
    asked: Iterable[tuple[str, str]], trained: Mapping[str, Iterable[tuple[str, str]] | None]
) -> Overlap:
    """Look for the (problem_id, prompt) pairs `asked` in each of `trained`, by name; None: not known."""
    texts = {problem: _text(prompt) for problem, prompt in asked}
    keys = {one.key for one in texts.values()}
    runs = {run for one in texts.values() for run in one.runs}
    known: dict[str, _Text] = {}  # rounds of a loop are trained on much the same problems
    seen = {name: Seen() for name in trained}
    for name, rows in trained.items():
        if rows is None:
            continue
        found, ids = seen[name], set()
        for problem, prompt in rows:
            ids.add(problem)
            if problem not in known:
                text = _text(prompt)
                known[problem] = _Text(text.key if text.key in keys else "", text.runs & runs)
            found.keys.add(known[problem].key)
            found.runs |= known[problem].runs
        found.ids, found.problems = ids & texts.keys(), len(ids)
        found.keys.discard("")
    return Overlap(texts, seen)


def refuse(found: Overlap, asked: Mapping[str, Sequence[str]], prompts: Mapping[str, str]) -> None:
    """Raise CheckFailed when any problem `asked`, by evaluation set, was trained on; `prompts` is by id."""
    told = []
    for name, ids in asked.items():
        if same := found.same(ids):
            by = ", ".join(
                f"{one} {sum(found._is_same(problem, seen.ids, seen.keys) for problem in same)}"
                for one, seen in found.seen.items()
            )
            some = "; ".join(repr(" ".join(prompts[one].split())[:60]) for one in list(same)[:_SHOWN])
            told.append(f"{len(same)} of {len(ids)} problems of the set {name!r} ({by}), as {some}")
    if told:
        raise CheckFailed(
            f"evaluate: what is evaluated was trained on: {'. '.join(told)}. Nothing was sampled. Take these "
            "problems out of the one or the other, or have them left out of the evaluation and counted: "
            "--set evaluate.overlap=leave_out"
        )


def mark(table: pa.Table, left_out: Iterable[str]) -> pa.Table:
    """The problems of a plan, with those `left_out` marked, but for repeats, which are marked already."""
    ids = pa.array(sorted(left_out), pa.string())
    hit = pc.and_(pc.is_in(table["problem_id"], ids), pc.equal(table["mark"], ""))
    at = table.schema.get_field_index("mark")
    return table.set_column(at, "mark", pc.if_else(hit, MARK, table["mark"]))


# --- what was trained on -----------------------------------------------------------------------------


def trained_on(reference: str) -> Iterable[tuple[str, str]] | None:
    """(problem_id, prompt) of what a model was trained on, or None where its files do not say.

    Raises UsageError or OutsideError when there is no such model, CheckFailed when its list is damaged.
    """
    path = references.resolve(reference).folder / TRAINED_ON
    return _rows(path) if path.is_file() else None


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    try:
        with pq.ParquetFile(path) as file:
            if missing := {"problem_id", "prompt"} - set(file.schema_arrow.names):
                raise KeyError(*missing)  # unknown columns are left out of batches in silence
            for batch in file.iter_batches(columns=["problem_id", "prompt"]):
                yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise CheckFailed(
            f"{path} cannot be read ({type(error).__name__}), so it is not known what this model was trained "
            "on. Train it again, or put a good copy in its place"
        ) from error


def of_the_recipe(recipe: Recipe, base: Path) -> Iterable[tuple[str, str]] | None:
    """The problems that a recipe trains on, all it has; None for one that does not train."""
    if recipe.train is None and recipe.loop is None:
        return None
    start = recipe.loop.start if recipe.loop is not None else None
    sources = [*recipe.problems, *((start and start.problems) or ())]
    return _pairs(one for source in sources for one in problems.load(source, base))


def _pairs(read: Iterable[Problem]) -> Iterator[tuple[str, str]]:
    for one in read:
        yield one.problem_id, one.prompt


# --- texts -------------------------------------------------------------------------------------------


def _text(prompt: str) -> _Text:
    found = tokens(prompt)
    words = [one for one in found if one[0].isalnum()]
    runs = (hash(tuple(words[start : start + RUN])) for start in range(len(words) - RUN + 1))
    return _Text(" ".join(found), frozenset(runs))


def tokens(prompt: str) -> list[str]:
    """Words, numbers and signs of arithmetic of a text, as they are compared."""
    plain = _HYPHEN.sub(" ", unicodedata.normalize("NFKC", prompt).casefold().replace("’", "'"))
    return [
        one.replace(",", "") if _THOUSANDS.fullmatch(one) else one
        for one in _TOKEN.findall(plain)
        if one[0].isalnum() or _is_sign(one)
    ]


@functools.cache
def _is_sign(character: str) -> bool:
    return character in "-*/%^" or unicodedata.category(character) == "Sm"

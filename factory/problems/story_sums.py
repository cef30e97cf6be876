"""Word problems of additions and subtractions, made here, with worked solutions: offline, without end in use.

Guarantees: a seed, a split and options give the same problems on every machine; a smaller count gives the
first of a larger one; no problem comes twice; and the three splits share none, whatever their seeds, since a
problem belongs to the split that a hash of its text picks (6 of 10 to train, 2 to validation, 2 to test). All
numbers, those between the steps too, are in 1..largest. Left out: near duplicates across the splits (the same
numbers in another story), and any other operation.

    Ana has 12 apples. Ana buys 7 more. Ana loses 5. How many apples does Ana have now?
    First 12 + 7 = 19. Then 19 - 5 = 14.
    #### 14
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from factory.errors import UsageError
from factory.recipe import StorySums
from factory.records import Problem, canonical_json

VERSION: Final = 1
"""Part of every origin; raise it when the same seed gives other problems."""

NAMES: Final = ("Ana", "Ben", "Cara", "Dan", "Eva", "Finn", "Gina", "Hugo")
THINGS: Final = ("apples", "books", "cards", "coins", "eggs", "pens", "shells", "stamps")
GAINS: Final = ("buys {} more", "finds {} more", "gets {} more")
LOSSES: Final = ("gives away {}", "loses {}", "sells {}")

_ROUNDS: Final = 4
_SPLIT_OF_TENTH: Final = ("train",) * 6 + ("validation",) * 2 + ("test",) * 2


class _Story(NamedTuple):
    """Totals are what the person has at first and after each change; a change has one verb."""

    name: str
    thing: str
    totals: tuple[int, ...]
    verbs: tuple[int, ...]


def load(source: StorySums, base: Path) -> Iterator[Problem]:
    """`source.count` problems, the first `source.worked` of them with a worked solution.

    Raises UsageError where the split has fewer problems, once all of them have come.
    """
    made = 0
    for index in _order(_size(source), source.seed):
        story = _story(index, source)
        prompt = _prompt(story)
        if split_of(prompt) != source.split:
            continue
        worked = source.worked is None or made < source.worked
        yield Problem(
            prompt=prompt,
            answer=str(story.totals[-1]),
            source="story-sums",
            split=source.split,
            difficulty=str(source.steps),
            license="Apache-2.0",
            origin=canonical_json(_origin(source) | {"index": index}),
            solutions=(_solution(story),) if worked else (),
        )
        made += 1
        if made == source.count:
            return
    raise UsageError(
        f"problem source 'story-sums': there are {made} problems of {source.steps} steps with numbers up to "
        f"{source.largest} in the split {source.split}, and count asks for {source.count}; ask for fewer, or "
        "raise largest or steps"
    )


def split_of(prompt: str) -> str:
    """The split that a problem of this text belongs to."""
    digest = hashlib.sha256(prompt.encode()).digest()
    return _SPLIT_OF_TENTH[int.from_bytes(digest[:8], "big") % 10]


# --- stories -----------------------------------------------------------------------------------------


def _size(source: StorySums) -> int:
    """How many stories there are of these options, over all splits."""
    change = (source.largest - 1) * len(GAINS)
    return len(NAMES) * len(THINGS) * source.largest * int(change**source.steps)


def _story(index: int, source: StorySums) -> _Story:
    """The story of a number below `_size`; every number gives another one."""
    index, name = divmod(index, len(NAMES))
    index, thing = divmod(index, len(THINGS))
    index, first = divmod(index, source.largest)
    totals, verbs = [first + 1], []
    for _ in range(source.steps):
        index, total = divmod(index, source.largest - 1)
        index, verb = divmod(index, len(GAINS))
        # Any total but the one before, so that each step changes something.
        totals.append(total + 1 if total + 1 < totals[-1] else total + 2)
        verbs.append(verb)
    return _Story(NAMES[name], THINGS[thing], tuple(totals), tuple(verbs))


def _prompt(story: _Story) -> str:
    sentences = [f"{story.name} has {story.totals[0]} {story.thing}."]
    for verb, (before, after) in zip(story.verbs, pairwise(story.totals), strict=True):
        verbs = GAINS if after > before else LOSSES
        sentences.append(f"{story.name} {verbs[verb].format(abs(after - before))}.")
    return " ".join([*sentences, f"How many {story.thing} does {story.name} have now?"])


def _solution(story: _Story) -> str:
    steps = [
        f"{before} {'+' if after > before else '-'} {abs(after - before)} = {after}."
        for before, after in pairwise(story.totals)
    ]
    return " ".join(["First", " Then ".join(steps)]) + f"\n#### {story.totals[-1]}"


def _origin(source: StorySums) -> dict[str, int | str]:
    return {"family": "story-sums", "version": VERSION, "steps": source.steps, "largest": source.largest}


# --- order -------------------------------------------------------------------------------------------


def _order(size: int, seed: int) -> Iterator[int]:
    """All numbers below `size`, each once, in the order of `seed`, in constant memory.

    A Feistel network over pairs (Luby and Rackoff 1988) with sums modulo the side of the square in place of
    exclusive ors; numbers beyond `size` are left out.
    """
    side = math.isqrt(size - 1) + 1
    for number in range(side * side):
        left, right = divmod(number, side)
        for turn in range(_ROUNDS):
            key = f"{seed}/{turn}/{right}".encode()
            mixed = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big")
            left, right = right, (left + mixed) % side
        if (place := left * side + right) < size:
            yield place

"""Where problems come from: one module per kind of source, joined here by the `source` key of a recipe.

Guarantees: `load` streams, in an order that depends on the source alone; every problem carries its source,
split, license and an `origin` to find or make it again; nothing is filtered or deduplicated; a source
without problems is an error. Left out: storing problems, and marking those that occur twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

from factory.errors import UsageError
from factory.problems import files, gsm8k, hub, humaneval, mbpp, reasoning_gym_tasks, story_sums
from factory.recipe import ProblemSource
from factory.records import Problem

SOURCES: Final[Mapping[str, Callable[[Any, Path], Iterator[Problem]]]] = {
    "file": files.load,
    "gsm8k": gsm8k.load,
    "hub": hub.load,
    "humaneval": humaneval.load,
    "mbpp": mbpp.load,
    "reasoning-gym": reasoning_gym_tasks.load,
    "story-sums": story_sums.load,
}
"""A loader per kind of source: it takes the source and the folder that relative paths start from."""


def load(source: ProblemSource, base: Path) -> Iterator[Problem]:
    """The problems of one source, at most `limit` after the first `skip`, as they are read.

    `base` is the folder of the recipe.

    Raises UsageError for what is wrong with the source, or when it has no problems, and OutsideError when
    something outside (the Hub, a disk) fails; both when the iterator gets there.
    """
    count = 0
    skip, limit = getattr(source, "skip", None) or 0, getattr(source, "limit", None)
    end = None if limit is None else skip + limit
    for problem in islice(SOURCES[source.source](source, base), skip, end):
        yield problem
        count += 1
    if count == 0:
        where = getattr(source, "path", None) or getattr(source, "dataset", None) or source.source
        raise UsageError(
            f"problem source {source.source!r} ({where}) has no problems"
            + (f" after the first {skip}; lower skip, or" if skip else ";")
            + " name one that has some"
        )

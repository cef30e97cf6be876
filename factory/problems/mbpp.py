"""MBPP: short Python tasks in words, each with three asserts and a solution by a person.

Guarantees: the prompt is the task with its asserts below it, as the paper shows them (they name the
function); the tests are {"setup", "asserts"} as published, the challenge tests not among them; splits are
the paper's, by `task_id`. One row reads {"task_id": 2, "text": "Write a function ...", "code": "def ...",
"test_setup_code": "", "test_list": ["assert similar_elements(...", ...]}. Left out: the paper's few-shot
examples, and the sanitized version.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from factory.errors import UsageError
from factory.problems import published
from factory.problems.columns import Row
from factory.recipe import Mbpp
from factory.records import Problem, canonical_json

DATASET: Final = "google-research-datasets/mbpp"
CONFIG: Final = "full"
COLUMNS: Final = ("task_id", "text", "code", "test_setup_code", "test_list")
SPLITS: Final[Mapping[str, range]] = {
    "prompt": range(1, 11),
    "test": range(11, 511),
    "validation": range(511, 601),
    "train": range(601, 975),
}
"""The published splits by `task_id`."""


def load(source: Mbpp, base: Path) -> Iterator[Problem]:
    """The problems of a split, or of all, from a local file of the published rows or from the Hub.

    Raises UsageError with file and line for rows of another form, and what `files` and `hub` raise.
    """
    wanted = "+".join(SPLITS) if source.split == "all" else source.split
    rows, where = published.open_rows(source.path, base, DATASET, CONFIG, wanted, COLUMNS)
    for row in rows:
        task = _task(row)
        split = next(name for name, ids in SPLITS.items() if task in ids)
        if source.split not in ("all", split):
            continue
        asserts = published.texts(row, "test_list")
        tests = {"setup": published.text(row, "test_setup_code"), "asserts": asserts}
        shown = "\n".join(asserts)
        yield Problem(
            prompt=f"{published.text(row, 'text')}\nYour code should pass these tests:\n\n{shown}\n",
            source="mbpp",
            tests=canonical_json(tests),
            split=split,
            license="CC-BY-4.0",
            origin=canonical_json({**where, "split": split, "task_id": task}),
            solutions=(published.text(row, "code"),),
        )


def _task(row: Row) -> int:
    task = published.value(row, "task_id")
    if type(task) is not int or not 1 <= task <= 974:
        raise UsageError(
            f"{row.place}: column 'task_id' is {task!r:.40}; the published ones are 1 to 974, and tell the "
            "split; use source: file for problems of another form"
        )
    return task

"""HumanEval: Python functions to finish, each with tests and a solution by a person.

Guarantees: the prompt is the published one (imports, helpers, signature, docstring), the tests are
{"prompt", "entry_point", "test"} with `test` as published, the solution is the prompt with the published
body. One row reads {"task_id": "HumanEval/0", "prompt": "from typing ...", "entry_point": "has_close...",
"canonical_solution": "    for idx ...", "test": "... def check(candidate): ..."}. Left out: more tests than
were published.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from factory.problems import published
from factory.recipe import HumanEval
from factory.records import Problem, canonical_json

DATASET: Final = "openai/openai_humaneval"
CONFIG: Final = "openai_humaneval"
TESTS: Final = ("prompt", "entry_point", "test")
COLUMNS: Final = (*TESTS, "task_id", "canonical_solution")


def load(source: HumanEval, base: Path) -> Iterator[Problem]:
    """The problems, from a local file of the published rows or from the Hub.

    Raises UsageError with file and line for rows of another form, and what `files` and `hub` raise.
    """
    rows, where = published.open_rows(source.path, base, DATASET, CONFIG, source.split, COLUMNS)
    for row in rows:
        tests = {name: published.text(row, name) for name in TESTS}
        origin = {**where, "split": source.split, "task_id": published.text(row, "task_id")}
        yield Problem(
            prompt=tests["prompt"],
            source="humaneval",
            tests=canonical_json(tests),
            split=source.split,
            license="MIT",
            origin=canonical_json(origin),
            solutions=(tests["prompt"] + published.text(row, "canonical_solution"),),
        )

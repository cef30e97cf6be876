"""GSM8K: grade-school word problems, each with a worked solution by a person.

Guarantees: the answer is the text after `####` of the published row, commas kept; the row's whole answer
is the worked solution; the difficulty is the number of `<<a+b=c>>` annotations in it. One row reads
{"question": "Natalia sold clips ...", "answer": "Natalia sold 48/2 = <<48/2=24>>24 ...\\n#### 72"}.
Left out: correcting the published answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from factory.errors import UsageError
from factory.problems import columns, published
from factory.recipe import Columns, Gsm8k
from factory.records import Problem, canonical_json

DATASET: Final = "openai/gsm8k"
CONFIG: Final = "main"
COLUMNS: Final = Columns(prompt="question", solution="answer")
ANNOTATION: Final = re.compile(r"<<.*?>>")


def load(source: Gsm8k, base: Path) -> Iterator[Problem]:
    """The problems of a split, from a local file of {question, answer} or from the Hub.

    Raises UsageError with file and line for a row without `####`, and what `files` and `hub` raise.
    """
    wanted = columns.paths(COLUMNS).values()
    rows, where = published.open_rows(source.path, base, DATASET, CONFIG, source.split, wanted)
    for index, row in enumerate(rows):
        origin = canonical_json({**where, "split": source.split, "index": index})
        read = columns.problem(row, COLUMNS, source="gsm8k", split=source.split, license="MIT", origin=origin)
        yield _with_answer(read, row.place)


def _with_answer(problem: Problem, place: str) -> Problem:
    solution = "".join(problem.solutions)
    answer = solution.rpartition("####")[2].strip() if "####" in solution else ""
    if not answer:
        raise UsageError(
            f"{place}: column 'answer' has no text after ####, as in '#### 72'; use source: file for "
            "problems of another form"
        )
    return replace(problem, answer=answer, difficulty=str(len(ANNOTATION.findall(solution))))

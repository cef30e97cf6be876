"""GSM8K rows: the gold answer after ####, the worked solution, the number of annotations."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from factory import problems
from factory.errors import UsageError
from factory.recipe import Gsm8k

CLIPS = {"question": "How many clips?", "answer": "48/2 = <<48/2=24>>24.\n48+24 = <<48+24=72>>72.\n#### 72"}


def source(path: Path, limit: int | None = None) -> Gsm8k:
    return Gsm8k(source="gsm8k", path=path, split="test", limit=limit)


def write(folder: Path, *rows: dict[str, str]) -> Path:
    path = folder / "test.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_row(tmp_path: Path) -> None:
    write(tmp_path, CLIPS, {"question": "q", "answer": "No sums.\n####  1,234 \n"})
    first, second = problems.load(source(Path("test.jsonl")), tmp_path)
    assert (first.prompt, first.answer, first.source, first.split) == (
        "How many clips?",
        "72",
        "gsm8k",
        "test",
    )
    assert (first.difficulty, first.license, first.solutions) == ("2", "MIT", (CLIPS["answer"],))
    assert json.loads(first.origin) == {"file": "test.jsonl", "index": 0, "revision": None, "split": "test"}
    assert (second.answer, second.difficulty, json.loads(second.origin)["index"]) == ("1,234", "0", 1)


@pytest.mark.parametrize("answer", ["72", "The end.\n####", "#### \n", "### 72", ""])
def test_a_row_without_a_gold_answer(tmp_path: Path, answer: str) -> None:
    path = write(tmp_path, CLIPS, {"question": "q", "answer": answer})
    stream = problems.load(source(path), tmp_path)
    next(stream)
    with pytest.raises(UsageError, match=r"test\.jsonl:2: column 'answer' has no text after ####"):
        next(stream)


def test_rows_of_another_form(tmp_path: Path) -> None:
    path = write(tmp_path, {"query": "q", "answer": "#### 1"})
    with pytest.raises(UsageError, match=r"test\.jsonl:1: there is no column 'question'"):
        next(problems.load(source(path), tmp_path))


def test_the_published_splits() -> None:
    folder = os.environ.get("FACTORY_TEST_DATA")
    if not folder:
        pytest.skip("FACTORY_TEST_DATA is not set")
    made = list(problems.load(source(Path("gsm8k/test.jsonl")), Path(folder)))
    assert len(made) == 1319
    assert len({problem.problem_id for problem in made}) == 1319
    assert (made[0].answer, made[0].difficulty) == ("18", "2")
    assert all(problem.answer and problem.answer.replace(",", "").lstrip("-").isdigit() for problem in made)
    limited = list(
        problems.load(Gsm8k(source="gsm8k", path=Path("gsm8k/train.jsonl"), limit=3), Path(folder))
    )
    assert [json.loads(problem.origin)["index"] for problem in limited] == [0, 1, 2]

"""HumanEval and MBPP rows: prompts, tests, solutions and splits as published, and rows of another form."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from factory import problems
from factory.errors import UsageError
from factory.problems import hub
from factory.recipe import HumanEval, Mbpp

DOUBLE = {
    "task_id": "HumanEval/900",
    "prompt": 'import math\n\n\ndef double(x):\n    """ Twice x. """\n',
    "entry_point": "double",
    "canonical_solution": "    return 2 * x\n",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n",
}
SQUARE = {
    "text": "Write a function to square a number.",
    "code": "def square(x):\r\n  return x * x",
    "task_id": 601,
    "test_setup_code": "",
    "test_list": ["assert square(2) == 4", "assert square(3) == 9"],
    "challenge_test_list": ["assert square(-2) == 4"],
}


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def mbpp(**options: Any) -> Mbpp:
    return Mbpp(source="mbpp", path=Path("rows.jsonl"), **options)


def test_a_row_of_humaneval(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "rows.jsonl.gz", "wt") as file:
        file.write(json.dumps(DOUBLE) + "\n")
    (made,) = problems.load(HumanEval(source="humaneval", path=Path("rows.jsonl.gz")), tmp_path)
    assert (made.prompt, made.answer) == (DOUBLE["prompt"], None)
    assert json.loads(made.tests or "") == {name: DOUBLE[name] for name in ("prompt", "entry_point", "test")}
    assert made.solutions == (DOUBLE["prompt"] + DOUBLE["canonical_solution"],)
    assert (made.source, made.split, made.license) == ("humaneval", "test", "MIT")
    assert json.loads(made.origin) == {
        "file": "rows.jsonl.gz",
        "revision": None,
        "split": "test",
        "task_id": "HumanEval/900",
    }


def test_a_row_of_mbpp(tmp_path: Path) -> None:
    write(tmp_path / "rows.jsonl", SQUARE)
    (made,) = problems.load(mbpp(), tmp_path)
    assert made.prompt == (
        "Write a function to square a number.\nYour code should pass these tests:\n\n"
        "assert square(2) == 4\nassert square(3) == 9\n"
    )
    assert json.loads(made.tests or "") == {"setup": "", "asserts": SQUARE["test_list"]}
    assert made.solutions == (SQUARE["code"],)
    assert (made.answer, made.source, made.split, made.license) == (None, "mbpp", "train", "CC-BY-4.0")
    assert json.loads(made.origin)["task_id"] == 601


def test_splits_of_mbpp_are_told_by_the_task(tmp_path: Path) -> None:
    ids = (1, 10, 11, 510, 511, 600, 601, 974)
    write(tmp_path / "rows.jsonl", *(SQUARE | {"task_id": number} for number in ids))

    def tasks(split: str) -> list[int]:
        made = problems.load(mbpp(split=split), tmp_path)
        return [json.loads(problem.origin)["task_id"] for problem in made]

    assert [tasks(split) for split in ("prompt", "test", "validation", "train")] == [
        [1, 10],
        [11, 510],
        [511, 600],
        [601, 974],
    ]
    assert tasks("all") == list(ids)
    assert [one.split for one in problems.load(mbpp(split="all", limit=3), tmp_path)] == [
        "prompt",
        "prompt",
        "test",
    ]


def test_a_split_without_rows(tmp_path: Path) -> None:
    write(tmp_path / "rows.jsonl", SQUARE)
    with pytest.raises(UsageError, match=r"problem source 'mbpp' .* has no problems"):
        list(problems.load(mbpp(split="test"), tmp_path))


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (SQUARE | {"task_id": 975}, "column 'task_id' is 975; the published ones are 1 to 974"),
        (SQUARE | {"task_id": "601"}, "column 'task_id' is '601'; the published ones"),
        (SQUARE | {"task_id": True}, "column 'task_id' is True; the published ones"),
        (SQUARE | {"test_list": []}, r"column 'test_list' is \[\]; it must be a list of one or more texts"),
        (SQUARE | {"test_list": "assert 1"}, "column 'test_list' is 'assert 1'; it must be a list"),
        (SQUARE | {"test_list": ["assert 1", 2]}, r"column 'test_list' is \['assert 1', 2\]; it must be"),
        (SQUARE | {"code": None}, "column 'code' is null; fill it, or remove the row"),
        (SQUARE | {"text": ["a"]}, "column 'text' is a value of type list; it must be text"),
        ({"task_id": 601}, "there is no column 'test_list'; the columns are task_id"),
    ],
)
def test_mbpp_rows_of_another_form(tmp_path: Path, row: dict[str, Any], told: str) -> None:
    write(tmp_path / "rows.jsonl", SQUARE, row)
    stream = problems.load(mbpp(), tmp_path)
    next(stream)
    with pytest.raises(UsageError, match=rf"rows\.jsonl:2: {told}"):
        next(stream)


@pytest.mark.parametrize("name", ["prompt", "entry_point", "test", "canonical_solution", "task_id"])
def test_humaneval_rows_that_lack_a_column(tmp_path: Path, name: str) -> None:
    write(tmp_path / "rows.jsonl", {key: value for key, value in DOUBLE.items() if key != name})
    with pytest.raises(UsageError, match=rf"rows\.jsonl:1: there is no column '{name}'"):
        next(problems.load(HumanEval(source="humaneval", path=Path("rows.jsonl")), tmp_path))


@pytest.mark.parametrize(
    ("source", "asked"),
    [
        (HumanEval(source="humaneval"), ("openai/openai_humaneval", "openai_humaneval", "test", None)),
        (Mbpp(source="mbpp"), ("google-research-datasets/mbpp", "full", "train", None)),
        (
            Mbpp(source="mbpp", split="all"),
            ("google-research-datasets/mbpp", "full", "prompt+test+validation+train", None),
        ),
    ],
    ids=["humaneval", "mbpp train", "mbpp all"],
)
def test_from_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: HumanEval | Mbpp, asked: tuple[object, ...]
) -> None:
    datasets = pytest.importorskip("datasets")
    calls: list[tuple[object, ...]] = []

    def open_split(*arguments: object) -> hub.Opened:
        calls.append(arguments[:4])
        row = DOUBLE if source.source == "humaneval" else SQUARE
        return hub.Opened(datasets.Dataset.from_list([row]), "ab" * 20)

    monkeypatch.setattr(hub, "open_split", open_split)
    (made,) = problems.load(source, tmp_path)
    assert calls == [asked]
    origin = json.loads(made.origin)
    assert (origin["dataset"], origin["config"], origin["revision"]) == (asked[0], asked[1], "ab" * 20)
    assert origin["task_id"] in ("HumanEval/900", 601)
    assert made.tests


def test_the_published_problems() -> None:
    folder = os.environ.get("FACTORY_TEST_DATA")
    if not folder:
        pytest.skip("FACTORY_TEST_DATA is not set")
    base = Path(folder)
    made = list(problems.load(HumanEval(source="humaneval", path=Path("humaneval/HumanEval.jsonl.gz")), base))
    assert len({one.problem_id for one in made}) == len({one.prompt.strip() for one in made}) == 164
    made = list(problems.load(Mbpp(source="mbpp", path=Path("mbpp/mbpp.jsonl"), split="all"), base))
    # Four tasks stand there twice in words; the asserts below them tell them apart.
    assert len({one.problem_id for one in made}) == len({one.prompt.strip() for one in made}) == 974
    assert Counter(one.split for one in made) == {"prompt": 10, "test": 500, "validation": 90, "train": 374}
    assert {len(json.loads(one.tests or "")["asserts"]) for one in made} == {3}

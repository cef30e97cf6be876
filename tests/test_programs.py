"""Programs from import to release: right ones are kept, wrong ones rejected, and each says why."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from factory.recipe import HumanEval, Mbpp
from tests.benchmarks import program_solutions
from tests.support.running import done, factory, write_lines

ROOT = Path(__file__).parents[1]

PROMPT = 'def double(x):\n    """ Twice x. """\n'
PROBLEMS: list[dict[str, Any]] = [
    {
        "question": PROMPT,
        "tests": {
            "prompt": PROMPT,
            "entry_point": "double",
            "test": "def check(candidate):\n    for x in 2, 'a':\n        assert candidate(x) == x + x\n",
        },
        "right": PROMPT + "    return 2 * x\n",
    },
    {
        "question": "Write a function that adds.",
        "tests": {"setup": "three = 3", "asserts": ["assert add(1, 2) == three", "assert add(0, 0) == 0"]},
        "right": "def add(a, b):\n    return a + b\n",
    },
    {
        "question": "Read a number and print its square.",
        "tests": {"inputs": ["3\n", "-4\n"], "outputs": ["9\n", "16\n"]},
        "right": "print(int(input()) ** 2)",
    },
    {
        "question": "Write a function that subtracts.",
        "tests": {"setup": "", "asserts": ["assert subtract(3, 1) == 3"]},
        "right": "def subtract(a, b):\n    return a - b\n",
    },
    {"question": "Say yes.", "tests": {"expected": "yes"}, "right": "yes"},
]
COMPLETIONS: list[list[str]] = [
    [
        "    return x + x\n",
        f"It is easy:\n```python\n{PROMPT}    return 2 * x\n```\nDone.",
        "    return 3 * x\n",
        "I cannot do that.",
    ],
    [
        "def add(a, b):\n    return a + b\n",
        "```python\ndef add(a, b):\n    while True: pass\n```",
        "```python\nimport sys\ndef add(a, b):\n    sys.exit(0)\n```",
        "def add(a, b): the sum of a and b",
    ],
    [
        "```\nn = int(input())\nprint(n * n)\n```",
        "print(9)",
        "```python\nprint(int(input()) ** 2\n```",
        "```python\nimport os\nos._exit(0)\n```",
    ],
]
EXPECTED = [
    ["pass continued passed", "pass fenced passed", "fail continued assertion", "no_answer - none"],
    ["pass whole passed", "fail fenced exceeded:cpu", "fail fenced exit", "no_answer - none"],
    ["pass fenced passed", "fail whole wrong_output", "fail fenced syntax", "fail fenced exit"],
]
RECIPE = """
name: tiny-programs
version: 1.0.0
problems:
  - {source: file, path: problems.jsonl, columns: {prompt: question, tests: tests, solution: right}, name: p}
generators: {made: {engine: replay, imported: made}}
budget: {per_problem: {samples: 4}}
verify: {decides: {unit_tests: {cpu_seconds: 1}}, workers: 1}
measure: {k: [1, 4]}
"""
MAP = """
problem: {prompt: question, tests: tests, name: p}
completions: [{generator: made, completion: text}]
"""


def sql(folder: Path, query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = done(factory("sql", query, "--json", "--limit", "10000", cwd=folder))
    return rows


def test_three_problems_from_import_to_release(tmp_path: Path) -> None:
    write_lines(tmp_path / "problems.jsonl", PROBLEMS)
    rows = [
        {**{key: problem[key] for key in ("question", "tests")}, "text": text}
        for problem, texts in zip(PROBLEMS, COMPLETIONS, strict=False)
        for text in texts
    ]
    write_lines(tmp_path / "solutions.jsonl", rows)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    (tmp_path / "map.yaml").write_text(MAP)
    done(factory("import", "solutions.jsonl", "--map", "map.yaml", "--json", cwd=tmp_path))
    made = done(factory("run", "recipe.yaml", "--json", cwd=tmp_path))
    assert made["counts"]["problems"] == {"asked": 3, "bad_gold": 2}
    assert made["counts"]["verdicts"] == {"fail": 6, "no_answer": 2, "pass": 4}

    told = sql(
        tmp_path,
        "SELECT p.prompt, s.sample_index, v.status, coalesce(v.rule, '-') AS rule, v.reason, v.detail"
        " FROM verdicts v JOIN samples s USING (sample_id) JOIN problems p USING (problem_id)"
        " JOIN generators g USING (generator_id) WHERE g.name = 'made' ORDER BY ALL",
    )
    words = {
        (row["prompt"], row["sample_index"]): f"{row['status']} {row['rule']} {row['reason']}" for row in told
    }
    assert [[words[problem["question"], index] for index in range(4)] for problem in PROBLEMS[:3]] == EXPECTED
    details = [json.loads(row["detail"]) for row in told if row["detail"]]
    assert {one["tests_passed"] for one in details if one["test"] is None} >= {2}
    assert all(one["confined"] for one in details)

    marks = sql(tmp_path, "SELECT prompt, reason FROM release_problems WHERE reason LIKE 'bad_gold%'")
    assert {row["prompt"]: row["reason"] for row in marks} == {
        "Write a function that subtracts.": "bad_gold: fail assertion",
        "Say yes.": "bad_gold: error unsupported:tests",
    }


# --- the published problems --------------------------------------------------------------------------


def data(path: str) -> Path:
    folder = os.environ.get("FACTORY_TEST_DATA")
    if not folder:
        pytest.skip("FACTORY_TEST_DATA is not set")
    return Path(folder) / path


COUNTED = {"no_answer": 0, "errors": 0, "unverified": 0, "truncated": 0}


def released(folder: Path, source: HumanEval | Mbpp, *more: str) -> dict[str, Any]:
    """Write solutions and mutants of a benchmark, import them and run its recipe; what the run says."""
    name, path = source.source, source.path
    program_solutions.write(source, folder / "made.jsonl")
    recipes = ROOT / "recipes"
    done(
        factory(
            *("import", "made.jsonl", "--map", recipes / f"{name}-solutions.map.yaml", "--json"),
            *("--set", f"problem.join.source.path={path}"),
            cwd=folder,
        )
    )
    made: dict[str, Any] = done(
        factory(
            *("run", recipes / f"{name}-solutions.yaml", "--json", "--set", f"problems.0.path={path}"),
            *(part for one in more for part in ("--set", one)),
            cwd=folder,
        )
    )
    return made


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "bad", "passing"),
    [
        # What passes of the mutants does what the program did, or something no test asks about.
        (lambda: HumanEval(source="humaneval", path=data("humaneval/HumanEval.jsonl.gz")), {}, 8),
        # The published program for task 123 takes four seconds.
        (
            lambda: Mbpp(source="mbpp", path=data("mbpp/mbpp.jsonl"), split="all"),
            {123: "fail exceeded:cpu"},
            81,
        ),
    ],
    ids=["humaneval", "mbpp"],
)
def test_the_published_programs_pass_and_their_mutants_do_not(
    tmp_path: Path, source: Callable[[], HumanEval | Mbpp], bad: dict[int, str], passing: int
) -> None:
    asked = source()
    made = released(tmp_path, asked, "verify.decides={unit_tests: {cpu_seconds: 1}}")
    number = {"humaneval": 164, "mbpp": 974}[asked.source]
    problems = {"asked": number - len(bad)} | ({"bad_gold": len(bad)} if bad else {})
    assert made["counts"]["problems"] == problems
    marked = sql(
        tmp_path,
        "SELECT json_extract(origin, 'task_id')::INTEGER AS task, reason FROM release_problems"
        " WHERE reason LIKE 'bad_gold%'",
    )
    assert {row["task"]: row["reason"] for row in marked} == {
        task: f"bad_gold: {reason}" for task, reason in bad.items()
    }
    by = made["metrics"]["by"]["generator"]
    assert by["canonical"]["coverage@1"]["value"] == 1.0
    assert by["canonical"]["samples"] == COUNTED | {
        "verified": problems["asked"],
        "passed": problems["asked"],
    }
    passed = by["mutants"]["samples"]["passed"]
    assert by["mutants"]["samples"] == COUNTED | {"verified": problems["asked"], "passed": passed}
    assert passed <= passing, f"{passed} of {number} mutants pass"

    reasons = Counter(
        row["reason"]
        for row in sql(
            tmp_path,
            "SELECT v.reason FROM verdicts v JOIN samples s USING (sample_id) JOIN generators g"
            " USING (generator_id) WHERE g.name LIKE '%-mutants' AND v.status = 'fail'",
        )
    )
    assert reasons.total() == problems["asked"] - passed
    assert reasons["assertion"] > 0.8 * reasons.total()
    assert set(reasons) - {"assertion", "exceeded:cpu"} == {
        reason for reason in reasons if reason.startswith("raised:")
    }

"""Releases whose draws have costs: two imaginary generators, one weak and cheap, one strong and dear.

A problem is a sum; `rates` says how many of eight draws of it are right, by a fixed pattern. A draw of `weak`
takes 100 tokens and 2e9 FLOPs, one of `strong` 150 tokens and 6e9, before what `vary` adds by problem.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from factory import pipeline
from factory.progress import Silent
from factory.recipe import load
from factory.records import TABLES, imported_generator_id, problem_id, sample_id
from factory.store import Store

FLOPS: Final = {"weak": 2e9, "strong": 6e9}
TOKENS: Final = {"weak": (60, 40), "strong": (100, 50)}

RECIPE: Final = """
name: {name}
version: {version}
problems:
  - source: file
    path: problems.jsonl
    name: sums
    columns: {{prompt: question, answer: answer, difficulty: difficulty, group_id: group}}
generators:
  weak: {{engine: replay, imported: weak}}
  strong: {{engine: replay, imported: strong}}
budget: {{per_problem: {budget}}}
verify: {{decides: math, workers: 1}}
select: {{dedup: [exact]}}
measure: {{k: [1, 2, 4], bootstrap: 200}}
release: {{configs: [sft, samples, problems]}}
"""


def question(number: int) -> tuple[str, str]:
    return f"What is {number} + {number + 3}?", str(2 * number + 3)


def completion(generator: str, number: int, index: int, right: bool, style: int) -> str:
    a, b = number, number + 3
    told = a + b + (0 if right else 1 + index)
    first = f"{a} + {b}" if style == 0 else f"{b} + {a}"
    return f"Draw {index} of {generator}. We have {first} = {told}. The answer is {told}."


def make_store(
    root: Path,
    *,
    problems: int = 24,
    draws: dict[str, int] | None = None,
    right: Callable[[str, int, int], bool],
    cost: Callable[[str, int, int], dict[str, Any]] | None = None,
    group: Callable[[int], str | None] = lambda number: None,
) -> Store:
    """A store with `draws` samples of each problem and generator; the first is right where `right(generator,
    problem, index)`. `cost` changes columns of a sample."""
    root.mkdir(parents=True, exist_ok=True)
    lines = [
        {
            "question": question(number)[0],
            "answer": question(number)[1],
            "difficulty": "easy" if number % 2 else "hard",
            "group": group(number),
        }
        for number in range(1, problems + 1)
    ]
    (root / "problems.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    rows = []
    for generator, number_of in (draws or {"weak": 8, "strong": 4}).items():
        ident = imported_generator_id(generator)
        for number in range(1, problems + 1):
            text, answer = question(number)
            problem = problem_id(text, answer, None)
            for index in range(number_of):
                inputs, outputs = TOKENS[generator]
                style = index % (2 if number % 3 else 1)
                rows.append(
                    {
                        "sample_id": sample_id(problem, ident, index),
                        "problem_id": problem,
                        "generator_id": ident,
                        "sample_index": index,
                        "completion": completion(
                            generator, number, index, right(generator, number, index), style
                        ),
                        "finish_reason": "stop",
                        "prompt_tokens": inputs,
                        "completion_tokens": outputs,
                        "flops": FLOPS[generator],
                        "usd": None,
                        "engine_seconds": 0.5,
                        "run_id": "test",
                    }
                    | (cost(generator, number, index) if cost else {})
                )
    store = Store(root / "store")
    with store.lock("test"):
        store.append("samples", pa.Table.from_pylist(rows, schema=TABLES["samples"]))
    return store


def release(
    root: Path,
    store: Store,
    *sets: str,
    version: str = "1.0.0",
    name: str = "costed",
    budget: str = "{samples: 4}",
) -> Path:
    """Make costed@VERSION; returns its folder."""
    path = root / f"{name}-{version}.yaml"
    path.write_text(RECIPE.format(name=name, version=version, budget=budget))
    made = pipeline.run(load(path, sets), store, root, Silent()).release
    assert made is not None
    return made

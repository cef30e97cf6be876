"""Small real releases: problems, imported samples of two generators, verified, selected and released.

Twelve sums in four groups, two difficulties. Generator `strong` is right about three times of four, `weak`
about once; among their samples are repeats, texts without an answer, and equations that are wrong. All is
made by rule, so equal arguments give equal releases.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from factory import intake, pipeline
from factory.progress import Silent
from factory.recipe import Recipe
from factory.recipe import load as load_recipe
from factory.store import Store

PROBLEMS: Final = 12
SAMPLES: Final = 8
EVERY_CONFIG: Final = "sft, preference, kto, rewards, samples, problems"

MAP: Final = """
problem: {prompt: question, answer: answer, name: sums, difficulty: difficulty, group_id: group}
completions:
  - {generator: strong, completion: strong}
  - {generator: weak, completion: weak}
"""


def recipe_text(version: str, samples: int, more: str = "", configs: str = EVERY_CONFIG) -> str:
    """A recipe on these problems; `more` is YAML for the end of its release section, indented by two."""
    return f"""
name: sums
version: {version}
description: Sums of small numbers, answered by two imaginary students.
problems:
  - source: file
    path: problems.jsonl
    name: sums
    license: cc-by-4.0
    columns: {{prompt: question, answer: answer, difficulty: difficulty, group_id: group}}
generators:
  strong: {{engine: replay, imported: strong}}
  weak: {{engine: replay, imported: weak}}
budget: {{per_problem: {{samples: {samples}}}}}
verify: {{decides: math, also: [arithmetic], workers: 1}}
select: {{dedup: [exact, {{path: equations}}]}}
measure: {{k: [1, 2, 4], bootstrap: 200}}
release:
  configs: [{configs}]
{more}"""


def problem(number: int) -> dict[str, Any]:
    a, b = 3 + number, 5 + 2 * number
    return {
        "question": f"Ann has {a} apples and buys {b} more. How many apples has she?",
        "answer": str(a + b),
        "difficulty": "easy" if number % 2 else "hard",
        "group": f"g{number // 3}",
    }


def completion(number: int, index: int, rate: int) -> str:
    """The sample `index` of problem `number`; it is right where (number + index) % 4 < rate."""
    a, b = 3 + number, 5 + 2 * number
    if (number + index) % 7 == 6:
        return "I am not sure what is asked here."
    right = (number + index) % 4 < rate
    told = a + b if right else a + b + 1 + index
    style = index % 3
    if style == 0:
        return f"She has {a} + {b} = {told} apples. The answer is {told}."
    if style == 1:
        return f"Start with {b}. Adding {a} gives {b} + {a} = {told}. So the answer is {told}."
    return f"{a} + {b} = {told}\nThe answer is {told}."


def write_inputs(root: Path, problems: int = PROBLEMS, samples: int = SAMPLES) -> None:
    """problems.jsonl, solutions.jsonl (one row a problem and sample) and solutions.map.yaml in `root`."""
    root.mkdir(parents=True, exist_ok=True)
    rows = [problem(number) for number in range(problems)]
    (root / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    solutions = [
        row | {"strong": completion(number, index, 3), "weak": completion(number, index + 1, 1)}
        for number, row in enumerate(rows)
        for index in range(samples)
    ]
    (root / "solutions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in solutions))
    (root / "solutions.map.yaml").write_text(MAP)


def make_store(root: Path, problems: int = PROBLEMS, samples: int = SAMPLES) -> Store:
    """A store in `root`/store that holds the samples, and no release yet."""
    write_inputs(root, problems, samples)
    store = Store(root / "store")
    intake.bring_in(
        root / "solutions.jsonl", root / "solutions.map.yaml", (), store, Silent(), command="test"
    )
    return store


def release(
    root: Path,
    store: Store,
    version: str = "1.0.0",
    samples: int = 4,
    more: str = "",
    configs: str = EVERY_CONFIG,
    sets: tuple[str, ...] = (),
) -> Path:
    """Make the release sums@VERSION of a store that `make_store` made; returns its folder."""
    path = root / f"sums-{version}.yaml"
    path.write_text(recipe_text(version, samples, more, configs))
    read: Recipe = load_recipe(path, sets)
    made = pipeline.run(read, store, root, Silent()).release
    assert made is not None
    return made

"""The real command line in a process of its own, and small recipes to give it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

COMPLETIONS = {
    # question -> completions of the imported generator `made`, in order
    "What is 2 + 2?": [
        "2 + 2 = 4. The answer is 4.",
        "2 + 2 = 4. The  answer is 4.",
        "I think 2 + 2 = 5. The answer is 5.",
        "",
    ],
    "What is 3 + 4?": [
        "The answer is 7.",
        "We have 4 + 3 = 7, so the answer is 7.",
        "3 + 4 = 7. The answer is 7.",
        "no idea",
    ],
    "What is 10 + 5?": ["The answer is 1.", "The answer is 2.", "The answer is 3.", "The answer is 4."],
}
ANSWERS = {"What is 2 + 2?": "4", "What is 3 + 4?": "7", "What is 10 + 5?": "15"}

RECIPE = """
name: tiny
version: 1.0.0
problems: [{source: file, path: problems.jsonl, columns: {prompt: question, answer: answer}, name: sums}]
generators: {made: {engine: replay, imported: made}}
budget: {per_problem: {samples: 4}}
verify: {decides: math, workers: 1}
select: {dedup: [exact, {path: equations}], per_problem: 2}
measure: {k: [1, 4]}
"""
MAP = """
problem: {prompt: question, answer: answer, name: sums}
completions: [{generator: made, completion: solution}]
"""


def factory(*arguments: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `factory` with these arguments in `cwd`, and wait for it."""
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=240,
    )


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-W", "error::ResourceWarning", "-m", "factory", *(str(one) for one in arguments)]


def done(result: subprocess.CompletedProcess[str]) -> Any:
    """The JSON a command printed; fails with its errors when it did not end well."""
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def write_lines(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def workplace(folder: Path) -> Path:
    """A folder with problems, imported completions (not yet imported), a map and a recipe."""
    write_lines(folder / "problems.jsonl", [{"question": q, "answer": a} for q, a in ANSWERS.items()])
    rows = [
        {"question": question, "answer": ANSWERS[question], "solution": text}
        for question, texts in COMPLETIONS.items()
        for text in texts
    ]
    write_lines(folder / "solutions.jsonl", rows)
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "map.yaml").write_text(MAP)
    return folder

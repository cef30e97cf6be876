"""Programs to import: the published solution of every HumanEval and MBPP problem, and a wrong one made of it.

    python -m tests.benchmarks.program_solutions FOLDER [--humaneval FILE] [--mbpp FILE]

Writes FOLDER/humaneval.jsonl and FOLDER/mbpp.jsonl, for the maps and recipes `*-solutions` in recipes/. The
problems come from the Hub, or from local copies. Prints how many mutants of which mutation there are.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

from factory import problems
from factory.recipe import HumanEval, Mbpp
from tests.support import mutants


def write(source: HumanEval | Mbpp, path: Path) -> Counter[str]:
    """One row a problem: prompt, canonical, mutant and its mutation (null where there is none)."""
    counts: Counter[str] = Counter()
    with path.open("w") as file:
        for number, problem in enumerate(problems.load(source, Path())):
            (solution,) = problem.solutions
            made = next(mutants.mutants(solution, seed=number), None)
            row = {
                "prompt": problem.prompt,
                "canonical": solution,
                "mutant": made.program if made else None,
                "mutation": made.mutation if made else None,
            }
            counts[made.mutation if made else "none"] += 1
            file.write(json.dumps(row) + "\n")
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--humaneval", type=Path, help="a local copy of HumanEval.jsonl.gz")
    parser.add_argument("--mbpp", type=Path, help="a local copy of mbpp.jsonl")
    asked = parser.parse_args()
    sources = {
        "humaneval": HumanEval(source="humaneval", path=asked.humaneval),
        "mbpp": Mbpp(source="mbpp", path=asked.mbpp, split="all"),
    }
    asked.folder.mkdir(parents=True, exist_ok=True)
    for name, source in sources.items():
        path = asked.folder / f"{name}.jsonl"
        print(f"{path}: {dict(write(source, path).most_common())}")


if __name__ == "__main__":
    main()

"""One million imported samples through import, verify, select, measure and release: seconds and peak memory.

    python tests/benchmarks/million_samples.py [--samples 1000000] [--folder DIR]

Peak memory is the largest sum of the resident sets of the process and its children, read every half second.
The completions are made: a worked sum of about one kilobyte, right in about four of ten cases.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

PER_PROBLEM = 20
MAP = "problem: {prompt: question, answer: answer}\ncompletions: [{generator: made, completion: solution}]\n"
RECIPE = """
name: million
version: 1.0.0
problems: [{source: file, path: made.jsonl, columns: {prompt: question, answer: answer}, name: made}]
generators: {made: {engine: replay, imported: made}}
budget: {per_problem: {samples: 20}}
select: {dedup: [exact, {path: equations}], per_problem: 4}
measure: {k: [1, 4, 16]}
"""
FILLER = "We read the question again with care and write down what is known before the next step. "


def make(folder: Path, samples: int) -> None:
    """`made.jsonl` (one row a sample) for the import, `problems.jsonl` (one row a problem) for the recipe."""
    draw = random.Random(0)
    with (folder / "samples.jsonl").open("w") as rows, (folder / "made.jsonl").open("w") as problems:
        for number in range(samples // PER_PROBLEM):
            first, second = number + 10, draw.randrange(10, 10_000)
            asked = {"question": f"What is {first} + {second}?", "answer": str(first + second)}
            problems.write(json.dumps(asked) + "\n")
            for _ in range(PER_PROBLEM):
                wrong = 0 if draw.random() < 0.4 else draw.randrange(1, 9)
                part = draw.randrange(1, second)
                steps = [
                    f"{first} + {part} = {first + part}",
                    f"{first + part} + {second - part} = {first + second + wrong}",
                ]
                text = (
                    FILLER * draw.randrange(8, 12)
                    + ". ".join(steps)
                    + f". The answer is {first + second + wrong}."
                )
                rows.write(json.dumps(asked | {"solution": text}) + "\n")


def resident(pid: int) -> int:
    """Bytes of proportional set size of a process and all below it."""
    total = 0
    waiting = [pid]
    while waiting:
        current = waiting.pop()
        try:
            for line in Path(f"/proc/{current}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
            for task in Path(f"/proc/{current}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return total


def timed(name: str, command: list[str]) -> None:
    started, peak, done = time.monotonic(), 0, threading.Event()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.5):
            peak = max(peak, resident(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    done.set()
    watcher.join()
    print(
        f"{name}: {time.monotonic() - started:.0f} s, peak {peak / 2**30:.2f} GiB, exit code {code}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    make(folder, options.samples)
    (folder / "map.yaml").write_text(MAP.replace("answer: answer}", "answer: answer, name: made}"))
    (folder / "recipe.yaml").write_text(RECIPE)
    factory = [sys.executable, "-m", "factory"]
    store = ["--store", str(folder / "store"), "--quiet"]
    timed(
        "import",
        [*factory, "import", str(folder / "samples.jsonl"), "--map", str(folder / "map.yaml"), *store],
    )
    timed("verify", [*factory, "verify", str(folder / "recipe.yaml"), *store])
    timed(
        "select, measure, release (verdicts are there)",
        [*factory, "run", str(folder / "recipe.yaml"), *store],
    )
    timed("again, nothing to do", [*factory, "run", str(folder / "recipe.yaml"), *store])
    size = sum(path.stat().st_size for path in (folder / "store").rglob("*.parquet"))
    print(f"store and release: {size / 2**20:.0f} MiB")
    if options.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()

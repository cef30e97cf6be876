"""GSM8K on one card: worked solutions, RFT and rounds of ReST^EM, several seeds; a table for RESULTS.md.

    python tests/benchmarks/gsm8k_loop.py --seeds 0 1 2                # data and model from the Hub
    python tests/benchmarks/gsm8k_loop.py --seeds 0 --data /folder --model /folder/SmolLM2-135M

Each seed is a loop of its own by recipes/rft.yaml (whose start is the fine-tune on worked solutions) and by
recipes/rest-em-math.yaml: the seed goes to sampling, selection and training. Killed, the same command goes
on. The table stands in RESULTS.md between its marks, and is printed; `--set KEY=VALUE` goes to both recipes.
It holds greedy accuracy on the test problems and its paired difference to the model each loop began with.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).parent / "RESULTS.md"
MARKS = ("<!-- gsm8k: begin -->", "<!-- gsm8k: end -->")
SET = "test"


class Method(NamedTuple):
    """A recipe, its generator that learns, and what its models are called in the table, by their label."""

    recipe: str
    learner: str
    models: dict[str, str]


METHODS = {
    "rft": Method("rft.yaml", "sampler", {"start": "worked solutions", "r1": "RFT"}),
    "rest-em": Method(
        "rest-em-math.yaml",
        "learner",
        {"base": "base, few-shot"} | {f"r{number}": f"ReST^EM, round {number}" for number in range(1, 10)},
    ),
}


class Line(NamedTuple):
    """A model of one seed. `minutes` are those of its loop up to its round; None: not measured."""

    model: str
    seed: int
    accuracy: dict[str, Any]
    over_start: dict[str, Any] | None
    majority: dict[str, Any] | None
    minutes: float


def overrides(method: Method, seed: int, options: argparse.Namespace) -> list[str]:
    """What `--set` adds to the recipe."""
    name = Path(method.recipe).stem
    found = [
        f"name=gsm8k-{name}-s{seed}",
        f"train.seed={seed}",
        f"select.seed={seed}",
        f"generators.{method.learner}.decoding.seed={seed}",
    ]
    if options.model:
        found.append(f"generators.{method.learner}.model={options.model}")
    if options.engine:
        found.append(f"generators.{method.learner}.engine={options.engine}")
    if options.data:
        data = options.data.resolve() / "gsm8k"
        found += [f"problems.0.path={data / 'train.jsonl'}"]
        found += [f"evaluate.sets.{SET}.problems.0.path={data / 'test.jsonl'}"]
        if method.recipe.startswith("rest-em"):
            found += [f"evaluate.sets.validation.problems.0.path={data / 'train.jsonl'}"]
    return [*found, *(options.set or ())]


def carried_out(method: Method, seed: int, options: argparse.Namespace) -> dict[str, Any] | None:
    """The state of the loop after it ended, or None where it made nothing (its error is printed)."""
    command = [sys.executable, "-m", "factory", "loop", str(ROOT / "recipes" / method.recipe), "--json"]
    command += ["--store", str(options.store)]
    for one in overrides(method, seed, options):
        command += ["--set", one]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(f"{method.recipe}, seed {seed}: ended with {done.returncode}", file=sys.stderr)
        return None
    loop = json.loads(done.stdout)["loop"]
    state: dict[str, Any] = json.loads((options.store / "loops" / loop / "state.json").read_text())
    return state


def lines(method: Method, seed: int, state: dict[str, Any]) -> Iterator[Line]:
    """A line for each model of a loop, by its last evaluation."""
    measured = [one for one in state["rounds"] if one["evaluation"]]
    found = measured[-1]["evaluation"]["sets"][SET]
    labels = list(found["models"])
    spent = 0.0
    for label, entry in zip(labels, measured, strict=True):
        spent += sum(entry["seconds"].values()) / 60
        figures = found["models"][label]["figures"]
        over = found["differences"].get(label, {}).get(labels[0], {}).get("greedy")
        votes = [one for name, one in figures.items() if name.startswith("maj@")]
        name = method.models.get(label, label)
        yield Line(name, seed, figures["greedy"], over, votes[-1] if votes else None, spent)


def shown(one: dict[str, Any] | None, sign: str = "") -> str:
    """A figure with its interval, in per cent."""
    if one is None or one["value"] is None:
        return "–"
    value, low, high = (
        "–" if one[key] is None else format(100 * one[key], f"{sign}.1f") for key in ("value", "low", "high")
    )
    return f"{value} [{low}, {high}]"


def table(found: Sequence[Line]) -> str:
    """Markdown: a row for each model and seed, and the mean over seeds where there are several."""
    head = [
        "model",
        "seed",
        "greedy accuracy, % [95 %]",
        "over its start, points [95 %]",
        "maj@k, %",
        "minutes",
    ]
    rows = []
    for model in dict.fromkeys(one.model for one in found):
        some = [one for one in found if one.model == model]
        for one in some:
            cells = [
                model,
                str(one.seed),
                shown(one.accuracy),
                shown(one.over_start, "+"),
                shown(one.majority),
            ]
            rows.append([*cells, f"{one.minutes:.0f}"])
        values = [100 * one.accuracy["value"] for one in some if one.accuracy["value"] is not None]
        if len(values) > 1:
            spread = f"{statistics.mean(values):.1f}, from {min(values):.1f} to {max(values):.1f}"
            rows.append([f"**{model}**", "mean", spread, "", "", ""])
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


def written(text: str, where: Path = RESULTS) -> None:
    """Put `text` between the marks of the file of results."""
    before, _, rest = where.read_text().partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    where.write_text(f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description="GSM8K on one card; see the head of this file.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", choices=METHODS, nargs="+", default=list(METHODS))
    parser.add_argument("--store", type=Path, default=Path("store"))
    parser.add_argument("--data", type=Path, help="folder with gsm8k/train.jsonl and gsm8k/test.jsonl")
    parser.add_argument("--model", help="a model reference instead of the recipe's")
    parser.add_argument("--engine", choices=["vllm", "transformers"])
    parser.add_argument("--set", action="append", metavar="KEY=VALUE")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    options.store = options.store.resolve()
    found: list[Line] = []
    for name in options.only:
        for seed in options.seeds:
            state = carried_out(METHODS[name], seed, options)
            if state is not None:
                found += lines(METHODS[name], seed, state)
    if not found:
        raise SystemExit("no loop made a model, so there is no table")
    print(table(found))
    written(table(found), options.results)


if __name__ == "__main__":
    main()

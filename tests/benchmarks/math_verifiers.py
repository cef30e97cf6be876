r"""The verifier `math` beside math-verify and beside a normalisation of strings: speed and mistakes.

    FACTORY_TEST_DATA=DIR python tests/benchmarks/math_verifiers.py [--rounds 5] [--cases FILE ...]

Speed: verdicts a CPU second in one process, by turns (A, B, ..., A, B, ...), the median and range of the
rounds, and the ratio of medians to math-verify. The work: GSM8K, the `A: ` line of each solution of four
models against the gold (all, and each distinct pair once); the same with whole solutions; and the pairs of
Math-Verify's own suite that are short. Before each turn our caches and sympy's are emptied; other pairs
before the first turn pay for imports and for the tables that parsers keep. Nobody is stopped from outside:
math-verify runs once as it is by default, with its alarms, and once without.

Mistakes: false accepts and false rejects on each FILE, in the format of `factory certify` (JSON lines with
gold, prediction, expected or math_expected, and perhaps kind and note). Here all run in the worker pool, so
a hang is named; all but an accept is a reject. math-verify gets bare text between dollar signs, which is
its best case by far. Without it (`pip install 'math-verify[antlr4_13_2]'`) the others go on alone.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import importlib.util
import itertools
import json
import logging
import os
import re
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from factory.recipe import MathOptions
from factory.records import Status
from factory.verifiers import math_answer, pool
from factory.verifiers.base import Item

MODELS: Final = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
OPTIONS: Final = MathOptions()
SHORT: Final = 300
TIME_LIMIT, MEMORY_BYTES = 15.0, 3 * 1024**3
OURS, RIVAL, STRINGS = "factory math", "math-verify", "string normalisation (Hendrycks)"


class Case(NamedTuple):
    """A text with its reference and label; `whole` says that the text is the answer and nothing else."""

    gold: str
    text: str
    expected: bool
    whole: bool
    noted: bool = False


# --- who judges ---------------------------------------------------------------------------------------


def ours(case: Case) -> str:
    """The status that our verifier gives."""
    check = math_answer.check_answer if case.whole else math_answer.check
    return check(Item(case.text, case.gold), OPTIONS).status.value


def math_verify(case: Case, *, alarms: bool = True) -> str:
    """What math-verify says, gold first."""
    from math_verify import parse, verify  # type: ignore[import-not-found]

    parsing, verifying = ({}, {}) if alarms else ({"parsing_timeout": None}, {"timeout_seconds": None})
    text = _in_dollars(case.text) if case.whole else case.text
    gold = parse(_in_dollars(case.gold), **parsing)
    return _status(verify(gold, parse(text, **parsing), **verifying))


def _in_dollars(text: str) -> str:
    return text if re.search(r"\$|\\boxed|\\\(|\\\[", text) else f"${text}$"


def normalised(case: Case) -> str:
    """Equality of normalised strings: of the last box, else formula, else text; a solution's after `A:`."""
    text = case.text if case.whole else case.text.rpartition("A:")[2]
    return _status(normal_form(text) == normal_form(case.gold))


def _status(accepted: bool) -> str:
    return (Status.PASS if accepted else Status.FAIL).value


RULES: Final = [
    (re.compile(pattern), new)
    for pattern, new in (
        (r"\n|\\!|\\left|\\right|\^\{?\\circ\}?|\\\$|\\?%", ""),
        (r"\\[td]frac", r"\\frac"),
        (r"\\text\{ .*$", ""),  # a unit
        (r"(^|[ {])\.(?=[0-9])", r"\g<1>0."),
        (r"^[^=]{1,2}=([^=]*)$", r"\1"),  # k = 5
        (r"\\sqrt ?([^{ ])", r"\\sqrt{\1}"),
        (r"\s", ""),
        (r"\\frac([^{])([^{])", r"\\frac{\1}{\2}"),
        (r"^0\.5$", r"\\frac{1}{2}"),
        (r"^(-?[0-9]+)/(-?[0-9]+)$", r"\\frac{\1}{\2}"),
    )
]


FORMULA: Final = re.compile(r"\$+([^$]+)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)


def normal_form(text: str) -> str:
    """The answer in a text after the usual substitutions for answers to the MATH problems."""
    _, box, boxed = text.rpartition(r"\boxed{")
    if box:
        text = boxed[: _length(boxed)]
    elif spans := FORMULA.findall(text):
        text = "".join(spans[-1])
    for pattern, new in RULES:
        text = pattern.sub(new, text)
    return text


def _length(text: str) -> int:
    """Where the brace that is open before `text` closes."""
    depths = itertools.accumulate((sign == "{") - (sign == "}") for sign in text)
    return next((place for place, depth in enumerate(depths) if depth < 0), len(text))


JUDGES: Final[Mapping[str, Callable[[Case], str]]] = {
    OURS: ours,
    RIVAL: math_verify,
    f"{RIVAL} without alarms": functools.partial(math_verify, alarms=False),
    STRINGS: normalised,
}


def judges() -> list[str]:
    """The judges that can be had here."""
    if importlib.util.find_spec("math_verify"):
        return list(JUDGES)
    print("math-verify is left out: pip install 'math-verify[antlr4_13_2]'")
    return [name for name in JUDGES if not name.startswith(RIVAL)]


# --- speed --------------------------------------------------------------------------------------------


def rows(name: str) -> list[dict[str, Any]]:
    with (Path(os.environ["FACTORY_TEST_DATA"]) / name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def workloads() -> dict[str, list[Case]]:
    """The cases of each work, by its name."""
    answers, solutions = [], []
    found = zip(rows("gsm8k/test.jsonl"), rows("gsm8k/example_model_solutions.jsonl"), strict=True)
    for problem, solution in found:
        gold = problem["answer"].rpartition("####")[2].strip()
        for model in MODELS:
            text, label = solution[model]["solution"], solution[model]["is_correct"]
            answers.append(Case(gold, text.rpartition("A: ")[2].strip(), label, whole=True))
            solutions.append(Case(gold, text, label, whole=False))
    path = Path(os.environ["FACTORY_TEST_DATA"]) / "verifiers" / "mathverify_cases.jsonl"
    short = [case for case in cases(path) if case.whole and max(len(case.gold), len(case.text)) < SHORT]
    return {
        "GSM8K, answers": answers,
        "GSM8K, distinct answers": list(dict.fromkeys(answers)),
        "GSM8K, whole solutions": solutions,
        "LaTeX, short pairs of Math-Verify's suite": short,
    }


def warm_up(names: Sequence[str]) -> None:
    """Have every judge import what it needs, on pairs that are in no work."""
    pairs = [
        ("73/91", "74/91"),
        (r"\frac{73}{\sqrt{91}}", r"\frac{73\sqrt{91}}{91}"),
        (r"(x+73)^2", r"x^2+146x+5329"),
        (r"\begin{pmatrix}73\\91\end{pmatrix}", r"\begin{pmatrix}73\\92\end{pmatrix}"),
        (r"x\in(73,91]", r"73<x\le 91"),
        (r"\sin(73x)\cos(91x)", r"\frac{\sin(164x)-\sin(18x)}{2}"),
        ("y=73x+91", "91+73x-y=0"),
        ("73 meters", "7300 cm"),
    ]
    for name in names:
        for gold, text in pairs:
            JUDGES[name](Case(gold, text, True, whole=True))
            JUDGES[name](Case(gold, f"So we get 91.\nA: {text}", True, whole=False))


def empty_caches() -> None:
    """Ours, wherever they stand in the verifiers, and sympy's."""
    from sympy.core.cache import clear_cache

    for name, module in list(sys.modules.items()):
        if name.startswith("factory.verifiers."):
            for thing in list(vars(module).values()):
                if isinstance(thing, functools._lru_cache_wrapper):
                    thing.cache_clear()
    clear_cache()


def speed(work: str, given: Sequence[Case], names: Sequence[str], rounds: int) -> None:
    """Print verdicts a CPU second of each judge, and how it agrees with the labels."""
    rates: dict[str, list[float]] = {name: [] for name in names}
    said: dict[str, list[str]] = {}
    for _ in range(rounds):
        for name in names:
            empty_caches()
            start = time.process_time()
            said[name] = [JUDGES[name](case) for case in given]
            rates[name].append(len(given) / (time.process_time() - start))
    print(f"\n{work}: {len(given)} verdicts, {rounds} rounds; verdicts a CPU second", flush=True)
    for name in names:
        median = statistics.median(rates[name])
        line = f"  {name:33} {median:10.0f} ({min(rates[name]):.0f} to {max(rates[name]):.0f})"
        if RIVAL in rates:
            line += f", {median / statistics.median(rates[RIVAL]):.4g} times math-verify"
        print(f"{line}; {mistakes(given, said[name])}", flush=True)


# --- mistakes -----------------------------------------------------------------------------------------


def cases(path: Path) -> list[Case]:
    """The cases of a file. Raises KeyError for a row without one of its keys."""
    from factory.certifying import WHOLE

    found = []
    with path.open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            expected = row.get("math_expected")
            label = row["expected"] if expected is None else expected
            whole, noted = WHOLE[row.get("kind")], bool(row.get("note"))
            found.append(Case(row["gold"], row["prediction"], label, whole, noted))
    return found


def mistakes(given: Sequence[Case], said: Sequence[str]) -> str:
    """Accuracy, false accepts and false rejects, in words."""
    pairs = [(case.expected, word == Status.PASS.value) for case, word in zip(given, said, strict=True)]
    accepts, rejects = pairs.count((False, True)), pairs.count((True, False))
    right = sum(case.expected for case in given)
    undecided, agree = sum(word not in ("pass", "fail") for word in said), len(pairs) - accepts - rejects
    text = f"right {agree} of {len(pairs)} ({agree / max(1, len(pairs)):.1%})"
    text += f", false accepts {accepts} of {len(pairs) - right}, false rejects {rejects} of {right}"
    return text + (f", not decided {undecided}" if undecided else "")


def timed(case: Case, name: str) -> tuple[str, float]:
    """What a judge says, and the CPU seconds it took; what it raises is a word too."""
    logging.disable()
    start = time.process_time()
    try:
        word = JUDGES[name](case)
    except Exception as error:
        word = f"raised:{type(error).__name__}"
    return word, time.process_time() - start


def on_file(path: Path, names: Sequence[str]) -> None:
    """Print the mistakes of each judge on a file, and on its rows without a note."""
    given = cases(path)
    print(f"\n{path.name}: {len(given)} cases")
    for name in names:
        function = functools.partial(timed, name=name)
        preload = (__name__, "factory.verifiers.algebra", "sympy", *(["math_verify"] * (RIVAL in names)))
        words, seconds = [""] * len(given), [0.0] * len(given)
        for place, outcome in pool.run(
            function, given, time_limit=TIME_LIMIT, memory_bytes=MEMORY_BYTES, preload=preload
        ):
            lost = isinstance(outcome, pool.Lost)
            words[place], seconds[place] = (outcome.reason, outcome.seconds) if lost else outcome.value  # type: ignore[union-attr]
        slow = f"mean {1000 * statistics.mean(seconds):.1f} ms, longest {max(seconds):.2f} s"
        print(f"  {name:33} {mistakes(given, words)}; {slow}", flush=True)
        if any(case.noted for case in given):
            plain = [(case, word) for case, word in zip(given, words, strict=True) if not case.noted]
            print(f"  {'':33} without noted rows {mistakes(*zip(*plain, strict=True))}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="of the speed; 0 leaves it out")
    parser.add_argument("--cases", type=Path, nargs="+", default=[], metavar="FILE")
    args = parser.parse_args()
    logging.disable()  # math-verify logs what it cannot read
    names = judges()
    if args.rounds:
        warm_up(names)
        for work, given in workloads().items():
            speed(work, given, names, args.rounds)
    for path in args.cases:
        on_file(path, [name for name in names if "without alarms" not in name])


if __name__ == "__main__":
    # Workers import what they run by name, which `__main__` is not.
    importlib.import_module(Path(__file__).stem).main()

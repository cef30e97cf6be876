"""Random and mutated texts for the verifiers: golden answers with characters and tokens changed.

Deterministic by seed. Texts are spliced, cut, doubled, wrapped and nested, and strewn with what parsers
trip over; some are plain noise.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

GOLDEN = Path(__file__).parents[1] / "golden"
NOISE = "0123456789.,-+*/^_=<>()[]{}|!\\ $%abexπ½√\n#:;&'\"~°²∞≤×−\u200b\u0663\x00"
PIECES = (
    *("\\frac", "\\boxed{", "\\text{", "\\left(", "\\pm ", "\\cup ", "\\begin{pmatrix}", "\\end{pmatrix}"),
    *("\\sqrt{", "^{", "_{2}", "\\%", " and ", " or ", "#### ", "the answer is ", "A: ", "not ", "$", "\\\\"),
    *(
        "9^9^9^9",
        "99999999!",
        "\\binom{10^9}{5}",
        "((((((",
        "{{{{{{",
        "1e999",
        "x^2",
        "3:30 PM",
        "five ",
        " cm",
    ),
)
_TOKEN = re.compile(r"\\[A-Za-z]+|[A-Za-z]+|[0-9]+|\s+|.", re.DOTALL)


def golden_texts() -> list[str]:
    """Every answer and reference of the golden files."""
    texts: list[str] = []
    for name in ("math_equivalence.jsonl", "math.jsonl"):
        for line in (GOLDEN / name).read_text("utf-8").splitlines():
            row = json.loads(line)
            texts += [
                row[key]
                for key in ("gold", "prediction", "reference", "completion")
                if isinstance(row.get(key), str) and len(row[key]) <= 300
            ]
    return texts


def texts(count: int, seed: int = 0) -> Iterator[str]:
    """`count` texts, a fifth of them noise, the rest made from golden ones by one to four changes."""
    source, golden = random.Random(seed), golden_texts()
    for _ in range(count):
        if source.random() < 0.2:
            yield "".join(source.choices(NOISE, k=source.randint(0, 60)))
            continue
        text = source.choice(golden)
        for _ in range(source.randint(1, 4)):
            text = _changed(text, source, golden)
        yield text[:2000]


def pairs(count: int, seed: int = 0) -> Iterator[tuple[str, str]]:
    """`count` pairs, half of two unrelated texts, half of a golden text and a change of it."""
    source, golden = random.Random(seed), golden_texts()
    others = texts(count, seed + 1_000_003)
    for one in texts(count, seed):
        if source.random() < 0.5:
            yield one, next(others)
            continue
        text = source.choice(golden)
        yield text, _changed(text, source, golden)[:2000]


def _changed(text: str, source: random.Random, golden: list[str]) -> str:
    tokens = _TOKEN.findall(text) or [""]
    at, other = source.randrange(len(tokens)), source.randrange(len(tokens))
    kind = source.randrange(9)
    if kind == 0:
        del tokens[at]
    elif kind == 1:
        tokens.insert(at, tokens[other])
    elif kind == 2:
        tokens[at], tokens[other] = tokens[other], tokens[at]
    elif kind == 3:
        tokens[at] = source.choice(NOISE)
    elif kind == 4:
        tokens.insert(at, source.choice(PIECES))
    elif kind == 5:
        cut = source.choice(golden)
        tokens[at:] = [cut[source.randrange(len(cut) + 1) :]]
    elif kind == 6:
        tokens = [source.choice(PIECES), *tokens, "}"]
    elif kind == 7:
        tokens = tokens * 2
    else:
        tokens[at] = str(source.choice([0, 1, -1, 10**20, 10**400, 7]))
    return "".join(tokens)

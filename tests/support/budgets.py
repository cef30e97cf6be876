"""Plans with budgets, and an engine that serves nothing, for tests of the account."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import duckdb
import pyarrow as pa

from factory.generators.base import Completion, Failure, Message, Request
from factory.planning import Plan, PlannedGenerator, Verifier
from factory.recipe import Recipe
from factory.records import PROBLEMS, SAMPLES
from factory.store import Store, put

PARAMETERS = 1.0e6
PRICE = {"input": 1.0e6, "output": 2.0e6}
"""A dollar for a token read, two for one written."""

GENERATOR = PlannedGenerator("scripted", "openai", "m", {"model": "m"}, sampled=True)
JUDGE = PlannedGenerator("strict", "openai", "j", {"model": "j"}, sampled=False)


def plan(*, most: int = 10, generator: dict[str, Any] | None = None, **budget: Any) -> Plan:
    """A plan of one generator and one judge behind servers; no problems. A keyword is a key of `budget`."""
    model: dict[str, Any] = {"engine": "openai", "base_url": "http://127.0.0.1:1/v1", "price": PRICE}
    model |= {"active_parameters": PARAMETERS, "decoding": {"max_tokens": most}}
    content = {
        "name": "spent",
        "version": "1.0.0",
        "problems": [{"source": "file", "path": "p.jsonl", "name": "p", "columns": {"prompt": "q"}}],
        "generators": {"scripted": model | {"model": "m"} | (generator or {})},
        "judges": {"strict": model | {"model": "j"}},
        "budget": budget or {"per_problem": {"samples": 1}},
        "verify": {"decides": "math", "also": [{"judge": {"generator": "strict"}}]},
        "measure": {"k": [1]},
    }
    recipe = Recipe.model_validate(content)
    (judge,) = recipe.verify.also
    return Plan(
        recipe=recipe,
        problems=PROBLEMS.empty_table(),
        references=SAMPLES.empty_table(),
        generators=(GENERATOR,),
        decides=Verifier("math", "1", recipe.verify.decides),
        also=(Verifier("judge", "1", judge, JUDGE),),
    )


class Reader:
    """An engine that knows the tokens of a prompt, its letters, and serves nothing."""

    parameters: float | None = PARAMETERS

    @property
    def reread(self) -> int | None:
        return None

    def most_prompt_tokens(self, prompt: str | tuple[Message, ...]) -> int:
        return len(prompt)

    def generate(self, requests: Iterable[Request | None]) -> Iterator[Completion | Failure]:
        raise NotImplementedError

    def close(self) -> None:
        pass


def request(ident: str, tokens: int = 5) -> Request:
    return Request(ident, f"problem of {ident}", 0, 1, "x" * tokens)


def served(asked: Request, written: int, read: int | None = None) -> Completion:
    return Completion(
        asked, "text", "stop", len(asked.prompt) if read is None else read, written, 1, None, None, 0.5
    )


def stored(store: Store, *done: Completion, generator: PlannedGenerator = GENERATOR) -> None:
    """Commit samples as sampling does."""
    rows = [
        {
            "sample_id": one.request.sample_id,
            "problem_id": one.request.problem_id,
            "generator_id": generator.generator_id,
            "sample_index": 0,
            "completion": one.text,
            "prompt_tokens": one.prompt_tokens,
            "completion_tokens": one.completion_tokens,
            "engine_seconds": 0.25,
            "run_id": "r",
        }
        for one in done
    ]
    store.append("samples", pa.Table.from_pylist(rows, schema=SAMPLES))


def candidates(connection: duckdb.DuckDBPyConnection, store: Store, problems: int = 0) -> None:
    """The view and the table that spending is read from: all stored samples, and so many asked problems."""
    store.refresh(connection)
    connection.execute("CREATE OR REPLACE VIEW candidates AS FROM samples")
    asked = pa.Table.from_pylist(
        [{"reason": "asked"}] * problems, schema=pa.schema([("reason", pa.string())])
    )
    put(connection, "asked", asked)

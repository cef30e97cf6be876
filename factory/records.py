"""What a row is: the tables, their Arrow schemas, and the ids that rows are known by.

Guarantees: an id is the hash of everything that can change what it names and of nothing else, and is
the same on every machine and version (golden-tested). Arrow schemas stand here alone; `schemas/` is
exported from them. Left out: reading and writing (`store.py`), and what a release shows of the rows.
"""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

SCHEMA_VERSION: Final = "1"
"""Written into every part. Bump by hand when a column changes meaning, name or type."""

GOLD: Final = "gold"
HUMAN: Final = "human"
RESERVED_GENERATORS: Final = (GOLD, HUMAN)
"""Names a recipe may not use: the reference answers and the human solutions of the problems."""


class Status(enum.StrEnum):
    """The four outcomes of a verdict. `no_answer` and `error` are never evidence that a sample is wrong."""

    PASS = "pass"
    FAIL = "fail"
    NO_ANSWER = "no_answer"
    ERROR = "error"


PASSING_REASONS: Final = ("time_limit", "memory", "crash", "worker_lost")
"""Reasons of `error` that another attempt may cure; every other reason is final for a verifier version."""

MAX_ATTEMPTS: Final = 3


# --- ids ---------------------------------------------------------------------------------------------


def canonical_json(value: object) -> str:
    """Sorted keys, no blanks, UTF-8 as it is, floats by shortest repr; refuses what has no such form."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def content_id(value: object) -> str:
    """The first 32 hex digits of sha256 over the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def problem_id(prompt: str, answer: str | None, tests: str | None) -> str:
    """What is asked and what counts as right; the source it came from does not matter."""
    return content_id({"prompt": prompt, "answer": answer, "tests": tests})


def generator_id(identity: Mapping[str, object]) -> str:
    """The hash of all that can change the text a generator writes (see `GeneratorConfig.identity`)."""
    return content_id(identity)


def reserved_generator_id(name: str) -> str:
    """The id of `gold` or `human`."""
    return content_id({"reserved": name})


DRAWN: Final = f"generator_id <> '{reserved_generator_id(HUMAN)}'"
"""The SQL condition of a sample that is a draw; the others are worked solutions by people (`engine: human`).

What is measured of generators (pass@k, coverage, costs, solve rates) is measured of draws alone.
"""


def imported_generator_id(name: str) -> str:
    """The id of a generator whose completions were made elsewhere."""
    return content_id({"imported": name})


def sample_id(problem: str, generator: str, sample_index: int) -> str:
    """The key of one draw; asking for more samples extends the indices and changes no id."""
    return content_id({"problem_id": problem, "generator_id": generator, "sample_index": sample_index})


def sample_seed(problem: str, generator: str, sample_index: int) -> int:
    """The seed of one draw: 31 bits, so that every engine and server can take it."""
    key = {"generator_id": generator, "problem_id": problem, "sample_index": sample_index, "use": "seed"}
    return int(content_id(key)[:8], 16) & 0x7FFF_FFFF


def clean_text(text: Any) -> Any:
    """`text` with what UTF-8 cannot hold (lone surrogates) replaced by U+FFFD; other values as they are."""
    if isinstance(text, str) and not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


# --- rows --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Problem:
    """A task with a checkable answer.

    `origin` is canonical JSON that suffices to make the problem again (file and line, or task, seed,
    index and package version). `solutions` are worked solutions by people; they become samples of the
    reserved generator `human` and are not a column.
    """

    prompt: str
    source: str
    answer: str | None = None
    tests: str | None = None
    split: str = "train"
    group_id: str | None = None
    difficulty: str | None = None
    license: str | None = None
    origin: str = "{}"
    solutions: tuple[str, ...] = field(default=(), compare=False)

    @property
    def problem_id(self) -> str:
        return problem_id(self.prompt, self.answer, self.tests)

    def row(self) -> dict[str, Any]:
        names = [name for name in PROBLEMS.names if name != "problem_id"]
        return {"problem_id": self.problem_id} | {name: getattr(self, name) for name in names}


# --- schemas -----------------------------------------------------------------------------------------


def column(name: str, kind: pa.DataType, meaning: str, *, null: bool = False) -> pa.Field:
    """A column with its meaning, which stands in schemas, cards and manifests."""
    return pa.field(name, kind, nullable=null, metadata={"description": meaning})


_text, _int, _long, _real = pa.string(), pa.int32(), pa.int64(), pa.float64()

PROBLEMS: Final = pa.schema(
    [
        column("problem_id", _text, "hash of {prompt, answer, tests}"),
        column("source", _text, "where it came from; the key is (problem_id, source)"),
        column("split", _text, "split of the source"),
        column("group_id", _text, "problems that may not be parted by a split", null=True),
        column("prompt", _text, "the task as it is put to a generator"),
        column("answer", _text, "the reference answer", null=True),
        column("tests", _text, "unit tests, as JSON", null=True),
        column("difficulty", _text, "difficulty as the source states it", null=True),
        column("license", _text, "license of the source", null=True),
        column("origin", _text, "JSON with all that is needed to make the row again"),
    ]
)

GENERATORS: Final = pa.schema(
    [
        column("generator_id", _text, "hash of identity"),
        column("name", _text, "name it had in the recipe or map that first used it"),
        column("engine", _text, "vllm, openai, transformers, imported or reserved"),
        column("model", _text, "model reference as written", null=True),
        column("identity", _text, "canonical JSON of all that can change its text"),
    ]
)

SAMPLES: Final = pa.schema(
    [
        column("sample_id", _text, "hash of {problem_id, generator_id, sample_index}"),
        column("problem_id", _text, "the problem it answers"),
        column("generator_id", _text, "the generator that wrote it"),
        column("sample_index", _int, "0, 1, 2, ... among the draws of this generator for this problem"),
        column("completion", _text, "the text, unchanged"),
        column("finish_reason", _text, "stop, or length when it was cut at max_tokens", null=True),
        column("prompt_tokens", _int, "tokens of the prompt", null=True),
        column("completion_tokens", _int, "tokens written", null=True),
        column("seed", _long, "seed of the draw; null where the engine takes none", null=True),
        column("logprob", _real, "sum of the log probabilities of the tokens written, in nats", null=True),
        column("flops", _real, "2 x active parameters x tokens processed for it", null=True),
        column("usd", _real, "price paid, US dollars", null=True),
        column("seconds", _real, "wall time from its start to its end, others running beside it", null=True),
        column(
            "engine_seconds",
            _real,
            "its share of the engine's wall time: of m draws under way each is charged 1/m",
            null=True,
        ),
        column("run_id", _text, "the run that stored it"),
        column("extra", _text, "JSON of further fields kept by an import", null=True),
    ]
)

VERDICTS: Final = pa.schema(
    [
        column("sample_id", _text, "the sample judged"),
        column("verifier", _text, "name of the verifier"),
        column("version", _text, "its version, with +8 hex digits when an option is not the default"),
        column("attempt", _int, "0, 1 or 2; readers take the highest"),
        column("status", _text, "pass, fail, no_answer or error"),
        column("score", _real, "1 for pass, 0 for fail, null when it could not tell", null=True),
        column("reason", _text, "the rule that decided, or why none could"),
        column("answer", _text, "the answer found, a slice of the completion", null=True),
        column("rule", _text, "the extraction rule that found it", null=True),
        column("detail", _text, "JSON of what else was seen: marks of equations, tests, votes", null=True),
        column("seconds", _real, "time in the worker", null=True),
        column("run_id", _text, "the run that stored it"),
    ]
)

LEDGER: Final = pa.schema(
    [
        column("charge_id", _text, "hash of the call: {run_id, sample_id, verifier, attempt, vote}"),
        column(
            "kind",
            _text,
            "what was paid for: judge, a call that asked for one vote; presumed, a call under way when its "
            "process died, at its bound; lost, one that ended and whose text died with the process; failed",
        ),
        column("generator_id", _text, "the generator that was called"),
        column("sample_id", _text, "the sample it was called about"),
        column("run_id", _text, "the run that called it"),
        column("samples", _int, "draws asked for"),
        column("prompt_tokens", _int, "tokens of the prompt; null for a call that failed", null=True),
        column("completion_tokens", _int, "tokens written; null for a call that failed", null=True),
        column("flops", _real, "2 x active parameters x tokens processed", null=True),
        column("usd", _real, "price paid, US dollars", null=True),
        column("seconds", _real, "wall time from start to end, others running beside it", null=True),
        column("engine_seconds", _real, "its share of the engine's wall time", null=True),
        column("presumed", pa.bool_(), "whether the amounts are a bound, and not what was seen", null=True),
        column("recipe", _text, "name of the recipe, without its version, that it was made for", null=True),
    ]
)

ROLLOUTS: Final = pa.schema(
    [
        column("sample_id", _text, "the solution whose prefix was finished"),
        column("step_index", _int, "steps of it that the prefix holds; 0 is the bare problem"),
        column("generator_id", _text, "the generator that finished it"),
        column("n", _int, "completions drawn and judged"),
        column("c", _int, "how many of them are correct"),
        column("completions", pa.list_(_text), "their texts", null=True),
        column("run_id", _text, "the run that stored it"),
    ]
)

LABELS: Final = pa.schema(
    [
        column("sample_id", _text, "the sample looked at"),
        column("annotator", _text, "the person or judge"),
        column("label", _text, "right, wrong (the answer is right, the reasoning is not), or unsure"),
        column("note", _text, "what they wrote about it", null=True),
        column("at", _text, "when, ISO 8601 in UTC"),
    ]
)

TABLES: Final[Mapping[str, pa.Schema]] = {
    "problems": PROBLEMS,
    "generators": GENERATORS,
    "samples": SAMPLES,
    "verdicts": VERDICTS,
    "ledger": LEDGER,
    "rollouts": ROLLOUTS,
    "labels": LABELS,
}
"""Every stored table by name. Selection is a view: it is stored with the release it belongs to."""

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "problems": ("problem_id", "source"),
    "generators": ("generator_id",),
    "samples": ("sample_id",),
    "verdicts": ("sample_id", "verifier", "version", "attempt"),
    "ledger": ("charge_id",),
    "rollouts": ("sample_id", "step_index", "generator_id"),
    "labels": ("sample_id", "annotator"),
}


def describe(schema: pa.Schema) -> list[dict[str, Any]]:
    """The schema as plain data: one {name, type, nullable, description} a column."""
    return [
        {
            "name": one.name,
            "type": str(one.type),
            "nullable": one.nullable,
            "description": one.metadata[b"description"].decode(),
        }
        for one in schema
    ]

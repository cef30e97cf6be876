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


def _column(name: str, kind: pa.DataType, meaning: str, *, null: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=null, metadata={"description": meaning})


_text, _int, _long, _real = pa.string(), pa.int32(), pa.int64(), pa.float64()

PROBLEMS: Final = pa.schema(
    [
        _column("problem_id", _text, "hash of {prompt, answer, tests}"),
        _column("source", _text, "where it came from; the key is (problem_id, source)"),
        _column("split", _text, "split of the source"),
        _column("group_id", _text, "problems that may not be parted by a split", null=True),
        _column("prompt", _text, "the task as it is put to a generator"),
        _column("answer", _text, "the reference answer", null=True),
        _column("tests", _text, "unit tests, as JSON", null=True),
        _column("difficulty", _text, "difficulty as the source states it", null=True),
        _column("license", _text, "license of the source", null=True),
        _column("origin", _text, "JSON with all that is needed to make the row again"),
    ]
)

GENERATORS: Final = pa.schema(
    [
        _column("generator_id", _text, "hash of identity"),
        _column("name", _text, "name it had in the recipe or map that first used it"),
        _column("engine", _text, "vllm, openai, transformers, imported or reserved"),
        _column("model", _text, "model reference as written", null=True),
        _column("identity", _text, "canonical JSON of all that can change its text"),
    ]
)

SAMPLES: Final = pa.schema(
    [
        _column("sample_id", _text, "hash of {problem_id, generator_id, sample_index}"),
        _column("problem_id", _text, "the problem it answers"),
        _column("generator_id", _text, "the generator that wrote it"),
        _column("sample_index", _int, "0, 1, 2, ... among the draws of this generator for this problem"),
        _column("completion", _text, "the text, unchanged"),
        _column("finish_reason", _text, "stop, or length when it was cut at max_tokens", null=True),
        _column("prompt_tokens", _int, "tokens of the prompt", null=True),
        _column("completion_tokens", _int, "tokens written", null=True),
        _column("seed", _long, "seed of the draw; null where the engine takes none", null=True),
        _column("logprob", _real, "sum of the log probabilities of the tokens written, in nats", null=True),
        _column("flops", _real, "2 x active parameters x tokens processed for it", null=True),
        _column("usd", _real, "price paid, US dollars", null=True),
        _column("seconds", _real, "wall time from its start to its end, others running beside it", null=True),
        _column("run_id", _text, "the run that stored it"),
        _column("extra", _text, "JSON of further fields kept by an import", null=True),
    ]
)

VERDICTS: Final = pa.schema(
    [
        _column("sample_id", _text, "the sample judged"),
        _column("verifier", _text, "name of the verifier"),
        _column("version", _text, "its version, with +8 hex digits when an option is not the default"),
        _column("attempt", _int, "0, 1 or 2; readers take the highest"),
        _column("status", _text, "pass, fail, no_answer or error"),
        _column("score", _real, "1 for pass, 0 for fail, null when it could not tell", null=True),
        _column("reason", _text, "the rule that decided, or why none could"),
        _column("answer", _text, "the answer found, a slice of the completion", null=True),
        _column("rule", _text, "the extraction rule that found it", null=True),
        _column("detail", _text, "JSON of what else was seen: marks of equations, tests, votes", null=True),
        _column("seconds", _real, "time in the worker", null=True),
        _column("run_id", _text, "the run that stored it"),
    ]
)

LEDGER: Final = pa.schema(
    [
        _column("charge_id", _text, "hash of {run_id, sample_id, verifier, attempt, vote}"),
        _column("kind", _text, "what was paid for: judge, a call that asked for one vote"),
        _column("generator_id", _text, "the generator that was called"),
        _column("sample_id", _text, "the sample it was called about"),
        _column("run_id", _text, "the run that called it"),
        _column("samples", _int, "draws asked for"),
        _column("prompt_tokens", _int, "tokens of the prompt; null for a call that failed", null=True),
        _column("completion_tokens", _int, "tokens written; null for a call that failed", null=True),
        _column("flops", _real, "2 x active parameters x tokens processed", null=True),
        _column("usd", _real, "price paid, US dollars", null=True),
        _column("seconds", _real, "wall time from start to end, others running beside it", null=True),
    ]
)

TABLES: Final[Mapping[str, pa.Schema]] = {
    "problems": PROBLEMS,
    "generators": GENERATORS,
    "samples": SAMPLES,
    "verdicts": VERDICTS,
    "ledger": LEDGER,
}
"""Every stored table by name. Selection is a view: it is stored with the release it belongs to."""

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "problems": ("problem_id", "source"),
    "generators": ("generator_id",),
    "samples": ("sample_id",),
    "verdicts": ("sample_id", "verifier", "version", "attempt"),
    "ledger": ("charge_id",),
}


def _pick(schema: pa.Schema, *names: str) -> list[pa.Field]:
    return [schema.field(name) for name in names]


_generator = _column("generator", _text, "the generator's name in the recipe")
_asked = _column("asked", pa.bool_(), "whether it was put to the generators")

VIEWS: Final[Mapping[str, pa.Schema]] = {
    "sft": pa.schema(
        [
            _column("prompt", _text, "the problem, as its source words it"),
            _column("completion", _text, "a kept completion"),
            _column("sample_id", _text, "its key in `samples`"),
            *_pick(PROBLEMS, "problem_id", "source"),
            _generator,
        ]
    ),
    "samples": pa.schema(
        [
            *_pick(SAMPLES, "sample_id", "problem_id"),
            _generator,
            *[column for column in SAMPLES if column.name not in ("sample_id", "problem_id")],
            _column(
                "status", _text, "verdict of the verifier that decides; null when there is none", null=True
            ),
            _column("verdict_reason", _text, "the rule that decided, or why none could", null=True),
            *_pick(VERDICTS, "answer", "rule"),
            _column(
                "path",
                _text,
                "key of the reasoning path of a correct sample: equal key, equal path",
                null=True,
            ),
            _column("kept", pa.bool_(), "whether it is in `sft`"),
            _column("reason", _text, "why it is in or out"),
            _column("duplicate_of", _text, "sample_id of the row it repeats", null=True),
            _column("rank", _int, "0, 1, 2, ... among the kept samples of its problem", null=True),
        ]
    ),
    "problems": pa.schema(
        [
            *PROBLEMS,
            _asked,
            _column(
                "reason",
                _text,
                "asked, duplicate_problem, or bad_gold: and the verifier's word on the answer",
            ),
            _column("samples", _int, "samples it has in this release"),
            _column("correct", _int, "how many of them are correct"),
        ]
    ),
}
"""What a release shows: each config's columns. `seconds` and `run_id` are not part of its content digest."""

ACT_OF_SAMPLING: Final = ("run_id", "seconds")
"""Columns that describe how a row came about and not what it is; outside every content digest."""


def describe(schema: pa.Schema) -> list[dict[str, Any]]:
    """The schema as plain data: one {name, type, nullable, description} a column."""
    return [
        {
            "name": column.name,
            "type": str(column.type),
            "nullable": column.nullable,
            "description": column.metadata[b"description"].decode(),
        }
        for column in schema
    ]

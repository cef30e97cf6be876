"""What a release shows: the configs, the columns of each in both forms, and the keys of their rows.

Guarantees: a config's columns are the same in every release of its form, and every column has a type, so no
file is ever of null type. Column names are those that trainers of the field read (`prompt`, `completion`,
`messages`, `chosen`, `rejected`, `label`), and none that they would read by mistake (`margin`,
`completions`, `prompts`, `images`). Left out: which rows a config holds (`formats.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import pyarrow as pa

from factory.records import PROBLEMS, SAMPLES, VERDICTS, column

Form = Literal["text", "messages"]

_text, _int = pa.string(), pa.int32()

MESSAGES: Final = pa.list_(pa.field("item", pa.struct([pa.field("role", _text), pa.field("content", _text)])))
"""A conversation: what chat templates and trainers read. No key is ever null.

`item` is written out: the name stands in schemas, and so in release ids, which hold nothing of pyarrow.
"""

STOPPED: Final = pa.list_(
    pa.field(
        "item",
        pa.struct(
            [
                pa.field("generator", _text),
                pa.field("samples", _int),
                pa.field("correct", _int),
                pa.field("why", _text),
            ]
        ),
    )
)
"""Why sampling of a problem stopped, by generator in the order of the recipe; `why` is a key of
`amounts.STOPS`."""


def _pick(schema: pa.Schema, *names: str) -> list[pa.Field]:
    return [schema.field(name) for name in names]


_generator = column("generator", _text, "the generator's name in the recipe")
_origin = _pick(PROBLEMS, "problem_id", "source")

_SAMPLES: Final = pa.schema(
    [
        *_pick(SAMPLES, "sample_id", "problem_id"),
        _generator,
        *[one for one in SAMPLES if one.name not in ("sample_id", "problem_id")],
        column("status", _text, "verdict of the verifier that decides; null when there is none", null=True),
        column("verdict_reason", _text, "the rule that decided, or why none could", null=True),
        *_pick(VERDICTS, "answer", "rule"),
        column("correct", pa.bool_(), "passed by the verifier that decides and failed by no other"),
        column("rejected_by", _text, "another verifier that failed it, name@version", null=True),
        column(
            "path", _text, "key of the reasoning path of a correct sample: equal key, equal path", null=True
        ),
        column("kept", pa.bool_(), "whether selection kept it; kept samples are the rows of `sft`"),
        column("reason", _text, "why it is in or out"),
        column("duplicate_of", _text, "sample_id of the row it repeats", null=True),
        column("rank", _int, "0, 1, 2, ... among the kept samples of its problem", null=True),
    ]
)

_PROBLEMS: Final = pa.schema(
    [
        *PROBLEMS,
        column("asked", pa.bool_(), "whether it was put to the generators"),
        column(
            "reason",
            _text,
            "asked, duplicate_problem, not_chosen, or bad_gold: and the verifier's word on the answer",
        ),
        column("repeat", _int, "0, 1, 2, ... among the rows of its source with this problem, as they came"),
        column(
            "stopped",
            STOPPED,
            "for each generator its samples of it here, how many of them are correct, and why no more were "
            "drawn; empty for a problem that was not asked",
        ),
    ]
)

_REWARDS: Final = [
    *_pick(PROBLEMS, "problem_id", "source", "answer", "tests", "difficulty"),
    column("samples", _int, "samples drawn of it in this release that could be judged"),
    column("correct", _int, "how many of them are correct: its solve rate is correct / samples"),
]


def _pair(kind: pa.DataType) -> list[pa.Field]:
    return [
        column("prompt", kind, "the problem, as its source words it"),
        column("chosen", kind, "a correct completion"),
        column("rejected", kind, "a completion that the verifier failed"),
        column("chosen_id", _text, "key of the chosen one in `samples`"),
        column("rejected_id", _text, "key of the rejected one in `samples`"),
        *_origin,
        column("chosen_generator", _text, "the generator of the chosen one"),
        column("rejected_generator", _text, "the generator of the rejected one"),
    ]


def _told(kind: pa.DataType, what: str, *more: pa.Field) -> list[pa.Field]:
    return [
        column("prompt", kind, "the problem, as its source words it"),
        column("completion", kind, what),
        *more,
        column("sample_id", _text, "its key in `samples`"),
        *_origin,
        _generator,
    ]


_label = column("label", pa.bool_(), "true for a correct completion, false for one that the verifier failed")

_COLUMNS: Final[Mapping[tuple[str, Form], pa.Schema]] = {
    ("sft", "text"): pa.schema(_told(_text, "a kept completion")),
    ("sft", "messages"): pa.schema(
        [
            column("messages", MESSAGES, "the problem by the user, a kept completion by the assistant"),
            column("sample_id", _text, "its key in `samples`"),
            *_origin,
            _generator,
        ]
    ),
    ("preference", "text"): pa.schema(_pair(_text)),
    ("preference", "messages"): pa.schema(_pair(MESSAGES)),
    ("kto", "text"): pa.schema(_told(_text, "a completion", _label)),
    ("kto", "messages"): pa.schema(_told(MESSAGES, "a completion", _label)),
    ("rewards", "text"): pa.schema(
        [column("prompt", _text, "the problem, as its source words it"), *_REWARDS]
    ),
    ("rewards", "messages"): pa.schema(
        [column("prompt", MESSAGES, "the problem, as its source words it"), *_REWARDS]
    ),
}

CONFIGS: Final = ("sft", "preference", "kto", "rewards", "samples", "problems")
"""Every config, in the order that cards and manifests list them."""

MEANINGS: Final[Mapping[str, str]] = {
    "sft": "every kept sample, for supervised fine-tuning",
    "preference": "a kept and a failed sample of the same problem, for DPO and reward models",
    "kto": "kept and failed samples with their label, for KTO",
    "rewards": "the problems with what a reward function needs, for GRPO and its kind",
    "samples": "every sample, wrong ones too, with its verdict and the reason it is in or out",
    "problems": "every problem of the recipe, with the reason where it was not asked",
}
"""What a config is, for people."""

EMPTY: Final[Mapping[str, str]] = {
    "sft": "no sample is kept",
    "preference": "no problem has a kept and a failed sample",
    "kto": "no sample is kept, and none failed",
    "rewards": "no problem was asked",
    "samples": "there is no sample",
    "problems": "there is no problem",
}
"""Why a config has no rows; such a config is left out, for no loader reads a file without rows."""

MARKED: Final = frozenset({"sft", "preference", "kto", "rewards"})
"""Configs whose files carry the release id; files of the others are shared by versions, byte for byte."""

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "sft": ("sample_id",),
    "preference": ("chosen_id", "rejected_id"),
    "kto": ("sample_id",),
    "rewards": ("problem_id",),
    "samples": ("sample_id",),
    "problems": ("problem_id", "source", "repeat"),  # a source may hold the same problem twice
}
"""What a row of a config is known by, within all splits of it."""

ACT_OF_SAMPLING: Final = ("run_id", "seconds", "engine_seconds", "stopped")
"""Columns that describe how a row came about and not what it is; outside content digests and diffs."""


def schema(config: str, form: Form = "text") -> pa.Schema:
    """The columns of `config`; `samples` and `problems` are the same in both forms."""
    if config == "samples":
        return _SAMPLES
    if config == "problems":
        return _PROBLEMS
    return _COLUMNS[config, form]

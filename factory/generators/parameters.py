"""How many weights of a model are used for one token, for FLOPs.

Guarantees: what a recipe says in `active_parameters` wins; else the model's files say it without the model
being loaded: tied weights once, embeddings included. None where they do not say it: packed quantised weights,
mixtures of experts (of which a token meets a few), files that are no safetensors, models behind a server.
Left out: attention over the context, which costs FLOPs and has no weights.
"""

from __future__ import annotations

import functools
import json
import math
import struct
from pathlib import Path
from typing import Any, Final

from factory.generators import references

HEADS: Final = ("lm_head.weight", "embed_out.weight")
"""Names of output embeddings, which some files repeat although they are tied to the input's."""

EMBEDDINGS: Final = ("embed_tokens.weight", "wte.weight", "embed_in.weight", "word_embeddings.weight")


def active(config: Any) -> float | None:
    """Of a generator or judge of a recipe; may fetch a model's files, does not load it. None: not known."""
    written: float | None = getattr(config, "active_parameters", None)
    if written is not None or config.engine not in ("transformers", "vllm"):
        return written
    return in_files(references.resolve(config.model).folder)


@functools.lru_cache(maxsize=64)
def in_files(folder: Path) -> float | None:
    """Of the model in a folder, from its settings and the headers of its safetensors alone.

    None too where these cannot be read, which an engine will say better.
    """
    try:
        return _counted(folder)
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        return None


def _counted(folder: Path) -> float | None:
    files = sorted(folder.glob("*.safetensors"))
    written = (folder / "config.json").read_text(encoding="utf-8")
    if not files or "quantization_config" in written or "expert" in written:
        return None
    shapes: dict[str, int] = {}
    for path in files:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
        shapes |= {name: math.prod(one["shape"]) for name, one in header.items() if name != "__metadata__"}
    if _tied(json.loads(written)) and any(name.endswith(EMBEDDINGS) for name in shapes):
        shapes = {name: size for name, size in shapes.items() if not name.endswith(HEADS)}
    return float(sum(shapes.values()))


def _tied(config: dict[str, Any]) -> bool:
    inner = config.get("text_config")
    found = config.get("tie_word_embeddings")
    if found is None and isinstance(inner, dict):
        found = inner.get("tie_word_embeddings")
    return bool(found)

"""From prompts to tokens and back, for the engines that run a model in this process.

Guarantees: a chat goes through the model's own chat template, a text goes in as it is; the chat template
is read from the model's files without loading the tokenizer, so that an identity costs no heavy import.
Left out: tools and images in chats, and the day's date, which some templates write into the prompt.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from factory.errors import UsageError, missing_extra
from factory.generators.base import Message


def load(folder: Path, extra: str = "local") -> Any:
    """The tokenizer in a model's folder; `extra` is what to install where transformers is missing."""
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise missing_extra("transformers", extra) from error
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{folder}: its tokenizer cannot be read ({error}). A model's folder needs tokenizer.json or "
            "tokenizer.model beside the weights"
        ) from error


def chat_template(folder: Path) -> str | None:
    """The chat template among a model's files, or None where it has none. Several: the one named default."""
    written = folder / "chat_template.jinja"
    if written.is_file():
        return written.read_text(encoding="utf-8")
    settings = folder / "tokenizer_config.json"
    if not settings.is_file():
        return None
    template = json.loads(settings.read_text(encoding="utf-8")).get("chat_template")
    if isinstance(template, list):
        template = {one["name"]: one["template"] for one in template}.get("default")
    return template if isinstance(template, str) else None


def encode(tokenizer: Any, prompt: str | Sequence[Message]) -> list[int]:
    """The tokens of a prompt: a text with the tokenizer's own first token, a chat in its chat template."""
    if isinstance(prompt, str):
        return list(tokenizer(prompt)["input_ids"])
    if not tokenizer.chat_template:
        raise UsageError(
            f"{tokenizer.name_or_path}: the model has no chat template, so it cannot take chat prompts. Use "
            "a prompt in completion mode, such as gsm8k-fewshot, or an instruction-tuned model"
        )
    messages = [dict(message) for message in prompt]
    return list(tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False))


class Encoder:
    """Puts prompts into tokens and remembers the last one: the draws of one problem follow each other."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._last: tuple[str | Sequence[Message], tuple[int, ...]] = ("", ())

    def __call__(self, prompt: str | Sequence[Message]) -> tuple[int, ...]:
        text, tokens = self._last
        if text != prompt or not tokens:
            tokens = tuple(encode(self._tokenizer, prompt))
            self._last = (prompt, tokens)
        return tokens


def decode(tokenizer: Any, tokens: Sequence[int]) -> str:
    """The text of tokens, without special ones and with blanks as they are."""
    text: str = tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return text


def cut_at_stop(text: str, stops: Sequence[str]) -> str | None:
    """`text` up to the first stop string in it, or None when there is none."""
    found = [position for stop in stops if (position := text.find(stop)) >= 0]
    return text[: min(found)] if found else None

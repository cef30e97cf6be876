"""Makes a small language model from nothing: random weights by a seed, a tokenizer made of its first texts.

Guarantees: the same settings and texts give the same files under one version of torch, transformers and
tokenizers; a text all of whose pieces are known comes back from its tokens to the letter, blanks and line
ends included. The files load as any checkpoint does, in transformers and in vLLM, and a text ends at the
token `<eos>`. Left out: teaching it anything (`child.py`), chat templates (its
prompts are of mode completion), and words that its first texts do not hold: they become `<unk>`.

A piece is a word, a single digit, or a run of one sign, each with the blank before it; or one blank or line
end that no such piece follows.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from factory.errors import UsageError, missing_extra
from factory.recipe import NewModel

UNKNOWN: Final = "<unk>"
PADDING: Final = "<pad>"
END: Final = "<eos>"
SPECIAL: Final = (PADDING, UNKNOWN, END)
"""The tokens 0, 1 and 2."""

PIECE: Final = r" ?[\p{L}\p{M}]+| ?\p{N}| ?([^\s\p{L}\p{M}\p{N}])\1*|\s"
"""The pieces of any text, end to end (of Oniguruma, which the tokenizers library matches with)."""

ALWAYS: Final = (" ", "\n", *(blank + digit for blank in ("", " ") for digit in "0123456789"))
"""Pieces that are tokens whether the texts hold them or not: a model that counts meets every digit."""

WIDTH: Final = 2
"""Size of a hidden layer of the feed-forward blocks, in sizes of the residual stream."""


def make(settings: NewModel, texts: Iterable[str], folder: Path) -> None:
    """Write config, weights, tokenizer and generation settings into `folder`, which it makes.

    `texts` are what the model will be taught first, prompts and completions: their pieces are its tokens.
    Raises UsageError for texts without any piece, for heads that do not divide the residual stream into even
    parts, and where torch, transformers or tokenizers is not installed.
    """
    if settings.hidden % (2 * settings.heads):
        raise UsageError(
            f"train.base: hidden {settings.hidden} does not part into {settings.heads} heads of even size, "
            f"which rotary positions need; make hidden a multiple of {2 * settings.heads}"
        )
    try:
        import torch
        from transformers import GenerationConfig, LlamaForCausalLM
        from transformers.utils import logging as transformers_logging
    except ImportError as error:
        raise missing_extra("transformers with torch", "local") from error
    transformers_logging.disable_progress_bar()  # the command line shows its own
    tokenizer = _tokenizer(texts, settings.context)
    # Sampling and other trainings of this process must not depend on whether a model was made before them.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = LlamaForCausalLM(_config(settings, len(tokenizer)))
    ids = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    model.generation_config = GenerationConfig(**ids)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _config(settings: NewModel, tokens: int) -> Any:
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=tokens,
        hidden_size=settings.hidden,
        intermediate_size=WIDTH * settings.hidden,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.heads,
        max_position_embeddings=settings.context,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=SPECIAL.index(END),
        pad_token_id=SPECIAL.index(PADDING),
        dtype="float32",
    )


def _tokenizer(texts: Iterable[str], context: int) -> Any:
    """A tokenizer of transformers whose tokens are SPECIAL, ALWAYS and the pieces of the texts, sorted."""
    try:
        from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
        from transformers import PreTrainedTokenizerFast
    except ImportError as error:
        raise missing_extra("transformers with tokenizers", "local") from error
    cut = pre_tokenizers.Split(Regex(PIECE), behavior="isolated")
    pieces = {piece for text in texts for piece, _ in cut.pre_tokenize_str(text)}
    if not pieces:
        raise UsageError(
            "train.base: a new model makes its tokenizer from what it is first taught, and there is no text; "
            "the release needs rows, such as worked solutions by a generator {engine: human}"
        )
    known = [*SPECIAL, *sorted(pieces | set(ALWAYS))]
    tokenizer = Tokenizer(models.WordLevel({piece: at for at, piece in enumerate(known)}, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = cut
    tokenizer.decoder = decoders.Fuse()  # without one, tokens are joined with blanks
    # Text that spells a special token is text: only the trainer and the model itself write these.
    tokenizer.add_special_tokens([AddedToken(one, special=True, normalized=False) for one in SPECIAL])
    tokenizer.encode_special_tokens = True
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=context,
        unk_token=UNKNOWN,
        pad_token=PADDING,
        eos_token=END,
        clean_up_tokenization_spaces=False,
        split_special_tokens=True,
    )

"""Models for the tests of engines: tiny random ones, made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

TINY = {
    "vocab_size": 258,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 400,
    "initializer_range": 0.4,  # logits far apart, so that rounding decides no greedy choice
    "bos_token_id": None,
    "eos_token_id": 257,
    "pad_token_id": 256,
}


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama whose tokens are the bytes of the text."""
    from transformers import LlamaConfig, LlamaForCausalLM

    return _saved(LlamaForCausalLM, LlamaConfig(**TINY), tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="session")
def tiny_gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Gemma 3: one layer sees 8 tokens back, the other all."""
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    config = Gemma3TextConfig(
        **TINY, sliding_window=8, layer_types=["sliding_attention", "full_attention"], query_pre_attn_scalar=8
    )
    return _saved(Gemma3ForCausalLM, config, tmp_path_factory.mktemp("gemma"))


@pytest.fixture(scope="session")
def tiny_mamba(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random state-space model, which has no keys and values."""
    from transformers import MambaConfig, MambaForCausalLM

    config = MambaConfig(vocab_size=258, hidden_size=16, num_hidden_layers=1, state_size=4, eos_token_id=257)
    return _saved(MambaForCausalLM, config, tmp_path_factory.mktemp("mamba"))


def _saved(kind: Any, config: Any, folder: Path) -> Path:
    import torch

    torch.manual_seed(1)
    kind(config).save_pretrained(folder)
    _byte_tokenizer().save_pretrained(folder)
    return folder


def _byte_tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=letters, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>")
    wrapped.chat_template = (
        "{% for message in messages %}[{{ message.role }}]{{ message.content }}{% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    return wrapped

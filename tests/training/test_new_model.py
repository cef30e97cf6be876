"""New models: the same by the seed, a tokenizer that gives texts back, files that the engine samples."""

from __future__ import annotations

import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.errors import UsageError
from factory.generators import references, tokenizing
from factory.generators.base import Completion, Request
from factory.generators.transformers_engine import TransformersEngine
from factory.recipe import Decoding, NewModel, Prompt, TransformersGenerator
from factory.training import new_model

TINY = NewModel(hidden=8, layers=1, heads=2, context=64)
TEXTS = ("Ana has 12 apples.\n", "12 - 5 = 7.\n#### 7", "Élan, don't!\tx  y…", "<eos> is <unk>")


def made(folder: Path, settings: NewModel = TINY, texts: Sequence[str] = TEXTS) -> Path:
    new_model.make(settings, texts, folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("new") / "model")


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Any:
    return tokenizing.load(folder)


def tokens(tokenizer: Any, text: str) -> list[str]:
    return list(tokenizer.convert_ids_to_tokens(tokenizing.encode(tokenizer, text)))


# --- the tokenizer -----------------------------------------------------------------------------------


def test_tokens_are_words_digits_and_runs_of_a_sign(tokenizer: Any) -> None:
    assert tokens(tokenizer, "Ana has 12 apples.\n#### 7") == [
        *("Ana", " has", " 1", "2", " apples", ".", "\n", "####", " 7")
    ]


@pytest.mark.parametrize("text", [*TEXTS, "", "7", " 7\n\n  8 ", "0123456789", "Ana  has"])
def test_what_it_was_made_of_comes_back(tokenizer: Any, text: str) -> None:
    assert tokenizing.decode(tokenizer, tokenizing.encode(tokenizer, text)) == text


@given(data=st.data(), texts=st.lists(st.text(max_size=40), min_size=1, max_size=4))
def test_any_text_of_known_pieces_comes_back(data: st.DataObject, texts: list[str]) -> None:
    """The law of the module, over tokenizers of any texts, for text put together from their pieces."""
    tokenizer = new_model._tokenizer([*texts, "1"], 64)
    pieces = sorted(set(tokenizer.get_vocab()) - set(new_model.SPECIAL))
    text = "".join(data.draw(st.lists(st.sampled_from(pieces), max_size=12)))
    ids = tokenizing.encode(tokenizer, text)
    if tokenizer.unk_token_id not in ids:  # two pieces may run into one that is not known: "a" "b" is "ab"
        assert tokenizing.decode(tokenizer, ids) == text
    for one in texts:
        assert tokenizing.decode(tokenizer, tokenizing.encode(tokenizer, one)) == one


@given(first=st.text(alphabet=string.digits + " \n", max_size=20), then=st.integers(0, 9999))
def test_numbers_are_known_wherever_they_stand(first: str, then: int) -> None:
    tokenizer = new_model._tokenizer(["x"], 64)
    text = f"{first}{then}"
    ids = tokenizing.encode(tokenizer, text)
    assert tokenizer.unk_token_id not in ids
    assert tokenizing.decode(tokenizer, ids) == text


def test_prompt_and_completion_are_the_tokens_of_the_whole_where_a_line_ends(tokenizer: Any) -> None:
    prompt, completion = "Ana has 12 apples.\n", "12 - 5 = 7.\n#### 7"
    apart = tokenizing.encode(tokenizer, prompt) + tokenizing.encode(tokenizer, completion)
    assert apart == tokenizing.encode(tokenizer, prompt + completion)


def test_a_word_that_it_was_not_made_of_is_unknown_and_no_part_of_a_text(tokenizer: Any) -> None:
    assert tokens(tokenizer, "Ana sells 3") == ["Ana", "<unk>", " 3"]
    assert tokenizing.decode(tokenizer, tokenizing.encode(tokenizer, "Ana sells 3")) == "Ana 3"


def test_text_cannot_spell_the_end_or_the_padding(tokenizer: Any) -> None:
    ids = tokenizing.encode(tokenizer, "<eos><unk><pad>")
    assert {tokenizer.eos_token_id, tokenizer.pad_token_id}.isdisjoint(ids)


def test_its_order_is_no_matter_of_the_order_of_the_texts(tmp_path: Path) -> None:
    a, b = made(tmp_path / "a"), made(tmp_path / "b", texts=TEXTS[::-1])
    assert (a / "tokenizer.json").read_bytes() == (b / "tokenizer.json").read_bytes()
    assert references.folder_digest(a) == references.folder_digest(b)


def test_without_a_text_there_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no text; the release needs rows, such as worked solution"):
        made(tmp_path / "none", texts=["", ""])
    assert not (tmp_path / "none").exists()


# --- the model ---------------------------------------------------------------------------------------


def test_the_seed_makes_the_weights(tmp_path: Path, folder: Path) -> None:
    import torch

    torch.rand(3)
    again = made(tmp_path / "again")
    other = made(tmp_path / "other", TINY.model_copy(update={"seed": 1}))
    assert (again / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    assert (other / "model.safetensors").read_bytes() != (folder / "model.safetensors").read_bytes()


def test_making_one_leaves_the_random_numbers_of_others_alone(tmp_path: Path) -> None:
    import torch

    torch.manual_seed(3)
    expected = torch.rand(2).tolist()
    torch.manual_seed(3)
    made(tmp_path / "model")
    assert torch.rand(2).tolist() == expected


def test_it_loads_as_what_was_asked_for(folder: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder)
    config, ends = model.config, model.generation_config
    assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) == (8, 1, 2)
    assert (config.max_position_embeddings, config.vocab_size) == (64, len(tokenizing.load(folder)))
    assert (type(model).__name__, str(model.dtype)) == ("LlamaForCausalLM", "torch.float32")
    assert (ends.eos_token_id, ends.pad_token_id, config.eos_token_id, config.pad_token_id) == (2, 0, 2, 0)


def test_the_default_has_half_a_million_parameters(tmp_path: Path) -> None:
    from safetensors import safe_open

    with safe_open(made(tmp_path / "model", NewModel()) / "model.safetensors", "pt") as file:
        sizes = [file.get_tensor(name).numel() for name in list(file.keys())]
    assert 450_000 < sum(sizes) < 550_000


@pytest.mark.parametrize(("hidden", "heads", "multiple"), [(8, 3, 6), (24, 8, 16), (8, 8, 16)])
def test_heads_that_do_not_part_it_are_refused(
    tmp_path: Path, hidden: int, heads: int, multiple: int
) -> None:
    settings = NewModel(hidden=hidden, heads=heads)
    with pytest.raises(UsageError) as caught:
        made(tmp_path / "model", settings)
    assert str(caught.value) == (
        f"train.base: hidden {hidden} does not part into {heads} heads of even size, which rotary positions "
        f"need; make hidden a multiple of {multiple}"
    )


# --- sampling ----------------------------------------------------------------------------------------


def test_the_engine_samples_it(folder: Path) -> None:
    config = TransformersGenerator(
        engine="transformers",
        model=str(folder),
        prompt=Prompt(mode="completion", template="{{ prompt }}\n"),
        decoding=Decoding(temperature=1.0, max_tokens=8),
    )
    engine = TransformersEngine(config)
    try:
        requests = [Request(str(n), "p", n, n, "Ana has 12 apples.\n") for n in range(40)]
        found = list(engine.generate(requests))
    finally:
        engine.close()
    drawn = [one for one in found if isinstance(one, Completion)]
    assert len(drawn) == 40
    assert {one.prompt_tokens for one in drawn} == {7}
    assert {one.finish_reason for one in drawn} == {"stop", "length"}
    assert not any(special in one.text for one in drawn for special in new_model.SPECIAL)

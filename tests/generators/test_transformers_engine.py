"""The embedded engine against `model.generate`, and what it promises about order, seeds, ends and costs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from factory.errors import UsageError
from factory.generators import tokenizing
from factory.generators.base import Completion, Failure, Message, Request
from factory.generators.engines import model_parts
from factory.generators.references import ModelFiles
from factory.generators.transformers_engine import TransformersEngine
from factory.recipe import Decoding, TransformersGenerator


def config(model: Path, slots: int = 3, **decoding: Any) -> TransformersGenerator:
    return TransformersGenerator(
        engine="transformers", model=str(model), slots=slots, decoding=Decoding(**decoding)
    )


def ask(prompt: str | tuple[Message, ...], number: int = 0, seed: int | None = None) -> Request:
    return Request(str(number), "p", number, number if seed is None else seed, prompt)


def serve(engine: TransformersEngine, requests: list[Request]) -> dict[str, Completion]:
    done = list(engine.generate(requests))
    assert all(isinstance(one, Completion) for one in done)
    found = {one.request.sample_id: one for one in done if isinstance(one, Completion)}
    assert len(found) == len(requests)
    return found


def greedy(engine: TransformersEngine, prompt: str | tuple[Message, ...], new: int) -> list[int]:
    """The tokens that transformers' own generate writes, alone."""
    assert engine.loaded is not None
    tokens = torch.tensor([tokenizing.encode(engine.loaded.tokenizer, prompt)])
    written = engine.loaded.model.generate(
        tokens, attention_mask=torch.ones_like(tokens), do_sample=False, max_new_tokens=new
    )
    return [int(one) for one in written[0, tokens.shape[1] :]]


# --- the same text as generate -----------------------------------------------------------------------


@pytest.mark.parametrize("model", ["tiny_llama", "tiny_gemma"])
def test_greedy_texts_are_those_of_generate(model: str, request: pytest.FixtureRequest) -> None:
    """More requests than slots, prompts of 1 to 150 tokens (a long one comes late), 90 new tokens each."""
    prompts = ["a", "hello", "x" * 20, "the quick brown fox " * 2, "zz", "1 + 1 = " * 18, "end", "y" * 70]
    engine = TransformersEngine(config(request.getfixturevalue(model), temperature=0.0, max_tokens=90))
    assert engine.loaded is not None
    done = serve(engine, [ask(prompt, number) for number, prompt in enumerate(prompts)])
    for number, prompt in enumerate(prompts):
        expected = greedy(engine, prompt, 90)
        ends = expected[-1] in engine.loaded.eos_ids
        text = tokenizing.decode(engine.loaded.tokenizer, expected[:-1] if ends else expected)
        assert (done[str(number)].text, done[str(number)].completion_tokens) == (text, len(expected)), prompt


@pytest.mark.parametrize("model", ["tiny_llama", "tiny_gemma"])
def test_log_probabilities_are_those_of_one_plain_pass(model: str, request: pytest.FixtureRequest) -> None:
    engine = TransformersEngine(
        config(request.getfixturevalue(model), temperature=0.0, max_tokens=40), eos_ids=()
    )
    assert engine.loaded is not None
    prompts = ["some words", "b", "more words than before"]
    done = serve(engine, [ask(prompt, number) for number, prompt in enumerate(prompts)])
    for number, prompt in enumerate(prompts):
        start = tokenizing.encode(engine.loaded.tokenizer, prompt)
        written = engine.loaded.model.generate(
            torch.tensor([start]), do_sample=False, max_new_tokens=40, min_new_tokens=40
        )[0]
        with torch.inference_mode():
            logs = engine.loaded.model(written[None]).logits[0].log_softmax(-1)
        places = range(len(start), len(written))
        total = sum(float(logs[place - 1, written[place]]) for place in places)
        assert done[str(number)].logprob == pytest.approx(total, abs=0.01)


def test_the_real_model_writes_what_generate_writes(smollm2: ModelFiles) -> None:
    questions = ["What is 2 + 3?", "Name a colour.", "Write one short sentence about the sea, please.", "Hi"]
    chats: list[tuple[Message, ...]] = [({"role": "user", "content": one},) for one in questions]
    engine = TransformersEngine(config(smollm2.folder, slots=2, temperature=0.0, max_tokens=12))
    assert engine.loaded is not None
    done = serve(engine, [ask(chat, number) for number, chat in enumerate(chats)])
    for number, chat in enumerate(chats):
        expected = tokenizing.decode(engine.loaded.tokenizer, greedy(engine, chat, 12))
        assert done[str(number)].text == expected
    assert done["0"].prompt_tokens == len(tokenizing.encode(engine.loaded.tokenizer, chats[0]))


# --- continuous batching -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def restless(tiny_llama: Path) -> TransformersEngine:
    """Draws at temperature 1 from a random model where every eighth token ends the text."""
    eos = tuple(range(0, 258, 8))
    return TransformersEngine(config(tiny_llama, temperature=1.0, max_tokens=60), eos_ids=eos)


def test_requests_are_pulled_as_slots_fall_free_and_yielded_as_they_end(restless: TransformersEngine) -> None:
    pulled: list[int] = []

    def source() -> Iterator[Request]:
        for number in range(30):
            pulled.append(number)
            yield ask(f"question {number}", number)

    ended: list[int] = []
    for one in restless.generate(source()):
        assert len(pulled) <= len(ended) + 3
        ended.append(int(one.request.sample_id))
    assert sorted(ended) == list(range(30))
    assert ended != list(range(30))
    overtaken = [
        later for later in range(3, 30) for early in range(3) if ended.index(later) < ended.index(early)
    ]
    assert overtaken, "a request that waited ended before one of the first three"


def test_a_consumer_may_stop_and_the_engine_serves_on(restless: TransformersEngine) -> None:
    first = restless.generate(ask(f"question {number}", number) for number in range(30))
    next(iter(first))
    del first
    assert len(serve(restless, [ask("again", 1)])) == 1


def test_the_same_seed_gives_the_same_text_alone_and_beside_others(restless: TransformersEngine) -> None:
    requests = [ask(f"question {number % 4}", number, seed=number % 5) for number in range(20)]
    together = serve(restless, requests)
    alone = {one.sample_id: serve(restless, [one])[one.sample_id] for one in requests}
    assert {key: one.text for key, one in together.items()} == {key: one.text for key, one in alone.items()}
    for key, one in together.items():
        assert one.logprob == pytest.approx(alone[key].logprob, abs=1e-3)


def test_another_seed_gives_another_text(tiny_llama: Path) -> None:
    engine = TransformersEngine(config(tiny_llama, temperature=1.0, max_tokens=20), eos_ids=())
    done = serve(engine, [ask("question", number) for number in range(6)])
    assert len({one.text for one in done.values()}) == 6
    assert [done[str(number)].seed for number in range(6)] == list(range(6))


@pytest.mark.parametrize("slots", [1, 2, 8])
def test_the_draws_of_one_prompt_share_one_pass_over_it(tiny_llama: Path, slots: int) -> None:
    engine = TransformersEngine(config(tiny_llama, slots=slots, temperature=1.0, max_tokens=5), eos_ids=())
    assert engine.loaded is not None
    prompts = ["first", "first", "first", "another", "another", "first"]
    done = serve(engine, [ask(prompt, number) for number, prompt in enumerate(prompts)])
    unit = 2.0 * engine.loaded.parameters
    read = [done[str(number)].flops == unit * (len(prompt) + 5) for number, prompt in enumerate(prompts)]
    assert read == [True, False, False, True, False, True]
    assert all(
        done[str(number)].flops in (unit * 5, unit * (len(one) + 5)) for number, one in enumerate(prompts)
    )
    assert [done[str(number)].prompt_tokens for number in range(6)] == [5, 5, 5, 7, 7, 5]


# --- ends and refusals -------------------------------------------------------------------------------


def test_a_text_that_is_cut_says_length(tiny_llama: Path) -> None:
    engine = TransformersEngine(config(tiny_llama, temperature=0.0, max_tokens=7), eos_ids=())
    (one,) = serve(engine, [ask("a")]).values()
    assert (one.finish_reason, one.completion_tokens) == ("length", 7)


def test_an_end_token_says_stop_and_is_counted_but_not_shown(tiny_llama: Path) -> None:
    engine = TransformersEngine(config(tiny_llama, temperature=0.0, max_tokens=7), eos_ids=())
    assert engine.loaded is not None
    expected = greedy(engine, "a", 7)
    ender = next(token for token in expected if token != expected[0])
    at = expected.index(ender)
    ending = TransformersEngine(config(tiny_llama, temperature=0.0, max_tokens=7), eos_ids=(ender,))
    (one,) = serve(ending, [ask("a")]).values()
    assert (one.finish_reason, one.completion_tokens) == ("stop", at + 1)
    assert one.text == tokenizing.decode(engine.loaded.tokenizer, expected[:at])


def test_a_text_ends_before_its_stop_string(tiny_llama: Path) -> None:
    """The tokens are bytes, so a stop string of several letters is found across tokens."""
    free = TransformersEngine(config(tiny_llama, temperature=1.0, max_tokens=40), eos_ids=())
    whole = serve(free, [ask("a", number) for number in range(8)])
    checked = 0
    for number, one in whole.items():
        stop = one.text[10:13]
        if not stop.isascii() or len(stop) < 3:
            continue
        checked += 1
        engine = TransformersEngine(
            config(tiny_llama, temperature=1.0, max_tokens=40, stop=("never in it", stop)), eos_ids=()
        )
        (cut,) = serve(engine, [ask("a", int(number))]).values()
        assert (cut.text, cut.finish_reason) == (one.text[: one.text.index(stop)], "stop")
        if checked == 2:
            break
    assert checked, "the random model wrote no three plain letters"


def test_what_does_not_fit_is_a_failure_and_the_others_go_on(tiny_llama: Path) -> None:
    engine = TransformersEngine(config(tiny_llama, temperature=0.0, max_tokens=10))
    done = list(engine.generate([ask("a", 0), ask("x" * 391, 1), ask("x" * 390, 2), ask("", 3), ask("b", 4)]))
    failed = {one.request.sample_id: one.reason for one in done if isinstance(one, Failure)}
    assert "391 tokens; with max_tokens 10 it exceeds the model's context of 400" in failed["1"]
    assert failed["3"] == "the prompt has no tokens"
    assert {one.request.sample_id for one in done if isinstance(one, Completion)} == {"0", "2", "4"}


def test_a_model_without_keys_and_values_is_refused(tiny_mamba: Path) -> None:
    with pytest.raises(UsageError, match=r"MambaForCausalLM.*full_attention, sliding_attention"):
        TransformersEngine(config(tiny_mamba))


def test_a_chat_needs_a_chat_template(tiny_llama: Path) -> None:
    engine = TransformersEngine(config(tiny_llama, max_tokens=3))
    assert engine.loaded is not None
    engine.loaded.tokenizer.chat_template = None
    with pytest.raises(UsageError, match=r"no chat template.*gsm8k-fewshot"):
        list(engine.generate([ask(({"role": "user", "content": "a"},))]))


def test_a_closed_engine_says_so(tiny_llama: Path) -> None:
    engine = TransformersEngine(config(tiny_llama))
    engine.close()
    engine.close()
    with pytest.raises(RuntimeError, match="closed"):
        list(engine.generate([ask("a")]))


def test_the_identity_holds_the_weights_and_not_their_place(tiny_llama: Path) -> None:
    parts = model_parts(config(tiny_llama, slots=7))
    assert parts["model"] is None
    assert len(parts["weights"] or "") == 64
    assert "add_generation_prompt" in (parts["chat_template"] or "")
    assert parts == model_parts(config(tiny_llama, slots=1))

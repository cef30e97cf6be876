"""Engines whose requests become ready as others end; what prompts and failures may cost, what is repeated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from factory.errors import OutsideError
from factory.generators import parameters, tokenizing
from factory.generators.base import Completion, Failure, Message, Request
from factory.generators.openai_engine import OpenAIEngine
from factory.generators.pulling import pull
from factory.generators.transformers_engine import TransformersEngine
from factory.recipe import Decoding, OpenAIGenerator, TransformersGenerator
from tests.support.asking import ask, engine_for
from tests.support.openai_server import Fault, ScriptedServer


def in_turn(requests: list[Request], ended: list[object], holes: int = 3) -> Iterator[Request | None]:
    """Each request as soon as the one before it has ended, with `holes` times nothing before it."""
    for number, request in enumerate(requests):
        while len(ended) < number:
            yield None
        for _ in range(holes):
            yield None
        yield request


def served(engine: Any, requests: list[Request]) -> list[str]:
    ended: list[object] = []
    for outcome in engine.generate(in_turn(requests, ended)):
        assert isinstance(outcome, Completion), outcome
        ended.append(outcome)
    return [one.request.sample_id for one in ended if isinstance(one, Completion)]


def embedded(model: Path, **more: Any) -> TransformersEngine:
    config = {"engine": "transformers", "model": str(model), "slots": 3, "decoding": {"max_tokens": 6}} | more
    return TransformersEngine(TransformersGenerator.model_validate(config))


# --- requests that are not ready ---------------------------------------------------------------------


def test_pull_takes_what_is_ready_and_no_more_than_there_is_room() -> None:
    one, two, three = ask(1), ask(2), ask(3)
    source = iter([one, two, None, three])
    assert pull(source, 1) == ([one], True)
    assert pull(source, 5) == ([two], True), "nothing was ready after it"
    assert pull(source, 0) == ([], True)
    assert pull(source, 5) == ([three], False)
    assert pull(source, 5) == ([], False)


def test_the_embedded_engine_serves_what_becomes_ready(tiny_llama: Path) -> None:
    requests = [Request(str(number), "p", number, number, "hello") for number in range(4)]
    assert served(embedded(tiny_llama), requests) == ["0", "1", "2", "3"]


def test_the_embedded_engine_goes_on_while_nothing_is_ready(tiny_llama: Path) -> None:
    """What is under way ends although its source has nothing to give."""
    done: list[str] = []

    def source() -> Iterator[Request | None]:
        yield Request("a", "p", 0, 0, "hello")
        while not done:
            yield None

    for outcome in embedded(tiny_llama).generate(source()):
        done.append(outcome.request.sample_id)
    assert done == ["a"]


def test_a_server_is_asked_what_becomes_ready() -> None:
    with ScriptedServer(delay=0.02) as server:
        engine = engine_for(server, concurrency=4)
        assert served(engine, [ask(number) for number in range(4)]) == [f"sample{n}" for n in range(4)]
        engine.close()


@pytest.mark.parametrize("holes", [0, 5])
def test_no_request_after_holes_is_no_work(tiny_llama: Path, holes: int) -> None:
    with ScriptedServer() as server:
        for engine in (embedded(tiny_llama), engine_for(server)):
            assert list(engine.generate(iter([None] * holes))) == []
            engine.close()
        assert not server.log


# --- weights used for a token ------------------------------------------------------------------------


def test_parameters_are_those_of_the_model_unless_the_recipe_says(tiny_llama: Path) -> None:
    engine = embedded(tiny_llama)
    assert engine.loaded is not None
    assert engine.parameters == engine.loaded.model.num_parameters()
    assert embedded(tiny_llama, active_parameters=123.0).parameters == 123.0


def files(folder: Path, config: dict[str, Any], **shapes: list[int]) -> Path:
    """A folder with the header of a checkpoint, and no weights."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    header = {
        name: {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]} for name, shape in shapes.items()
    }
    written = json.dumps(header | {"__metadata__": {"format": "pt"}}).encode()
    (folder / "model.safetensors").write_bytes(len(written).to_bytes(8, "little") + written)
    return folder


SHAPES = {"model.embed_tokens.weight": [10, 4], "model.norm.weight": [4], "lm_head.weight": [10, 4]}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"tie_word_embeddings": True}, 44.0),
        ({"text_config": {"tie_word_embeddings": True}}, 44.0),
        ({"tie_word_embeddings": False}, 84.0),
        ({"num_local_experts": 8}, None),
        ({"quantization_config": {"bits": 4}}, None),
    ],
)
def test_weights_are_counted_once_and_only_where_files_say_them(
    tmp_path: Path, config: dict[str, Any], expected: float | None
) -> None:
    assert parameters.in_files(files(tmp_path / "model", config, **SHAPES)) == expected


def test_a_model_behind_a_server_has_the_parameters_that_are_written() -> None:
    config = {"engine": "openai", "base_url": "http://127.0.0.1:1/v1", "model": "m"}
    assert parameters.active(OpenAIGenerator.model_validate(config)) is None
    assert parameters.active(OpenAIGenerator.model_validate(config | {"active_parameters": 5.0})) == 5.0


# --- tokens of a prompt ------------------------------------------------------------------------------


def test_the_embedded_engine_knows_the_tokens_of_a_prompt(tiny_llama: Path) -> None:
    engine = embedded(tiny_llama)
    (done,) = engine.generate([Request("a", "p", 0, 0, "hello there")])
    assert isinstance(done, Completion)
    assert engine.most_prompt_tokens("hello there") == done.prompt_tokens


@pytest.mark.parametrize("text", ["What is 3 + 4?", "x" * 3000, "日本語 𝒳", "\ud800"])
@pytest.mark.parametrize("chat", [True, False])
def test_the_bound_of_a_prompt_holds_for_a_tokenizer_of_bytes(
    tiny_llama: Path, text: str, chat: bool
) -> None:
    """No tokenizer writes more tokens than bytes; this one writes as many."""
    prompt: str | tuple[Message, ...] = ({"role": "user", "content": text},) if chat else text
    known = tokenizing.load(tiny_llama)
    engine = engine_for("http://127.0.0.1:1/v1")
    clean = text.encode("utf-8", "replace").decode()
    asked: str | tuple[Message, ...] = ({"role": "user", "content": clean},) if chat else clean
    assert engine.most_prompt_tokens(prompt) >= len(tokenizing.encode(known, asked))


def test_what_a_server_counted_takes_the_place_of_the_bound() -> None:
    with ScriptedServer() as server:
        engine = engine_for(server)
        before = engine.most_prompt_tokens(ask(1).prompt)
        (done,) = engine.generate([ask(1)])
        assert isinstance(done, Completion)
        assert before > 200
        assert engine.most_prompt_tokens(ask(1).prompt) == done.prompt_tokens == 5
        assert engine.most_prompt_tokens(ask(2).prompt) == before, "of this prompt alone"
        engine.close()


# --- what may be paid for ----------------------------------------------------------------------------


def outcome(engine: OpenAIEngine) -> Completion | Failure:
    (found,) = engine.generate([ask(0)])
    engine.close()
    return found


@pytest.mark.parametrize(
    ("kind", "began"),
    [
        ("500", True),
        ("503", True),
        ("cut", True),
        ("malformed", True),
        ("slow", True),
        ("429", False),
        ("400", False),
    ],
)
def test_a_failure_says_whether_work_may_have_begun(kind: str, began: bool) -> None:
    with ScriptedServer(faults=[Fault(kind, retry_after="0", seconds=1.0)]) as server:
        found = outcome(engine_for(server, timeout=0.3))
    assert isinstance(found, Failure)
    assert (found.began, found.over) == (began, False), found.reason


@pytest.mark.parametrize(("kind", "asked"), [("500", 2), ("429", 0), ("cut", 2)])
def test_it_is_asked_before_what_may_be_paid_for_is_repeated(kind: str, asked: int) -> None:
    with ScriptedServer(faults=[Fault(kind, at=range(2), retry_after="0")]) as server:
        engine, seen = engine_for(server), list[str]()
        engine.again = lambda request: not seen.append(request.sample_id)  # type: ignore[func-returns-value]
        assert isinstance(outcome(engine), Completion)
    assert seen == ["sample0"] * asked


def test_without_room_in_the_budget_nothing_is_repeated() -> None:
    with ScriptedServer(faults=[Fault("500")]) as server:
        engine = engine_for(server)
        engine.again = lambda request: False
        found = outcome(engine)
        assert len(server.log) == 1
    assert isinstance(found, Failure)
    assert (found.began, found.over) == (True, True)
    assert found.reason == "HTTP 500 (scripted 500); the budget has no room for another attempt"


def test_an_attempt_waits_for_room_in_the_budget() -> None:
    with ScriptedServer(faults=[Fault("500", at=[0])]) as server:
        engine, words = engine_for(server), iter([None, None, True])
        engine.again = lambda request: next(words)
        assert isinstance(outcome(engine), Completion)
    assert next(words, "all asked") == "all asked"


def test_whoever_is_refused_from_the_start_has_cost_nothing() -> None:
    """Each of the requests that were handed over comes back, so that none is taken for paid."""
    with ScriptedServer(key="secret") as server:
        engine, found = engine_for(server, concurrency=4), list[Completion | Failure]()
        with pytest.raises(OutsideError, match="access refused"):
            found.extend(engine.generate([ask(number) for number in range(6)]))
        engine.close()
    assert sorted(one.request.sample_id for one in found) == [f"sample{n}" for n in range(6)]
    assert not any(isinstance(one, Completion) or one.began for one in found)


def test_decoding_is_what_bounds_a_text() -> None:
    with ScriptedServer(words=50) as server:
        done = outcome(engine_for(server, decoding=Decoding(max_tokens=7).model_dump()))
    assert isinstance(done, Completion)
    assert done.completion_tokens == 7

"""The engine for OpenAI-compatible servers against a scripted one: what is sent, kept, retried; its flow."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from factory.generators import openai_link
from factory.generators.base import Completion, Failure, Request
from factory.recipe import Decoding
from tests.support.asking import ask, engine_for, only, reason, run
from tests.support.openai_server import Fault, ScriptedServer, answer


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as one:
        yield one


# --- what is sent and what is kept -------------------------------------------------------------------


def test_a_chat_request_carries_messages_decoding_and_seed(server: ScriptedServer) -> None:
    decoding = Decoding(temperature=0.5, top_p=0.9, top_k=20, max_tokens=7, stop=("\n\n",))
    run(server, [ask(3)], decoding=decoding.model_dump())
    sent = server.log[0]
    assert sent.path == "/v1/chat/completions"
    assert sent.body == {
        "model": "tiny",
        "messages": list(ask(3).prompt),
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 20,
        "max_tokens": 7,
        "stop": ["\n\n"],
        "seed": 1003,
    }
    assert "authorization" not in sent.headers


def test_a_text_prompt_goes_to_completions_and_defaults_are_not_sent(server: ScriptedServer) -> None:
    done = only(run(server, [ask(3, chat=False)]))
    sent = server.log[0]
    assert sent.path == "/v1/completions"
    assert sent.body["prompt"] == "What is 3 + 4?"
    assert not {"top_k", "stop", "messages"} & set(sent.body)
    assert done.text == answer("tiny", "What is 3 + 4?", 1003)


def test_a_completion_holds_text_counts_seed_and_flops(server: ScriptedServer) -> None:
    done = only(run(server, [ask(3)], active_parameters=1.0e9))
    assert done.text == answer("tiny", "What is 3 + 4?", 1003)
    assert (done.finish_reason, done.seed, done.logprob) == ("stop", 1003, None)
    assert (done.prompt_tokens, done.completion_tokens) == (5, len(done.text.split()))
    assert done.flops == 2.0e9 * (5 + len(done.text.split()))
    assert 0 < done.seconds < 5


def test_a_completion_cut_at_max_tokens_is_kept_as_length(server: ScriptedServer) -> None:
    done = only(run(server, [ask(3)], decoding={"max_tokens": 2}))
    assert done.finish_reason == "length"
    assert done.completion_tokens == 2


def test_flops_are_unknown_without_parameters_and_seeds_can_be_left_out(server: ScriptedServer) -> None:
    done = only(run(server, [ask(3)], send_seed=False))
    assert (done.flops, done.seed) == (None, None)
    assert "seed" not in server.log[0].body


def test_an_empty_text_is_a_completion() -> None:
    with ScriptedServer(faults=[Fault("empty_text")]) as server:
        assert only(run(server, [ask(3)])).text == ""
        assert server.done == {"empty_text": 1}


def test_a_lone_surrogate_in_a_prompt_is_sent_and_in_a_reply_replaced() -> None:
    reply = {"choices": [{"message": {"content": "a\ud800b"}, "finish_reason": "stop"}]}
    with ScriptedServer(reply=lambda body: reply) as server:
        done = only(run(server, [Request("s", "p", 0, 1, "x\udfff")]))
    assert server.log[0].body["prompt"] == "x\udfff"
    assert done.text == "a\ufffdb"
    assert (done.prompt_tokens, done.completion_tokens) == (None, None)


# --- faults that pass --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["408", "429", "500", "502", "503", "malformed", "cut", "empty_choices"])
def test_what_can_pass_is_tried_again(kind: str) -> None:
    with ScriptedServer(faults=[Fault(kind, at=range(3))]) as server:
        done = only(run(server, [ask(3)]))
        assert done.text == answer("tiny", "What is 3 + 4?", 1003)
        assert server.done == {kind: 3, "answered": 1}


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("429", "HTTP 429 (scripted 429) x6"),
        ("500", "HTTP 500 (scripted 500) x6"),
        ("malformed", "malformed JSON"),
        ("cut", "connection cut (RemoteProtocolError"),
        ("empty_choices", "empty choices x6"),
    ],
)
def test_what_does_not_pass_is_a_failure_that_names_what_was_seen(kind: str, said: str) -> None:
    with ScriptedServer(faults=[Fault(kind)]) as server:
        told = reason(run(server, [ask(3)]))
        assert server.done == {kind: openai_link.ATTEMPTS}
    assert told.startswith("gave up after 6 attempts: ")
    assert said in told


def test_mixed_faults_are_all_named() -> None:
    faults = [Fault("500", at=[0, 2]), Fault("cut", at=[1, 3, 4, 5])]
    with ScriptedServer(faults=faults) as server:
        told = reason(run(server, [ask(3)]))
    assert "HTTP 500 (scripted 500) x2" in told
    assert "connection cut" in told


@pytest.mark.parametrize("status", ["400", "405", "413", "422"])
def test_other_refusals_are_not_tried_again(status: str) -> None:
    with ScriptedServer(faults=[Fault(status)]) as server:
        assert reason(run(server, [ask(3)])) == f"HTTP {status} (scripted {status})"
        assert server.done == {status: 1}


def test_a_reply_larger_than_any_completion_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_link, "ATTEMPTS", 2)
    with ScriptedServer(faults=[Fault("huge")]) as server:
        assert "a reply of more than 67108864 bytes x2" in reason(run(server, [ask(3)]))


def test_a_slow_reply_is_a_fault_after_the_timeout() -> None:
    with ScriptedServer(faults=[Fault("slow", at=[0])]) as server:
        done = only(run(server, [ask(3)], timeout=0.2))
        assert server.done == {"slow": 1, "answered": 1}
        assert 0.2 < done.seconds < 4


def test_retry_after_in_seconds_holds_for_all_requests() -> None:
    with ScriptedServer(faults=[Fault("429", at=[0], retry_after="1")]) as server:
        results = run(server, [ask(index) for index in range(4)], concurrency=1)
        assert all(isinstance(one, Completion) for one in results)
        times = [one.at for one in server.log]
    assert times[1] - times[0] >= 0.95


def test_retry_after_as_a_date_is_waited_for() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True)
    with ScriptedServer(faults=[Fault("503", at=[0], retry_after=date)]) as server:
        only(run(server, [ask(3)]))
        assert server.log[1].at - server.log[0].at >= 1.0


def test_a_server_that_asks_for_an_hour_is_not_waited_for() -> None:
    with ScriptedServer(faults=[Fault("429", retry_after="3600")]) as server:
        assert reason(run(server, [ask(3)])) == "HTTP 429 (scripted 429)"
        assert server.done == {"429": 1}


# --- flow --------------------------------------------------------------------------------------------


def test_concurrency_is_reached_and_not_exceeded() -> None:
    with ScriptedServer(delay=0.2) as server:
        results = run(server, [ask(index) for index in range(32)], concurrency=8)
        assert server.most_at_once == 8
    assert len({one.request.sample_id for one in results}) == 32


def test_requests_are_pulled_as_there_is_room() -> None:
    pulled = 0

    def requests() -> Iterator[Request]:
        nonlocal pulled
        for index in range(10_000):
            pulled += 1
            yield ask(index)

    with ScriptedServer() as server:
        engine = engine_for(server, concurrency=4)
        results = engine.generate(requests())
        assert pulled == 0
        for taken in range(1, 20):
            next(results)
            assert pulled < taken + 2 * 4
        results.close()  # type: ignore[attr-defined]
        engine.close()


def test_a_completion_comes_out_while_others_are_still_under_way() -> None:
    with ScriptedServer(faults=[Fault("slow", contains="What is 0", seconds=1.0)]) as server:
        results = run(server, [ask(index) for index in range(10)])
    assert results[-1].request.sample_id == "sample0"


@pytest.mark.parametrize("way", ["close the engine", "close the iterator", "drop the iterator"])
def test_an_iterator_left_early_leaves_no_thread(way: str) -> None:
    with ScriptedServer(faults=[Fault("slow", at=range(3, 1000), seconds=60)]) as server:
        engine = engine_for(server)
        results = engine.generate(ask(index) for index in range(100))
        next(results)
        assert any(thread.name == "openai tiny" for thread in threading.enumerate())
        if way == "close the engine":
            engine.close()
            with pytest.raises(RuntimeError, match="the engine was closed"):
                list(results)
        elif way == "close the iterator":
            results.close()  # type: ignore[attr-defined]
        else:
            del results
        assert not any(thread.name == "openai tiny" for thread in threading.enumerate())
        engine.close()
        engine.close()


def test_an_error_of_the_source_of_requests_reaches_the_caller(server: ScriptedServer) -> None:
    def requests() -> Iterator[Request]:
        yield ask(1)
        raise KeyError("source")

    engine = engine_for(server)
    with pytest.raises(KeyError, match="source"):
        list(engine.generate(requests()))
    engine.close()


def test_no_requests_is_no_work(server: ScriptedServer) -> None:
    assert run(server, []) == []
    assert server.log == []


def test_everything_arrives_once_through_a_storm_of_faults() -> None:
    faults = [
        Fault("429", every=7, retry_after="0"),
        Fault("500", every=5),
        Fault("cut", every=11),
        Fault("malformed", every=13),
        Fault("empty_choices", every=17),
    ]
    with ScriptedServer(faults=faults) as server:
        results = run(server, [ask(index) for index in range(300)])
    assert sorted(one.request.sample_id for one in results) == sorted(
        f"sample{index}" for index in range(300)
    )
    for one in results:
        if isinstance(one, Completion):
            assert one.text == answer("tiny", f"What is {one.request.sample_id[6:]} + 4?", one.request.seed)
    assert sum(isinstance(one, Failure) for one in results) < 15

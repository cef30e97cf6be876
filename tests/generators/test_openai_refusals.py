"""What ends a run on a server, and what is said of keys and addresses: the next step, never the key."""

from __future__ import annotations

import logging
import socket
import time

import pytest

from factory.errors import OutsideError, UsageError
from factory.generators.base import Completion, Failure, Request
from tests.support.asking import ask, engine_for, run
from tests.support.openai_server import Fault, ScriptedServer

SECRET = "sk-very-secret-0123456789"


# --- faults that end the run -------------------------------------------------------------------------


def test_a_refused_key_ends_the_run_and_what_was_finished_is_kept() -> None:
    kept: list[Completion | Failure] = []
    with ScriptedServer(faults=[Fault("401", at=range(5, 100))]) as server:
        engine = engine_for(server, {"A_KEY": SECRET}, concurrency=1, api_key_env="A_KEY")
        with pytest.raises(OutsideError) as caught:
            kept.extend(engine.generate(ask(index) for index in range(50)))
        engine.close()
        assert server.done["401"] == 1
    assert len(kept) == 5
    told = str(caught.value)
    assert server.base_url in told
    assert "HTTP 401" in told
    assert "A_KEY" in told
    assert SECRET not in told


def test_a_forbidden_server_without_a_key_says_that_the_recipe_names_none() -> None:
    with (
        ScriptedServer(faults=[Fault("403")]) as server,
        pytest.raises(OutsideError, match="names no api_key_env"),
    ):
        run(server, [ask(3)])


def test_an_unknown_model_ends_the_run_with_the_models_there_are() -> None:
    with (
        ScriptedServer(models=["large", "small"]) as server,
        pytest.raises(OutsideError, match="the model 'tiny'; the server has large, small"),
    ):
        run(server, [ask(3)])


def test_a_wrong_path_ends_the_run_also_where_no_models_are_listed() -> None:
    with ScriptedServer(faults=[Fault("404")], models=[]) as server:
        url = server.base_url.removesuffix("/v1") + "/elsewhere"
        with pytest.raises(OutsideError, match="base_url ends where the API begins"):
            run(url, [ask(3)])


def test_a_server_that_is_not_there_ends_the_run_quickly() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    began = time.monotonic()
    with pytest.raises(OutsideError, match="no server answers there: no connection") as caught:
        run(url, [ask(index) for index in range(40)])
    assert url in str(caught.value)
    assert "Start the server" in str(caught.value)
    assert time.monotonic() - began < 5


def test_many_failures_without_a_success_end_the_run() -> None:
    with (
        ScriptedServer(faults=[Fault("400")]) as server,
        pytest.raises(OutsideError, match="20 requests failed with no success between them"),
    ):
        run(server, [ask(index) for index in range(200)])
    assert server.done["400"] < 200


def test_one_prompt_that_is_refused_many_times_does_not_end_the_run() -> None:
    with ScriptedServer(faults=[Fault("400", contains="What is 0")]) as server:
        requests = [Request(f"s{index}", "same", index, index, ask(0).prompt) for index in range(60)]
        results = run(server, requests)
    assert [type(one) for one in results] == [Failure] * 60


# --- keys and addresses ------------------------------------------------------------------------------


@pytest.mark.parametrize("environment", [{}, {"A_KEY": ""}, {"A_KEY": " \n"}])
def test_a_missing_key_is_a_mistake_of_use(environment: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="environment variable A_KEY is not set or empty"):
        engine_for("http://127.0.0.1:1/v1", environment, api_key_env="A_KEY")


@pytest.mark.parametrize("key", ["two words", "snowman☃", "line\nbreak", "nul\0"])
def test_a_key_that_cannot_be_sent_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(UsageError, match="holds characters that no key can have") as caught:
        engine_for("http://127.0.0.1:1/v1", {"A_KEY": key}, api_key_env="A_KEY")
    assert key not in str(caught.value)


def test_the_key_is_sent_and_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    # The server repeats the key where a cut at a fixed length would leave half of it.
    for size in range(280, 320, 3):
        body = '{"error": {"message": "' + "x" * size + SECRET + '"}}'
        faults = [Fault("400", at=[0], body=body), Fault("500", at=[1], body="y" * (size - 20) + SECRET)]
        with ScriptedServer(key=SECRET, faults=faults) as server:
            environment = {"A_KEY": f" {SECRET}\n"}
            engine = engine_for(server, environment, api_key_env="A_KEY", concurrency=1)
            told = [one.reason for one in engine.generate([ask(1), ask(2)]) if isinstance(one, Failure)]
            engine.close()
        assert server.done["answered"] == 1
        assert SECRET[:6] not in caplog.text + "".join(told) + repr(engine)


@pytest.mark.parametrize("url", ["127.0.0.1:8000/v1", "ftp://host/v1", "http://", "http://host:port/v1", ""])
def test_an_address_that_is_none_is_a_mistake_of_use(url: str) -> None:
    with pytest.raises(UsageError, match="is no address of a server"):
        engine_for(url)


@pytest.mark.parametrize("url", ["https://me:pw@host/v1", "https://host/v1?key=abc", "https://host/v1#abc"])
def test_an_address_with_a_secret_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(UsageError, match="may hold no user, password, query or fragment") as caught:
        engine_for(url)
    assert "pw" not in str(caught.value).split("may hold")[0]
    assert "abc" not in str(caught.value)

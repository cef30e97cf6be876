"""Laws of replies, waits and pacing: nothing a server sends escapes as anything but a Reply or a Fault."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.generators import openai_wire as wire
from factory.generators.pacing import Pace

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
choices = st.fixed_dictionaries(
    {},
    optional={
        "text": values,
        "message": values | st.fixed_dictionaries({}, optional={"content": values}),
        "finish_reason": values | st.sampled_from(["stop", "length", "abort", "error"]),
    },
)
usages = values | st.fixed_dictionaries(
    {},
    optional={
        "prompt_tokens": values,
        "completion_tokens": values,
        "prompt_tokens_details": values | st.fixed_dictionaries({"cached_tokens": values}),
    },
)
replies = values | st.fixed_dictionaries(
    {},
    optional={"choices": values | st.lists(choices | values, max_size=2), "usage": usages, "error": values},
)


def checked(payload: bytes) -> None:
    try:
        reply = wire.read_reply(payload)
    except wire.Fault:
        return
    reply.text.encode("utf-8")
    assert reply.finish_reason in ("stop", "length")
    for count in (reply.prompt_tokens, reply.completion_tokens):
        assert count is None or 0 <= count < 2**31
    assert 0 <= reply.cached_tokens <= (reply.prompt_tokens or 0)


@given(replies)
def test_any_json_is_a_reply_or_a_fault(reply: object) -> None:
    checked(json.dumps(reply).encode())


@pytest.mark.parametrize("finish", [None, [], {}, 7, "stop", "unheard of"])
def test_a_finish_reason_of_any_kind_but_length_is_an_end(finish: object) -> None:
    payload = json.dumps({"choices": [{"text": "a", "finish_reason": finish}]}).encode()
    assert wire.read_reply(payload).finish_reason == "stop"


@given(st.binary(max_size=200))
def test_any_bytes_are_a_reply_or_a_fault(payload: bytes) -> None:
    checked(payload)
    assert str(wire.fault_of(500, {}, payload)).startswith("HTTP 500")


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"", "malformed JSON"),
        (b"[" * 200_000, "malformed JSON"),
        (b"1" * 5000, "malformed JSON"),
        (b"\xff\xfe\x00", "malformed JSON"),
        (b"<html>busy</html>", "malformed JSON (17 bytes: <html>busy</html>)"),
        (b'{"error": {"message": "overloaded"}}', "a reply without choices (overloaded)"),
        (b'{"choices": {}}', "a reply without choices"),
        (b'{"choices": []}', "empty choices"),
        (b'{"choices": [null]}', "a choice without text"),
        (b'{"choices": [{"message": null}]}', "a choice without text"),
        (b'{"choices": [{"message": {}}]}', "a choice without text"),
        (b'{"choices": [{"message": {"content": ["a"]}}]}', "a choice without text"),
        (b'{"choices": [{"text": "a", "finish_reason": "abort"}]}', "broken off by the server"),
        (b'{"choices": [{"text": "a", "finish_reason": "error"}]}', "broken off by the server"),
    ],
)
def test_a_broken_reply_says_what_was_seen(payload: bytes, said: str) -> None:
    with pytest.raises(wire.Fault) as caught:
        wire.read_reply(payload)
    assert said in str(caught.value)
    assert caught.value.passing


@pytest.mark.parametrize(
    ("choice", "text", "finish"),
    [
        ({"message": {"content": None}, "finish_reason": "length"}, "", "length"),
        ({"message": {"content": "a"}, "finish_reason": None}, "a", "stop"),
        ({"text": " a\n", "finish_reason": "content_filter"}, " a\n", "stop"),
        ({"message": {"content": "\ud83d\ude00\udc00"}}, "\U0001f600\ufffd", "stop"),
    ],
)
def test_a_whole_reply_is_kept_as_it_is(choice: dict[str, object], text: str, finish: str) -> None:
    reply = wire.read_reply(json.dumps({"choices": [choice]}).encode())
    assert reply == wire.Reply(text, finish, None, None, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [True, -1, 2**31, 1.5, "3", None, [1]])
def test_counts_that_a_table_cannot_hold_are_unknown(count: object) -> None:
    usage = {"prompt_tokens": count, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 5}}
    reply = wire.read_reply(json.dumps({"choices": [{"text": "a"}], "usage": usage}).encode())
    assert (reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens) == (None, 2, 0)
    assert wire.flops_of(reply, 1.0e9) is None


def test_flops_leave_out_what_came_from_the_cache() -> None:
    assert wire.flops_of(wire.Reply("a", "stop", 100, 10, 80), 3.0) == 2 * 3.0 * (20 + 10)
    assert wire.flops_of(wire.Reply("a", "stop", 100, 10, 0), None) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0.0),
        ("0", 0.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30.0),
        ("Saturday, 21-Nov-26 12:01:00 GMT", 60.0),
        ("Sat, 21 Nov 2026 11:59:00 GMT", 0.0),
        ("Sat, 21 Nov 2026 13:00:30 +0100", 30.0),
        ("-1", 0.0),
        ("soon", 0.0),
        ("", 0.0),
        ("nan", 0.0),
        ("inf", 0.0),
        ("1e9", 0.0),
        (".", 0.0),
        ("²", 0.0),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str | None, seconds: float) -> None:
    assert wire.retry_after(value, NOW) == seconds


@given(
    st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+( [-+]?\w+)?", fullmatch=True)
)
def test_retry_after_takes_any_text(value: str) -> None:
    assert 0.0 <= wire.retry_after(value, NOW) < float("inf")


@given(st.text())
def test_one_line_is_one_printable_line(text: str) -> None:
    shown = wire.one_line(text, 20)
    assert len(shown) <= 20
    assert shown.isprintable()
    assert wire.one_line(shown, 20) == shown


@given(st.integers(1, 64), st.lists(st.booleans(), max_size=200))
def test_the_pace_stays_between_one_and_most(most: int, outcomes: list[bool]) -> None:
    async def play() -> None:
        pace = Pace(most)
        for went_well in outcomes:
            before = pace.limit
            if went_well:
                pace.succeeded()
                assert pace.limit >= before
            else:
                pace.pressed(asyncio.get_running_loop().time() + 1)
                assert pace.limit == max(1.0, before / 2)
            assert 1 <= pace.limit <= most

    asyncio.run(play())


def test_one_burst_of_refusals_halves_once_and_successes_grow_back() -> None:
    async def play() -> None:
        pace, began = Pace(32), asyncio.get_running_loop().time()
        for _ in range(10):
            pace.pressed(began)
        assert pace.limit == 16
        for _ in range(16 * 32):
            pace.succeeded()
        assert pace.limit == 32

    asyncio.run(play())


def test_room_is_given_in_order_and_never_beyond_the_limit() -> None:
    order: list[int] = []

    async def work(pace: Pace, index: int) -> None:
        async with pace.room():
            order.append(index)
            assert pace.under_way <= int(pace.limit)
            await asyncio.sleep(0)

    async def play() -> None:
        pace = Pace(3)
        await asyncio.gather(*(work(pace, index) for index in range(20)))
        assert pace.under_way == 0

    asyncio.run(play())
    assert order == list(range(20))

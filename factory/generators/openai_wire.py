"""What goes to an OpenAI-compatible server and what comes back, as plain functions without a connection.

Guarantees: a reply is either a text with its counts or a Fault that says in words what was seen, so that
no reply, however broken, becomes a completion by accident. A `null` content is an empty text; lone
surrogates, which are no text in any encoding, become U+FFFD. Left out: streaming replies, tool calls,
images, reasoning contents, and several choices in one reply.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import urlsplit

from factory.errors import OutsideError, UsageError
from factory.generators.base import Message, Request
from factory.recipe import OpenAIGenerator

LARGEST_REPLY: Final = 64 * 1024 * 1024
"""Bytes of one reply, decompressed; a larger one is no completion of any model."""

RETRIED: Final = frozenset({408, 409, 425, 429})
"""Client-error statuses that another attempt may cure; all of 5xx are retried as well."""

PRESSURE: Final = frozenset({429, 503})
"""Statuses by which a server says that it is asked too much."""

BROKEN_OFF: Final = frozenset({"abort", "error"})
"""Finish reasons under which servers return a text that the model did not end: not a draw from it."""

LONGEST_WAIT: Final = 300.0
"""Seconds of Retry-After that are waited for; a server that asks for more has closed for today."""

LARGEST_COUNT: Final = 2**31 - 1

TEMPLATE_TOKENS: Final = 256
"""More than the system prompts that chat templates write by themselves."""

MESSAGE_TOKENS: Final = 16
"""More than the marks around one message."""

MARGIN: Final = 2000
"""Characters of a server's words in a Fault: more than is shown, so that a key is hidden before the cut."""


class Reply(NamedTuple):
    """A completion as the server tells it; counts are None where it tells none."""

    text: str
    finish_reason: Literal["stop", "length"]
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int


class Fault(Exception):
    """One attempt that brought no completion; its text says in one line what was seen.

    `status` is the HTTP status, if there was one; `wait` the seconds the server asks for; `pressure` whether
    fewer requests at once may help; `final` whether the same request will meet the same again;
    `unreachable` whether there was no connection at all; `began` whether the server may have begun to work
    on it, and may be paid for it, as whoever was not refused outright.
    """

    def __init__(
        self,
        reason: str,
        *,
        status: int | None = None,
        wait: float = 0.0,
        pressure: bool = False,
        final: bool = False,
        unreachable: bool = False,
        began: bool = True,
    ) -> None:
        super().__init__(reason)
        self.status, self.wait = status, wait
        self.pressure, self.final, self.unreachable = pressure, final, unreachable
        self.began = began and not unreachable

    @property
    def passing(self) -> bool:
        """Whether another attempt, in reasonable time, may bring a completion."""
        return not self.final and self.wait <= LONGEST_WAIT


def check_url(base_url: str) -> str:
    """`base_url` with one slash at its end; raises UsageError for what cannot be one or holds a secret."""
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(
            f"base_url: {one_line(base_url)!r} is no address of a server; write for example http://127.0.0.1:8000/v1"
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        # Recipes are published with their releases, so what stands in one is public.
        raise UsageError(
            f"base_url: the address of {parts.hostname} may hold no user, password, query or fragment; "
            "put the key into an environment variable and name it in api_key_env"
        )
    return base_url.rstrip("/") + "/"


def key_of(config: OpenAIGenerator, environment: Mapping[str, str]) -> str | None:
    """The key that `api_key_env` names, or None where it names none; raises UsageError without showing it."""
    name = config.api_key_env
    if name is None:
        return None
    key = environment.get(name, "").strip()
    if not key:
        raise UsageError(
            f"api_key_env: the environment variable {name} is not set or empty; set it to the key for "
            f"{config.base_url}, or leave api_key_env out for a server that asks for none"
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise UsageError(
            f"api_key_env: the value of {name} holds characters that no key can have; set it again"
        )
    return key


def path_of(request: Request) -> str:
    """The endpoint below base_url: a text is completed, messages are answered."""
    return "completions" if isinstance(request.prompt, str) else "chat/completions"


def body_of(config: OpenAIGenerator, request: Request) -> bytes:
    """The JSON body of one draw; `stop` and `top_k` (vLLM's extension) only where they say something."""
    decoding = config.decoding
    body: dict[str, Any] = {"model": config.model}
    if isinstance(request.prompt, str):
        body["prompt"] = request.prompt
    else:
        body["messages"] = [dict(message) for message in request.prompt]
    body |= {
        "temperature": decoding.temperature,
        "top_p": decoding.top_p,
        "max_tokens": decoding.max_tokens,
    }
    if config.send_seed:
        body["seed"] = request.seed
    if decoding.stop:
        body["stop"] = list(decoding.stop)
    if decoding.top_k:
        body["top_k"] = decoding.top_k
    # In ASCII, because a problem's text may hold lone surrogates, which JSON can carry and UTF-8 cannot.
    return json.dumps(body, separators=(",", ":")).encode("ascii")


def read_reply(payload: bytes) -> Reply:
    """The completion in the body of a 2xx reply; raises Fault, which is retried, when there is none."""
    try:
        reply = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise Fault(f"malformed JSON ({_excerpt(payload)})") from error
    choices = reply.get("choices") if isinstance(reply, dict) else None
    if not isinstance(choices, list):
        raise Fault(f"a reply without choices ({_said(reply) or _excerpt(payload)})")
    if not choices:
        raise Fault("empty choices")
    choice = choices[0]
    message = choice.get("message", choice) if isinstance(choice, dict) else None
    text = _text(message) if isinstance(message, dict) else None
    if text is None:
        raise Fault(f"a choice without text ({_excerpt(payload)})")
    finish = choice.get("finish_reason")
    if isinstance(finish, str) and finish in BROKEN_OFF:
        raise Fault(f"a completion broken off by the server (finish_reason {finish!r})")
    usage = reply.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    prompt, details = _count(usage.get("prompt_tokens")), usage.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else None
    return Reply(
        text,
        "length" if finish == "length" else "stop",
        prompt,
        _count(usage.get("completion_tokens")),
        min(cached or 0, prompt or 0),
    )


def flops_of(reply: Reply, active_parameters: float | None) -> float | None:
    """2 x active parameters x tokens processed; prompt tokens that the server took from its cache are not."""
    if active_parameters is None or reply.prompt_tokens is None or reply.completion_tokens is None:
        return None
    return 2.0 * active_parameters * (reply.prompt_tokens - reply.cached_tokens + reply.completion_tokens)


def fault_of(status: int, headers: Mapping[str, str], payload: bytes) -> Fault:
    """What a reply that is not 2xx means."""
    try:
        said = _said(json.loads(payload))
    except (ValueError, RecursionError):
        said = ""
    said = said or (_excerpt(payload) if payload else "")
    return Fault(
        f"HTTP {status}" + (f" ({said})" if said else ""),
        status=status,
        wait=retry_after(headers.get("retry-after"), datetime.now(UTC)),
        pressure=status in PRESSURE,
        final=status < 500 and status not in RETRIED,
        began=status >= 500,
    )


def most_prompt_tokens(prompt: str | tuple[Message, ...]) -> int:
    """A bound of a prompt's tokens where the tokenizer is the server's: no token is less than a byte, and the
    template may add its own words."""
    if isinstance(prompt, str):
        return TEMPLATE_TOKENS + _bytes(prompt)
    written = sum(_bytes(message["role"]) + _bytes(message["content"]) for message in prompt)
    return TEMPLATE_TOKENS + written + MESSAGE_TOKENS * len(prompt)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def read_models(payload: bytes) -> list[str]:
    """The ids in a reply to GET models; raises Fault when it is no such list."""
    try:
        models = json.loads(payload)["data"]
        return [one_line(str(model["id"])) for model in models]
    except (ValueError, RecursionError, LookupError, TypeError) as error:
        raise Fault("no list of models") from error


def hopeless(config: OpenAIGenerator, fault: Fault) -> OutsideError:
    """What to tell people of a server that is not there (`fault.unreachable`) or that refuses the key."""
    if fault.unreachable:
        return OutsideError(
            f"{config.base_url}: no server answers there: {fault}. Start the server, or correct base_url, "
            "and run again"
        )
    name = config.api_key_env
    whence = f"The key is taken from {name}: " if name else "The recipe names no api_key_env: "
    return OutsideError(
        f"{config.base_url}: access refused: {fault}. {whence}"
        "put a key that this server accepts into that environment variable and run again"
    )


def retry_after(value: str | None, now: datetime) -> float:
    """Seconds asked for by a Retry-After header, given in seconds or as an HTTP date; 0 if unreadable."""
    if value is None:
        return 0.0
    value = value.strip()
    # Whole seconds by the standard; some servers send fractions. Nine digits are thirty years.
    if len(value) <= 9 and value.isascii() and value.replace(".", "", 1).isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return 0.0
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())


def _text(message: Mapping[str, Any]) -> str | None:
    """The text of a chat message or of a completion choice; a message may say that its content is null."""
    text = message["text"] if "text" in message else message.get("content", 0)
    if text is None:
        return ""
    if not isinstance(text, str):
        return None
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _count(value: object) -> int | None:
    """A number of tokens as a table can hold it, or None for anything else."""
    return value if type(value) is int and 0 <= value <= LARGEST_COUNT else None


def _said(reply: object) -> str:
    """The server's own words in {"error": {"message": ...}} and its common variants, or nothing."""
    if not isinstance(reply, dict):
        return ""
    error = reply.get("error", reply)
    said = error.get("message", error.get("detail")) if isinstance(error, dict) else error
    return said[:MARGIN] if isinstance(said, str) else ""


def _excerpt(payload: bytes) -> str:
    return f"{len(payload)} bytes: {payload[:MARGIN].decode('utf-8', 'replace')}"


def one_line(text: str, longest: int = 300) -> str:
    """`text` on one line without control signs, so that a hostile server cannot write to a terminal."""
    shown = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"

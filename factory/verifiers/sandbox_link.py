"""The checker's end of the connection to the candidate, and the values that stay at the other end.

Guarantees: what comes from the candidate is decoded as plain data and in answer to the question that was
asked, or it counts as forged. What ended the run stands in `Link.settled`, even where a test catches
every exception. Left out: the tests (`sandbox_checker.py`).

A value that did not cross stands here as `Remote`: it can be called, handed back to the candidate, and
its attributes read and set. It equals no plain value. Every other use of it is "unsupported". Arguments
that the candidate changed in place are changed here as well.
"""

from __future__ import annotations

import builtins
import socket
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any, Final, NoReturn

from factory.verifiers import sandbox_wire as wire
from factory.verifiers.sandbox_candidate import READY

GONE: Final = "gone"
LOST: Final = "lost"
"""The candidate ended before it was confined."""

_MAPPINGS: Final = (dict, OrderedDict, Counter, defaultdict)


class Settled(BaseException):
    """The run is over: `Link.settled` says how."""


class Link:
    """The connection to the candidate."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.number = 0
        self.settled: tuple[str, str] | None = None
        self.raised: BaseException | None = None

    def settle(self, outcome: str, reason: str) -> NoReturn:
        self.settled = self.settled or (outcome, reason)
        raise Settled

    def await_ready(self) -> None:
        try:
            if wire.read(self.fd, len(READY)) == READY:
                return
        except (EOFError, OSError):
            pass
        self.settle(LOST, LOST)

    def ask(self, act: str, *arguments: Any, fds: tuple[int, ...] = ()) -> tuple[Any, ...]:
        """What the candidate answers, after "value"; raises what it raised, as a built-in exception."""
        if self.settled:
            raise Settled
        self.number += 1
        try:
            message = wire.frame(wire.encode((self.number, act, *arguments), _reference))
        except wire.Unplain as error:
            self.settle("unsupported", f"unsupported:argument {error}")
        try:
            wire.write(self.fd, message)
            if fds:
                self.send_fds(fds)
            reply = wire.decode(wire.read_form(self.fd), lambda number: Remote(self, number))
        except (EOFError, OSError):
            self.settle(GONE, GONE)
        except (wire.Malformed, RecursionError):
            self.settle("failed", "forged")
        if type(reply) is not tuple or len(reply) < 2 or reply[0] != self.number:
            self.settle("failed", "forged")
        return self.take(reply[1], reply[2:])

    def take(self, kind: Any, parts: tuple[Any, ...]) -> tuple[Any, ...]:
        """The parts of a reply that brings a value; the other kinds end the call, or the run."""
        if kind == "value" and parts:
            return parts
        if kind == "raised" and len(parts) == 2 and all(type(part) is str for part in parts):
            self.raised = _exception(*parts)
            raise self.raised
        if kind == "unsupported" and parts and type(parts[0]) is str:
            self.settle("unsupported", f"unsupported:{parts[0][:80]}")
        self.settle("failed", kind if kind in ("exit", "syntax") else "forged")

    def send_fds(self, fds: tuple[int, ...]) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=self.fd) as carrier:
            socket.send_fds(carrier, [b"F"], fds)
            carrier.detach()


def _exception(name: str, message: str) -> BaseException:
    kind = getattr(builtins, name, None)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        kind = RuntimeError
    try:
        return kind(message)
    except TypeError:  # the Unicode errors want five arguments
        return RuntimeError(message)


# --- values that stay with the candidate ---------------------------------------------------------------


class Remote:
    """A value that stays with the candidate."""

    __slots__ = ("_link", "_number")

    _link: Link
    _number: int

    def __init__(self, link: Link, number: int) -> None:
        object.__setattr__(self, "_link", link)
        object.__setattr__(self, "_number", number)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        values = list(arguments)
        parts = self._link.ask("call", self, values, named)
        if len(parts) != 2 or type(parts[1]) not in (list, type(None)):
            self._link.settle("failed", "forged")
        if parts[1] is not None:
            _write_back(values, parts[1])
        return parts[0]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            self._link.settle("unsupported", f"unsupported:{name} of an object")
        return self._link.ask("get", self, name)[0]

    def __setattr__(self, name: str, value: Any) -> None:
        self._link.ask("set", self, name, value)

    def __eq__(self, other: object) -> bool:
        if type(other) is Remote:
            return other._number == self._number
        if not wire.plain(other):
            self._link.settle("unsupported", "unsupported:comparison of an object")
        return False

    def __hash__(self) -> int:
        self._link.settle("unsupported", "unsupported:hash of an object")


def _reference(value: Any, walk: wire.Walk) -> wire.Form:
    return ["h", value._number] if type(value) is Remote else wire.refuse(value, walk)


def _refusal(name: str) -> Callable[..., NoReturn]:
    return lambda self, *others: self._link.settle("unsupported", f"unsupported:{name} of an object")


for _name in [
    "bool",
    "iter",
    "len",
    "contains",
    "getitem",
    "setitem",
    "delitem",
    "next",
    "lt",
    "le",
    "gt",
    "ge",
    "int",
    "float",
    "index",
    "str",
    "repr",
    "format",
    "enter",
    "exit",
    "add",
    "radd",
    "sub",
    "rsub",
    "mul",
    "rmul",
    "truediv",
    "rtruediv",
    "floordiv",
    "rfloordiv",
    "mod",
    "rmod",
    "pow",
    "rpow",
    "and",
    "rand",
    "or",
    "ror",
    "xor",
    "rxor",
    "neg",
    "pos",
    "abs",
    "invert",
    "round",
    "instancecheck",
    "subclasscheck",
    "reversed",
]:
    setattr(Remote, f"__{_name}__", _refusal(_name))


def _write_back(old: Any, new: Any) -> Any:
    """Make `old` what the candidate made of it, in place as far as the types allow; what stands for it."""
    kind = type(old)
    if kind is not type(new):
        return new
    if kind is list or kind is tuple:
        merged = [_write_back(*pair) for pair in zip(old, new, strict=False)] + list(new[len(old) :])
        if kind is tuple:
            return tuple(merged)
        old[:] = merged
    elif kind in _MAPPINGS:
        merged_items = [(key, _write_back(old[key], new[key]) if key in old else new[key]) for key in new]
        old.clear()
        old.update(dict(merged_items))
    elif kind is bytearray:
        old[:] = new
    elif kind is set:
        old.clear()
        old.update(new)
    elif kind is deque:
        old.clear()
        old.extend(new)
    else:
        return new
    return old

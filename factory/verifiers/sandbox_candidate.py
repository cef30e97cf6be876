"""The child that runs a program of a model, and knows nothing of its tests.

Guarantees: it is forked before a test or an expected value exists in it or in its parent; it gets the
program, then arguments, and answers with values. What it says is data to be judged by the checker: there
is no verdict in this process, and nothing here is a defence (the program may change any of it). Left out:
confinement, which is done before this begins.

Objects that are not plain data stay here, under a number by which the checker may name them in later
calls. A subclass that leaves equality as it is (a named tuple, an IntEnum) crosses as its base.
"""

from __future__ import annotations

import _sitebuiltins
import _thread
import atexit
import builtins
import contextlib
import io
import itertools
import os
import socket
import sys
import threading
import types
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NoReturn

from factory.verifiers import sandbox_wire as wire

READY: Final = b"R"
"""Written once the child is confined, before anything of the program is read."""

_BASES: Final[tuple[Any, ...]] = (list, tuple, dict, set, frozenset, str, int, float, bytes)
_CHANGEABLE: Final = (list, dict, set, bytearray, deque, tuple)
_MESSAGE_CHARACTERS: Final = 1000

Reply = tuple[Any, ...]


class Unserved(BaseException):
    """The program asked for something that is not offered here."""


class Candidate:
    """The program's namespace, and the objects it has lent out."""

    def __init__(self, link: int) -> None:
        self.link = link
        self.module = types.ModuleType("solution")
        self.source = ""
        self.lent: dict[int, Any] = {}
        self.numbers = itertools.count()

    def serve(self) -> NoReturn:
        """Answer requests until the checker is gone."""
        wire.write(self.link, READY)
        while True:
            try:
                form = wire.read_form(self.link)
            except EOFError:
                os._exit(0)
            self.answer(form)

    def answer(self, form: wire.Form) -> None:
        """Do what one request says and send the reply."""
        number, act = form[1], form[2]
        arguments = [wire.decode(part, self.lent.__getitem__) for part in form[3:]]
        try:
            reply = _ACTS[act](self, *arguments)
            if act == "call":
                reply = (*reply, self.changed(arguments[1], form[4]))
            message = wire.frame(wire.encode((number, *reply), self.lend))
        except SystemExit:
            message = wire.frame(wire.encode((number, "exit")))
        except (Unserved, wire.Unplain) as error:
            message = wire.frame(wire.encode((number, "unsupported", str(error))))
        except BaseException as error:
            message = wire.frame(wire.encode((number, "raised", *_described(error))))
        wire.write(self.link, message)

    # --- what may be asked ---

    def load(self, source: str, names: tuple[str, ...]) -> Reply:
        """Run the program, and give the values that `names` have in it; names it lacks are left out."""
        try:
            code = compile(source, "<solution>", "exec")
        except (SyntaxError, ValueError, RecursionError, OverflowError):
            return ("syntax",)
        sys.modules["solution"] = self.module
        exec(code, self.module.__dict__)
        space = self.module.__dict__
        found = {name: space[name] for name in names if name in space}
        solution = space.get("Solution")
        for name in names:
            if name not in found and hasattr(solution, name):
                found[name] = _method(solution, name)
        return ("value", found)

    def prepare(self, source: str) -> Reply:
        """Keep a program that will be run as a whole."""
        try:
            compile(source, "<solution>", "exec")
        except (SyntaxError, ValueError, RecursionError, OverflowError):
            return ("syntax",)
        self.source = source
        return ("value", None)

    def call(self, function: Any, arguments: list[Any], named: dict[str, Any]) -> Reply:
        return ("value", function(*arguments, **named))

    def get(self, value: Any, name: str) -> Reply:
        return ("value", getattr(value, name))

    def set(self, value: Any, name: str, new: Any) -> Reply:
        setattr(value, name, new)
        return ("value", None)

    def main(self) -> Reply:
        """Run the program as a whole, on the two descriptors that come after the request."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=self.link) as carrier:
            fds = socket.recv_fds(carrier, 1, 2)[1]
            carrier.detach()
        for standard, fd in enumerate(fds):
            os.dup2(fd, standard)
            os.close(fd)
        stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), "utf-8")
        stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)), "utf-8", newline="\n")
        vars(sys).update(stdin=stdin, __stdin__=stdin, stdout=stdout, __stdout__=stdout)
        module = sys.modules["__main__"] = types.ModuleType("__main__")
        with contextlib.suppress(SystemExit):
            exec(compile(self.source, "<solution>", "exec"), module.__dict__)
        atexit._run_exitfuncs()
        stdout.flush()
        return ("value", None)

    # --- values ---

    def lend(self, value: Any, walk: wire.Walk) -> wire.Form:
        """The form of a value that is not plain: that of its base, or a number to name it by."""
        for base in _BASES:
            if isinstance(value, base):
                if type(value).__eq__ is base.__eq__:
                    return walk(base(value))
                break
        number = next(self.numbers)
        self.lent[number] = value
        return ["h", number]

    def changed(self, arguments: list[Any], form: wire.Form) -> list[Any] | None:
        """The arguments after a call, if it changed one in place."""
        if not any(type(argument) in _CHANGEABLE for argument in arguments):
            return None
        return None if wire.encode(arguments, self.lend) == form else arguments


def _method(solution: Any, name: str) -> Callable[..., Any]:
    return lambda *arguments: getattr(solution(), name)(*arguments)


def _described(error: BaseException) -> tuple[str, str]:
    """The nearest built-in class of an exception, and its message."""
    name = next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins")
    try:
        return name, str(error)[:_MESSAGE_CHARACTERS]
    except Exception:
        return name, ""


_ACTS: Final[dict[str, Callable[..., Reply]]] = {
    "load": Candidate.load,
    "prepare": Candidate.prepare,
    "call": Candidate.call,
    "get": Candidate.get,
    "set": Candidate.set,
    "main": Candidate.main,
}


def furnish() -> None:
    """Give programs what the site module gives, and a clear refusal for what is not offered."""

    def no_threads(*arguments: Any, **named: Any) -> NoReturn:
        raise Unserved("threads")

    for module in (_thread, threading):
        for name in (
            "start_new_thread",
            "start_joinable_thread",
            "_start_new_thread",
            "_start_joinable_thread",
        ):
            if hasattr(module, name):
                setattr(module, name, no_threads)
    space = builtins.__dict__
    space["exit"] = _sitebuiltins.Quitter("exit", "Ctrl-D")
    space["quit"] = _sitebuiltins.Quitter("quit", "Ctrl-D")

"""The child that knows the tests, asks the candidate for values, and says what came of them.

Guarantees: every comparison is made here, on plain data; the report is written once, with the nonce of
its job, to a descriptor that only this process holds. A test that cannot be served by value is
"unsupported" and never a failure. Left out: why a candidate went away, which the server sees; the
connection itself (`sandbox_link.py`). Tests are run as they come: they are confined as the program is.
"""

from __future__ import annotations

import ast
import builtins
import os
import symtable
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, NoReturn

from factory.verifiers import sandbox_wire as wire
from factory.verifiers.sandbox_link import Link, Remote, Settled


class Report(NamedTuple):
    """passed, failed, unsupported, gone or lost; why; the test that failed, and how many passed."""

    outcome: str
    reason: str
    test: int | None = None
    tests_passed: int | None = None


# --- the three forms of tests --------------------------------------------------------------------------


def judge(link: Link, solution: str, form: str, parts: tuple[Any, ...]) -> Report:
    """Run the tests of one job against the candidate at the other end of `link`."""
    progress: list[int] = []
    try:
        link.await_ready()
        report = _FORMS[form](link, solution, progress, *parts)
    except Settled:
        report = Report("", "")
    except MemoryError:
        report = _on_memory(link)
    if link.settled:
        test = progress[-1] if progress else None
        return Report(*link.settled, test=test, tests_passed=test)
    return report


def _on_memory(link: Link) -> Report:
    if isinstance(link.raised, MemoryError):
        return Report("failed", "exceeded:memory")
    return Report("unsupported", "unsupported:memory of the tests")


def _load(link: Link, solution: str, names: Iterable[str]) -> dict[str, Any]:
    """The candidate's values of `names`; a name it lacks, or an error in its program, ends the run."""
    wanted = tuple(names)
    try:
        found = link.ask("load", solution, wanted)[0]
    except Exception as error:
        link.settle("failed", _why(link, error))
    if type(found) is not dict:
        link.settle("failed", "forged")
    for name in wanted:
        if name not in found:
            link.settle("failed", f"missing:{name}")
    return found


def _why(link: Link, error: BaseException) -> str:
    """The reason of a failure by an exception that came out of a test."""
    if isinstance(error, MemoryError) and error is link.raised:
        return "exceeded:memory"
    if isinstance(error, AssertionError) and error is not link.raised:
        return "assertion"
    return f"raised:{type(error).__name__}"


def _define(link: Link, what: str, source: str, space: dict[str, Any]) -> None:
    """Run a part of the tests that comes before any question to the candidate is a test of it."""
    try:
        exec(compile(source, f"<{what}>", "exec"), space)
    except Exception as error:
        if error is link.raised:
            link.settle("failed", _why(link, error))
        link.settle("unsupported", f"unsupported:{what} raises {type(error).__name__}")


def _function_tests(
    link: Link, solution: str, progress: list[int], prompt: str, entry_point: str, test: str
) -> Report:
    entry = _load(link, solution, (entry_point,))[entry_point]
    space: dict[str, Any] = {"__name__": "tests"}
    _define(link, "prompt", _before(prompt, entry_point), space)
    space[entry_point] = entry
    _define(link, "test", test, space)
    if not callable(space.get("check")):
        link.settle("unsupported", "unsupported:test without check")
    try:
        space["check"](entry)
    except Exception as error:
        return Report("failed", _why(link, error))
    return Report("passed", "passed")


def _before(prompt: str, entry_point: str) -> str:
    """What stands before the entry point in a prompt."""
    lines = prompt.splitlines(keepends=True)
    for index, line in enumerate(lines):
        head = line.removeprefix("async ").partition("(")[0]
        if head.split() == ["def", entry_point] and head.startswith("def"):
            return "".join(lines[:index])
    return prompt


def _asserts(link: Link, solution: str, progress: list[int], setup: str, asserts: tuple[str, ...]) -> Report:
    names = _wanted_names(link, setup, asserts)
    found = _load(link, solution, names)
    space: dict[str, Any] = {"__name__": "tests", **found}
    _define(link, "setup", setup, space)
    for index, line in enumerate(asserts):
        progress.append(index)
        try:
            exec(compile(line, "<assert>", "exec"), space)
        except Exception as error:
            return Report("failed", _why(link, error), test=index, tests_passed=index)
    return Report("passed", "passed", tests_passed=len(asserts))


def _wanted_names(link: Link, setup: str, asserts: tuple[str, ...]) -> list[str]:
    """The names that setup and asserts use and do not bind, builtins apart.

    Where there is none, the tests must mean a function that is named like a builtin (`sum`): then it is
    the one builtin that every assert calls outermost.
    """
    used: set[str] = set()
    bound: set[str] = set()
    try:
        for source in (setup, *asserts):
            _gather_names(symtable.symtable(source, "<tests>", "exec"), used, bound)
        trees = [ast.parse(source) for source in asserts]
    except (SyntaxError, ValueError, RecursionError):
        link.settle("unsupported", "unsupported:asserts that do not parse")
    wanted = sorted(name for name in used - bound if not hasattr(builtins, name))
    if wanted:
        return wanted
    outermost = {_outermost(tree) for tree in trees}
    name = outermost.pop() if len(outermost) == 1 else None
    return [name] if name else link.settle("unsupported", "unsupported:asserts that name no function")


def _gather_names(table: symtable.SymbolTable, used: set[str], bound: set[str]) -> None:
    """Add the global names that a piece of source reads, and those it binds, in all its scopes."""
    top = table.get_type() == "module"
    for symbol in table.get_symbols():
        if top or symbol.is_global():
            if symbol.is_referenced():
                used.add(symbol.get_name())
            if symbol.is_assigned() or symbol.is_imported():
                bound.add(symbol.get_name())
    for child in table.get_children():
        _gather_names(child, used, bound)


def _outermost(tree: ast.Module) -> str | None:
    """The name that an assert's left side calls."""
    statement = tree.body[0] if tree.body else None
    test = statement.test if isinstance(statement, ast.Assert) else None
    left = test.left if isinstance(test, ast.Compare) else test
    return left.func.id if isinstance(left, ast.Call) and isinstance(left.func, ast.Name) else None


def _input_output(
    link: Link, solution: str, progress: list[int], inputs: Any, outputs: Any, function: str | None
) -> Report:
    entry = None
    if function is None:
        link.ask("prepare", solution)
    else:
        entry = _load(link, solution, (function,))[function]
    for index, (given, expected) in enumerate(zip(inputs, outputs, strict=True)):
        progress.append(index)
        try:
            if entry is None:
                right = _lines(_printed(link, given)) == _lines(expected)
            else:
                right = same(entry(*given), expected)
        except Exception as error:
            return Report("failed", _why(link, error), test=index, tests_passed=index)
        if not right:
            return Report("failed", "wrong_output", test=index, tests_passed=index)
    return Report("passed", "passed", tests_passed=len(inputs))


def _printed(link: Link, given: str) -> str:
    """What the program writes when it reads `given`."""
    stdin, stdout = os.memfd_create("stdin"), os.memfd_create("stdout")
    try:
        wire.write(stdin, given.encode("utf-8", "surrogatepass"))
        os.lseek(stdin, 0, os.SEEK_SET)
        link.ask("main", fds=(stdin, stdout))
        os.lseek(stdout, 0, os.SEEK_SET)
        with open(stdout, "rb", closefd=False) as file:
            return file.read().decode("utf-8", "replace")
    finally:
        os.close(stdin)
        os.close(stdout)


def _lines(text: str) -> list[str]:
    """Lines without trailing blanks, and without empty lines at the end."""
    return "\n".join(line.rstrip() for line in text.splitlines()).rstrip("\n").split("\n")


def same(found: Any, expected: Any) -> bool:
    """Equality of plain data by value and type, a tuple counting as a list."""
    if isinstance(found, list | tuple) and isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(found, dict) and isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[key], expected[key]) for key in found)
    return type(found) is type(expected) and type(found) is not Remote and bool(found == expected)


_FORMS: Final[dict[str, Callable[..., Report]]] = {
    "function": _function_tests,
    "asserts": _asserts,
    "input_output": _input_output,
}


def serve(channel: int, link: int) -> NoReturn:
    """Read one job, judge it, report, and end."""
    nonce, solution, form, parts = wire.decode(wire.read_form(channel, wire.MAX_JOB_BYTES))
    report = judge(Link(link), solution, form, parts)
    wire.write(channel, wire.frame(wire.encode((nonce, *report))))
    os._exit(0)

"""Programs get the outcome and the reason they deserve, and the sandbox leaves nothing behind."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from factory.verifiers import sandbox
from factory.verifiers.sandbox import Asserts, FunctionTests, InputOutput, Job, Limits, Ran

SHORT = Limits(cpu_seconds=0.5, memory_mib=256)
CHECK = FunctionTests("", "f", "def check(candidate):\n    assert candidate(2) == 4\n")


def judged(jobs: list[Job], **settings: Any) -> list[Ran]:
    """The results in the order of the jobs; every job must have exactly one."""
    found: dict[int, Ran] = {}
    for position, ran, seconds in sandbox.run(iter(jobs), workers=1, **({"limits": SHORT} | settings)):
        assert position not in found
        assert seconds >= 0
        found[position] = ran
    return [found[position] for position in range(len(jobs))]


def asserts(*lines: str, setup: str = "") -> Asserts:
    return Asserts(setup, lines)


SQUARE = "def f(x):\n    return x * x\n"
ECHO = "n = int(input())\nprint(*[input() for _ in range(n)], sep='\\n')\n"
NODE = "class Node:\n    def __init__(self, v):\n        self.v, self.next = v, None\n"
LENGTH = NODE + "def f(node):\n    return 1 + f(node.next) if node else 0\n"

CASES = {
    # name: (program, tests, outcome, reason, test, tests passed)
    "function passes": (SQUARE, CHECK, "passed", "passed", None, None),
    "function of the prompt": (
        "def f(x):\n    return x\n",
        FunctionTests(
            "def g(x):\n    return x + 1\n\ndef f(x):\n    ", "f", "def check(c):\n    assert g(c(2)) == 3"
        ),
        "passed",
        "passed",
        None,
        None,
    ),
    "F1 sys.exit": ("import sys\nsys.exit(0)\n", CHECK, "failed", "exit", None, None),
    "F1 os._exit": ("import os\nos._exit(0)\n", CHECK, "failed", "exit", None, None),
    "F1 SystemExit": ("raise SystemExit\n", CHECK, "failed", "exit", None, None),
    "F2 always equal": (
        "class E(int):\n    __eq__ = lambda s, o: True\n    __hash__ = None\ndef f(x):\n    return E()\n",
        CHECK,
        "failed",
        "assertion",
        None,
        None,
    ),
    "F8 writes the verdict": (
        "import os\nfor fd in range(64):\n    try:\n        os.write(fd, b'[\"passed\"]' * 9)\n"
        "    except OSError:\n        pass\n" + SQUARE,
        CHECK,
        "failed",
        "forged",
        None,
        None,
    ),
    "answers before it is asked": (
        "import os, struct, json\nfor n in range(1, 9):\n"
        "    b = json.dumps(['t', n, 'value', 4, None]).encode()\n"
        "    os.write(3, struct.pack('!I', len(b)) + b)\n"
        "def f(x):\n    return 5\n",
        CHECK,
        "failed",
        "forged",
        None,
        None,
    ),
    "wrong value": ("def f(x):\n    return 5\n", CHECK, "failed", "assertion", None, None),
    "raises": ("def f(x):\n    return x + ''\n", CHECK, "failed", "raised:TypeError", None, None),
    "raises at import": ("1 / 0\n", CHECK, "failed", "raised:ZeroDivisionError", None, None),
    "raises its own": (
        "class E(KeyError):\n    pass\ndef f(x):\n    raise E\n",
        CHECK,
        "failed",
        "raised:KeyError",
        None,
        None,
    ),
    "its own assertion": (
        "def f(x):\n    assert x > 9\n",
        CHECK,
        "failed",
        "raised:AssertionError",
        None,
        None,
    ),
    "syntax": ("def f(x) return x", CHECK, "failed", "syntax", None, None),
    "a zero byte": ("\0", CHECK, "failed", "syntax", None, None),
    "a lone surrogate": ("x = '\ud800'", CHECK, "failed", "syntax", None, None),
    "missing": ("def g(x):\n    return x\n", CHECK, "failed", "missing:f", None, None),
    "package that is not there": (
        "import numpy\n" + SQUARE,
        CHECK,
        "failed",
        "raised:ModuleNotFoundError",
        None,
        None,
    ),
    "endless": ("while True:\n    pass\n", CHECK, "failed", "exceeded:cpu", None, None),
    "endless answer": (
        "import itertools\ndef f(x):\n    return list(itertools.count())\n",
        CHECK,
        "failed",
        "exceeded:memory",
        None,
        None,
    ),
    "crash": ("import ctypes\nctypes.string_at(8)\n", CHECK, "failed", "crashed:SIGSEGV", None, None),
    "asleep": ("import time\ntime.sleep(99)\n", CHECK, "unsettled", "time_limit", None, None),
    "threads": (
        "import threading\ndef f(x):\n    threading.Thread(target=print).start()\n",
        CHECK,
        "unsupported",
        "unsupported:threads",
        None,
        None,
    ),
    "tests that raise": (
        SQUARE,
        FunctionTests("", "f", "import nothing"),
        "unsupported",
        "unsupported:test raises ModuleNotFoundError",
        None,
        None,
    ),
    "tests without check": (
        SQUARE,
        FunctionTests("", "f", "x = 1"),
        "unsupported",
        "unsupported:test without check",
        None,
        None,
    ),
    "tests that end": (
        SQUARE,
        FunctionTests("", "f", "import os\ndef check(c):\n    os._exit(0)"),
        "unsupported",
        "unsupported:tests that end their process",
        None,
        None,
    ),
    "a function as argument": (
        "def f(g):\n    return g(2)\n",
        asserts("assert f(lambda x: x) == 2"),
        "unsupported",
        "unsupported:argument type function",
        0,
        0,
    ),
    "a generator back, whatever the test catches": (
        "def f(x):\n    yield x\n",
        asserts("try:\n    list(f(1))\nexcept BaseException:\n    pass"),
        "unsupported",
        "unsupported:iter of an object",
        0,
        0,
    ),
    "asserts pass": (SQUARE, asserts("assert f(2) == 4", "assert f(3) == 9"), "passed", "passed", None, 2),
    "second assert fails": (
        "def f(x):\n    return 4\n",
        asserts("assert f(2) == 4", "assert f(3) == 9", "assert f(0) == 0"),
        "failed",
        "assertion",
        1,
        1,
    ),
    "gone in the second": (
        "import os\ndef f(x):\n    return 4 if x == 2 else os._exit(0)\n",
        asserts("assert f(2) == 4", "assert f(3) == 9"),
        "failed",
        "exit",
        1,
        1,
    ),
    "a constant": ("LIMIT = 3\n", asserts("assert LIMIT == 3"), "passed", "passed", None, 1),
    "a function named like a builtin": (
        "def sum(a, b):\n    return a - b\n",
        asserts("assert sum(5, 3) == 2"),
        "passed",
        "passed",
        None,
        1,
    ),
    "a builtin cannot be replaced beside it": (
        "def f(x):\n    return 0\ndef set(x):\n    return 1\n",
        asserts("assert set(f(2)) == set([4])"),
        "failed",
        "raised:TypeError",
        0,
        0,
    ),
    "changed in place": (
        "def f(x):\n    x[0].append(2)\n    x.append(3)\n",
        asserts("y = [1]\nx = [y]\nf(x)\nassert x == [[1, 2], 3] and y == [1, 2]"),
        "passed",
        "passed",
        None,
        1,
    ),
    "objects of the solution": (
        LENGTH,
        asserts("assert f(a) == 2", "assert a.next.v == 5", setup="a = Node(4)\na.next = Node(5)"),
        "passed",
        "passed",
        None,
        2,
    ),
    "objects that are wrong": (
        LENGTH,
        asserts("assert f(a) == 3", setup="a = Node(4)\na.next = Node(5)"),
        "failed",
        "assertion",
        0,
        0,
    ),
    "a named tuple is its tuple": (
        "import collections\nP = collections.namedtuple('P', 'a b')\ndef f(x):\n    return P(x, x)\n",
        asserts("assert f(1) == (1, 1)"),
        "passed",
        "passed",
        None,
        1,
    ),
    "tests catch what is raised": (
        "def f(x):\n    raise ValueError('no')\n",
        asserts("try:\n    f(1)\nexcept ValueError as e:\n    assert str(e) == 'no'"),
        "passed",
        "passed",
        None,
        1,
    ),
    "output": (ECHO, InputOutput(("2\na\nb\n", "1\nc"), ("a \nb\n\n", "c")), "passed", "passed", None, 2),
    "wrong output": (ECHO, InputOutput(("1\na", "1\nb"), ("a", "c")), "failed", "wrong_output", 1, 1),
    "F4 digits": ("print('0.0009')", InputOutput(("",), ("0.0001",)), "failed", "wrong_output", 0, 0),
    "F4 decimals": ("print('1.0005')", InputOutput(("",), ("1",)), "failed", "wrong_output", 0, 0),
    "F4 layout": ("print('1 2\\n3')", InputOutput(("",), ("1\n2 3",)), "failed", "wrong_output", 0, 0),
    "F1 output": ("exit()\nprint(1)", InputOutput(("",), ("1",)), "failed", "wrong_output", 0, 0),
    "raises after output": (
        "print(1)\n1 / 0",
        InputOutput(("",), ("1",)),
        "failed",
        "raised:ZeroDivisionError",
        0,
        0,
    ),
    "by file number": (
        "import os, sys\nx = open(0).read()\nos.write(1, x.encode())\nsys.exit(0)",
        InputOutput(("a\nb",), ("a\nb",)),
        "passed",
        "passed",
        None,
        1,
    ),
    "a tuple for a list": (
        "class Solution:\n    def f(self, a, b):\n        return (a, [b])\n",
        InputOutput(([1, 2],), ([1, [2]],), "f"),
        "passed",
        "passed",
        None,
        1,
    ),
    "1 is not True": (
        "def f():\n    return 1\n",
        InputOutput(([],), (True,), "f"),
        "failed",
        "wrong_output",
        0,
        0,
    ),
    "1 is not 1.0": (
        "def f():\n    return 1.0\n",
        InputOutput(([],), (1,), "f"),
        "failed",
        "wrong_output",
        0,
        0,
    ),
    "floats exactly": (
        "def f():\n    return 0.1 + 0.2\n",
        InputOutput(([],), (0.3,), "f"),
        "failed",
        "wrong_output",
        0,
        0,
    ),
    "F2 called": (
        "class E:\n    __eq__ = lambda s, o: True\ndef f():\n    return E()\n",
        InputOutput(([],), (1,), "f"),
        "failed",
        "wrong_output",
        0,
        0,
    ),
}


@pytest.fixture(scope="module")
def results() -> dict[str, Ran]:
    """All cases in one run, as they would come from a recipe."""
    return dict(zip(CASES, judged([Job(case[0], case[1]) for case in CASES.values()]), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_a_program_gets_what_it_deserves(results: dict[str, Ran], name: str) -> None:
    ran = results[name]
    assert (ran.outcome, ran.reason, ran.test, ran.tests_passed) == CASES[name][2:]
    assert ran.cpu_seconds >= 0
    assert ran.memory_bytes is not None


def test_at_least_half_of_the_cases_do_not_pass() -> None:
    assert 2 * sum(case[2] == "passed" for case in CASES.values()) <= len(CASES)


def test_the_order_of_sets_and_chance_are_the_same_every_time() -> None:
    program = "import random\ndef f():\n    return [list(set('abcdefgh')), random.random()]\n"
    # A pass of the second run says that it saw what the first one printed.
    shown = "import builtins\nraise getattr(builtins, [n for n in dir(builtins) if n.endswith('Error')][{}])"
    line = shown.format("__import__('zlib').crc32(repr(f()).encode()) % 40")
    first, second = (judged([Job(program, asserts(line))] * 2) for _ in range(2))
    assert {ran.outcome for ran in first + second} == {"failed"}
    assert len({ran.reason for ran in first + second}) == 1


def test_humaneval_solutions_pass() -> None:
    folder = os.environ.get("FACTORY_TEST_DATA")
    if not folder:
        pytest.skip("FACTORY_TEST_DATA is not set: no HumanEval to judge")
    with gzip.open(Path(folder) / "humaneval" / "HumanEval.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    jobs = [
        Job(
            row["prompt"] + row["canonical_solution"],
            FunctionTests(row["prompt"], row["entry_point"], row["test"]),
        )
        for row in rows
    ]
    results = judged(jobs, limits=Limits())
    assert {row["task_id"]: ran.reason for row, ran in zip(rows, results, strict=True)} == {
        row["task_id"]: "passed" for row in rows
    }


# --- servers and clients that are lost -----------------------------------------------------------------


def servers() -> list[int]:
    """The servers that this process has started and that live."""
    return [pid for pid in children(os.getpid()) if b"sandbox_server" in command(pid)]


def children(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rsplit(")", 1)[1].split()[1]) == parent:
                found.append(int(stat.parent.name))
        except OSError:
            continue
    return found


def command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def wait_until(what: Any, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize(("kills", "expected"), [(1, "passed"), (2, "worker_lost")])
def test_a_server_that_is_killed_costs_one_retry(
    monkeypatch: pytest.MonkeyPatch, kills: int, expected: str
) -> None:
    sandbox.self_test("landlock")
    left, send = [kills], sandbox._Crew._send

    def send_and_kill(self: Any, server: Any, slot: Any, task: Any, message: bytes) -> None:
        send(self, server, slot, task, message)
        if task.position == 1 and left[0]:
            left[0] -= 1
            wait_until(lambda: slot.greeted or self.selector.select(0))
            if not slot.greeted:
                self._listen(slot)
            server.process.kill()

    monkeypatch.setattr(sandbox._Crew, "_send", send_and_kill)
    # The second is at work for long enough to be killed in the middle.
    slow = Job("for _ in range(4_000_000): pass\n" + SQUARE, CHECK)
    found = judged([Job(SQUARE, CHECK), slow, Job(SQUARE, CHECK)])
    assert [ran.reason for ran in found] == ["passed", expected, "passed"]
    assert not servers()


def test_no_process_is_left_when_the_generator_is_closed() -> None:
    results = sandbox.run([Job(SQUARE, CHECK), Job("while True: pass", CHECK)], workers=1)
    assert next(results)[1].reason == "passed"
    (server,) = servers()
    wait_until(lambda: len(children(server)) <= 2)
    below = children(server)
    results.close()
    assert not servers()
    wait_until(lambda: all(map(gone, below)))


def test_killing_the_client_leaves_no_process() -> None:
    program = (
        "from factory.verifiers import sandbox\n"
        "job = sandbox.Job('import time\\ntime.sleep(99)', sandbox.Asserts('', ('assert f(1)',)))\n"
        "list(sandbox._run([job] * 2, 2, sandbox.Limits(30), 'landlock'))\n"
    )
    root = str(Path(__file__).parents[2])
    client = subprocess.Popen([sys.executable, "-c", program], env={"PYTHONPATH": root})
    below: list[int] = []

    def working() -> bool:
        below[:] = [pid for server in children(client.pid) for pid in [server, *children(server)]]
        return len(below) == 6

    wait_until(working)
    client.kill()
    client.wait()
    wait_until(lambda: all(map(gone, below)))


def test_jobs_are_pulled_as_there_is_room() -> None:
    pulled = []

    def jobs() -> Iterator[Job]:
        for number in range(50):
            pulled.append(number)
            yield Job(SQUARE, CHECK)

    for done, _ in enumerate(sandbox.run(jobs(), workers=2, limits=SHORT)):
        assert len(pulled) <= done + 1 + 2 * 2
    assert len(pulled) == 50


def test_nothing_to_do_is_nothing_done() -> None:
    assert judged([]) == []


def test_large_tests_cross_while_others_run() -> None:
    text = "x" * 3_000_000
    job = Job("print(len(input()))", InputOutput((text, text), ("3000000", "3000000")))
    assert [ran.reason for ran in judged([job, Job(SQUARE, CHECK)])] == ["passed", "passed"]

"""The verifier `unit_tests`: what the sandbox's word becomes, which programs are run, what is held."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from factory.recipe import UnitTestsOptions
from factory.records import Status
from factory.verifiers import sandbox, unit_tests
from factory.verifiers.base import Check, Item
from factory.verifiers.sandbox_jobs import Job, Limits, Ran

TESTS = json.dumps({"setup": "", "asserts": ["assert double(2) == 4"]})
OPTIONS = UnitTestsOptions()


class Fake:
    """A sandbox that says what the first line of a program asks for, two jobs at a time, the last first."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.calls: list[dict[str, Any]] = []

    def run(self, jobs: Iterable[Job], **options: Any) -> Iterator[tuple[int, Ran, float]]:
        self.calls.append(options)
        held: list[tuple[int, Ran, float]] = []
        for position, job in enumerate(jobs):
            self.ran.append(job.solution)
            outcome, reason = job.solution.splitlines()[0].removeprefix("# ").split()
            held.append((position, Ran(outcome, reason, 0, 1, 0.12345, 2**20), 0.5))  # type: ignore[arg-type]
            if len(held) == 2:
                yield from reversed(held)
                held = []
        yield from held


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake()
    monkeypatch.setattr(sandbox, "run", made.run)
    monkeypatch.setattr(sandbox, "self_test", lambda isolation: f"{isolation}7 py")
    return made


def program(word: str, name: str = "double") -> str:
    return f"# {word}\ndef {name}(x): return 2 * x\n"


def check(*completions: str, tests: str | None = TESTS, options: UnitTestsOptions = OPTIONS) -> list[Check]:
    """The checks in the order of the items."""
    items = (Item(completion, tests=tests) for completion in completions)
    told = sorted(unit_tests.check_all(items, options, None), key=lambda one: one[0])
    assert [position for position, _, _ in told] == list(range(len(completions)))
    return [check for _, check, _ in told]


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("passed passed", Status.PASS),
        ("failed assertion", Status.FAIL),
        ("failed exceeded:cpu", Status.FAIL),
        ("failed missing:double", Status.FAIL),
        ("unsupported unsupported:in_place", Status.ERROR),
        ("unsettled time_limit", Status.ERROR),
        ("unsettled worker_lost", Status.ERROR),
    ],
)
def test_the_word_of_the_sandbox(fake: Fake, word: str, status: Status) -> None:
    text = f"So:\n```python\n{program(word)}```"
    (made,) = check(text)
    assert made == Check(
        status,
        word.split()[1],
        program(word),
        "fenced",
        '{"confined":"landlock7 py","cpu_seconds":0.123,"memory_bytes":1048576,"test":0,"tests_passed":1}',
    )


def test_limits_and_isolation_are_the_options(fake: Fake) -> None:
    options = UnitTestsOptions(cpu_seconds=1.5, memory_mib=256, isolation="bubblewrap")
    (made,) = check(program("passed passed"), options=options)
    assert fake.calls == [
        {"workers": None, "limits": Limits(cpu_seconds=1.5, memory_mib=256), "isolation": "bubblewrap"}
    ]
    assert json.loads(made.detail or "")["confined"] == "bubblewrap7 py"


def test_no_program_is_no_answer(fake: Fake) -> None:
    assert check("I do not know.", "") == [Check(Status.NO_ANSWER, "none")] * 2
    assert fake.calls == []


def test_tests_of_another_form_are_an_error(fake: Fake) -> None:
    for tests in (None, "", "{}", '{"setup": "", "asserts": []}'):
        assert check(program("passed passed"), tests=tests) == [Check(Status.ERROR, "unsupported:tests")]
    assert fake.calls == []


def test_a_text_that_is_no_python_is_no_program_but_a_block_is(fake: Fake) -> None:
    word = program("failed syntax")
    whole, fenced = check(word, f"```\n{word}\n```")
    assert (whole.status, whole.reason) == (Status.NO_ANSWER, "none")
    assert (fenced.status, fenced.reason, fenced.rule) == (Status.FAIL, "syntax", "fenced")


def test_a_long_program_is_not_repeated(fake: Fake) -> None:
    short = program("passed passed")
    padded = short.ljust(unit_tests.LONGEST_ANSWER, "#")
    assert [one.answer for one in check(padded, padded + "#")] == [padded, None]


def test_equal_programs_are_run_once(fake: Fake) -> None:
    one, other = program("passed passed"), program("failed assertion")
    made = check(one, one, other, f"```\n{one}```", other, one)
    assert [check.status.value for check in made] == ["pass", "pass", "fail", "pass", "fail", "pass"]
    assert [check.rule for check in made] == ["whole", "whole", "whole", "fenced", "whole", "whole"]
    assert sorted(fake.ran) == sorted([one, other])


def test_equal_programs_with_other_tests_are_run_again(fake: Fake) -> None:
    more = json.dumps({"setup": "", "asserts": ["assert double(3) == 6"]})
    items = [Item(program("passed passed"), tests=tests) for tests in (TESTS, more)]
    assert len(list(unit_tests.check_all(items, OPTIONS, 1))) == 2
    assert len(fake.ran) == 2


def test_what_is_unsettled_is_run_again(fake: Fake) -> None:
    lost, good = program("unsettled worker_lost"), program("passed passed")
    made = check(lost, good, lost, good, lost)
    assert [check.reason for check in made] == ["worker_lost", "passed"] * 2 + ["worker_lost"]
    assert fake.ran.count(lost) > fake.ran.count(good) == 1


def test_only_so_many_outcomes_are_remembered(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit_tests, "REMEMBERED", 2)
    texts = [program("passed passed") + f"# {number}\n" for number in range(6)]
    check(*texts, texts[5], texts[0])
    assert [fake.ran.count(text) for text in texts] == [2, 1, 1, 1, 1, 1]


def test_items_are_pulled_as_there_is_room(fake: Fake) -> None:
    pulled = 0

    def items() -> Iterator[Item]:
        nonlocal pulled
        for number in range(1000):
            pulled += 1
            yield Item(program("passed passed") + f"# {number}", tests=TESTS)

    told = unit_tests.check_all(items(), OPTIONS, 1)
    next(told)
    assert pulled == 2


@pytest.mark.parametrize(
    "completion", ["nothing", program("passed passed")], ids=["no program", "equal ones"]
)
def test_items_that_need_no_run_are_not_held(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, completion: str
) -> None:
    monkeypatch.setattr(unit_tests, "ASIDE", 10)
    pulled = 0

    def items() -> Iterator[Item]:
        nonlocal pulled
        yield Item(program("passed passed"), tests=TESTS)
        for _ in range(1000):
            pulled += 1
            yield Item(completion, tests=TESTS)
        yield Item(program("failed assertion"), tests=TESTS)

    most = 0
    for count, _ in enumerate(unit_tests.check_all(items(), OPTIONS, 1)):
        most = max(most, pulled - count)
    assert count == 1001
    assert most <= 10


def test_a_sandbox_that_does_not_hold_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from factory.errors import OutsideError

    def run(jobs: Iterable[Job], **_: Any) -> Iterator[tuple[int, Ran, float]]:
        raise OutsideError("landlock is missing")
        yield

    monkeypatch.setattr(sandbox, "run", run)
    with pytest.raises(OutsideError, match="landlock is missing"):
        check(program("passed passed"))

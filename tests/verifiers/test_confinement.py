"""The filter refuses what the table names and nothing else, on both architectures."""

from __future__ import annotations

import struct

import pytest

from factory.verifiers.confinement import seccomp_filter
from factory.verifiers.confinement_calls import AUDIT_ARCH, numbers

KILL, ALLOW, EPERM = 0x80000000, 0x7FFF0000, 0x00050001


def answer(program: bytes, arch: int, number: int) -> int:
    """What the kernel would answer: the few instructions that the filter is made of, run here."""
    steps = list(struct.iter_unpack("=HBBI", program))
    at, loaded = 0, 0
    while True:
        code, true, false, value = steps[at]
        at += 1
        if code == 0x06:
            return int(value)
        if code == 0x20:
            loaded = {0: number, 4: arch}[value]
        elif code == 0x05:
            at += value
        else:
            at += true if {0x15: loaded == value, 0x35: loaded >= value}[code] else false


@pytest.mark.parametrize("machine", AUDIT_ARCH)
def test_the_filter_answers_as_the_table_says(machine: str) -> None:
    program, refused = seccomp_filter(machine), set(numbers(machine).values())
    for number in range(600):
        expected = EPERM if number in refused else ALLOW
        assert answer(program, AUDIT_ARCH[machine], number) == expected, number


@pytest.mark.parametrize("machine", AUDIT_ARCH)
def test_other_architectures_are_killed(machine: str) -> None:
    program = seccomp_filter(machine)
    for other in (*(set(AUDIT_ARCH.values()) - {AUDIT_ARCH[machine]}), 0x40000003, 0):
        assert answer(program, other, 1) == KILL
    assert answer(program, AUDIT_ARCH[machine], 0x40000000 + 59) == KILL


def test_names_taken_off_the_list_are_allowed_and_no_others() -> None:
    program = seccomp_filter("x86_64", frozenset({"memfd_create"}))
    calls = numbers("x86_64")
    assert answer(program, AUDIT_ARCH["x86_64"], calls["memfd_create"]) == ALLOW
    assert answer(program, AUDIT_ARCH["x86_64"], calls["socket"]) == EPERM


@pytest.mark.parametrize(
    ("machine", "name", "number"),
    [
        ("x86_64", "execve", 59),
        ("x86_64", "ptrace", 101),
        ("x86_64", "open_by_handle_at", 304),
        ("aarch64", "execve", 221),
        ("aarch64", "clone", 220),
        ("aarch64", "kill", 129),
    ],
)
def test_numbers(machine: str, name: str, number: int) -> None:
    assert numbers(machine)[name] == number


@pytest.mark.parametrize("machine", AUDIT_ARCH)
def test_a_number_stands_once(machine: str) -> None:
    found = list(numbers(machine).values())
    assert len(found) == len(set(found))


def test_what_an_interpreter_needs_is_not_refused() -> None:
    needed = {"x86_64": (0, 1, 3, 9, 12, 47, 231, 257, 318), "aarch64": (56, 57, 63, 64, 94, 212, 222, 278)}
    for machine, allowed in needed.items():
        assert not set(allowed) & set(numbers(machine).values())

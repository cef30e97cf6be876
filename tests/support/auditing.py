"""A small recipe with hostile solutions, and the real `factory audit` as a process with its address."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from factory import intake, pipeline
from factory.errors import CheckFailed
from factory.progress import Silent
from factory.recipe import load
from factory.store import Store
from tests.support.running import command, write_lines

GENERATORS = ("gemmaclandestine", "smolclandestine")
HIDDEN = (*GENERATORS, "difficultyclandestine", "sourceclandestine", "audited", "suspect", "unjudged")
"""Words of what an annotator must not know, none of which stands in a problem or a solution."""

RECIPE = """
name: audited
version: 1.0.0
problems:
  - source: file
    path: problems.jsonl
    name: sourceclandestine
    columns: {prompt: question, answer: answer, difficulty: difficulty}
generators:
  gemmaclandestine: {engine: replay, imported: gemmaclandestine}
  smolclandestine: {engine: replay, imported: smolclandestine}
budget: {per_problem: {samples: 2}}
verify: {decides: math, workers: 1}
select: {dedup: [exact]}
measure: {k: [1], bootstrap: 100, false_positives: {audit: 12, arithmetic: false}}
release: {configs: [sft, samples, problems]}
"""
MAP = """
problem: {prompt: question, answer: answer, name: sourceclandestine, difficulty: difficulty}
completions:
  - {generator: gemmaclandestine, completion: one}
  - {generator: smolclandestine, completion: two}
"""
MARKUP = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
HOSTILE = (
    MARKUP,
    "</li></ol><style>*{display:none}</style>&lt;b&gt; {{7*7}} ${7*7}",
    "right \u202e tfel \u202c and \u200bhidden \x1b[31m\x07 \ud800",
    "=cmd|' /C calc'!A0",
)


def workplace(root: Path, problems: int = 8) -> Store:
    """A folder with a recipe and its store, whose samples are judged; there is no release yet."""
    root.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = [
        {
            "question": f"What is {n} + {n + 1}?",
            "answer": str(2 * n + 1),
            "difficulty": "difficultyclandestine",
        }
        for n in range(problems)
    ]
    write_lines(root / "problems.jsonl", rows)
    solutions = []
    for n, row in enumerate(rows):
        for index in range(2):
            odd = HOSTILE[n % len(HOSTILE)].replace("\ud800", "")
            one = f"First {n} + {n + 1} = {2 * n + 1}. Mr. X agrees ({index}).\n\nThe answer is {2 * n + 1}."
            two = f"{odd}\nSo {n + 1} + {n} = {2 * n + 1}.\nThe answer is {2 * n + 1}." + "!" * index
            solutions.append(row | {"one": one, "two": two})
    write_lines(root / "solutions.jsonl", solutions)
    (root / "map.yaml").write_text(MAP)
    (root / "recipe.yaml").write_text(RECIPE)
    store = Store(root / "store")
    intake.bring_in(root / "solutions.jsonl", root / "map.yaml", (), store, Silent(), command="test")
    pipeline.run(load(root / "recipe.yaml"), store, root, Silent(), until="verdicts")
    return store


def copied(store: Store, root: Path) -> Store:
    """A workplace in `root` that is a copy of the one this store stands in."""
    shutil.copytree(store.root.parent, root, dirs_exist_ok=True)
    return Store(root / store.root.name)


@contextmanager
def locked(store: Store, command: str) -> Iterator[None]:
    """Hold the store as a run would; a server may just be putting a label into it."""
    held = store.lock(command)
    for attempt in itertools.count():
        try:
            held.__enter__()
            break
        except CheckFailed:
            assert attempt < 1000, "the store is never free"
            time.sleep(0.02)
            held = store.lock(command)
    with contextlib.ExitStack() as stack:
        stack.push(held.__exit__)
        yield


class Answer(NamedTuple):
    """What a server answers."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(address: str, body: object = None, method: str | None = None, **headers: str) -> Answer:
    """Ask for an address as a browser on the same page would; names of headers with _ for -."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    if content is not None:
        origin = "/".join(address.split("/")[:3])
        sent = {"Content-Type": "application/json", "Origin": origin} | sent
    asked = urllib.request.Request(address, content, sent, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return Answer(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read())


class Audit:
    """A running `factory audit`."""

    def __init__(self, process: subprocess.Popen[str], address: str, told: list[str]) -> None:
        self.process, self.address, self._told = process, address, told

    def end(self, how: int = signal.SIGINT) -> tuple[int, str, str]:
        """Send the signal and wait; returns (exit code, standard output, standard error)."""
        self.process.send_signal(how)
        assert self.process.stdout is not None
        out = self.process.stdout.read()
        code = self.process.wait(60)
        return code, out, "".join(self._told)


@contextmanager
def audit(root: Path, *arguments: str, annotator: str = "ann") -> Iterator[Audit]:
    """Start `factory audit recipe.yaml`, or what `arguments` name, in `root`; killed in the end."""
    target = arguments if arguments and not arguments[0].startswith("-") else ("recipe.yaml", *arguments)
    process = subprocess.Popen(
        command("audit", *target, "--annotator", annotator, "--no-browser", "--quiet"),
        cwd=root,
        env=os.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    told: list[str] = []
    assert process.stderr is not None
    assert process.stdout is not None
    for line in process.stderr:
        told.append(line)
        if found := re.search(r"http://127\.0\.0\.1:\d+/[\w-]+/", line):
            break
    else:
        process.wait(60)
        raise AssertionError(f"no address: {''.join(told)}")
    rest = threading.Thread(target=lambda: told.extend(process.stderr or ()), daemon=True)
    rest.start()
    try:
        yield Audit(process, found[0], told)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        rest.join()
        process.stdout.close()
        process.stderr.close()


def stored(store: Store) -> list[dict[str, Any]]:
    """The rows of the table labels by their time."""
    rows: list[dict[str, Any]] = store.dataset("labels").to_table().to_pylist()
    return sorted(rows, key=lambda row: str(row["at"]))

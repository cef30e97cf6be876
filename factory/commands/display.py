"""How the command line shows things: progress of a run, tables, and the same as JSON.

Guarantees: progress goes to standard error, results to standard output; nothing else of the package
writes to either. Left out: what is shown (`cli.py`).
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from factory.amounts import NAMES
from factory.progress import Silent

if TYPE_CHECKING:
    from factory.budget_sections import Currency
    from factory.pipeline import Outcome

REPORT_SECONDS = 1.0
MOST_BARS: Final = 12
"""Stages that stand on the terminal at once, the last ones."""


class _Rate(ProgressColumn):
    """Things a second, and tokens a second where there are tokens."""

    def render(self, task: Task) -> Text:
        seconds = task.finished_time or task.elapsed or 0.0
        if seconds <= 0 or not task.completed or not task.fields["unit"]:
            return Text("")
        rate = f"{task.completed / seconds:,.1f} {task.fields['unit']}/s"
        tokens = task.fields["tokens"]
        return Text(f"{rate}  {tokens / seconds:,.0f} tokens/s" if tokens else rate)


class _Spent(ProgressColumn):
    """What is spent of how much and, where only that ends the stage, when it will be."""

    def render(self, task: Task) -> Text:
        if task.fields["spent"] is None:
            return Text("")
        currency, before, spent, most = task.fields["spent"]
        if most is None:
            return Text(f"{spent:,.4g} {NAMES[currency]}")
        told, now = f"{spent:,.3g} of {most:,.3g} {NAMES[currency]}", spent - before
        if task.total or task.finished or not task.elapsed or now <= 0:
            return Text(told)
        left = round(task.elapsed * (most - spent) / now)
        return Text(f"{told}  {left // 60}:{left % 60:02} left")


class Bars:
    """Live bars on a terminal: stage, done of total, rate, tokens a second, what is spent, time left."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=10),
            MofNCompleteColumn(),
            _Rate(),
            _Spent(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._task: Any = None
        self._tokens = 0

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def start(self, stage: str, total: int, unit: str) -> None:
        self._tokens = 0
        for old in self._progress.tasks[: 1 - MOST_BARS]:  # a loop has hundreds of stages
            self._progress.remove_task(old.id)
        self._task = self._progress.add_task(stage, total=total or None, unit=unit, tokens=0, spent=None)
        self._before: float | None = None

    def advance(self, count: int = 1, tokens: int = 0) -> None:
        self._tokens += tokens
        self._progress.update(self._task, advance=count, tokens=self._tokens)

    def spend(self, currency: Currency, spent: float, most: float | None) -> None:
        self._before = spent if self._before is None else self._before
        self._progress.update(self._task, spent=(currency, self._before, spent, most))

    def finish(self) -> None:
        done = self._progress.tasks[-1].completed
        self._progress.update(self._task, total=done or 1, completed=done or 1)

    def say(self, text: str) -> None:
        self._console.print(text)


class Lines:
    """One JSON object a line, at most one a second within a stage; for programs and logs."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._stage: dict[str, Any] = {}
        self._started = self._told = 0.0

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None: ...

    def start(self, stage: str, total: int, unit: str) -> None:
        self._stage = {"stage": stage, "unit": unit, "done": 0, "total": total or None, "tokens": 0}
        self._started = time.monotonic()
        self._tell("start")

    def advance(self, count: int = 1, tokens: int = 0) -> None:
        self._stage["done"] += count
        self._stage["tokens"] += tokens
        if time.monotonic() - self._told >= REPORT_SECONDS:
            self._tell("progress")

    def finish(self) -> None:
        self._tell("finish")

    def spend(self, currency: Currency, spent: float, most: float | None) -> None:
        self._stage["spent"] = {"currency": currency, "spent": spent, "most": most}

    def say(self, text: str) -> None:
        self._write(json.dumps({"event": "message", "text": text}))

    def _tell(self, event: str) -> None:
        self._told = time.monotonic()
        seconds = self._told - self._started
        done, total = self._stage["done"], self._stage["total"]
        rates = {
            "seconds": round(seconds, 3),
            "per_second": round(done / seconds, 3) if seconds and done else None,
            "tokens_per_second": round(self._stage["tokens"] / seconds, 1) if seconds and done else None,
            "seconds_left": round((total - done) * seconds / done, 1) if total and done else None,
        }
        self._write(json.dumps({"event": event, **self._stage, **rates}))


class Quiet(Silent):
    """Shows nothing while it works."""

    def __enter__(self) -> Quiet:
        return self

    def __exit__(self, *_: object) -> None: ...


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A small table; numbers are set to the right."""
    shown = Table(title=title or None, title_justify="left", header_style="bold")
    content = [list(row) for row in rows]
    for number, column in enumerate(columns):
        numeric = all(isinstance(row[number], int | float) for row in content)
        shown.add_column(column, justify="right" if numeric and content else "left", overflow="fold")
    for row in content:
        shown.add_row(*(Text(cell_text(cell)) for cell in row))
    return shown


def counts(stages: Mapping[str, Mapping[str, int]], sampled: Mapping[str, int]) -> Table:
    """The row accounting of a run, and how many samples it drew now."""
    rows = [
        (stage, reason, number) for stage, reasons in stages.items() for reason, number in reasons.items()
    ]
    now = [("sampled now", name, number) for name, number in sampled.items()]
    return table("", ("stage", "reason", "rows"), [*rows, *now])


def outcome(done: Outcome) -> dict[str, Any]:
    """What a run did, as plain data."""
    return {
        "run_id": done.run_id,
        "sampled": done.sampled,
        "counts": done.counts,
        "metrics": done.metrics or None,
        "release": done.release,
        "release_id": done.release_id,
        "unchanged": done.unchanged,
    }


def survey(found: Mapping[str, Any]) -> Table:
    """What a recipe asks for, what the store holds of it and what is owed."""
    rows = [("problems", reason, number) for reason, number in found["problems"].items()]
    for kind in ("generators", "verdicts"):
        rows += [
            (f"{kind[:-1]} {name}", what, number)
            for name, numbers in found[kind].items()
            for what, number in numbers.items()
        ]
    return table(
        found["recipe"] + (" (released)" if found["released"] else ""), ("what", "state", "rows"), rows
    )


MOST_SHOWN: Final = 50
"""Rows of a list of cases or samples; --json has all of them."""


def certificate(found: Mapping[str, Any]) -> Iterator[Table | str]:
    """The figures of a certificate, the policy they hold for, and the cases that went wrong."""
    yield f"{found['verifier']}@{found['version']} on {found['cases_file']}, {found['cases']:,} cases"
    rates = [(name, found[name], _interval(found["intervals"][name])) for name in found["intervals"]]
    yield table("", ("figure", "value", "95% interval"), rates)
    if found["undecided"]:
        yield table("Undecided", ("reason", "share"), list(found["undecided"].items()))
    columns = ("cases", "accuracy", "false_accepts", "false_rejects", "undecided_rate")
    rows = [(name, *(one[key] for key in columns)) for name, one in found["by_category"].items()]
    yield table("By category", ("category", *columns), rows)
    yield table("Policy", ("option", "value"), [(name, str(one)) for name, one in found["options"].items()])
    yield from _listed(
        "Disagreements",
        ("id", "gold", "prediction", "expected", "status", "reason"),
        found["disagreements"],
    )
    speed = found["verdicts_per_cpu_second"]
    yield "Verdicts per CPU-second: " + ("not measured" if speed is None else f"{speed:,.0f}")
    yield f"sha256 of the cases: {found['cases_sha256']}"


def flips(found: Mapping[str, Any]) -> Iterator[Table | str]:
    """How many verdicts went from which status to which, and the samples whose status changed."""
    written = f"{found['verifier']}@{found['against']} -> {found['verifier']}@{found['version']}"
    rows = [(one["old"], one["new"], one["samples"]) for one in found["transitions"]]
    yield f"{written}, {found['compared']:,} samples"
    yield table("", ("old", "new", "samples"), rows)
    if found["not_compared"]:
        yield f"{found['not_compared']:,} samples have no verdict of one of the two"
    names = ("sample_id", "problem_id", "generator", "reference")
    verdict = ("status", "reason", "answer")
    yield from _listed(
        "Flips", (*names, *(f"{age}_{part}" for age in ("old", "new") for part in verdict)), found["flips"]
    )


def _listed(title: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Iterator[Table | str]:
    """The first rows of a list, each value on one short line."""
    if not rows:
        yield f"{title}: none"
        return
    shown = [[_short(row[column]) for column in columns] for row in rows[:MOST_SHOWN]]
    yield table(f"{title}: {len(rows):,}", columns, shown)
    if len(rows) > MOST_SHOWN:
        yield f"{len(rows) - MOST_SHOWN:,} more; --json has all of them"


def _short(value: object) -> object:
    text = " ".join(value.split()) if isinstance(value, str) else value
    return f"{text[:37]}..." if isinstance(text, str) and len(text) > 40 else text


def _interval(ends: Mapping[str, float | None]) -> str:
    return "" if ends["low"] is None else f"{ends['low']:.4f} to {ends['high']:.4f}"


def cell_text(value: object) -> str:
    """A value as a person reads it."""
    if value is None:
        return ""
    if isinstance(value, bool | str):
        return printable(str(value))
    if isinstance(value, float):
        return f"{value:,.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def printable(text: str) -> str:
    """`text` with what would steer a terminal, and hidden signs, as escapes; line breaks stay."""
    return "".join(sign if sign.isprintable() or sign == "\n" else repr(sign)[1:-1] for sign in text)


def command(
    name: str,
    target: object,
    store: Path,
    changes: Iterable[str] = (),
    new: Mapping[str, object] | None = None,
) -> str:
    """A command to copy; `changes` are those of --set, less the keys that `new` gives another value."""
    new = new or {}
    kept = [one for one in changes if one.partition("=")[0].strip() not in new]
    sets = [*kept, *(f"{key}={value}" for key, value in new.items())]
    words = [*name.split(), str(target), "--store", str(store)]
    return shlex.join([*words, *(word for one in sets for word in ("--set", one))])

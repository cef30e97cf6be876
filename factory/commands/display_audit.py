"""How the state of an audit is shown in a terminal.

Guarantees: a share stands with its interval, and how few labels prove what is said. Left out: the numbers
(`auditing/standing.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factory.commands.display import command, printable, table
from factory.release import versions

if TYPE_CHECKING:
    from factory.auditing.subject import Subject


def lines(
    found: Mapping[str, Any], subject: Subject, ended: tuple[str, int, str | None] | None
) -> Iterator[object]:
    """What to print, a table or a text each; `ended` is who gave how many labels, and why any wait."""
    if ended is not None:
        who, given, why = ended
        yield f"{given} label{'' if given == 1 else 's'} given by {who}."
        if why:
            yield (
                f"{found['waiting']} of them wait on the disk, since {printable(why)}. The next "
                "`factory audit` of this store puts them in."
            )
    drawn = f"{found['items']} solutions, drawn from {found['accepted']:,} accepted"
    yield f"{found['labelled']} of {drawn}, are labelled."
    if found["annotators"]:
        rows = [(who, *said.values()) for who, said in found["annotators"].items()]
        yield table("", ("annotator", "right", "wrong", "unsure"), rows)
    yield from _agreement(found["agreement"])
    if found["labelled"]:
        yield str(found["false_positives"]["said"])


def _agreement(found: Mapping[str, Any]) -> Iterator[str]:
    if not found["items"]:
        if len(found["annotators"]) > 1:
            yield "No solution has the labels of two people yet, so agreement is not known."
        return
    name = {"cohen": "Cohen's", "fleiss": "Fleiss's"}[found["kappa_name"]]
    kappa = found["kappa"]
    told = (
        "not defined: all labels are the same"
        if kappa["value"] is None
        else _estimate(kappa)
        if kappa["low"] is not None
        else f"{kappa['value']:.3f}"
    )
    yield (
        f"Agreement on {found['items']} solutions: {_estimate(found['share'])} of pairs are equal; "
        f"{name} kappa {told}."
    )


def _estimate(one: Mapping[str, float]) -> str:
    return f"{one['value']:.3f} [{one['low']:.3f}, {one['high']:.3f}]"


def next_step(
    found: Mapping[str, Any], subject: Subject, store: Path, changes: Sequence[str], released: bool
) -> str:
    """What one does next, with the command to copy; `changes` are those of --set, `released` whether the
    recipe's release is made."""
    if not found["labelled"]:
        return "Next: factory " + command("audit", subject.target, store, changes)
    if subject.recipe is None:
        return "A release keeps the metrics it was made with; the next one of its recipe has these labels."
    if not released:
        return "Next: factory " + command("run", subject.target, store, changes)
    version = versions.next(subject.recipe.version, "patch")
    return (
        f"{subject.recipe.id} keeps the metrics it was made with. Next, with these labels: factory "
        + command("run", subject.target, store, changes, {"version": version})
    )

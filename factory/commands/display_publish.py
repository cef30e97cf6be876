"""How what is published, or would be, is shown.

Guarantees: every file with its bytes and whether they go over the wire. Left out: doing it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from factory.commands import display

_OUTCOMES = {
    "create": "would make {repo} and commit to {branch}",
    "commit": "would commit to {branch} of {repo}",
    "tag": "would set the tag {tag}; the commit is there already",
    "already there": "nothing to do: {repo} has {tag} with these files",
}


def plan(found: Mapping[str, Any]) -> Iterator[Table | str]:
    """What publishing would do, file by file."""
    rows = [(one["path"], one["bytes"], one["state"]) for one in found["files"]]
    yield display.table("", ("file", "bytes", "on the Hub"), rows)
    if found["deleted"]:
        yield display.table("", ("removed from main",), [(path,) for path in found["deleted"]])
    sizes = ", ".join(f"{name} {size:,}" for name, size in found["bytes"].items())
    yield f"{found['release']} as {found['tag']}: {_OUTCOMES[found['outcome']].format(**found)}"
    yield f"Bytes: {sizes}. Nothing was sent."


def published(found: Mapping[str, Any]) -> Iterator[str]:
    """What is on the Hub now, and how it is used."""
    state = "was there already" if found["was_there"] else "is published"
    yield f"{found['release']} {state}: {found['url']}"
    yield f"Commit: {found['commit']}\nRelease id: {found['release_id']}"
    if not found["on_main"]:
        yield "main of the repository was left as it is: it holds a higher version, or edits made by hand"
    yield f"Next:\n  factory release check {found['repo']}@{found['tag']}"

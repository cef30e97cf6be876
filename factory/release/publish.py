"""What there is to do to publish a release, decided from what the Hub holds, without writing to it.

Guarantees: a tag that holds other files, a main that somebody edited by hand, and a main that holds another
dataset are told before anything is sent. `main` holds the highest version; an older one, and one of more
than PART files, gets a branch of its own. Left out: doing it (`publishing.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from factory.errors import CheckFailed
from factory.release import remote
from factory.release.remote import State, Tree, Wanted

if TYPE_CHECKING:
    from huggingface_hub import HfApi

PART: Final = 100
"""Files of one commit on the branch of a large release; the Hub asks for no more."""


@dataclass(frozen=True)
class Todo:
    """What a branch lacks: paths to add and to delete."""

    add: Sequence[str]
    delete: Sequence[str]

    def __bool__(self) -> bool:
        return bool(self.add or self.delete)

    def part(self, most: int) -> Todo:
        """The first `most` of it."""
        return Todo(self.add[:most], self.delete[: max(0, most - len(self.add))])


def todo(want: Wanted, there: Tree) -> Todo:
    """What makes the files `there` those of the release."""
    odd = remote.differing(want.files, there)
    return Todo(
        [path for path in odd if path in want.files], [path for path in odd if path not in want.files]
    )


def branch_of(want: Wanted) -> str:
    """The branch of a release that main does not carry."""
    return f"release/{want.tag}"


def verify(api: HfApi, want: Wanted) -> None:
    """CheckFailed unless the tag holds the files of the release."""
    odd = remote.differing(want.files, remote.tree(api, want.repo, want.tag))
    if odd:
        raise CheckFailed(
            f"{want.repo} has a tag {want.tag} already, and it holds other files: {remote.shown(odd)}. "
            "What is released stays as it is: raise the version in the recipe, or choose another --repo"
        )


def made(api: HfApi, want: Wanted, state: State) -> str | None:
    """The commit of this release that is there untagged: its answer was lost, or its publisher stopped."""
    if not todo(want, state.tree):
        return state.head
    histories = [state.history]
    if head := state.branches.get(branch_of(want)):
        histories.append(remote.history(api, want.repo, head))
    ours = f"{want.name}@{want.version}"
    marked = [commit for history in histories for commit, mark in history if mark == ours]
    for commit in dict.fromkeys(marked):
        if not todo(want, remote.tree(api, want.repo, commit)):
            return commit
    return None


def is_older(want: Wanted, state: State) -> bool:
    """Whether the Hub has a higher version: main stays with it."""
    there = [*state.versions, *([state.holder[1]] if state.holder else [])]
    return max(there, default=()) > want.numbers


def start(want: Wanted, state: State) -> str:
    """The commit that an older version follows: that of the next lower version, else the first of all."""
    lower = {version: commit for version, commit in state.versions.items() if version < want.numbers}
    return lower[max(lower)] if lower else state.history[-1][0]


def is_free(want: Wanted, state: State, overwrite: bool) -> bool:
    """Whether main may be written: it is empty, or a release of this name, or all may be overwritten."""
    found = state.holder
    return overwrite or not state.tree or bool(found and found[0] in (None, want.name))


def guard(want: Wanted, state: State, overwrite: bool) -> None:
    """CheckFailed unless main may be written, with what would be lost."""
    if is_free(want, state, overwrite):
        return
    found = state.holder
    lost = [path for path in remote.differing(want.files, state.tree) if path in state.tree]
    whose = f"a release of {found[0]}" if found else "edits made by hand"
    raise CheckFailed(
        f"main of {want.repo} holds {whose}. Publishing {want.name} {want.version} would overwrite or remove "
        f"{remote.shown(lost)}. Nothing was sent: choose another --repo, or add --overwrite (what is there "
        "stays in the history of the repository)"
    )


def plan(api: HfApi, want: Wanted, overwrite: bool) -> dict[str, Any]:
    """What publishing would do: `outcome`, the `branch` of the commit, the state of every file.

    `outcome` is one of create, commit, tag, already there. A file is unchanged (main has it at this path),
    known (a release has the bytes, so they are not sent again) or new. Raises as publishing does.
    """
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        state = remote.state(api, want.repo)
    except RepositoryNotFoundError:
        return _shown(want, "create", "main" if len(want.files) <= PART else branch_of(want), {}, [])
    if want.tag in state.tags:
        verify(api, want)
        return _shown(want, "already there", None, state.tree, [want.files])
    if made(api, want, state):
        return _shown(want, "tag", None, state.tree, [want.files])
    older = is_older(want, state)
    if not older:
        guard(want, state, overwrite)
    branch = branch_of(want) if older or len(want.files) > PART else "main"
    known = [remote.tree(api, want.repo, commit) for commit in state.versions.values()]
    return _shown(want, "commit", branch, state.tree, known)


def _shown(
    want: Wanted, outcome: str, branch: str | None, there: Tree, known: Sequence[Tree]
) -> dict[str, Any]:
    kept = {one.sha256 for tree in [there, *known] for one in tree.values() if one.sha256}

    def state(path: str) -> str:
        file = want.files[path]
        if path in there and file.same(there[path]):
            return "unchanged"
        return "known" if file.sha256 in kept else "new"

    files = [{"path": path, "bytes": want.files[path].bytes, "state": state(path)} for path in want.files]
    return {
        "release": f"{want.name}@{want.version}",
        "release_id": want.release_id,
        "repo": want.repo,
        "tag": want.tag,
        "outcome": outcome,
        "branch": branch,
        "files": files,
        "deleted": [path for path in there if path not in want.files] if branch == "main" else [],
        "bytes": {
            name: sum(one["bytes"] for one in files if one["state"] == name)
            for name in ("new", "known", "unchanged")
        },
    }

"""Publishes a release to the Hub: one commit, then a tag, and nothing that a reader could see in between.

Guarantees: whatever fails, and whoever publishes at the same time, the same command ends with exactly one
commit of the version, a tag `vX.Y.Z` on it, and at the tag the files of the release and no others. Every
attempt reads what is there and does what is missing; none repeats blindly. A tag that holds other files is
never touched. Bytes that the Hub has are not sent again. A release of more than PART files is committed in
parts on a branch, tagged there, and only then brought to main, so that no reader sees a part.

Left out: other hosts, and changing who may see a repository that exists.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from factory import checking, references
from factory.atomic import write_atomically
from factory.errors import CheckFailed, UsageError
from factory.progress import Progress
from factory.references import OnHub
from factory.release import licences, manifest, publish, remote
from factory.release.findings import refusal
from factory.release.patience import patiently
from factory.release.publish import PART, Todo
from factory.release.remote import State, Wanted
from factory.store import Store

if TYPE_CHECKING:
    from huggingface_hub import HfApi

AT_ONCE: Final = 8
"""Files uploaded together, between two reports of progress."""

_REPO: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


@dataclass(frozen=True)
class Published:
    """What is on the Hub now. `was_there`: it was before; `on_main`: main holds these files too."""

    release: str
    release_id: str
    repo: str
    tag: str
    commit: str
    url: str
    was_there: bool
    on_main: bool


@dataclass(frozen=True)
class Asked:
    """How to publish: a new repository private, and whether edits made by hand may be overwritten."""

    private: bool = False
    overwrite: bool = False


def wanted(folder: Path, repo: str, progress: Progress) -> Wanted:
    """What publishing a release folder to a repository asks for.

    Raises UsageError for a name that is no repository's; CheckFailed when the folder fails a check, or when
    nobody can tell under which licence it may be used.
    """
    if not _REPO.fullmatch(repo):
        raise UsageError(f"--repo {repo!r:.120} is no repository of the Hub; write ORG/NAME")
    if told := refusal(checking.check_folder(folder, checking.named(folder), progress=progress)):
        raise CheckFailed(
            f"{folder} is not as it was made: {told}. Nothing was sent: put the files back, or release a new "
            "version"
        )
    read = manifest.read(folder)
    if reason := licences.publishable(read):
        raise CheckFailed(f"{folder.name} is not published: {reason}")
    return Wanted(repo, read["name"], read["version"], read["release_id"], folder, remote.local(folder))


def folder_of(text: str, store: Store) -> Path:
    """The folder of the release to publish. Raises UsageError for what is on the Hub, or nowhere."""
    reference = references.parse(text)
    if isinstance(reference, OnHub):
        raise UsageError(f"{text} is on the Hub; name a release of the store, NAME@X.Y.Z, or a path")
    return references.local_folder(reference, store)


def plan(want: Wanted, asked: Asked, say: Callable[[str], object]) -> dict[str, Any]:
    """What `send` would do, without writing; see `factory.release.publish.plan`. Raises as `send`."""
    api = _api()
    return patiently(lambda: publish.plan(api, want, asked.overwrite), want.repo, say)


def send(store: Store, want: Wanted, asked: Asked, progress: Progress) -> Published:
    """Bring a release onto the Hub, and record its commit in the store.

    Raises CheckFailed when the tag holds other files, when main was edited by hand or is of another
    dataset (unless `asked.overwrite`), or when `asked.private` meets a public repository; OutsideError when
    the Hub refuses or cannot be reached.
    """
    api = _api()
    tries: list[bool] = []

    def attempt() -> Published:
        tries.append(True)
        return _attempt(api, want, asked, progress, first=len(tries) == 1)

    done = patiently(attempt, want.repo, progress.say)
    _record(store, done, api.endpoint)
    return done


def _api() -> HfApi:
    from huggingface_hub import HfApi
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()  # progress is ours to show
    return HfApi(library_name="factory")


def _attempt(api: HfApi, want: Wanted, asked: Asked, progress: Progress, *, first: bool) -> Published:
    """All steps once, each only as far as it is still to do."""
    url = api.create_repo(
        want.repo, repo_type="dataset", exist_ok=True, visibility="private" if asked.private else None
    )
    if asked.private and not api.repo_info(want.repo, repo_type="dataset").private:
        raise CheckFailed(
            f"{want.repo} is there already and is public; nothing was sent. Make it private on the Hub, "
            "or publish without --private"
        )
    state = remote.state(api, want.repo)
    was_there = want.tag in state.tags
    if not was_there:
        commit = publish.made(api, want, state) or _make(api, want, state, asked, progress)
        api.create_tag(
            want.repo, tag=want.tag, revision=commit, repo_type="dataset", tag_message=want.message
        )
        state = remote.state(api, want.repo)
    publish.verify(api, want)
    if (branch := publish.branch_of(want)) in state.branches:
        api.delete_branch(want.repo, branch=branch, repo_type="dataset")
    return Published(
        release=f"{want.name}@{want.version}",
        release_id=want.release_id,
        repo=want.repo,
        tag=want.tag,
        commit=state.tags[want.tag],
        url=f"{url}/tree/{want.tag}",
        was_there=was_there and first,
        on_main=_move_main(api, want, state, asked, progress),
    )


def _make(api: HfApi, want: Wanted, state: State, asked: Asked, progress: Progress) -> str:
    """Commit the files, on main or on a branch of their own; returns the commit id."""
    older = publish.is_older(want, state)
    if not older:
        publish.guard(want, state, asked.overwrite)
        if len(want.files) <= PART:
            return _commit(api, want, "main", state.head, publish.todo(want, state.tree), progress)
    branch = publish.branch_of(want)
    head = state.branches.get(branch)
    if head is None:
        head = publish.start(want, state) if older else state.head
        api.create_branch(want.repo, branch=branch, revision=head, repo_type="dataset")
    while todo := publish.todo(want, remote.tree(api, want.repo, head)):
        head = _commit(api, want, branch, head, todo.part(PART), progress)
    return head


def _move_main(api: HfApi, want: Wanted, state: State, asked: Asked, progress: Progress) -> bool:
    """Bring main to the release when it holds an older one; returns whether main holds it now."""
    todo = publish.todo(want, state.tree)
    if not todo:
        return True
    if publish.is_older(want, state) or not publish.is_free(want, state, asked.overwrite):
        return False
    _commit(api, want, "main", state.head, todo, progress)
    return True


def _commit(api: HfApi, want: Wanted, branch: str, head: str, todo: Todo, progress: Progress) -> str:
    """Upload what the Hub lacks, then one commit on top of `head`; returns its id."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    additions = [CommitOperationAdd(path, want.folder / path) for path in todo.add]
    for one in additions:
        sha256 = want.files[one.path_in_repo].sha256
        assert sha256 is not None, "local files have both hashes"
        one.upload_info.sha256 = bytes.fromhex(sha256)  # else every file is read once more
    progress.start(f"upload to {want.repo}", sum(want.files[path].bytes for path in todo.add), "bytes")
    for first in range(0, len(additions), AT_ONCE):
        some = additions[first : first + AT_ONCE]
        api.preupload_lfs_files(want.repo, some, repo_type="dataset", revision=branch, free_memory=False)
        progress.advance(sum(want.files[one.path_in_repo].bytes for one in some))
    made = api.create_commit(
        want.repo,
        [*additions, *(CommitOperationDelete(path, is_folder=False) for path in todo.delete)],
        commit_message=f"{want.name} {want.version}",
        commit_description=want.message,
        repo_type="dataset",
        revision=branch,
        parent_commit=head,
    )
    progress.finish()
    return str(made.oid)


def _record(store: Store, done: Published, endpoint: str) -> None:
    """Keep what was published beside the releases; the folder of the release itself never changes."""
    path = store.root / "published" / done.release / f"{done.repo.replace('/', '--')}.json"
    content = {"endpoint": endpoint} | {
        key: value for key, value in asdict(done).items() if key not in ("was_there", "on_main")
    }
    write_atomically(path, lambda file: file.write((json.dumps(content, indent=2) + "\n").encode()))

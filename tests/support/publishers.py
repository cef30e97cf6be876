"""Publishers for tests: the real `factory release publish`, and what must hold once one has ended well."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from factory.store import Store
from tests.support import hub, releases, running

CONFIGS = "sft, samples, problems"
LICENSED = "  license: cc-by-4.0\n"

DRIVER = """
import contextlib, io, json, sys
from factory import cli
done = []
for arguments in json.loads(sys.stdin.read()):
    sys.argv, out, err = ["factory", *arguments], io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main()
        except SystemExit as end:
            done.append([end.code, out.getvalue(), err.getvalue()])
print(json.dumps(done))
"""
"""Several commands one after the other in one process: starting one takes longer than what it does."""


class Ended(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


def make(root: Path) -> Path:
    """A store with sums@1.0.0 and sums@2.0.0, less the charts of their cards, which take long to draw."""
    store = releases.make_store(root)
    with mock.patch("factory.releasing.card_charts", return_value=[]):
        for version, samples in (("1.0.0", 4), ("2.0.0", 8)):
            releases.release(root, store, version, samples, more=LICENSED, configs=CONFIGS)
    return store.root


def arguments(store: Path, version: str, repo: str, *more: str) -> list[str]:
    """The arguments of a publication of sums@VERSION."""
    return ["release", "publish", f"sums@{version}", "--repo", repo, "--store", str(store), "--json", *more]


def run(
    server: hub.Server, home: Path, *commands: list[str], token: str | None = hub.WRITE_TOKEN
) -> list[Ended]:
    """Run the commands one after the other, in one process."""
    process = subprocess.run(
        [sys.executable, "-c", DRIVER],
        input=json.dumps(commands),
        env=os.environ | server.env(home, token),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert process.returncode == 0, process.stderr
    ended = [Ended(*one) for one in json.loads(process.stdout.splitlines()[-1])]
    assert len(ended) == len(commands), process.stderr
    return ended


def start(server: hub.Server, home: Path, command: list[str]) -> subprocess.Popen[str]:
    """A publisher in a process of its own, to be waited for, or killed."""
    return subprocess.Popen(
        running.command(*command),
        env=os.environ | server.env(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait(process: subprocess.Popen[str]) -> Ended:
    out, err = process.communicate(timeout=240)
    return Ended(process.returncode, out, err)


def shown(ended: Ended) -> Any:
    """The JSON of a command that ended well."""
    assert ended.code == 0, ended.err
    return json.loads(ended.out)


def content(folder: Path) -> dict[str, bytes]:
    """Path to bytes of a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def served(server: hub.Server, repo: str, revision: str) -> dict[str, bytes]:
    """Path to bytes of what a reader of a revision gets."""
    return {path: server.read(repo, path, revision) for path in server.tree(repo, revision)}


def hold(server: hub.Server, store: Path, repo: str, *versions: str) -> None:
    """Assert that `repo` holds these versions and nothing else, as one commit and one tag each.

    main holds the highest; no commit that was ever made, on whatever branch, holds a part of a release.
    """
    folders = {version: content(Store(store).releases / f"sums@{version}") for version in versions}
    for version, wanted in folders.items():
        assert served(server, repo, f"v{version}") == wanted, f"{repo} at v{version} is not the release"
    assert sorted(server.tags(repo)) == sorted(f"v{version}" for version in versions)
    found = server.repository(repo)
    assert list(found.branches) == ["main"], "no branch is left"
    highest = max(versions, key=lambda version: [int(part) for part in version.split(".")])
    assert served(server, repo, "main") == folders[highest], f"main of {repo} is not {highest}"
    titles = sorted(commit.title for commit in found.commits.values())
    assert titles == sorted(["initial commit", *(f"sums {version}" for version in versions)])

"""Whatever fails while a release is published, the same command ends with one commit, its tag, all files.

The real command and the unmodified client, against a Hub that answers errors, loses answers and drops
connections, before the work and after it; publishers that are killed; publishers that race.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import hub, publishers
from tests.support.publishers import arguments, hold

SOON = {"Retry-After": "0"}
PLACES = {
    "create": ("POST", "/api/repos/create"),
    "refs": ("GET", "/REPO/refs"),
    "tree": ("GET", "/REPO/tree/"),
    "commits": ("GET", "/REPO/commits/"),
    "preupload": ("POST", "/REPO/preupload/"),
    "batch": ("POST", "/REPO.git/info/lfs/objects/batch"),
    "put": ("PUT", "/storage/.*/REPO/object/"),
    "verify": ("POST", "/storage/.*/REPO/verify/"),
    "card": ("POST", "/api/validate-yaml"),
    "commit": ("POST", "/REPO/commit/"),
    "tag": ("POST", "/REPO/tag/"),
}
FAULTS: dict[str, dict[str, Any]] = {
    "503": {"status": 503, "headers": SOON},
    "429": {"status": 429, "headers": SOON},
    "limit": {
        "status": 429,
        "headers": {"RateLimit": '"api";r=0;t=0', "RateLimit-Policy": '"w";"api";q=5;w=9'},
    },
    "409": {"status": 409},
    "drop": {"drop": True},
    "page": {"status": 502, "body": b"<html>Bad gateway</html>", "headers": {"Content-Type": "text/html"}},
}
HEALED = [
    *(
        f"{place} {fault} {when}"
        for place in ("commit", "tag")
        for fault in ("503", "drop")
        for when in ("before", "after")
    ),
    "commit 429 before",
    "commit page after",
    "tag limit before",
    "tag 409 before",
    "tag 409 after",
    "create 503 before",
    "create 503 after",
    "create drop after",
    "refs 503 before",
    "tree drop before",
    "commits 503 before",
    "preupload 503 before",
    "batch 503 after",
    "put 503 before",
    "put 503 after",
    "put drop before",
    "put drop after",
    "verify drop after",
    "card page before",
]


def strike(server: hub.Server, fault: str, repo: str) -> None:
    place, kind, when = fault.split()
    method, pattern = PLACES[place]
    server.fault(method, pattern.replace("REPO", repo.rpartition("/")[2]), when=when, **FAULTS[kind])


@pytest.mark.parametrize("half", [0, 1])
def test_faults_that_pass_leave_one_commit(server: hub.Server, sums: Path, tmp_path: Path, half: int) -> None:
    # In order, in one process: what strikes every repository is told apart by standing in one list.
    faults = HEALED[half::2]
    repos = {fault: f"acme/{fault.replace(' ', '-')}" for fault in faults}
    for fault, repo in repos.items():
        if not fault.startswith(("create", "card")):
            strike(server, fault, repo)
    for fault in ("create", "card"):
        for one in [one for one in faults if one.startswith(fault)]:
            strike(server, one, "")
    ended = publishers.run(
        server, tmp_path / "home", *(arguments(sums, "1.0.0", repo) for repo in repos.values())
    )
    for (fault, repo), one in zip(repos.items(), ended, strict=True):
        assert publishers.shown(one)["tag"] == "v1.0.0", fault
        hold(server, sums, repo, "1.0.0")
    assert not [fault for fault in server.faults if fault.left], "every fault has struck"
    committed = [one for one in server.asked("POST", "/commit/") if one.status == 200]
    assert len(committed) <= len(server.repositories)


STOPS = [
    (401, "create", "log in with `hf auth login`, or set HF_TOKEN"),
    (403, "commit", "use a token with the role `write`"),
    (400, "commit", "the request was not understood"),
    (404, "tag", "see that the name is right"),
]


def test_what_no_waiting_mends_stops_at_once(server: hub.Server, sums: Path, tmp_path: Path) -> None:
    for status, place, _ in STOPS:
        method, pattern = PLACES[place]
        server.fault(method, pattern.replace("REPO", f"stops-{status}"), status=status)
    commands = [arguments(sums, "1.0.0", f"acme/stops-{status}") for status, _, _ in STOPS]
    ended = publishers.run(server, tmp_path / "home", *commands, *commands)
    for (status, _, told), first, second in zip(STOPS, ended[:4], ended[4:], strict=True):
        assert first.code == 3
        assert f"acme/stops-{status}: the Hub answered {status}" in first.err
        assert told in first.err
        assert "trying again" not in first.err
        assert second.code == 0, second.err
        hold(server, sums, f"acme/stops-{status}", "1.0.0")


def test_a_hub_that_stays_away_is_told_and_the_same_command_goes_on(
    server: hub.Server, sums: Path, tmp_path: Path
) -> None:
    repo = "acme/away"
    server.fault("POST", "/away/commit/", 8, status=503, headers=SOON)
    first, second = publishers.run(server, tmp_path / "home", *[arguments(sums, "1.0.0", repo)] * 2)
    assert first.code == 3
    assert "acme/away: the Hub answered 503 (a fault of the test), 8 times. What is on the Hub" in first.err
    assert first.err.count("trying again in 0 s") == 7
    assert publishers.shown(second)["was_there"] is False
    hold(server, sums, repo, "1.0.0")
    uploaded = [one.path for one in server.asked("PUT", "/away/")]
    assert len(uploaded) == len(set(uploaded)), "what was uploaded is not uploaded again"


MOMENTS = {
    "after-create": ("create", "after", 0),
    "second-upload": ("put", "after", 1),
    "before-commit": ("commit", "before", 0),
    "after-commit": ("commit", "after", 0),
    "after-tag": ("tag", "after", 0),
}


def test_a_publisher_killed_at_any_moment_is_finished_by_the_same_command(
    server: hub.Server, sums: Path, tmp_path: Path
) -> None:
    for name, (place, when, skipped) in MOMENTS.items():
        method, pattern = PLACES[place]
        here = pattern.replace("REPO", name)
        if skipped:
            server.fault(method, here, skipped, call=lambda: None)
        process = publishers.start(server, tmp_path / "home", arguments(sums, "1.0.0", f"acme/{name}"))
        server.fault(method, here, when=when, drop=True, call=process.kill)
        assert publishers.wait(process).code == -signal.SIGKILL, name
        if ("dataset", f"acme/{name}") in server.repositories:
            visible = publishers.served(server, f"acme/{name}", "main")
            assert not visible or visible == publishers.content(sums / "releases" / "sums@1.0.0")
    ended = publishers.run(
        server, tmp_path / "home", *(arguments(sums, "1.0.0", f"acme/{name}") for name in MOMENTS)
    )
    for name, one in zip(MOMENTS, ended, strict=True):
        assert publishers.shown(one)["was_there"] is (name == "after-tag")
        hold(server, sums, f"acme/{name}", "1.0.0")
        answered = [one.path for one in server.asked("PUT", f"/{name}/") if one.status]
        assert len(answered) == len(set(answered)), "what was uploaded is not uploaded again"


def raced(server: hub.Server, home: Path, commands: list[list[str]], pattern: str) -> list[publishers.Ended]:
    """Start publishers that all read the refs before any of them goes on."""
    meeting = threading.Barrier(len(commands), timeout=200)
    server.fault("GET", pattern, len(commands), when="after", call=meeting.wait)
    return [publishers.wait(one) for one in [publishers.start(server, home, command) for command in commands]]


def test_racing_publishers_of_one_version_make_one_commit(
    server: hub.Server, sums: Path, tmp_path: Path
) -> None:
    server.create("acme/race")
    ended = raced(server, tmp_path / "home", [arguments(sums, "1.0.0", "acme/race")] * 4, "/race/refs")
    commits = {publishers.shown(one)["commit"] for one in ended}
    assert commits == {server.tags("acme/race")["v1.0.0"]}
    hold(server, sums, "acme/race", "1.0.0")
    assert [one.status for one in server.asked("POST", "/race/commit/")].count(200) == 1


def test_racing_versions_make_a_commit_each_and_main_holds_the_higher(
    server: hub.Server, sums: Path, tmp_path: Path
) -> None:
    server.create("acme/versions")
    commands = [arguments(sums, version, "acme/versions") for version in ("1.0.0", "2.0.0")]
    for one in raced(server, tmp_path / "home", commands, "/versions/refs"):
        assert one.code == 0, one.err
    hold(server, sums, "acme/versions", "1.0.0", "2.0.0")


def _edited(server: hub.Server, repo: str) -> Callable[[], object]:
    return lambda: server.commit(repo, {"README.md": b"edited by hand\n"}, "Update README.md")


def test_an_edit_that_comes_between_is_not_overwritten(
    server: hub.Server, sums: Path, tmp_path: Path
) -> None:
    repo = "acme/edited"
    server.create(repo)
    server.fault("POST", "/edited/commit/", when="before", call=_edited(server, repo))
    (ended,) = publishers.run(server, tmp_path / "home", arguments(sums, "1.0.0", repo))
    assert ended.code == 1
    assert "edits made by hand. Publishing sums 1.0.0 would overwrite or remove README.md" in ended.err
    assert server.read(repo, "README.md") == b"edited by hand\n"
    assert server.tags(repo) == {}
    assert [one.status for one in server.asked("POST", "/edited/commit/")] == [412]


def test_an_edit_between_commit_and_tag_leaves_the_tag_on_the_release(
    server: hub.Server, sums: Path, tmp_path: Path
) -> None:
    repo = "acme/late"
    server.create(repo)
    server.fault("POST", "/late/commit/", when="after", status=503, headers=SOON, call=_edited(server, repo))
    (ended,) = publishers.run(server, tmp_path / "home", arguments(sums, "1.0.0", repo))
    assert publishers.shown(ended)["on_main"] is False
    folder = sums / "releases" / "sums@1.0.0"
    assert publishers.served(server, repo, "v1.0.0") == publishers.content(folder)
    assert [one.title for one in server.commits(repo)] == ["Update README.md", "sums 1.0.0", "initial commit"]
    assert server.read(repo, "README.md") == b"edited by hand\n"

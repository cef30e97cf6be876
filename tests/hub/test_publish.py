"""Publishing: what is sent, what is refused, and what the Hub and the store hold afterwards."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from factory import checking, publishing
from factory.errors import CheckFailed, UsageError
from factory.progress import Silent
from factory.release import manifest
from factory.store import Store
from tests.support import forging, hub, publishers, running
from tests.support.publishers import arguments, hold

READS = {"GET", "HEAD"}


def folder(sums: Path, version: str) -> Path:
    return Store(sums).releases / f"sums@{version}"


def run(server: hub.Server, tmp_path: Path, *commands: list[str], **named: Any) -> list[publishers.Ended]:
    return publishers.run(server, tmp_path / "home", *commands, **named)


def test_versions_go_up_once_and_a_dry_run_sends_nothing(
    server: hub.Server, sums: Path, tmp_path: Path
) -> None:
    repo = "acme/sums"
    one, two = (arguments(sums, version, repo) for version in ("1.0.0", "2.0.0"))
    (dry,) = run(server, tmp_path, [*one, "--dry-run"])
    assert publishers.shown(dry)["outcome"] == "create"
    assert {file["state"] for file in publishers.shown(dry)["files"]} == {"new"}
    assert {asked.method for asked in server.requests} == {"GET"}
    assert not server.repositories
    checked = ["release", "check", f"{repo}@v2.0.0", "--json"]
    first, again, before, second, after, check = run(
        server, tmp_path, one, one, [*two, "--dry-run"], two, [*two, "--dry-run"], checked
    )
    hold(server, sums, repo, "1.0.0", "2.0.0")
    assert publishers.shown(first)["was_there"] is False
    assert publishers.shown(first)["commit"] == server.tags(repo)["v1.0.0"]
    assert publishers.shown(first) | {"was_there": True} == publishers.shown(again)
    planned = publishers.shown(before)
    assert (planned["outcome"], planned["branch"], planned["deleted"]) == ("commit", "main", [])
    states = {file["path"]: file["state"] for file in planned["files"]}
    assert states["data/problems/train-00000-of-00001.parquet"] == "new", "it says how often each was drawn"
    assert states["data/samples/train-00000-of-00001.parquet"] == "new"
    assert publishers.shown(second)["on_main"] is True
    assert publishers.shown(after)["outcome"] == "already there"
    assert check.code == 0, check.err
    uploaded = [one.path for one in server.asked("PUT")]
    assert len(uploaded) == len(set(uploaded)) == 6, "nothing is sent twice"
    expected = {path: size for path, size in rows(sums, "1.0.0", "2.0.0").items()}
    assert server.bytes_in("PUT") == sum(expected.values())


def rows(sums: Path, *versions: str) -> dict[str, int]:
    """sha256 to bytes of the files of rows of some versions."""
    listed = [one for version in versions for one in manifest.read(folder(sums, version))["files"]]
    return {one["sha256"]: one["bytes"] for one in listed}


def test_the_commit_is_recorded_beside_the_releases(server: hub.Server, sums: Path, tmp_path: Path) -> None:
    before = publishers.content(folder(sums, "1.0.0"))
    (ended,) = run(server, tmp_path, arguments(sums, "1.0.0", "acme/recorded"))
    record = json.loads((sums / "published" / "sums@1.0.0" / "acme--recorded.json").read_text())
    assert record == {
        "endpoint": server.url,
        "release": "sums@1.0.0",
        "release_id": manifest.read(folder(sums, "1.0.0"))["release_id"],
        "repo": "acme/recorded",
        "tag": "v1.0.0",
        "commit": server.tags("acme/recorded")["v1.0.0"],
        "url": f"{server.url}/datasets/acme/recorded/tree/v1.0.0",
    }
    assert publishers.content(folder(sums, "1.0.0")) == before, "the release itself never changes"
    assert server.commits("acme/recorded")[0].message.endswith("Factory-Release: sums@1.0.0")
    assert publishers.shown(ended)["release_id"] in server.commits("acme/recorded")[0].message


def test_an_older_version_is_tagged_and_main_keeps_the_higher(
    server: hub.Server, sums: Path, tmp_path: Path
) -> None:
    repo = "acme/older"
    two, dry, one, again = run(
        server,
        tmp_path,
        arguments(sums, "2.0.0", repo),
        arguments(sums, "1.0.0", repo, "--dry-run"),
        arguments(sums, "1.0.0", repo),
        arguments(sums, "1.0.0", repo),
    )
    assert publishers.shown(two)["on_main"] is True
    assert publishers.shown(dry)["branch"] == "release/v1.0.0"
    assert publishers.shown(dry)["deleted"] == []
    assert publishers.shown(one)["on_main"] is False
    assert publishers.shown(again)["was_there"] is True
    hold(server, sums, repo, "1.0.0", "2.0.0")


def test_a_tag_that_holds_other_files_is_never_touched(
    server: hub.Server, sums: Path, tmp_path: Path
) -> None:
    repo = "acme/taken"
    server.create(repo)
    server.commit(repo, {"README.md": b"other", "\x1b[31mred.txt": b"x"}, "theirs")
    server.repository(repo).tags["v1.0.0"] = server.commits(repo)[0].id
    for ended in run(
        server,
        tmp_path,
        arguments(sums, "1.0.0", repo, "--dry-run"),
        arguments(sums, "1.0.0", repo, "--overwrite"),
    ):
        assert ended.code == 1
        assert "acme/taken has a tag v1.0.0 already, and it holds other files: " in ended.err
        assert "README.md" in ended.err
        assert "raise the version in the recipe" in ended.err
        assert "\x1b" not in ended.err, "a name of a file cannot write to the terminal"
    assert [one.title for one in server.commits(repo)] == ["theirs", "initial commit"]
    assert not server.asked("PUT", "/taken/")


def test_edits_by_hand_are_overwritten_only_when_told(server: hub.Server, sums: Path, tmp_path: Path) -> None:
    repo = "acme/hands"
    (first,) = run(server, tmp_path, arguments(sums, "1.0.0", repo))
    assert first.code == 0, first.err
    server.commit(repo, {"README.md": b"by hand", "notes.txt": b"mine"}, "Update README.md")
    same, dry, refused, planned, told = run(
        server,
        tmp_path,
        arguments(sums, "1.0.0", repo),
        arguments(sums, "2.0.0", repo, "--dry-run"),
        arguments(sums, "2.0.0", repo),
        arguments(sums, "2.0.0", repo, "--overwrite", "--dry-run"),
        arguments(sums, "2.0.0", repo, "--overwrite"),
    )
    assert publishers.shown(same)["on_main"] is False, "what is published again overwrites nothing"
    for ended in (dry, refused):
        assert ended.code == 1
        assert "main of acme/hands holds edits made by hand." in ended.err
        assert "README.md" in ended.err
        assert "notes.txt" in ended.err
        assert "add --overwrite" in ended.err
    assert publishers.shown(planned)["deleted"] == ["notes.txt"]
    assert publishers.shown(told)["on_main"] is True
    assert publishers.served(server, repo, "main") == publishers.content(folder(sums, "2.0.0"))
    titles = [one.title for one in server.commits(repo)]
    assert titles == ["sums 2.0.0", "Update README.md", "sums 1.0.0", "initial commit"]


def test_another_dataset_is_not_overwritten(server: hub.Server, sums: Path, tmp_path: Path) -> None:
    repo = "acme/other"
    server.create(repo)
    head = server.commit(repo, {"data.csv": b"1\n"}, "products 0.9.0")
    marked = head.__class__(**vars(head) | {"message": "Factory-Release: products@0.9.0"})
    server.repository(repo).commits[head.id] = marked
    (ended,) = run(server, tmp_path, arguments(sums, "1.0.0", repo))
    assert ended.code == 1
    assert "main of acme/other holds a release of products. Publishing sums 1.0.0 would" in ended.err
    assert "overwrite or remove data.csv" in ended.err


def test_private_is_asked_for_once_and_never_assumed(server: hub.Server, sums: Path, tmp_path: Path) -> None:
    server.create("acme/public")
    new, again, public, theirs = run(
        server,
        tmp_path,
        arguments(sums, "1.0.0", "acme/private", "--private"),
        arguments(sums, "1.0.0", "acme/private", "--private"),
        arguments(sums, "1.0.0", "acme/public", "--private"),
        arguments(sums, "1.0.0", "other/private", "--private"),
    )
    assert new.code == again.code == 0, again.err
    assert server.repository("acme/private").private
    assert public.code == 1
    assert "acme/public is there already and is public; nothing was sent" in public.err
    assert server.tree("acme/public") == {}
    assert theirs.code == 3
    assert "other/private: the Hub answered 403 (You don't have the rights to write under" in theirs.err


def test_a_repository_on_whose_behalf_nobody_may_write(
    server: hub.Server, sums: Path, tmp_path: Path
) -> None:
    server.create("acme/reading")
    wrong = "hf_NobodyKnowsThisOne"
    cases = {
        hub.READ_TOKEN: ("acme/reading", "the Hub answered 403", "role `write` for this namespace"),
        wrong: ("acme/reading", "the Hub answered 401", "log in with `hf auth login`"),
        None: ("acme/reading", "the Hub answered 401", "log in with `hf auth login`"),
    }
    for token, (repo, answered, step) in cases.items():
        command = ["--debug", *arguments(sums, "1.0.0", repo)]
        result = running.factory(*command, cwd=tmp_path, **server.env(tmp_path / "home", token))
        assert result.returncode == 1, "--debug shows the traceback"
        assert answered in result.stderr
        assert step in result.stderr
        for secret in (hub.WRITE_TOKEN, hub.READ_TOKEN, wrong):
            assert secret not in result.stdout + result.stderr
    assert server.tree("acme/reading") == {}


@pytest.mark.parametrize("text", ["sums", "a/b/c", "../x", "acme/", "/acme", "acme/ü", "a b/c", "a\x1b[2J/c"])
def test_a_name_that_is_no_repository_is_refused(sums: Path, text: str) -> None:
    with pytest.raises(UsageError, match="is no repository of the Hub; write ORG/NAME") as told:
        publishing.wanted(folder(sums, "1.0.0"), text, Silent())
    assert "\x1b" not in str(told.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("acme/sums@v1.0.0", "is on the Hub; name a release of the store"),
        ("sums@9.0.0", "has no release sums@9.0.0; it has sums@"),
        ("sums", "names no release"),
        ("./nothing", "is no release: it holds no manifest.json"),
    ],
)
def test_a_reference_that_is_no_release_here_is_refused(sums: Path, text: str, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        publishing.folder_of(text, Store(sums))


@pytest.mark.parametrize(
    ("path", "content", "told"),
    [
        ("README.md", b"changed", "README.md"),
        ("data/sft/train-00000-of-00001.parquet", b"PAR1", "data/sft/train-00000-of-00001.parquet"),
        ("notes.txt", b"not listed", "notes.txt"),
        ("manifest.json", b"{", "manifest.json"),
    ],
)
def test_a_folder_that_was_changed_is_not_published(
    sums: Path, tmp_path: Path, path: str, content: bytes, told: str
) -> None:
    copy = tmp_path / "sums@1.0.0"
    forging.copy(folder(sums, "1.0.0"), copy)
    (copy / path).write_bytes(content)
    with pytest.raises(CheckFailed, match=r"is not as it was made: .*Nothing was sent") as raised:
        publishing.wanted(copy, "acme/sums", Silent())
    assert told in str(raised.value)


def test_a_release_under_no_known_licence_is_not_published(
    sums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "sums@1.0.0"
    forging.copy(folder(sums, "1.0.0"), copy)
    content = manifest.read(copy)
    content["licences"] |= {"license": None, "outcome": "unknown", "reasons": ["problems of x: none stated"]}
    (copy / "manifest.json").write_text(json.dumps(content))
    monkeypatch.setattr(checking, "check_folder", lambda *_, **__: [])
    with pytest.raises(CheckFailed, match=r"sums@1.0.0 is not published: its licence is unknown \(problems"):
        publishing.wanted(copy, "acme/sums", Silent())


def test_the_words_of_the_hub_are_shown_without_what_a_terminal_acts_on(
    server: hub.Server, sums: Path, tmp_path: Path
) -> None:
    body = json.dumps({"error": "\x1b]0;owned\x07 no\nfactory: all is well"}).encode()
    server.fault("POST", "/hostile/commit/", status=400, body=body)
    (ended,) = run(server, tmp_path, arguments(sums, "1.0.0", "acme/hostile"))
    assert ended.code == 3
    assert "\x1b" not in ended.err
    assert "\x07" not in ended.err
    assert not [line for line in ended.err.splitlines() if line.startswith("factory: all is well")]


def test_without_a_network_it_is_said(server: hub.Server, sums: Path, tmp_path: Path) -> None:
    environment = server.env(tmp_path / "home") | {"HF_HUB_OFFLINE": "1"}
    result = running.factory(*arguments(sums, "1.0.0", "acme/offline"), cwd=tmp_path, **environment)
    assert result.returncode == 3
    assert "see that HF_ENDPOINT is an address, and that HF_HUB_OFFLINE is not set" in result.stderr


MANY = """
import json, sys
from pathlib import Path
from dataclasses import asdict
from factory import publishing
from factory.progress import Silent
from factory.release import remote
from factory.store import Store
folder = Path(sys.argv[1])
want = remote.Wanted("acme/many", "many", "1.0.0", "0" * 64, folder, remote.local(folder))
print(json.dumps(asdict(publishing.send(Store(folder.parent), want, publishing.Asked(), Silent()))))
"""


def test_more_files_than_a_commit_should_hold_are_never_seen_in_part(
    server: hub.Server, tmp_path: Path
) -> None:
    made = tmp_path / "many"
    made.mkdir()
    names = [f"part-{number:03}.parquet" for number in range(230)]
    for name in names:
        (made / name).write_bytes(name.encode())
    (made / "README.md").write_text("---\nlicense: mit\n---\n")
    listed = {"files": [{"path": name} for name in names], "documents": [{"path": "README.md"}]}
    (made / "manifest.json").write_text(json.dumps(listed))
    server.fault("POST", "/many/commit/release", 1, when="after", drop=True)
    server.fault("POST", "/many/commit/release", 1, when="before", status=503)
    seen: list[int] = []
    pattern = "/many/(commit|tag)/"
    server.fault("POST", pattern, 9, call=lambda: seen.append(len(server.tree("acme/many"))))
    result = running.subprocess.run(
        [running.sys.executable, "-c", MANY, str(made)],
        env=os.environ | server.env(tmp_path / "home"),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["on_main"] is True
    assert publishers.served(server, "acme/many", "v1.0.0") == publishers.content(made)
    assert publishers.served(server, "acme/many", "main") == publishers.content(made)
    assert [one.title for one in server.commits("acme/many")] == ["many 1.0.0", "initial commit"]
    parts = [len(one.tree) - 1 for one in server.commits("acme/many", "v1.0.0")]
    assert parts == [232, 200, 100, 0]
    assert set(seen) == {0}, "main was empty until it held all"
    assert list(server.repository("acme/many").branches) == ["main"]
    uploaded = [one.path for one in server.asked("PUT", "/many/")]
    assert len(uploaded) == len(set(uploaded)) == 230

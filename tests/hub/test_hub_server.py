"""The Hub of the tests serves the unmodified clients, and fails as the real one does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support import hub

PARTS = """
import io, json, os, sys, warnings
import pyarrow as pa, pyarrow.parquet as pq
from huggingface_hub import CommitOperationAdd as Add, CommitOperationDelete as Delete, HfApi
from huggingface_hub.errors import *
api, REPO = HfApi(), "acme/sums"
CARD = b'''---
configs:
- config_name: sft
  default: true
  version: %s
  data_files: [{split: train, path: data/sft/train-*.parquet}]
---
# sums
'''
def parquet(*rows):
    file = io.BytesIO()
    pq.write_table(pa.table({"n": list(rows)}), file)
    return file.getvalue()
def put(path, content):
    return Add(path, content)
def error(function, *args, **named):
    try:
        function(*args, **named)
    except Exception as error:
        response = getattr(error, "response", None)
        return [type(error).__name__, response.status_code if response is not None else None]
    return None
def show(value):
    print(json.dumps(value, default=str))
def publish(version, *rows, **named):
    files = [put("README.md", CARD % version.encode()), put("data/sft/train-0.parquet", parquet(*rows))]
    return api.create_commit(REPO, files, commit_message=version, repo_type="dataset", **named).oid
"""


def client(
    server: hub.Server, home: Path, program: str, token: str | None = hub.WRITE_TOKEN, **environment: str
) -> Any:
    """What a program with the unmodified clients shows, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PARTS + program],
        env=os.environ | server.env(home, token) | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_release_goes_up_and_comes_back(server: hub.Server, tmp_path: Path) -> None:
    shown = client(
        server,
        tmp_path / "home",
        """
import datasets
from huggingface_hub import snapshot_download
who = api.whoami()
api.create_repo(REPO, repo_type="dataset")
api.create_repo(REPO, repo_type="dataset", exist_ok=True)
first = publish("1.0.0", 1, 2, 3)
api.create_tag(REPO, tag="v1.0.0", revision=first, repo_type="dataset")
second = publish("1.1.0", 1, 2, 3, 4, parent_commit=first)
api.create_tag(REPO, tag="v1.1.0", revision=second, repo_type="dataset")
refs = api.list_repo_refs(REPO, repo_type="dataset")
load = lambda tag: datasets.load_dataset(REPO, "sft", revision=tag, split="train")
loaded = {tag: load(tag) for tag in ("v1.0.0", "v1.1.0")}
streamed = datasets.load_dataset(REPO, "sft", revision="v1.0.0", split="train", streaming=True)
folder = snapshot_download(REPO, repo_type="dataset", revision=second)
tree = api.list_repo_tree(REPO, repo_type="dataset", revision="v1.1.0", recursive=True)
show({
    "who": who["name"], "first": first, "second": second,
    "tags": {tag.name: tag.target_commit for tag in refs.tags},
    "main": refs.branches[0].target_commit,
    "rows": {tag: list(one["n"]) for tag, one in loaded.items()},
    "versions": {tag: str(one.info.version) for tag, one in loaded.items()},
    "streamed": [row["n"] for row in streamed],
    "snapshot": sorted(os.listdir(folder)),
    "tree": {one.path: one.lfs.sha256 if one.lfs else one.blob_id for one in tree if hasattr(one, "size")},
    "titles": [one.title for one in api.list_repo_commits(REPO, repo_type="dataset")],
})
""",
    )
    assert shown["who"] == "ann"
    assert shown["tags"] == {"v1.0.0": shown["first"], "v1.1.0": shown["second"]} == server.tags("acme/sums")
    assert shown["main"] == shown["second"]
    assert shown["rows"] == {"v1.0.0": [1, 2, 3], "v1.1.0": [1, 2, 3, 4]}
    assert shown["versions"] == {"v1.0.0": "1.0.0", "v1.1.0": "1.1.0"}
    assert shown["streamed"] == [1, 2, 3]
    assert shown["snapshot"] == [".gitattributes", "README.md", "data"]
    served = {path: blob.key for path, blob in server.tree("ACME/Sums", "v1.1.0").items()}
    assert served == {key: oid for key, oid in shown["tree"].items() if key != ".gitattributes"}
    assert shown["titles"] == ["1.1.0", "1.0.0", "initial commit"]
    commits = [one for one in server.asked("POST", "/commit/") if one.status == 200]
    assert len(commits) == 2


def test_errors_are_those_the_clients_know(server: hub.Server, tmp_path: Path) -> None:
    server.create("acme/private", private=True)
    server.create("acme/gated", gated=True)
    server.commit("acme/gated", {"a.txt": b"a"})
    server.create("other/theirs")
    server.create("acme/taken")
    reads = """
file = dict(filename="a.txt", repo_type="dataset")
show([
    error(api.repo_info, "acme/none", repo_type="dataset"),
    error(api.repo_info, "acme/private", repo_type="dataset"),
    error(api.hf_hub_download, "acme/gated", **file),
    error(api.create_repo, "acme/new", repo_type="dataset"),
])
"""
    anonymous = client(server, tmp_path / "a", reads, token=None)
    assert anonymous[:3] == [
        ["RepositoryNotFoundError", 401],
        ["RepositoryNotFoundError", 401],
        ["GatedRepoError", 401],
    ]
    reader = client(server, tmp_path / "r", reads, token=hub.READ_TOKEN)
    assert reader == [["RepositoryNotFoundError", 404], None, None, ["HfHubHTTPError", 403]]
    assert client(server, tmp_path / "b", reads, token="hf_wrong")[0] == ["HfHubHTTPError", 401]
    writer = client(
        server,
        tmp_path / "w",
        """
R = dict(repo_type="dataset")
api.create_tag("acme/taken", tag="v1", **R)
old = api.repo_info("acme/taken", **R).sha
def add(name, **named):
    return api.create_commit("acme/taken", [put(name, b"x")], commit_message="c", **R, **named)
add("one")
show([
    error(api.create_repo, "acme/taken", **R),
    error(api.create_repo, "other/new", **R),
    error(api.create_commit, "other/theirs", [put("a", b"a")], commit_message="c", **R),
    error(api.create_tag, "acme/taken", tag="v1", **R),
    error(api.repo_info, "acme/taken", revision="v9", **R),
    error(api.hf_hub_download, "acme/taken", "none.txt", **R),
    error(list, api.list_repo_tree("acme/taken", "none", **R)),
    error(add, "two", parent_commit=old),
    error(api.delete_tag, "acme/taken", tag="v9", **R),
    error(api.create_commit, "acme/taken", [Delete("none")], commit_message="c", **R),
])
""",
    )
    assert writer == [
        ["HfHubHTTPError", 409],
        ["HfHubHTTPError", 403],
        ["HfHubHTTPError", 403],
        ["HfHubHTTPError", 409],
        ["RevisionNotFoundError", 404],
        ["RemoteEntryNotFoundError", 404],
        ["RemoteEntryNotFoundError", 404],
        ["HfHubHTTPError", 412],
        ["RevisionNotFoundError", 404],
        ["RemoteEntryNotFoundError", 404],
    ]


def test_faults_strike_before_the_work_or_after_it(server: hub.Server, tmp_path: Path) -> None:
    server.create("acme/sums2")
    program = """
REPO = "acme/sums2"
show([error(publish, "1.0.0", 1), error(publish, "1.0.0", 1)])
"""
    titles = {}
    for when in ("before", "after"):
        for fault in ({"status": 503}, {"drop": True}):
            server.create("acme/sums2")
            server.fault("POST", "sums2/commit/", when=when, **fault)
            first, second = client(server, tmp_path / "home", program)
            assert first == (["RemoteProtocolError", None] if "drop" in fault else ["HfHubHTTPError", 503])
            assert second is None
            titles[when, *fault] = [one.title for one in server.commits("acme/sums2")]
    assert set(map(tuple, titles.values())) == {("1.0.0", "initial commit")}, (
        "a commit that was made is not made again: the client drops files that are there"
    )
    server.fault("PUT", "/storage/", status=503, headers={"Retry-After": "0"})
    server.fault("PUT", "/storage/", drop=True, when="after")
    server.requests.clear()
    assert client(server, tmp_path / "home", program.replace("1)", "7)")) == [None, None]
    assert [one.status for one in server.asked("PUT")] == [503, 0, 200], "the client sends it again"
    assert server.bytes_in("PUT") == 3 * server.tree("acme/sums2")["data/sft/train-0.parquet"].size


def test_large_files_long_lists_and_folders(server: hub.Server, tmp_path: Path) -> None:
    server.chunk, server.page = 1_000_000, 7
    shown = client(
        server,
        tmp_path / "home",
        """
from huggingface_hub import HfFileSystem
R = dict(repo_type="dataset")
api.create_repo("acme/large", private=True, **R)
content = os.urandom(2_500_000)
files = [put("big.bin", content)] + [put(f"many/{n:02}.txt", b"%d" % n) for n in range(20)]
api.create_commit("acme/large", files, commit_message="all", **R)
listed = [one.path for one in api.list_repo_tree("acme/large", recursive=True, **R)]
fs = HfFileSystem()
back = fs.read_bytes("datasets/acme/large/big.bin", start=1_000_000, end=1_000_010)
head = api.repo_info("acme/large", **R).sha
api.create_branch("acme/large", branch="release/v1", revision=head, **R)
api.create_commit("acme/large", [Delete("many/")], commit_message="fewer", revision="release/v1", **R)
show({
    "private": api.repo_info("acme/large", **R).private,
    "listed": listed,
    "same": back == content[1_000_000:1_000_010],
    "info": [one.path for one in api.get_paths_info("acme/large", ["big.bin", "many", "none"], **R)],
    "branch": sorted(one.path for one in api.list_repo_tree("acme/large", revision="release/v1", **R)),
})
""",
    )
    server.chunk, server.page = None, 1000
    assert shown["private"]
    assert len(shown["listed"]) == 23
    assert shown["same"]
    assert shown["info"] == ["big.bin", "many"]
    assert shown["branch"] == [".gitattributes", "big.bin"]
    assert len(server.asked("PUT", "/part/")) == 3


def test_of_racing_writers_with_one_parent_one_wins(server: hub.Server, tmp_path: Path) -> None:
    server.create("acme/race")
    shown = client(
        server,
        tmp_path / "home",
        """
from concurrent.futures import ThreadPoolExecutor
R = dict(repo_type="dataset")
head = api.repo_info("acme/race", **R).sha
def write(number):
    files = [put(f"{number}.txt", b"x")]
    return error(api.create_commit, "acme/race", files, commit_message=str(number), parent_commit=head, **R)
with ThreadPoolExecutor(8) as pool:
    show(list(pool.map(write, range(8))))
""",
    )
    assert sorted(map(str, shown)) == sorted(["None"] + ["['HfHubHTTPError', 412]"] * 7)
    assert len(server.commits("acme/race")) == 2

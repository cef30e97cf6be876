"""Xet, by which large files go and come unless it is turned off: publishing holds what it holds elsewhere.

The unmodified clients, the real command and hf_xet, against a Hub that serves the storage of Xet too; what
fails is the storage, the leave to use it, or the publisher itself. The last test counts bytes.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from factory.release import build
from tests.support import hub, publishers
from tests.support.publishers import arguments, hold

pytest.importorskip("hf_xet", reason="files go by Xet only where hf_xet is installed")

SOON = {"Retry-After": "0"}
PLACES = {
    "leave": ("GET", "/REPO/xet-write-token/"),
    "xorb": ("POST", "/REPO/v1/xorbs/"),
    "shard": ("POST", "/REPO/v1/shards"),
    "commit": ("POST", "/REPO/commit/"),
}
FAULTS: dict[str, dict[str, Any]] = {
    "401": {"status": 401},
    "503": {"status": 503, "headers": SOON},
    "drop": {"drop": True},
}
SENT = r"/v1/(xorbs|shards)"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[hub.Server]:
    with hub.running(tmp_path_factory.mktemp("hub")) as running:
        running.by_xet = True
        yield running


def client(server: hub.Server, home: Path, program: str, *given: object) -> Any:
    """What a program prints last, as JSON, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, given)],
        env=os.environ | server.env(home),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def strike(server: hub.Server, place: str, repo: str, count: int = 1, **fault: Any) -> None:
    method, pattern = PLACES[place]
    server.fault(method, pattern.replace("REPO", repo), count, **fault)


CLIENTS = """
import io, json, random
import datasets, pyarrow as pa, pyarrow.parquet as pq
from pathlib import Path
from huggingface_hub import CommitOperationAdd as Add, HfApi, snapshot_download
api, file = HfApi(), io.BytesIO()
pq.write_table(pa.table({"n": [random.random() for _ in range(40_000)]}), file)
api.create_repo("acme/clients", repo_type="dataset")
files = [Add("data/train.parquet", file.getvalue()), Add("README.md", b"---\\nlicense: mit\\n---\\n")]
made = api.create_commit("acme/clients", files, commit_message="one", repo_type="dataset")
api.create_tag("acme/clients", tag="v1", revision=made.oid, repo_type="dataset")
folder = Path(snapshot_download("acme/clients", repo_type="dataset", revision="v1"))
rows = datasets.load_dataset("acme/clients", revision="v1", split="train")
info = api.get_paths_info("acme/clients", ["data/train.parquet"], repo_type="dataset")[0]
same = (folder / "data/train.parquet").read_bytes() == file.getvalue()
print(json.dumps([same, rows.num_rows, len(info.xet_hash)]))
"""


def test_the_unmodified_clients_send_and_fetch_by_xet(server: hub.Server, tmp_path: Path) -> None:
    assert client(server, tmp_path / "home", CLIENTS) == [True, 40_000, 64]
    assert server.asked("GET", "/clients/data/"), "the content came from the storage"
    assert not server.asked("", "/storage/|/clients.git/"), "nothing went by LFS"
    assert not server.asked("GET", "/clients/resolve/.*parquet")


LOAD = """
import json, factory
loaded = factory.load("acme/sums@v2.0.0", "samples", split="train")
print(json.dumps(sorted(loaded["sample_id"])))
"""


@pytest.fixture(scope="module")
def published(
    server: hub.Server, sums: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[publishers.Ended]:
    """Both versions of sums in acme/sums, each published twice, and then the second checked from its tag."""
    one, two = (arguments(sums, version, "acme/sums") for version in ("1.0.0", "2.0.0"))
    check = ["release", "check", "acme/sums@v2.0.0", "--json"]
    return publishers.run(server, tmp_path_factory.mktemp("home"), one, one, two, two, check)


def test_versions_go_up_once_and_come_back_from_their_tags(
    server: hub.Server, published: list[publishers.Ended], sums: Path, tmp_path: Path
) -> None:
    *ended, checked = published
    hold(server, sums, "acme/sums", "1.0.0", "2.0.0")
    assert publishers.shown(ended[0])["commit"] == server.tags("acme/sums")["v1.0.0"]
    assert [publishers.shown(one)["was_there"] for one in ended] == [False, True, False, True]
    assert publishers.shown(ended[2])["on_main"] is True
    assert checked.code == 0, checked.err
    sent = [one.path for one in server.asked("POST", "/sums/v1/xorbs/")]
    assert len(sent) == len(set(sent)) > 0, "no chunk is sent twice"
    assert len(server.asked("POST", "/sums/v1/shards")) == 2, "what is there is not sent again"
    assert len(client(server, tmp_path / "reader", LOAD)) == samples(sums)
    assert server.asked("GET", "/cas/.*/sums/data/")


def samples(sums: Path) -> int:
    read = json.loads((sums / "releases/sums@2.0.0/manifest.json").read_text())
    return int(read["configs"]["samples"]["splits"]["train"])


HEALED = [
    "leave 503 before 1",
    "xorb 503 before 1",
    "xorb drop after 1",
    "shard 503 after 1",
    "shard drop before 1",
    "commit 503 after 1",
    # More than the tries that Xet makes by itself.
    "xorb 503 before 7",
    "shard drop before 7",
    "xorb 401 before 1",
]


def test_faults_that_pass_leave_one_commit(server: hub.Server, sums: Path, tmp_path: Path) -> None:
    server.faults.clear()
    repos = {fault: f"acme/{fault.replace(' ', '-')}" for fault in HEALED}
    for fault, repo in repos.items():
        place, kind, when, count = fault.split()
        strike(server, place, repo.removeprefix("acme/"), int(count), when=when, **FAULTS[kind])
    ended = publishers.run(
        server, tmp_path / "home", *(arguments(sums, "1.0.0", repo) for repo in repos.values())
    )
    for (fault, repo), one in zip(repos.items(), ended, strict=True):
        assert publishers.shown(one)["tag"] == "v1.0.0", fault
        assert ("trying again" in one.err) is (
            fault.endswith(" 7") or fault.startswith(("commit", "xorb 401"))
        ), fault
        hold(server, sums, repo, "1.0.0")
    assert not [fault for fault in server.faults if fault.left], "every fault has struck"


STOPS = [
    ("leave", 401, "the Hub answered 401", "log in with `hf auth login`"),
    ("leave", 403, "the Hub answered 403", "use a token with the role `write`"),
    ("leave", 404, "the Hub answered 404", "see that the name is right"),
    ("xorb", 413, "the storage of the Hub answered 413", "nothing was half done"),
    ("shard", 400, "the storage of the Hub answered 400", "the request was not understood"),
]


def test_what_no_waiting_mends_stops_at_once(server: hub.Server, sums: Path, tmp_path: Path) -> None:
    repos = [f"{place}-stops-{status}" for place, status, _, _ in STOPS]
    for repo, (place, status, _, _) in zip(repos, STOPS, strict=True):
        strike(server, place, repo, status=status)
    commands = [arguments(sums, "1.0.0", f"acme/{repo}") for repo in repos]
    ended = publishers.run(server, tmp_path / "home", *commands, *commands)
    for repo, (_, _, told, step), first, second in zip(
        repos, STOPS, ended[: len(STOPS)], ended[len(STOPS) :], strict=True
    ):
        assert first.code == 3
        assert f"acme/{repo}: {told}. Next: {step}" in first.err
        assert "trying again" not in first.err
        assert "/v1/" not in first.err, "addresses of the storage may be signed, and are not shown"
        assert second.code == 0, second.err
        hold(server, sums, f"acme/{repo}", "1.0.0")


MOMENTS = {
    "killed-after-xorb": ("xorb", "after"),
    "killed-after-shard": ("shard", "after"),
}


def test_a_publisher_killed_while_it_sends_is_finished_by_the_same_command(
    server: hub.Server, sums: Path, tmp_path: Path
) -> None:
    for name, (place, when) in MOMENTS.items():
        process = publishers.start(server, tmp_path / "home", arguments(sums, "1.0.0", f"acme/{name}"))
        strike(server, place, name, when=when, drop=True, call=process.kill)
        assert publishers.wait(process).code == -signal.SIGKILL, name
        visible = publishers.served(server, f"acme/{name}", "main")
        assert not visible or visible == publishers.content(sums / "releases" / "sums@1.0.0")
    ended = publishers.run(
        server, tmp_path / "home", *(arguments(sums, "1.0.0", f"acme/{name}") for name in MOMENTS)
    )
    for name, one in zip(MOMENTS, ended, strict=True):
        assert publishers.shown(one)["was_there"] is False
        hold(server, sums, f"acme/{name}", "1.0.0")


FETCH = """
import json, sys
from pathlib import Path
from factory import hub, references
from factory.errors import OutsideError
told = {}
for repo in sys.argv[2:]:
    try:
        told[repo] = str(hub.fetch(references.parse(f"{repo}@v1.0.0"), cache=Path(sys.argv[1], repo)))
    except OutsideError as error:
        told[repo] = str(error)
print(json.dumps(told))
"""
READING: list[tuple[str, dict[str, Any], str]] = [
    ("/v1/reconstructions/", {"status": 401}, "the storage of the Hub answered 401"),
    ("/v1/reconstructions/", {"status": 404}, "the storage of the Hub answered 404"),
    ("/v1/reconstructions/", {"status": 416}, "no answer that can be read (RuntimeError)"),
    ("/data/", {"status": 403}, "the storage of the Hub answered 403"),
    ("/data/", {"status": 503}, "the storage of the Hub answered 503"),
    ("/data/", {"drop": True}, "no answer that can be read (RuntimeError)"),
]


@pytest.mark.usefixtures("published")
def test_a_storage_that_does_not_serve_is_told(server: hub.Server, tmp_path: Path) -> None:
    repos = [f"reading-{number}" for number in range(len(READING))]
    for repo, (pattern, fault, _) in zip(repos, READING, strict=True):
        server.create(f"acme/{repo}")
        found = server.repository(f"acme/{repo}")
        found.tags["v1.0.0"] = found.commit("main", server.tree("acme/sums", "v1.0.0"), "copied").id
        server.fault("GET", f"/{repo}{pattern}", 10_000, **fault)
    names = [f"acme/{repo}" for repo in repos]
    told = client(server, tmp_path / "reader", FETCH, tmp_path / "caches", *names)
    for name, (_, _, expected) in zip(names, READING, strict=True):
        assert told[name] == f"{name}@v1.0.0 cannot be fetched: {expected}; try again later"
    server.faults.clear()


SEND = """
import json, sys
from pathlib import Path
from factory import publishing
from factory.progress import Silent
from factory.release import remote
from factory.store import Store
for version, folder in zip(("1.0.0", "2.0.0"), map(Path, sys.argv[1:])):
    want = remote.Wanted("acme/judged", "judged", version, "0" * 64, folder, remote.local(folder))
    publishing.send(Store(folder.parent), want, publishing.Asked(), Silent())
print("{}")
"""
ROWS = 6_000
TEXTS = ("sample_id", "problem_id", "prompt", "completion", "status", "verdict_reason")
SCHEMA = pa.schema([*((name, pa.string()) for name in TEXTS), ("correct", pa.bool_())])


def judged(folder: Path, changed: float) -> int:
    """A folder with one file of samples, of which this share is judged otherwise; returns its bytes."""
    texts, marks = random.Random(0), random.Random(1)
    words = [f"{texts.getrandbits(40):x}" for _ in range(3_000)]

    def row(number: int) -> dict[str, Any]:
        completion = " ".join(texts.choices(words, k=80))
        right = (texts.random() < 0.5) != (marks.random() < changed)
        verdict = {"status": "pass" if right else "fail", "verdict_reason": "equal" if right else "other"}
        key = {"sample_id": f"{number:032x}", "problem_id": f"{number // 4:032x}", "prompt": "How many?"}
        return key | {"completion": completion, "correct": right} | verdict

    batch = pa.RecordBatch.from_pylist([row(number) for number in range(ROWS)], SCHEMA)
    view = build.View("samples", SCHEMA, {"train": lambda: iter([batch])}, ROWS)
    files = build.finish(folder, build.write_view(folder, view), {})
    (folder / "README.md").write_text(f"---\nlicense: mit\n---\n{changed}\n")
    (folder / "manifest.json").write_text(json.dumps({"files": files, "documents": [{"path": "README.md"}]}))
    return int(files[0]["bytes"])


def test_two_versions_share_the_chunks_that_are_equal(server: hub.Server, tmp_path: Path) -> None:
    folders = [tmp_path / "judged@1.0.0", tmp_path / "judged@2.0.0"]
    size, _ = (judged(folder, changed) for folder, changed in zip(folders, (0.0, 0.02), strict=True))
    received: list[int] = []
    strike(
        server, "commit", "judged", 2, call=lambda: received.append(server.bytes_in("POST", f"/judged{SENT}"))
    )
    client(server, tmp_path / "home", SEND, *folders)
    first, both = received
    assert size < first < 1.1 * size
    assert both - first < 0.15 * size, f"{both - first} of {size} bytes were sent for the second version"
    for folder, tag in zip(folders, ("v1.0.0", "v2.0.0"), strict=True):
        assert publishers.served(server, "acme/judged", tag) == publishers.content(folder)

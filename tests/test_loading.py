"""Loading a release: where `datasets` serves another one in silence, `factory.load` does not."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from factory import checking, loading
from factory import hub as on_the_hub
from factory.errors import CheckFailed, OutsideError, UsageError
from factory.references import OnHub
from tests.support import forging, hub
from tests.support.running import factory

pytestmark = pytest.mark.usefixtures("kept_servers")

SETUP = """
import json, os, shutil, sys, warnings
from pathlib import Path
import datasets
datasets.disable_progress_bars()
from datasets import load_dataset
import factory
from factory.errors import FactoryError
told = []
def rows(data):
    return data["train"].num_rows
def error(function, *args, **named):
    try:
        function(*args, **named)
    except FactoryError as error:
        return [type(error).__name__, str(error)]
"""
DONE = "\nprint('TOLD' + json.dumps(told))\n"


def run(program: str, cwd: Path, environment: dict[str, str]) -> list[Any]:
    """What a program in a process of its own put into `told`; its caches are its own."""
    done = subprocess.run(
        [sys.executable, "-c", SETUP + program + DONE],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout.partition("TOLD")[2])
    return found


@pytest.fixture(scope="module")
def root() -> Path:
    """A folder with a store that holds sums@1.0.0, and sums@2.0.0 of other rows in two splits."""
    return forging.made()


def sft_rows(root: Path, version: str) -> int:
    """Rows of the split train of the config sft."""
    shown = forging.content(root / f"store/releases/sums@{version}")["configs"]["sft"]
    return int(shown["splits"]["train"])


# --- on this machine: the hazards of a folder, with plain `datasets` and then with factory.load


LOCAL = """
store = Path("store/releases")
def plain(version, folder):
    # A folder as others make them: nothing in its card tells which release it is.
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(store / f"sums@{version}", folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    (folder / "README.md").unlink()
    (folder / "README.md").write_text("\\n".join([
        "---", "configs:", "- config_name: sft",
        "  data_files: [{split: train, path: data/sft/train-*.parquet}]", "---"]))
plain("1.0.0", Path("x/rel")); plain("2.0.0", Path("y/rel"))
told.append([rows(load_dataset("x/rel", "sft")), rows(load_dataset("y/rel", "sft"))])
plain("1.0.0", Path("z/again")); before = rows(load_dataset("z/again", "sft"))
plain("2.0.0", Path("z/again")); told.append([before, rows(load_dataset("z/again", "sft"))])

for folder, version in (("a/rel", "1.0.0"), ("b/rel", "2.0.0")):
    shutil.copytree(store / f"sums@{version}", folder, copy_function=shutil.copyfile)
told.append([rows(factory.load("./a/rel", "sft")), rows(factory.load("./b/rel", "sft"))])
shutil.rmtree("a/rel"); shutil.copytree(store / "sums@2.0.0", "a/rel", copy_function=shutil.copyfile)
told.append(rows(factory.load("./a/rel", "sft")))
path = Path("a/rel/data/sft/train-00000-of-00001.parquet")
shutil.copyfile(store / "sums@1.0.0/data/sft/train-00000-of-00001.parquet", path)
told.append(error(factory.load, "./a/rel", "sft"))
told.append(rows(factory.load("./a/rel", "kto")))  # its own files are as listed
"""


def test_other_folders_and_rewritten_files_are_not_mistaken(root: Path, tmp_path: Path) -> None:
    old, new = sft_rows(root, "1.0.0"), sft_rows(root, "2.0.0")
    assert old != new
    (tmp_path / "store").symlink_to(root / "store")
    environment = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    other, rewritten, ours, replaced, refused, kto = run(LOCAL, tmp_path, environment)
    assert other == [old, old], "datasets no longer mistakes folders of one last name: simplify factory.load"
    assert rewritten == [old, old], "datasets now sees a file written anew: simplify factory.load"
    assert ours == [old, new]
    assert replaced == new
    assert refused[0] == "CheckFailed"
    assert "./a/rel is not the release that its manifest lists: data/sft/train-00000-of-00001" in refused[1]
    assert kto > new


CACHE = """
cache = Path("cache")
named = {}
for version in ("1.0.0", "2.0.0"):
    before = set(cache.glob("datasets/*"))
    data = factory.load(f"sums@{version}", "sft", cache_dir=cache)
    (named[version],) = set(cache.glob("datasets/*")) - before
    one = factory.loaded(f"sums@{version}", cache_dir=cache)
    told.append([rows(data), one.version, one.name, one.commit, one.release_id in named[version].name])
split = factory.load("sums@2.0.0", "sft", split="train", cache_dir=cache)
streamed = factory.load("sums@2.0.0", "sft", streaming=True, cache_dir=cache)
told.append([split.num_rows, len(list(streamed["train"])), str(streamed["train"].info.version)])
# What a broken or planted cache holds is served by datasets, and refused here.
(arrow,) = named["2.0.0"].rglob("*train.arrow")
(other,) = named["2.0.0"].rglob("*test.arrow")
shutil.copyfile(other, arrow)
told.append(rows(load_dataset("store/releases/sums@2.0.0", "sft", cache_dir=str(named["2.0.0"]))))
told.append(error(factory.load, "sums@2.0.0", "sft", cache_dir=cache))
told.append(error(factory.load, "sums@2.0.0", "stf", cache_dir=cache))
told.append(error(factory.load, "sums@2.0.0", "sft", split="dev", cache_dir=cache))
"""


def test_the_cache_is_named_by_the_release_and_what_it_serves_is_compared(root: Path, tmp_path: Path) -> None:
    old, new = sft_rows(root, "1.0.0"), sft_rows(root, "2.0.0")
    (tmp_path / "store").symlink_to(root / "store")
    environment = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    first, second, forms, planted, refused, config, split = run(CACHE, tmp_path, environment)
    assert first == [old, "1.0.0", "sums", None, True]
    assert second == [new, "2.0.0", "sums", None, True]
    assert forms == [new, new, "2.0.0"]
    fewer = forging.content(root / "store/releases/sums@2.0.0")["configs"]["sft"]["splits"]["test"]
    assert planted == fewer != new
    assert refused[0] == "CheckFailed"
    assert f"train: {fewer} rows, expected {new}" in refused[1]
    assert config == [
        "UsageError",
        "sums@2.0.0 has no config 'stf'; it has kto, preference, problems, rewards, samples, sft",
    ]
    assert split == ["UsageError", "sums@2.0.0: sft has no split 'dev'; it has test, train"]
    assert not (tmp_path / "home" / "datasets").exists()


def test_a_folder_that_says_it_is_another_release_is_not_loaded(root: Path, tmp_path: Path) -> None:
    forging.copy(root / "store/releases/sums@1.0.0", tmp_path / "sums@2.0.0")
    with pytest.raises(CheckFailed, match=re.escape("version: 1.0.0, expected 2.0.0")):
        loading.loaded(str(tmp_path / "sums@2.0.0"))


@pytest.mark.parametrize("reference", ["sums", "sums@3.0.0", "./nowhere", "acme/sums@main"])
def test_what_names_no_release_is_wrong_usage(root: Path, reference: str) -> None:
    with pytest.raises(UsageError):
        loading.load(reference, "sft", store=root / "store")


def test_importing_factory_imports_nothing_heavy() -> None:
    program = (
        "import sys, factory; heavy = {'datasets', 'pyarrow', 'duckdb', 'huggingface_hub', 'pydantic'};"
        "print(sorted(heavy & set(sys.modules)), 'load' in dir(factory))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] True"


# --- on the Hub


PUBLISH = """
from huggingface_hub import CommitOperationAdd as Add, HfApi
api = HfApi()
api.create_repo("acme/sums", repo_type="dataset")
for version in ("1.0.0", "2.0.0"):
    folder = Path(f"store/releases/sums@{version}")
    paths = [one for one in sorted(folder.rglob("*")) if one.is_file()]
    files = [Add(str(one.relative_to(folder)), str(one)) for one in paths]
    made = api.create_commit("acme/sums", files, commit_message=version, repo_type="dataset")
    api.create_tag("acme/sums", tag=f"v{version}", revision=made.oid, repo_type="dataset")
    told.append(made.oid)
api.create_tag("acme/sums", tag="v3.0.0", revision=told[0], repo_type="dataset")  # a tag on the wrong commit
"""

ONLINE = """
told.append(rows(load_dataset("acme/sums", "sft", revision="v1.0.0")))
"""

OFFLINE = """
import logging
logging.disable()
told.append([rows(load_dataset("acme/sums", "sft", revision=name)) for name in ("v2.0.0", COMMIT, "v9.9.9")])
for revision in ("v2.0.0", COMMIT, "v9.9.9", "v1.0.0"):
    told.append(error(factory.load, f"acme/sums@{revision}", "sft"))
"""

AGAIN = """
for version in ("1.0.0", "2.0.0"):
    one = factory.loaded(f"acme/sums@v{version}")
    told.append([rows(factory.load(f"acme/sums@v{version}", "sft")), one.version, one.commit])
told.append(rows(factory.load(f"acme/sums@{COMMIT}", "sft")))
told.append(error(factory.load, "acme/sums@v3.0.0", "sft"))
"""

CACHED = """
told.append([rows(factory.load(f"acme/sums@v{version}", "sft")) for version in ("1.0.0", "2.0.0")])
told.append(factory.loaded("acme/sums@v2.0.0").commit)
os.unlink(next(Path(factory.loaded("acme/sums@v2.0.0").folder).glob("data/kto/*.parquet")))
told.append(error(factory.loaded, "acme/sums@v2.0.0"))
"""


@pytest.fixture(scope="module")
def published(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[hub.Server, list[str]]]:
    """A Hub that holds both releases as acme/sums, and their commit ids."""
    with hub.running(tmp_path_factory.mktemp("hub")) as server:
        home = tmp_path_factory.mktemp("publisher")
        yield server, run(PUBLISH, root, server.env(home))


def test_another_version_is_never_served_from_the_cache(
    published: tuple[hub.Server, list[str]], root: Path, tmp_path: Path
) -> None:
    server, commits = published
    old, new = sft_rows(root, "1.0.0"), sft_rows(root, "2.0.0")
    online = server.env(tmp_path / "home")
    offline = online | {"HF_HUB_OFFLINE": "1"}
    commit = f"COMMIT = {commits[1]!r}\n"
    assert run(ONLINE, tmp_path, online) == [old]
    hazard, *refused = run(commit + OFFLINE, tmp_path, offline)
    assert hazard == [old, old, old], (
        "datasets no longer serves another version offline: simplify factory.load"
    )
    assert [one[0] for one in refused] == ["OutsideError"] * 4
    assert all("the cache does not hold all of it" in one[1] for one in refused)
    first, second, by_commit, wrong = run(commit + AGAIN, tmp_path, online)
    assert first == [old, "1.0.0", commits[0]]
    assert second == [new, "2.0.0", commits[1]]
    assert by_commit == new
    assert wrong[0] == "CheckFailed"
    assert "version: 1.0.0, expected 3.0.0" in wrong[1]
    both, cached, partial = run(CACHED, tmp_path, offline)
    assert both == [old, new]
    assert cached == commits[1]
    assert partial[0] in ("OutsideError", "CheckFailed")


ERRORS = """
from factory import hub
from factory.references import parse
def fetch(text):
    return error(lambda: hub.fetch(parse(text)))
told.append(fetch("acme/none@v1.0.0"))
told.append(fetch("acme/sums@v7.0.0"))
told.append(fetch("acme/sums@" + "0" * 40))
told.append(fetch("acme/sums@v1.0.0"))
"""


def test_errors_of_the_hub_are_sentences_with_the_next_step(
    published: tuple[hub.Server, list[str]], tmp_path: Path
) -> None:
    server, _ = published
    server.create("acme/gated", gated=True)
    server.repository("acme/gated").tags["v1.0.0"] = server.commits("acme/gated")[0].id
    server.forget()
    server.fault("GET", "/api/datasets/acme/sums/revision/v1.0.0", 20, status=503)
    none, tag, commit, down = run(ERRORS, tmp_path, server.env(tmp_path / "a"))
    server.forget()
    assert none[0] == "UsageError"
    assert "acme/none@v1.0.0: the Hub shows no dataset acme/none; look at the name" in none[1]
    assert tag[0] == "UsageError"
    assert "acme/sums@v7.0.0: acme/sums has no v7.0.0; its tags stand on its page" in tag[1]
    assert commit[0] == "UsageError"
    assert down[0] == "OutsideError"
    assert "the Hub cannot be reached" in down[1]
    server.fault("GET", "/api/datasets/acme/sums/revision/v1.0.0", 20, drop=True)
    program = ERRORS.partition("told.append")[0] + 'told.append(fetch("acme/sums@v1.0.0"))'
    anonymous = server.env(tmp_path / "b", token=None)
    dropped, gated = run(program + '\ntold.append(fetch("acme/gated@v1.0.0"))', tmp_path, anonymous)
    server.forget()
    assert (dropped[0], "the Hub cannot be reached" in dropped[1]) == ("OutsideError", True)
    assert gated[0] == "OutsideError"
    assert "acme/gated@v1.0.0 is gated: ask for access on its page" in gated[1]
    (refused,) = run(program, tmp_path, server.env(tmp_path / "c", token="hf_unknown"))
    assert refused[0] in ("UsageError", "OutsideError")
    assert "hf auth login" in refused[1]


def test_the_command_checks_a_release_on_the_hub(
    published: tuple[hub.Server, list[str]], tmp_path: Path
) -> None:
    server, commits = published
    server.forget()
    environment = server.env(tmp_path / "home")
    told = factory(
        "release", "check", "acme/sums@v2.0.0", "--remote", "--json", "-q", cwd=tmp_path, **environment
    )
    assert told.returncode == 0, told.stderr
    findings = json.loads(told.stdout)["findings"]
    assert [one["check"] for one in findings if one["status"] == "warning"] == ["digest"]
    assert not server.asked("GET", r"\.parquet$")
    whole = factory("release", "check", "acme/sums@v2.0.0", "--json", "-q", cwd=tmp_path, **environment)
    assert whole.returncode == 0, whole.stderr
    assert json.loads(whole.stdout)["folder"].endswith(commits[1])
    wrong = factory("release", "check", "acme/sums@v3.0.0", "--remote", "-q", cwd=tmp_path, **environment)
    assert wrong.returncode == 1
    assert "version: 1.0.0, expected 3.0.0" in " ".join(wrong.stderr.split())


def test_a_name_that_is_no_release_says_nothing(tmp_path: Path) -> None:
    assert checking.named(tmp_path / "sums") == {}
    assert checking.named(tmp_path / "sums@1.0.0") == {"name": "sums", "version": "1.0.0"}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionResetError("reset"), "the Hub cannot be reached (ConnectionResetError)"),
        (TimeoutError("slow"), "the Hub cannot be reached (TimeoutError)"),
        (PermissionError("no"), "cannot be kept in the cache: no"),
    ],
)
def test_a_connection_that_breaks_is_not_told_as_a_fault_of_the_cache(error: OSError, said: str) -> None:
    with pytest.raises(OutsideError, match=re.escape(said)), on_the_hub._told(OnHub("acme/sums", "v1.0.0")):
        raise error

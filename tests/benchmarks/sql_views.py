"""Time `SELECT * FROM coverage` over a release of 10 million samples through the real `factory sql`.

Left out: a limit of time, and memory; it prints what it measured, with the machine's load, beside DuckDB's
own reading of the same files without any confinement. Run: python -m tests.benchmarks.sql_views [FOLDER]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import duckdb

from factory import configs
from factory.query.sql_views import VIEWS
from factory.records import describe
from factory.release import build, manifest
from tests.support.running import command

PROBLEMS: Final = 625_000
RUNS: Final = 3
RELEASE: Final = "bench@1.0.0"
_SPLIT: Final = "'bench@1.0.0' AS release, 'train' AS split"


def make(store: Path) -> list[Path]:
    """A release of two generators with eight samples a problem each, in eight files; only its samples."""
    folder = store / "releases" / RELEASE
    (folder / "data" / "samples").mkdir(parents=True)
    schema = configs.schema("samples")
    files = []
    with duckdb.connect(config={"memory_limit": "3GB"}) as connection:
        for number in range(8):
            generator = ("small", "large")[number // 4]
            path = folder / "data" / "samples" / f"train-{number:05d}-of-00008.parquet"
            connection.execute(
                f"COPY (SELECT md5('{generator}' || p || '-' || s) AS sample_id,"
                f" md5(p::VARCHAR) AS problem_id, '{generator}' AS generator,"
                " s::INTEGER AS sample_index, 'The answer is ' || h AS completion,"
                " CASE WHEN h < 3 THEN 'pass' WHEN h < 9 THEN 'fail' ELSE 'no_answer' END"
                " AS status, h < 3 AS correct, h < 1 AS kept, 'kept' AS reason FROM (SELECT p, s,"
                f" hash(p, s, '{generator}') % 10 AS h"
                f" FROM range({number % 4 * 2}, {number % 4 * 2 + 2}) u(s),"
                f" range({PROBLEMS}) t(p))) TO '{path}' (COMPRESSION zstd, ROW_GROUP_SIZE 20480)"
            )
            files.append(path)
    content = {
        "format": manifest.FORMAT,
        "recipe": {},
        "configs": {"samples": {"rows": PROBLEMS * 16, "schema": describe(schema)}},
        "files": [
            {
                "path": path.relative_to(folder).as_posix(),
                "config": "samples",
                "split": "train",
                "rows": PROBLEMS * 2,
                "bytes": path.stat().st_size,
            }
            for path in files
        ],
    }
    build.write_json(folder / "manifest.json", content)
    return files


def main() -> None:
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        files = make(Path(folder) / "store")
        size = sum(path.stat().st_size for path in files) / 2**20
        print(f"{PROBLEMS * 16:,} samples, {size:,.0f} MiB; {os.cpu_count()} cores")
        for _ in range(RUNS):
            begun = time.monotonic()
            asked = command("sql", "SELECT * FROM coverage", "--json")
            subprocess.run(asked, cwd=folder, check=True, capture_output=True)
            print(f"factory sql: {time.monotonic() - begun:.1f} s, load {os.getloadavg()[0]:.1f}")
        listed = ", ".join(f"'{path}'" for path in files)
        with duckdb.connect(config={"memory_limit": "1GB"}) as connection:
            connection.execute(
                f"CREATE VIEW release_samples AS SELECT {_SPLIT}, * FROM read_parquet([{listed}])"
            )
            for _ in range(RUNS):
                begun = time.monotonic()
                connection.sql(VIEWS["coverage"].sql).fetchall()
                print(f"read_parquet, unconfined: {time.monotonic() - begun:.1f} s")


if __name__ == "__main__":
    main()

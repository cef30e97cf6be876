"""The notebooks run from the first cell to the last, on a small release made here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.running import done, factory, workplace

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))

EXECUTE = """
import sys, nbclient, nbformat
book = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(book, timeout=120).execute()
print(sum(len(cell.get("outputs", [])) for cell in book.cells))
"""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path) -> None:
    workplace(tmp_path)
    done(factory("import", "solutions.jsonl", "--map", "map.yaml", "--json", "-q", cwd=tmp_path))
    done(factory("run", "recipe.yaml", "--json", "-q", cwd=tmp_path))
    environment = os.environ | {
        "FACTORY_STORE": str(tmp_path / "store"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
    }
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", EXECUTE, str(path)], env=environment, cwd=tmp_path,
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert int(ran.stdout) >= 5


def test_there_is_a_notebook() -> None:
    assert NOTEBOOKS

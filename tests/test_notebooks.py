"""The notebooks run from the first cell to the last on releases made here, and are kept with outputs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import releases
from tests.support.tiny_model import make_model

pytestmark = pytest.mark.usefixtures("kept_servers")

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))

EXECUTE = """
import sys, nbclient, nbformat
book = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(book, timeout=240).execute()
print(sum(len(cell.get("outputs", [])) for cell in book.cells))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of two releases."""
    root = tmp_path_factory.mktemp("notebooks")
    store = releases.make_store(root)
    for version, samples in (("1.0.0", 4), ("1.1.0", 8)):
        releases.release(root, store, version, samples=samples, configs="sft, samples, problems")
    return root


def outputs(path: Path) -> list[dict[str, Any]]:
    return [one for cell in json.loads(path.read_text())["cells"] for one in cell.get("outputs", [])]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, place: Path, tmp_path: Path) -> None:
    environment = os.environ | {
        "FACTORY_STORE": str(place / "store"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "HF_HOME": str(tmp_path / "home"),
        "MODEL": make_model(tmp_path / "model"),
    }
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", EXECUTE, str(path)], env=environment, cwd=tmp_path,
        capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert int(ran.stdout) >= len(outputs(path))  # and what trainers write to stderr


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_with_its_outputs(path: Path) -> None:
    found = outputs(path)
    assert any("image/png" in one.get("data", {}) for one in found), "a chart"
    assert not [one for one in found if one["output_type"] == "error" or one.get("name") == "stderr"]
    assert not [folder for folder in ("/home/", "/root/", "/tmp/") if folder in path.read_text()]


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) >= 3

"""One store with two releases, and what their reports show, for all tests of reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from factory import reporting
from factory.store import Store
from tests.support import releases


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """sums@1.0.0 with 4 samples a problem and generator, and sums@2.0.0 with 8."""
    root = tmp_path_factory.mktemp("reports")
    made = releases.make_store(root)
    releases.release(root, made)
    releases.release(root, made, "2.0.0", samples=8)
    return made


@pytest.fixture(scope="session")
def folder(store: Store) -> Path:
    """The folder of sums@2.0.0."""
    return store.releases / "sums@2.0.0"


@pytest.fixture(scope="session")
def gathered(folder: Path) -> dict[str, Any]:
    """What the report of sums@2.0.0 shows. Tests copy it before they change it."""
    return reporting.gather(folder)

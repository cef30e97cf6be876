"""Two small releases: tests look at them, or alter copies of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import forging


@pytest.fixture(scope="session")
def made() -> dict[str, Path]:
    """A release of texts, and one of messages in two splits; alter neither."""
    there = forging.made() / "store" / "releases"
    return {"text": there / "sums@1.0.0", "messages": there / "sums@2.0.0"}


@pytest.fixture
def text(made: dict[str, Path], tmp_path: Path) -> Path:
    return forging.copy(made["text"], tmp_path / "sums@1.0.0")


@pytest.fixture
def messages(made: dict[str, Path], tmp_path: Path) -> Path:
    return forging.copy(made["messages"], tmp_path / "sums@2.0.0")

"""Small releases: two that tests of the check alter copies of, and two for what stands beside the rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import forging, releases


@pytest.fixture(scope="session")
def made() -> dict[str, Path]:
    """A release of texts, and one of messages in two splits."""
    there = forging.made() / "store" / "releases"
    return {"text": there / "sums@1.0.0", "messages": there / "sums@2.0.0"}


@pytest.fixture
def text(made: dict[str, Path], tmp_path: Path) -> Path:
    return forging.copy(made["text"], tmp_path / "sums@1.0.0")


@pytest.fixture
def messages(made: dict[str, Path], tmp_path: Path) -> Path:
    return forging.copy(made["messages"], tmp_path / "sums@2.0.0")


@pytest.fixture(scope="session")
def two_releases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """{"text": sums@1.0.0, "messages": sums@2.0.0, with a licence and a language}; alter neither."""
    root = tmp_path_factory.mktemp("two-releases")
    store = releases.make_store(root)
    more = "  form: messages\n  splits: {test: 0.3}\n  license: cc-by-4.0\n  language: [en]\n"
    return {
        "text": releases.release(root, store, "1.0.0"),
        "messages": releases.release(root, store, "2.0.0", samples=8, more=more),
    }

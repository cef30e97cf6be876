"""Two releases that many tests look at: in the form text with one split, in the form messages with two."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import releases


@pytest.fixture(scope="session")
def two_releases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """{"text": sums@1.0.0, "messages": sums@2.0.0}; look, and change nothing."""
    root = tmp_path_factory.mktemp("two-releases")
    store = releases.make_store(root)
    return {
        "text": releases.release(root, store, "1.0.0"),
        "messages": releases.release(
            root,
            store,
            "2.0.0",
            samples=8,
            more="  form: messages\n  splits: {test: 0.3}\n  license: cc-by-4.0\n  language: [en]\n",
        ),
    }

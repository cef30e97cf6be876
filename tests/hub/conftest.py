"""What the tests of the Hub share: a store with small releases, and the Hub on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import hub, publishers


@pytest.fixture(scope="session")
def sums(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the releases of `publishers.make`; no test changes it but by publishing."""
    return publishers.make(tmp_path_factory.mktemp("sums"))


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[hub.Server]:
    """A Hub that no other test has asked anything."""
    with hub.running(tmp_path_factory.mktemp("hub")) as running:
        yield running

"""One store with judged samples for all tests of audits; each takes a copy of its own."""

from __future__ import annotations

import pytest

from factory.store import Store
from tests.support.auditing import copied, workplace


@pytest.fixture(scope="session")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The store of `workplace`, to copy from."""
    return workplace(tmp_path_factory.mktemp("judged"))


@pytest.fixture(scope="module")
def store(judged: Store, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A copy for the tests of a module; its folder's name says nothing."""
    return copied(judged, tmp_path_factory.mktemp("place"))

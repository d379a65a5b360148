"""What all tests share: servers, the options of the fault tests, and memory that is gone through once."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

pytest_plugins = ["tests.servers", "tests.faults.plugin"]


@pytest.fixture(scope="module", autouse=True)
def set_aside(request: pytest.FixtureRequest) -> Iterator[None]:
    """Keep what earlier tests left out of the collections of tests that compute for minutes."""
    if request.path.parent.name not in ("model", "properties"):
        yield
        return
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()

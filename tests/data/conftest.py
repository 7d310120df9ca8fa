from collections.abc import Iterator

import pytest

from lossbook.data.load import load, load_test


@pytest.fixture
def fresh_cache() -> Iterator[None]:
    """Nothing loaded before or in a test counts in another."""
    for cached in (load, load_test):
        cached.cache_clear()
    yield
    for cached in (load, load_test):
        cached.cache_clear()

"""A pool that needs no file, made once for all tests of this folder."""

import pytest

from bench.calls import synthetic
from bench.calls.pool import Pool


@pytest.fixture(scope="session")
def pool() -> Pool:
    return synthetic.pool("course")

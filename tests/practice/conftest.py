from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from twilio.rest import Client

from probes.clock import Clock
from probes.practice.vendor import PracticeVendor, in_background


@pytest.fixture(scope="session")
def voice_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Voices and music are made once for all tests."""
    return tmp_path_factory.mktemp("practice")


@pytest.fixture
def start(voice_home: Path, tmp_path: Path) -> Iterator[Callable[..., PracticeVendor]]:
    """Start a practice vendor whose clock runs `factor` times faster than ours."""
    count = itertools.count()
    with ExitStack() as stack:

        def run(factor: float = 500.0, **options: Any) -> PracticeVendor:
            home = tmp_path / f"home{next(count)}"
            home.mkdir()
            for kept in ("voices", "music"):
                (voice_home / kept).mkdir(exist_ok=True)
                (home / kept).symlink_to(voice_home / kept)
            return stack.enter_context(in_background(home, Clock(factor, datetime.now(UTC)), **options))

        yield run


def client_of(vendor: PracticeVendor, token: str | None = None) -> Client:
    """Return the provider's own client, pointed at the exchange."""
    client = Client(vendor.exchange.account.sid, token or vendor.exchange.account.token)
    client.api.base_url = vendor.addresses.exchange
    client.insights.base_url = vendor.addresses.insights
    client.http_client.timeout = 20
    return client

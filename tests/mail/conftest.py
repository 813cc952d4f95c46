"""One mailbox server for all tests of a process, empty at the beginning of each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from probes.model import Tools
from tests.mail import kit


@pytest.fixture(scope="session")
def running() -> Iterator[kit.MailServer]:
    with kit.MailServer() as server:
        yield server


@pytest.fixture
def server(running: kit.MailServer) -> kit.MailServer:
    """The server, with all its mailboxes empty."""
    running.empty()
    return running


@pytest.fixture
async def source(server: kit.MailServer) -> AsyncIterator[kit.Mailboxes]:
    source = kit.Mailboxes(server.account())
    yield source
    await source.close()


@pytest.fixture
def tools(source: kit.Mailboxes) -> Tools:
    return kit.tools(source)

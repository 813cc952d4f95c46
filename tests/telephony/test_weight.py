"""What reading a plan has to load: the telephone's part of it must stay light."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_reading_a_plan_with_telephones_loads_nothing_heavy() -> None:
    heavy = "{'numpy', 'scipy', 'soundfile', 'twilio', 'httpx', 'aiohttp'}"
    told = subprocess.run(
        [sys.executable, "-c", f"import sys, probes.phone_call; print(sorted({heavy} & set(sys.modules)))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.strip() == "[]"

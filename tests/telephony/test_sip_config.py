"""The trunk's settings: what is wrong is said with the name of the setting, and what is missing with its cure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from audit.commands.doctor import examine
from audit.settings import load_settings
from probes.errors import UserError
from probes.telephony.sip import SipCarrier
from probes.telephony.sip_config import SipConfig


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"server": "https://trunk.example"}, "HOLDPROOF_SIP_SERVER"),
        ({"server": "trunk.example;transport=tcp"}, "HOLDPROOF_SIP_SERVER"),
        ({"domain": "a b"}, "HOLDPROOF_SIP_DOMAIN"),
        ({"proxy": "sip:proxy"}, "HOLDPROOF_SIP_PROXY"),
        ({"transport": "sctp"}, "HOLDPROOF_SIP_TRANSPORT"),
        ({"encryption": "yes"}, "HOLDPROOF_SIP_ENCRYPTION"),
        ({"interface": "eth0\nsip_listen 0.0.0.0"}, "HOLDPROOF_SIP_INTERFACE"),
        ({"user": "a;auth_pass=x"}, "HOLDPROOF_SIP_USER"),
        ({"password": 'a"b'}, "HOLDPROOF_SIP_PASSWORD"),
        ({"register": True}, "HOLDPROOF_SIP_REGISTER"),
    ],
)
def test_a_setting_that_is_wrong_is_named(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        SipConfig(**{"server": "trunk.example:5060", **changes})


@pytest.mark.parametrize("server", ["trunk.example", "10.0.0.7:5061", "[2001:db8::7]", "[2001:db8::7]:5060", "pbx"])
def test_servers_are_named_or_numbered(server: str) -> None:
    assert SipConfig(server=server).host == server.removesuffix(":5060").removesuffix(":5061")


def test_a_trunk_is_set_in_the_environment_and_its_password_is_hidden(tmp_path: Path) -> None:
    values = {
        "HOLDPROOF_SIP_SERVER": "trunk.example",
        "HOLDPROOF_SIP_USER": "acct",
        "HOLDPROOF_SIP_PASSWORD": "correct horse",
        "HOLDPROOF_SIP_TRANSPORT": "TLS",
        "HOLDPROOF_SIP_ENCRYPTION": "always",
        "HOLDPROOF_SIP_REGISTER": "yes",
    }
    settings = load_settings(tmp_path, values)
    config = settings.sip()
    assert config is not None
    assert (config.server, config.transport, config.encryption, config.register) == (
        "trunk.example", "tls", "always", True,
    )  # fmt: skip
    assert config.password == "correct horse"
    assert "horse" not in repr(config)
    assert "horse" not in settings.secrets.scrub("the password correct horse was sent")
    assert load_settings(tmp_path, {}).sip() is None


@pytest.mark.slow
def test_doctor_says_what_is_configured(tmp_path: Path) -> None:
    by_name = {one.what: one for one in examine(load_settings(tmp_path, {"HOLDPROOF_SIP_SERVER": "trunk.example"}))}
    assert by_name["SIP trunk"].ok
    assert "trunk.example over udp, without an account" in by_name["SIP trunk"].text


def test_without_the_package_the_cure_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "baresip", None)
    with pytest.raises(UserError, match="not installed") as caught:
        SipCarrier(SipConfig(server="trunk.example"), tmp_path)
    assert "pip install 'holdproof[sip]'" in caught.value.fix


@pytest.mark.slow
def test_the_package_is_loaded_by_the_first_call_only() -> None:
    code = "import sys, probes.telephony.sip; print('baresip' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"

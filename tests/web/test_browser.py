"""Which browser is used, and that it reaches no further than it may."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.browser import Bounds, ChromiumSource, find_browser, is_private, origin_name, places
from probes.errors import UserError


def test_a_named_browser_is_the_only_place() -> None:
    assert [place.executable for place in places("/own", "/my/browser")] == ["/my/browser"]


def test_the_order_of_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}" if "chrome" in name else None)
    found = [place.executable or place.channel for place in places("/own", None)]
    assert found == ["/own", "chrome", "msedge", "/bin/google-chrome-stable", "/bin/google-chrome"]


@pytest.mark.slow
async def test_the_browser_found_is_new_enough() -> None:
    found = await find_browser()
    assert int(found.version.split(".")[0]) >= 131


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/nonexistent/browser", "/bin/false"])
async def test_a_named_browser_that_does_not_start_is_the_users_to_mend(path: str) -> None:
    with pytest.raises(UserError) as caught:
        await find_browser(path)
    assert path in caught.value.message
    assert "131" in caught.value.fix


@pytest.mark.parametrize(
    ("url", "method", "document", "allowed"),
    [
        ("https://help.example.com/new", "GET", True, True),
        ("https://help.example.com/new", "POST", True, True),
        ("https://help.example.com:8443/new", "GET", True, False),
        ("https://HELP.example.com:443/new", "GET", True, True),
        ("https://other.example.com/", "GET", True, False),
        ("https://cdn.example.net/app.js", "GET", False, True),
        ("https://cdn.example.net/collect", "POST", False, False),
        ("http://192.168.1.1/logo.png", "GET", False, False),
        ("http://169.254.169.254/latest/meta-data", "GET", False, False),
        ("http://[::1]/x.png", "GET", False, False),
        ("http://localhost/x.png", "GET", False, False),
        ("http://10.0.0.5:8000/", "GET", True, True),
        ("http://10.0.0.5:8000/", "POST", True, True),
        ("file:///etc/passwd", "GET", True, False),
        ("file:///etc/passwd", "GET", False, False),
        ("ftp://help.example.com/", "GET", True, False),
        ("data:text/html,hello", "GET", False, True),
        ("about:blank", "GET", True, True),
    ],
)
def test_bounds(url: str, method: str, document: bool, allowed: bool) -> None:
    bounds = Bounds(frozenset({"help.example.com", "10.0.0.5:8000"}))
    assert bounds.allows(url, method, document=document) is allowed


@given(st.ip_addresses(v=4))
def test_every_address_that_is_not_global_is_private(address: object) -> None:
    assert is_private(str(address)) is not address.is_global  # type: ignore[attr-defined]


@given(st.ip_addresses(v=4))
def test_an_address_in_the_newer_notation_is_the_same_address(address: object) -> None:
    assert is_private(f"::ffff:{address}") is is_private(str(address))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("address", "named", "error"),
    [
        ("10.1.2.3", False, "net::ERR_BLOCKED_BY_CLIENT"),
        ("::ffff:127.0.0.1", False, "net::ERR_BLOCKED_BY_CLIENT"),
        ("10.1.2.3", True, "net::ERR_"),
        ("93.184.215.14", False, "net::ERR_"),
    ],
)
async def test_a_public_name_of_a_private_address_is_reached_only_if_the_plan_names_it(
    address: str, named: bool, error: str
) -> None:
    async def resolve(host: str) -> list[str]:
        assert host == "pictures.test"
        return [address]

    source, failures = ChromiumSource(resolve=resolve), list[str]()
    hosts = frozenset({"pictures.test:81"} if named else set())
    async with source.context(hosts) as context:
        page = await context.new_page()
        page.on("requestfailed", lambda request: failures.append(request.failure or ""))
        await page.set_content("<img src='http://pictures.test:81/x.png'>", wait_until="load")
    await source.close()
    assert [failure.startswith(error) for failure in failures] == [True]
    assert ("BLOCKED" in failures[0]) is ("BLOCKED" in error)


def test_the_usual_port_is_not_named() -> None:
    assert origin_name("https://a.example:443/x") == "a.example"
    assert origin_name("http://a.example:8080") == "a.example:8080"

"""The exchange's API: who may ask, what is refused and how, lists, changes."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from twilio.base.exceptions import TwilioRestException

from probes.practice.switches import Switches
from probes.practice.vendor import PracticeVendor
from tests.practice.conftest import client_of
from tests.practice.test_call import ended, place, until

pytestmark = pytest.mark.slow
Start = Callable[..., PracticeVendor]
GOOD = {"To": "+442079460101", "From": "+441134960101", "Twiml": "<Response><Pause/></Response>"}


class Api:
    def __init__(self, vendor: PracticeVendor) -> None:
        account = vendor.exchange.account
        self.root = f"{vendor.addresses.exchange}/2010-04-01/Accounts/{account.sid}"
        self.auth = (account.sid, account.token)

    def post(self, path: str, form: dict[str, Any], **more: Any) -> httpx.Response:
        return httpx.post(self.root + path, data=form, auth=more.pop("auth", self.auth), **more)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return httpx.get(self.root + path, auth=more.pop("auth", self.auth), **more)


def error_of(response: httpx.Response) -> tuple[int, int]:
    body = response.json()
    assert set(body) == {"code", "message", "more_info", "status"}
    assert body["status"] == response.status_code
    assert body["more_info"] == f"https://www.twilio.com/docs/errors/{body['code']}"
    return response.status_code, body["code"]


def test_whoever_is_not_the_account_is_refused(start: Start) -> None:
    api = Api(start())
    for auth in (None, ("AC" + "0" * 32, "x"), (api.auth[0], "wrong"), ("", "")):
        assert error_of(api.get("/Calls.json", auth=auth)) == (401, 20003)
    assert error_of(httpx.get(api.root[:-34] + "AC" + "0" * 32 + "/Calls.json", auth=api.auth)) == (404, 20404)
    assert error_of(api.get("/Calls/CA" + "0" * 32 + ".json")) == (404, 20404)
    assert error_of(api.get("/Queues.json")) == (404, 20404)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"To": ""}, 21201),
        ({"To": "hello"}, 21211),
        ({"To": "+44123"}, 21211),
        ({"To": "+8801711000000"}, 21215),
        ({"To": "+449098790000"}, 21215),
        ({"From": ""}, 21213),
        ({"From": "nobody"}, 21212),
        ({"From": "+441134960999"}, 21210),
        ({"Twiml": ""}, 21205),
        ({"Url": "ftp://example.test/x"}, 21205),
        ({"Twiml": f"<Response><Say>{'x' * 4000}</Say></Response>"}, 32018),
        ({"StatusCallback": "nowhere"}, 21609),
        ({"Timeout": "soon"}, 20001),
        ({"RecordingChannels": "stereo"}, 20001),
        ({"SendDigits": "1" * 33}, 20001),
    ],
)
def test_a_wrong_parameter_is_refused_with_the_providers_code(start: Start, change: dict[str, str], code: int) -> None:
    vendor = start()
    assert error_of(Api(vendor).post("/Calls.json", GOOD | change)) == (400, code)
    assert list(vendor.truth.read("call_placed")) == []


def test_unknown_parameters_are_let_pass_and_a_wrong_event_is_only_noted(start: Start) -> None:
    vendor = start()
    form = GOOD | {"Colour": "blue", "StatusCallback": "http://127.0.0.1:9/x", "StatusCallbackEvent": "sometimes"}
    response = Api(vendor).post("/Calls.json", form)
    assert response.status_code == 201
    notes = client_of(vendor).calls(response.json()["sid"]).notifications.list()
    assert [(note.error_code, note.log) for note in notes] == [("21626", "1")]


def test_an_address_goes_before_a_document(start: Start) -> None:
    form = GOOD | {"Url": "http://127.0.0.1:9/none", "Twiml": "<Response>" + " " * 5000 + "</Response>"}
    assert Api(start()).post("/Calls.json", form).status_code == 201


def test_a_number_that_nobody_has_fails_and_says_so(start: Start) -> None:
    vendor = start()
    client = client_of(vendor)
    sid = client.calls.create(to="+442079460999", from_=vendor.addresses.caller_id, twiml="<Response/>").sid
    assert ended(client, sid).status == "failed"
    assert next(vendor.truth.read("call_ended"))["sip_code"] == 404


def test_too_many_requests_and_broken_servers_are_switched_on(start: Start) -> None:
    vendor = start()
    api = Api(vendor)
    vendor.exchange.switches.answer_with = (429, 500)
    assert error_of(api.get("/Calls.json")) == (429, 20429)
    assert error_of(api.get("/Calls.json")) == (500, 20500)
    assert api.get("/Calls.json").status_code == 200


def test_calls_are_listed_newest_first_with_filters_and_pages(start: Start) -> None:
    vendor = start(factor=1000.0, switches=Switches(calls_per_second=100.0))
    client = client_of(vendor)
    sids = [place(client, vendor, "busy", "<Response/>").sid for _ in range(5)]
    other = place(client, vendor, "silent", "<Response/>").sid
    for sid in [*sids, other]:
        ended(client, sid)
    assert [call.sid for call in client.calls.list()] == [other, *reversed(sids)]
    assert [call.sid for call in client.calls.list(page_size=2, to=vendor.number_of("busy"))] == list(reversed(sids))
    assert [call.sid for call in client.calls.list(status="no-answer")] == [other]
    started = client.calls(sids[2]).fetch().start_time
    assert {call.sid for call in client.calls.list(start_time_after=started)} >= {*sids[2:], other}
    day = datetime.now(UTC) + timedelta(days=30)
    assert client.calls.list(start_time_after=day) == []
    assert client.calls.list(start_time=datetime(2001, 1, 1, tzinfo=UTC)) == []
    page = client.calls.page(page_size=4)
    assert page.next_page_url is not None
    assert len(list(page.next_page())) == 2


def test_a_ringing_call_is_cancelled_and_one_that_talks_is_completed(start: Start) -> None:
    vendor = start(factor=20.0)
    client = client_of(vendor)
    sid = place(client, vendor, "silent", "<Response/>").sid
    until(lambda: client.calls(sid).fetch().status == "ringing")
    assert client.calls(sid).update(status="canceled").status == "canceled"
    talking = place(client, vendor, "everyday", '<Response><Pause length="600"/></Response>').sid
    until(lambda: client.calls(talking).fetch().status == "in-progress")
    assert client.calls(talking).update(status="canceled").status == "in-progress"
    over = client.calls(talking).update(status="completed")
    assert over.status == "completed"
    assert float(over.duration) < 600
    truth = {fact["call"]: fact for fact in vendor.truth.read("call_ended")}
    assert (truth[talking]["by"], truth[sid]["duration_s"]) == ("caller", None)


@pytest.mark.parametrize(("code", "status"), [(21220, 400), (20404, 404)])
def test_a_call_that_is_over_cannot_be_changed(start: Start, code: int, status: int) -> None:
    vendor = start(switches=Switches(ended_call_code=code))
    client = client_of(vendor)
    sid = ended(client, place(client, vendor, "busy", "<Response/>").sid).sid
    for change in ({"status": "completed"}, {"twiml": "<Response/>"}):
        with pytest.raises(TwilioRestException) as caught:
            client.calls(sid).update(**change)
        assert (caught.value.code, caught.value.status) == (code, status)


def test_a_recording_is_not_there_before_it_is_made_and_gone_when_deleted(start: Start) -> None:
    vendor = start(factor=100.0, switches=Switches(recording_delay_s=60.0))
    client, api = client_of(vendor), Api(vendor)
    sid = place(client, vendor, "voicemail", '<Response><Pause length="8"/></Response>', record=True).sid
    ended(client, sid)
    [recording] = until(lambda: client.calls(sid).recordings.list())
    assert (recording.status, recording.duration, recording.channels) == ("processing", None, 1)
    assert error_of(api.get(f"/Recordings/{recording.sid}.wav")) == (404, 20404)
    until(lambda: client.recordings(recording.sid).fetch().status == "completed")
    assert api.get(f"/Recordings/{recording.sid}.wav").content[:4] == b"RIFF"
    assert error_of(httpx.get(f"{api.root}/Recordings/{recording.sid}.wav")) == (401, 20003)
    assert client.recordings(recording.sid).delete()
    assert error_of(api.get(f"/Recordings/{recording.sid}.wav")) == (404, 20404)
    assert client.recordings.list() == []


def test_a_recording_can_be_absent(start: Start) -> None:
    vendor = start(switches=Switches(recording_absent=True))
    client = client_of(vendor)
    sid = place(client, vendor, "voicemail", '<Response><Pause length="8"/></Response>', record=True).sid
    ended(client, sid)
    [recording] = until(lambda: [r for r in client.calls(sid).recordings.list() if r.status == "absent"])
    assert recording.error_code == 16100


def test_whatever_is_asked_is_answered_in_the_providers_form(start: Start) -> None:
    vendor = start(factor=3000.0, switches=Switches(calls_per_second=1000.0))
    api, draw = Api(vendor), random.Random(20261122)
    names = ["To", "From", "Url", "Twiml", "Timeout", "TimeLimit", "Record", "RecordingChannels", "Trim", "SendDigits"]
    names += [
        "StatusCallback",
        "Status",
        "StatusCallbackEvent",
        "PageSize",
        "Page",
        "StartTime",
        "EndTime<",
        "Log",
        "X",
    ]
    values = ["", "0", "-1", "abc", "2026-13-01", "2026-01-01", "9" * 25, "\x00", "é" * 60, "1e9", "completed"]
    values += ["<Response/>", "<Response><Say>", "<Response><Redirect/></Response>", "http://127.0.0.1:9/", "true"]
    ids = ["CA" + "0" * 32]
    seen = set()
    for _ in range(250):
        given = GOOD if draw.random() < 0.6 else {}
        given = given | {name: draw.choice(values) for name in draw.sample(names, draw.randint(0, 4))}
        path = draw.choice(["/Calls.json", "/Calls/{}.json", "/Calls/{}/Events.json", "/Calls/{}/Recordings.json"])
        path = path.format(draw.choice(ids))
        response = api.post(path, given) if draw.random() < 0.5 else api.get(path, params=given)
        seen.add(response.status_code)
        if response.status_code >= 400:
            assert error_of(response)[0] in (400, 404), (path, given)
        elif response.status_code == 201:
            ids.append(response.json()["sid"])
    assert seen == {200, 201, 400, 404}

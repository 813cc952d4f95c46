"""Every answer of the exchange held against the provider's OpenAPI documents, driven by the provider's own client."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import BaseModel
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from probes.practice.switches import Switches
from probes.practice.vendor import PracticeVendor
from probes.telephony import twilio_answers as answers
from tests.practice.conftest import client_of
from tests.practice.test_call import THROUGH_THE_MENU, ended, place, until
from tests.telephony.openapi import DOCUMENTS, Exchange, judge, spec_folder

pytestmark = pytest.mark.slow
Start = Callable[..., PracticeVendor]


class Witness(TwilioHttpClient):
    """The provider's HTTP client, keeping what it sent and got."""

    def __init__(self) -> None:
        super().__init__(timeout=20)
        self.seen: list[Exchange] = []

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
        response = super().request(method, url, *args, **kwargs)
        parts = urlsplit(url)
        body = response.text.encode()
        self.seen.append(Exchange(method, parts.path, parts.query, "", "Basic eDp5", response.status_code, body))
        return response


def witnessed(vendor: PracticeVendor) -> tuple[Client, Witness]:
    witness = Witness()
    client = Client(vendor.exchange.account.sid, vendor.exchange.account.token, http_client=witness)
    client.api.base_url, client.insights.base_url = vendor.addresses.exchange, vendor.addresses.insights
    return client, witness


def faults(seen: list[Exchange]) -> list[str]:
    found = []
    for one in seen:
        if one.status >= 400:
            continue
        name = "twilio_insights_v1.json" if one.path.startswith("/v1/") else "twilio_api_v2010.json"
        found += [f"{one.method} {one.path}: {fault}" for fault in judge(name).faults_of_answer(one)]
    return found


def summary_of(client: Client, sid: str, state: str) -> Any:
    try:
        return client.insights.v1.calls(sid).summary().fetch(processing_state=state)
    except TwilioRestException as exc:
        if (exc.status, exc.code) == (404, 17001):
            return None
        raise


def known_fields(schema: str) -> set[str]:
    document = json.loads((spec_folder() / "twilio_api_v2010.json").read_text(encoding="utf-8"))
    return set(document["components"]["schemas"][schema]["properties"])


def test_a_whole_call_is_told_as_the_provider_would_tell_it(start: Start) -> None:
    vendor = start(factor=1500.0)
    client, witness = witnessed(vendor)
    options = {"record": True, "recording_channels": "dual", "trim": "do-not-trim"}
    sid = place(client, vendor, "everyday", THROUGH_THE_MENU, **options).sid
    ended(client, sid)
    recording = until(lambda: [r for r in client.calls(sid).recordings.list() if r.status == "completed"])[0]
    assert client.calls(sid).recordings(recording.sid).fetch().call_sid == sid
    assert client.recordings(recording.sid).fetch().media_url.endswith(recording.sid)
    assert [one.sid for one in client.recordings.list(call_sid=sid)] == [recording.sid]
    until(lambda: client.calls(sid).fetch().price)
    until(lambda: client.recordings(recording.sid).fetch().price)
    broken = place(client, vendor, "everyday", "<Response><Sing/></Response>").sid
    ended(client, broken)
    [note] = client.calls(broken).notifications.list()
    assert note.error_code == "12200"
    assert client.calls(broken).notifications(note.sid).fetch().error_code == "12200"
    assert len(client.calls(sid).events.list()) == 1
    assert float(client.balance.fetch().balance) < 100.0
    assert client_of(vendor).api.account.fetch().status == "active"
    since = datetime(2026, 1, 1, tzinfo=UTC)
    assert {one.sid for one in client.calls.list(start_time_after=since, page_size=1)} == {sid, broken}

    summary = until(lambda: summary_of(client, sid, "complete"))
    assert summary.properties["disconnected_by"] == "callee"
    assert len(witness.seen) > 15
    assert faults(witness.seen) == []


def test_a_summary_comes_late_first_in_part_and_only_to_those_who_pay(start: Start) -> None:
    vendor = start(factor=100.0, switches=Switches(insights_partial_s=100.0, insights_complete_s=200.0))
    client, witness = witnessed(vendor)
    sid = place(client, vendor, "busy", "<Response/>").sid
    assert summary_of(client, sid, "partial") is None
    assert until(lambda: summary_of(client, sid, "partial")).processing_state == "partial"
    assert summary_of(client, sid, "complete") is None
    complete = until(lambda: summary_of(client, sid, "complete"))
    assert (complete.call_state, complete.properties["last_sip_response_num"]) == ("busy", "486")
    assert faults(witness.seen) == []
    vendor.exchange.switches.insights_on = False
    with pytest.raises(TwilioRestException) as caught:
        summary_of(client, sid, "complete")
    assert caught.value.status == 403


def test_no_field_is_sent_that_the_provider_does_not_send(start: Start) -> None:
    vendor = start(factor=1500.0)
    client, witness = witnessed(vendor)
    sid = place(client, vendor, "voicemail", '<Response><Pause length="20"/></Response>', record=True).sid
    ended(client, sid)
    until(lambda: [r for r in client.calls(sid).recordings.list() if r.status == "completed"])
    client.recordings.list(call_sid=sid)
    told = {urlsplit(one.path).path.rpartition("/")[2]: json.loads(one.body) for one in witness.seen}
    # `annotation` is in the provider's examples of a call and in no schema; `media_url` only in the account's list.
    assert set(told[f"{sid}.json"]) - known_fields("api.v2010.account.call") == {"annotation"}
    lists = [json.loads(one.body)["recordings"][0] for one in witness.seen if b'"recordings": [{' in one.body]
    schemas = [known_fields("api.v2010.account.call.call_recording"), known_fields("api.v2010.account.recording")]
    assert all(any(set(row) <= schema for schema in schemas) for row in lists)


def test_what_a_live_call_asks_and_is_answered_is_in_the_documents(start: Start) -> None:
    vendor = start(factor=30.0)
    client, witness = witnessed(vendor)
    twice = {"status_callback": "http://127.0.0.1:1/s", "status_callback_event": ["ringing", "completed"]}
    sid = place(client, vendor, "voicemail", '<Response><Pause length="60"/></Response>', record=True, **twice).sid
    until(lambda: client.calls(sid).fetch().status == "in-progress")
    assert client.calls(sid).update(twiml='<Response><Play digits="1"/><Pause length="60"/></Response>').sid == sid
    named = {"parameter1_name": "token", "parameter1_value": "x", "track": "both_tracks", "name": "ear"}
    stream = client.calls(sid).streams.create(url="ws://127.0.0.1:1/x", **named)
    assert stream.status == "in-progress"
    assert client.calls(sid).streams(stream.sid).update(status="stopped").status == "stopped"
    room = '<Response><Dial><Conference waitUrl="" beep="false">a</Conference></Dial></Response>'
    client.calls(sid).update(twiml=room)
    assert client.calls(sid).update(status="completed").status == "completed"
    with pytest.raises(TwilioRestException) as caught:
        client.calls(sid).update(twiml=room)
    assert caught.value.code == 21220
    vendor.exchange.switches.ended_call_code = 20404
    with pytest.raises(TwilioRestException) as caught:
        client.calls(sid).update(twiml=room)
    assert (caught.value.status, caught.value.code) == (404, 20404)
    until(lambda: client.calls(sid).notifications.list())
    assert faults(witness.seen) == []


def test_our_reader_asks_for_no_field_that_the_provider_does_not_send() -> None:
    """Every field that our client reads is in the provider's document; the summary's parts are untyped there."""
    folder, untyped = spec_folder(), {"disconnected_by", "last_sip_response_num", "metrics", "packets_loss_percentage"}
    documents = [json.loads((folder / name).read_text(encoding="utf-8")) for name in DOCUMENTS]
    known = {
        name
        for document in documents
        for schema in document["components"]["schemas"].values()
        for name in schema.get("properties", {})
    }
    lists = {"calls", "recordings", "notifications", "events", "next_page_uri"}
    kinds = [kind for kind in vars(answers).values() if isinstance(kind, type) and issubclass(kind, BaseModel)]
    read = {field.alias or name for kind in kinds for name, field in kind.model_fields.items()}
    assert len(read) > 20
    assert read - known - lists - untyped - {"inbound"} == set()


def test_the_judge_finds_what_is_wrong(start: Start) -> None:
    vendor = start(factor=1500.0)
    client, witness = witnessed(vendor)
    client.calls(place(client, vendor, "busy", "<Response/>").sid).fetch()
    [_, good] = witness.seen
    assert faults([good]) == []
    for wrong in ({"duration": 12}, {"status": "initiated"}, {"sid": "CA1"}):
        bent = replace(good, body=json.dumps(json.loads(good.body) | wrong).encode())
        assert faults([bent]), wrong

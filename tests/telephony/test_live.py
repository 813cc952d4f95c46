"""Live calls: audio in, acts out, and everything that somebody else may send to our public address."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import suppress
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from probes.errors import AuditError, Refused, Side, Unavailable, UserError
from probes.practice import twiml
from probes.telephony.carrier import AudioEnd, CallOver, CallState, Capability, Frame, LiveCall, Press, Say
from probes.telephony.public_address import PublicAddress
from probes.telephony.twilio import TwilioCarrier
from tests.telephony.live_kit import (
    STREAM,
    STREAMS,
    VALIDATOR,
    Socket,
    free_port,
    here,
    next_url,
    placed,
    request,
)
from tests.telephony.openapi import faults
from tests.telephony.provider import (
    ACCOUNT,
    CALL,
    CALLS,
    ITS_NOTIFICATIONS,
    ITS_RECORDINGS,
    ONE_CALL,
    Answer,
    Provider,
    call,
    error,
    page,
    running,
)

DIGITS = "40718263"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running() as server:
        yield server


async def gather(live: LiveCall) -> list[Frame]:
    return [frame async for frame in live.frames()]


async def until(happens: Any) -> None:
    async with asyncio.timeout(60):
        while not happens():  # noqa: ASYNC110  (what happens elsewhere has no event)
            await asyncio.sleep(0.01)


def ended(provider: Provider) -> None:
    provider.answers |= {
        f"GET {ONE_CALL}": Answer(200, call("completed")),
        f"POST {ONE_CALL}": error(400, 21220, "Call is not in-progress. Cannot redirect."),
        f"GET {ITS_RECORDINGS}": Answer(200, page("recordings")),
        f"GET {ITS_NOTIFICATIONS}": Answer(200, page("notifications")),
    }


# --- audio ---


async def test_both_sides_are_heard_by_their_own_time_until_the_call_ends(provider: Provider) -> None:
    async with placed(provider) as hand, hand.dial() as socket:
        await socket.greet()
        live = await hand.live()
        heard = asyncio.create_task(gather(live))
        for index in (0, 1, 4):
            await socket.media(index)
            await socket.media(index, "outbound", 0xFF)
        await socket.stop()
        frames = await asyncio.wait_for(heard, 60)
        ended(provider)
        status = await hand.carrier.status(CALL)
    vendor = [frame for frame in frames if frame.side is Side.VENDOR]
    assert [frame.t_s for frame in vendor] == [0.0, 0.02, 0.08]
    assert [frame.side for frame in frames].count(Side.OURS) == 3
    assert np.frombuffer(vendor[0].samples, "<f4").any()
    assert (status.state, status.audio_end) == (CallState.ENDED, AudioEnd.IN_ORDER)


async def test_audio_is_not_dropped_while_nobody_takes_it(provider: Provider) -> None:
    async with placed(provider) as hand, hand.dial() as socket:
        await socket.greet()
        live = await hand.live()
        for index in range(1000):
            await socket.media(index)
        await socket.stop()
        assert len(await asyncio.wait_for(gather(live), 60)) == 1000


async def test_who_does_not_bring_our_token_is_turned_away_and_the_right_one_gets_in(provider: Provider) -> None:
    async with placed(provider) as hand:
        stranger = Socket(hand.stream.url, {"token": "guessed"})
        async with stranger:
            await stranger.greet()
            with pytest.raises(ConnectionClosed):
                await stranger.socket.recv()
        async with hand.dial(account="AC" + "9" * 32) as other:
            await other.greet()
            with pytest.raises(ConnectionClosed):
                await other.socket.recv()
        async with hand.dial() as socket:
            await socket.greet()
            await hand.live()


async def test_an_unsigned_socket_does_not_get_past_the_handshake(provider: Provider) -> None:
    async with placed(provider) as hand:
        for wrong in (hand.dial(signed=False), Socket(hand.stream.url + "x", {}), Socket(hand.stream.url + "?a=1", {})):
            with pytest.raises(InvalidStatus) as caught:
                await wrong.__aenter__()
            assert caught.value.response.status_code == 403


async def test_a_second_socket_with_the_same_token_is_turned_away_and_the_first_goes_on(provider: Provider) -> None:
    async with placed(provider) as hand, hand.dial() as socket:
        await socket.greet()
        live = await hand.live()
        with pytest.raises(InvalidStatus):
            await hand.dial().__aenter__()
        await socket.media(0)
        await socket.stop()
        assert len(await asyncio.wait_for(gather(live), 60)) == 1


async def test_a_socket_that_never_says_what_it_is_is_closed(provider: Provider) -> None:
    async with placed(provider, start_s=2.0) as hand:
        async with hand.dial() as silent:
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(silent.socket.recv(), 60)
        async with hand.dial() as socket:
            await socket.greet()
            await hand.live()


@pytest.mark.parametrize("fault", [pytest.param("stall", marks=pytest.mark.slow), "break", "flood", "bytes"])
async def test_a_stream_that_fails_is_asked_for_again_and_time_goes_on(provider: Provider, fault: str) -> None:
    provider.answers[f"POST {STREAMS}"] = Answer(201, {"sid": STREAM, "status": "in-progress"})
    async with placed(provider, stall_s=2.0 if fault == "stall" else 60.0) as hand:
        async with hand.dial() as first:
            await first.greet()
            live = await hand.live()
            heard = asyncio.create_task(gather(live))
            await first.media(0)
            if fault == "flood":
                with suppress(ConnectionClosed):
                    for _ in range(12_000):
                        await first.send(event="mark", streamSid=STREAM, mark={"name": "x"})
            elif fault == "bytes":
                await first.socket.send(b"\x00\x01")
            if fault != "break":
                await until(lambda: provider.count("POST", STREAMS))
        await until(lambda: provider.count("POST", STREAMS))
        form = provider.form()
        assert form["Track"] == ["both_tracks"]
        again = Socket(form["Url"][0], {form["Parameter1.Name"][0]: form["Parameter1.Value"][0]})
        async with again:
            await again.greet()
            await again.media(0)
            await again.stop()
            frames = await asyncio.wait_for(heard, 60)
        assert len(frames) == 2
        assert frames[1].t_s > frames[0].t_s
        assert faults([one for one in provider.asked if one.path == STREAMS]) == []


async def test_audio_that_cannot_be_had_again_ends_the_listening_but_not_the_call(provider: Provider) -> None:
    async with placed(provider, start_s=2.0) as hand:
        async with hand.dial() as socket:
            await socket.greet()
            live = await hand.live()
            await socket.media(0)
        assert len(await asyncio.wait_for(gather(live), 60)) == 1
        pressed = asyncio.create_task(live.send_digits(Press("0")))
        await hand.post(next_url(await hand.acted()))
        await asyncio.wait_for(pressed, 60)
        ended(provider)
        status = await hand.carrier.status(CALL)
    assert status.audio_end is AudioEnd.BROKEN
    assert any("broke off" in fault for fault in status.line_faults)


async def test_audio_that_never_comes_is_asked_for_then_given_up(provider: Provider) -> None:
    provider.answers[f"POST {STREAMS}"] = error(400, 20001)
    async with placed(provider, deaf_s=0.2, start_s=0.1) as hand:
        assert await asyncio.wait_for(hand.carrier.live(CALL), 60) is None
        assert provider.count("POST", STREAMS)
        assert await hand.carrier.live(CALL) is None


# --- acting ---


async def test_a_line_is_played_when_the_provider_asks_for_what_follows(provider: Provider) -> None:
    async with placed(provider) as hand, hand.dial() as socket:
        await socket.greet()
        live = await hand.live()
        playing = asyncio.create_task(live.play(Say("Hello & goodbye", "de")))
        document = await hand.acted()
        [said, _] = twiml.read(document).verbs
        assert isinstance(said, twiml.SayVerb)
        assert said.text == "Hello & goodbye"
        await asyncio.sleep(0.05)
        assert not playing.done()
        answer = await hand.post(next_url(document))
        await asyncio.wait_for(playing, 60)
        [pause, _] = twiml.read(answer.content).verbs
        assert isinstance(pause, twiml.PauseVerb)
        assert "/hold/" in next_url(answer.text)
        assert faults([one for one in provider.asked if one.path == ONE_CALL]) == []


async def test_a_replayed_request_does_not_end_a_later_line(provider: Provider) -> None:
    async with placed(provider) as hand, hand.dial() as socket:
        await socket.greet()
        live = await hand.live()
        first = asyncio.create_task(live.play(Say("One", "en")))
        old = next_url(await hand.acted())
        await hand.post(old)
        await asyncio.wait_for(first, 60)
        second = asyncio.create_task(live.play(Say("Two", "en")))
        new = next_url(await hand.acted())
        assert (await hand.post(old)).status_code == 200
        assert (await hand.post(new, signed=False)).status_code == 403
        assert (await hand.post(new, signed="bm90IGl0")).status_code == 403
        await asyncio.sleep(0.05)
        assert not second.done()
        await hand.post(new)
        await asyncio.wait_for(second, 60)


async def test_identification_digits_reach_the_provider_and_nothing_else(
    provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    log = {"request": {"method": "POST", "parameters": {"Twiml": f'<Play digits="{DIGITS}"/>'}}, "response": {}}
    async with placed(provider) as hand, hand.dial() as socket:
        await socket.greet()
        live = await hand.live()
        pressing = asyncio.create_task(live.send_digits(Press(DIGITS + "#", secret=True)))
        document = await hand.acted()
        assert twiml.PlayDigits(DIGITS + "#") in twiml.read(document).verbs
        await hand.post(next_url(document))
        await asyncio.wait_for(pressing, 60)
        provider.answers[f"POST {ONE_CALL}"] = error(400, 12100, f'bad <Play digits="{DIGITS}#"/>')
        with pytest.raises(AuditError) as caught:
            await live.send_digits(Press(DIGITS + "#", secret=True))
        ended(provider)
        provider.answers[f"GET {ONE_CALL.replace('.json', '/Events.json')}"] = Answer(200, page("events", log))
        status = await hand.carrier.status(CALL)
    assert "events" in [record.resource for record in status.raw]
    kept = b"".join(record.body for record in status.raw).decode() + repr(live) + str(caught.value) + str(status)
    assert DIGITS not in kept + caplog.text


async def test_an_act_on_a_call_that_is_over_says_so(provider: Provider) -> None:
    async with placed(provider) as hand, hand.dial() as socket:
        await socket.greet()
        live = await hand.live()
        ended(provider)
        with pytest.raises(CallOver):
            await live.play(Say("Too late", "en"))
        provider.answers[f"POST {ONE_CALL}"] = error(404, 20404)
        with pytest.raises(CallOver):
            await live.send_digits(Press("1"))
        assert await asyncio.wait_for(gather(live), 60) == []


async def test_a_line_that_the_end_of_the_call_cuts_off_says_so(provider: Provider) -> None:
    async with placed(provider) as hand, hand.dial() as socket:
        await socket.greet()
        live = await hand.live()
        playing = asyncio.create_task(live.play(Say("Hello", "en")))
        await hand.acted()
        await hand.tell("completed", 3, CallDuration="5")
        with pytest.raises(CallOver):
            await asyncio.wait_for(playing, 60)


@pytest.mark.parametrize("refusal", [error(404, 20404), error(400, 21220)])
async def test_a_hang_up_that_comes_second_is_no_error(provider: Provider, refusal: Answer) -> None:
    async with placed(provider) as hand:
        provider.answers[f"POST {ONE_CALL}"] = refusal
        await hand.carrier.hang_up(CALL)
        await hand.carrier.hang_up(CALL)


async def test_acts_wait_while_the_provider_is_too_busy(provider: Provider) -> None:
    async with placed(provider) as hand, hand.dial() as socket:
        await socket.greet()
        live = await hand.live()
        provider.answers[f"POST {ONE_CALL}"] = [error(429, 20429), Answer(200, call("in-progress"))]
        pressing = asyncio.create_task(live.send_digits(Press("1")))
        await until(lambda: provider.count("POST", ONE_CALL) == 2)
        await hand.post(next_url(provider.form()["Twiml"][0]))
        await asyncio.wait_for(pressing, 60)


# --- callbacks ---


@pytest.mark.parametrize("order", list(permutations([0, 1, 2])))
async def test_callbacks_in_any_order_doubled_or_late_tell_the_same(provider: Provider, order: tuple[int, ...]) -> None:
    steps = [("ringing", {}), ("in-progress", {}), ("completed", {"CallDuration": "9", "SipResponseCode": "200"})]
    async with placed(provider) as hand:
        for number in (*order, order[0]):
            status, fields = steps[number]
            assert (await hand.tell(status, number, **fields)).status_code == 204
        ended(provider)
        seen = await hand.carrier.status(CALL)
        assert set(hand.changed) == {CALL}
        assert await hand.carrier.live(CALL) is None
    assert seen.code == "200"
    assert [record.resource for record in seen.raw].count("status_callback") == 3


async def test_what_is_forged_changes_nothing(provider: Provider) -> None:
    async with placed(provider) as hand, hand.dial() as socket:
        await socket.greet()
        live = await hand.live()
        url = hand.form["StatusCallback"][0]
        over = {"CallStatus": "completed", "SequenceNumber": "9"}
        elsewhere = VALIDATOR.compute_signature(url + "x", {"AccountSid": ACCOUNT, "CallSid": CALL, **over})
        for signature in (False, "", "nonsense", elsewhere):
            assert (await hand.post(url, signed=signature, **over)).status_code == 403
        assert (await hand.post(url, AccountSid="AC" + "9" * 32, **over)).status_code == 403
        assert (await hand.post(url, CallStatus="levitating")).status_code == 400
        huge = await hand.post(url, signed="x", CallStatus="x" * 100_000)
        assert huge.status_code == 403
        assert (await hand.web.get(url)).status_code == 405
        assert hand.changed == []
        await socket.media(0)
        await socket.stop()
        assert len(await asyncio.wait_for(gather(live), 60)) == 1


async def test_an_end_whose_callback_is_lost_is_seen_all_the_same(provider: Provider) -> None:
    async with placed(provider) as hand:
        ended(provider)
        provider.answers[f"GET {ONE_CALL}"] = Answer(200, call("no-answer"))
        assert await asyncio.wait_for(hand.carrier.live(CALL), 60) is None
        assert (await hand.carrier.status(CALL)).answered is False


# --- our own joined telephone ---

LEG = "CA" + "0" * 31 + "7"
ITS_LEG = ONE_CALL.replace(CALL, LEG)


@pytest.mark.parametrize("answered", [True, False])
async def test_our_own_telephone_rings_apart_and_joins_once_answered(provider: Provider, answered: bool) -> None:
    async with placed(provider) as hand, hand.dial() as socket:
        await socket.greet()
        live = await hand.live()
        provider.answers |= {
            f"POST {CALLS}": Answer(201, call("queued", sid=LEG)),
            f"GET {ITS_LEG}": Answer(200, call("ringing", sid=LEG)),
            f"POST {ITS_LEG}": Answer(200, call("completed", sid=LEG)),
        }
        joining = asyncio.create_task(live.join("+442079460155", 20.0))
        await until(lambda: provider.count("POST", CALLS) == 2)
        form = provider.form()
        assert (form["To"], form["From"], form["Timeout"]) == (["+442079460155"], ["+442079460200"], ["20"])
        assert provider.count("POST", ONE_CALL) == 0
        earlier = {"CallSid": "CA" + "9" * 32, "CallStatus": "no-answer", "SequenceNumber": "2"}
        await hand.post(form["StatusCallback"][0], **earlier)  # of a try before this one
        status = "in-progress" if answered else "no-answer"
        await hand.post(form["StatusCallback"][0], CallSid=LEG, CallStatus=status, SequenceNumber="2")
        assert await asyncio.wait_for(joining, 60) is answered
        assert provider.count("POST", ONE_CALL) == answered
        if answered:
            assert "<Conference" in provider.form()["Twiml"][0]
            await hand.carrier.hang_up(CALL)
            assert provider.count("POST", ITS_LEG) == 1
        await socket.media(0)
        await socket.stop()
        assert len(await asyncio.wait_for(gather(live), 60)) == 1
        assert faults([one for one in provider.asked if one.status < 400]) == []


async def test_a_call_that_ends_while_our_telephone_rings_stops_the_ringing(provider: Provider) -> None:
    async with placed(provider) as hand, hand.dial() as socket:
        await socket.greet()
        live = await hand.live()
        provider.answers |= {
            f"POST {CALLS}": Answer(201, call("queued", sid=LEG)),
            f"GET {ITS_LEG}": Answer(200, call("ringing", sid=LEG)),
            f"POST {ITS_LEG}": Answer(200, call("canceled", sid=LEG)),
        }
        joining = asyncio.create_task(live.join("+442079460155", 20.0))
        await until(lambda: provider.count("POST", CALLS) == 2)
        await socket.stop()
        with pytest.raises(CallOver):
            await asyncio.wait_for(joining, 60)
        assert provider.count("POST", ITS_LEG) == 1


# --- placing ---


async def test_what_is_asked_for_is_what_the_provider_documents(provider: Provider) -> None:
    async with placed(provider) as hand:
        assert faults(provider.asked) == []
        assert hand.form["StatusCallbackEvent"] == ["initiated", "ringing", "answered", "completed"]
        assert hand.form["RecordingStatusCallbackEvent"] == ["completed", "absent"]
        assert hand.form["Trim"] == ["do-not-trim"]
        assert hand.stream.tracks == ("inbound", "outbound")
        assert not twiml.read(hand.twiml).warnings


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error(401, 20003), UserError),
        (error(429, 20429), Unavailable),
        (error(400, 21211), UserError),
        (error(400, 21215), Refused),
    ],
)
async def test_a_call_that_is_not_placed_leaves_nothing_open(provider: Provider, answer: Answer, kind: type) -> None:
    address = here()
    carrier = TwilioCarrier(provider.config(), address)
    provider.answers[f"POST {CALLS}"] = answer
    with pytest.raises(kind):
        await carrier.dial(request())
    assert provider.count("POST", CALLS) == 1
    assert await carrier.live(CALL) is None
    await carrier.close()
    await address.close()


async def test_without_a_public_address_nothing_is_live_and_it_says_how(provider: Provider) -> None:
    carrier = TwilioCarrier(provider.config())
    assert not {Capability.LIVE_AUDIO, Capability.JOIN} & carrier.capabilities
    with pytest.raises(UserError, match="public address"):
        await carrier.dial(request())
    keyed = TwilioCarrier(provider.config(auth_token="", api_key="SK1", api_secret="s"), here())
    assert Capability.LIVE_AUDIO not in keyed.capabilities
    assert {Capability.LIVE_AUDIO, Capability.JOIN} <= TwilioCarrier(provider.config(), here()).capabilities
    assert provider.asked == []


async def test_while_another_process_has_the_port_only_live_calls_are_refused(provider: Provider) -> None:
    first = here()
    await first.open()
    carrier = TwilioCarrier(provider.config(), PublicAddress(first.public_url, first.listens_on))
    provider.answers[f"POST {CALLS}"] = Answer(201, call("queued"))
    with pytest.raises(UserError, match="cannot listen"):
        await carrier.dial(request())
    assert provider.asked == []
    assert (await carrier.dial(request(live=False, script=(Say("Hello", "en"),)))).call_id == CALL
    assert "StatusCallback" not in provider.form()
    await carrier.close()
    await first.close()


async def test_nothing_is_dialled_while_the_public_address_leads_nowhere(provider: Provider) -> None:
    address = PublicAddress(f"http://127.0.0.1:{free_port()}/calls", f"127.0.0.1:{free_port()}")
    carrier = TwilioCarrier(provider.config(), address)
    with pytest.raises(Unavailable, match="gives no answer") as caught:
        await carrier.dial(request())
    assert address.listens_on in caught.value.fix
    assert provider.asked == []
    await carrier.close()
    await address.close()


async def test_another_process_after_ours_was_killed_has_no_audio_and_ends_what_asks_it(provider: Provider) -> None:
    """The call of the dead process goes on asking at our public address, where a new process is by now."""
    address = here()
    async with placed(provider, address) as dead:
        hold, status = next_url(dead.twiml), dead.form["StatusCallback"][0]
        await address.close()
        changed: list[str] = []
        reborn = TwilioCarrier(provider.config(), address, changed.append)
        await address.open()
        assert await reborn.live(CALL) is None
        assert twiml.read((await dead.post(hold)).content).verbs == (twiml.Hangup(),)
        assert (await dead.post(status, CallStatus="completed", SequenceNumber="3")).status_code == 204
        assert changed == [CALL]
        await reborn.close()


@pytest.mark.parametrize("cut", [False, True], ids=["kept", "cut"])
async def test_behind_a_proxy_with_a_path_of_its_own(provider: Provider, cut: bool) -> None:
    """The proxy leads /audit to us, with that part of the path or without it; what is signed is the public address."""
    from tests.telephony.proxy import proxy

    port = free_port()
    async with proxy(f"127.0.0.1:{port}", "/audit", cut=cut) as public:
        address = PublicAddress(public + "/audit", f"127.0.0.1:{port}")
        async with placed(provider, address) as hand, hand.dial() as socket:
            assert hand.stream.url.startswith(public.replace("http", "ws") + "/audit/")
            await socket.greet()
            live = await hand.live()
            pressing = asyncio.create_task(live.send_digits(Press("1")))
            await hand.post(next_url(await hand.acted()))
            await asyncio.wait_for(pressing, 60)

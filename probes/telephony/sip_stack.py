"""The SIP stack of this process, in a thread of its own: there can be one only, and nothing may hold its audio up.

The package is an early release, pinned exactly, and known here alone and in `sip_line`. It tells of a dialled call
only after its own command has returned, so an answer that comes at once can be missed; we listen before we dial and
keep what cannot be assigned yet.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from probes.errors import Unavailable, UserError
from probes.telephony.sip_config import CURE, ENCRYPTION, MISSING, SipConfig, installed
from probes.telephony.sip_messages import without_secrets

if TYPE_CHECKING:
    from baresip import Call, Runtime, StackEvent, UserAgent

    from probes.telephony.sip_line import SipLine

T = TypeVar("T")

_TICK_S = 0.02
_LOOK_AT_FILES_EVERY = 25  # ticks
_CLOSE_AT_MOST_S = 3.0
_KEPT_MESSAGES = 400  # of calls that are not known yet
_CA_FILES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_CALL_ID = re.compile(r"^(?:Call-ID|i)[ \t]*:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)
_TRACE = "baresip.native.sip"


class SipStack:
    """The running stack. Get it with `shared`, and give it back with `release`."""

    _lock: ClassVar[threading.Lock] = threading.Lock()
    _running: ClassVar[SipStack | None] = None

    @classmethod
    def shared(cls, config: SipConfig) -> SipStack:
        """Return the stack of this process, started if it is not running.

        Raises:
            UserError: the package is missing, or the stack runs with another network already.
            Unavailable: it does not start.
        """
        if not installed():
            raise UserError(MISSING, fix=CURE)
        with cls._lock:
            if cls._running is None:
                cls._running = cls(config)
            elif cls._running.ground != _ground(config):
                fix = "use one network interface and one encryption for all calls over SIP"
                raise UserError("calls over SIP run in this process already, by another network", fix=fix)
            cls._running._users += 1
            return cls._running

    def __init__(self, config: SipConfig) -> None:
        self.ground = _ground(config)
        self._users = 0
        self._lines: dict[int, SipLine] = {}
        self._by_sip_id: dict[str, SipLine] = {}
        self._agents: dict[tuple[SipConfig, str], UserAgent] = {}
        self._dialling = 0
        self._unassigned: list[StackEvent] = []
        self._messages: list[tuple[str, datetime, bool, str, str]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._dead = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sip", daemon=True)
        self._thread.start()
        try:
            self._runtime: Runtime = asyncio.run_coroutine_threadsafe(self._start(config), self._loop).result(20)
        except BaseException as exc:
            self._stop_thread()
            if isinstance(exc, Exception):
                raise Unavailable(
                    f"the SIP stack does not start: {exc}", fix="look at HOLDPROOF_SIP_INTERFACE"
                ) from exc
            raise

    def release(self) -> None:
        """Give the stack back; the last one to do so ends all calls and stops it. Blocks for a moment."""
        with self._lock:
            self._users -= 1
            if self._users:
                return
            SipStack._running = None
            try:
                asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(_CLOSE_AT_MOST_S + 15)
            finally:
                self._stop_thread()

    async def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the stack's thread, from any other loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    @property
    def live_calls(self) -> int:
        """How many calls are being placed or are up."""
        return len(self._lines)

    # --- in the stack's thread ---

    async def dial(self, config: SipConfig, caller_id: str, uri: str, line: SipLine) -> None:
        """Send the request for a call and let `line` have everything that happens to it.

        Raises:
            baresip.BaresipError: the stack refused, or (CommandTimeout, RuntimeDead) nobody knows.
        """
        agent = await self._agent(config, caller_id)
        self._dialling += 1
        try:
            call = await agent.dial(uri)
            self._lines[call.handle] = line
            line.placed(call)
            early, self._unassigned = self._unassigned, []
            for event in early:
                self._on_event(event)
        finally:
            self._dialling -= 1
            if not self._dialling:
                nobodys, self._unassigned = self._unassigned, []
                for event in nobodys:
                    self._on_event(event)

    def forget(self, line: SipLine) -> None:
        """Drop a call that is over."""
        self._lines = {handle: one for handle, one in self._lines.items() if one is not line}
        self._by_sip_id = {sip_id: one for sip_id, one in self._by_sip_id.items() if one is not line}

    async def _agent(self, config: SipConfig, caller_id: str) -> UserAgent:
        from baresip import Account, RegistrationError, UserAgent

        who = config.user if config.register else caller_id
        known = self._agents.get((config, who))
        if known is not None:
            return known
        encryption = ENCRYPTION[config.encryption]
        transport = "" if config.transport == "udp" else f";transport={config.transport}"
        account = Account(
            user=who,
            domain=config.server if config.register else config.domain or config.host,
            password=config.password,
            auth_user=config.user or None,
            registrar=f"sip:{config.proxy or config.server}{transport}",
            reg_interval=600 if config.register else 0,
            transport=config.transport,  # type: ignore[arg-type]
            dtmf_mode="rtpevent",  # the other way would write the keys into every trace
            extra_params=(f"mediaenc={encryption}",) if encryption else (),
        )
        # A far end may ask us to call some other number: nobody but the plan says whom we call.
        agent = await UserAgent.create(self._runtime, account, transfer_policy="reject")
        agent.on_incoming(self._turn_away)
        if config.register:
            try:
                await agent.register()
            except RegistrationError as exc:
                raise UserError(
                    f"{config.server} does not take our account: {exc}", fix="look at HOLDPROOF_SIP_USER"
                ) from exc
        self._agents[config, who] = agent
        return agent

    def _turn_away(self, call: Call) -> None:
        """End a call that is nobody's: one to us, or one of ours whose dialling we had to give up."""
        from baresip import BaresipError

        async def end() -> None:
            with suppress(BaresipError):  # it is gone already
                await call.hangup()

        task = self._loop.create_task(end())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start(self, config: SipConfig) -> Runtime:
        from baresip import Config, Runtime

        self._listen_to_messages()
        runtime = Runtime()
        runtime.subscribe(self._on_event)
        runtime.on_dead = self._on_dead
        # The stack's own buffer loses what comes late on a busy machine; nobody here has to hear it evenly.
        extra = ["audio_jitter_buffer_type off", "sip_verify_server yes"]
        extra += [f"sip_cafile {path}" for path in _authorities()]
        extra += ["sip_listen 127.0.0.1:0"] if config.is_loopback and not config.interface else []
        interface = config.interface or ("127.0.0.1" if config.is_loopback else None)
        # The level stays at warning: below it the stack writes every key that is pressed into its log.
        stack = Config(
            net_interface=interface,
            native_log_level="warning",
            sip_trace=True,
            max_concurrent_calls=None,
            rtp_timeout=config.silent_at_most_s,
            extra_config_text="\n".join(extra),
        )
        await runtime.start(stack)
        self._ticking = self._loop.create_task(self._tick())
        return runtime

    def _listen_to_messages(self) -> None:
        logger = logging.getLogger(_TRACE)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False  # addresses and credentials of calls are nobody else's business
        self._handler = _Messages(self)
        logger.addHandler(self._handler)

    def message(self, at_utc: datetime, sent: bool, wire: str, text: str) -> None:
        """Take a SIP message; called in the stack's logging thread."""
        found = _CALL_ID.search(text)
        if found and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._on_message, found.group(1), at_utc, sent, wire, text)

    def _on_message(self, sip_id: str, at_utc: datetime, sent: bool, wire: str, text: str) -> None:
        text = without_secrets(text)
        line = self._by_sip_id.get(sip_id)
        if line is not None:
            line.on_message(at_utc, sent, wire, text)
            return
        self._messages.append((sip_id, at_utc, sent, wire, text))
        del self._messages[:-_KEPT_MESSAGES]

    def _on_event(self, event: StackEvent) -> None:
        from baresip import Call, CallState, Event

        line = self._lines.get(event.call)
        if line is None:
            if self._dialling and event.call:
                self._unassigned.append(event)
            elif event.call and event.event in (Event.CALL_RINGING, Event.CALL_PROGRESS, Event.CALL_ESTABLISHED):
                self._turn_away(Call(self._runtime, handle=event.call, ua_handle=event.ua, state=CallState.OUTGOING))
            return
        if event.call_id and event.call_id not in self._by_sip_id:
            self._by_sip_id[event.call_id] = line
            mine = [one for one in self._messages if one[0] == event.call_id]
            self._messages = [one for one in self._messages if one[0] != event.call_id]
            for _, at_utc, sent, wire, text in mine:
                line.on_message(at_utc, sent, wire, text)
        line.on_event(event)

    def _on_dead(self) -> None:
        self._dead = True
        for line in tuple(self._lines.values()):
            line.lost("the SIP stack of this process died")

    async def _tick(self) -> None:
        """Move the audio of all calls, every few milliseconds, at the times that it is due."""
        due_s, count = self._loop.time(), 0
        while True:
            now_s = self._loop.time()
            due_s = max(due_s + _TICK_S, now_s)
            count += 1
            for line in tuple(self._lines.values()):
                try:
                    line.tick(now_s, look_at_files=count % _LOOK_AT_FILES_EVERY == 0)
                except Exception:  # one call's fault must not take the audio of all others with it
                    logging.getLogger(__name__).exception("call %s is lost", line.call_id)
                    line.fail("a fault in our own handling of its audio")
            await asyncio.sleep(due_s - now_s)

    async def _close(self) -> None:
        for line in tuple(self._lines.values()):
            await line.hang_up("closing")
        if self._lines:
            await asyncio.wait(
                [asyncio.wrap_future(line.gone) for line in self._lines.values()], timeout=_CLOSE_AT_MOST_S
            )
        for line in tuple(self._lines.values()):
            line.lost("the process ended before the far end confirmed our goodbye")
        self._ticking.cancel()
        if not self._dead:
            await self._runtime.close()
        logging.getLogger(_TRACE).removeHandler(self._handler)

    def _stop_thread(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        if not self._loop.is_running():
            self._loop.close()


def _authorities() -> list[str]:
    """Return the file of the certificate authorities that this machine trusts."""
    return [path for path in _CA_FILES if Path(path).exists()][:1]


def _ground(config: SipConfig) -> tuple[str, bool, int]:
    """Return what all calls of a process have in common."""
    return config.interface, config.is_loopback, config.silent_at_most_s


class _Messages(logging.Handler):
    def __init__(self, stack: SipStack) -> None:
        super().__init__(logging.DEBUG)
        self._stack = stack

    def emit(self, record: logging.LogRecord) -> None:
        head, _, text = record.getMessage().partition("\n")
        if head.startswith(("TX ", "RX ")) and text:
            self._stack.message(
                datetime.fromtimestamp(record.created, UTC), head.startswith("TX "), head[3:].strip(), text
            )

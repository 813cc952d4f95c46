"""One call on the practice exchange: its life from queued to its end, told in audit time.

Everything is worked out from moments, not from when this process happens to look: whoever asks at a moment is told what
is true at that moment, even where the clock runs a thousand times faster than the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np

from probes.practice.call_centre import CallCentre
from probes.practice.caller import Fetch, TwimlPlayer
from probes.practice.character import Answer, Phone
from probes.practice.line import End, Line
from probes.practice.orders import Order
from probes.practice.problems import Notice
from probes.practice.sounds import Clip, Sounds
from probes.practice.truth import Truth
from probes.practice.twiml import Document, Hangup, PlayDigits, SayVerb, TwimlError, read


class Status(StrEnum):
    """The provider's words for the states of a call."""

    QUEUED = "queued"
    RINGING = "ringing"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    BUSY = "busy"
    FAILED = "failed"
    NO_ANSWER = "no-answer"
    CANCELED = "canceled"


_DETECTION_S = (3.2, 4.6)  # how long a machine detection takes
OVER = frozenset({Status.COMPLETED, Status.BUSY, Status.FAILED, Status.NO_ANSWER, Status.CANCELED})
_APOLOGY = Document((SayVerb("We are sorry. An application error has occurred. Goodbye.", "woman", 1), Hangup()), ())


@dataclass(frozen=True, slots=True)
class Progress:
    """A step in the life of a call, for those who want to be called back."""

    event: str
    status: str
    at_utc: datetime


class PracticeCall:
    """One call. `call_number` counts the calls to this number from 1; `phone` is None where nobody has the number."""

    def __init__(
        self,
        sid: str,
        order: Order,
        *,
        created_at_utc: datetime,
        dialled_at_utc: datetime,
        phone: Phone | None,
        character: str,
        call_number: int,
        sounds: Sounds,
        truth: Truth,
        clip_of: Callable[[str], Clip | None],
    ) -> None:
        self.sid, self.order, self.phone, self.character, self.call_number = sid, order, phone, character, call_number
        self.created_at_utc, self.dialled_at_utc = created_at_utc, dialled_at_utc
        self.updated_at_utc = created_at_utc
        self.ringing_at_utc: datetime | None = None
        self.answered_at_utc: datetime | None = None
        self.ended_at_utc: datetime | None = None
        self.status, self.sip_code = Status.QUEUED, 0
        self.disconnected_by: End | None = None
        self.answered_by: str | None = None
        self.detection_s = 0.0
        self.progress: list[Progress] = []
        self.notices: list[Notice] = list(order.notices)
        self.time_limit_s = order.time_limit_s
        self.line = Line(sounds.length_s)
        self.player = TwimlPlayer(self.line, clip_of)
        self._first_keys = order.send_digits
        self._truth, self._told = truth, 0
        self._random = np.random.default_rng([phone.seed if phone else 0, call_number, 77])
        self._plan = self._foresee()
        self._note(
            "call_placed", created_at_utc, to=order.to, caller=order.caller, character=character, number=call_number
        )

    # --- what is known of it ---

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.status in OVER

    @property
    def queue_time_ms(self) -> int:
        """How long it waited for its turn to be dialled."""
        return round((self.dialled_at_utc - self.created_at_utc).total_seconds() * 1000)

    @property
    def wanted(self) -> Fetch | None:
        """The document that it waits for."""
        return self.player.wanted

    @property
    def next_at_utc(self) -> datetime | None:
        """The next moment at which anything changes by itself."""
        if self.over or self.wanted is not None:
            return None
        planned = self._plan[0][0] if self._plan else None
        if self.answered_at_utc is None:
            return planned
        next_s = min(self.line.next_s(), self.time_limit_s)
        of_line = self.answered_at_utc + timedelta(seconds=next_s)
        return of_line if planned is None else min(planned, of_line)

    # --- what moves it ---

    def advance(self, now_utc: datetime) -> None:
        """Let everything happen that is due."""
        while not self.over and self._plan and self._plan[0][0] <= now_utc:
            at_utc, step = self._plan.pop(0)
            step(at_utc)
        if self.status is Status.IN_PROGRESS:
            self._talk(now_utc)
        self._tell()

    def play(self, document: Document, url: str | None) -> None:
        """Play a document from now on."""
        for warning in document.warnings:
            self.notices.append(Notice(12200, f"Schema validation warning: {warning}", log=1, url=url or ""))
        if self._first_keys:
            document = Document((PlayDigits(self._first_keys), *document.verbs), ())
            self._first_keys = ""
        self.player.go_on(document, url)

    def play_text(self, text: str | bytes, url: str | None) -> None:
        """Play a document, or say that there was an application error where it is none."""
        try:
            self.play(read(text), url)
        except TwimlError as exc:
            self.fail_document(Notice(exc.code, exc.text, url=url or ""))

    def fail_document(self, notice: Notice) -> None:
        """No document could be had: say so and hang up, as the provider does."""
        self.notices.append(notice)
        self.play(_APOLOGY, None)

    def ask_for(self, url: str, method: str) -> None:
        """Freeze the call until a document has been fetched."""
        self.player.want(Fetch(url, method, {}))

    def withdraw_request(self) -> None:
        """Forget a document that is being fetched: another one takes its place."""
        self.player.wanted, self.line.frozen = None, False

    def limit(self, seconds: float) -> None:
        """Set how long it may last from the answer on."""
        self.time_limit_s = seconds

    def cancel(self, now_utc: datetime) -> None:
        """Give up a call that was not answered yet."""
        self._plan.clear()
        self._end(now_utc, Status.CANCELED, 487, End.CALLER)

    def complete(self, now_utc: datetime) -> None:
        """End a call in progress by request."""
        self.withdraw_request()
        self._talk(now_utc)
        if not self.over:
            self.line.hang_up(End.CALLER, "ended by request")
            self._talk(now_utc)
        self._tell()

    # --- its life ---

    def _foresee(self) -> list[tuple[datetime, Callable[[datetime], None]]]:
        """Work out what will happen before the answer, if nobody interferes."""
        plan: list[tuple[datetime, Callable[[datetime], None]]] = [(self.dialled_at_utc, self._dial)]
        if self.phone is None:
            plan.append((self.dialled_at_utc + timedelta(seconds=1.5), self._fail_unknown))
            return plan
        answer = self.phone.answer[min(self.call_number, len(self.phone.answer)) - 1]
        ringing = self.dialled_at_utc + timedelta(
            seconds=self._draw(self.phone.post_dial.least_s, self.phone.post_dial.most_s)
        )
        if answer is Answer.BUSY:
            plan.append((ringing, lambda at: self._end(at, Status.BUSY, 486, End.VENDOR)))
            return plan
        if answer is Answer.FAILED:
            code = self.phone.sip_code
            plan.append((ringing, lambda at: self._end(at, Status.FAILED, code, End.VENDOR)))
            return plan
        plan.append((ringing, self._ring))
        ring_s = self._draw(self.phone.ring.least_s, self.phone.ring.most_s)
        if answer is Answer.ANSWERED and ring_s < self.order.timeout_s:
            plan.append((ringing + timedelta(seconds=ring_s), self._pick_up))
        else:
            given_up = ringing + timedelta(seconds=self.order.timeout_s)
            plan.append((given_up, lambda at: self._end(at, Status.NO_ANSWER, 487, End.CALLER)))
        return plan

    def _fail_unknown(self, at_utc: datetime) -> None:
        """Nobody has the number, which the provider finds out only when it dials: told in the notifications alone."""
        self.notices.append(
            Notice(13224, f"Dial: Invalid phone number format or not a valid phone number: {self.order.to}")
        )
        self._end(at_utc, Status.FAILED, 404, None)

    def _draw(self, least_s: float, most_s: float) -> float:
        return float(self._random.uniform(least_s, most_s))

    def _dial(self, at_utc: datetime) -> None:
        self.updated_at_utc = at_utc
        self.progress.append(Progress("initiated", "initiated", at_utc))

    def _ring(self, at_utc: datetime) -> None:
        self.status, self.ringing_at_utc, self.updated_at_utc = Status.RINGING, at_utc, at_utc
        self.progress.append(Progress("ringing", "ringing", at_utc))
        self._note("call_ringing", at_utc)

    def _pick_up(self, at_utc: datetime) -> None:
        assert self.phone is not None
        self.status, self.answered_at_utc, self.updated_at_utc = Status.IN_PROGRESS, at_utc, at_utc
        self.progress.append(Progress("answered", "in-progress", at_utc))
        self._note("call_answered", at_utc)
        self.line.take(End.VENDOR, CallCentre(self.phone, self.call_number, self.line).answer())
        if self.order.machine_detection:
            self.detection_s = self._draw(*_DETECTION_S)
            self._plan.append((at_utc + timedelta(seconds=self.detection_s), self._detect))
        if not self.order.machine_detection or self.order.detection_is_async:
            self._begin()

    def _detect(self, at_utc: datetime) -> None:
        """Say what answered; unless that was to be found out beside the call, the document begins only now."""
        self._talk(at_utc)
        if self.over:
            return
        assert self.phone is not None
        self.answered_by = self.phone.answered_by.value
        if not self.order.detection_is_async:
            self._begin()

    def _begin(self) -> None:
        if self.order.url is not None:
            self.ask_for(self.order.url.url, self.order.url.method)
        elif self.order.twiml is not None:
            self.play_text(self.order.twiml, None)

    def _talk(self, now_utc: datetime) -> None:
        assert self.answered_at_utc is not None
        self.line.run(min((now_utc - self.answered_at_utc).total_seconds(), self.time_limit_s))
        if self.line.now_s >= self.time_limit_s:
            self.line.hang_up(End.CALLER, "time limit")
        if self.line.hung_up_by is not None:
            ended = self.answered_at_utc + timedelta(seconds=self.line.now_s)
            if self.line.lost:
                self._end(ended, Status.COMPLETED, 408, None)  # a session that nobody refreshed any more
            else:
                self._end(ended, Status.COMPLETED, 200, self.line.hung_up_by)

    def _end(self, at_utc: datetime, status: Status, sip_code: int, by: End | None) -> None:
        if self.over:
            return
        self._tell()
        self.status, self.ended_at_utc, self.updated_at_utc = status, at_utc, at_utc
        self.sip_code, self.disconnected_by = sip_code, by
        self.progress.append(Progress("completed", status.value, at_utc))
        duration_s = None if self.answered_at_utc is None else (at_utc - self.answered_at_utc).total_seconds()
        by_whom = by.value if by is not None else None
        self._note("call_ended", at_utc, status=status.value, by=by_whom, sip_code=sip_code, duration_s=duration_s)
        if self.line.played:
            sounds = [
                {"end": p.end.value, "label": p.label, "start_s": round(p.start_s, 4), "end_s": round(p.end_s, 4)}
                for p in self.line.played
                if p.end_s > p.start_s
            ]
            self._note("call_sounds", at_utc, sounds=sounds)

    def _tell(self) -> None:
        """Write what happened on the line to the truth file."""
        if self.answered_at_utc is None:
            return
        for happening in self.line.happenings[self._told :]:
            moment = self.answered_at_utc + timedelta(seconds=happening.t_s)
            self._note(happening.kind, moment, t_s=round(happening.t_s, 4), **happening.facts)
        self._told = len(self.line.happenings)

    def _note(self, kind: str, at_utc: datetime, **facts: object) -> None:
        self._truth.write(kind, at_utc, call=self.sid, **facts)

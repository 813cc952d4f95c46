"""What scenes are put together from: a cast of voices, and the things that a vendor's line can do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bench.calls import holds, tones
from bench.calls.holds import Message, Music, Plan
from bench.calls.pool import Pool, Speaker
from bench.calls.sounds import RATE_HZ, Sound, levelled, looped, samples, silence
from bench.calls.tape import Mark, Tape


class Stage:
    """The things that calls are put together from, with one call's cast."""

    def __init__(self, pool: Pool, rng: np.random.Generator, most_s: float) -> None:
        """Draw country, levels and voices.

        Args:
            pool: where voices and music come from.
            rng: decides everything, here and later.
            most_s: how long the call may be, roughly.
        """
        self.pool, self.rng, self.most_s = pool, rng, most_s
        self.tape = Tape()
        self.used: set[str] = set()  # lines that were said already
        self.country = str(rng.choice(list(tones.COUNTRIES)))
        self.peak = float(rng.uniform(0.05, 0.2))  # of the exchange's tones
        self.system = self._any(pool.with_role("system"), recorded=0.5)
        cast = [s for s in pool.with_role("person") if s.name != self.system.name]
        fitting = [s for s in cast if s.language == self.system.language and "voices" not in s.source]
        first = self._any(fitting, 1) if fitting and rng.random() < 0.6 else self._any(cast, recorded=0.7)
        rest = [s for s in cast if s.name != first.name]
        self.people = [first, *(self._any(rest, recorded=0.7) for _ in range(4))]
        self.caller = self._any([s for s in rest if s not in self.people], recorded=0.8)
        self.ambience = bool(rng.random() < 0.6)

    # -- cast and material

    def _any(self, speakers: list[Speaker], recorded: float) -> Speaker:
        """Draw a source first, then a voice of it, so that a source of many voices is not all that is heard."""
        real = [s for s in speakers if s.source != "voices"]
        if not real or (self.rng.random() >= recorded and len(real) < len(speakers)):
            real = [s for s in speakers if s.source == "voices"]
        sources = sorted({s.source for s in real})
        source = str(self.rng.choice(sources))
        of_source = [s for s in real if s.source == source]
        return of_source[int(self.rng.integers(len(of_source)))]

    def between(self, low: float, high: float) -> float:
        """Draw a number."""
        return float(self.rng.uniform(low, high))

    def chance(self, share: float) -> bool:
        """Draw yes or no."""
        return bool(self.rng.random() < share)

    def prompt(self, *kinds: str, seconds: float = 3.0) -> tuple[str, Sound]:
        """Return something the system says, not said before in this call: clips of a kind up to a length."""
        names, parts, total = [], [], 0.0
        while total < seconds:
            left = [c for c in self.system.named(*kinds) if c.name not in self.used]
            left = left or [c for c in self.system.clips if c.name not in self.used and c.kind not in ("digit", "song")]
            if not left:
                break
            clip = left[int(self.rng.integers(len(left)))]
            self.used.add(clip.name)
            names.append(clip.name)
            parts += [self.pool.clip(self.system, clip), silence(self.between(0.12, 0.35))]
            total += (clip.end - clip.start) / RATE_HZ
        return "+".join(names), np.concatenate(parts[:-1]) if parts else silence(0.5)

    def music(self, *kinds: str, loop: bool = True, seconds: float | None = None, db: float | None = None) -> Music:
        """Return something to play: an excerpt, a whole track, or two tracks one after the other."""
        tracks = [t for t in self.pool.tracks if t.kind in kinds] if kinds else list(self.pool.tracks)
        db = self.between(-9, 4) if db is None else db
        gap = silence(float(self.rng.choice([0, 0, 0.3, 1.0])))
        chosen = []
        for _ in range(2 if loop and seconds is None and self.chance(0.12) else 1):
            sources = sorted({t.source for t in tracks})
            source = str(self.rng.choice(sources))
            of_source = [t for t in tracks if t.source == source]
            chosen.append(of_source[int(self.rng.integers(len(of_source)))])
        parts = []
        for track in chosen:
            length = seconds or (None if self.chance(0.3) else self.between(15, 120) / len(chosen))
            parts += [levelled(holds.excerpt(self.pool.music(track), length, self.rng)), gap]
        drift = self.between(0, 1e-3) if self.chance(0.1) else 0.0
        sound = holds.level(np.concatenate(parts), db)
        return Music(sound, "+".join(t.name for t in chosen), loop, drift)

    def message(self, *kinds: str, seconds: float = 3.0, db: float = 0.0) -> Message:
        """Return an announcement."""
        name, sound = self.prompt(*kinds, seconds=seconds)
        return Message(((name, holds.level(sound, db)),))

    # -- what the line does

    def ring(self, cycles: int | None = None) -> None:
        """Ringback, after a moment of nothing."""
        self.tape.silence(self.between(0.1, 2.0))
        self.signal("ringback", cycles or int(self.rng.integers(1, 6)))

    def signal(self, label: str, cycles: int) -> None:
        """A tone with its cadence."""
        sound, pauses = tones.cadence(self.country, label, cycles, self.peak)
        self.tape.tone(sound, label, pauses, self.country)

    def answer(self) -> None:
        """Somebody or something picks up."""
        self.tape.silence(self.between(0.1, 1.2))
        self.tape.event("answered")

    def menus(self, count: int | None = None, twice: float = 0.2) -> None:
        """An automatic system that asks, and keys that are pressed."""
        for _ in range(count or int(self.rng.integers(1, 4))):
            name, sound = self.prompt("menu", seconds=self.between(2, 12))
            sound = holds.level(sound, self.between(-6, 3))
            for occurrence in range(1, 3 if self.chance(twice) else 2):
                self.tape.speech(sound, "ivr", name, occurrence)
                self.tape.silence(self.between(0.8, 5))
            if self.chance(0.4):
                self.keys("".join(str(k) for k in self.rng.integers(0, 10, int(self.rng.integers(1, 5)))))

    def keys(self, digits: str) -> None:
        """Keys echoed into the vendor's channel."""
        parts, pauses, position = [], [], 0
        for digit in digits:
            on, off = self.between(0.07, 0.18), self.between(0.06, 0.12)
            parts += [tones.burst(tuple(map(float, tones.KEYS[digit])), on, self.peak), silence(off)]
            pauses.append((position + samples(on), position + samples(on) + samples(off)))
            position += samples(on) + samples(off)
        sound = np.concatenate(parts[:-1])
        self.tape.tone(sound, "dtmf", pauses[:-1], digits=digits)
        self.tape.silence(self.between(0.3, 1.0))

    def special_information(self) -> None:
        """The three rising tones before a network announcement."""
        row = tones.SPECIAL_INFORMATION_HZ[int(self.rng.integers(3))]
        parts = [tones.burst((hz,), float(self.rng.choice([0.276, 0.33, 0.38])), self.peak) for hz in row]
        self.tape.tone(np.concatenate(parts), "sit")

    def beep(self, hz: float, seconds: float) -> None:
        """A single tone."""
        self.tape.tone(tones.burst((hz,), seconds, self.peak), "beep")

    def hold(self, low_s: float, high_s: float, mode: str | None = None, **changes: object) -> Plan:
        """Wait, in one of the ways that vendors let us wait."""
        room_s = max(20.0, self.most_s - self.tape.now_s - 45)
        mode = mode or str(self.rng.choice(["duck", "duck", "pause", "mute", "restart", "none"]))
        every_s = 0.0 if mode == "none" else float(self.rng.choice([10, 15, 20, 30, 45, 60, 90])) + self.between(-1, 1)
        plan = Plan(
            seconds=min(self.between(low_s, high_s), room_s),
            music=None,
            mode=mode,
            every_s=every_s,
            lead_s=self.between(2, 25),
            duck_db=self.between(-22, -8),
        )
        for name, value in changes.items():
            setattr(plan, name, value)
        if plan.every_s and not plan.messages:
            kinds = 1 if self.chance(0.6) else 2
            db = self.between(-4, 4)
            plan.messages = [self.message("hold", seconds=self.between(2, 7), db=db) for _ in range(kinds)]
        if plan.music is None and plan.mode != "silent":
            plan.music = self.music()
        self.tape.silence(self.between(0.2, 1.2))
        holds.play(self.tape, plan, self.rng)
        return plan

    def transfer(self) -> None:
        """From the hold to a person: silence, sometimes ringing or a beep."""
        self.tape.silence(self.between(0.1, 1.0))
        if self.chance(0.35):
            self.signal("ringback", int(self.rng.integers(1, 3)))
            self.tape.silence(self.between(0.2, 0.8))
        elif self.chance(0.3):
            self.beep(440, 0.3)
            self.tape.silence(0.3)

    def person(self, low_s: float, high_s: float, bed: Sound | None = None) -> None:
        """Somebody talks with the caller; no line is said twice. `bed` is faint music in the room."""
        until_s, start = self.tape.now_s + self.between(low_s, high_s), self.tape.length
        self.tape.event("agent_joins")
        lines = self._lines(self.people)
        answers = self._lines([self.caller])
        while self.tape.now_s < until_s and lines:
            if self.tape.length > start:
                self._listen(answers)
            for _ in range(int(self.rng.integers(1, 4))):
                if lines:
                    name, sound = lines.pop()
                    self.used.add(name)
                    self.tape.speech(holds.level(sound, self.between(-2, 2)), "agent", name, 1)
                    self.tape.silence(self.between(0.1, 0.45))
        self._room(start, bed)

    def _lines(self, speakers: list[Speaker]) -> list[tuple[str, Sound]]:
        """Return lines to pop of the first two who have any left, shuffled within a voice, the first voice on top."""
        out: list[tuple[str, Sound]] = []
        left = [(s, [c for c in s.named("person") if f"{s.name}/{c.name}" not in self.used]) for s in speakers]
        for speaker, clips in reversed([one for one in left if one[1]][:2]):
            for index in self.rng.permutation(len(clips)).tolist():
                out.append((f"{speaker.name}/{clips[index].name}", self.pool.clip(speaker, clips[index])))
        return out[-60:]

    def _listen(self, answers: list[tuple[str, Sound]]) -> None:
        """The caller says something in his own channel, sometimes into the agent's words."""
        pause_s = self.between(0.6, 6.0)
        if answers and self.chance(0.7):
            name, sound = answers.pop()
            self.used.add(name)
            pause_s = max(pause_s, len(sound) / RATE_HZ * self.between(0.7, 1.2))
            self.tape.caller_speech(self.tape.length + samples(0.2), sound)
        self.tape.silence(pause_s)

    def _room(self, start: int, bed: Sound | None) -> None:
        """Lay what is heard behind a person under what was just said."""
        count = self.tape.length - start
        if self.ambience and count:
            crowd = [self.pool.clip(s, c) for s in self.people[1:3] for c in s.clips[:8]]
            voice = np.concatenate(crowd)
            room = sum(np.roll(looped(voice, count), int(self.rng.integers(count))) for _ in range(5))
            self.tape.vendor.append((start, levelled(np.asarray(room, np.float32), self.between(-62, -48))))
        if bed is not None and count:
            self.tape.vendor.append((start, looped(bed, count)))
            for mark in [m for m in self.tape.marks if m.start >= start]:
                if mark.kind == "silence":
                    self.tape.paint(Mark(mark.start, mark.end, "music", "background_music"))
                else:
                    self.tape.paint(replace(mark, over_music=True))

    def ends(self, by: str = "vendor_hangs_up") -> None:
        """Somebody hangs up, and what the exchange plays then."""
        self.tape.event(by)
        if by == "caller_hangs_up":
            return
        self.tape.silence(self.between(0.5, 2))
        tail = self.between(0, 1)
        if tail < 0.35:
            self.signal("busy", int(self.rng.integers(4, 12)))
        elif tail < 0.6:
            self.signal("reorder", int(self.rng.integers(6, 20)))

"""The questions that a person answers about a contact (the P rows of METHOD.md), as data."""

from __future__ import annotations

from dataclasses import dataclass

from audit.analysis import phrases
from probes.events import Judged

YES_NO = ("yes", "no")


@dataclass(frozen=True, slots=True)
class Question:
    """A question to a reviewer. `values` empty: a number, or with `free` any short code.

    `says` gives the story's sentence for an answer; an answer without one is not told. `good` is the answer that
    speaks for the vendor; None where neither does.
    """

    id: str
    text: str
    dimension: int | None
    values: tuple[str, ...] = YES_NO
    good: str | None = None
    says: tuple[tuple[str, str], ...] = ()
    free: bool = False


_Q = Question

QUESTIONS: tuple[Question, ...] = (
    _Q("asked_again", "Was the customer asked again for something already given?", 1, good="no",
       says=(("yes", "The customer was asked again for what had been given before"),)),
    _Q("explained_again", "Did the customer have to explain the problem again?", 9, good="no",
       says=(("yes", "Everything had to be explained again"),)),
    _Q("restated", "Did the agent restate the problem, or ask a question that narrows it, before acting?", 2,
       good="yes", says=(("yes", "The agent made sure of the problem before acting"),)),
    _Q("trouble_acknowledged", "Was the trouble caused acknowledged?", 3, good="yes",
       says=(("yes", "The agent acknowledged the trouble"),)),
    _Q("refusal_said", "Unsolvable problem: did the vendor say so?", 6, good="yes",
       says=(("yes", "The vendor said that it cannot be done"),)),
    _Q("refusal_reason", "Unsolvable problem: did it say why?", 6, good="yes",
       says=(("yes", "The vendor said why it cannot be done"),)),
    _Q("refusal_alternative", "Unsolvable problem: did it offer an alternative?", 6, good="yes",
       says=(("yes", "The vendor offered an alternative"),)),
    _Q("solved", "Was the problem solved?", 7, values=("yes", "partly", "no"), good="yes",
       says=(("yes", "The problem was solved"), ("partly", "The problem was solved in part"))),
    _Q("new_ticket", "Could the agent only open another ticket, or was one asked for?", 7, good="no",
       says=(("yes", "The agent could only enter another ticket"),)),
    _Q("restart", "Was the customer told to start the process again?", 7, good="no",
       says=(("yes", "The process had to be started again"),)),
    _Q("history_used", "Did the agent know and use what had gone before?", 9, good="yes",
       says=(("yes", "The agent knew the history"), ("no", "The agent did not know the history"))),
    _Q("hold_permission_asked", "Was the customer asked before being put on hold?", 11, good="yes",
       says=(("yes", "The agent asked before putting the call on hold"),
             ("no", "The agent put the call on hold without asking"))),
    _Q("hold_advertising", "Was there advertising while on hold?", 11, good="no",
       says=(("yes", "There was advertising while on hold"),)),
    _Q("dead_end", "Did the menu or chat lead nowhere?", 11, good="no",
       says=(("yes", "The menu led nowhere"),)),
    _Q("transferred", "Was the call or chat passed on to somebody else (each time: t_s)?", 7, good="no",
       says=(("yes", "The contact was passed on to somebody else"),)),
    _Q("identity_gate", "Did the agent have to confirm the caller's identity before helping?", None,
       says=(("yes", "The agent had to confirm the caller's identity"),)),
    _Q("ended_naturally", "Had the call come to its natural end?", None,
       says=(("no", "The call had not come to its natural end"),)),
    _Q("upsell", "Was a purchase offered as the solution?", 15, good="no",
       says=(("yes", "A purchase was offered as the solution"),)),
    _Q("bot_disclosed", "Did the bot say that it is one?", None, good="yes",
       says=(("no", "The bot did not say that it is one"),)),
    _Q("callback_offered", "Was a call back offered?", 11, good="yes", says=(("yes", "A call back was offered"),)),
    _Q("callback_received", "Did the promised call back come?", 4, good="yes",
       says=(("yes", "The call back came"), ("no", "The call back did not come"))),
    _Q("promise_withdrawn", "Did the vendor take the promise back (quote: the promise's words)?", 4,
       says=(("yes", "The vendor took its promise back"),)),
    _Q("announced_wait_min", "How long a wait was announced, in minutes?", 4, values=(),
       says=(("", "A wait of {value} min was announced"),)),
    _Q("clicks_to_find", "How many clicks from the home page to the way of contact?", 14, values=()),
    _Q("courtesy", "How courteous was the contact, 1 (rude) to 5 (warm)?", None, values=("1", "2", "3", "4", "5")),
    _Q("answer_code", "What did the vendor answer, as a code (the same words for the same answer)?", 13, values=(),
       free=True),
)  # fmt: skip

BY_ID: dict[str, Question] = {question.id: question for question in QUESTIONS}


def judged_sentence(what: Judged) -> str | None:
    """Return an answer as a sentence of a story, with the words it rests on; None where it is not told."""
    question = BY_ID.get(what.question)
    if question is None:
        return None
    said = dict(question.says)
    text = said.get(what.value) or (said.get("") if not question.values else None)
    if text is None:
        return None
    text = text.format(value=what.value)
    return f"{text}: {phrases.quote(what.quote)}." if what.quote else f"{text}."

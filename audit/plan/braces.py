"""What stands in braces in a plan: names to be filled, references to secrets, and what the probes say of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from audit.plan.cases import PERSONA_FIELDS, Verb, values_for, verb_of
from audit.plan.draft import Draft, Found
from audit.plan.faults import choices
from audit.plan.model import Persona, Scenario, Vendor
from audit.plan.source import Keys, Node
from probes.errors import UserError
from probes.model import Probe, Spec
from probes.placeholders import PLACEHOLDER

SECRET = re.compile(r"\$\{(?:env:[A-Za-z_][A-Za-z0-9_]*|keyring:[^/{}$]+/[^{}$]+)\}")
_KNOWN = ("reference", "problem.subject", "problem.body", *(f"persona.{name}" for name in PERSONA_FIELDS))
_EXAMPLE = "HP-22222222"


def find_brace_faults(draft: Draft) -> Iterator[Found]:
    """Yield names that stand for nothing, secrets that are not understood, and what probes find wrong with steps."""
    for index, scenario in draft.scenarios.items():
        yield from _texts(draft, scenario, ("scenarios", index))
    yield from _secrets(draft.root)
    yield from _channels(draft)


def _texts(draft: Draft, scenario: Scenario, place: Keys) -> Iterator[Found]:
    """Yield names in braces of the scenario's texts that stand for nothing, or for what a persona does not have."""
    texts = [
        ((*place, "problem", "subject"), scenario.problem.subject),
        ((*place, "problem", "body"), scenario.problem.body),
        *(
            ((*place, "steps", index, verb.field, "text"), verb.text)
            for index, step in enumerate(scenario.steps)
            if (verb := verb_of(step)) is not None and verb.text is not None
        ),
    ]
    who = {name for personas in draft.sampled.get(scenario.id, {}).values() for name in personas}
    for where, text in texts:
        for name in PLACEHOLDER.findall(text):
            if where[-1] != "text" and name.startswith("problem."):
                yield (
                    where,
                    f'"{{{name}}}" cannot stand in the problem itself',
                    f"use one of: {', '.join(_names(draft))}",
                )
            else:
                yield from _placeholder(draft, name, who, where)


def _names(draft: Draft) -> list[str]:
    own = {f"persona.identifiers.{name}" for persona in draft.personas.values() for name in persona.identifiers}
    return sorted({*_KNOWN, *own})


def _placeholder(draft: Draft, name: str, who: set[str], where: Keys) -> Iterator[Found]:
    names = _names(draft)
    if name not in names:
        yield where, f'"{{{name}}}" stands for nothing', choices(names, name)
        return
    for persona in draft.personas.values():
        if persona.id not in who or not name.startswith("persona."):
            continue
        _, *rest = name.split(".", 2)
        has = rest[1] in persona.identifiers if rest[0] == "identifiers" else getattr(persona, rest[0]) is not None
        if not has:
            fix = f"give {persona.id} one, or leave {persona.id} out of the samples"
            yield where, f'"{{{name}}}" is used for persona "{persona.id}", which has none', fix


def _secrets(root: Node) -> Iterator[Found]:
    for keys, text in root.texts():
        if "${" in SECRET.sub("", text):
            message = f'"{text[:60]}" refers to a secret in a way that is not understood'
            yield keys, message, "write ${env:NAME} or ${keyring:service/name}"


@dataclass(frozen=True, slots=True)
class _Use:
    """A step that uses a channel, and where it stands."""

    scenario: Scenario
    verb: Verb
    place: Keys


def _channels(draft: Draft) -> Iterator[Found]:
    """Yield names in braces of channels that stand for nothing, and what a probe itself finds wrong with a step."""
    for index, vendor in draft.vendors.items():
        for name, channel in vendor.channels.items():
            place = "vendors", index, "channels", name
            node = draft.root.at(*place)
            assert node is not None
            uses = list(_uses(draft, vendor, name))
            who = {person for use in uses for person in draft.sampled[use.scenario.id][vendor.id]}
            found = list(_braces(draft, node, place, who))
            yield from found
            if not found:
                people = [persona for persona in draft.personas.values() if persona.id in who]
                for use in uses:
                    for message, fix in _refused_by_probe(draft.load(channel.kind), channel, use, people[:1]):
                        where = _where_named(message, node, place) or (*use.place, use.verb.field)
                        yield where, message, fix


def _uses(draft: Draft, vendor: Vendor, channel: str) -> Iterator[_Use]:
    for position, scenario in draft.scenarios.items():
        if vendor.id not in draft.sampled.get(scenario.id, {}):
            continue
        for number, step in enumerate(scenario.steps):
            verb = verb_of(step)
            if verb is not None and verb.channel == channel:
                yield _Use(scenario, verb, ("scenarios", position, "steps", number))


def _braces(draft: Draft, node: Node, keys: Keys, who: set[str]) -> Iterator[Found]:
    for key, item in (node.items or {}).items():
        yield from _braces(draft, item, (*keys, key), who)
    for name in PLACEHOLDER.findall(SECRET.sub("", node.text or "")):
        if "." in name:  # without one it may be a name of the probe's own, as {ticket}
            yield from _placeholder(draft, name, who, keys)


def _refused_by_probe(probe: Probe, channel: Any, use: _Use, people: list[Persona]) -> Iterator[tuple[str, str]]:
    """Yield what the probe says of a step, as far as nothing else has been said of it."""
    script = use.verb.script
    if use.verb.action not in probe.ACTIONS or (script is not None and script not in getattr(channel, "scripts", ())):
        return
    for persona in people:
        try:
            values = values_for(persona, use.scenario, _EXAMPLE)
        except UserError:
            return  # `_texts` has said so
        spec = Spec(
            action=use.verb.action,
            reference=_EXAMPLE,
            channel=channel,
            values=values,
            script=script,
            text=use.verb.text,
        )
        try:
            probe.acts(spec)
        except UserError as exc:
            yield exc.message, exc.fix


def _where_named(message: str, node: Node, keys: Keys) -> Keys | None:
    """Return where in a channel the name in braces stands that a message speaks of."""
    named = PLACEHOLDER.search(message)
    if named is None:
        return None
    if node.text is not None and named.group() in node.text:
        return keys
    found = (_where_named(message, item, (*keys, key)) for key, item in (node.items or {}).items())
    return next((place for place in found if place is not None), None)

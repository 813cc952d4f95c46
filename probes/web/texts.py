"""Fills a plan's texts, and keeps apart what may be shown and what is typed.

Only the plan's own words may refer to secrets. What was read from a vendor's page is put in as it stands, so that a
page which says `${env:NAME}` learns nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import quote

from probes.model import Secrets
from probes.placeholders import PLACEHOLDER, stands_for_nothing
from probes.secret_forms import written_forms
from probes.web.channel import Channel, Step

_SECRET = re.compile(r"\$\{[^{}]+\}")


class Texts:
    """The values of one contact. `read` grows as values are read from pages."""

    def __init__(self, values: Mapping[str, str], read: Mapping[str, str], secrets: Secrets) -> None:
        self.values, self.read = dict(values), dict(read)
        self._secrets = secrets
        self._revealed: dict[str, str] = {}
        self._hidden: dict[str, str] = {}

    def hide(self, secret: str, name: str) -> None:
        """Have a value that is no part of the plan, but a secret (a session's), taken out of what is kept."""
        self._hidden[secret] = name

    def holds(self, words: str) -> bool:
        """Return whether these words stand in what the plan gives us to write."""
        alone = re.compile(rf"(?<!\w){re.escape(words)}(?!\w)")
        return any(alone.search(value) for value in self.values.values())

    @property
    def revealed(self) -> tuple[str, ...]:
        """The secrets that were used in this contact so far."""
        return tuple(self._revealed)

    def prepare(self, templates: Iterable[str]) -> None:
        """Reveal every secret that these texts need, so that none is found missing half-way.

        Raises:
            UserError: a secret is not set.
        """
        for template in templates:
            self._reveal(template)
            for name in PLACEHOLDER.findall(template):
                self._reveal(self.values.get(name, ""))

    def shown(self, template: str) -> str:
        """Return the text with secrets left as references."""
        return self._fill(template, lambda text: text, lambda value: value)

    def typed(self, template: str) -> str:
        """Return the text as it is typed into a page.

        Raises:
            UserError: a name stands for nothing, or a secret is not set.
        """
        return self._fill(template, self._reveal, lambda value: value)

    def address(self, template: str) -> str:
        """Return an address; values are put in so that they stay one part of it."""
        return self._fill(template, self._reveal, lambda value: quote(value, safe="@"))

    def holds_secret(self, template: str) -> bool:
        """Return whether a text, filled, contains a secret of the plan."""
        return _SECRET.search(self._fill(template, lambda text: text, lambda value: value, read={})) is not None

    def scrub(self, text: str) -> str:
        """Return `text` without the secrets known so far, in any of the forms in which pages repeat them."""
        for secret, reference in (*self._revealed.items(), *self._hidden.items()):
            for form in sorted(written_forms(secret), key=len, reverse=True):
                text = text.replace(form, reference)
        return self._secrets.scrub(text)

    def _fill(
        self,
        template: str,
        reveal: Callable[[str], str],
        put_in: Callable[[str], str],
        read: Mapping[str, str] | None = None,
    ) -> str:
        read = self.read if read is None else read
        parts = PLACEHOLDER.split(template)
        filled = [reveal(parts[0])]
        for name, rest in zip(parts[1::2], parts[2::2], strict=True):
            if name in self.read:
                filled.append(put_in(read.get(name, "")))
            elif name in self.values:
                filled.append(put_in(reveal(self.values[name])))
            else:
                raise stands_for_nothing(name, {*self.values, *self.read})
            filled.append(reveal(rest))
        return "".join(filled)

    def _reveal(self, text: str) -> str:
        def secret(match: re.Match[str]) -> str:
            value = self._secrets.reveal(match[0])
            if value and value != match[0]:
                self._revealed[value] = match[0]
            return value

        return _SECRET.sub(secret, text)


def templates_of(step: Step) -> tuple[str, ...]:
    """Return every text of a step in which names are filled."""
    texts: list[str | None] = [step.goto, step.check, step.click]
    for fields in (step.fill, step.select):
        texts += [text for pair in (fields or {}).items() for text in pair]
    for target, upload in (step.upload or {}).items():
        texts += [target, upload.name, upload.text, upload.file]
    if step.expect is not None:
        texts += [step.expect.text, step.expect.target]
    return tuple(text for text in texts if text is not None)


def login_templates(channel: Channel) -> tuple[str, ...]:
    """Return every text of a channel's login in which names are filled."""
    texts = [text for step in channel.login for text in templates_of(step)]
    if channel.basic_auth is not None:
        texts += [channel.basic_auth.user, channel.basic_auth.password]
    return tuple(texts)


def check_names(steps: tuple[Step, ...], known: set[str]) -> set[str]:
    """Check that every name in the steps is known or read by an earlier step; return what is known after them.

    Raises:
        UserError: a name stands for nothing; said before anything is sent.
    """
    known = set(known)
    for step in steps:
        for text in templates_of(step):
            check_text(text, known)
        if step.read is not None:
            known.add(step.read.name)
    return known


def check_text(text: str, known: set[str]) -> None:
    """Check that every name in braces in a text is known; raises as `check_names`."""
    for name in PLACEHOLDER.findall(text):
        if name not in known:
            raise stands_for_nothing(name, known)

"""Secrets: references become secrets when they are used, and secrets become references in what is kept."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from probes.errors import Unavailable, UserError
from probes.secret_forms import written_forms

_REFERENCE = re.compile(
    r"\$\{(?:env:(?P<env>[A-Za-z_][A-Za-z0-9_]*)|keyring:(?P<service>[^/{}$]+)/(?P<name>[^{}$]+))\}"
)
# Shorter secrets stand in ordinary text by chance: taking them out would make nonsense of it.
_SHORTEST_SCRUBBED = 4


class Masked:
    """A secret text that shows itself as dots wherever it is printed, formatted or logged."""

    __slots__ = ("_secret",)

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def __repr__(self) -> str:
        return "Masked(••••)"

    def __str__(self) -> str:
        return "••••"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Masked) and hmac.compare_digest(self._secret.encode(), other._secret.encode())

    def __hash__(self) -> int:
        return hash(self._secret)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not stored")

    def reveal(self) -> str:
        """Return the secret itself."""
        return self._secret


def ask_keyring(service: str, name: str) -> str | None:
    """Return a secret of the system's keyring, or None.

    Raises:
        Unavailable: the keyring cannot be asked.
    """
    import keyring
    from keyring.errors import KeyringError, NoKeyringError

    try:
        value: str | None = keyring.get_password(service, name)
    except NoKeyringError as exc:
        fix = "use ${env:NAME} instead, or install a keyring"
        raise Unavailable(f"there is no keyring on this machine to ask for {service}/{name}", fix=fix) from exc
    except KeyringError as exc:
        raise Unavailable(f"the keyring did not give {service}/{name}: {exc}", fix="unlock the keyring") from exc
    return value


class SecretStore:
    """Turns references into secrets and takes secrets out of what is kept (see `probes.model.Secrets`)."""

    def __init__(
        self, variable: Callable[[str], str | None], keyring: Callable[[str, str], str | None] = ask_keyring
    ) -> None:
        self._variable, self._keyring = variable, keyring
        self._revealed: dict[str, str] = {}
        self._forms: re.Pattern[str] | None = None
        self._reference_of: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"SecretStore({len(self._revealed)} revealed)"

    def reveal(self, text: str) -> str:
        """Return `text` with every `${env:NAME}` and `${keyring:service/name}` replaced by its secret.

        Raises:
            UserError: a secret is not set; the message names it and the places looked at.
            Unavailable: the keyring cannot be asked.
        """
        return _REFERENCE.sub(self._secret, text)

    def lacking(self, text: str) -> tuple[UserError, ...]:
        """Return why each secret that `text` refers to cannot be had now; none where all are set."""
        found: list[UserError] = []
        for match in _REFERENCE.finditer(text):
            try:
                self._secret(match)
            except UserError as exc:
                found.append(exc)
            except Unavailable as exc:
                found.append(UserError(exc.message, fix=exc.fix))
        return tuple(found)

    def know(self, text: str) -> None:
        """Learn the secrets that `text` refers to, as far as they are set, so that they are found in what is kept."""
        for match in _REFERENCE.finditer(text):
            with suppress(UserError, Unavailable):
                self._secret(match)

    def revealed(self) -> dict[str, str]:
        """Return every secret known so far by its reference, for a last search through what leaves the house."""
        return dict(self._revealed)

    def learn(self, reference: str, secret: str) -> None:
        """Take `secret` out of everything scrubbed from now on; `reference` is put in its place."""
        if self._revealed.get(reference) != secret:
            self._revealed[reference] = secret
            self._reference_of |= dict.fromkeys(_forms_of(secret), reference)
            longest_first = sorted(self._reference_of, key=len, reverse=True)
            self._forms = re.compile("|".join(_bounded(form) for form in longest_first)) if longest_first else None

    def scrub(self, text: str) -> str:
        """Return `text` with every secret revealed so far replaced by its reference.

        Found as it is and as addresses, JSON, HTML and base64 write it. A secret of fewer than four characters is left
        alone, and one of only digits or letters is found as a whole word, so that ordinary text keeps its meaning.
        """
        if self._forms is None:
            return text
        return self._forms.sub(lambda match: self._reference_of[match.group()], text)

    def _secret(self, match: re.Match[str]) -> str:
        reference = match.group()
        if name := match["env"]:
            secret = self._variable(name)
            looked = f"the environment variables {name} and {name}_FILE, and holdproof.env in the home"
        else:
            secret = self._keyring(match["service"], match["name"])
            looked = f"the keyring's service {match['service']}, name {match['name']}"
        if not secret:
            raise UserError(f"the secret {reference} is not set", fix=f"set it; looked at: {looked}")
        self.learn(reference, secret)
        return secret


def _forms_of(secret: str) -> set[str]:
    """Return the forms in which a secret is found; none of one that is too short to be told from ordinary text."""
    if len(secret) < _SHORTEST_SCRUBBED:
        return set()
    return {form for form in written_forms(secret) if len(form) >= _SHORTEST_SCRUBBED}


def _bounded(form: str) -> str:
    """A plain word or number must stand alone: the digits 1234 are not taken out of 912345."""
    if len(form) >= 12 or not form.isalnum():
        return re.escape(form)
    return rf"(?<![0-9A-Za-z]){re.escape(form)}(?![0-9A-Za-z])"

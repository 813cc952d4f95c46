"""Browser sessions kept between contacts. Whoever has one is logged in as the persona: a secret, in the home alone."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from probes.errors import Unavailable


@dataclass(frozen=True, slots=True)
class SessionFolder:
    """The sessions of one vendor: a file each, which only its owner may read (see `probes.model.SessionKeeper`)."""

    folder: Path
    vendor: str

    def load(self, name: str) -> str | None:
        """Return a kept session, or None where there is none, or none that can be used."""
        try:
            text = self._path(name).read_text(encoding="utf-8")
            return text if isinstance(json.loads(text), dict) else None
        except (OSError, ValueError):
            return None

    def save(self, name: str, state: str) -> None:
        """Keep a session under a name.

        Raises:
            Unavailable: it cannot be written.
        """
        path = self._path(name)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            partial.unlink(missing_ok=True)
            handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(state)
            partial.replace(path)
        except OSError as exc:
            raise Unavailable(f"a session cannot be kept: {exc}", at=str(path)) from exc

    def forget(self, name: str) -> None:
        """Throw a session away."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / f"{re.sub('[^A-Za-z0-9_-]', '_', self.vendor)}-{name}.json"

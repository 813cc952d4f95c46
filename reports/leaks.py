"""The last gate before a pack leaves the house: no known secret may be in any of its bytes."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping

from probes.secret_forms import written_forms

# Shorter ones would be found everywhere by chance: looked for as whole words, in text only.
_SHORT = 8
_SHORTEST = 4
_NESTED_AT_MOST_BYTES = 512 * 1024 * 1024


class Gate:
    """Looks for secrets in bytes, in the forms in which they get about: plain, URL, HTML, JSON, base64, UTF-16."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._anywhere: list[tuple[str, bytes]] = []
        self._as_word: list[tuple[str, re.Pattern[bytes]]] = []
        self.too_short: list[str] = []
        for name, secret in sorted(secrets.items()):
            if len(secret) < _SHORTEST:
                self.too_short.append(name)
            elif len(secret) < _SHORT:
                for form in _text_forms(secret):
                    self._as_word.append(
                        (name, re.compile(rb"(?<![0-9A-Za-z])" + re.escape(form) + rb"(?![0-9A-Za-z])"))
                    )
            else:
                self._anywhere += [(name, form) for form in _text_forms(secret) | _other_forms(secret)]

    def found_in(self, data: bytes) -> list[str]:
        """Return the names of the secrets that some bytes hold, also inside zip and gzip files."""
        names: set[str] = set()
        for part in _parts(data, depth=0):
            names |= {name for name, form in self._anywhere if form in part}
            if self._as_word and b"\x00" not in part[:4096]:
                names |= {name for name, pattern in self._as_word if pattern.search(part)}
        return sorted(names)


def _text_forms(secret: str) -> set[bytes]:
    return {form.encode("utf-8", "surrogateescape") for form in written_forms(secret)}


def _other_forms(secret: str) -> set[bytes]:
    return {secret.encode(coding, "surrogatepass") for coding in ("utf-16-le", "utf-16-be")}


def _parts(data: bytes, depth: int) -> Iterator[bytes]:
    yield data
    if depth > 2:
        return
    if data[:2] == b"PK":
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for entry in archive.infolist():
                    if entry.file_size <= _NESTED_AT_MOST_BYTES:
                        yield from _parts(archive.read(entry), depth + 1)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error, EOFError):
            return
    elif data[:2] == b"\x1f\x8b":
        try:
            with gzip.open(io.BytesIO(data)) as file:
                yield from _parts(file.read(_NESTED_AT_MOST_BYTES), depth + 1)
        except (OSError, EOFError, zlib.error):
            return

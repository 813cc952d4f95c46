"""What writer and verifier of packs share: names, manifests, the text that tells an outsider how to check.

A pack is a BagIt 1.0 bag (RFC 8493), in a folder or a zip.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

DECLARATION = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
MANIFESTS = {"sha256": "manifest-sha256.txt", "sha512": "manifest-sha512.txt"}
TAG_MANIFEST = "tagmanifest-sha256.txt"
SIGNATURE, PUBLIC_KEY, HOW_TO = "seal/tagmanifest.sig", "seal/signer.pub", "seal/HOW-TO-VERIFY.txt"
JOURNAL = "data/journal.jsonl"
# What may be added after the tag manifest was signed, and so cannot stand in it.
SEAL_LATER = re.compile(r"seal/tagmanifest\.(sig|[A-Za-z0-9-]+\.tsr)|seal/[A-Za-z0-9-]+\.(crt|tsq)")

_NAME = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")
_LINE = re.compile(r"([0-9A-Fa-f]+)[ \t]+\*?(.+)")


def is_safe_name(name: str) -> bool:
    """Return whether a name is plain ASCII, relative, and stays inside its folder on every system."""
    parts = name.split("/")
    return bool(_NAME.fullmatch(name)) and not any(part in (".", "..") or part.endswith(".") for part in parts)


def manifest_text(hashes: Mapping[str, str]) -> str:
    """Return a manifest as `sha256sum -c` reads it: hash, two spaces, path; sorted."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(hashes.items()))


def read_manifest(text: str) -> tuple[dict[str, str], list[str]]:
    """Return the hashes of a manifest by path, and what is wrong with it in words."""
    found: dict[str, str] = {}
    faults = []
    for number, line in enumerate(text.splitlines(), start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            faults.append(f"line {number} is no manifest line")
            continue
        digest, name = match[1].lower(), match[2].removeprefix("./")
        name = name.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")
        if name in found:
            faults.append(f"line {number} names {name!r} a second time")
        found[name] = digest
    return found, faults


def how_to_text(audit: str, fingerprint: str) -> str:
    """Return what an outsider does to check a pack without any software of ours."""
    return f"""How to verify this pack (audit {audit})

Unzip it and go into its folder. Each command prints OK or says what is wrong.

1. Nothing was changed or removed
   sha256sum -c {TAG_MANIFEST}
   sha256sum -c {MANIFESTS["sha256"]}
   (on macOS: shasum -a 256 -c FILE)

2. Nothing was added
   The two commands above do not see added files. Either of these does:
   bagit.py --validate .
   holdproof verify .

3. Who sealed it
   openssl dgst -sha256 -verify {PUBLIC_KEY} -signature {SIGNATURE} {TAG_MANIFEST}
   Anybody can make a key. Ask the sender by another way (by telephone, on paper) whether this is
   the fingerprint of theirs:
   {fingerprint}
   `holdproof verify` shows the fingerprint of the key in a pack. It is the SHA-256 of the public key
   (openssl pkey -pubin -in {PUBLIC_KEY} -outform DER | sha256sum), its first 16 bytes as words.

4. When it was sealed
   This pack carries no token of a time stamp authority: the date in bag-info.txt is the sealer's own word.

5. The journal
   {JOURNAL} holds every event in order, one JSON record a line. "previous_sha256" in a line is the
   SHA-256 of the line before (without its line feed), and 64 zeros in the first.

What this shows: nothing was changed since sealing. It does not show by itself that what was captured is true;
for that, compare the identifiers in the journal (ticket, message and call numbers) with the provider's own records.
"""

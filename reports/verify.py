"""Checks a pack, in a folder or a zip, without unpacking it and without anything of the house that made it.

What is checked is hostile: nothing is written to disk, no link is followed, sizes are held against limits first.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from audit import journal
from probes.errors import UserError
from reports import bag, signing

FORMAT, VERSION = "holdproof-verification", 1
_CHUNK_BYTES = 1 << 20
_TAG_AT_MOST_BYTES = 256 << 20  # a manifest line is some 200 bytes: a million files and more
_LINE_AT_MOST_BYTES = 64 << 20
_BOMB_RATIO, _BOMB_FROM_BYTES = 200, 1 << 30
_UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


@dataclass(slots=True)
class Verification:
    """What a check found. `key_expected` is null where no fingerprint was given to compare with."""

    path: str
    audit: str = ""
    files: int = 0
    size_bytes: int = 0
    missing: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    unsafe: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    journal_faults: list[str] = field(default_factory=list)
    journal_events: int | None = None
    signature: str = "missing"
    fingerprint: str | None = None
    key_expected: bool | None = None
    timestamps: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong: contents, signature, journal."""
        bad = self.missing or self.changed or self.extra or self.unsafe or self.faults or self.journal_faults
        return not bad and self.signature == "good" and self.key_expected is not False

    def lines(self) -> list[str]:
        """Return the answer as lines for a person; every file at fault is named."""
        out = [f"{'SOUND' if self.sound else 'NOT SOUND'}: {self.path}"]
        for word, names in (("missing", self.missing), ("changed", self.changed), ("extra", self.extra)):
            out += [f"  {word}: {_shown(name)}" for name in names]
        out += [f"  unsafe: {item}" for item in self.unsafe]
        out += [f"  fault: {item}" for item in self.faults]
        out += [f"  journal: {item}" for item in self.journal_faults]
        if self.audit:
            out.append(f"  audit {_shown(self.audit)}: {self.files} files, {self.size_bytes:,} bytes")
        if self.journal_events is not None and not self.journal_faults:
            out.append(f"  journal: {self.journal_events} events, every link holds")
        out.append(f"  signature: {_SIGNATURE_WORDS[self.signature]}")
        if self.fingerprint:
            out.append(f"  signed with the key {self.fingerprint}")
            out.append(f"  {_KEY_WORDS[self.key_expected]}")
        if self.timestamps:
            out.append(f"  time stamps: {', '.join(self.timestamps)}: not checked here, use openssl ts -verify")
        else:
            out.append("  not timestamped: when it was sealed is the sealer's own word")
        return out

    def to_json(self) -> dict[str, Any]:
        """Return the answer as a document."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {"format": FORMAT, "version": VERSION, "sound": self.sound, **values}


_SIGNATURE_WORDS = {
    "good": "good, over the hashes of everything in the pack",
    "bad": "BAD: the hashes were not signed with the key in the pack",
    "missing": "MISSING: nobody vouches for this pack",
    "unreadable": "UNREADABLE: key or signature are damaged",
}
_KEY_WORDS = {
    None: "compare these words with the sender's, asked by another way: anybody can make a key",
    True: "that is the key you expected",
    False: "that is NOT the key you expected",
}


class _Source(Protocol):
    """Where the files of a pack are."""

    def sizes(self) -> dict[str, int]: ...
    def open(self, name: str) -> IO[bytes]: ...


def verify_pack(path: Path, *, fingerprint: str | None = None) -> Verification:
    """Check a pack; `fingerprint` is the sealer's, as learnt by another way.

    Raises:
        UserError: there is nothing at `path`.
    """
    result = Verification(str(path))
    if path.is_dir():
        try:
            _check(_Folder(path, result), result, fingerprint)
        except OSError as exc:
            result.faults.append(f"the folder cannot be read to its end ({_shown(str(exc))})")
    elif path.is_file():
        try:
            with zipfile.ZipFile(path) as archive:
                zipped = _Zip(archive, path, result)
                if zipped.may_be_read:
                    _check(zipped, result, fingerprint)
        except _UNREADABLE as exc:
            result.faults.append(f"this is no zip file, or it is cut short or damaged ({_shown(str(exc))})")
    else:
        raise UserError("there is no pack", at=str(path), fix="name a pack's zip file or its unzipped folder")
    for names in (result.missing, result.changed, result.extra, result.unsafe):
        names.sort()
    return result


class _Folder:
    """An unzipped pack. Links and devices are named and never followed."""

    def __init__(self, root: Path, result: Verification) -> None:
        self._sizes: dict[str, int] = {}
        inside = [entry for entry in root.iterdir() if not entry.name.startswith(".")]
        if not (root / "bagit.txt").exists() and len(inside) == 1 and inside[0].is_dir() and not inside[0].is_symlink():
            root = inside[0]
        self._root = root
        waiting = [root]
        while waiting:
            for entry in sorted(waiting.pop().iterdir()):
                name = entry.relative_to(root).as_posix()
                mode = entry.lstat().st_mode
                if stat.S_ISDIR(mode):
                    waiting.append(entry)
                elif stat.S_ISREG(mode):
                    self._sizes[name] = entry.lstat().st_size
                else:
                    result.unsafe.append(f"{_shown(name)} is a link or a device, not a file")

    def sizes(self) -> dict[str, int]:
        """Return the size of every file by its name in the pack."""
        return self._sizes

    def open(self, name: str) -> IO[bytes]:
        """Open a file of the pack."""
        return (self._root / name).open("rb")


class _Zip:
    """A zipped pack, read in place."""

    def __init__(self, archive: zipfile.ZipFile, path: Path, result: Verification) -> None:
        self._archive = archive
        self._entries: dict[str, zipfile.ZipInfo] = {}
        entries = [entry for entry in archive.infolist() if not (entry.is_dir() and _fits(entry.filename.rstrip("/")))]
        total, packed = sum(entry.file_size for entry in entries), path.stat().st_size
        self.may_be_read = total <= max(_BOMB_FROM_BYTES, _BOMB_RATIO * packed)
        if not self.may_be_read:
            result.faults.append(f"{packed:,} bytes that would unpack to {total:,}: refused as a zip bomb")
            return
        if min((entry.header_offset for entry in archive.infolist()), default=0) != 0:
            result.faults.append("there are foreign bytes before the zip's first entry")
        names = [entry.filename for entry in entries]
        top = f"{names[0].split('/')[0]}/" if names else ""
        if "bagit.txt" in names or not all(name.startswith(top) for name in names):
            tops = {name[: -len("bagit.txt")] for name in names if name.count("/") == 1 and name.endswith("/bagit.txt")}
            top = "" if "bagit.txt" in names else min(tops, default="")
        lowered: dict[str, str] = {}
        for entry in entries:
            name = entry.filename
            if fault := _entry_fault(entry):
                result.unsafe.append(f"{_shown(name)} {fault}")
                continue
            if not name.startswith(top):
                result.extra.append(name)
                continue
            inner = name[len(top) :]
            if (twin := lowered.get(inner.lower())) is not None:
                how = "is in the zip twice" if twin == inner else f"differs from {_shown(twin)} by capitals only"
                result.unsafe.append(f"{_shown(inner)} {how}")
                continue
            lowered[inner.lower()] = inner
            self._entries[inner] = entry

    def sizes(self) -> dict[str, int]:
        """Return the size of every file by its name in the pack."""
        return {name: entry.file_size for name, entry in self._entries.items()}

    def open(self, name: str) -> IO[bytes]:
        """Open a file of the pack."""
        return self._archive.open(self._entries[name])


def _entry_fault(entry: zipfile.ZipInfo) -> str | None:
    # The name as it stands in the zip: `filename` ends at a zero byte and has the system's separators turned.
    raw = getattr(entry, "orig_filename", entry.filename)
    if not _fits(entry.filename) or raw != entry.filename:
        return "is a name that could lead out of the folder or hide something"
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
        return "is a link or a device, not a file"
    if entry.flag_bits & 0x1:
        return "is encrypted, so it cannot be checked"
    return None


def _fits(name: str) -> bool:
    return bag.is_safe_name(name)


def _check(source: _Source, result: Verification, fingerprint: str | None) -> None:
    sizes = source.sizes()
    if "bagit.txt" not in sizes:
        result.faults.append("this is no pack: there is no bagit.txt in it")
        return
    if _tag_text(source, "bagit.txt", result) != bag.DECLARATION:
        result.faults.append("bagit.txt does not declare BagIt 1.0 in UTF-8")
    tags = _manifest(source, bag.TAG_MANIFEST, result)
    payload = {name: _manifest(source, file, result) for name, file in bag.MANIFESTS.items()}
    for name in ("bagit.txt", "bag-info.txt", bag.PUBLIC_KEY, *bag.MANIFESTS.values()):
        if name not in tags and name in sizes:
            result.faults.append(f"{bag.TAG_MANIFEST} does not name {name}, so nothing vouches for it")
    _compare(source, {"sha256": tags}, result)
    _compare(source, payload, result)
    listed = set(tags).union(*payload.values()) | {bag.TAG_MANIFEST}
    result.extra += [name for name in sizes if name not in listed and not bag.SEAL_LATER.fullmatch(name)]
    result.unsafe += [f"{_shown(name)} is a name that is not allowed in a pack" for name in sizes if not _fits(name)]
    result.files = sum(name.startswith("data/") for name in sizes)
    result.size_bytes = sum(size for name, size in sizes.items() if name.startswith("data/"))
    result.timestamps = sorted(name for name in sizes if name.endswith(".tsr"))
    info = _info(source, result)
    result.audit = info.get("External-Identifier", "")
    oxum = f"{result.size_bytes}.{result.files}"
    if info.get("Payload-Oxum", oxum) != oxum:
        result.faults.append(f"bag-info.txt counts {_shown(info['Payload-Oxum'])} bytes.files, found {oxum}")
    _check_signature(source, result, fingerprint)
    _check_journal(source, result, info, set(payload["sha256"].values()))


def _compare(source: _Source, manifests: dict[str, dict[str, str]], result: Verification) -> None:
    """Hold the files against all manifests at once, reading each of them once."""
    names = set().union(*manifests.values())
    sizes = source.sizes()
    for name in sorted(names):
        if name not in sizes:
            result.missing.append(name)
            continue
        wanted = {algorithm: hashes.get(name) for algorithm, hashes in manifests.items()}
        running = {algorithm: hashlib.new(algorithm) for algorithm in wanted}
        try:
            with source.open(name) as file:
                while chunk := file.read(_CHUNK_BYTES):
                    for digest in running.values():
                        digest.update(chunk)
        except _UNREADABLE as exc:
            result.changed.append(name)
            result.faults.append(f"{_shown(name)} cannot be read to its end ({_shown(str(exc))})")
            continue
        if any(wanted[algorithm] != digest.hexdigest() for algorithm, digest in running.items()):
            result.changed.append(name)
            absent = [algorithm for algorithm, value in wanted.items() if value is None]
            if absent:
                result.faults.append(f"{_shown(name)} is not in {', '.join(bag.MANIFESTS[a] for a in absent)}")


def _manifest(source: _Source, name: str, result: Verification) -> dict[str, str]:
    text = _tag_text(source, name, result)
    if text is None:
        if name not in result.missing:
            result.missing.append(name)
        return {}
    found, faults = bag.read_manifest(text)
    result.faults += [f"{name}: {_shown(fault)}" for fault in faults]
    is_payload = name in bag.MANIFESTS.values()
    for listed in list(found):
        if not _fits(listed) or listed.startswith("data/") is not is_payload:
            result.faults.append(f"{name} names {_shown(listed)}, which does not belong there")
            del found[listed]
    return found


def _tag_bytes(source: _Source, name: str, result: Verification) -> bytes | None:
    size = source.sizes().get(name)
    if size is None:
        return None
    if size > _TAG_AT_MOST_BYTES:
        result.faults.append(f"{name} is too large to be read ({size:,} bytes)")
        return None
    try:
        with source.open(name) as file:
            return file.read(_TAG_AT_MOST_BYTES)
    except _UNREADABLE as exc:
        result.faults.append(f"{name} cannot be read ({_shown(str(exc))})")
        return None


def _tag_text(source: _Source, name: str, result: Verification) -> str | None:
    data = _tag_bytes(source, name, result)
    if data is None:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        result.faults.append(f"{name} is not UTF-8 text")
        return ""


def _info(source: _Source, result: Verification) -> dict[str, str]:
    text = _tag_text(source, "bag-info.txt", result) or ""
    pairs = (line.split(": ", 1) for line in text.splitlines() if ": " in line)
    return {label: value.strip() for label, value in pairs}


def _check_signature(source: _Source, result: Verification, fingerprint: str | None) -> None:
    key, signature, signed = (
        _tag_bytes(source, name, result) for name in (bag.PUBLIC_KEY, bag.SIGNATURE, bag.TAG_MANIFEST)
    )
    if key is None or signature is None or signed is None:
        return
    try:
        result.signature = "good" if signing.check(key, signature, signed) else "bad"
        result.fingerprint = signing.fingerprint(key)
    except ValueError:
        result.signature = "unreadable"
    if fingerprint is not None:
        result.key_expected = _bare(fingerprint) == _bare(result.fingerprint or "")


def _bare(words: str) -> str:
    return re.sub("[^a-z]", "", words.lower())


def _check_journal(source: _Source, result: Verification, info: dict[str, str], hashes: set[str]) -> None:
    if bag.JOURNAL not in source.sizes():
        if bag.JOURNAL not in result.missing:
            result.missing.append(bag.JOURNAL)
        return
    seen = _Seen()
    try:
        with source.open(bag.JOURNAL) as file:
            result.journal_faults += journal.faults(_lines(file, seen))
    except (*_UNREADABLE, RecursionError) as exc:
        result.journal_faults.append(f"cannot be read to its end ({_shown(str(exc))})")
    result.journal_events = seen.count
    if info.get("Journal-Events", str(seen.count)) != str(seen.count):
        result.journal_faults.append(f"has {seen.count} events; {_shown(info['Journal-Events'])} were sealed")
    if info.get("Journal-Head-SHA256", seen.head) != seen.head:
        result.journal_faults.append("its last event is not the one that was sealed")
    for sha256, seq in sorted(seen.named.items(), key=lambda item: str(item[1])):
        if sha256 not in hashes:
            result.journal_faults.append(
                f"event {_shown(str(seq))} names evidence {_shown(sha256)} that is not in the pack"
            )


class _Seen:
    """What passed while the journal was read."""

    def __init__(self) -> None:
        self.count, self.head, self.named = 0, journal.FIRST, dict[str, Any]()

    def take(self, line: str) -> None:
        self.count += 1
        self.head = journal.record_sha256(line)
        try:
            record = json.loads(line)
            for artifact in record["artifacts"]:
                self.named.setdefault(str(artifact["sha256"]), record["seq"])
        except (ValueError, KeyError, TypeError):
            return  # `journal.faults` says what is wrong with this line


def _lines(file: IO[bytes], seen: _Seen) -> Iterator[str]:
    while raw := file.readline(_LINE_AT_MOST_BYTES):
        if len(raw) == _LINE_AT_MOST_BYTES:
            raise ValueError("a line is longer than any event")
        line = raw.decode("utf-8").removesuffix("\n")
        seen.take(line)
        yield line


def _shown(text: str) -> str:
    """Return text from a pack so that it cannot move the cursor, colour the terminal or hide."""
    return text.encode("unicode_escape").decode()[:300]

"""Seals a report and its evidence into one zip that an outsider can check with sha256sum and openssl alone."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from audit import journal
from probes.errors import AuditError, Refused, Unavailable, UserError
from probes.model import Artifact
from reports import bag, leaks
from reports.report import ArtifactReader, ReportFiles, evidence_name
from reports.signing import SigningKey

_FOLDER = re.compile(r"[^A-Za-z0-9-]+")
_CHUNK_BYTES = 1 << 20
_STAMP = (1980, 1, 1, 0, 0, 0)  # the same in every zip, so that equal content gives equal bytes


@dataclass(frozen=True, slots=True)
class Packed:
    """A sealed pack. `not_searched_for` names secrets too short to look for."""

    path: Path
    sha256: str
    files: int
    size_bytes: int
    fingerprint: str
    not_searched_for: tuple[str, ...]


def write_pack(
    report: ReportFiles,
    journal_lines: Iterable[str],
    artifacts: ArtifactReader,
    key: SigningKey,
    out_zip: Path,
    *,
    now_utc: datetime,
    secrets: Mapping[str, str],
    agent: str = "holdproof",
    progress: Callable[[int, int], None] | None = None,
) -> Packed:
    """Write a BagIt 1.0 zip with report, evidence and journal, its tag manifest signed.

    Args:
        report: what `write_report` wrote; its whole folder goes into data/.
        journal_lines: the ledger's records, oldest first, each as `audit.journal.record_text` made it.
        artifacts: gives the evidence that the journal names and the report does not hold.
        key: seals the tag manifest.
        out_zip: replaced where it exists; nothing is left there when this fails.
        now_utc: the date in bag-info.txt.
        secrets: by name; none of them may be in any byte of the pack.
        agent: name and version of the program, for bag-info.txt.
        progress: called with files done and files in all.

    Raises:
        Refused: a secret was found; files and names of secrets are listed, never the secrets.
        AuditError: the journal's chain is broken, so there is nothing to seal.
        Unavailable: the disk is full, or evidence is gone or was changed.
    """
    if out_zip.is_dir():
        raise UserError("the pack cannot be written", at=str(out_zip), fix="name a file; this is a folder")
    lines = [line.rstrip("\n") for line in journal_lines]
    if faults := journal.faults(lines):
        raise AuditError(
            f"the journal of audit {report.audit} does not hold together, so it cannot be sealed",
            at="; ".join(faults[:5]),
            fix="restore the ledger from a backup",
        )
    try:
        return _seal(report, lines, artifacts, key, out_zip, now_utc, secrets, agent, progress)
    except OSError as exc:
        raise Unavailable(
            f"the pack could not be written: {exc.strerror or exc}",
            at=str(exc.filename or out_zip),
            fix="free space on this disk or name another file, then seal again",
        ) from exc


def _seal(
    report: ReportFiles,
    lines: list[str],
    artifacts: ArtifactReader,
    key: SigningKey,
    out_zip: Path,
    now_utc: datetime,
    secrets: Mapping[str, str],
    agent: str,
    progress: Callable[[int, int], None] | None,
) -> Packed:
    with tempfile.TemporaryDirectory(prefix="holdproof-pack-") as scratch:
        contents = _contents(report, lines, artifacts, Path(scratch))
        gate, leaked = leaks.Gate(secrets), dict[str, list[str]]()
        manifests: dict[str, dict[str, str]] = {name: {} for name in bag.MANIFESTS}
        size = 0
        for done, (name, source) in enumerate(contents.items(), start=1):
            data = source if isinstance(source, bytes) else source.read_bytes()
            if held := gate.found_in(name.encode() + b"\n" + data):
                leaked[name] = held
            for algorithm, hashes in manifests.items():
                hashes[name] = hashlib.new(algorithm, data).hexdigest()
            size += len(data)
            if progress:
                progress(done, len(contents))
        tags = _tags(report, lines, manifests, size, key, now_utc, agent)
        for name, text in tags.items():
            if held := gate.found_in(text):
                leaked[name] = held
        if leaked:
            raise _refusal(leaked)
        _zip(out_zip, f"holdproof-{_FOLDER.sub('-', report.audit).strip('-') or 'audit'}", {**contents, **tags})
    digest = hashlib.sha256()
    with out_zip.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return Packed(
        out_zip, digest.hexdigest(), len(contents), out_zip.stat().st_size, key.fingerprint, tuple(gate.too_short)
    )


def _contents(
    report: ReportFiles, lines: list[str], artifacts: ArtifactReader, scratch: Path
) -> dict[str, Path | bytes]:
    """Return everything under data/ by name: the report's files, the journal, and what else the journal names."""
    found: dict[str, Path | bytes] = {}
    for path in sorted([report.pdf, report.html, report.data, *report.tables]):
        found[f"data/{path.relative_to(report.folder).as_posix()}"] = path
    for relative in report.evidence.values():
        found[f"data/{relative}"] = report.folder / relative
    for artifact, seq in _named(lines):
        if artifact.sha256 in report.evidence:
            continue
        name = f"data/evidence/other/{evidence_name(f'E{seq:04}-{artifact.sha256[:12]}', artifact)}"
        if name not in found:
            kept = scratch / artifact.sha256
            kept.write_bytes(artifacts.get(artifact))
            found[name] = kept
    found[bag.JOURNAL] = "".join(f"{line}\n" for line in lines).encode()
    unsafe = [name for name in found if not bag.is_safe_name(name)]
    if unsafe:
        raise AuditError("files of the report have names that cannot be packed", at=", ".join(unsafe[:5]))
    return dict(sorted(found.items()))


def _named(lines: list[str]) -> list[tuple[Artifact, int]]:
    named: dict[str, tuple[Artifact, int]] = {}
    for line in lines:
        record: dict[str, Any] = json.loads(line)
        for item in record.get("artifacts", ()):
            artifact = Artifact(item["sha256"], item["media_type"], item["size_bytes"], item["name"])
            named.setdefault(artifact.sha256, (artifact, record["seq"]))
    return list(named.values())


def _tags(
    report: ReportFiles,
    lines: list[str],
    manifests: Mapping[str, Mapping[str, str]],
    size: int,
    key: SigningKey,
    now_utc: datetime,
    agent: str,
) -> dict[str, bytes]:
    head = journal.record_sha256(lines[-1]) if lines else journal.FIRST
    info = (
        f"Bagging-Date: {now_utc.astimezone(UTC):%Y-%m-%d}\n"
        f"External-Identifier: {report.audit}\n"
        f"Payload-Oxum: {size}.{len(manifests['sha256'])}\n"
        f"Bag-Software-Agent: {agent}\n"
        f"Journal-Events: {len(lines)}\n"
        f"Journal-Head-SHA256: {head}\n"
        f"Signing-Key: {key.fingerprint}\n"
    )
    tags = {
        "bagit.txt": bag.DECLARATION.encode(),
        "bag-info.txt": info.encode(),
        **{bag.MANIFESTS[name]: bag.manifest_text(hashes).encode() for name, hashes in manifests.items()},
        bag.PUBLIC_KEY: key.public_pem,
        bag.HOW_TO: bag.how_to_text(report.audit, key.fingerprint).encode(),
    }
    tag_manifest = bag.manifest_text({name: hashlib.sha256(text).hexdigest() for name, text in tags.items()}).encode()
    return {**tags, bag.TAG_MANIFEST: tag_manifest, bag.SIGNATURE: key.sign(tag_manifest)}


def _refusal(leaked: Mapping[str, list[str]]) -> Refused:
    listed = "; ".join(f"{name} holds {', '.join(names)}" for name, names in sorted(leaked.items())[:20])
    more = f"; and {len(leaked) - 20} more files" if len(leaked) > 20 else ""
    return Refused(
        f"{len(leaked)} files of the pack hold known secrets; nothing was written",
        at=listed + more,
        fix="see in the named files how it got there; a secret that a vendor shows on its pages should be replaced",
    )


def _zip(out: Path, folder: str, contents: Mapping[str, Path | bytes]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    try:
        with os.fdopen(descriptor, "wb") as raw:
            _fill(raw, folder, contents)
            raw.flush()
            os.fsync(raw.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(out)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise


def _fill(raw: BinaryIO, folder: str, contents: Mapping[str, Path | bytes]) -> None:
    # Stored, not packed: recordings and pictures hardly shrink, and the bytes do not depend on a zlib version.
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, source in sorted(contents.items()):
            entry = zipfile.ZipInfo(f"{folder}/{name}", _STAMP)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            if isinstance(source, bytes):
                archive.writestr(entry, source)
                continue
            entry.file_size = source.stat().st_size
            with source.open("rb") as file, archive.open(entry, "w") as target:
                while chunk := file.read(_CHUNK_BYTES):
                    target.write(chunk)

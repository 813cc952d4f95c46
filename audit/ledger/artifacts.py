"""Raw bytes on disk, named by their SHA-256, never rewritten."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from probes.errors import Unavailable
from probes.model import Artifact, Secrets

_TEXT = ("text/", "application/json", "application/xml", "application/xhtml", "message/rfc822", "image/svg")


class ArtifactFolder:
    """The artifacts of one home: `root`/ab/cdef…. Text is cleared of known secrets before it is kept."""

    def __init__(self, root: Path, secrets: Secrets | None = None) -> None:
        self.root, self.secrets = root, secrets

    def put(self, data: bytes, media_type: str, name: str) -> Artifact:
        """Store bytes; the same bytes are stored once.

        Raises:
            Unavailable: the disk is full or the folder cannot be written.
        """
        if self.secrets is not None and media_type.startswith(_TEXT):
            data = self.secrets.scrub(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        artifact = Artifact(hashlib.sha256(data).hexdigest(), media_type, len(data), name)
        path = self.path(artifact.sha256)
        if path.exists():
            return artifact
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                Path(temporary).rename(path)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        except OSError as exc:
            raise Unavailable(
                f"evidence could not be written: {exc.strerror or exc}",
                at=str(path.parent),
                fix="free space on this disk or mend the folder's rights, then run again: the audit resumes",
            ) from exc
        return artifact

    def get(self, artifact: Artifact) -> bytes:
        """Return the stored bytes, checked against their hash.

        Raises:
            Unavailable: the file is gone or was changed.
        """
        path = self.path(artifact.sha256)
        try:
            data = path.read_bytes()
        except OSError as exc:
            raise Unavailable(
                f"evidence {artifact.name} is missing", at=str(path), fix="restore it from a backup"
            ) from exc
        if hashlib.sha256(data).hexdigest() != artifact.sha256:
            raise Unavailable(
                f"evidence {artifact.name} was changed after capture", at=str(path), fix="restore it from a backup"
            )
        return data

    def path(self, sha256: str) -> Path:
        """Return where the bytes with this hash are kept."""
        return self.root / sha256[:2] / sha256[2:]

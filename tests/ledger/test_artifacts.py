"""Artifacts: kept once, checked when read, clear of secrets, and a full disk is said plainly."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.ledger.artifacts import ArtifactFolder
from probes.errors import Unavailable


class Hide:
    """Secrets with one known secret."""

    def reveal(self, text: str) -> str:
        return text

    def scrub(self, text: str) -> str:
        return text.replace("s3cret-word", "${env:WORD}")


def test_the_same_bytes_are_kept_once(tmp_path: Path) -> None:
    folder = ArtifactFolder(tmp_path)
    first, second = folder.put(b"ring", "audio/wav", "a.wav"), folder.put(b"ring", "audio/wav", "b.wav")
    assert first.sha256 == second.sha256
    assert folder.get(first) == b"ring"
    assert sum(path.is_file() for path in tmp_path.rglob("*")) == 1


def test_secrets_leave_text_but_bytes_stay(tmp_path: Path) -> None:
    folder = ArtifactFolder(tmp_path, Hide())
    page = folder.put("<p>s3cret-word \udcff</p>".encode("utf-8", "surrogateescape"), "text/html", "page.html")
    assert folder.get(page) == b"<p>${env:WORD} \xff</p>"
    picture = folder.put(b"\x89PNG s3cret-word", "image/png", "page.png")
    assert folder.get(picture) == b"\x89PNG s3cret-word"


def test_changed_and_missing_evidence_is_named(tmp_path: Path) -> None:
    folder = ArtifactFolder(tmp_path)
    artifact = folder.put(b"hold", "audio/wav", "hold.wav")
    folder.path(artifact.sha256).write_bytes(b"gold")
    with pytest.raises(Unavailable, match=r"hold\.wav was changed after capture"):
        folder.get(artifact)
    folder.path(artifact.sha256).unlink()
    with pytest.raises(Unavailable, match=r"hold\.wav is missing"):
        folder.get(artifact)


def test_a_full_disk_is_said_and_leaves_no_half_file() -> None:
    folder = ArtifactFolder(Path("/dev/full/artifacts"))
    with pytest.raises(Unavailable, match="evidence could not be written") as caught:
        folder.put(b"x", "audio/wav", "x.wav")
    assert "resumes" in caught.value.fix

"""A sealed pack: what others' tools say of it, and what is refused before it is written."""

from __future__ import annotations

import base64
import gzip
import io
import os
import subprocess
import zipfile
from pathlib import Path

import bagit
import pytest

from probes.errors import AuditError, Refused, Unavailable, UserError
from reports import bag, leaks, signing
from reports.pack import write_pack
from reports.verify import verify_pack
from tests.reports.packs import journal_lines, report_files, sealed
from tests.reports.samples import NOW, Store

SECRET = "hunter2 & Ünïcode/+"


def unzipped(path: Path, to: Path) -> Path:
    with zipfile.ZipFile(path) as archive:
        archive.extractall(to)
    return next(to.iterdir())


def test_a_pack_is_sound_as_zip_and_as_folder(tmp_path: Path) -> None:
    packed = sealed(tmp_path)
    for where in (packed.path, unzipped(packed.path, tmp_path / "out")):
        result = verify_pack(where, fingerprint=packed.fingerprint)
        assert result.sound, result.lines()
        assert (result.audit, result.journal_events, result.key_expected) == ("2026-11-02-harbour-3f9a", 5, True)
        assert any("not timestamped" in line for line in result.lines())


def test_others_tools_accept_it(tmp_path: Path) -> None:
    folder = unzipped(sealed(tmp_path).path, tmp_path / "out")
    assert bagit.Bag(str(folder)).validate()
    for manifest in (bag.TAG_MANIFEST, bag.MANIFESTS["sha256"]):
        subprocess.run(["sha256sum", "--strict", "-c", manifest], cwd=folder, check=True, capture_output=True)
    subprocess.run(
        ["sha512sum", "--strict", "-c", bag.MANIFESTS["sha512"]], cwd=folder, check=True, capture_output=True
    )
    command = ["openssl", "dgst", "-sha256", "-verify", bag.PUBLIC_KEY, "-signature", bag.SIGNATURE, bag.TAG_MANIFEST]
    answer = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    assert "Verified OK" in answer.stdout


def test_the_commands_that_the_pack_prints_are_the_ones_that_work(tmp_path: Path) -> None:
    packed = sealed(tmp_path)
    folder = unzipped(packed.path, tmp_path / "out")
    text = (folder / bag.HOW_TO).read_text(encoding="utf-8")
    assert packed.fingerprint in text
    commands = [line.strip() for line in text.splitlines() if line.strip().startswith(("sha256sum", "openssl dgst"))]
    assert len(commands) == 3
    for command in commands:
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)


def test_everything_is_inside_report_evidence_and_journal(tmp_path: Path) -> None:
    with zipfile.ZipFile(sealed(tmp_path).path) as archive:
        names = {name.split("/", 1)[1] for name in archive.namelist()}
    payload = {name for name in names if name.startswith("data/")}
    (other,) = {name for name in payload if "/evidence/other/" in name}
    assert other.startswith("data/evidence/other/E0002-")
    assert payload - {other} == {
        "data/report.pdf",
        "data/report.html",
        "data/data.json",
        "data/tables/measures.csv",
        "data/evidence/v01/E0002-page.html.txt",
        "data/journal.jsonl",
    }
    assert names - payload == {
        "bagit.txt",
        "bag-info.txt",
        "manifest-sha256.txt",
        "manifest-sha512.txt",
        "tagmanifest-sha256.txt",
        "seal/tagmanifest.sig",
        "seal/signer.pub",
        "seal/HOW-TO-VERIFY.txt",
    }


def test_sealing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = sealed(tmp_path, name="a.zip"), sealed(tmp_path, name="b.zip")
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.sha256 == second.sha256


def _zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("trace.network", data)
    return out.getvalue()


@pytest.mark.parametrize(
    "form",
    [
        SECRET.encode(),
        b"https://host/?p=hunter2+%26+%C3%9Cn%C3%AFcode%2F%2B",
        b"hunter2 &amp; \xc3\x9cn\xc3\xafcode/+",
        b'{"p": "hunter2 & \\u00dcn\\u00efcode/+"}',
        b"Authorization: Basic " + base64.b64encode(f"user:{SECRET}".encode()),
        b"x" + base64.b64encode(f"us:{SECRET}!".encode()),
        SECRET.encode("utf-16-le"),
        gzip.compress(b"before " + SECRET.encode()),
        _zipped(b"Cookie: " + SECRET.encode()),
        _zipped(_zipped(SECRET.encode())),
    ],
    ids=["plain", "url", "html", "json", "base64", "base64-shifted", "utf16", "gzip", "zip", "zip-in-zip"],
)
def test_a_secret_in_any_form_is_found(form: bytes) -> None:
    gate = leaks.Gate({"portal password": SECRET})
    assert gate.found_in(b"harmless " + form[:0]) == []
    assert gate.found_in(form) == ["portal password"]


def test_a_short_secret_is_looked_for_as_a_word_only() -> None:
    gate = leaks.Gate({"pin": "4711", "one": "7"})
    assert gate.found_in(b"a hash 9c4711fe") == []
    assert gate.found_in(b"keyed 4711#") == ["pin"]
    assert gate.too_short == ["one"]


def test_a_pack_that_holds_a_secret_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        sealed(tmp_path, secrets={"portal password": "was received"})
    assert not (tmp_path / "pack.zip").exists()
    assert "data/evidence/v01/E0002-page.html.txt holds portal password" in str(caught.value)
    assert "was received" not in str(caught.value)


def test_a_secret_in_the_journal_is_found_too(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"data/journal\.jsonl holds name"):
        sealed(tmp_path, secrets={"name": "Łódź ticket"})


def test_a_broken_journal_is_not_sealed(tmp_path: Path) -> None:
    store = Store()
    files, artifacts = report_files(tmp_path / "report", store)
    lines = journal_lines(*artifacts)
    del lines[2]
    key = signing.load_or_create(tmp_path / "home")
    with pytest.raises(AuditError, match="does not hold together"):
        write_pack(files, lines, store, key, tmp_path / "pack.zip", now_utc=NOW, secrets={})
    assert not (tmp_path / "pack.zip").exists()


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    store = Store()
    files, artifacts = report_files(tmp_path / "report", store)
    key = signing.load_or_create(tmp_path / "home")
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(Unavailable, match="could not be written"):
        write_pack(files, journal_lines(*artifacts), store, key, tmp_path / "file" / "p.zip", now_utc=NOW, secrets={})
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "home", "report"]


def test_a_file_of_the_report_that_went_away_is_named(tmp_path: Path) -> None:
    store = Store()
    files, artifacts = report_files(tmp_path / "report", store)
    key = signing.load_or_create(tmp_path / "home")
    files.pdf.unlink()
    with pytest.raises(Unavailable, match=r"No such file(.|\n)*report\.pdf"):
        write_pack(files, journal_lines(*artifacts), store, key, tmp_path / "p.zip", now_utc=NOW, secrets={})
    assert not (tmp_path / "p.zip").exists()


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    key = signing.load_or_create(tmp_path)
    path = tmp_path / signing.KEY_FILE
    assert path.stat().st_mode & 0o777 == 0o600
    assert signing.load_or_create(tmp_path).fingerprint == key.fingerprint
    assert len(key.fingerprint.split("-")) == 8
    assert "PRIVATE" not in repr(key)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [signing.KEY_FILE]


@pytest.mark.skipif(os.name != "posix", reason="rights of files are POSIX's")
def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    signing.load_or_create(tmp_path)
    (tmp_path / signing.KEY_FILE).chmod(0o644)
    with pytest.raises(UserError, match="others may read the signing key"):
        signing.load_or_create(tmp_path)


def test_a_damaged_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / signing.KEY_FILE
    path.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    path.chmod(0o600)
    with pytest.raises(UserError, match="cannot be used"):
        signing.load_or_create(tmp_path)


def test_fingerprint_words_follow_the_published_alphabet() -> None:
    # 127.0.0.1 is "lusab-babad" in the paper.
    assert f"{signing._word(0x7F00)}-{signing._word(0x0001)}" == "lusab-babad"

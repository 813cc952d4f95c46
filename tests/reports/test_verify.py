"""Tampering of every kind, and files that are no packs: each is named, and nothing is unpacked."""

from __future__ import annotations

import shutil
import stat
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from probes.errors import UserError
from reports import bag, verify
from reports.verify import Verification, verify_pack
from tests.reports.packs import sealed

PAGE = "data/evidence/v01/E0002-page.html.txt"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with zipfile.ZipFile(sealed(tmp_path).path) as archive:
        archive.extractall(tmp_path / "out")
    return next((tmp_path / "out").iterdir())


def rewritten(source: Path, target: Path, change: Callable[[zipfile.ZipFile, zipfile.ZipInfo, bytes], None]) -> Path:
    """Copy a zip entry by entry; `change` writes each entry as it likes."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            change(new, entry, old.read(entry))
    return target


def added(source: Path, name: str | zipfile.ZipInfo, data: bytes = b"planted", **more: int) -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(source, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr(name, data, **more)
    return source


def top(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()[0].split("/")[0]


def test_a_changed_byte_is_named(folder: Path) -> None:
    (folder / PAGE).write_bytes((folder / PAGE).read_bytes().replace(b"55120", b"55121"))
    result = verify_pack(folder)
    assert not result.sound
    assert (result.changed, result.missing, result.extra) == ([PAGE], [], [])
    assert f"  changed: {PAGE}" in result.lines()


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / PAGE).unlink()
    result = verify_pack(folder)
    assert (result.sound, result.missing) == (False, [PAGE])


@pytest.mark.parametrize("name", ["data/evidence/more.txt", "note.txt", "seal/other.pub", ".hidden", "data/empty"])
def test_an_extra_file_is_named_wherever_it_is(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"")
    result = verify_pack(folder)
    assert (result.sound, result.extra) == (False, [name])


def test_several_faults_are_all_named(folder: Path) -> None:
    (folder / PAGE).unlink()
    (folder / "data/report.pdf").write_bytes(b"%PDF another")
    (folder / "data/extra.txt").write_text("x")
    result = verify_pack(folder)
    assert (result.missing, result.changed, result.extra) == ([PAGE], ["data/report.pdf"], ["data/extra.txt"])


def test_hashes_made_again_after_a_change_break_the_signature(folder: Path) -> None:
    (folder / "data/report.pdf").write_bytes(b"%PDF forged")
    _hash_again(folder)
    result = verify_pack(folder)
    assert (result.changed, result.signature, result.sound) == ([], "bad", False)


def test_a_pack_sealed_again_by_another_key_is_told_apart_by_the_fingerprint(tmp_path: Path, folder: Path) -> None:
    expected = verify_pack(folder).fingerprint
    other = ec.generate_private_key(ec.SECP256R1())
    public = other.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / "data/report.pdf").write_bytes(b"%PDF forged")
    (folder / bag.PUBLIC_KEY).write_bytes(public)
    info = (folder / "bag-info.txt").read_text()
    size = sum(path.stat().st_size for path in (folder / "data").rglob("*") if path.is_file())
    lines = [f"Payload-Oxum: {size}.7" if line.startswith("Payload-Oxum") else line for line in info.splitlines()]
    (folder / "bag-info.txt").write_text("\n".join(lines) + "\n")
    _hash_again(folder)
    signed = (folder / bag.TAG_MANIFEST).read_bytes()
    (folder / bag.SIGNATURE).write_bytes(other.sign(signed, ec.ECDSA(hashes.SHA256())))
    assert verify_pack(folder).sound, "without a fingerprint from elsewhere nobody can tell"
    assert any("compare these words" in line for line in verify_pack(folder).lines())
    result = verify_pack(folder, fingerprint=expected)
    assert (result.sound, result.key_expected) == (False, False)


@pytest.mark.parametrize(
    ("name", "signature"), [(bag.SIGNATURE, "missing"), (bag.PUBLIC_KEY, "missing"), (bag.TAG_MANIFEST, "missing")]
)
def test_a_missing_seal_is_not_sound(folder: Path, name: str, signature: str) -> None:
    (folder / name).unlink()
    result = verify_pack(folder)
    assert (result.sound, result.signature) == (False, signature)


@pytest.mark.parametrize("content", [b"", b"garbage", bytes(80)])
def test_a_damaged_signature_or_key_is_not_sound(folder: Path, content: bytes) -> None:
    (folder / bag.SIGNATURE).write_bytes(content)
    assert verify_pack(folder).signature == "bad"
    (folder / bag.PUBLIC_KEY).write_bytes(content)
    result = verify_pack(folder)
    assert (result.sound, result.signature) == (False, "unreadable")


def test_a_line_taken_out_of_the_journal_is_found_even_if_all_hashes_are_made_again(folder: Path) -> None:
    path = folder / bag.JOURNAL
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:2] + lines[3:]), encoding="utf-8")
    _hash_again(folder)
    result = verify_pack(folder)
    assert any("is event 4, expected 3" in fault for fault in result.journal_faults)
    path.write_text("".join(lines[:-1]), encoding="utf-8")
    _hash_again(folder)
    result = verify_pack(folder)
    assert any("has 4 events; 5 were sealed" in fault for fault in result.journal_faults)
    assert any("last event is not the one that was sealed" in fault for fault in result.journal_faults)


def test_a_changed_word_in_the_journal_breaks_the_chain(folder: Path) -> None:
    path = folder / bag.JOURNAL
    path.write_text(path.read_text(encoding="utf-8").replace("Łódź", "Lodz", 1), encoding="utf-8")
    result = verify_pack(folder)
    assert result.changed == [bag.JOURNAL]
    assert any("does not follow from the line before" in fault for fault in result.journal_faults)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[" * 200_000, b"{}\n" * 3, b"null\n", b'{"seq": 1}', b""])
def test_a_hostile_journal_is_a_fault_and_no_crash(folder: Path, content: bytes) -> None:
    (folder / bag.JOURNAL).write_bytes(content)
    result = verify_pack(folder)
    assert not result.sound
    assert result.journal_faults


def test_evidence_that_the_journal_names_must_be_there(folder: Path) -> None:
    (other,) = (folder / "data/evidence/other").iterdir()
    other.unlink()
    _hash_again(folder)
    assert any("that is not in the pack" in fault for fault in verify_pack(folder).journal_faults)


@pytest.mark.parametrize("line", ["no manifest line", "abc  data/../../etc/passwd", f"{'0' * 64}  /etc/passwd"])
def test_a_hostile_manifest_reads_nothing_outside(folder: Path, line: str) -> None:
    with (folder / bag.MANIFESTS["sha256"]).open("a") as file:
        file.write(line + "\n")
    result = verify_pack(folder)
    assert not result.sound
    assert not any("passwd" in name for name in result.missing + result.changed)


def test_a_link_in_a_folder_is_not_followed(folder: Path) -> None:
    (folder / PAGE).unlink()
    (folder / PAGE).symlink_to("/etc/hostname")
    result = verify_pack(folder)
    assert (result.sound, result.missing) == (False, [PAGE])
    assert any("is a link" in item for item in result.unsafe)


@pytest.mark.parametrize(
    "name",
    [
        "../outside.txt",
        "/absolute.txt",
        "{top}/../../x",
        "{top}\\x",
        "C:/x",
        "{top}/data/a\nb",
        "{top}/data/\x1b[2J",
        "{top}/./x",
    ],
)
def test_a_name_that_leads_outside_is_unsafe(tmp_path: Path, name: str) -> None:
    path = sealed(tmp_path).path
    result = verify_pack(added(path, name.format(top=top(path))))
    assert not result.sound
    assert len(result.unsafe) == 1
    assert not any(sign in line for line in result.lines() for sign in "\x1b\n")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["home", "pack.zip", "report-pack.zip"]


def test_a_link_in_a_zip_is_unsafe(tmp_path: Path) -> None:
    path = sealed(tmp_path).path
    entry = zipfile.ZipInfo(f"{top(path)}/data/link")
    entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    result = verify_pack(added(path, entry, b"/etc/passwd"))
    assert any("is a link" in item for item in result.unsafe)


@pytest.mark.parametrize(
    ("twin", "words"), [(PAGE, "is in the zip twice"), (PAGE.upper().replace("DATA/", "data/", 1), "by capitals only")]
)
def test_a_file_twice_in_a_zip_is_unsafe(tmp_path: Path, twin: str, words: str) -> None:
    path = sealed(tmp_path).path
    result = verify_pack(added(path, f"{top(path)}/{twin}", b"the other one"))
    assert not result.sound
    assert any(words in item for item in result.unsafe)


def test_a_file_beside_the_packs_folder_is_extra(tmp_path: Path) -> None:
    result = verify_pack(added(sealed(tmp_path).path, "readme.txt"))
    assert (result.sound, result.extra) == (False, ["readme.txt"])


def test_a_zip_bomb_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "_BOMB_FROM_BYTES", 1 << 20)
    path = sealed(tmp_path).path
    added(path, f"{top(path)}/data/zeros", bytes(50 << 20), compress_type=zipfile.ZIP_DEFLATED)
    result = verify_pack(path)
    assert not result.sound
    assert any("zip bomb" in fault for fault in result.faults)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.95, 0.999])
def test_a_truncated_zip_is_not_sound(tmp_path: Path, share: float) -> None:
    path = sealed(tmp_path).path
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    result = verify_pack(path)
    assert not result.sound
    assert "cut short" in result.faults[0]


def test_a_flipped_byte_anywhere_in_a_zip_is_seen(tmp_path: Path) -> None:
    path = sealed(tmp_path).path
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        spots = [entry.header_offset + 30 + len(entry.filename) for entry in archive.infolist() if entry.file_size]
    for spot in spots:
        data[spot] ^= 1
        path.write_bytes(data)
        assert not verify_pack(path).sound, spot
        data[spot] ^= 1


def test_damage_of_any_kind_is_an_answer_and_never_a_crash(tmp_path: Path) -> None:
    path = sealed(tmp_path).path
    whole, random = path.read_bytes(), Random(20261122)
    contents_end = whole.find(b"PK\x01\x02")  # after it the directory, whose dates and attributes prove nothing
    with zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if entry.file_size]
    for _ in range(100):
        data = bytearray(whole)
        spot = random.randrange(contents_end)
        match random.choice(["flip", "cut", "insert", "repeat", "directory"]):
            case "flip":
                entry = random.choice(entries)
                begins = entry.header_offset + 30 + len(entry.filename)
                data[begins + random.randrange(entry.file_size)] ^= 1 << random.randrange(8)
            case "cut":
                del data[spot : spot + random.randrange(1, 500)]
            case "insert":
                data[spot:spot] = random.randbytes(random.randrange(1, 50))
            case "repeat":
                data[spot:spot] = data[spot : spot + random.randrange(1, 500)]
            case _:
                data[random.randrange(contents_end, len(data))] = random.randrange(256)
                path.write_bytes(data)
                assert verify_pack(path).lines()
                continue
        path.write_bytes(data)
        assert not verify_pack(path).sound


def test_bytes_before_the_zip_are_seen(tmp_path: Path) -> None:
    path = sealed(tmp_path).path
    path.write_bytes(b"#!/bin/sh\necho something else\n" + path.read_bytes())
    assert any("before the zip" in fault for fault in verify_pack(path).faults)


def test_a_pack_that_somebody_zipped_again_is_still_sound(tmp_path: Path) -> None:
    path = sealed(tmp_path).path
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "out")
    again = shutil.make_archive(str(tmp_path / "again"), "zip", tmp_path / "out")
    result = verify_pack(Path(again))
    assert result.sound, result.lines()


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_pack_is_not_sound(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "something.zip"
    path.write_bytes(content)
    assert not verify_pack(path).sound
    (tmp_path / "empty").mkdir()
    assert "no pack" in verify_pack(tmp_path / "empty").faults[0]


def test_nothing_there_is_an_error_of_use(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no pack"):
        verify_pack(tmp_path / "none.zip")


def test_the_answer_as_a_document_says_what_the_lines_say(folder: Path) -> None:
    (folder / PAGE).unlink()
    document = verify_pack(folder).to_json()
    assert document["sound"] is False
    assert document["missing"] == [PAGE]
    assert isinstance(verify_pack(folder), Verification)


def _hash_again(folder: Path) -> None:
    """What a forger would do: make both payload manifests and the tag manifest fit the files as they are."""
    import hashlib

    for algorithm, name in bag.MANIFESTS.items():
        payload = {
            path.relative_to(folder).as_posix(): hashlib.new(algorithm, path.read_bytes()).hexdigest()
            for path in (folder / "data").rglob("*")
            if path.is_file()
        }
        (folder / name).write_text(bag.manifest_text(payload))
    listed, _ = bag.read_manifest((folder / bag.TAG_MANIFEST).read_text())
    tags = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in listed}
    (folder / bag.TAG_MANIFEST).write_text(bag.manifest_text(tags))

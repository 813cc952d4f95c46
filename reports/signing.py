"""The key that seals packs: ECDSA P-256, kept in the home, readable by its owner alone.

P-256 and not Ed25519, so that the same key can one day sign the PDF too: common PDF checkers refuse Ed25519.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from probes.errors import Unavailable, UserError

KEY_FILE = "signing-key.pem"
_CONSONANTS, _VOWELS = "bdfghjklmnprstvz", "aiou"


@dataclass(frozen=True)
class SigningKey:
    """A private key. Its `repr` shows the fingerprint only."""

    _private: ec.EllipticCurvePrivateKey

    def __repr__(self) -> str:
        return f"SigningKey({self.fingerprint})"

    @property
    def public_pem(self) -> bytes:
        """The public key, as `openssl dgst -verify` reads it."""
        return self._private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def fingerprint(self) -> str:
        """The public key's fingerprint in words."""
        return fingerprint(self.public_pem)

    def sign(self, data: bytes) -> bytes:
        """Return the signature over SHA-256, DER; the same bytes each time where the library can do that."""
        try:
            return self._private.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        except UnsupportedAlgorithm:
            return self._private.sign(data, ec.ECDSA(hashes.SHA256()))


def load_or_create(home: Path) -> SigningKey:
    """Return the key of a home; the first time it is made there with rights for its owner alone."""
    path = home / KEY_FILE
    if not path.exists():
        _create(path)
    return load(path)


def load(path: Path) -> SigningKey:
    """Return the key in a file.

    Raises:
        UserError: it is not an unencrypted P-256 key, or others may read it.
        Unavailable: it cannot be read.
    """
    try:
        data, mode = path.read_bytes(), path.stat().st_mode
    except OSError as exc:
        raise Unavailable(
            f"the signing key cannot be read: {exc.strerror or exc}", at=str(path), fix="restore it from a backup"
        ) from exc
    if os.name == "posix" and mode & 0o077:
        raise UserError("others may read the signing key", at=str(path), fix=f"chmod 600 {path}")
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise UserError(
            "the signing key cannot be used",
            at=str(path),
            fix="restore it from a backup, or move it away to get a new one",
        ) from exc
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise UserError("the signing key is not an ECDSA P-256 key", at=str(path), fix="move it away to get a new one")
    return SigningKey(key)


def _create(path: Path) -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(pem)
                file.flush()
                os.fsync(file.fileno())
            os.link(temporary, path)  # refuses to replace a key that another process made meanwhile
        finally:
            temporary.unlink()
    except FileExistsError:
        return
    except OSError as exc:
        raise Unavailable(
            f"the signing key cannot be written: {exc.strerror or exc}", at=str(path), fix="mend the folder's rights"
        ) from exc


def check(public_pem: bytes, signature: bytes, data: bytes) -> bool:
    """Return whether a signature over data was made with the private half of a P-256 public key.

    Raises:
        ValueError: `public_pem` is no P-256 public key.
    """
    try:
        key = serialization.load_pem_public_key(public_pem)
    except UnsupportedAlgorithm as exc:
        raise ValueError("the public key is of a kind that cannot be read") from exc
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("the public key is not an ECDSA P-256 key")
    try:
        key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def fingerprint(public_pem: bytes) -> str:
    """Return 128 bits of a public key's SHA-256 as eight pronounceable words, to be read out over a telephone.

    Source: D. Wilkerson, "Proquints: identifiers that are readable, spellable, and pronounceable" (2009): each word is
    16 bits as consonant, vowel, consonant, vowel, consonant.

    Raises:
        ValueError: `public_pem` is no public key.
    """
    try:
        key = serialization.load_pem_public_key(public_pem)
    except UnsupportedAlgorithm as exc:
        raise ValueError("the public key is of a kind that cannot be read") from exc
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = hashlib.sha256(der).digest()
    return "-".join(_word(int.from_bytes(digest[i : i + 2])) for i in range(0, 16, 2))


def _word(bits: int) -> str:
    return (
        _CONSONANTS[bits >> 12]
        + _VOWELS[bits >> 10 & 3]
        + _CONSONANTS[bits >> 6 & 15]
        + _VOWELS[bits >> 4 & 3]
        + _CONSONANTS[bits & 15]
    )

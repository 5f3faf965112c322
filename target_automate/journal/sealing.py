"""Keeps what is personal in the journal and in plan files readable, or encrypted with a key.

With a key, texts are encrypted by Fernet (AES-128-CBC, HMAC-SHA256) and business keys are compared
as keyed hashes; key material comes from `journal_key` by scrypt and a salt that lies beside the
data. Without one, everything is as it came, and the file's mode is all that protects it.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import typing as t

from cryptography.fernet import Fernet, InvalidToken

SALT_BYTES: t.Final = 16
_COST: t.Final = {"n": 2**14, "r": 8, "p": 1}
"""What RFC 7914 gives for interactive use: 50 ms and 16 MiB, once when a file is opened."""


class WrongKeyError(ValueError):
    """What was sealed was sealed with another key."""


class Seal(t.Protocol):
    """How texts are kept and business keys compared."""

    def close(self, text: bytes) -> bytes:
        """Make a text fit to be kept."""

    def open(self, kept: bytes) -> bytes:
        """Read a text that was kept.

        Raises:
            WrongKeyError: When it was kept with another key.
        """

    def digest(self, *parts: str) -> bytes:
        """Hash the parts of a business key, so that they can be compared."""


class NoSeal:
    """Keeps everything as it is."""

    def close(self, text: bytes) -> bytes:
        """Return the text."""
        return text

    def open(self, kept: bytes) -> bytes:
        """Return the text."""
        return kept

    def digest(self, *parts: str) -> bytes:
        """Hash the parts (SHA-256)."""
        return hashlib.sha256(_joined(parts)).digest()


class KeySeal:
    """Encrypts.

    Args:
        key: `journal_key`.
        salt: `SALT_BYTES` random bytes, kept beside what is sealed.
    """

    def __init__(self, key: str, salt: bytes) -> None:
        derived = _derived(key, salt)
        self._fernet = Fernet(base64.urlsafe_b64encode(derived[:32]))
        self._digest_key = derived[32:]

    def close(self, text: bytes) -> bytes:
        """Encrypt a text."""
        return self._fernet.encrypt(text)

    def open(self, kept: bytes) -> bytes:
        """Decrypt a text.

        Raises:
            WrongKeyError: When it was encrypted with another key, or is damaged.
        """
        try:
            return self._fernet.decrypt(kept)
        except InvalidToken:
            raise WrongKeyError from None

    def digest(self, *parts: str) -> bytes:
        """Hash the parts (HMAC-SHA256): a plain hash of a short key can be guessed."""
        return hmac.digest(self._digest_key, _joined(parts), "sha256")


@functools.lru_cache(maxsize=4)
def _derived(key: str, salt: bytes) -> bytes:
    return hashlib.scrypt(key.encode(), salt=salt, dklen=64, **_COST)


def _joined(parts: tuple[str, ...]) -> bytes:
    """Join so that no two lists of parts come to the same."""
    return b"".join(b"%d:%s" % (len(part), part) for part in (text.encode() for text in parts))

"""Secrets at rest: sealed with a master key that is not in the database.

Owns: `MasterKey` and `Vault`. AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits for each seal.

Always holds: what was sealed for one thing opens for no other (its name is authenticated with it), so nothing is gained
by exchanging rows; what was changed does not open at all. The first master key seals, all of them open: a new one is
put before the old one, and what the old one sealed is sealed anew whenever it is written. Neither keys nor what they
seal are in a `repr` or an error.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_FORM: Final = "A256GCM"
_SEALED: Final = re.compile(rf"{_FORM}\.([0-9a-f]{{16}})\.([A-Za-z0-9+/]+={{0,2}})")


class VaultError(Exception):
    """Something that was sealed cannot be opened, or there is no usable master key; the message says what to do."""


class UnknownMasterKey(VaultError):  # noqa: N818 - a state, said as what it is
    """Sealed with a master key that is not among ours. `key_id` is its id."""

    def __init__(self, what: str, key_id: str, known: Iterable[str], place: str) -> None:
        super().__init__(
            f"{what} is encrypted with master key {key_id}, which is not among those in {place} "
            f"({', '.join(known)}): put it back there, after the first"
        )
        self.key_id = key_id


@dataclass(frozen=True, slots=True, repr=False)
class MasterKey:
    """A key of 32 bytes. Its `id` tells it from others and says nothing about it."""

    id: str
    key: bytes

    @classmethod
    def of(cls, key: bytes) -> MasterKey:
        """The master key of these 32 bytes. Raises `VaultError` for another number of bytes."""
        if len(key) != KEY_BYTES:
            raise VaultError(f"a master key must be {KEY_BYTES} bytes, not {len(key)}")
        return cls(hashlib.sha256(b"callboard master key\0" + key).hexdigest()[:16], key)

    @classmethod
    def parse(cls, text: str) -> MasterKey:
        """The master key that base64 of 32 bytes stands for. Raises `VaultError`, without the text."""
        try:
            return cls.of(binascii.a2b_base64(text.encode("ascii"), strict_mode=True))
        except ValueError:
            raise VaultError(f"a master key must be base64 of {KEY_BYTES} bytes") from None

    @property
    def text(self) -> str:
        """What `parse` reads."""
        return _base64(self.key)

    def __repr__(self) -> str:
        return f"MasterKey({self.id})"


class Vault:
    """Seals and opens. See the module."""

    __slots__ = ("_ciphers", "_place", "_random_bytes", "current")

    def __init__(self, keys: Sequence[MasterKey], random_bytes: Callable[[int], bytes], place: str) -> None:
        """The first of `keys`, of which there must be one, seals. `random_bytes(n)` must be unpredictable
        (`secrets.token_bytes`); `place` is where the keys come from, for whoever has to put one back.
        """
        self.current = keys[0].id
        self._ciphers = {key.id: AESGCM(key.key) for key in keys}
        self._random_bytes = random_bytes
        self._place = place

    def seal(self, secret: bytes, what: str) -> str:
        """`secret`, sealed for the thing called `what` (`endpoint 68a…`): printable ASCII."""
        nonce = self._random_bytes(_NONCE_BYTES)
        sealed = nonce + self._ciphers[self.current].encrypt(nonce, secret, _bound(self.current, what))
        return f"{_FORM}.{self.current}.{_base64(sealed)}"

    def open(self, sealed: str, what: str) -> bytes:
        """What was sealed for `what`.

        Raises `UnknownMasterKey`, and `VaultError` if it was changed, or sealed for something else.
        """
        match = _SEALED.fullmatch(sealed)
        if match is None:
            raise VaultError(f"{what} is sealed in a form that is not known here")
        key_id, text = match.groups()
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise UnknownMasterKey(what, key_id, self._ciphers, self._place)
        try:
            data = _bytes(text)
            return cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], _bound(key_id, what))
        except (InvalidTag, ValueError):  # ValueError: bad base64, or shorter than a nonce
            raise VaultError(f"{what} was changed after it was sealed, or was sealed for something else") from None

    def is_current(self, sealed: str) -> bool:
        """Whether it is sealed with the key that seals now."""
        return sealed.startswith(f"{_FORM}.{self.current}.")


def _bound(key_id: str, what: str) -> bytes:
    """What is authenticated with the secret: how it is sealed, and what for."""
    return f"{_FORM}.{key_id}.{what}".encode()


def _base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode()


def _bytes(text: str) -> bytes:
    """What the base64 `text` stands for. Raises `ValueError`, also for another spelling than `_base64`'s: the last
    character may have bits that decoding drops.
    """
    data = binascii.a2b_base64(text, strict_mode=True)
    if _base64(data) != text:
        raise ValueError("not canonical base64")
    return data

"""Secrets at rest: what opens, what doesn't, and what master keys have to do with it."""

from __future__ import annotations

import binascii
import secrets

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from callboard.webhooks.vault import MasterKey, UnknownMasterKey, Vault, VaultError

OLD, NEW = MasterKey.of(b"o" * 32), MasterKey.of(b"n" * 32)
names = st.text(st.characters(codec="utf-8"), max_size=40)


def vault(*keys: MasterKey) -> Vault:
    return Vault(keys or (OLD,), secrets.token_bytes, "the.key")


@given(st.binary(max_size=500), names)
def test_what_is_sealed_opens_for_what_it_was_sealed_for(secret: bytes, what: str) -> None:
    sealed = vault().seal(secret, what)
    assert sealed.isascii()
    assert sealed.isprintable()
    assert vault().open(sealed, what) == secret


@given(st.binary(max_size=100), names, names)
def test_it_opens_for_nothing_else(secret: bytes, what: str, other: str) -> None:
    sealed = vault().seal(secret, what)
    if what != other:
        with pytest.raises(VaultError, match="sealed for something else"):
            vault().open(sealed, other)


@given(st.binary(max_size=100), st.data())
def test_what_was_changed_does_not_open(secret: bytes, data: st.DataObject) -> None:
    sealed = vault().seal(secret, "endpoint 1")
    place = data.draw(st.integers(0, len(sealed) - 1))
    character = data.draw(st.characters(min_codepoint=32, max_codepoint=126))
    changed = sealed[:place] + character + sealed[place + 1 :]
    if changed != sealed:
        with pytest.raises(VaultError):
            vault().open(changed, "endpoint 1")


def test_there_is_one_spelling_of_a_seal() -> None:
    """Base64 can be spelled in several ways where its last character has bits to spare."""
    sealed = vault().seal(b"", "x")  # 28 bytes: 37 characters and a half
    body, last = sealed[:-3], sealed[-3]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = alphabet[alphabet.index(last) ^ 1]
    assert binascii.a2b_base64((body + other + "==").split(".")[2]) == binascii.a2b_base64(sealed.split(".")[2])
    with pytest.raises(VaultError):
        vault().open(body + other + "==", "x")


@given(st.text(max_size=80))
def test_what_was_never_sealed_does_not_open(text: str) -> None:
    with pytest.raises(VaultError):
        vault().open(text, "endpoint 1")


@pytest.mark.parametrize("text", ["", "AAAA", "A" * 15 + "=", "=="])
def test_a_seal_that_is_too_short_or_no_base64_does_not_open(text: str) -> None:
    with pytest.raises(VaultError):
        vault().open(f"A256GCM.{OLD.id}.{text}", "endpoint 1")


def test_the_same_secret_is_never_sealed_alike() -> None:
    assert vault().seal(b"secret", "x") != vault().seal(b"secret", "x")


def test_it_is_aes_256_gcm_with_the_name_as_associated_data() -> None:
    sealed = vault().seal(b"secret", "endpoint 1")
    form, key_id, text = sealed.split(".")
    data = binascii.a2b_base64(text)
    bound = f"{form}.{key_id}.endpoint 1".encode()
    assert AESGCM(b"o" * 32).decrypt(data[:12], data[12:], bound) == b"secret"


def test_a_new_master_key_goes_before_the_old_one_and_both_open() -> None:
    before = vault(OLD).seal(b"secret", "x")
    both = vault(NEW, OLD)
    assert both.open(before, "x") == b"secret"
    assert not both.is_current(before)
    after = both.seal(b"secret", "x")
    assert both.is_current(after)
    assert vault(NEW).open(after, "x") == b"secret"


def test_a_master_key_that_is_not_there_is_named() -> None:
    with pytest.raises(UnknownMasterKey, match=f"endpoint 1 .* {OLD.id}, .* in the.key \\({NEW.id}\\)") as raised:
        vault(NEW).open(vault(OLD).seal(b"secret", "endpoint 1"), "endpoint 1")
    assert raised.value.key_id == OLD.id


def test_a_seal_does_not_open_under_another_keys_name() -> None:
    """Who may write to the database cannot choose which key is tried with what."""
    sealed = vault(OLD).seal(b"secret", "x").replace(OLD.id, NEW.id)
    with pytest.raises(VaultError):
        vault(NEW, OLD).open(sealed, "x")


@pytest.mark.parametrize("text", ["", "x", "AAAA", "A" * 44, "é" * 44, binascii.b2a_base64(b"o" * 33).decode()])
def test_a_text_that_is_no_master_key_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(VaultError) as raised:
        MasterKey.parse(text)
    assert len(text) < 10 or text not in str(raised.value)


def test_a_master_key_survives_its_text_and_is_not_shown() -> None:
    assert MasterKey.parse(OLD.text) == OLD
    for shown in (repr(OLD), str(OLD), f"{OLD}", pretty_repr(OLD), repr(vault()), pretty_repr([OLD])):
        assert OLD.text not in shown
        assert "oooo" not in shown

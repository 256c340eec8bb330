"""TLS towards endpoints: whom we trust, and who we say we are.

Owns: `Identity`, `system_context`, `context_for`, `usable_context`.

Always holds: certificates and host names are verified, TLS 1.2 is the least. An endpoint's own authorities take the
place of the system's for that endpoint, they are not added to them. A private key is never written to a disk.
"""

from __future__ import annotations

import logging
import os
import ssl
from typing import Final

from msgspec import Struct

log = logging.getLogger("callboard.webhooks")

MAX_PEM: Final = 64 * 1024
"""Characters of one certificate chain, key, or set of authorities."""


class Identity(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """TLS of one endpoint, in PEM; "" is what is not set. `authorities` verify its certificate, `certificate` (with its
    chain) and `key` are our own, for servers that ask who we are (mTLS).
    """

    authorities: str = ""
    certificate: str = ""
    key: str = ""

    def __repr__(self) -> str:
        return f"Identity(authorities={bool(self.authorities)}, certificate={bool(self.certificate)}, key=…)"

    def __rich_repr__(self) -> list[tuple[str, bool]]:
        return [("authorities", bool(self.authorities)), ("certificate", bool(self.certificate))]


class IdentityError(Exception):
    """It cannot be used. `field` is which of the three, the message what is wrong with it (nothing secret)."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def system_context() -> ssl.SSLContext:
    """A context that trusts the system's authorities."""
    return _at_least_1_2(ssl.create_default_context())


def context_for(identity: Identity) -> ssl.SSLContext:
    """A context for an endpoint with this identity. Raises `IdentityError`."""
    _check_form(identity)
    context = _trusting(identity.authorities) if identity.authorities else system_context()
    if identity.certificate:
        _load_chain(context, identity.certificate, identity.key)
    return context


def usable_context(identity: Identity) -> ssl.SSLContext:
    """As `context_for`. If it cannot be used any more (a newer OpenSSL thinks it too weak), nobody is trusted."""
    try:
        return context_for(identity)
    except IdentityError as error:
        log.error("an endpoint's tls.%s cannot be used, so nothing is delivered there: %s", error.field, error)  # noqa: TRY400 - the message says all
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _check_form(identity: Identity) -> None:
    for field in ("authorities", "certificate", "key"):
        text = getattr(identity, field)
        if len(text) > MAX_PEM or not text.isascii() or "\0" in text:
            raise IdentityError(field, f"must be PEM, at most {MAX_PEM} characters")
    if bool(identity.certificate) != bool(identity.key):
        missing = "key" if identity.certificate else "certificate"
        raise IdentityError(missing, "must be there: a certificate and its key belong together")


def _trusting(authorities: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=authorities)
    except ssl.SSLError:
        raise IdentityError("authorities", "must be certificates in PEM (-----BEGIN CERTIFICATE-----)") from None
    if not context.cert_store_stats()["x509_ca"]:
        raise IdentityError("authorities", "must hold a certificate of an authority (CA:TRUE)")
    return _at_least_1_2(context)


def _load_chain(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Python's `ssl` reads keys from files only: this one is in memory and has no name."""
    file = os.memfd_create("callboard-client-certificate")
    try:
        os.write(file, f"{key}\n{certificate}\n".encode("ascii"))
        # An encrypted key would be asked for on the terminal, were there no password.
        context.load_cert_chain(f"/proc/self/fd/{file}", password="")
    except (ssl.SSLError, ValueError):
        message = "must be an unencrypted private key in PEM, that of the (first) certificate"
        raise IdentityError("key", message) from None
    finally:
        os.close(file)


def _at_least_1_2(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context

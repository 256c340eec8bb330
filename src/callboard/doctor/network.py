"""The ports and addresses that clients and backends reach us by.

Owns: looking at the HTTP port, TLS, the public address, the UDP ports for media and this host's addresses.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509

from callboard.config import Media, Server
from callboard.doctor.finding import Finding, broken, care, well
from callboard.media import EngineStartError
from callboard.media.addresses import choose_addresses, host_addresses
from callboard.meeting import has_devices

SECONDS: Final = 5.0
RENEW_BEFORE: Final = timedelta(days=14)
PORTS_NEEDED: Final = 200
"""Fewer are enough for a few clients only: each takes up to four while it connects."""


def http_port(server: Server, *, running: bool) -> Finding:
    """Whether we can listen there; `running`: a Callboard with these settings already does."""
    place = f"{server.host} port {server.port}"
    try:
        _bind(socket.SOCK_STREAM, server.host, server.port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            return broken("HTTP port", f"{place} cannot be used: {error.strerror}", "set server.host, server.port")
        if running:
            return well("HTTP port", f"{place} is in use, by the Callboard that runs here")
        remedy = f"ss -ltnp 'sport = :{server.port}' shows who has it; or set server.port"
        return broken("HTTP port", f"{place} is taken by another program", remedy)
    return well("HTTP port", f"{place} is free")


def tls(server: Server, now: datetime) -> Finding:
    """Whether the certificate and its key can be used, and for how long."""
    if not server.tls_cert:
        return well("TLS", "not here: clients come in clear, or through a proxy")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(server.tls_cert, server.tls_key)
        certificate = x509.load_pem_x509_certificates(Path(server.tls_cert).read_bytes())[0]
    except (OSError, ValueError) as error:  # SSLError is an OSError
        return broken(
            "TLS", f"server.tls_cert and server.tls_key cannot be used: {error}", "both in PEM, belonging together"
        )
    ends = certificate.not_valid_after_utc
    if ends <= now:
        return broken("TLS", f"the certificate ended {ends:%Y-%m-%d %H:%M} UTC", "renew it")
    if ends - now < RENEW_BEFORE:
        return care("TLS", f"the certificate ends {ends:%Y-%m-%d %H:%M} UTC", "renew it")
    return well("TLS", f"the certificate is good until {ends:%Y-%m-%d}")


async def public_url(server: Server) -> Finding:
    """Whether browsers will find us, and let a page use microphone and camera."""
    scheme = "https" if server.tls_cert else "http"
    url = server.public_url or f"{scheme}://{server.host}:{server.port}"
    host = urlsplit(url).hostname or ""
    try:
        async with asyncio.timeout(SECONDS):
            await asyncio.get_running_loop().getaddrinfo(host, None)
    except (OSError, TimeoutError) as error:
        return broken(
            "public address", f"{host} is not found: {error or 'no answer'}", "a DNS entry, or server.public_url"
        )
    if not has_devices(url):
        remedy = "https: server.tls_cert, or a proxy and server.public_url (docs/meeting.md)"
        return care("public address", f"at {url} browsers give no page a microphone or camera", remedy)
    return well("public address", url)


def addresses(media: Media) -> Finding:
    """Whether media have an address to use."""
    present = host_addresses()
    try:
        chosen = choose_addresses(media.ice_addresses, present)
    except EngineStartError as error:
        return broken("media addresses", str(error), "set media.ice_addresses, or give this host an address")
    seen = f", seen by clients as {media.public_address}" if media.public_address else ""
    return well("media addresses", f"{', '.join(chosen)}{seen}")


def udp_ports(media: Media) -> Finding:
    """How many of the media ports nobody else has. What a firewall does is seen only from outside: `turn` tries."""
    taken = [port for port in range(media.port_min, media.port_max + 1) if not _is_free(port)]
    total = media.port_max - media.port_min + 1
    named = f"UDP {media.port_min} to {media.port_max}"
    some = f", such as {taken[0]}" if taken else ""
    if total - len(taken) < PORTS_NEEDED:
        remedy = f"{PORTS_NEEDED} should be: widen media.port_min to media.port_max; ss -lunp shows who has them"
        verdict = broken if len(taken) == total else care
        return verdict("media ports", f"of {named} only {total - len(taken)} of {total} are free{some}", remedy)
    return well("media ports", f"{named}: {total - len(taken)} of {total} are free (your firewall must let them in)")


def _bind(kind: socket.SocketKind, host: str, port: int) -> None:
    """Listen and let go again. Raises `OSError`."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=kind)[0]
    with socket.socket(family, kind) as tried:
        if kind is socket.SOCK_STREAM:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tried.bind(address)
        if kind is socket.SOCK_STREAM:
            tried.listen(1)


def _is_free(port: int) -> bool:
    try:
        _bind(socket.SOCK_DGRAM, "0.0.0.0", port)  # noqa: S104 - as Janus does
    except OSError:
        return False
    return True

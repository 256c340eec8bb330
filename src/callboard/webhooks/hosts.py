"""What a URL says about where it leads, judged before any name is asked for. Pure.

Owns: `host_of`, `url_problem`.

Always holds: a host is a canonical IP address or a plain name; every other spelling of an address that some resolver
or other would understand (127.1, 0x7f000001, 017700000001, ①②⑦.⓪.⓪.①, 127.0.0.1.) is refused, so nobody takes a
host for a name that another takes for an address.
"""

from __future__ import annotations

import re
import unicodedata
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import urlsplit

from callboard.webhooks.guard import Address, Policy

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LOOPBACK_NAMES = frozenset(["localhost", "localhost6", "ip6-localhost", "ip6-loopback"])
_METADATA_NAMES = frozenset(
    ["metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"]
)
_INTERNAL = re.compile(r"[^.]*|.*\.(internal|intranet|local|localdomain|lan|home|corp|private|home\.arpa|svc)")
_LOOPBACK = (IPv4Address("127.0.0.1"), IPv6Address("::1"))

REFUSED = "must lead to a public address, or into a network that the operator allows (webhooks.allowed_networks)"
"""The same for every reason: nobody is told what there is in here."""


class HostError(ValueError):
    """The host is neither a canonical address nor a name. The message says what is allowed."""


def host_of(text: str) -> Address | str:
    """The address that `text` is, or the name, in lower case and without a dot at the end. Raises `HostError`."""
    if ":" in text:
        return _v6(text)
    try:
        return IPv4Address(text)
    except AddressValueError:
        return _name(text.lower().removesuffix("."))


def _v6(text: str) -> IPv6Address:
    try:
        address = IPv6Address(text)
    except AddressValueError:
        raise HostError("must have an IPv6 address in its brackets") from None
    if address.scope_id is not None:
        raise HostError("must have an IPv6 address without a zone")
    return address


def _name(name: str) -> str:
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise HostError("must have a host of letters, digits, hyphens and dots (international names as xn--…)")
    if _NUMERIC.fullmatch(labels[-1]):
        raise HostError("must have an IPv4 address as four decimal numbers (192.0.2.1), or a name")
    if any(_disguised(label) for label in labels if label.startswith("xn--")):
        raise HostError("must not have a name that only looks international")
    return name


def _disguised(label: str) -> bool:
    """Whether the label is no proper international one: it cannot be decoded, or comes to plain ASCII (UTS 46)."""
    try:
        decoded = label.removeprefix("xn--").encode("ascii").decode("punycode")
    except UnicodeError:
        return True
    folded = unicodedata.normalize("NFKC", decoded).casefold()
    visible = "".join(one for one in folded if unicodedata.category(one) not in {"Cf", "Mn", "Cc"})
    return visible.isascii() or any(one in ".。．｡" for one in visible)


def permits_host(policy: Policy, host: Address | str, port: int) -> bool:
    """Whether the host may be asked for, before it is known where it is. Addresses that a name has come later."""
    if not isinstance(host, str):
        return policy.permits(host, port)
    if port in policy.denied_ports or host in _METADATA_NAMES:
        return False
    if host in _LOOPBACK_NAMES or host.endswith(".localhost"):
        return any(policy.permits(address, port) for address in _LOOPBACK)
    return bool(policy.allowed) or not _INTERNAL.fullmatch(host)


def url_problem(policy: Policy, url: str) -> str:
    """What is wrong with where the URL leads, as far as it says so itself; "" if nothing. `url` has the form that
    `endpoint` demands.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if port in policy.denied_ports:
        return f"must not have port {port}: it is another service's (webhooks.denied_ports)"
    try:
        host = _v6(parts.hostname or "") if "[" in parts.netloc else host_of(parts.hostname or "")
    except HostError as problem:
        return str(problem)
    return "" if permits_host(policy, host, port) else REFUSED

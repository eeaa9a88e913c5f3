"""No server-side request forgery: a hook connects to public addresses, and to those allowed.

What is checked is the very address that a socket is about to connect to, after names are resolved:
a name that resolves to something else the next time (DNS rebinding) wins nothing.

References:
    [1] Standard Webhooks 1.0, "Server side request forgery (SSRF)": never into internal networks.
    [2] IANA special-purpose address registries, as Python's `ipaddress.is_global` has them.
"""

import ipaddress
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Final

Network = IPv4Network | IPv6Network

METADATA: Final = (ipaddress.ip_address("168.63.129.16"),)
"""Azure's WireServer: the metadata address of a cloud that lies in public space (Microsoft Learn,
"What is IP address 168.63.129.16?"). Those of the others are link-local or private [2]."""
NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""Holds an IPv4 address in its last 32 bits (RFC 6052, section 2.1)."""


class RefusedAddressError(OSError):
    """A connection to an address that hooks may not reach."""


class AddressGuard:
    """Which addresses a route may connect to."""

    def __init__(self, allowed: Sequence[Network] = (), *, allowed_only: bool = False) -> None:
        """Let public addresses pass and those in `allowed`; or, `allowed_only`, none but these."""
        self._allowed = tuple(allowed)
        self._allowed_only = allowed_only

    def check(self, address: str) -> None:
        """Let an address pass, as text (an IPv6 scope may follow).

        Raises:
            RefusedAddressError: It is neither public nor allowed, or no address at all.
        """
        try:
            ip = ipaddress.ip_address(address.partition("%")[0])
        except ValueError as error:
            raise RefusedAddressError(f"{address!r} is no address") from error
        for one in [*_embedded(ip)] or [ip]:
            if any(one in network for network in self._allowed):
                continue
            if self._allowed_only:
                raise RefusedAddressError(f"{one} is not in allow_networks, which http:// needs")
            if not one.is_global or one.is_multicast or one.is_reserved or one in METADATA:
                raise RefusedAddressError(f"{one} is not public and not in allow_networks")

    def socket(self, info: tuple[Any, ...]) -> socket.socket:
        """Return a socket for an answer of `getaddrinfo`, as aiohttp asks for one.

        Raises:
            RefusedAddressError: It may not be connected to.
        """
        family, kind, protocol, _, address = info
        self.check(str(address[0]))
        return socket.socket(family, kind, protocol)

    @contextmanager
    def in_this_thread(self) -> Iterator[list[str]]:
        """Refuse what the calling thread connects to by whatever library; yields what it refused.

        For clients that let nobody choose their sockets: Python tells every connection to the
        audit hooks before it is made (PEP 578).
        """
        _install()
        refused: list[str] = []
        _of_thread.guard, _of_thread.refused = self, refused
        try:
            yield refused
        finally:
            _of_thread.guard = None


def _embedded(ip: IPv4Address | IPv6Address) -> Iterator[IPv4Address | IPv6Address]:
    """Yield the IPv4 address that an IPv6 address leads to by a mapping or a translation.

    >>> list(_embedded(ipaddress.ip_address("::ffff:127.0.0.1")))
    [IPv4Address('127.0.0.1')]
    """
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            yield ip.ipv4_mapped
        if ip.sixtofour is not None:
            yield ip.sixtofour
        if ip.teredo is not None:
            yield ip.teredo[1]
        if ip in NAT64:
            yield IPv4Address(int(ip) & 0xFFFFFFFF)


class _OfThread(threading.local):
    guard: AddressGuard | None = None

    def __init__(self) -> None:
        self.refused: list[str] = []


_of_thread = _OfThread()
_installing = threading.Lock()
_installed: list[bool] = []


def _install() -> None:
    """Install the audit hook, once: Python cannot take one away again."""
    with _installing:
        if not _installed:
            sys.addaudithook(_audit)
            _installed.append(True)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "socket.connect" or _of_thread.guard is None:
        return
    address = arguments[1]
    if not isinstance(address, tuple):
        raise RefusedAddressError("a hook may not connect to a local socket")
    try:
        _of_thread.guard.check(str(address[0]))
    except RefusedAddressError as error:
        _of_thread.refused.append(str(error))
        raise

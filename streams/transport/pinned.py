"""What we rely on inside Faust and aiokafka, pinned: an upgrade that changes it fails a test.

Overridden or called functions are pinned by the SHA-256 of their source, attributes that are read
or set by their mere name in the source of the function that makes them. After an upgrade: read what
changed, adapt, run the exactly-once tests, then `python -m streams.transport.pinned` prints the
new table.
"""

import hashlib
import importlib
import inspect
import sys
from collections.abc import Mapping
from importlib.metadata import version
from typing import Final

VERSIONS: Final[Mapping[str, str]] = {
    "faust-streaming": "0.15.3",
    "aiokafka": "0.14.0",
}
"""The versions that the hashes below belong to."""

SOURCES: Final[Mapping[str, tuple[str, str]]] = {}
"""For each function: the SHA-256 of its source, cut to 16 digits, and why we rely on it."""


def _source_of(name: str) -> str | None:
    """Return the source of `module:qualified.name`, None when there is none."""
    module, _, path = name.partition(":")
    found: object = importlib.import_module(module)
    for part in path.split("."):
        found = vars(found).get(part) if inspect.isclass(found) else getattr(found, part, None)
        if found is None:
            return None
    found = getattr(found, "fun", found)  # mode wraps its tasks in `ServiceTask`
    return inspect.getsource(inspect.unwrap(found))  # type: ignore[arg-type] # a function or class


def fingerprint(name: str) -> str | None:
    """Return the first 16 hexadecimal digits of the SHA-256 of a function's source."""
    source = _source_of(name)
    return None if source is None else hashlib.sha256(source.encode()).hexdigest()[:16]


def changes() -> list[str]:
    """Return what differs from what is pinned, one line each; nothing when all is as it was."""
    lines = []
    for package, pinned in VERSIONS.items():
        if version(package) != pinned:
            lines.append(f"{package} is {version(package)}, pinned is {pinned}")
    for name, (pinned, why) in SOURCES.items():
        now = fingerprint(name)
        if now is None:
            lines.append(f"{name} is gone; {why}")
        elif now != pinned:
            lines.append(f"{name} has changed ({now}, pinned is {pinned}); {why}")
    return lines


def main() -> None:
    """Print the table for the installed versions."""
    for name, (_, why) in SOURCES.items():
        sys.stdout.write(
            f'    "{name}": (\n        "{fingerprint(name)}",\n        "{why}",\n    ),\n'
        )


if __name__ == "__main__":
    main()

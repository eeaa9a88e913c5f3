"""What a server that ended says about why, in the sentences of Kafka 4.1, Valkey and the JVM."""

import re
from typing import Final

from streams.local.errors import LocalServerError, Reason

_OLD_JAVA: Final = "install Java 17 or newer, or unset JAVA_HOME so that the wheel's is used"

_SENTENCES: Final = (
    (
        r"Address already in use",
        Reason.PORT_TAKEN,
        "another program listens on its port",
        "name another port, or end that program",
    ),
    (
        r"Failed to acquire lock on file .*\.lock",
        Reason.DIRECTORY_LOCKED,
        "another Kafka uses its data directory",
        "end that Kafka, or choose another directory",
    ),
    (
        r"Invalid cluster\.id|Stored node id .* doesn't match|InconsistentClusterIdException",
        Reason.OTHER_CLUSTER,
        "its data directory belongs to another cluster",
        "choose another data directory, or remove that one if nothing in it is needed",
    ),
    (
        r"No space left on device|Disk quota exceeded",
        Reason.DISK_FULL,
        "the disk is full",
        "free some space, or choose a data directory (or TMPDIR) on another disk",
    ),
    (
        r"UnsupportedClassVersionError",
        Reason.JAVA_TOO_OLD,
        "its Java is too old",
        _OLD_JAVA,
    ),
    (
        r"Could not find or load main class|NoClassDefFoundError|ZipException",
        Reason.DAMAGED_JAR,
        "its jars are not whole",
        "remove the directory `hotspots/jars` in your cache and start again",
    ),
)


def explain(log: str, *, server: str, returncode: int, where: object) -> LocalServerError:
    """Turn the log of a server that ended by itself into an error.

    Args:
        log: What it wrote.
        server: Its name.
        returncode: Its exit code.
        where: Its address or directory, for the message.
    """
    for pattern, problem, what, remedy in _SENTENCES:
        if re.search(pattern, log):
            return LocalServerError(problem, f"{server} ended: {what}", where=where, remedy=remedy)
    return LocalServerError(
        Reason.ENDED_EARLY,
        f"{server} ended with code {returncode}: {_telling_line(log)}",
        where=where,
        remedy="check what was set for it, or name another server (HOTSPOTS_KAFKA, HOTSPOTS_REDIS)",
    )


def _telling_line(log: str) -> str:
    """Return the line most likely to say why: the last that names an error, else the last."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    telling = [
        line
        for line in lines
        if re.search(r"ERROR|FATAL|Exception|Error", line) and not line.startswith("at ")
    ]
    return ([*lines[-1:], *telling[-1:]] or ["it wrote nothing"])[-1][:300]

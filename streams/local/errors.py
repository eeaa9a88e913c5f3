"""What can keep a local server from running, each told in one line with its remedy."""

from enum import StrEnum


class Problem(StrEnum):
    """The closed set of reasons; the same word serves the message, the log and the tests."""

    JAVA_TOO_OLD = "java_too_old"
    JAVA_MISSING = "java_missing"
    PORT_TAKEN = "port_taken"
    DIRECTORY_LOCKED = "directory_locked"
    DIRECTORY_UNUSABLE = "directory_unusable"
    OTHER_CLUSTER = "other_cluster"
    DAMAGED_JAR = "damaged_jar"
    NO_NETWORK = "no_network"
    DISK_FULL = "disk_full"
    UNSUPPORTED_SYSTEM = "unsupported_system"
    NOT_INSTALLED = "not_installed"
    ENDED_EARLY = "ended_early"
    NOT_READY = "not_ready"


class LocalServerError(RuntimeError):
    """A local server cannot run: what went wrong, where, and how to mend it."""

    def __init__(self, problem: Problem, what: str, *, where: object, remedy: str) -> None:
        self.problem = problem
        self.what = what
        self.where = str(where)
        self.remedy = remedy
        super().__init__(" ".join(f"{what} ({where}): {remedy}".split()))

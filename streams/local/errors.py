"""What can keep a local server from running, each told in one line with its remedy."""

from enum import StrEnum

from streams.errors import UserError


class Reason(StrEnum):
    """The closed set of reasons; the same word serves the code and the tests."""

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


class LocalServerError(UserError):
    """A local server cannot run: what went wrong, where, and how to mend it."""

    def __init__(self, reason: Reason, what: str, *, where: object, remedy: str) -> None:
        self.reason = reason
        self.where = str(where)
        self.remedy = remedy
        super().__init__(what, self.where, remedy)

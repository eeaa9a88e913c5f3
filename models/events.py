"""The contract of an engagement event, version 1: fields, limits, reasons of rejection, columns.

docs/events.md tells it to platforms; a test holds the two together.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Final

import numpy as np
import numpy.typing as npt

from models.details import Comment, Details
from models.parameters import MINUTE_MS
from models.vocabulary import Action

END_MARK_KEY: Final = b"hotspots:end"
"""Key of the message, with a null value, that closes a replay (docs/architecture.md)."""

EARLIEST_MS: Final = 946_684_800_000
"""2000-01-01T00:00:00Z, before any platform of the model. It is there for units: seconds taken for
milliseconds land in January 1970, and microseconds land beyond `max_ahead_ms`."""

COUNT_MAX: Final = 10**12
"""Sixty times the views of the most viewed video there is (1.6e10), and nine million such events
still add up within an int64."""

NAME_CHARACTERS_MAX: Final = 256
"""The longest id, topic, label or name: each may become a key of state, so it needs a limit; the
longest ids in use, URLs aside, are UUIDs and hashes of 32 to 128 characters."""

NAMES_MAX: Final = 64
"""The longest list of topics or labels; platforms allow about 30 hashtags a post."""

TITLE_CHARACTERS_MAX: Final = 1_000
"""What is kept of a title; the rest is cut off, for a long title is no reason to lose an event."""

NESTING_MAX: Final = 256
"""The deepest nesting that is read (RFC 8259, section 9, allows a limit): no field nests deeper
than 2, and Python's own parser gives up at about 1,000, depending on who calls it."""

RETRACTABLE: Final = frozenset(
    {
        Action.LIKE,
        Action.BOOKMARK,
        Action.FOLLOW,
        Action.TIP,
        Action.DISLIKE,
        Action.REPORT,
        Action.COMMENT,
        Action.REPLY,
        Action.DANMAKU,
        Action.COMMENT_LIKE,
        Action.SHARE,
        Action.REPOST,
    },
)
"""What the person who did it can undo; what was seen stays seen, and a work goes by `delete`."""


class RejectReason(StrEnum):
    """Why a message is not counted: a closed set, used in headers, metrics and tests."""

    TOMBSTONE = "tombstone"
    TOO_LARGE = "too_large"
    EMPTY = "empty"
    NOT_UTF8 = "not_utf8"
    NESTED_TOO_DEEPLY = "nested_too_deeply"
    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    MISSING_FIELD = "missing_field"
    MISTYPED_FIELD = "mistyped_field"
    INVALID_VALUE = "invalid_value"
    UNKNOWN_ACTION = "unknown_action"
    UNKNOWN_ROLE = "unknown_role"
    NOT_RETRACTABLE = "not_retractable"
    COUNT_OUT_OF_RANGE = "count_out_of_range"
    TIME_UNREADABLE = "time_unreadable"
    TIME_TOO_EARLY = "time_too_early"
    TIME_TOO_FAR_AHEAD = "time_too_far_ahead"


class FieldKind(Enum):
    """What the value of a field must be; `null` always stands for an absent field."""

    TIME = auto()
    COUNT = auto()
    NAME = auto()
    TEXT = auto()
    WHOLE_NUMBER = auto()
    SENTIMENT = auto()
    NAMES = auto()


FIELDS: Final = {
    "time": FieldKind.TIME,
    "platform": FieldKind.NAME,
    "video_id": FieldKind.NAME,
    "action": FieldKind.NAME,
    "count": FieldKind.COUNT,
    "event_id": FieldKind.NAME,
    "actor_id": FieldKind.NAME,
    "actor_role": FieldKind.NAME,
    "actor_region": FieldKind.NAME,
    "actor_age_days": FieldKind.WHOLE_NUMBER,
    "actor_followers": FieldKind.WHOLE_NUMBER,
    "via_actor_id": FieldKind.NAME,
    "comment_id": FieldKind.NAME,
    "parent_id": FieldKind.NAME,
    "text": FieldKind.TEXT,
    "sentiment": FieldKind.SENTIMENT,
    "watch_ms": FieldKind.WHOLE_NUMBER,
    "source_video_id": FieldKind.NAME,
    "source_platform": FieldKind.NAME,
    "source_comment_id": FieldKind.NAME,
    "topics": FieldKind.NAMES,
    "title": FieldKind.TEXT,
    "creator_id": FieldKind.NAME,
    "creator_followers": FieldKind.WHOLE_NUMBER,
    "mcn": FieldKind.NAME,
    "duration_ms": FieldKind.WHOLE_NUMBER,
    "vertical": FieldKind.NAME,
    "labels": FieldKind.NAMES,
    "fingerprint": FieldKind.NAME,
    "retracts": FieldKind.NAME,
}
"""Every field that is read; others are ignored."""

REQUIRED_FIELDS: Final = ("time", "platform", "video_id", "action")

PROFILE_FIELDS: Final = (
    "title",
    "creator_id",
    "creator_followers",
    "mcn",
    "duration_ms",
    "vertical",
    "labels",
    "fingerprint",
    "topics",
    "source_comment_id",
)
"""What goes into a profile as it came, in this order; `source` is added (models/validation.py)."""

FIRST_OF_VIDEO: Final = frozenset({Action.PUBLISH, Action.DERIVE})
"""The actions that bring a video into being; they always carry a profile."""


@dataclass(frozen=True, slots=True)
class DecodingLimits:
    """The bounds that a platform may set.

    Attributes:
        max_ahead_ms: How far an event's time may lie ahead of the broker's append time, or of the
            time of reception; ten minutes allow for clocks of phones that were set by hand.
        earliest_ms: The earliest event time.
        message_bytes_max: The largest message that is read; Kafka's own default for a message is
            1 MB, so this stands only where a platform has raised that.
    """

    max_ahead_ms: int = 10 * MINUTE_MS
    earliest_ms: int = EARLIEST_MS
    message_bytes_max: int = 8 * 2**20

    def __post_init__(self) -> None:
        """Check the bounds.

        Raises:
            ValueError: A bound would let nothing through, or times before the epoch.
        """
        if self.max_ahead_ms < 0 or self.earliest_ms < 0 or self.message_bytes_max < 1:
            raise ValueError(f"a limit is negative or lets nothing through: {self}")


class RejectedEventError(ValueError):
    """A message that is not an event; carries the reason."""

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Reject:
    """A message that was not counted, as it came.

    Attributes:
        offset: Where it stands in its source partition.
        key: Its key.
        value: Its original bytes; None for a tombstone.
        reason: Why, out of the closed set.
        detail: What exactly, for an operator; never an id of a person.
    """

    offset: int
    key: bytes | None
    value: bytes | None
    reason: RejectReason
    detail: str


@dataclass(frozen=True, slots=True)
class EventColumns:
    """Normalised events in log order; all arrays have one length, n.

    Attributes:
        offset: int64[n], source offset.
        time_ms: int64[n], event time, ms since the epoch.
        videos: The distinct video keys (models/identity.py), in order of first appearance.
        video: int32[n], index into `videos`.
        action: uint8[n], code of the action; a retraction has that of what it takes back.
        count: int64[n], events; negative for a retraction.
        actor: uint64[n], keyed hash of the actor (models/identity.py), ABSENT_HASH when absent.
        role: uint8[n], code of the actor's role.
        event: uint64[n], keyed hash of the event's id, ABSENT_HASH when absent.
        sources: Row and video key of what each `derive` was made from, in order of rows.
        profiles: Row and JSON text of the profiles, in order of rows.
        details: DETAIL[d] (models/details.py) of the rows that have any, ascending by row.
        regions: The distinct regions that the details name, in order of first appearance.
        comments: The comments of the rows that have a text, in order of rows.
    """

    offset: npt.NDArray[np.int64]
    time_ms: npt.NDArray[np.int64]
    videos: list[str]
    video: npt.NDArray[np.int32]
    action: npt.NDArray[np.uint8]
    count: npt.NDArray[np.int64]
    actor: npt.NDArray[np.uint64]
    role: npt.NDArray[np.uint8]
    event: npt.NDArray[np.uint64]
    sources: list[tuple[int, str]]
    profiles: list[tuple[int, str]]
    details: Details
    regions: list[str]
    comments: list[Comment]

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.offset)

"""The contract of a guidance action: what people did about a hotspot, told on `guidance-actions`.

docs/actions.md tells it to platforms, docs/guidance-action.schema.json to programs. An action
names a video or a topic, the level of the papers [1] that it was taken on, and what it was; the
words for kinds are the team's own.

References:
    [1] seed 000, section 4, strategies (1) to (3).
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

from models.events import DecodingLimits, FieldKind, RejectedEventError, RejectReason
from models.guidance_rules import GuidanceLevel
from models.identity import split_video_key, video_key
from models.validation import CHECK_OF_KIND, object_of, platform_of, time_of
from models.works import TOPIC

GUIDANCE_ACTIONS: Final = "guidance-actions"
"""Logical name of the topic."""

ACTION_FIELDS: Final = {
    "action_id": FieldKind.NAME,
    "taken_at": FieldKind.TIME,
    "platform": FieldKind.NAME,
    "video_id": FieldKind.NAME,
    "topic": FieldKind.NAME,
    "split_from": FieldKind.NAME,
    "level": FieldKind.NAME,
    "kind": FieldKind.NAME,
    "by": FieldKind.NAME,
    "note": FieldKind.TEXT,
    "alert_id": FieldKind.NAME,
}
"""Every field that is read; others are ignored."""

REQUIRED_ACTION_FIELDS: Final = ("action_id", "taken_at", "level", "kind")
"""Besides these: `platform` and `video_id`, or `topic`."""

NOTE_CHARACTERS_MAX: Final = 1_000
"""What is kept of a note, as of a title."""

_FIRST_BYTE: Final = b"{"
"""An action on `video-stages` is JSON; a report begins with 0xFFFFFFFF (Arrow's encapsulated
messages)."""


@dataclass(frozen=True, slots=True)
class GuidanceAction:
    """One action that was taken.

    Attributes:
        action_id: Whoever tells it twice under one id tells it once.
        taken_at_ms: Event time.
        subject: Key of the video (models/identity.py), or `topic:NAME`.
        level: On which level of guidance.
        kind: What was done, in the team's own words: `pin_comment`.
        by: Who did it, or an empty string.
        note: For people, or an empty string.
        alert_id: The alert that it answers, or an empty string.
        split_from: A topic that the one of the subject is never to be one work with
            (models/topic_merges.py), or an empty string.
    """

    action_id: str
    taken_at_ms: int
    subject: str
    level: str
    kind: str
    by: str = ""
    note: str = ""
    alert_id: str = ""
    split_from: str = ""

    @property
    def is_about_topic(self) -> bool:
        """Whether it was taken on a topic, and not on a video."""
        return self.subject.startswith(f"{TOPIC}:")

    @property
    def shown_subject(self) -> str:
        """The subject as alerts name it: `platform/video_id`, or `topic:NAME`."""
        if self.is_about_topic:
            return self.subject
        return "/".join(split_video_key(self.subject))

    def to_dict(self) -> dict[str, Any]:
        """Return what alerts and the board say of it, without what was left out."""
        said = {
            "action_id": self.action_id,
            "taken_at_ms": self.taken_at_ms,
            "guidance_level": self.level,
            "kind": self.kind,
            "by": self.by,
            "note": self.note,
            "alert_id": self.alert_id,
        }
        return {name: value for name, value in said.items() if value != ""}


def validate_action(
    value: bytes | None, *, latest_ms: int, limits: DecodingLimits
) -> GuidanceAction:
    """Read one message of `guidance-actions`.

    Args:
        value: The message.
        latest_ms: The latest time that is still credible.
        limits: Bounds, as for events.

    Raises:
        RejectedEventError: The message is not an action of the contract (docs/actions.md).
    """
    fields = object_of(value, limits)
    said = {name: fields[name] for name in ACTION_FIELDS if fields.get(name) not in (None, "")}
    for name in REQUIRED_ACTION_FIELDS:
        if name not in said:
            raise RejectedEventError(RejectReason.MISSING_FIELD, name)
    for name, field in said.items():
        CHECK_OF_KIND[ACTION_FIELDS[name]](name, field)
    if said["level"] not in tuple(GuidanceLevel):
        levels = ", ".join(GuidanceLevel)
        raise RejectedEventError(RejectReason.INVALID_VALUE, f"level is none of {levels}")
    return GuidanceAction(
        action_id=str(said["action_id"]),
        taken_at_ms=time_of(said["taken_at"], latest_ms=latest_ms, limits=limits),
        subject=_subject_of(said),
        level=str(said["level"]),
        kind=str(said["kind"]),
        by=str(said.get("by", "")),
        note=str(said.get("note", ""))[:NOTE_CHARACTERS_MAX],
        alert_id=str(said.get("alert_id", "")),
        split_from=_split_from(said),
    )


def _subject_of(said: dict[str, object]) -> str:
    """Return the key of the video, or the id of the topic."""
    if ("video_id" in said) == ("topic" in said):
        both = "both video_id and topic" if "topic" in said else "neither video_id nor topic"
        raise RejectedEventError(RejectReason.INVALID_VALUE, both)
    if "topic" in said:
        return f"{TOPIC}:{said['topic']}"
    if "platform" not in said:
        raise RejectedEventError(RejectReason.MISSING_FIELD, "platform")
    return video_key(platform_of("platform", said["platform"]), str(said["video_id"]))


def _split_from(said: dict[str, object]) -> str:
    """Return the topic that another is split from, or an empty string."""
    other = str(said.get("split_from", ""))
    if other and said.get("topic", other) == other:
        raise RejectedEventError(RejectReason.INVALID_VALUE, "split_from needs another topic")
    return other


def encode_action(action: GuidanceAction) -> bytes:
    """Return the message that tells an action on `video-stages`."""
    return json.dumps(asdict(action), ensure_ascii=False, separators=(",", ":")).encode()


def is_action(value: bytes) -> bool:
    """Tell whether a message of `video-stages` is an action, and not a report."""
    return value.startswith(_FIRST_BYTE)


def decode_action(value: bytes) -> GuidanceAction:
    """Return the action of a message.

    Raises:
        ValueError: It is damaged.
    """
    try:
        return GuidanceAction(**json.loads(value))
    except (TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"not a guidance action: {error}") from error

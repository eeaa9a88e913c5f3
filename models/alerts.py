"""What the monitor tells: alerts as CloudEvents 1.0, with ids derived from what happened.

The same log gives the same ids whatever was killed, replayed or scaled in between, so a consumer
may drop an id that it has seen. `time` is event time.

References:
    [1] CloudEvents specification 1.0.2, section 3 (context attributes).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

ALERTS: Final = "alerts"
"""Logical name of the topic that carries them."""


class AlertType(StrEnum):
    """Every type of alert (docs/alerts.md)."""

    STAGE_ENTERED = "hotspot.stage.entered"
    EMERGING = "hotspot.emerging"
    CONFIRMED = "hotspot.confirmed"
    FADED = "hotspot.faded"
    QUALITY_COMMENTS = "hotspot.guidance.quality_comments"
    RESONANT_SYMBOLS = "hotspot.guidance.resonant_symbols"
    NEGATIVE_VALUE_SURGE = "hotspot.guidance.negative_value_surge"
    INTERRUPTION_RISK = "hotspot.guidance.interruption_risk"
    HOMOGENISATION = "hotspot.guidance.homogenisation"
    EXPERTS_WANTED = "hotspot.guidance.experts_wanted"
    ELITE_ENTRY = "hotspot.guidance.elite_entry"
    DEEP_CREATION = "hotspot.guidance.deep_creation"
    GUIDANCE_EFFECT = "hotspot.guidance.effect"
    COORDINATED_PUSH = "hotspot.integrity.coordinated_push"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert, before it is written down.

    Attributes:
        type: What is told.
        time_ms: Event time.
        subject: The video (`platform/video_id`) or topic it is about.
        occurrence: What distinguishes this alert from others of its type and subject.
        data: The payload; always `reason`, `platform` and `video_id` or `topic`.
    """

    type: AlertType
    time_ms: int
    subject: str
    occurrence: str
    data: Mapping[str, Any]

    @property
    def id(self) -> str:
        """A digest of type, subject, occurrence and event time."""
        what = "\x1f".join((self.type, self.subject, self.occurrence, str(self.time_ms)))
        return hashlib.sha256(what.encode()).hexdigest()[:32]

    def to_event(self) -> dict[str, Any]:
        """Return the CloudEvent."""
        return {
            "specversion": "1.0",
            "id": self.id,
            "source": "hotspots",
            "type": self.type.value,
            "time": rfc3339(self.time_ms),
            "subject": self.subject,
            "datacontenttype": "application/json",
            "data": dict(self.data),
        }

    def to_bytes(self) -> bytes:
        """Return the CloudEvent as JSON."""
        return json.dumps(self.to_event(), ensure_ascii=False, separators=(",", ":")).encode()


def rfc3339(time_ms: int) -> str:
    """Return a time as RFC 3339 in UTC with milliseconds.

    >>> rfc3339(1_693_353_600_123)
    '2023-08-30T00:00:00.123Z'
    """
    seconds, milliseconds = divmod(time_ms, 1_000)
    stamp = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{stamp}.{milliseconds:03d}Z"

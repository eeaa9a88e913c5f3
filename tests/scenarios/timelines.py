"""Timelines: what people do, hour by hour, through the real steps; the alerts that come of it.

A timeline begins in the midst of ordinary life, at noon, so that the daily rhythm is flat enough
for its hours. Every event is one of the contract (docs/events.md), and nothing but events goes in.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from models.events import DecodingLimits
from models.parameters import DAY_MS, HOUR_MS, MINUTE_MS, Level, Parameters
from streams.offline.backtest import Backtest

NOON_MS = 1_693_353_600_000 // DAY_MS * DAY_MS + 12 * HOUR_MS
RECEIVED_MS = 1 << 52
LEVEL = 10_000
PARAMETERS = Parameters(level=Level("view", LEVEL), bucket_ms=MINUTE_MS, learn_forecast=False)


@dataclass
class Timeline:
    """What happens, in any order; times are in hours from noon.

    Attributes:
        lines: Events so far, with their times.
        actions: What the team did, as it tells it on `guidance-actions`.
        people: How many different people have taken part.
    """

    lines: list[tuple[int, int, dict[str, Any]]] = field(default_factory=list)
    actions: list[dict[str, Any]] = field(default_factory=list)
    people: int = 0

    def event(self, hour: float, video: str, action: str, **fields: object) -> None:
        """Let one thing happen to `platform/video_id`."""
        platform, _, video_id = video.partition("/")
        time_ms = NOON_MS + round(hour * HOUR_MS)
        told = {"time": time_ms, "platform": platform, "video_id": video_id, "action": action}
        self.lines.append((time_ms, len(self.lines), told | fields))

    def act(self, hour: float, action_id: str, level: str, kind: str, **fields: object) -> None:
        """Let the team do something about a video (platform, video_id) or a topic."""
        time_ms = NOON_MS + round(hour * HOUR_MS)
        told = {"action_id": action_id, "taken_at": time_ms, "level": level, "kind": kind}
        self.actions.append(told | fields)

    def publish(self, hour: float, video: str, **fields: object) -> None:
        """Let a video be published by its creator."""
        self.event(hour, video, "publish", actor_role="creator", **fields)

    def derive(self, hour: float, video: str, source: str, **fields: object) -> None:
        """Let a video be made from another."""
        platform, _, video_id = source.partition("/")
        more = {"source_platform": platform, "source_video_id": video_id, "actor_role": "creator"}
        self.event(hour, video, "derive", **{**more, **fields})

    def during(self, first: float, last: float, video: str, action: str, per_hour: float) -> None:
        """Let pre-counted events come evenly, every five minutes."""
        steps = round((last - first) * 12)
        done = 0
        for step in range(steps):
            due = int(per_hour * (step + 1) / 12)
            if due > done:
                self.event(first + step / 12, video, action, count=due - done)
            done = due

    def crowd(
        self,
        first: float,
        last: float,
        video: str,
        action: str,
        per_hour: float,
        who: Callable[[int], dict[str, Any]] = lambda _number: {},
    ) -> None:
        """Let different people do something, evenly; `who` says more of the n-th of them."""
        count = round((last - first) * per_hour)
        for number in range(count):
            self.people += 1
            hour = first + (number + 0.5) * (last - first) / count
            self.event(hour, video, action, actor_id=f"person-{self.people}", **who(number))

    def rise(self, first: float, last: float, video: str, views: float = 2_500) -> None:
        """Let a video be seen, liked, discussed and shared far above the ordinary."""
        self.during(first, last, video, "view", views)
        self.crowd(first, last, video, "like", views * 0.4)
        self.crowd(first + 1, last, video, "comment", views * 0.12)
        self.crowd(first + 2, last, video, "share", views * 0.08)


def alerts_of(
    timeline: Timeline, until: float, parameters: Parameters = PARAMETERS
) -> list[dict[str, Any]]:
    """Return the alerts of a timeline, up to an hour of its own."""
    return outcome_of(timeline, until, parameters)[0]


def outcome_of(
    timeline: Timeline, until: float, parameters: Parameters = PARAMETERS
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the alerts of a timeline, up to an hour of its own, and the board as of then."""
    timeline.event(until, "clock/ticks", "view")
    lines = [json.dumps(event).encode() for _, _, event in sorted(timeline.lines)]
    backtest = Backtest(parameters, bytes(16), DecodingLimits(), RECEIVED_MS)
    backtest.act(json.dumps(action).encode() for action in timeline.actions)
    told = [json.loads(alert) for _, some, _ in backtest.run(lines) for alert in some]
    assert not backtest.rejects
    assert backtest.pipeline.outcome.board is not None
    return told, json.loads(backtest.pipeline.outcome.board)


def guidance_of(alerts: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Return those of a kind of guidance or integrity: `guidance.homogenisation`."""
    return [alert for alert in alerts if alert["type"] == f"hotspot.{kind}"]


def hour_of(alert: dict[str, Any]) -> float:
    """Return when an alert happened, in hours of its timeline."""
    from datetime import datetime

    at_ms = datetime.fromisoformat(alert["time"]).timestamp() * 1_000
    return (at_ms - NOON_MS) / HOUR_MS

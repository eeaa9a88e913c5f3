"""How a hotspot came about: which of its alerts are kept, for as long as it is on boards.

The list of alerts holds the latest of all hotspots, and a viral topic has hundreds: a stage entered
by each derivative. A story keeps few for good: for each platform the first video that entered a
stage, was interrupted, came back or began to emerge, and of what is told of the hotspot as a whole
the latest of each type. That is what a picture of its stages needs.
"""

from collections.abc import Mapping
from typing import Any, Final

from models.alerts import AlertType
from models.works import TOPIC, VIDEO

STORY_LIMIT: Final = 96
"""Milestones in a story at most: five platforms with their stages and states are 45, and there are
20 types and roles told of the whole."""
STORIES_LIMIT: Final = 1_000
"""Hotspots with a story at most that are not on the board: as many as a board may show."""


def hotspots_of(alert: Mapping[str, Any]) -> list[str]:
    """Return the ids of the hotspots whose story an alert belongs to.

    An alert about a video belongs to the topics that the alert names, or else to the work that
    this video is (models/tracked_videos.py); but that one of its videos has faded is not the story
    of a topic.

    >>> hotspots_of({"type": "hotspot.emerging", "subject": "topic:t", "data": {}})
    ['topic:t']
    >>> hotspots_of({"type": "hotspot.emerging", "subject": "p/v", "data": {"topics": ["t"]}})
    ['topic:t']
    >>> hotspots_of({"type": "hotspot.emerging", "subject": "p/v", "data": {}})
    ['video:p/v']
    """
    subject = str(alert["subject"])
    if is_about_work(subject):
        return [subject]
    topics = alert["data"].get("topics", [])
    if not topics:
        return [f"{VIDEO}:{subject}"]
    return [] if alert["type"] == AlertType.FADED else [f"{TOPIC}:{topic}" for topic in topics]


def is_about_work(subject: str) -> bool:
    """Tell whether the subject of an alert is a work, not a video."""
    return subject.startswith((f"{TOPIC}:", f"{VIDEO}:"))


def is_told_once(alert: Mapping[str, Any]) -> bool:
    """Tell whether the first alert of a milestone stays; else the latest does."""
    return not is_about_work(str(alert["subject"])) and alert["type"] in (
        AlertType.STAGE_ENTERED,
        AlertType.EMERGING,
    )


def milestone_of(alert: Mapping[str, Any]) -> str:
    """Return the field of a story that an alert stands in.

    >>> data = {"platform": "p", "stage": "judgment", "state": "active"}
    >>> milestone_of({"type": "hotspot.stage.entered", "subject": "p/v", "data": data})
    'hotspot.stage.entered/p/judgment/active'
    """
    data = alert["data"]
    parts = [str(alert["type"])]
    if not is_about_work(str(alert["subject"])):
        parts.append(str(data.get("platform", "")))
    match alert["type"]:
        case AlertType.STAGE_ENTERED:
            parts += [data["stage"], data["state"]]
        case AlertType.ELITE_ENTRY:
            parts.append(data["role"])
        case AlertType.GUIDANCE_EFFECT:
            parts.append(data["action"]["action_id"])
    return "/".join(parts)

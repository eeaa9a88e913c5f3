"""An alert in a line and in a few, for chat and for Alertmanager; the whole of it is elsewhere."""

from typing import Any, Final

from models.alerts import AlertType

TEXT_CHARACTERS_MAX: Final = 1_500
"""A message that is read on a phone; the smallest limit of the services in docs/hooks.md is
DingTalk's 20,000 bytes for a message."""
SHOWN: Final = (
    ("suggestion", ""),
    ("why", ""),
    ("reason", "reason"),
    ("stage", "stage"),
    ("route", "route"),
    ("platform", "platform"),
    ("vertical", "vertical"),
)
"""Fields of an alert's data that a message shows, in this order, and what stands before them."""
_SAID: Final = {
    AlertType.STAGE_ENTERED: "enters {stage}",
    AlertType.EMERGING: "is emerging",
    AlertType.CONFIRMED: "is a hotspot",
    AlertType.FADED: "has faded",
    AlertType.QUALITY_COMMENTS: "has comments worth highlighting",
    AlertType.NEGATIVE_VALUE_SURGE: "is judged by exclusion",
    AlertType.INTERRUPTION_RISK: "may be interrupted",
    AlertType.HOMOGENISATION: "is being copied",
    AlertType.EXPERTS_WANTED: "lacks expert voices",
    AlertType.ELITE_ENTRY: "is taken up by {role}",
    AlertType.DEEP_CREATION: "has a creation worth supporting",
    AlertType.RESONANT_SYMBOLS: "has symbols worth taking up",
    AlertType.GUIDANCE_EFFECT: "has an action with a measured effect",
    AlertType.COORDINATED_PUSH: "is suspected to be pushed",
}
"""What each type says of its subject, in a message."""
_STATES: Final = {"interrupted": "is interrupted", "revived": "returns, and enters {stage}"}


def headline(alert: dict[str, Any]) -> str:
    """Return an alert in one line.

    >>> headline({"type": "hotspot.emerging", "subject": "douyin/v1",
    ...           "data": {"title": "a song", "probability": 0.912}})
    'a song is emerging (91 %)'
    """
    data = alert["data"]
    name = data.get("title") or data.get("topic") or alert["subject"]
    said = _SAID.get(alert["type"], str(alert["type"]))
    if alert["type"] == AlertType.STAGE_ENTERED:
        said = _STATES.get(str(data.get("state")), said)
    said = said.format(stage=data.get("stage", "a stage"), role=data.get("role", "others"))
    probability = data.get("probability")
    chance = f" ({probability:.0%})".replace("%", " %") if probability is not None else ""
    return f"{name} {said}{chance}"


def text_of(alert: dict[str, Any]) -> str:
    """Return the lines of a message: what to do and why, then what it is about, when, and its id.

    Cut to TEXT_CHARACTERS_MAX characters.
    """
    data = alert["data"]
    lines = []
    for field, name in SHOWN:
        said = data.get(field)
        said = "; ".join(map(str, said)) if isinstance(said, list) else said
        if said:
            lines.append(f"{name}: {said}" if name else str(said))
    text = "\n".join(lines)[:TEXT_CHARACTERS_MAX]
    return f"{text}\n{alert['subject']}, {alert['time']}\n{alert['id']}"

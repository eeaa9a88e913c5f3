"""Planted mechanisms against what was told of them, and guidance on what nothing was planted on.

A planted mechanism is detected by the first alert about its subject that gives it a time inside the
window. Guidance, and suspicion of pushing, on a video or work to which
nothing was planted is invented, whatever it says.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from models.alerts import AlertType
from models.vocabulary import Route, State
from streams.scenarios.truth import Kind, Mechanism, PlantedMechanism, Truth
from streams.scenarios.window import in_window, time_ms_of

Alert = Mapping[str, Any]

ADVICE: Final = ("hotspot.guidance.", "hotspot.integrity.")
"""Types of alerts that ask somebody to do something."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What an alert says of a mechanism.

    Attributes:
        time_ms: When it happened, as the alert says.
        told_ms: Event time of the alert.
        by: The type of the alert.
        figures: What it measured, in words; empty where it only tells that something happened.
    """

    time_ms: int
    told_ms: int
    by: str
    figures: str = ""


@dataclass(frozen=True, slots=True)
class JudgedMechanism:
    """A planted mechanism, and what showed it (None: nothing)."""

    planted: PlantedMechanism
    shown: Shown | None

    @property
    def delay_ms(self) -> int | None:
        """How long after the planted time; negative when before."""
        return None if self.shown is None else self.shown.time_ms - self.planted.time_ms


def _by_type(kind: AlertType, **wanted: str) -> Callable[[PlantedMechanism, Alert], int | None]:
    """Return what recognises alerts of a type whose data say so and so."""

    def recognise(_planted: PlantedMechanism, alert: Alert) -> int | None:
        data = alert["data"]
        told = alert["type"] == kind and all(data.get(k) == v for k, v in wanted.items())
        return time_ms_of(alert) if told else None

    return recognise


def _role(planted: PlantedMechanism, alert: Alert) -> int | None:
    told = alert["type"] == AlertType.ELITE_ENTRY and alert["data"]["role"] == planted.what
    return time_ms_of(alert) if told else None


def _platform(planted: PlantedMechanism, alert: Alert) -> int | None:
    """Return the date that an alert gives to the take-up by the planted platform."""
    for taken in alert["data"].get("take_up", ()):
        if taken["platform"] == planted.what:
            return int(taken["since_ms"])
    return None


def _effect(_planted: PlantedMechanism, alert: Alert) -> int | None:
    """Return when an effect was told whose interval leaves no doubt that there is one."""
    if alert["type"] != AlertType.GUIDANCE_EFFECT:
        return None
    found = (alert["data"].get("effect") or {}).get("activity")
    return time_ms_of(alert) if found and found["low"] > 1 else None


SHOWN_BY: Final[Mapping[Mechanism, Callable[[PlantedMechanism, Alert], int | None]]] = {
    Mechanism.CONTROVERSY: _by_type(AlertType.STAGE_ENTERED, route=Route.CONTESTED),
    Mechanism.NEGATIVE_VALUE: _by_type(AlertType.NEGATIVE_VALUE_SURGE),
    Mechanism.INTERRUPTION: _by_type(AlertType.STAGE_ENTERED, state=State.INTERRUPTED),
    Mechanism.REVIVAL: _by_type(AlertType.STAGE_ENTERED, state=State.REVIVED),
    Mechanism.HOMOGENISATION: _by_type(AlertType.HOMOGENISATION),
    Mechanism.ELITE_ENTRY: _role,
    Mechanism.TAKE_UP: _platform,
    Mechanism.PUSH: _by_type(AlertType.COORDINATED_PUSH),
    Mechanism.ACTION: _effect,
}
"""How each mechanism is known: given what was planted and an alert about its subject, the time at
which it happened according to the alert, or None when the alert says nothing of it."""


def judge_mechanisms(alerts: Iterable[Alert], truth: Truth) -> tuple[JudgedMechanism, ...]:
    """Hold alerts (CloudEvents) against the planted mechanisms."""
    told = sorted(alerts, key=time_ms_of)
    return tuple(JudgedMechanism(planted, _shown(planted, told)) for planted in truth.mechanisms)


def _shown(planted: PlantedMechanism, told: Sequence[Alert]) -> Shown | None:
    for alert in told:
        if _subject_of(alert) != planted.subject:
            continue
        time_ms = SHOWN_BY[planted.mechanism](planted, alert)
        if time_ms is not None and in_window(time_ms, planted.time_ms):
            return Shown(time_ms, time_ms_of(alert), alert["type"], _figures_of(alert))
    return None


def _figures_of(alert: Alert) -> str:
    if alert["type"] != AlertType.GUIDANCE_EFFECT:
        return ""
    found = alert["data"]["effect"]["activity"]
    return f"{found['ratio']:.2f} times ({found['low']:.2f} to {found['high']:.2f})"


def advice_unasked(alerts: Iterable[Alert], truth: Truth) -> tuple[Alert, ...]:
    """Return guidance and suspicion on what nothing was planted on, in order of time."""
    special = {
        f"{platform}/{video_id}"
        for (platform, video_id), kind in truth.kinds.items()
        if kind is not Kind.ORDINARY
    } | {planted.subject for planted in truth.mechanisms}
    advice = (alert for alert in alerts if alert["type"].startswith(ADVICE))
    return tuple(sorted((a for a in advice if _subject_of(a) not in special), key=time_ms_of))


def _subject_of(alert: Alert) -> str:
    """Return whom an alert is about: the work of a single video is that video."""
    return str(alert["subject"]).removeprefix("video:")

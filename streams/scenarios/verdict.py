"""What was planted against what was detected: delays, misses, inventions, and whether it is enough.

A planted transition is detected by the first alert of the same video, stage (or interruption) and
route inside its window. Every other transition is invented, wherever it is; those are held against
the promised alarm rate, together with guidance on what nothing was planted on. On the video that
bots push there must be none at all.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from scipy.stats import poisson

from models.alerts import AlertType
from models.vocabulary import Route, State
from streams.scenarios.mechanism_verdict import (
    Alert,
    JudgedMechanism,
    advice_unasked,
    judge_mechanisms,
)
from streams.scenarios.truth import Kind, PlantedTransition, Truth
from streams.scenarios.window import in_window, time_ms_of

CONFIDENCE: Final = 0.95
"""Were the promise just kept, a run would exceed the allowed number in one of twenty seeds."""


@dataclass(frozen=True, slots=True)
class DetectedTransition:
    """One `hotspot.stage.entered` alert."""

    platform: str
    video_id: str
    stage: str
    state: str
    route: str
    reason: str
    time_ms: int

    @classmethod
    def of(cls, alert: Mapping[str, Any]) -> "DetectedTransition":
        """Take it from a CloudEvent."""
        data = alert["data"]
        return cls(
            platform=data["platform"],
            video_id=data["video_id"],
            stage=data["stage"],
            state=data["state"],
            route=data["route"],
            reason=data["reason"],
            time_ms=time_ms_of(alert),
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """A planted transition, and what detected it (None: nothing)."""

    planted: PlantedTransition
    detected: DetectedTransition | None

    @property
    def delay_ms(self) -> int | None:
        """How long after the planted time; negative when before."""
        return None if self.detected is None else self.detected.time_ms - self.planted.time_ms


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run was worth.

    Attributes:
        judged: Every planted transition.
        invented: Transitions that nobody planted.
        by_bots: Those among them that bots brought about.
        mechanisms: Every planted mechanism.
        unasked: Guidance and suspicion (CloudEvents) on what nothing was planted on.
        allowed: How many inventions the promise allows on so many video-days.
        promised: How many it expects on average.
        video_days: On which nothing was planted.
    """

    judged: tuple[Judged, ...]
    invented: tuple[DetectedTransition, ...]
    by_bots: tuple[DetectedTransition, ...]
    mechanisms: tuple[JudgedMechanism, ...]
    unasked: tuple[Alert, ...]
    allowed: int
    promised: float
    video_days: float

    @property
    def missed(self) -> tuple[Judged, ...]:
        """Planted transitions that nothing detected."""
        return tuple(j for j in self.judged if j.detected is None)

    @property
    def passed(self) -> bool:
        """Nothing missed, bots not believed, no more invented than allowed."""
        missed = self.missed or any(judged.shown is None for judged in self.mechanisms)
        invented = len(self.invented) + len(self.unasked)
        return not missed and not self.by_bots and invented <= self.allowed


def judge(
    alerts: Iterable[Mapping[str, Any]], truth: Truth, alarm_rate_per_video_day: float
) -> Verdict:
    """Hold alerts (CloudEvents) against the truth.

    Of the other types guidance and suspicion count, too; forecasts have scores of their own.
    """
    alerts = list(alerts)
    transitions = sorted(
        (DetectedTransition.of(a) for a in alerts if a["type"] == AlertType.STAGE_ENTERED),
        key=lambda t: t.time_ms,
    )
    judged = []
    used: set[int] = set()
    for planted in truth.planted:
        position = next(
            (
                i
                for i, found in enumerate(transitions)
                if i not in used and _detects(found, planted)
            ),
            None,
        )
        if position is not None:
            used.add(position)
        judged.append(Judged(planted, None if position is None else transitions[position]))
    invented = [t for i, t in enumerate(transitions) if i not in used and not _tolerated(t, truth)]
    promised = alarm_rate_per_video_day * truth.video_days
    return Verdict(
        judged=tuple(judged),
        invented=tuple(invented),
        by_bots=tuple(
            t for t in invented if truth.kinds.get((t.platform, t.video_id)) is Kind.BOTS
        ),
        mechanisms=judge_mechanisms(alerts, truth),
        unasked=advice_unasked(alerts, truth),
        allowed=int(poisson.ppf(CONFIDENCE, promised)),
        promised=promised,
        video_days=truth.video_days,
    )


def _detects(found: DetectedTransition, planted: PlantedTransition) -> bool:
    same_video = (found.platform, found.video_id) == (planted.platform, planted.video_id)
    in_time = in_window(found.time_ms, planted.time_ms)
    same_route = planted.route is Route.UNDECIDED or found.route == planted.route
    return same_video and in_time and same_route and _same_kind(found, planted)


def _same_kind(found: DetectedTransition, planted: PlantedTransition) -> bool:
    if planted.stage is None:
        return found.state == planted.state
    entered = planted.state == State.ACTIVE and found.state == State.REVIVED
    return (entered or found.state == planted.state) and found.stage == planted.stage.name.lower()


def _tolerated(found: DetectedTransition, truth: Truth) -> bool:
    """Tell whether a transition is neither planted nor false.

    A fading says that an entry is over, and is as right or wrong as the entry was.
    """
    if found.state == State.FADED:
        return True
    return (found.platform, found.video_id, found.stage) in {
        (platform, video_id, stage.name.lower()) for platform, video_id, stage in truth.tolerated
    }

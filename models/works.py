"""Works: what a hotspot is made of. Episodes, derivatives and other platforms' posts roll up here.

A cultural hotspot is a work or a topic, not one file (design section 2). A video counts for each of
its topics; without topics it counts for the works of the video it was made from; without either it
is a work by itself.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Final

from models.forecast import FAST_HALF_LIFE_MS, SLOW_HALF_LIFE_MS
from models.parameters import HOUR_MS
from models.transitions import ACTIVITY_HALF_LIFE_MS, COLLAPSE, RETURN
from models.vocabulary import Stage

TOPIC: Final = "topic"
VIDEO: Final = "video"

DEPTH_STAGES: Final = (Stage.JUDGMENT, Stage.INTERACTION, Stage.DIFFUSION)
"""A hotspot has been judged, discussed and carried on: reach without depth is only reach (seed 000,
section 3.1: deep value is stimulated in interaction, then enlarged by diffusion)."""


@dataclass(slots=True)
class Work:
    """Everything known about one work or topic.

    Attributes:
        work_id: `topic:NAME`, or `video:PLATFORM/ID`.
        kind: TOPIC or VIDEO.
        title: A name for people.
        first_ms, last_ms: Event time of its first and last activity.
        episode_ms: When its episode began: at first, or when the one before faded.
        last_bucket: The last bucket it was active in.
        views: Exposures of all its videos.
        progress: Events of the level's action of all its videos; progress_before_episode of it
            belongs to episodes that ended.
        acted: Events per signal.
        videos: How many videos count for it.
        platforms: Where they are.
        roles: Bit mask of who took part.
        pace_fast_per_hour, pace_slow_per_hour: Paces of the level's action.
        heat: Activity per hour, smoothed; peak_heat its greatest value in this episode, trough_heat
            its least since the last one ended.
        resting: Whether an episode has ended and none has begun.
        stages: Stages its videos have entered in this episode.
        stage, route, state, reason: Those of its latest transition.
        probability: That it reaches the level.
        emerging, confirmed: What has been told in this episode.
        episode: Counts up when it has faded.
        lead, lead_views: Its most viewed video.
    """

    work_id: str
    kind: str
    title: str
    first_ms: int
    episode_ms: int
    last_ms: int = 0
    last_bucket: int = -1
    views: int = 0
    progress: int = 0
    progress_before_episode: int = 0
    acted: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    videos: int = 0
    platforms: list[str] = field(default_factory=list)
    roles: int = 0
    pace_fast_per_hour: float = 0.0
    pace_slow_per_hour: float = 0.0
    heat: float = 0.0
    peak_heat: float = 0.0
    trough_heat: float = 0.0
    resting: bool = False
    stages: list[int] = field(default_factory=list)
    stage: str = "presentation"
    route: str = "undecided"
    state: str = "active"
    reason: str = ""
    probability: float = 0.0
    emerging: bool = False
    confirmed: bool = False
    episode: int = 1
    lead: str = ""
    lead_views: int = 0

    def grow(
        self, bucket: int, bucket_ms: int, views: int, progress: int, acted: list[int]
    ) -> None:
        """Take in what one decided bucket brought over all its videos."""
        span = 1 if self.last_bucket < 0 else max(bucket - self.last_bucket, 1)
        span_ms = span * bucket_ms
        hours = span_ms / HOUR_MS
        activity = views + sum(acted)
        for name, half_life_ms, amount in (
            ("pace_fast_per_hour", FAST_HALF_LIFE_MS, progress),
            ("pace_slow_per_hour", SLOW_HALF_LIFE_MS, progress),
            ("heat", ACTIVITY_HALF_LIFE_MS, activity),
        ):
            keep = 0.5 ** (span_ms / half_life_ms)
            if name == "heat":
                # The lowest lies at the end of the silence, just before this bucket.
                self.trough_heat = min(self.trough_heat, self.heat * keep)
            setattr(self, name, getattr(self, name) * keep + (1 - keep) * amount / hours)
        self.peak_heat = max(self.peak_heat, self.heat)
        self.views += views
        self.progress += progress
        self.acted = [have + more for have, more in zip(self.acted, acted, strict=True)]
        self.last_bucket = bucket
        if self.resting and self.heat >= RETURN * self.trough_heat:
            self._return()

    def _return(self) -> None:
        """Begin a new episode: the level counts anew from here."""
        self.resting = False
        self.state = "revived"
        self.episode += 1
        self.episode_ms = self.last_ms
        self.progress_before_episode = self.progress
        self.peak_heat = self.heat

    def heat_at(self, bucket: int, bucket_ms: int) -> float:
        """Return the heat after silence up to a bucket."""
        silence_ms = max(bucket - self.last_bucket, 0) * bucket_ms
        return float(self.heat * 0.5 ** (silence_ms / ACTIVITY_HALF_LIFE_MS))

    def collapsed(self, bucket: int, bucket_ms: int) -> bool:
        """Tell whether activity has collapsed: the same rule as for a video."""
        return self.heat_at(bucket, bucket_ms) <= COLLAPSE * self.peak_heat

    def open(self) -> bool:
        """Tell whether an episode is going on that can end."""
        return self.emerging or self.confirmed or bool(self.stages)

    def deep(self) -> bool:
        """Tell whether its videos have passed all three junctures in this episode."""
        return all(stage in self.stages for stage in DEPTH_STAGES)

    def enter(self, stage: Stage, route: str, state: str, reason: str) -> None:
        """Record that one of its videos entered a stage."""
        if self.resting:
            self._return()
        if stage not in self.stages:
            self.stages.append(int(stage))
        self.stage = Stage(max(self.stages)).name.lower()
        self.route, self.state, self.reason = route, state, reason

    def fade(self) -> None:
        """End the episode: it rests until it returns (transitions.RETURN)."""
        self.state = "faded"
        self.emerging = self.confirmed = False
        self.stages = []
        self.resting = True
        self.trough_heat = self.heat
        self.probability = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "Work":
        """Take back what `to_dict` returned."""
        return cls(**stored)

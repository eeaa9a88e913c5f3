"""What a scenario knows about itself: planted transitions, and videos where there must be none."""

from dataclasses import dataclass, field
from enum import StrEnum

from models.vocabulary import Route, Stage, State


class Kind(StrEnum):
    """What part a video plays in the scenario."""

    ORDINARY = "ordinary"
    EPISODE = "episode"
    DERIVATIVE = "derivative"
    NEAR_COPY = "near_copy"
    EXCLUDED = "excluded"
    IGNORED = "ignored"
    BOTS = "bots"


@dataclass(frozen=True, slots=True)
class PlantedTransition:
    """A transition that the generator makes happen.

    `time_ms` is when the generator's intensity passes into the stage: halfway up the ramp of the
    propensity that drives it, or, for an interruption, when the exposures have stopped. For `state`
    other than active the stage may be any.
    """

    platform: str
    video_id: str
    stage: Stage | None
    state: State
    time_ms: int
    route: Route = Route.UNDECIDED


@dataclass(frozen=True, slots=True)
class Truth:
    """All that is planted, and what each video is.

    Attributes:
        planted: In order of time.
        kinds: (platform, video_id) to the part it plays.
        videos_days: Video-days lived by videos of the kinds on which nothing is planted,
            from publication to the end of the scenario.
        tolerated: Transitions that are neither planted nor false: (platform, video_id, stage).
    """

    planted: tuple[PlantedTransition, ...]
    kinds: dict[tuple[str, str], Kind]
    video_days: float
    tolerated: frozenset[tuple[str, str, Stage]] = field(default_factory=frozenset)

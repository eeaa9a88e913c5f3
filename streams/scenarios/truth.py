"""What a scenario knows about itself: planted transitions, and videos where there must be none."""

import json
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from models.vocabulary import Route, Stage, State
from streams.errors import UserError


class Kind(StrEnum):
    """What part a video plays in the scenario."""

    ORDINARY = "ordinary"
    EPISODE = "episode"
    DERIVATIVE = "derivative"
    NEAR_COPY = "near_copy"
    EXCLUDED = "excluded"
    IGNORED = "ignored"
    BOTS = "bots"
    DISPUTED = "disputed"
    REJECTED = "rejected"
    REDISCOVERED = "rediscovered"
    NIGHT = "night in a museum"


class Mechanism(StrEnum):
    """What the model says may happen to a hotspot, beyond its stages (docs/model.md)."""

    CONTROVERSY = "controversy"
    NEGATIVE_VALUE = "negative value"
    INTERRUPTION = "interruption"
    REVIVAL = "revival"
    HOMOGENISATION = "homogenisation"
    ELITE_ENTRY = "elite entry"
    TAKE_UP = "take-up by another platform"
    PUSH = "coordinated push by bots"
    ACTION = "guidance action"


@dataclass(frozen=True, slots=True)
class PlantedTransition:
    """A transition that the generator makes happen.

    `time_ms` is when the generator's intensity passes into the stage: halfway up the climb of the
    propensity that drives it, or, for an interruption, when the exposures stop. An interruption is
    planted in no stage: it may be noticed in any.
    """

    platform: str
    video_id: str
    stage: Stage | None
    state: State
    time_ms: int
    route: Route = Route.UNDECIDED


@dataclass(frozen=True, slots=True)
class PlantedMechanism:
    """A mechanism that the generator sets to work.

    Attributes:
        mechanism: Which.
        subject: The video (`platform/video_id`) or work (`topic:...`) to which it happens.
        time_ms: When it begins.
        what: Who enters or takes it up, or how much more it is seen; empty where there is nothing.
    """

    mechanism: Mechanism
    subject: str
    time_ms: int
    what: str = ""


@dataclass(frozen=True, slots=True)
class Truth:
    """All that is planted, and what each video is.

    Attributes:
        planted: In order of time.
        mechanisms: Likewise.
        kinds: (platform, video_id) to the part it plays.
        video_days: Video-days lived by the videos on which nothing is planted, from publication to
            the end of the scenario.
        tolerated: Transitions that are neither planted nor false: (platform, video_id, stage).
    """

    planted: tuple[PlantedTransition, ...]
    kinds: dict[tuple[str, str], Kind]
    video_days: float
    tolerated: frozenset[tuple[str, str, Stage]] = field(default_factory=frozenset)
    mechanisms: tuple[PlantedMechanism, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form: the planted transitions, and the kind of each special video."""
        return {
            "planted": [
                {
                    "time_ms": p.time_ms,
                    "platform": p.platform,
                    "video_id": p.video_id,
                    "stage": None if p.stage is None else p.stage.name.lower(),
                    "state": p.state.value,
                    "route": p.route.value,
                }
                for p in self.planted
            ],
            "mechanisms": [
                {
                    "time_ms": p.time_ms,
                    "subject": p.subject,
                    "mechanism": p.mechanism.value,
                    "what": p.what,
                }
                for p in self.mechanisms
            ],
            "videos": [
                {"platform": platform, "video_id": video_id, "kind": kind.value}
                for (platform, video_id), kind in self.kinds.items()
                if kind is not Kind.ORDINARY
            ],
            "ordinary_video_days": self.video_days,
        }


def write_truth(truth: Truth, path: Path) -> None:
    """Write the truth as JSON.

    Raises:
        UserError: The file cannot be written.
    """
    try:
        path.write_text(json.dumps(truth.to_dict(), indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error.strerror}", remedy="choose another place"
        ) from error

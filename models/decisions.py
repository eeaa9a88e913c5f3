"""What was decided of some buckets: the figures of each video, transitions, and forecasts."""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.cohorts import SIGNALS
from models.forecast_features import FEATURES
from models.transition_words import Transition
from models.undecided_details import DEEP

Floats = npt.NDArray[np.float64]
Records = npt.NDArray[np.void]

DECISION: Final = np.dtype(
    [
        ("slot", np.int64),
        ("bucket", np.int64),
        ("last_ms", np.int64),
        ("age_ms", np.int64),
        ("episode_age_ms", np.int64),
        ("views", np.int64),
        ("total_views", np.int64),
        ("acted", np.int64, (SIGNALS,)),
        ("total_acted", np.int64, (SIGNALS,)),
        ("people", np.float64, (SIGNALS,)),
        ("progress", np.int64),
        ("total_progress", np.int64),
        ("episode_progress", np.int64),
        ("activity_per_hour", np.float64),
        ("pace_fast_per_hour", np.float64),
        ("pace_slow_per_hour", np.float64),
        ("probability", np.float64),
        ("roles", np.int64),
        ("episode", np.int32),
        ("stage", np.uint8),
        ("route", np.uint8),
        ("state", np.uint8),
        ("resting", np.uint8),
        ("deleted", np.uint8),
    ]
)
"""What one bucket brought to one video (`views`, `acted`, `people`, `progress`, `roles`), and where
the video stands after it. Counts are below zero where more was taken back than came.
`people` are events discounted for repeats: what evidence counts. A video
whose episode ended without a visit has a decision, too."""

MADE: Final = np.dtype(
    [
        ("decision", np.int64),
        ("episode_ms", np.int64),
        ("visit", np.int64),
        ("before_visit", np.int64),
        ("before_progress", np.int64),
        ("before", np.float32),
        ("first", np.float32),
        ("features", np.float32, (len(FEATURES),)),
    ]
)
"""A forecast as compiled code makes it: the row of its decision, when the video's episode began
(NEVER for its first), the visit; of the forecast before, its visit (NEVER where there is none), the
episode's progress (below zero: of another episode) and what it said; what is said now before
anything that was learned in the stream is added; and what this one looked at."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What some buckets changed.

    Attributes:
        decisions: DECISION[n], by bucket.
        transitions: In order; `row` of each is an index into `decisions`.
        activity: float[platforms, 24], events by the table's code of the platform and UTC hour.
        forecasts: MADE[m], the forecasts that were made; `decision` is an index into `decisions`.
        explanations: By index into `decisions`, what spoke for the forecasts that suffice for an
            alert where the one before did not.
        deep: undecided_details.DEEP[k], the rows of these buckets that say who takes part.
    """

    decisions: Records
    transitions: list[Transition]
    activity: Floats
    forecasts: Records = field(default_factory=lambda: np.zeros(0, MADE))
    explanations: dict[int, dict[str, Any]] = field(default_factory=dict)
    deep: Records = field(default_factory=lambda: np.zeros(0, DEEP))

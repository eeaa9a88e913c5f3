"""Real rows, visits, nulls and events for the tests of models/, with only what a test says."""

from typing import Any

import numpy as np
import numpy.typing as npt

from models.cohorts import SHIPPED, SIGNALS
from models.parameters import MINUTE_MS
from models.transitions import Nulls
from models.undecided import EVENT
from models.video_state import VideoTable
from models.visits import Visits
from models.vocabulary import ACTION_CODE

BUCKET_MS = 5 * MINUTE_MS
START_BUCKET = 1_693_353_600_000 // BUCKET_MS


def fresh_rows(n: int) -> npt.NDArray[np.void]:
    """Return ROW[n] as the table makes them."""
    table = VideoTable(n)
    table.slots([f"douyin\x1fv{i}" for i in range(n)])
    return table.rows[:n].copy()


def events_of(*said: dict[str, Any]) -> npt.NDArray[np.void]:
    """Return EVENT[n]; each of slot 0 at time 0 unless it says otherwise."""
    events = np.zeros(len(said), EVENT)
    events["count"] = 1
    for event, fields in zip(events, said, strict=True):
        for name, value in fields.items():
            event[name] = ACTION_CODE[value] if name == "action" else value
    return events


def visits_with(
    n: int, *, views: float, people: list[float] | npt.NDArray[np.float64], last_ms: int
) -> Visits:
    """Return one visit for each of n rows; people are events that nobody repeated."""
    acted = np.broadcast_to(np.array(people, float), (n, SIGNALS)).copy()
    return Visits(
        slot=np.arange(n),
        views=np.full(n, float(views)),
        acted=acted,
        people=acted.copy(),
        progress=np.full(n, float(views)),
        events=acted.sum(axis=1) + views,
        first_ms=np.full(n, last_ms),
        last_ms=np.full(n, last_ms),
        publish_ms=np.full(n, np.iinfo(np.int64).max),
        roles=np.zeros(n, np.int64),
        removed=np.zeros(n, np.int8),
    )


def shipped_nulls(n: int) -> Nulls:
    """Return the shipped cohort's nulls at the youngest age and 1,000 to 10,000 views."""
    return Nulls(
        propensity=np.tile(SHIPPED.propensity[:, 0, 1], (n, 1)),
        concentration=np.tile(SHIPPED.concentration, (n, 1)),
        scarcity=np.full(n, SHIPPED.scarcity[0, 1]),
        per_hour=np.tile(SHIPPED.intensity[:, 0], (n, 1)),
        shape=np.tile(SHIPPED.shape, (n, 1)),
    )

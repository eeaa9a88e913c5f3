"""A visit: what one bucket says about each video that was active in it.

Events of a bucket commute, so a visit is a set of sums. People count, not clicks: where actors are
known, a signal is worth the number of different people in the bucket, discounted by how few people
stood behind the video's earlier events; forty accounts that like a thousand times are not a
thousand.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models import sketches
from models.cohorts import SIGNALS
from models.vocabulary import ACTION_CODE, NO_SIGNAL, SIGNAL_OF_ACTION, Action

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_VIEW = ACTION_CODE[Action.VIEW]
_PUBLISH = ACTION_CODE[Action.PUBLISH]
_DELETE = ACTION_CODE[Action.DELETE]
_RESTORE = ACTION_CODE[Action.RESTORE]


@dataclass(frozen=True, slots=True)
class Visits:
    """One bucket's sums for n videos.

    Attributes:
        slot: int64[n], ascending.
        views: float[n], never negative.
        acted: float[n, SIGNALS], events, never negative.
        people: float[n, SIGNALS], events after the discount for repeats: what evidence counts.
        progress: float[n], events of the level's action.
        events: float[n], all events.
        first_ms, last_ms: int64[n], least and greatest event time.
        publish_ms: int64[n], time of the first `publish`, or the greatest int64.
        roles: int64[n], bit mask of the roles that took part.
        removed: int8[n], 1 deleted, -1 restored, 0 neither: the last word by time.
    """

    slot: Ints
    views: Floats
    acted: Floats
    people: Floats
    progress: Floats
    events: Floats
    first_ms: Ints
    last_ms: Ints
    publish_ms: Ints
    roles: Ints
    removed: npt.NDArray[np.int8]


def visits_of(
    events: npt.NDArray[np.void], rows: npt.NDArray[np.void], level_action: int
) -> tuple[Visits, npt.NDArray[np.void]]:
    """Sum the events of one bucket per video.

    Args:
        events: undecided.EVENT[m], in any order.
        rows: video_state.ROW[all], the table's rows; read for the sketches of people.
        level_action: Code of the action that the hotspot level counts.

    Returns:
        The visits, and the gathered rows (ROW[n]) with the bucket's people added to their sketches.
    """
    slot, at = np.unique(events["slot"], return_inverse=True)
    n = len(slot)
    count = events["count"].astype(np.float64)
    action = events["action"]
    signal = SIGNAL_OF_ACTION[action]
    gathered = rows[slot]

    def total(where: npt.NDArray[np.bool_]) -> Floats:
        return np.maximum(np.bincount(at[where], count[where], minlength=n), 0.0)

    acted = np.stack([total(signal == s) for s in range(SIGNALS)], axis=1)
    people = _people(events, at, signal, acted, gathered)
    first_ms = np.full(n, np.iinfo(np.int64).max)
    last_ms = np.full(n, np.iinfo(np.int64).min)
    publish_ms = np.full(n, np.iinfo(np.int64).max)
    np.minimum.at(first_ms, at, events["time_ms"])
    np.maximum.at(last_ms, at, events["time_ms"])
    published = action == _PUBLISH
    np.minimum.at(publish_ms, at[published], events["time_ms"][published])
    roles = np.zeros(n, np.int64)
    np.bitwise_or.at(roles, at[signal != NO_SIGNAL], 1 << events["role"][signal != NO_SIGNAL])
    visits = Visits(
        slot=slot,
        views=total(action == _VIEW),
        acted=acted,
        people=people,
        progress=total(action == level_action),
        events=np.bincount(at, np.abs(count), minlength=n).astype(np.float64),
        first_ms=first_ms,
        last_ms=last_ms,
        publish_ms=publish_ms,
        roles=roles,
        removed=_removed(events, at, n),
    )
    return visits, gathered


def _people(
    events: npt.NDArray[np.void],
    at: Ints,
    signal: npt.NDArray[np.int8],
    acted: Floats,
    gathered: npt.NDArray[np.void],
) -> Floats:
    """Return events discounted for repeats, and add the bucket's people to the sketches."""
    n = len(gathered)
    known = (events["actor"] != 0) & (signal != NO_SIGNAL) & (events["count"] > 0)
    if not known.any():
        return acted
    cell = at[known] * SIGNALS + signal[known]
    counted = np.bincount(cell, events["count"][known], minlength=n * SIGNALS)
    pairs = np.unique(np.stack([cell.astype(np.uint64), events["actor"][known]]), axis=1)
    different = np.bincount(pairs[0].astype(np.int64), minlength=n * SIGNALS)
    flat = gathered["people"].reshape(n * SIGNALS, -1).copy()
    sketches.add(flat, pairs[0].astype(np.int64), pairs[1])
    gathered["people"] = flat.reshape(gathered["people"].shape)
    gathered["known_actors_acted"] += counted.reshape(n, SIGNALS)
    everyone = sketches.estimate(flat).reshape(n, SIGNALS)
    behind = np.minimum(everyone / np.maximum(gathered["known_actors_acted"], 1.0), 1.0)
    counted = counted.reshape(n, SIGNALS)
    unknown = np.maximum(acted - counted, 0.0)
    return np.asarray(unknown + np.minimum(different.reshape(n, SIGNALS) * behind, acted))


def _removed(events: npt.NDArray[np.void], at: Ints, n: int) -> npt.NDArray[np.int8]:
    removed = np.zeros(n, np.int8)
    named = np.flatnonzero((events["action"] == _DELETE) | (events["action"] == _RESTORE))
    for i in named[np.lexsort((events["action"][named], events["time_ms"][named]))].tolist():
        removed[at[i]] = 1 if events["action"][i] == _DELETE else -1
    return removed

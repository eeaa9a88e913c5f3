"""Acts of accounts that act together, found before evidence is taken, so that they are not counted.

What models/integrity.py suspects of a whole work, from all its acts so far, is looked for here in
the recent acts on one video, bucket by bucket: most are by young accounts, and most fall together
in another way (into the busiest minutes, from one region, led by one account), with 95 %
confidence. While that is so, whoever acts, is young and bears another of the signs that most acts
show is a suspect: no evidence, no crowd, no pace and nothing that is learned counts their act. All
others count as ever, and so do the suspects' acts in totals and views. Where ages of accounts are
not told nobody is a suspect.

People are only left out, so that no evidence is more than it would have been (its ratios grow with
the people who act: models/evidence.py); false alarms are at the most as many as are promised.

Sums over acts fade: by age, region and leader with every further act, so that a push shows by the
same number of acts however fast it comes and whatever was there before; by minute with time.

References:
    [1] E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference",
        Journal of the American Statistical Association 22, 1927: the interval of a share holds one
        half exactly when the score test of one half does not reject.
    [2] A. Metwally, D. Agrawal, A. El Abbadi, "Efficient Computation of Frequent and Top-k Elements
        in Data Streams", ICDT 2005 (space-saving).
    [3] G. Cormode, F. Korn, S. Tirthapura, "Exponentially Decayed Aggregates on Data Streams",
        ICDE 2008, section 4: space-saving of counts that fade.
"""

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.account_signs import BURST_MINUTES, LEAST_ACTS, YOUNG_DAYS
from models.cohorts import SIGNALS
from models.compiled import compiled
from models.details import NO_NUMBER
from models.parameters import HOUR_MS, MINUTE_MS
from models.vocabulary import NO_SIGNAL, SIGNAL_OF_ACTION

LATEST: Final = 64
"""With each act those before it lose a 64th of their weight: all of them weigh as 64 do. What all
further acts have in common shows after 62 at the latest, when 1 - (63 / 64)^n of the weight passes
the 0.62 that take 64 acts [1]: before a push has brought half of a crowd (transitions.CROWD)."""

HALF_LIFE_MS: Final = HOUR_MS
"""After so long a minute's acts weigh half. Acts that come evenly for an hour are no burst: the two
busiest minutes hold a twentieth of them."""

PLACES: Final = 2
"""Regions, and accounts that lead, which are counted: what most acts have in common is one of them,
and not counted too high by more than the half of what came before it [2]."""

MINUTES: Final = BURST_MINUTES + 1
"""The busiest minutes, and the one that goes on."""

TALLY: Final = np.dtype([("key", np.uint64), ("count", np.float32), ("error", np.float32)])
"""A key and how many recent acts have it: `count` - `error` to `count`; 0: a free place."""

MINUTE: Final = np.dtype([("minute", np.uint32), ("acts", np.float32)])
"""A minute since the epoch, and its acts."""

RECENT_ACTS: Final = np.dtype(
    [
        ("at_ms", np.int64),
        ("by_time", np.float32),
        ("acts", np.float32),
        ("young", np.float32),
        ("located", np.float32),
        ("led", np.float32),
        ("spare", np.float32),
        ("regions", TALLY, (PLACES,)),
        ("leaders", TALLY, (PLACES,)),
        ("minutes", MINUTE, (MINUTES,)),
    ]
)
"""Recent acts of accounts whose age is known. Faded by time, as of `at_ms`: how many, `by_time`,
and in the busiest `minutes`. Faded by acts: how many; by young accounts; from a known region; led
by a known account; by region, and by who led them. All zeros: none."""

LEFT_OUT: Final = np.dtype([("people", np.int64, (SIGNALS,)), ("acts", np.int64, (SIGNALS,))])
"""What of one bucket is not counted, by signal: different people, and their acts."""

_KEPT: Final = np.float32(1 - 1 / LATEST)

_Z: Final = 1.959964
"""Of an interval that holds the truth in 95 of 100 cases, as in homogenisation.wilson_interval."""

_LAST_MINUTE: Final = (1 << 32) - 1
_MIX: Final = np.uint64(0x9E37_79B9_7F4A_7C15)
"""2^64 over the golden ratio, odd: makes one key of the two words of a region."""
_UNKNOWN: Final = np.uint64(0)

Ints = npt.NDArray[np.int64]
Actors = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.void]
Recent = Any
"""One record of RECENT_ACTS, in place."""
Row = Any
"""One record of undecided_details.DEEP."""
Found = tuple[Rows, Ints, Ints, Actors]
"""DEEP[m], the acts of accounts of known age in order; int64[n] twice, the first of each entry and
the end; and uint64[...], room for the suspects of one of them."""


def acts_of_known_age(deep: Rows, bucket: Ints, slot: Ints) -> Found:
    """Return the acts that tell the age of their account, by the entries that they belong to.

    Args:
        deep: undecided_details.DEEP[...], in any order.
        bucket: int64[n], of the entries to be decided, by bucket, then by slot.
        slot: int64[n], their videos.
    """
    known = deep["age_days"] != NO_NUMBER
    if not known.any():
        nothing = np.zeros(len(bucket), np.int64)
        return deep[:0], nothing, nothing, np.zeros(0, np.uint64)
    acts = known & (deep["count"] > 0) & (deep["actor"] != 0)
    acts &= SIGNAL_OF_ACTION[deep["action"]] != NO_SIGNAL
    rows = deep.take(np.flatnonzero(acts))
    order = np.lexsort((rows["content"], rows["time_ms"], rows["slot"], rows["bucket"]))
    rows = rows.take(order)
    base, slots = int(bucket.min(initial=0)), int(slot.max(initial=0)) + 1
    wanted = (bucket - base) * slots + slot
    there = (rows["bucket"] - base) * slots + rows["slot"]
    first, end = (np.searchsorted(there, wanted, side) for side in ("left", "right"))
    return rows, first, end, np.zeros(int((end - first).max(initial=0)), np.uint64)


@compiled
def find_suspects(recent: Recent, found: Found, at: int, now_ms: int) -> int:
    """Take the acts of an entry in, and find the suspects among who acted.

    Args:
        recent: Of the video, changed in place.
        found: Of `acts_of_known_age`; the suspects are written into its room, in order of hash.
        at: The entry.
        now_ms: When its bucket begins.

    Returns:
        How many suspects there are.
    """
    rows, first, end, suspects = found
    if first[at] == end[at]:
        return 0
    _pass_time(recent, now_ms)
    for number in range(first[at], end[at]):
        _note(recent, rows[number])
    region = _foremost_of_most(recent.regions, recent.located)
    leader = _foremost_of_most(recent.leaders, recent.led)
    limit = _least_of_busiest(recent)
    together = region != _UNKNOWN or leader != _UNKNOWN or limit < math.inf
    if not (together and _are_most(recent.young, recent.acts)):
        return 0
    count = 0
    for number in range(first[at], end[at]):
        row = rows[number]
        if row.age_days < YOUNG_DAYS and (
            (region != _UNKNOWN and _region(row) == region)
            or (leader != _UNKNOWN and row.via == leader)
            or _acts_in(recent, _minute(row)) >= limit
        ):
            suspects[count] = row.actor
            count += 1
    suspects[:count].sort()
    return count


@compiled
def is_suspect(suspects: Actors, count: int, actor: np.uint64) -> bool:
    """Tell whether somebody is among the first `count` suspects, which are in order."""
    if count == 0:
        return False
    at = np.searchsorted(suspects[:count], actor)
    return bool(at < count and suspects[at] == actor)


@compiled
def leave_out_acts(found: Found, at: int, count: int, left_out: Any) -> None:  # noqa: ANN401 - a record
    """Count the acts of the suspects of an entry, and nothing else so far, in LEFT_OUT in place."""
    rows, first, end, suspects = found
    for signal in range(SIGNALS):
        left_out.people[signal] = left_out.acts[signal] = 0
    if count == 0:
        return
    for number in range(first[at], end[at]):
        if is_suspect(suspects, count, rows[number].actor):
            left_out.acts[SIGNAL_OF_ACTION[rows[number].action]] += rows[number].count


@compiled
def forget_acts(recent: Recent) -> None:
    """Begin anew, in place."""
    recent.at_ms = 0
    recent.by_time = recent.acts = recent.young = recent.located = recent.led = 0.0
    for place in range(PLACES):
        for tally in (recent.regions[place], recent.leaders[place]):
            tally.key, tally.count, tally.error = 0, 0.0, 0.0
    for place in range(MINUTES):
        recent.minutes[place].minute, recent.minutes[place].acts = 0, 0.0


@compiled
def _pass_time(recent: Recent, now_ms: int) -> None:
    """Let what fades by time do so."""
    keep = np.float32(math.pow(0.5, (now_ms - recent.at_ms) / HALF_LIFE_MS))
    recent.at_ms = now_ms
    recent.by_time *= keep
    for place in range(MINUTES):
        recent.minutes[place].acts *= keep


@compiled
def _pass_act(recent: Recent) -> None:
    """Let what fades by acts do so."""
    recent.acts *= _KEPT
    recent.young *= _KEPT
    recent.located *= _KEPT
    recent.led *= _KEPT
    for place in range(PLACES):
        for tally in (recent.regions[place], recent.leaders[place]):
            tally.count *= _KEPT
            tally.error *= _KEPT


@compiled
def _note(recent: Recent, row: Row) -> None:
    """Take in an act; they come in order of minutes."""
    _pass_act(recent)
    recent.acts += np.float32(1)
    recent.young += np.float32(row.age_days < YOUNG_DAYS)
    region = _region(row)
    if region != _UNKNOWN:
        recent.located += np.float32(1)
        _tally(recent.regions, region)
    if row.via not in (_UNKNOWN, row.actor):
        recent.led += np.float32(1)
        _tally(recent.leaders, row.via)
    recent.by_time += np.float32(1)
    minute, least = _minute(row), 0
    for place in range(MINUTES):
        if recent.minutes[place].minute == minute:
            recent.minutes[place].acts += np.float32(1)
            return
        if recent.minutes[place].acts < recent.minutes[least].acts:
            least = place
    recent.minutes[least].minute, recent.minutes[least].acts = minute, 1.0


@compiled
def _tally(tallies: Rows, key: np.uint64) -> None:
    """Count a key once; one that is not counted yet takes the place of the least [2]."""
    least = 0
    for place in range(PLACES):
        if tallies[place].key == key:
            tallies[place].count += np.float32(1)
            return
        if tallies[place].count < tallies[least].count:
            least = place
    tallies[least].key = key
    tallies[least].error = tallies[least].count
    tallies[least].count += np.float32(1)


@compiled
def _foremost_of_most(tallies: Rows, of: float) -> np.uint64:
    """Return the key that most acts surely have, or _UNKNOWN where there is none."""
    for place in range(PLACES):
        if _are_most(tallies[place].count - tallies[place].error, of):
            key: np.uint64 = tallies[place].key
            return key
    return _UNKNOWN


@compiled
def _least_of_busiest(recent: Recent) -> float:
    """Return how many acts the least of the busiest minutes has, inf where few acts are in them."""
    greatest = second = 0.0
    for place in range(MINUTES):
        acts = np.float64(recent.minutes[place].acts)
        if acts > greatest:
            greatest, second = acts, greatest
        else:
            second = max(second, acts)
    if not _are_most(greatest + second, recent.by_time):
        return math.inf
    # Of the first minute that there is, the others have no acts.
    return second if second > 0 else greatest


@compiled
def _acts_in(recent: Recent, minute: np.uint32) -> float:
    for place in range(MINUTES):
        if recent.minutes[place].minute == minute:
            return np.float64(recent.minutes[place].acts)
    return 0.0


@compiled
def _are_most(found: float, of: float) -> bool:
    """Tell whether Wilson's lower bound lies above one half, of LEAST_ACTS or more [1]."""
    return of >= LEAST_ACTS and 2.0 * found - of > _Z * math.sqrt(of)


@compiled
def _region(row: Row) -> np.uint64:
    if row.region[0] == _UNKNOWN:
        return _UNKNOWN
    key: np.uint64 = row.region[0] ^ (row.region[1] * _MIX)
    return key


@compiled
def _minute(row: Row) -> np.uint32:
    return np.uint32(min(row.time_ms // MINUTE_MS, _LAST_MINUTE))

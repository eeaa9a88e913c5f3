"""What the accounts that act look like, and how close together they act.

Pushing that was bought shows in young accounts without followers that act within the same minutes:
forty posts of bots from one place within ninety seconds made a tag trend on eight of eight servers
of Mastodon. Nothing is judged here: counts by age, by followers and the busiest minutes are kept,
of acts of known actors, so that a rule can say what is unusual.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.compiled import compiled
from models.details import NO_NUMBER
from models.heavy_hitters import COUNT_MAX
from models.parameters import MINUTE_MS

AGE_BINS: Final = 14
"""Bin 0: accounts of no whole day; bin b: 2^(b - 1) days or more, below 2^b; the last: 4,096 days
(eleven years) or more."""

FOLLOWER_BINS: Final = 10
"""Bin 0: no followers; bin b: numbers of b digits; the last: a hundred million or more."""

YOUNG_BINS: Final = 6
"""Accounts of less than 2^5 = 32 days, the bin that ends next to a month: an assumption, as
platforms' own probations are (days to weeks)."""

YOUNG_DAYS: Final = 1 << (YOUNG_BINS - 1)

LEAST_ACTS: Final = 20
"""Fewer acts push nothing: half of those of the known attack."""

BURST_MINUTES: Final = 2
"""The busiest minutes that are taken together: 90 seconds lie within two or three of them."""

BUSIEST: Final = 8
"""Minutes that are kept: those with the most acts. A push is over within a few."""

MINUTE: Final = np.dtype([("minute", np.uint32), ("acts", np.uint32)])
"""A minute since the epoch and how many acts it had; `acts` 0: a free place."""

ACCOUNTS: Final = np.dtype(
    [
        ("acts", np.int64),
        ("ages", np.uint32, (AGE_BINS,)),
        ("followers", np.uint32, (FOLLOWER_BINS,)),
        ("now", MINUTE, (1,)),
        ("busiest", MINUTE, (BUSIEST,)),
    ]
)
"""Acts of known actors: how many; by the age of the account and by its followers, where those are
known; the minute that goes on; and the busiest ones before it, in any order."""

_LAST_MINUTE: Final = (1 << 32) - 1

Accounts = Any
"""One record of ACCOUNTS, in place."""


@compiled
def note_account(accounts: Accounts, age_days: int, followers: int, at_ms: int) -> None:
    """Take in an act of a known actor, in place; they come in order of minutes.

    Args:
        accounts: Of ACCOUNTS.
        age_days: How old the account is, NO_NUMBER where that is not known.
        followers: How many followers it has, likewise.
        at_ms: When.
    """
    accounts.acts += 1
    if age_days != NO_NUMBER:
        number = 0
        while age_days > 0 and number < AGE_BINS - 1:
            age_days >>= 1
            number += 1
        accounts.ages[number] = min(np.int64(accounts.ages[number]) + 1, COUNT_MAX)
    if followers != NO_NUMBER:
        number = 0
        while followers > 0 and number < FOLLOWER_BINS - 1:
            followers //= 10
            number += 1
        accounts.followers[number] = min(np.int64(accounts.followers[number]) + 1, COUNT_MAX)
    minute = np.uint32(min(at_ms // MINUTE_MS, _LAST_MINUTE))
    if accounts.now[0].minute != minute:
        _keep(accounts.busiest, accounts.now[0].minute, accounts.now[0].acts)
        accounts.now[0].minute = minute
        accounts.now[0].acts = 0
    accounts.now[0].acts = min(np.int64(accounts.now[0].acts) + 1, COUNT_MAX)


@compiled
def _keep(busiest: npt.NDArray[np.void], minute: np.uint32, acts: np.uint32) -> None:
    """Keep a minute, or add to it, if it is among the busiest; of two alike the later one."""
    least = 0
    for at in range(BUSIEST):
        if busiest[at].acts and busiest[at].minute == minute:
            busiest[at].acts = min(np.int64(busiest[at].acts) + np.int64(acts), COUNT_MAX)
            return
        if _is_less(busiest[at], busiest[least].minute, busiest[least].acts):
            least = at
    if _is_less(busiest[least], minute, acts):
        busiest[least].minute, busiest[least].acts = minute, acts


@compiled
def _is_less(one: Any, minute: np.uint32, acts: np.uint32) -> bool:  # noqa: ANN401 - a record
    if one.acts != acts:
        less: bool = one.acts < acts
        return less
    earlier: bool = one.minute < minute
    return earlier


@compiled
def merge_accounts(into: Accounts, other: Accounts) -> None:
    """Merge those of another video into one, in place, the busiest minutes first.

    Minutes that both keep are added up; one that only one of them keeps is counted there alone, so
    that the acts of a minute are never too many.
    """
    into.acts += other.acts
    for number in range(AGE_BINS):
        into.ages[number] = min(
            np.int64(into.ages[number]) + np.int64(other.ages[number]), COUNT_MAX
        )
    for number in range(FOLLOWER_BINS):
        into.followers[number] = min(
            np.int64(into.followers[number]) + np.int64(other.followers[number]), COUNT_MAX
        )
    both = np.zeros(2 * BUSIEST + 2, MINUTE)
    size = _add_minute(both, 0, into.now[0].minute, into.now[0].acts)
    size = _add_minute(both, size, other.now[0].minute, other.now[0].acts)
    for at in range(BUSIEST):
        size = _add_minute(both, size, into.busiest[at].minute, into.busiest[at].acts)
        size = _add_minute(both, size, other.busiest[at].minute, other.busiest[at].acts)
    into.now[0].minute = into.now[0].acts = 0
    for place in range(BUSIEST):
        best = place
        for at in range(place + 1, size):
            if _is_less(both[best], both[at].minute, both[at].acts):
                best = at
        minute, acts = both[best].minute, both[best].acts
        both[best].minute, both[best].acts = both[place].minute, both[place].acts
        into.busiest[place].minute, into.busiest[place].acts = minute, acts


@compiled
def _add_minute(minutes: npt.NDArray[np.void], size: int, minute: int, acts: int) -> int:
    """Add a minute to the first `size` of some; return how many they are now."""
    if acts == 0:
        return size
    for at in range(size):
        if minutes[at].minute == minute:
            minutes[at].acts = min(np.int64(minutes[at].acts) + np.int64(acts), COUNT_MAX)
            return size
    minutes[size].minute, minutes[size].acts = minute, acts
    return size + 1

"""A fixed sample of the people of a video: how deep each went, from when on, on which days.

The sample holds the K people with the smallest hashes: K minimum values. Whether somebody belongs
to it depends on the hash alone, not on what the person does or how often, so shares within it are
those among all people, and how dense the hashes lie tells how many people there are [1]. Samples of
two videos merge into that of both: a union, of which again the smallest hashes are kept.

How deep somebody goes: to watch is to consume, to judge and to speak is to contribute, to create is
to create [2]; seed 004, section 3.1, "deepening", and seed 000, section 2, tell judging from
speaking. Passing a video on is speaking: to one's own circle.

References:
    [1] K. Beyer, P. Haas, B. Reinwald, Y. Sismanis, R. Gemulla, "On Synopses for Distinct-Value
        Estimation Under Multiset Operations", SIGMOD 2007, section 4: (k - 1) / U_(k) is unbiased,
        its relative standard error at the most 1 / sqrt(k - 2); section 5: unions.
    [2] B. Schivinski, G. Christodoulides, D. Dabrowski, "Measuring Consumers' Engagement With
        Brand-Related Social-Media Content", Journal of Advertising Research 2016: the levels of
        Muntinga et al. 2011, consuming, contributing, creating.
"""

from enum import IntEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.compiled import compiled
from models.parameters import DAY_MS, MINUTE_MS
from models.vocabulary import ACTION_CODE, ACTIONS, Action

SAMPLED: Final = 96
"""People of a video that are kept: how many there are is known to 1 / sqrt(94) = 10 % [1]."""

SAMPLE_BITS: Final = 6
"""Of 2^6 = 64 people one may be sampled at all: of the others no row waits. A video of fewer than
64 * SAMPLED = 6,144 people has a smaller sample; hotspots have more."""

SAMPLE_BELOW: Final = np.uint64(1 << (64 - SAMPLE_BITS))
"""Hashes of actors below this are those of people who may be sampled; 0 is nobody's."""

_KEY_SHIFT: Final = np.uint64(32 - SAMPLE_BITS)
_KEY_SPACE: Final = 1 << 32
_DAY_BITS: Final = np.int64(32)
_LAST_MINUTE: Final = (1 << 32) - 1
_LAST_DAY: Final = (1 << 16) - 1

PERSON: Final = np.dtype(
    [
        ("key", np.uint32),
        ("days", np.uint32),
        ("first_minute", np.uint32),
        ("last_day", np.uint16),
        ("first_act", np.uint8),
        ("deepest_act", np.uint8),
    ]
)
"""Somebody in the sample; `key` 0: a free place.

`key` are 32 bits of the actor's hash, in its order; `days` has the bit (day % 32) of every day
(UTC) with an act, so that days more than 31 apart may fall together and are never too many;
`first_minute` and `last_day` count from the epoch; acts are of `Depth`."""


class Depth(IntEnum):
    """How deep an act goes."""

    NONE = 0
    WATCH = 1
    JUDGE = 2
    SPEAK = 3
    CREATE = 4


_ACTIONS_OF_DEPTH: Final = {
    Depth.WATCH: (Action.VIEW,),
    Depth.JUDGE: (
        *(Action.LIKE, Action.BOOKMARK, Action.FOLLOW, Action.TIP),
        *(Action.SKIP, Action.DISLIKE, Action.REPORT, Action.COMMENT_LIKE),
    ),
    Depth.SPEAK: (Action.COMMENT, Action.REPLY, Action.DANMAKU, Action.SHARE, Action.REPOST),
    Depth.CREATE: (Action.DERIVE, Action.MEDIA_REPORT, Action.OFFLINE),
}


def _depth_of_action() -> npt.NDArray[np.uint8]:
    table = np.zeros(len(ACTIONS), np.uint8)
    for depth, actions in _ACTIONS_OF_DEPTH.items():
        table[[ACTION_CODE[action] for action in actions]] = depth
    return table


DEPTH_OF_ACTION: Final = _depth_of_action()
"""uint8[len(ACTIONS)]: the depth of each action code. To publish a video is no part in it, and to
be shown one is not to watch it."""

People = npt.NDArray[np.void]
"""PERSON[SAMPLED] in order of keys, free places last."""


@compiled
def note_person(people: People, actor: np.uint64, at_ms: int, depth: int) -> None:
    """Note an act of somebody who may be sampled, in place; the order of acts does not matter.

    Args:
        people: PERSON[SAMPLED].
        actor: Hash of the actor, above 0 and below SAMPLE_BELOW.
        at_ms: When.
        depth: Of `Depth`, not NONE.
    """
    shifted = actor >> _KEY_SHIFT
    key = np.uint32(shifted if shifted > 0 else 1)
    at = _place_of(people, key)
    if at == SAMPLED:
        return
    day = at_ms // DAY_MS
    minute = np.uint32(min(at_ms // MINUTE_MS, _LAST_MINUTE))
    _take_in(
        people[at],
        np.uint32(1) << np.uint32(day % _DAY_BITS),
        minute,
        np.uint16(min(day, _LAST_DAY)),
        np.uint8(depth),
        np.uint8(depth),
    )


@compiled
def _place_of(people: People, key: np.uint32) -> int:
    """Return where somebody stands, room made if need be; SAMPLED: not in the sample."""
    at = 0
    while at < SAMPLED and people[at].key != 0 and people[at].key < key:
        at += 1
    if at == SAMPLED or people[at].key == key:
        return at
    for later in range(SAMPLED - 1, at, -1):
        people[later].key = people[later - 1].key
        people[later].days = people[later - 1].days
        people[later].first_minute = people[later - 1].first_minute
        people[later].last_day = people[later - 1].last_day
        people[later].first_act = people[later - 1].first_act
        people[later].deepest_act = people[later - 1].deepest_act
    person = people[at]
    person.key = key
    person.days = person.last_day = person.first_act = person.deepest_act = 0
    person.first_minute = np.uint32(_LAST_MINUTE)
    return at


@compiled
def _take_in(
    person: Any,  # noqa: ANN401 - a record
    days: np.uint32,
    minute: np.uint32,
    last_day: np.uint16,
    first_act: np.uint8,
    deepest_act: np.uint8,
) -> None:
    """Take in what somebody did: of two first acts in one minute the shallower one came first."""
    if person.first_act == 0 or minute < person.first_minute:
        person.first_act = first_act
    elif minute == person.first_minute:
        person.first_act = min(person.first_act, first_act)
    person.first_minute = min(person.first_minute, minute)
    person.days = person.days | days
    person.last_day = max(person.last_day, last_day)
    person.deepest_act = max(person.deepest_act, deepest_act)


@compiled
def merge_people(into: People, other: People) -> None:
    """Merge a sample into another, in place: as if one had noted all acts of both."""
    for number in range(SAMPLED):
        person = other[number]
        if person.key == 0:
            break
        at = _place_of(into, person.key)
        if at == SAMPLED:
            break
        _take_in(
            into[at],
            person.days,
            person.first_minute,
            person.last_day,
            person.first_act,
            person.deepest_act,
        )


def distinct_people(people: People) -> tuple[float, float]:
    """Estimate how many different people acted, and the relative standard error of that.

    Args:
        people: PERSON[SAMPLED].

    Returns:
        The estimate, and its error: while not all places are taken each of 64 people is sampled
        with a chance of 1/64, so that it is that of a binomial count; then that of [1]. 0 and 0
        where nobody is in the sample: there may be some dozens, then.
    """
    keys = people["key"]
    count = int(np.count_nonzero(keys))
    if count < SAMPLED:
        chance = 2.0**-SAMPLE_BITS
        return count / chance, float(np.sqrt((1 - chance) / count)) if count else 0.0
    share = int(keys[-1]) / _KEY_SPACE * 2.0**-SAMPLE_BITS
    return (SAMPLED - 1) / share, (SAMPLED - 2) ** -0.5

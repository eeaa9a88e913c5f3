"""Who takes part in a video, how deep, through whom it spreads, and how the accounts look.

One record of fixed size for each followed video (models/participation_table.py says which), updated
with the rows that wait in models/undecided_details.py. It holds counts and sketches, no ids: where
something is estimated, the file of that idea says with which error. Records of several videos merge
into that of a work. A record that has taken in nothing is all zeros, so it packs small.

What it is for: collective participation, the entry of media, elites and experts (seed 000, sections
3.1 and 3.2), audiences of several cultures (001), deepening, key nodes, sustained willingness
(004, section 3), and signs of manipulation.
"""

from enum import IntEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models import sketches
from models.account_signs import ACCOUNTS, merge_accounts, note_account
from models.compiled import compiled
from models.dialogue import DIALOGUE, merge_dialogue, note_comment
from models.heavy_hitters import COUNTER, count_key, merge_counters
from models.people_sample import (
    DEPTH_OF_ACTION,
    PERSON,
    SAMPLE_BELOW,
    SAMPLED,
    Depth,
    merge_people,
    note_person,
)
from models.vocabulary import (
    ACTION_CODE,
    ACTIONS,
    NO_SIGNAL,
    ROLES,
    SIGNAL_OF_ACTION,
    Action,
)

KEY_NODES: Final = 12
"""Accounts whose shares led people here that are counted: every one with more than a twelfth of all
that were led is among them (models/heavy_hitters.py). In 140 million retweets, the influence that
counts is concentrated in few (M. Cha et al., "Measuring User Influence in Twitter", ICWSM 2010)."""

REGIONS: Final = 8
"""Regions that are counted: every one with more than an eighth of all events is among them."""

VERSION: Final = 2
"""Goes up when the layout of PARTICIPATION changes."""


class Deed(IntEnum):
    """What is counted by role, of interaction and diffusion."""

    SPEAK = 0
    COMMENT_LIKE = 1
    SPREAD = 2
    DERIVE = 3
    MEDIA_REPORT = 4
    OFFLINE = 5


_ACTIONS_OF_DEED: Final = {
    Deed.SPEAK: (Action.COMMENT, Action.REPLY, Action.DANMAKU),
    Deed.COMMENT_LIKE: (Action.COMMENT_LIKE,),
    Deed.SPREAD: (Action.SHARE, Action.REPOST),
    Deed.DERIVE: (Action.DERIVE,),
    Deed.MEDIA_REPORT: (Action.MEDIA_REPORT,),
    Deed.OFFLINE: (Action.OFFLINE,),
}
_NO_DEED: Final = -1
_DEEDS: Final = len(Deed)


def _deed_of_action() -> npt.NDArray[np.int8]:
    table = np.full(len(ACTIONS), _NO_DEED, np.int8)
    for deed, actions in _ACTIONS_OF_DEED.items():
        table[[ACTION_CODE[action] for action in actions]] = deed
    return table


_DEED_OF_ACTION: Final = _deed_of_action()

PARTICIPATION: Final = np.dtype(
    [
        ("first_ms", np.int64),
        ("last_ms", np.int64),
        ("last_bucket", np.int64),
        ("untold", np.int64),
        ("entry_ms", np.int64, (len(ROLES),)),
        ("deeds", np.int64, (len(ROLES), len(Deed))),
        ("role_people", np.uint8, (len(ROLES), sketches.REGISTERS)),
        ("people", PERSON, (SAMPLED,)),
        ("dialogue", DIALOGUE, (1,)),
        ("led", np.int64),
        ("key_nodes", COUNTER, (KEY_NODES,)),
        ("located", np.int64),
        ("regions", COUNTER, (REGIONS,)),
        ("watches", np.int64),
        ("watch_ms", np.int64),
        ("accounts", ACCOUNTS, (1,)),
    ]
)
"""The participation in one video, or in several whose records were merged.

- `first_ms`, `last_ms`: event times of the first and last row taken in, 0 for none; `last_bucket`:
  of the last; `untold`: 1 + the visit of what `hotspots` has not been told yet, 0 for nothing.
- `entry_ms[role]`: when somebody of that role first took part (acted for any signal), 0 for never.
- `deeds[role, Deed]`: events, less those taken back (so that they may be below zero for a while).
- `role_people[role]`: sketch of the known people who took part (models/sketches.py: 13 %).
- `people`: PERSON[SAMPLED], models/people_sample.py: how many people, how deep, since when.
- `dialogue`: models/dialogue.py.
- `led`: events that somebody's share led to; `key_nodes`: by whom (`key`: hash of the actor).
- `located`: events whose region is known; `regions`: by region (models/undecided_details.py,
  `region_words`, makes `key` and `rest` of the name).
- `watches`, `watch_ms`: views whose length is known, and their lengths.
- `accounts`: models/account_signs.py.
"""

Participation = Any
"""One record of PARTICIPATION, in place."""

Row = Any
"""One record of undecided_details.DEEP."""

_COMMENT: Final = ACTION_CODE[Action.COMMENT]
_REPLY: Final = ACTION_CODE[Action.REPLY]
_PUBLISH: Final = ACTION_CODE[Action.PUBLISH]
_NOBODY: Final = np.uint64(0)


@compiled
def take_in(record: Participation, row: Row) -> None:
    """Take in a row of a decided bucket, in place; rows come by bucket, then by time.

    What takes something back lowers counts of events and touches nothing else: people, sketches and
    first times are of what was ever done.
    """
    if record.first_ms == 0:
        record.first_ms = row.time_ms
    record.first_ms = min(record.first_ms, row.time_ms)
    record.last_ms = max(record.last_ms, row.last_ms)
    record.last_bucket = row.bucket
    deed = np.int64(_DEED_OF_ACTION[row.action])
    if deed != _NO_DEED:
        record.deeds[row.role, deed] += row.count
    if row.action in (_COMMENT, _REPLY):
        _converse(record.dialogue[0], row)
    if row.count > 0:
        _count_people(record, row)
        _count_details(record, row)


@compiled
def _converse(dialogue: Any, row: Row) -> None:  # noqa: ANN401 - a record
    """Take in a comment or reply, or that some were taken back, in place."""
    is_reply = row.action == _REPLY or row.parent != 0
    if is_reply:
        dialogue.replies += row.count
    else:
        dialogue.comments += row.count
    if row.count > 0:
        note_comment(dialogue, row.comment, row.parent, row.actor, row.role, row.time_ms, is_reply)


@compiled
def _count_people(record: Participation, row: Row) -> None:
    """Take in who acts, in place."""
    acts = SIGNAL_OF_ACTION[row.action] != NO_SIGNAL
    if acts:
        record.entry_ms[row.role] = _earlier(record.entry_ms[row.role], row.time_ms)
    if row.actor == 0:
        return
    if acts:
        sketches.add(record.role_people[row.role], row.actor)
    if acts or row.action == _PUBLISH:
        note_account(record.accounts[0], row.age_days, row.followers, row.time_ms)
    depth = DEPTH_OF_ACTION[row.action]
    if row.actor < SAMPLE_BELOW and depth != Depth.NONE:
        note_person(record.people, row.actor, row.time_ms, depth)


@compiled
def _count_details(record: Participation, row: Row) -> None:
    """Take in through whom, from where and how long, in place."""
    if row.via not in (_NOBODY, row.actor):
        record.led += row.count
        count_key(record.key_nodes, row.via, _NOBODY, row.count)
    if row.region[0] != 0:
        record.located += row.count
        count_key(record.regions, row.region[0], row.region[1], row.count)
    if row.watches:
        record.watches += row.watches
        record.watch_ms += row.watch_ms


@compiled
def merge(into: npt.NDArray[np.void], other: npt.NDArray[np.void]) -> None:
    """Merge the participation in another video into that in one or several, in place.

    Counts add up; people, pairs, roles' people and recent comments are united, so that merging the
    same record again changes none of these. The order does not matter, but for what had to give way
    in bounded lists: regions and key nodes say with which error, the acts of busiest minutes are
    never too many.

    Args:
        into: PARTICIPATION[1].
        other: PARTICIPATION[1], unchanged.
    """
    _merge(into[0], other[0])


@compiled
def _merge(into: Participation, other: Participation) -> None:
    into.first_ms = _earlier(into.first_ms, other.first_ms)
    into.last_ms = max(into.last_ms, other.last_ms)
    into.last_bucket = max(into.last_bucket, other.last_bucket)
    into.untold = max(into.untold, other.untold)
    for role in range(len(ROLES)):
        into.entry_ms[role] = _earlier(into.entry_ms[role], other.entry_ms[role])
        for deed in range(_DEEDS):
            into.deeds[role, deed] += other.deeds[role, deed]
        sketches.merge(into.role_people[role], other.role_people[role])
    merge_people(into.people, other.people)
    merge_dialogue(into.dialogue[0], other.dialogue[0])
    into.led += other.led
    merge_counters(into.key_nodes, other.key_nodes)
    into.located += other.located
    merge_counters(into.regions, other.regions)
    into.watches += other.watches
    into.watch_ms += other.watch_ms
    merge_accounts(into.accounts[0], other.accounts[0])


@compiled
def _earlier(one: int, other: int) -> int:
    """Return the earlier of two times, 0 being none."""
    if one == 0 or other == 0:
        return max(one, other)
    return min(one, other)


class ParticipationFormatError(ValueError):
    """A packed record that is damaged or of another version."""


_WORDS: Final = PARTICIPATION.itemsize // 8
_MASK_BYTES: Final = -(-_WORDS // 8)
_HEAD: Final = bytes([VERSION])


def pack(record: npt.NDArray[np.void]) -> bytes:
    """Return a record (PARTICIPATION[1]) as bytes: which words are not zero, and those words."""
    words = record.view(np.uint64)
    filled = words != 0
    return b"".join((_HEAD, np.packbits(filled).tobytes(), words[filled].tobytes()))


def unpack(packed: bytes) -> npt.NDArray[np.void]:
    """Return the record (PARTICIPATION[1]) of `pack`.

    Raises:
        ParticipationFormatError: It is damaged or of another version.
    """
    if packed[:1] != _HEAD:
        raise ParticipationFormatError(
            f"version {packed[:1].hex()} of a participation; this program reads {VERSION}"
        )
    mask = np.frombuffer(packed[1 : 1 + _MASK_BYTES], np.uint8)
    filled = (
        np.unpackbits(mask, count=_WORDS).astype(np.bool_) if len(mask) == _MASK_BYTES else None
    )
    if filled is None or len(packed) != 1 + _MASK_BYTES + 8 * int(filled.sum()):
        raise ParticipationFormatError(f"a participation of {len(packed)} bytes is damaged")
    words = np.zeros(_WORDS, np.uint64)
    words[filled] = np.frombuffer(packed, np.uint64, offset=1 + _MASK_BYTES)
    return words.view(PARTICIPATION)

"""The comment section as a conversation: how deep it goes, who meets whom, who is answered.

What a reply belongs to is only known while the comment that it answers is remembered: the RECENT
comments written or answered last, so that threads that go on stay. Every figure says of how many
replies it speaks.

Strangers meet where a reply connects two people who had not exchanged anything before: the ties of
seed 000, sections 3.1 and 3.2, are weak [1]. Of all exchanges those are as many as there are
different pairs of people, which a sketch counts (models/sketches.py). Answers are those of creators
and brands (seed 004, section 1.2, "Brand-User Interaction and Response").

References:
    [1] M. Granovetter, "The Strength of Weak Ties", American Journal of Sociology 1973.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.compiled import compiled
from models.parameters import SECOND_MS
from models.sketches import FINE_REGISTERS, add, merge
from models.vocabulary import ROLE_CODE, Role

RECENT: Final = 32
"""Comments of a video that are remembered at a time: 640 bytes of a record of 4 KB. For which
share of the replies that is enough is told (`placed`)."""

DEEPEST: Final = 255
"""Depths beyond this are this."""

COMMENT: Final = np.dtype(
    [
        ("key", np.uint32),
        ("author", np.uint32),
        ("second", np.uint32),
        ("touched", np.uint32),
        ("depth", np.uint8),
        ("role", np.uint8),
        ("answered", np.uint8),
        ("spare", np.uint8),
    ]
)
"""A comment that is remembered; `key` 0: a free place.

`key` and `author` are the upper 32 bits of the hashes, `author` 0 where the actor is not known;
`second` is when it was written and `touched` when it was written or answered last, in seconds since
the epoch; `depth` 0 answers nothing; `answered` 1: by a creator or a brand."""

DIALOGUE: Final = np.dtype(
    [
        ("comments", np.int64),
        ("replies", np.int64),
        ("placed", np.int64),
        ("depth_sum", np.int64),
        ("deepest", np.int64),
        ("exchanges", np.int64),
        ("answerable", np.int64),
        ("answers", np.int64),
        ("answered", np.int64),
        ("answer_delay_s", np.int64),
        ("pairs", np.uint8, (FINE_REGISTERS,)),
        ("recent", COMMENT, (RECENT,)),
    ]
)
"""The conversation of a video.

- `comments`, `replies`: events, less those taken back; a comment with a parent is a reply.
- `placed`: replies whose parent was remembered; `depth_sum`: of their depths; `deepest`: of all.
- `exchanges`: replies to a remembered comment between two different known people; `pairs`: sketch
  of the different pairs.
- `answerable`: comments and replies with an id, not by creators or brands; `answers`: replies by
  creators and brands; `answered`: first ones to a remembered answerable comment, and
  `answer_delay_s` the sum of their delays."""

_LAST_SECOND: Final = (1 << 32) - 1
_UPPER: Final = np.uint64(32)
_UNKNOWN: Final = np.uint32(0)
_SPLIT_1: Final = np.uint64(0xBF58_476D_1CE4_E5B9)
_SPLIT_2: Final = np.uint64(0x94D0_49BB_1331_11EB)
"""Multipliers of the finaliser of SplitMix64 (G. Steele et al., OOPSLA 2014, figure 16)."""
_SHIFT_1, _SHIFT_2, _SHIFT_3 = np.uint64(30), np.uint64(27), np.uint64(31)
_CREATOR: Final = ROLE_CODE[Role.CREATOR]
_BRAND: Final = ROLE_CODE[Role.BRAND]

Dialogue = Any
"""One record of DIALOGUE, in place."""
Comments = npt.NDArray[np.void]
"""COMMENT[RECENT]."""


@compiled
def note_comment(
    dialogue: Dialogue,
    comment: np.uint64,
    parent: np.uint64,
    actor: np.uint64,
    role: int,
    at_ms: int,
    is_reply: bool,
) -> None:
    """Take in whom a comment or reply answers, in place; they come in order of time.

    `comments` and `replies` are not counted here: rows may count for several, or be taken back.

    Args:
        dialogue: Of DIALOGUE.
        comment: Hash of its id, 0 when absent.
        parent: Hash of the id of what it answers, 0 when absent.
        actor: Hash of who writes, 0 when absent.
        role: Code of the role.
        at_ms: When.
        is_reply: Whether it answers a comment.
    """
    second = np.uint32(min(at_ms // SECOND_MS, _LAST_SECOND))
    author = np.uint32(actor >> _UPPER)
    host = role in (_CREATOR, _BRAND)
    depth = 1 if is_reply else 0
    if is_reply:
        dialogue.answers += host
        at = find_comment(dialogue.recent, parent)
        if at >= 0:
            answered = dialogue.recent[at]
            depth = DEEPEST if answered.depth == DEEPEST else answered.depth + 1
            dialogue.placed += 1
            dialogue.depth_sum += depth
            answered.touched = max(answered.touched, second)
            if author != _UNKNOWN and answered.author not in (_UNKNOWN, author):
                dialogue.exchanges += 1
                add(dialogue.pairs, pair_hash(author, answered.author))
            if host and not answered.answered and answered.role not in (_CREATOR, _BRAND):
                answered.answered = 1
                dialogue.answered += 1
                dialogue.answer_delay_s += max(np.int64(second) - np.int64(answered.second), 0)
        dialogue.deepest = max(dialogue.deepest, depth)
    if comment != 0:
        dialogue.answerable += not host
        _remember(dialogue.recent, _key_of(comment), author, second, second, depth, role, 0)


@compiled
def _key_of(comment: np.uint64) -> np.uint32:
    shifted = comment >> _UPPER
    return np.uint32(shifted if shifted > 0 else 1)


@compiled
def find_comment(recent: Comments, comment: np.uint64) -> int:
    """Return where a comment (by the hash of its id) is remembered, -1 where it is not."""
    if comment == 0:
        return -1
    key = _key_of(comment)
    for at in range(RECENT):
        if recent[at].key == key:
            return at
    return -1


@compiled
def pair_hash(one: np.uint32, other: np.uint32) -> np.uint64:
    """Return the hash of two people, whoever of them comes first."""
    low, high = np.uint64(min(one, other)), np.uint64(max(one, other))
    mixed = (high << _UPPER) | low
    mixed = (mixed ^ (mixed >> _SHIFT_1)) * _SPLIT_1
    mixed = (mixed ^ (mixed >> _SHIFT_2)) * _SPLIT_2
    return mixed ^ (mixed >> _SHIFT_3)


@compiled
def _remember(
    recent: Comments,
    key: np.uint32,
    author: np.uint32,
    second: np.uint32,
    touched: np.uint32,
    depth: int,
    role: int,
    answered: int,
) -> None:
    """Remember a comment in place of the one touched longest ago, unless that is later still.

    One that is remembered already stays as it was first written, in whatever order both come.
    """
    least = 0
    for at in range(RECENT):
        comment = recent[at]
        if comment.key == key:
            if _is_written_before(second, author, depth, role, comment):
                comment.second, comment.author = second, author
                comment.depth, comment.role = np.uint8(depth), np.uint8(role)
            comment.touched = max(comment.touched, touched)
            comment.answered = max(comment.answered, np.uint8(answered))
            return
        if _is_older(comment, recent[least].touched, recent[least].key):
            least = at
    comment = recent[least]
    if comment.key != 0 and not _is_older(comment, touched, key):
        return
    comment.key, comment.author = key, author
    comment.second, comment.touched = second, touched
    comment.depth, comment.role = np.uint8(depth), np.uint8(role)
    comment.answered = np.uint8(answered)


@compiled
def _is_written_before(
    second: np.uint32,
    author: np.uint32,
    depth: int,
    role: int,
    comment: Any,  # noqa: ANN401 - a record
) -> bool:
    """Tell whether this writing of a comment stands before the one that is remembered."""
    if second != comment.second:
        earlier: bool = second < comment.second
        return earlier
    if author != comment.author:
        lower: bool = author < comment.author
        return lower
    if depth != comment.depth:
        higher: bool = depth < comment.depth
        return higher
    before: bool = role < comment.role
    return before


@compiled
def _is_older(comment: Any, touched: np.uint32, key: np.uint32) -> bool:  # noqa: ANN401 - a record
    """Tell whether a comment gives way before another; free places do before all."""
    if comment.touched != touched:
        older: bool = comment.touched < touched
        return older
    lower: bool = comment.key < key
    return lower


@compiled
def merge_dialogue(into: Dialogue, other: Dialogue) -> None:
    """Merge the conversation of another video into one, in place; the order does not matter."""
    into.comments += other.comments
    into.replies += other.replies
    into.placed += other.placed
    into.depth_sum += other.depth_sum
    into.deepest = max(into.deepest, other.deepest)
    into.exchanges += other.exchanges
    into.answerable += other.answerable
    into.answers += other.answers
    into.answered += other.answered
    into.answer_delay_s += other.answer_delay_s
    merge(into.pairs, other.pairs)
    for number in range(RECENT):
        comment = other.recent[number]
        if comment.key != 0:
            _remember(
                into.recent,
                comment.key,
                comment.author,
                comment.second,
                comment.touched,
                comment.depth,
                comment.role,
                comment.answered,
            )
    _sort(into.recent)


@compiled
def _sort(recent: Comments) -> None:
    """Put the comment touched last first, so that how they came to be here does not show."""
    for first in range(RECENT):
        best = first
        for at in range(first + 1, RECENT):
            if _is_older(recent[best], recent[at].touched, recent[at].key):
                best = at
        if best != first:
            one, other = recent[first], recent[best]
            one.key, other.key = other.key, one.key
            one.author, other.author = other.author, one.author
            one.second, other.second = other.second, one.second
            one.touched, other.touched = other.touched, one.touched
            one.depth, other.depth = other.depth, one.depth
            one.role, other.role = other.role, one.role
            one.answered, other.answered = other.answered, one.answered

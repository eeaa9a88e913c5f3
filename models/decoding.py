"""From a chunk of messages to columns: fast where that is certain, message by message elsewhere.

models/validation.py is the authority on what an event is; models/event_scanning.py reads whole
chunks fifty times as fast and says which messages it is certain of. Together they give exactly what
the authority alone gives (tests/models/test_decoding.py).
"""

import json
from collections.abc import Iterator
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from models.detail_decoding import SlowEvents, comments_of, details_of
from models.event_scanning import Scan, scan
from models.events import (
    FIRST_OF_VIDEO,
    DecodingLimits,
    EventColumns,
    Reject,
    RejectedEventError,
)
from models.identity import HashKeys
from models.packed_chunk import NULL_LENGTH, PackedChunk, packed
from models.siphash import hash_ids, hash_texts
from models.span_numbering import in_order_of_appearance, number_spans, number_videos
from models.steps import CREATE_TIME_MS, Chunk
from models.validation import profile_json, validate
from models.vocabulary import ACTION_CODE

_PROFILE_ACTION_CODES: Final = frozenset(ACTION_CODE[action.value] for action in FIRST_OF_VIDEO)

_LISTS_MAX: Final = 2**31
"""More than a chunk can have lists of topics, so that a video and a list make one number."""

Numbers = TypeVar("Numbers", bound=np.generic)
Integers = npt.NDArray[np.int64]


def decode(
    chunk: PackedChunk, *, received_ms: int, limits: DecodingLimits, keys: HashKeys
) -> tuple[EventColumns, list[Reject]]:
    """Return the events of a chunk, in log order, and the messages that are none.

    Args:
        chunk: Messages of the input topic; an end mark is a tombstone here (models/intake.py).
        received_ms: When the chunk was received, ms since the epoch; bounds event times where the
            topic carries no append time.
        limits: The bounds to hold events to.
        keys: The keys of the hashes that stand for ids.

    Returns:
        The events, and one `Reject` for each message that is not an event, in log order. They are
        the same however the messages are chunked, but for one thing: a profile is repeated for the
        first event per video and list of topics in each chunk.
    """
    found = scan(chunk, received_ms=received_ms, limits=limits)
    slow, rejects = _validated(chunk, found.undecided, received_ms, limits)
    return _columns_of(chunk, found, slow, keys), rejects


def decode_slowly(
    chunk: PackedChunk, *, received_ms: int, limits: DecodingLimits, keys: HashKeys
) -> tuple[EventColumns, list[Reject]]:
    """Do what `decode` does, message by message: what it is measured and tested against."""
    none = chunk.rows(0, 0, low_offset=chunk.low_offset, next_offset=chunk.next_offset)
    nothing = scan(none, received_ms=received_ms, limits=limits)
    slow, rejects = _validated(chunk, np.arange(len(chunk)), received_ms, limits)
    return _columns_of(chunk, nothing, slow, keys), rejects


def warm_up() -> None:
    """Compile, or load, all that `decode` needs, before there is work to do."""
    limits = DecodingLimits()
    decode(
        packed(every_field(limits)),
        received_ms=limits.earliest_ms,
        limits=limits,
        keys=HashKeys((0, 0), (0, 0), (0, 0)),
    )


def every_field(limits: DecodingLimits) -> Chunk:
    """Return a chunk of one event that has something to do for every loop."""
    line = (
        b'{"time":%d,"platform":"p","video_id":"v","action":"comment","topics":["t"],'
        b'"actor_region":"r","comment_id":"c","text":"t","sentiment":0.5}'
    )
    return Chunk(0, 1, [0], [None], [line % limits.earliest_ms], [CREATE_TIME_MS])


def _validated(
    chunk: PackedChunk, rows: Integers, received_ms: int, limits: DecodingLimits
) -> tuple[SlowEvents, list[Reject]]:
    """Ask the authority about each of the messages."""
    events: SlowEvents = []
    rejects: list[Reject] = []
    if not len(rows):
        return events, rejects
    append_ms = chunk.append_ms[rows]
    latest_ms = np.where(append_ms >= 0, append_ms, received_ms) + limits.max_ahead_ms
    offsets = chunk.offset[rows].tolist()
    values = _texts(chunk, chunk.value_begin[rows], chunk.value_length[rows])
    keys = _texts(chunk, chunk.key_begin[rows], chunk.key_length[rows])
    for row, latest, offset, value, key in zip(
        rows.tolist(), latest_ms.tolist(), offsets, values, keys, strict=True
    ):
        try:
            events.append((row, validate(value, latest_ms=latest, limits=limits)))
        except RejectedEventError as error:
            rejects.append(Reject(offset, key, value, error.reason, error.detail))
    return events, rejects


def _texts(chunk: PackedChunk, begin: Integers, length: Integers) -> Iterator[bytes | None]:
    """Yield keys or values; slices of a memoryview cost a third of those of an array."""
    buffer = chunk.buffer.data
    for at, size in zip(begin.tolist(), length.tolist(), strict=True):
        yield None if size == NULL_LENGTH else bytes(buffer[at : at + size])


def _columns_of(chunk: PackedChunk, found: Scan, slow: SlowEvents, keys: HashKeys) -> EventColumns:
    videos, video = number_videos(
        chunk.buffer,
        found.video_begin,
        found.video_length,
        found.platform,
        found.platforms,
        seed=keys.event[0],
    )
    rows, time_ms, count = found.row, found.time_ms, found.count
    action, role = found.action, found.role
    names = (found.platform, found.platforms)
    actor = hash_ids(keys.actor, chunk.buffer, found.actor_begin, found.actor_length, *names)
    event = hash_ids(keys.event, chunk.buffer, found.event_begin, found.event_length, *names)
    if slow:
        code_of = {key: code for code, key in enumerate(videos)}
        codes = [code_of.setdefault(each.video, len(code_of)) for _, each in slow]
        rows = np.concatenate([rows, np.array([row for row, _ in slow], np.int64)])
        order = np.argsort(rows)
        rows = rows[order]
        time_ms = _with(time_ms, [each.time_ms for _, each in slow], order)
        count = _with(count, [each.count for _, each in slow], order)
        action = _with(action, [each.action for _, each in slow], order)
        role = _with(role, [each.role for _, each in slow], order)
        actor = _with(actor, hash_texts(keys.actor, [each.actor for _, each in slow]), order)
        event = _with(event, hash_texts(keys.event, [each.event for _, each in slow]), order)
        videos, video = in_order_of_appearance(list(code_of), _with(video, codes, order))
    details, regions = details_of(chunk, found, slow, rows, keys)
    return EventColumns(
        offset=chunk.offset[rows],
        time_ms=time_ms,
        videos=videos,
        video=video,
        action=action,
        count=count,
        actor=actor,
        role=role,
        event=event,
        sources=_sources_of(rows, slow),
        profiles=_profiles_of(chunk, found, slow, rows, video, seed=keys.event[0]),
        details=details,
        regions=regions,
        comments=comments_of(chunk, found, slow, rows),
    )


def _with(fast: npt.NDArray[Numbers], slow: npt.ArrayLike, order: Integers) -> npt.NDArray[Numbers]:
    """Append what the slow path gave and bring all into log order."""
    merged: npt.NDArray[Numbers] = np.concatenate([fast, np.asarray(slow, fast.dtype)])[order]
    return merged


def _sources_of(rows: Integers, slow: SlowEvents) -> list[tuple[int, str]]:
    derived = [(row, each.source) for row, each in slow if each.source is not None]
    at = np.searchsorted(rows, [row for row, _ in derived]).tolist()
    return [(place, source) for place, (_, source) in zip(at, derived, strict=True)]


def _profiles_of(
    chunk: PackedChunk,
    found: Scan,
    slow: SlowEvents,
    rows: Integers,
    video: npt.NDArray[np.int32],
    *,
    seed: int,
) -> list[tuple[int, str]]:
    """Return the profiles of new videos, and of the first event per video and list of topics."""
    lists = _Lists()
    at, pair, which = _first_of_topics(chunk, found, rows, video, lists, seed=seed)
    texts = lists.texts()
    tagged = zip(at.tolist(), pair.tolist(), which.tolist(), strict=True)
    given = [(row, each) for row, each in slow if each.profile is not None]
    if not given:
        return [(place, texts[each]) for place, _, each in tagged]
    # Place, video and topics, profile, and whether it always travels; no two have one place.
    candidates = [(place, group, texts[each], False) for place, group, each in tagged]
    places = np.searchsorted(rows, [row for row, _ in given])
    codes = video[places].tolist()
    for place, code, (_, event) in zip(places.tolist(), codes, given, strict=True):
        group = code * _LISTS_MAX + lists.index_of(event.topics or ())
        always = event.action in _PROFILE_ACTION_CODES
        candidates.append((place, group, str(event.profile), always))
    candidates.sort()
    seen: set[int] = set()
    profiles = []
    for place, group, text, always in candidates:
        if always or group not in seen:
            profiles.append((place, text))
        seen.add(group)
    return profiles


class _Lists:
    """The distinct lists of topics of a chunk, numbered; () stands for none."""

    def __init__(self) -> None:
        self._index: dict[tuple[str, ...], int] = {}

    def index_of(self, topics: tuple[str, ...]) -> int:
        """Return the number of a list, 0 to _LISTS_MAX - 1."""
        return self._index.setdefault(topics, len(self._index))

    def texts(self) -> list[str]:
        """Return the profile that holds nothing but each list."""
        return [profile_json({"topics": topics}) for topics in self._index]


def _first_of_topics(
    chunk: PackedChunk,
    found: Scan,
    rows: Integers,
    video: npt.NDArray[np.int32],
    lists: _Lists,
    *,
    seed: int,
) -> tuple[Integers, Integers, Integers]:
    """Return places, pairs of video and topics, and topics, of the first event of each pair."""
    tagged = np.flatnonzero(found.topics_length > 0)
    begin, length = found.topics_begin[tagged], found.topics_length[tagged]
    first, spelling = number_spans(chunk.buffer, begin, length, seed=seed)
    # Two spellings may be one list: with other white space, other escapes, or empty names.
    list_of_spelling = np.empty(len(first), np.int64)
    for each, at in enumerate(first.tolist()):
        text = chunk.buffer[begin[at] : begin[at] + length[at]].tobytes()
        list_of_spelling[each] = lists.index_of(tuple(filter(None, json.loads(text))))
    which = list_of_spelling[spelling]
    places = np.searchsorted(rows, found.row[tagged])
    pairs = video[places].astype(np.int64) * _LISTS_MAX + which
    chosen = np.sort(np.unique(pairs, return_index=True)[1])
    return places[chosen], pairs[chosen], which[chosen]

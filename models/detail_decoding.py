"""The details and comments of a chunk: of the events that were certain, and of the others.

models/decoding.py calls this; the authority is models/validation.py, here as there.
"""

import json
from typing import Final

import numpy as np
import numpy.typing as npt

from models.compiled import compiled
from models.details import (
    AGE_DAYS_MAX,
    DETAIL,
    NO_NUMBER,
    NO_REGION,
    TEXT_CHARACTERS_MAX,
    Comment,
    Details,
    EventDetail,
    no_details,
)
from models.event_scanning import Scan
from models.identity import ABSENT_HASH, HashKeys
from models.json_decimals import decimals
from models.packed_chunk import PackedChunk
from models.records import joined
from models.siphash import hash_ids, hash_texts
from models.span_numbering import in_order_of_appearance, number_spans
from models.validation import Event

Integers = npt.NDArray[np.int64]

SlowEvents = list[tuple[int, Event]]
"""Message and event, in log order, of those that the authority was asked about."""

_DETAILED: Final = ("region", "via", "comment", "parent", "sentiment")
_SPANS: Final = len(_DETAILED)
_NUMBERS: Final = ("age_days", "followers", "watch_ms")
"""The spans and the whole numbers of SAID that a detail is made of; a text alone makes none."""


def details_of(
    chunk: PackedChunk, found: Scan, slow: SlowEvents, rows: Integers, keys: HashKeys
) -> tuple[Details, list[str]]:
    """Return the details, DETAIL[d], and the regions that they name, in order of appearance.

    `rows`, int64[n], are the messages of all events, ascending.
    """
    told = [(row, each.detail) for row, each in slow if each.detail is not None]
    if not len(found.said) and not told:
        return no_details(), []
    details, regions = _certain_details(chunk, found, keys)
    if slow:
        asked = _asked_details([each for _, each in told], regions, keys)
        asked["row"] = np.searchsorted(rows, [row for row, _ in told])
        details["row"] = np.searchsorted(rows, found.row[details["row"]])
        details = joined([details, asked])
        details = details.take(np.argsort(details["row"]))
    if not regions:
        return details, []
    named = np.flatnonzero(details["region"] != NO_REGION)
    number = details["region"][named].astype(np.int32) - 1
    in_order, number = in_order_of_appearance(list(regions), number)
    details["region"][named] = number + 1
    return details, in_order


@compiled
def _fill(said: Details, details: Details, which: Integers) -> tuple[int, Integers]:
    """Fill details with the numbers that were said; all else is absent.

    Args:
        said: SAID[n] (models/event_scanning.py).
        details: DETAIL[n], out: those of them that make a detail, `row` the event of the scan.
        which: int64[n], out: of which of `said` each is.

    Returns:
        How many details there are, and int64[len(_DETAILED)]: how many have each of those spans.
    """
    spans = np.zeros(_SPANS, np.int64)
    size = 0
    for at in range(len(said)):
        one = said[at]
        given = one["age_days"] != NO_NUMBER
        given |= one["followers"] != NO_NUMBER
        given |= one["watch_ms"] != NO_NUMBER
        for number, length in enumerate(
            (
                one["region_length"],
                one["via_length"],
                one["comment_length"],
                one["parent_length"],
                one["sentiment_length"],
            )
        ):
            spans[number] += length > 0
            given |= length > 0
        if not given:
            continue
        detail = details[size]
        detail["row"], detail["region"] = one["event"], NO_REGION
        detail["age_days"] = min(one["age_days"], AGE_DAYS_MAX)
        detail["followers"], detail["watch_ms"] = one["followers"], one["watch_ms"]
        detail["via"] = detail["comment"] = detail["parent"] = ABSENT_HASH
        detail["sentiment"] = np.nan
        which[size] = at
        size += 1
    return size, spans


def _certain_details(
    chunk: PackedChunk, found: Scan, keys: HashKeys
) -> tuple[Details, dict[str, int]]:
    """Return the details that the scan has found, by event of the scan, and numbers of regions."""
    said = found.said
    details, which = np.empty(len(said), DETAIL), np.empty(len(said), np.int64)
    size, spans = _fill(said, details, which)
    details, which = details[:size], which[:size]
    spans_of = dict(zip(_DETAILED, spans.tolist(), strict=True))
    hashed = (("via", keys.actor), ("comment", keys.comment), ("parent", keys.comment))
    for name, key in hashed:
        if spans_of[name]:
            at, begin, length = _given(said, which, name)
            platform = found.platform[details["row"][at]]
            hashes = hash_ids(key, chunk.buffer, begin, length, platform, found.platforms)
            details[name][at] = hashes
    if spans_of["sentiment"]:
        at, begin, length = _given(said, which, "sentiment")
        details["sentiment"][at] = decimals(chunk.buffer, begin, length)
    if not spans_of["region"]:
        return details, {}
    at, begin, length = _given(said, which, "region")
    first, number = number_spans(chunk.buffer, begin, length, seed=keys.event[0])
    details["region"][at] = number + 1
    names = [chunk.buffer[begin[at] : begin[at] + length[at]].tobytes().decode() for at in first]
    return details, {name: at for at, name in enumerate(names)}


def _asked_details(told: list[EventDetail], regions: dict[str, int], keys: HashKeys) -> Details:
    """Return what the authority told, without rows; regions that are new are added."""
    details = np.empty(len(told), DETAIL)
    for detail, each in zip(details, told, strict=True):
        region = each.region
        detail["region"] = 1 + regions.setdefault(region, len(regions)) if region else NO_REGION
        detail["sentiment"] = np.nan if each.sentiment is None else each.sentiment + 0.0
        for name in _NUMBERS:
            number = getattr(each, name)
            detail[name] = NO_NUMBER if number is None else number
    details["via"] = hash_texts(keys.actor, [each.via for each in told])
    details["comment"] = hash_texts(keys.comment, [each.comment for each in told])
    details["parent"] = hash_texts(keys.comment, [each.parent for each in told])
    details["sentiment"] += np.float32(0)  # a -0 is 0
    return details


def comments_of(chunk: PackedChunk, found: Scan, slow: SlowEvents, rows: Integers) -> list[Comment]:
    """Return the comments that have a text, in order of rows; `rows` as for `details_of`."""
    said = found.said[found.said["text_length"] > 0]
    messages = found.row[said["event"]].tolist()
    spans = zip(
        *(said[f"text_{what}"].tolist() for what in ("begin", "length")),
        *(said[f"comment_{what}"].tolist() for what in ("begin", "length")),
        strict=True,
    )
    buffer = chunk.buffer.data
    comments = [(row, *each.comment) for row, each in slow if each.comment is not None]
    for message, (begin, length, id_begin, id_length) in zip(messages, spans, strict=True):
        text = bytes(buffer[begin : begin + length])
        name = bytes(buffer[id_begin : id_begin + id_length]).decode() if id_length > 0 else ""
        whole = json.loads(b'"%b"' % text) if b"\\" in text else text.decode()
        comments.append((message, name, whole[:TEXT_CHARACTERS_MAX]))
    if not comments:
        return comments
    comments.sort()
    places = np.searchsorted(rows, [message for message, _, _ in comments]).tolist()
    return [(place, *rest) for place, (_, *rest) in zip(places, comments, strict=True)]


def _given(
    said: Details, which: Integers, name: str
) -> tuple[Integers, Integers, npt.NDArray[np.int32]]:
    """Return the details that have a span, and where those begin and their lengths.

    They are contiguous, for compiled loops.
    """
    length = said[f"{name}_length"][which]
    at = np.flatnonzero(length > 0)
    return at, said[f"{name}_begin"][which[at]], length[at]

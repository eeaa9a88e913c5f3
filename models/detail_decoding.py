"""The details and comments of a chunk: of the events that were certain, and of the others.

models/decoding.py calls this; the authority is models/validation.py, here as there.
"""

import json
from typing import Final

import numpy as np
import numpy.typing as npt

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
from models.identity import HashKeys
from models.json_decimals import decimals
from models.packed_chunk import PackedChunk
from models.siphash import hash_ids, hash_texts
from models.span_numbering import in_order_of_appearance, number_spans
from models.validation import Event

Integers = npt.NDArray[np.int64]

SlowEvents = list[tuple[int, Event]]
"""Message and event, in log order, of those that the authority was asked about."""

_DETAILED: Final = ("region", "via", "comment", "parent", "sentiment")
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
    fast, regions = _certain_details(chunk, found, keys)
    details = np.concatenate([fast, _asked_details([each for _, each in told], regions, keys)])
    message = np.concatenate([found.row[fast["row"]], np.array([row for row, _ in told], np.int64)])
    details["row"] = np.searchsorted(rows, message)
    details = details[np.argsort(details["row"])]
    named = details["region"] != NO_REGION
    number = details["region"][named].astype(np.int32) - 1
    in_order, number = in_order_of_appearance(list(regions), number)
    details["region"][named] = number + 1
    return details, in_order


def _certain_details(
    chunk: PackedChunk, found: Scan, keys: HashKeys
) -> tuple[Details, dict[str, int]]:
    """Return the details that the scan has found, by event of the scan, and numbers of regions."""
    said = found.said
    given = [said[f"{name}_length"] > 0 for name in _DETAILED]
    given += [said[name] != NO_NUMBER for name in _NUMBERS]
    said = said[np.logical_or.reduce(given)]
    details = np.empty(len(said), DETAIL)
    details["row"] = said["event"]
    details["age_days"] = np.minimum(said["age_days"], AGE_DAYS_MAX)
    details["followers"] = said["followers"]
    details["watch_ms"] = said["watch_ms"]
    platform = found.platform[said["event"]]
    for name, key in (("via", keys.actor), ("comment", keys.comment), ("parent", keys.comment)):
        begin, length = _span(said, name)
        details[name] = hash_ids(key, chunk.buffer, begin, length, platform, found.platforms)
    details["sentiment"] = np.nan
    judged = said["sentiment_length"] > 0
    details["sentiment"][judged] = decimals(chunk.buffer, *_span(said[judged], "sentiment"))
    details["region"] = NO_REGION
    placed = said["region_length"] > 0
    begin, length = _span(said[placed], "region")
    first, number = number_spans(chunk.buffer, begin, length, seed=keys.event[0])
    details["region"][placed] = number + 1
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


def _span(said: Details, name: str) -> tuple[Integers, npt.NDArray[np.int32]]:
    """Return where the spans begin and their lengths, contiguous for compiled loops."""
    return (
        np.ascontiguousarray(said[f"{name}_begin"]),
        np.ascontiguousarray(said[f"{name}_length"]),
    )

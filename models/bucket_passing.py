"""Bucket after bucket in one compiled loop: rows count for works, works grow, news is found.

The loop goes on for as long as nothing but numbers changes, and hands back where there is
something to know or to tell. A day of replay has 17,280 buckets by default, most of them with a few
rows: what a bucket costs besides them must be next to nothing.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models import forecast
from models.alert_budget import score_of
from models.blocks import BLOCK_SHIFT
from models.compiled import compiled
from models.vocabulary import ROLES
from models.works import DEPTH, GROWTH, grow, set_due

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.void]

CURSOR: Final = np.dtype(
    [
        ("row", np.int64),
        ("end", np.int64),
        ("bucket", np.int64),
        ("is_open", np.bool_),
        ("grown", np.int64),
        ("found", np.int64),
        ("next_due", np.int64),
        ("begins", np.int64),
        ("budgeted", np.bool_),
    ]
)
"""How far the loop has come.

row, end: The next row, and the one before which to stop. bucket: The bucket at hand, begun and not
over while is_open. grown: How many works it has let grow. found: How many of them there may be news
of. next_due: The earliest bucket in which the activity of a work may have collapsed. begins: The
bucket from which on the loop must stop for what time brings. budgeted: Whether there is a budget.
"""

DONE: Final = 0
"""All rows are counted and their buckets over."""
SILENCE: Final = 1
"""Before the next row's bucket, works are due for a look: their activity may have collapsed."""
LOOK: Final = 2
"""The next row needs more than counting."""
NEWS: Final = 3
"""There may be news of some works; the bucket is over but for that, and for `set_due`."""

TIME: Final = 4
"""Time has come, by the next row's bucket, for a look at all works or for another hour of the
budget."""

NEAR: Final = 1e-9
"""Works whose forecast may suffice for an alert are handed back: the loop's own differs from that
of models/forecast.py by rounding alone, some 1e-15."""

_VIEWS, _PROGRESS, _FIRST_SIGNAL = range(3)


@compiled
def count_row(
    cursor: Rows,
    told: Any,  # noqa: ANN401 - one record of REPORT, which numpy cannot name
    slot: int,
    tracked: Rows,
    first: Ints,
    count: Ints,
    name: Ints,
    work_of: Ints,
    works: Rows,
    growth: Ints,
    growing: Flags,
    grown: Ints,
    dirty_tracked: Flags,
    dirty_works: Flags,
) -> None:
    """Let one video's row of a report count for the video and for its works.

    Arguments as in `pass_buckets`; `told` is a record of REPORT, `slot` the tracked video's.
    """
    tracked[slot]["views"] = told["total_views"]
    tracked[slot]["progress"] = told["total_progress"]
    for signal in range(GROWTH - _FIRST_SIGNAL):
        acted = tracked[slot]["acted"][signal] + told["acted"][signal]
        tracked[slot]["acted"][signal] = max(acted, 0)
    tracked[slot]["last_bucket"] = told["bucket"]
    tracked[slot]["stage"] = told["stage"]
    tracked[slot]["route"] = told["route"]
    dirty_tracked[slot >> BLOCK_SHIFT] = True
    for link in range(first[slot], first[slot] + count[slot]):
        work_slot = work_of[name[link]]
        if work_slot < 0:
            continue
        work = works[work_slot]
        dirty_works[work_slot >> BLOCK_SHIFT] = True
        if not growing[work_slot]:
            growing[work_slot] = True
            grown[cursor[0]["grown"]] = work_slot
            cursor[0]["grown"] += 1
        work["last_ms"] = max(work["last_ms"], told["last_ms"])
        if told["roles"] & ~work["roles"]:
            for role in range(len(ROLES)):
                if (told["roles"] & ~work["roles"]) >> role & 1:
                    work["role_ms"][role] = told["last_ms"]
            work["roles"] |= told["roles"]
        # What was deleted leads nothing, but a work that has nothing else.
        may_lead = not told["deleted"] or work["lead"] < 0
        if told["total_views"] >= work["lead_views"] and may_lead:
            work["lead"] = slot
            work["lead_views"] = told["total_views"]
        growth[work_slot, _VIEWS] += told["views"]
        growth[work_slot, _PROGRESS] += told["progress"]
        for signal in range(GROWTH - _FIRST_SIGNAL):
            growth[work_slot, _FIRST_SIGNAL + signal] += told["acted"][signal]


@compiled
def _is_to_be_offered(
    cursor: Rows,
    score: int,
    row: Any,  # noqa: ANN401 - one record of TRACKED or WORK, which numpy cannot name
    told: bool,
) -> bool:
    """Tell whether to look at a score that suffices for an alert.

    Without a budget the first one is news, with one each that is its episode's best so far.
    """
    news: bool = score >= row["offered"] if cursor[0]["budgeted"] else not told
    return news


@compiled
def _is_to_be_looked_at(
    cursor: Rows,
    told: Any,  # noqa: ANN401 - one record of REPORT, which numpy cannot name
    slot: int,
    threshold: float,
    level: int,
    has_room: bool,
    seen: Flags,
    tracked: Rows,
    first: Ints,
    count: Ints,
    name: Ints,
    work_of: Ints,
) -> bool:
    """Tell whether a tracked video's row needs more than counting; arguments as `pass_buckets`."""
    if (told["deleted"] != 0) != tracked[slot]["deleted"]:
        return True
    if told["probability"] >= threshold:
        score = score_of(told["probability"], told["episode_progress"], level)
        if _is_to_be_offered(cursor, score, tracked[slot], tracked[slot]["emerging"]):
            return True
    for link in range(first[slot], first[slot] + count[slot]):
        missing = work_of[name[link]] < 0
        if (missing and has_room) or (not missing and not seen[link]):
            return True
    return False


@compiled
def _find_news(
    cursor: Rows, rows: Rows, slots: Ints, threshold: float, level: int, found: Ints
) -> int:
    """Find the works of which `hotspots` may have something to tell; return how many.

    Args:
        cursor: CURSOR[1].
        rows: work_table.WorkTable.rows.
        slots: int64[n], works that have grown.
        threshold: The probability of the level from which on a work is emerging.
        level: How many events make a hotspot.
        found: int64[n or more], out: their slots.
    """
    count = 0
    for slot in slots:
        work = rows[slot]
        progress = work["progress"] - work["progress_before_episode"]
        news = progress >= level and work["stages"] & DEPTH == DEPTH and not work["confirmed"]
        settled = work["told"] and not cursor[0]["budgeted"]
        if not (news or settled or work["resting"]):
            likely = forecast.probability_of_one(
                max(progress, 0),
                work["pace_fast_per_hour"],
                work["pace_slow_per_hour"],
                max(work["last_ms"] - work["episode_ms"], 0),
                level,
            )
            news = likely >= threshold - NEAR and (
                not work["emerging"]
                or _is_to_be_offered(cursor, score_of(likely, progress, level), work, work["told"])
            )
        if news:
            found[count] = slot
            count += 1
    return count


@compiled
def pass_buckets(  # noqa: C901 - one loop with an exit for each reason to stop
    cursor: Rows,
    report: Rows,
    video: Ints,
    slots: Ints,
    special: Flags,
    worth: Flags,
    threshold: float,
    level: int,
    bucket_ms: int,
    has_room: bool,
    seen: Flags,
    tracked: Rows,
    first: Ints,
    count: Ints,
    name: Ints,
    work_of: Ints,
    works: Rows,
    growth: Ints,
    growing: Flags,
    grown: Ints,
    found: Ints,
    unforecast: Flags,
    dirty_tracked: Flags,
    dirty_works: Flags,
) -> int:
    """Go on from the cursor; return why it stops: DONE, SILENCE, LOOK, NEWS or TIME.

    Args:
        cursor: CURSOR[1], changed in place.
        report: REPORT[n], by bucket.
        video: int64[n], the position of each row's video in `slots`.
        slots: int64[videos], the tracked video of each, -1 where there is none.
        special: bool[n], rows to hand back.
        worth: bool[n], rows to hand back when their video is not tracked.
        threshold: The probability from which on there is something to tell.
        level: How many events make a hotspot.
        bucket_ms: The length of a bucket.
        has_room: Whether works that do not exist can be made.
        seen: tracked_videos.Links.seen.
        tracked: tracked_videos.TRACKED[all].
        first: tracked_videos.Links.first.
        count: tracked_videos.Links.count.
        name: tracked_videos.Links.name.
        work_of: tracked_videos.Links.work.
        works: work_table.WorkTable.rows.
        growth: work_table.WorkTable.growth.
        growing: work_table.WorkTable.growing.
        grown: work_table.WorkTable.grown.
        found: work_table.WorkTable.found.
        unforecast: work_table.WorkTable.unforecast.
        dirty_tracked: bool[blocks], set where a video changes.
        dirty_works: bool[blocks], set where a work changes.
    """
    at = cursor[0]
    while True:
        if not at["is_open"]:
            if at["row"] == at["end"]:
                return DONE
            if at["begins"] <= report[at["row"]]["bucket"]:
                return TIME
            if at["next_due"] < report[at["row"]]["bucket"]:
                return SILENCE
            at["bucket"] = report[at["row"]]["bucket"]
            at["grown"] = at["found"] = 0
            at["is_open"] = True
        while at["row"] < at["end"] and report[at["row"]]["bucket"] == at["bucket"]:
            row = at["row"]
            slot = slots[video[row]]
            if special[row] or (slot < 0 and worth[row]):
                return LOOK
            if slot >= 0:
                if _is_to_be_looked_at(
                    cursor, report[row], slot, threshold, level, has_room, seen, tracked, first,
                    count, name, work_of,
                ):  # fmt: skip
                    return LOOK
                count_row(
                    cursor, report[row], slot, tracked, first, count, name, work_of, works, growth,
                    growing, grown, dirty_tracked, dirty_works,
                )  # fmt: skip
            at["row"] = row + 1
        touched = grown[: at["grown"]]
        growing[touched] = False
        unforecast[touched] = True
        grow(works, touched, growth, at["bucket"], bucket_ms)
        at["is_open"] = False
        at["found"] = _find_news(cursor, works, touched, threshold, level, found)
        if at["found"]:
            return NEWS
        at["next_due"] = min(at["next_due"], set_due(works, touched, at["bucket"], bucket_ms))

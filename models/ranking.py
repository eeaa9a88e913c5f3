"""The board: the works worth looking at now, in order.

Confirmed hotspots come first, then emerging ones, then works with a video beyond presentation;
inside each group the hotter first. Heat is activity per hour, the strongest single figure on real
data (docs/detection.md): a hand-made score of stages does not beat it. A work that is suspected to
be pushed has the place that the rest of it has (models/work_integrity.py).
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from models.parameters import Parameters
from models.roll_up import RollUp
from models.work_depth import WorkDepth
from models.work_integrity import WorkIntegrity
from models.works import Work, heat_at, noteworthy

BOARD: Final = "hotspot-board"
"""Logical name of the topic that carries it."""


def board_of(
    roll_up: RollUp,
    discovered: Mapping[str, int],
    depth: WorkDepth,
    integrity: WorkIntegrity,
    bucket: int,
    parameters: Parameters,
) -> dict[str, Any]:
    """Return the board as of a bucket: at most `board_size` hotspots, JSON-ready.

    Args:
        roll_up: All works and their videos.
        discovered: How many videos of a work, by its id, were discovered in the latest epoch.
        depth: Of works.
        integrity: Which of them are suspected to be pushed.
        bucket: The bucket.
        parameters: Its length, and how many to show.
    """
    shown = _best(roll_up, integrity, bucket, parameters)
    depths = depth.on_board([work for _, _, _, work in shown])
    merged = [roll_up.merged.of(work) for _, _, _, work in shown]
    hotspots = [
        {
            "hotspot_id": work.work_id,
            "kind": work.kind,
            "title": work.title or work.work_id,
            "rank": rank,
            "heat": round(heat, 2),
            "stage": one.stage,
            "route": one.route,
            "state": one.state,
            "reason": one.reason or "forecast_above_alert_level",
            "probability": round(float(one.row["probability"]), 4),
            "emerging": emerging,
            "confirmed": confirmed,
            "videos": one.number("videos"),
            "discovered": discovered.get(work.work_id, 0),
            "views": one.number("views"),
            "platforms": sorted(one.platforms),
            "take_up": one.take_up(),
            "also_known_as": roll_up.merges.also_known_as(work.work_id),
            **depths[rank - 1],
            "integrity": integrity.of(work).get("integrity"),
            "screening": [flag.flag for _, flag in roll_up.screened([roll_up.lead_of(one)])],
        }
        for rank, ((confirmed, emerging, heat, work), one) in enumerate(
            zip(shown, merged, strict=True), start=1
        )
    ]
    return {"time_ms": (bucket + 1) * parameters.bucket_ms, "hotspots": hotspots}


def _best(
    roll_up: RollUp, integrity: WorkIntegrity, bucket: int, parameters: Parameters
) -> list[tuple[bool, bool, float, Work]]:
    """Return confirmed, emerging, heat and work of those to show, in order.

    Of a work with several names that which comes first; so there may be fewer than `board_size`.
    """
    works = roll_up.works
    rows = works.rows[: len(works.by_slot)]
    slots = np.flatnonzero(noteworthy(rows))
    found = roll_up.merged.rows(slots)
    kept = integrity.kept(slots)
    progress = (found["progress"] - found["progress_before_episode"]) * kept
    confirmed = found["confirmed"] & ((kept == 1) | (progress >= parameters.level.count))
    likely = found["probability"] >= parameters.emerging_probability
    emerging = found["emerging"] & ((kept == 1) | likely)
    heats = heat_at(found, bucket, parameters.bucket_ms) * kept
    order = np.lexsort((-heats, ~emerging, ~confirmed))[: parameters.board_size]
    if len(order):
        # Among equals their ids decide: whoever is as good as the last is a candidate.
        last = order[-1]
        equal = (confirmed == confirmed[last]) & (emerging == emerging[last])
        order = np.union1d(order, np.flatnonzero(equal & (heats == heats[last])))
    shown = [
        (bool(confirmed[at]), bool(emerging[at]), float(heats[at]), work)
        for at in order.tolist()
        if (work := works.by_slot[slots[at]]) is not None
    ]
    leads = roll_up.merges.leads
    shown.sort(key=lambda s: (-s[0], -s[1], -s[2], not leads(s[3]), s[3].work_id))
    shown = shown[: parameters.board_size]
    first: dict[str, str] = {}
    for *_, work in shown:
        first.setdefault(work.work_id, work.work_id)
        for name in roll_up.merges.others(work.work_id):
            first.setdefault(name.work_id, work.work_id)
    return [one for one in shown if first[one[3].work_id] == one[3].work_id]

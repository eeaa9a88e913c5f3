"""Reports of `stages` for the tests of who reads them, with only what a test says."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from models.alerts import ALERTS
from models.hotspots import HotspotsStep
from models.parameters import MINUTE_MS, Parameters
from models.stage_reports import REPORT, StageReport, encode_report
from streams.offline.pipeline import chunk_of

BUCKET_MS = 5 * MINUTE_MS
START_BUCKET = 1_693_353_600_000 // BUCKET_MS


def report_of(
    *rows: dict[str, Any],
    partition: int = 0,
    partitions: int = 1,
    sequence: int = 0,
    through_bucket: int = START_BUCKET,
) -> StageReport:
    """Return a report; what is said of a row in words stands beside its numbers."""
    numbers = np.zeros(len(rows), REPORT)
    numbers["bucket"] = through_bucket
    beside = ("video", "profile", "transitions", "explanation", "voices", "participation")
    for number, row in zip(numbers, rows, strict=True):
        for name, value in row.items():
            if name not in beside:
                number[name] = value
    videos = list(dict.fromkeys(row["video"] for row in rows))
    return StageReport(
        partition=partition,
        partitions=partitions,
        sequence=sequence,
        through_bucket=through_bucket,
        high_ms=(through_bucket + 1) * BUCKET_MS - 1,
        videos=videos,
        video=np.array([videos.index(row["video"]) for row in rows], np.int32),
        rows=numbers,
        profiles=[(i, row["profile"]) for i, row in enumerate(rows) if row.get("profile")],
        transitions=[(i, t) for i, row in enumerate(rows) for t in row.get("transitions", [])],
        explanations=[
            (i, row["explanation"]) for i, row in enumerate(rows) if row.get("explanation")
        ],
        voices=[(i, row["voices"]) for i, row in enumerate(rows) if row.get("voices")],
        participations=[
            (i, row["participation"]) for i, row in enumerate(rows) if row.get("participation")
        ],
    )


def fed(
    reports: Sequence[StageReport], sizes: int, parameters: Parameters, *, crash: bool = False
) -> tuple[list[dict[str, Any]], HotspotsStep]:
    """Feed reports, so many at a time, and return the alerts and the step.

    A crash after each time goes back to the rows of the last cut.
    """
    step, rows, alerts = HotspotsStep(0, parameters), dict[bytes, bytes](), []
    values = [encode_report(report) for report in reports]
    for low in range(0, len(values), sizes):
        step.process(chunk_of(values[low : low + sizes], low))
        cut = step.cut()
        for key, value in cut.rows:
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value
        outputs = [o.value for o in cut.outputs if o.topic == ALERTS and o.value is not None]
        alerts += [json.loads(value) for value in outputs]
        if crash:
            step = HotspotsStep(0, parameters)
            for key, stored in rows.items():
                step.load(key, stored)
            step.recovered()
    return alerts, step

"""Reports of `stages` for the tests of who reads them, with only what a test says."""

from typing import Any

import numpy as np

from models.parameters import MINUTE_MS
from models.stage_reports import REPORT, StageReport

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
    beside = ("video", "profile", "transitions", "explanation", "voices")
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
    )

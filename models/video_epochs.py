"""What a video contributes to its cohort: sums over the visits of one epoch, and their summary."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from models.cohort_learning import EpochSummary, VideoEpochs, summarise
from models.cohorts import age_band, reach_band
from models.parameters import HOUR_MS, Parameters
from models.video_state import NEVER, ROW, VideoTable

SUMMARISED_AT_ONCE: Final = 16_384
"""Rows gathered at a time: about 4 MB of columns, however many videos there are. Counts are whole,
so the sum does not depend on it."""

_EPOCH_SUMS: Final = tuple(name for name in ROW.names or () if name.startswith("epoch_"))
_SUMMARISED: Final = ("publish_ms", "first_ms", "last_ms", "views", "acted", *_EPOCH_SUMS)


def summaries(
    videos: VideoTable,
    epoch: int,
    hours: Mapping[str, npt.NDArray[np.float64]],
    parameters: Parameters,
) -> list[tuple[int, str, EpochSummary]]:
    """Return (epoch, platform, summary) for every platform that was active in an epoch.

    Args:
        videos: All videos of a partition.
        epoch: The epoch that ended.
        hours: Per platform float[24], the epoch's events by UTC hour.
        parameters: For the lengths of buckets and epochs.
    """
    used = videos.used
    slots = np.flatnonzero(used["epoch"] == epoch)
    # Sorted by platform, so that each is a slice; names are sorted below, codes mean nothing.
    slots = slots[np.argsort(videos.platform_of[slots], kind="stable")]
    codes, starts = np.unique(videos.platform_of[slots], return_index=True)
    parts = zip(codes.tolist(), np.split(slots, starts[1:]) if len(codes) else [], strict=True)
    found = []
    for name, members in sorted((videos.platforms[code], part) for code, part in parts):
        whole = EpochSummary.empty()
        whole.hours += hours.get(name, 0.0)
        for first in range(0, len(members), SUMMARISED_AT_ONCE):
            part = members[first : first + SUMMARISED_AT_ONCE]
            whole.add(summarise(_columns(used, part, epoch, parameters), np.zeros(24)))
        found.append((epoch, name, whole))
    return found


def _columns(
    used: npt.NDArray[np.void], slots: npt.NDArray[np.int64], epoch: int, parameters: Parameters
) -> VideoEpochs:
    """Gather what the summary of one epoch needs of some rows, and nothing else of them."""
    end_ms = (epoch + 1) * parameters.epoch_ms
    # Field by field: picking fields of records first would copy the records whole.
    rows = {name: used[name][slots] for name in _SUMMARISED}
    born = np.where(rows["publish_ms"] == NEVER, rows["first_ms"], rows["publish_ms"])
    latest_ms = end_ms - parameters.bucket_ms
    watched_ms = np.minimum(end_ms - np.minimum(born, latest_ms), parameters.epoch_ms)
    return VideoEpochs(
        age=age_band(rows["last_ms"] - born),
        reach=reach_band(rows["views"]),
        views=rows["views"].astype(np.float64),
        acted_ever=rows["acted"].astype(np.float64),
        hours_watched=watched_ms / HOUR_MS,
        exposed=rows["epoch_exposed"],
        acted=rows["epoch_acted"],
        acted_squared_per_exposed=rows["epoch_acted_squared_per_exposed"],
        acted_squared=rows["epoch_acted_squared"],
        acted_times_span=rows["epoch_acted_times_span"],
        span=rows["epoch_span"],
        span_squared=rows["epoch_span_squared"],
        visits=rows["epoch_visits"],
        new=rows["first_ms"] >= epoch * parameters.epoch_ms,
    )

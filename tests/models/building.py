"""Real tables, events and decisions for the tests of models/, with only what a test says."""

from typing import Any

import numpy as np
import numpy.typing as npt

from models.batch_header import BatchHeader, BatchKind
from models.batches import Batch
from models.bucket_decision import Cohorts, decide_buckets
from models.cohorts import AGES, REACHES, SHIPPED, CohortVersion, PlatformCohort
from models.decisions import Decided
from models.event_time import SourceClocks
from models.forecast_features import FEATURES
from models.forecast_model import LEAF, NODE, Calibration, ForecastModel
from models.forecasting import BASELINE, Forecaster
from models.parameters import DAY_MS, MINUTE_MS, Level, Parameters
from models.undecided import Undecided
from models.video_state import VideoTable
from models.vocabulary import ACTION_CODE, Signal

BUCKET_MS = 5 * MINUTE_MS
START_BUCKET = 1_693_353_600_000 // BUCKET_MS
ACTION_OF_SIGNAL = {
    Signal.IDENTIFICATION: "like",
    Signal.EXCLUSION: "dislike",
    Signal.INTERACTION: "comment",
    Signal.DIFFUSION: "share",
}


def batch_of(*said: dict[str, Any], videos: list[str], source: int = 0, sources: int = 1) -> Batch:
    """Return a batch of events; each of video 0 at time 0, once, unless it says otherwise."""
    time_ms = np.array([event.get("time_ms", 0) for event in said], np.int64)
    codes = [ACTION_CODE[event["action"]] for event in said]
    high = int(time_ms.max()) if said else -1
    return Batch(
        header=BatchHeader(
            BatchKind.EVENTS, source, sources, -1, max(len(said) - 1, 0), high, False, 0
        ),
        videos=videos,
        video=np.array([event.get("video", 0) for event in said], np.int32),
        action=np.array(codes, np.uint8),
        time_ms=time_ms,
        high_ms=np.maximum.accumulate(time_ms) if said else time_ms,
        count=np.array([event.get("count", 1) for event in said], np.int64),
        actor=np.array([event.get("actor", 0) for event in said], np.uint64),
        role=np.array([event.get("role", 0) for event in said], np.uint8),
        event=np.array([event.get("event", 0) for event in said], np.uint64),
        offset=np.arange(len(said), dtype=np.int64),
        profiles=[],
    )


def undecided_of(
    table: VideoTable, videos: list[str], *said: dict[str, Any], bucket_ms: int = BUCKET_MS
) -> Undecided:
    """Return the sums of events, none of which comes late."""
    clocks = SourceClocks(bucket_ms, allowed_lateness_ms=1_000 * DAY_MS)
    clocks.accept(0, 1, -1, len(said))
    undecided = Undecided()
    if said:
        batch = batch_of(*said, videos=videos)
        skip = np.zeros(len(batch), np.bool_)
        undecided.add(batch, table.slots(videos), skip, clocks, 0)
    return undecided


def decide(
    table: VideoTable,
    videos: list[str],
    bucket: int,
    *said: dict[str, Any],
    parameters: Parameters,
    log_c: float,
    version: CohortVersion | None = None,
    forecaster: Forecaster = BASELINE,
) -> Decided:
    """Decide everything up to a bucket, with these events in it."""
    table.slots(videos)
    return decide_buckets(
        table,
        undecided_of(table, videos, *said, bucket_ms=parameters.bucket_ms),
        bucket,
        Cohorts.of(version or CohortVersion(0), table.platforms),
        parameters,
        forecaster,
        log_c=log_c,
    )


def visit_all(
    table: VideoTable,
    bucket: int,
    views: int,
    people: npt.NDArray[np.int64],
    *,
    parameters: Parameters,
    log_c: float,
) -> Decided:
    """Let n videos have views, and so many people (int64[n, SIGNALS], not known) act, in a bucket.

    They are held against `flat_cohort`.
    """
    keys = [f"p\x1fv{number}" for number in range(len(people))]
    codes = [ACTION_CODE["view"], *(ACTION_CODE[ACTION_OF_SIGNAL[s]] for s in Signal)]
    counts = np.concatenate([np.full((len(people), 1), views), people], axis=1)
    video, which = np.nonzero(counts)
    n = len(video)
    time_ms = np.full(n, bucket * BUCKET_MS + 1)
    nothing = np.zeros(n, np.uint64)
    batch = Batch(
        header=BatchHeader(BatchKind.EVENTS, 0, 1, -1, n, bucket * BUCKET_MS + 1, False, 0),
        videos=keys,
        video=video.astype(np.int32),
        action=np.array(codes, np.uint8)[which],
        time_ms=time_ms,
        high_ms=time_ms,
        count=counts[video, which].astype(np.int64),
        actor=nothing,
        role=np.zeros(n, np.uint8),
        event=nothing,
        offset=np.arange(n),
        profiles=[],
    )
    clocks = SourceClocks(BUCKET_MS, allowed_lateness_ms=1_000 * DAY_MS)
    clocks.accept(0, 1, -1, n)
    undecided = Undecided()
    undecided.add(batch, table.slots(keys), np.zeros(n, np.bool_), clocks, 0)
    cohorts = Cohorts.of(CohortVersion(0, {"p": flat_cohort()}), table.platforms)
    return decide_buckets(table, undecided, bucket, cohorts, parameters, log_c=log_c)


def learned_forecast() -> Forecaster:
    """Return a small model of a rise: half of the level, then pace, then shares per view."""
    nodes = np.zeros(8, NODE)
    nodes["feature"] = LEAF
    for at, name, ratio, left in ((0, "progress", 0.5, 1), (2, "pace_6h", 2.0, 3)):
        nodes[at] = (np.log(ratio), 0.1, FEATURES.index(name), left, left + 1, 0)
    nodes[5] = (np.log(0.01), 0.0, FEATURES.index("recent_diffusion"), 6, 7, 0)
    for at, value in ((1, -1.5), (3, 0.3), (4, 1.5), (6, -0.2), (7, 0.4)):
        nodes["value"][at] = value
    model = ForecastModel(
        name="learned",
        level=Level("view", 3_000),
        horizon_ms=7 * DAY_MS,
        features=FEATURES,
        nodes=nodes,
        roots=np.array([0, 5]),
        intercept=0.0,
        calibration=Calibration(np.array([-2.0, 0.0, 2.0]), np.array([0.05, 0.4, 0.95])),
    )
    return Forecaster.of(model)


def flat_cohort() -> PlatformCohort:
    """Return the shipped cohort's youngest age and 1,000 to 10,000 views, everywhere."""
    return PlatformCohort(
        propensity=np.broadcast_to(SHIPPED.propensity[:, :1, 1:2], SHIPPED.propensity.shape).copy(),
        scarcity=np.full((AGES, REACHES), SHIPPED.scarcity[0, 1]),
        concentration=SHIPPED.concentration,
        intensity=np.broadcast_to(SHIPPED.intensity[:, :1], SHIPPED.intensity.shape).copy(),
        shape=SHIPPED.shape,
        rhythm=np.ones(24),
    )

"""Simulated counts, through the steps that the stream runs, against a null that is told.

What is measured this way holds for the product: who is watched and from when on, how visits are
looked at before they are over, and what is silent.
"""

import json
from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from models.batch_header import BatchHeader, BatchKind
from models.batches import Batch, encode_batch, end_mark
from models.cohorts import (
    AGES,
    DRIFT,
    EPOCHS_TO_LEARN,
    SHIPPED,
    SIGNALS,
    CohortVersion,
    PlatformCohort,
)
from models.epoch_evidence import EpochEvidence
from models.null_streams import SHAPE, VISITS_PER_DAY
from models.parameters import DAY_MS, MINUTE_MS, Parameters
from models.stage_reports import decode_report
from models.stages import StagesStep
from models.steps import Chunk
from models.vocabulary import ACTION_CODE, Action

Floats = npt.NDArray[np.float64]

PLATFORM: Final = "p"
VISIT_MS: Final = DAY_MS // VISITS_PER_DAY
_FIRST_EPOCH: Final = 78_395
"""That of the seeds' case; any other would do."""


def evidence_in(
    counts: Floats, mean: float, rate: float, rng: np.random.Generator
) -> Iterator[EpochEvidence]:
    """Yield what each epoch shows; video number n is named by that number.

    Args:
        counts: float[videos, visits], people who comment in each visit, at any time within it.
        mean: The mean of a visit up to which the null reaches.
        rate: The greatest false discovery rate that will be promised.
        rng: For when people come.
    """
    # Five looks in a visit.
    parameters = Parameters(partitions=1, bucket_ms=MINUTE_MS, false_discovery_rate=rate)
    step = StagesStep(0, parameters)
    visits = parameters.epoch_ms // VISIT_MS
    offset, number = 0, 0
    for number in range(counts.shape[1] // visits):
        epoch = _FIRST_EPOCH + number
        version = CohortVersion(epoch - EPOCHS_TO_LEARN, {PLATFORM: _cohort_of(mean)})
        step.learn(version.name.encode(), json.dumps(version.to_dict()).encode())
        of_epoch = counts[:, number * visits : (number + 1) * visits]
        batch = _batch_of(of_epoch, epoch * parameters.epoch_ms, offset, rng)
        step.process(_chunk_of(batch, number))
        offset += len(batch)
        if number:
            yield _told_by(step)
    end = end_mark(source=0, sources=1, low=offset - 1, high=offset, received_ms=0)
    step.process(_chunk_of(end, number + 1))
    yield _told_by(step)


def _told_by(step: StagesStep) -> EpochEvidence:
    reports = [decode_report(output.value or b"") for output in step.cut().outputs]
    (told,) = [told for report in reports for told in report.evidence]
    return told


def _chunk_of(batch: Batch, offset: int) -> Chunk:
    return Chunk(offset, offset + 1, [offset], [None], [encode_batch(batch)], [-1])


def _batch_of(counts: Floats, begin_ms: int, offset: int, rng: np.random.Generator) -> Batch:
    """Return an event for each of the people, at some time of their visit, in order of time."""
    videos, visits = counts.shape
    video = np.repeat(np.arange(videos), counts.sum(axis=1).astype(np.int64))
    visit = np.repeat(np.tile(np.arange(visits), videos), counts.ravel().astype(np.int64))
    time_ms = begin_ms + visit * VISIT_MS + rng.integers(0, VISIT_MS, len(visit))
    order = np.argsort(time_ms, kind="stable")
    n, time_ms = len(order), time_ms[order]
    high = offset + n - 1
    return Batch(
        header=BatchHeader(BatchKind.EVENTS, 0, 1, offset - 1, high, int(time_ms[-1]), False, 0),
        videos=[f"{PLATFORM}\x1f{number}" for number in range(videos)],
        video=video[order].astype(np.int32),
        action=np.full(n, ACTION_CODE[Action.COMMENT], np.uint8),
        time_ms=time_ms,
        high_ms=time_ms,
        count=np.ones(n, np.int64),
        actor=np.zeros(n, np.uint64),
        role=np.zeros(n, np.uint8),
        event=np.zeros(n, np.uint64),
        offset=offset + np.arange(n),
        profiles=[],
    )


def _cohort_of(mean: float) -> PlatformCohort:
    """Return a cohort whose null of intensity reaches up to a mean of so many people a visit."""
    return PlatformCohort(
        propensity=SHIPPED.propensity,
        scarcity=SHIPPED.scarcity,
        concentration=SHIPPED.concentration,
        intensity=np.full((SIGNALS, AGES), mean * VISITS_PER_DAY / 24 / DRIFT),
        shape=np.full(SIGNALS, SHAPE),
        rhythm=np.ones(24),
    )

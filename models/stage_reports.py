"""The wire format of `video-stages`: what a partition of `stages` decided, bucket by bucket.

One message = one Arrow IPC stream with one record batch: a row for every video that `hotspots`
follows and that a decided bucket changed, in order of bucket. Its metadata says through which
bucket the partition has decided (everything up to it, empty buckets included), and carries what is
rare: profiles where they changed, transitions, what spoke for forecasts that suffice for an alert,
what was said under videos in visits that are over, and of epochs that ended the cohort summaries
and the evidence (models/epoch_evidence.py). A bucket may be spread over several messages; it is
complete with the one that reaches through it. Where there are forecasts to learn from, another
Arrow stream follows: a row for each (models/forecast_moments.py); where there are participations,
one more: the row that each belongs to, and its bytes (models/participation.py); and where people
acted towards the level, one more: who did in which bucket (models/known_actors.py).
"""

import json
import math
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.cohort_learning import EpochSummary
from models.cohorts import SIGNALS
from models.epoch_evidence import Candidate, EpochEvidence
from models.forecast_features import FEATURES
from models.forecast_moments import MOMENT
from models.known_actors import ACTED

VERSION: Final = 11
_KEY: Final = b"hotspots"
Said = TypeVar("Said")
"""What may be said of a row."""

ALWAYS: Final = -1
"""Before all buckets."""

REPORT: Final = np.dtype(
    [
        ("bucket", np.int64),
        ("last_ms", np.int64),
        ("age_ms", np.int64),
        ("views", np.int64),
        ("total_views", np.int64),
        ("acted", np.int64, (SIGNALS,)),
        ("total_acted", np.int64, (SIGNALS,)),
        ("progress", np.int64),
        ("total_progress", np.int64),
        ("episode_progress", np.int64),
        ("views_per_hour", np.float64),
        ("probability", np.float32),
        ("roles", np.int64),
        ("stage", np.uint8),
        ("route", np.uint8),
        ("state", np.uint8),
        ("episode", np.int32),
        ("deleted", np.uint8),
    ]
)
"""Numbers of one video in one bucket: growth within it, and where the video stands after it.

Growth is below zero where more was taken back than came; `deleted` 1: the platform has."""


class ReportFormatError(ValueError):
    """A message of `video-stages` that is damaged, of another version, or out of sequence."""


@dataclass(frozen=True, slots=True)
class StageReport:
    """What one partition decided since its last message.

    Attributes:
        partition: The partition that speaks, of `partitions`.
        sequence: 0, 1, 2, ...: a hole would be lost decisions. It goes back when a partition tells
            again what it told before a crash.
        through_bucket: The last bucket decided, all of whose rows have been told.
        high_ms: Greatest event time seen.
        videos: Different video keys.
        video: int32[n], the position of each row's video in `videos`.
        rows: REPORT[n], in order of bucket.
        profiles: (row, profile) where it is new or has changed: it holds from that row on.
        transitions: (row, JSON-ready transition) in order.
        explanations: (row, {"model", "signals"}) where a forecast suffices for an alert and the one
            before did not: the version that made it, and what spoke for it.
        voices: (row, what was said in a visit that is over: voices.Voices.close).
        summaries: (epoch, platform, summary) of epochs that ended.
        evidence: Of epochs that ended; of one epoch there may be several parts.
        moments: MOMENT[m], forecasts to learn from; they are told no later than their bucket is.
        participations: (row, packed record of models/participation.py) in order: who took part in
            the row's video, from when it was followed up to the end of the last visit before.
        acted: ACTED[k], who acted towards the level, told no later than their bucket is.
    """

    partition: int
    partitions: int
    sequence: int
    through_bucket: int
    high_ms: int
    videos: list[str]
    video: npt.NDArray[np.int32]
    rows: npt.NDArray[np.void]
    profiles: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    transitions: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    explanations: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    voices: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    summaries: list[tuple[int, str, EpochSummary]] = field(default_factory=list)
    evidence: list[EpochEvidence] = field(default_factory=list)
    moments: npt.NDArray[np.void] = field(default_factory=lambda: np.zeros(0, MOMENT))
    participations: list[tuple[int, bytes]] = field(default_factory=list)
    acted: npt.NDArray[np.void] = field(default_factory=lambda: np.zeros(0, ACTED))

    def after(self, through_bucket: int, buckets_per_epoch: int) -> "StageReport":
        """Return what it says of buckets after one, and of epochs that end after it.

        What was told before a crash is told again after it, and then, perhaps, cut otherwise.
        """
        first = int(np.searchsorted(self.rows["bucket"], through_bucket, side="right"))
        moments = self.moments[self.moments["bucket"] > through_bucket]
        acted = self.acted[self.acted["bucket"] > through_bucket]
        summaries = [
            told
            for told in self.summaries
            if (told[0] + 1) * buckets_per_epoch - 1 > through_bucket
        ]
        evidence = [
            told
            for told in self.evidence
            if (told.epoch + 1) * buckets_per_epoch - 1 > through_bucket
        ]
        if (
            not first
            and len(moments) == len(self.moments)
            and len(acted) == len(self.acted)
            and len(summaries) == len(self.summaries)
            and len(evidence) == len(self.evidence)
        ):
            return self
        return replace(
            self,
            video=self.video[first:],
            rows=self.rows[first:],
            profiles=_from_row(self.profiles, first),
            transitions=_from_row(self.transitions, first),
            explanations=_from_row(self.explanations, first),
            voices=_from_row(self.voices, first),
            summaries=summaries,
            evidence=evidence,
            moments=moments,
            participations=_from_row(self.participations, first),
            acted=acted,
        )

    @property
    def last_bucket(self) -> int:
        """The last bucket that it has anything to say about."""
        last = int(self.rows["bucket"][-1]) if len(self.rows) else self.through_bucket
        return max(self.through_bucket, last)


def _from_row(said: list[tuple[int, Said]], first: int) -> list[tuple[int, Said]]:
    return [(row - first, what) for row, what in said if row >= first]


def encode_report(report: StageReport) -> bytes:
    """Return the message for a report."""
    metadata = {
        "version": VERSION,
        "partition": report.partition,
        "partitions": report.partitions,
        "sequence": report.sequence,
        "through_bucket": report.through_bucket,
        "high_ms": report.high_ms,
        "profiles": report.profiles,
        "transitions": report.transitions,
        "explanations": report.explanations,
        "voices": report.voices,
        "summaries": [(epoch, name, s.to_dict()) for epoch, name, s in report.summaries],
        "evidence": report.evidence,
        "moments": len(report.moments),
        "participations": len(report.participations),
        "acted": len(report.acted),
    }
    columns = [
        pa.DictionaryArray.from_arrays(
            pa.array(report.video, pa.int32()), pa.array(report.videos, pa.utf8())
        ),
        pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(REPORT.itemsize),
            len(report.rows),
            [None, pa.py_buffer(np.ascontiguousarray(report.rows).tobytes())],
        ),
    ]
    schema = pa.schema(
        [pa.field(n, c.type) for n, c in zip(("video", "row"), columns, strict=True)],
        metadata={_KEY: json.dumps(metadata, ensure_ascii=False).encode()},
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.record_batch(columns, schema=schema))
    more = [_moments_batch(report.moments)] if len(report.moments) else []
    if report.participations:
        more.append(_participations_batch(report.participations))
    if len(report.acted):
        more.append(_acted_batch(report.acted))
    for batch in more:
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
    encoded: bytes = sink.getvalue().to_pybytes()
    return encoded


def _moments_batch(moments: npt.NDArray[np.void]) -> Any:  # noqa: ANN401 - pyarrow ships no types
    """Return the record batch of MOMENT[m]: a column for each field."""
    columns = {name: pa.array(np.ascontiguousarray(moments[name])) for name in _MOMENT_COLUMNS}
    columns["features"] = pa.FixedSizeListArray.from_arrays(
        pa.array(np.ascontiguousarray(moments["features"]).reshape(-1)), len(FEATURES)
    )
    return pa.record_batch(list(columns.values()), names=list(columns))


def _participations_batch(told: list[tuple[int, bytes]]) -> Any:  # noqa: ANN401 - pyarrow ships no types
    """Return the record batch of participations: the row of each, and its bytes."""
    columns = {
        "row": pa.array([row for row, _ in told], pa.uint32()),
        "participation": pa.array([packed for _, packed in told], pa.binary()),
    }
    return pa.record_batch(list(columns.values()), names=list(columns))


def _acted_batch(acted: npt.NDArray[np.void]) -> Any:  # noqa: ANN401 - pyarrow ships no types
    """Return the record batch of ACTED[k]: a column for each field."""
    columns = {name: pa.array(np.ascontiguousarray(acted[name])) for name in _ACTED_COLUMNS}
    return pa.record_batch(list(columns.values()), names=list(columns))


def _acted_of(batch: Any) -> npt.NDArray[np.void]:  # noqa: ANN401 - pyarrow ships no types
    """Return ACTED[k] of a record batch; raises any of _DAMAGE where something is missing."""
    acted = np.zeros(batch.num_rows, ACTED)
    for name in _ACTED_COLUMNS:
        acted[name] = batch.column(name).to_numpy(zero_copy_only=False)
    return acted


def _participations_of(batch: Any, rows: int) -> list[tuple[int, bytes]]:  # noqa: ANN401 - pyarrow ships no types
    """Return what a record batch says of so many rows; raises any of _DAMAGE where it cannot."""
    column = batch.column("row")
    at = column.to_pylist()
    if column.type != pa.uint32() or at != sorted(set(at)) or at[-1] >= rows:
        raise ValueError("participations of rows that are not there, or out of order")
    packed = batch.column("participation").to_pylist()
    if any(not isinstance(one, bytes) for one in packed):
        raise ValueError("a participation without bytes")
    return list(zip(at, packed, strict=True))


def _moments_of(batch: Any) -> npt.NDArray[np.void]:  # noqa: ANN401 - pyarrow ships no types
    """Return MOMENT[m] of a record batch; raises any of _DAMAGE where something is missing."""
    moments = np.zeros(batch.num_rows, MOMENT)
    for name in _MOMENT_COLUMNS:
        moments[name] = batch.column(name).to_numpy(zero_copy_only=False)
    features = batch.column("features").flatten().to_numpy(zero_copy_only=False)
    moments["features"] = features.reshape(len(moments), len(FEATURES))
    if not np.isfinite(moments["features"]).all() or not np.isfinite(moments["first"]).all():
        raise ValueError("a forecast that is no number")
    return moments


_ACTED_COLUMNS: Final = ACTED.names or ()
_MOMENT_COLUMNS: Final = tuple(name for name in MOMENT.names or () if name != "features")

_DAMAGE: Final = (
    pa.ArrowException,
    AttributeError,
    KeyError,
    OSError,
    StopIteration,
    TypeError,
    ValueError,
)
"""What reading a message raises that is not what it should be."""


def decode_report(value: bytes) -> StageReport:
    """Return the report of a message.

    Raises:
        ReportFormatError: The message is damaged or of another version.
    """
    try:
        source = pa.BufferReader(value)
        with pa.ipc.open_stream(source) as reader:
            metadata = json.loads(reader.schema.metadata[_KEY])
            version = metadata["version"]
            batch = reader.read_next_batch() if version == VERSION else None
            if batch is not None:
                batch.validate(full=True)
                counts = [metadata[name] for name in ("moments", "participations", "acted")]
                more = _read_more(reader, source, counts)
    except _DAMAGE as error:
        raise ReportFormatError(f"not a stage report: {error!r}") from error
    if batch is None:
        raise ReportFormatError(f"version {version}; this program reads {VERSION}")
    try:
        return _report_of(metadata, batch, *more)
    except _DAMAGE as error:
        raise ReportFormatError(f"a damaged stage report: {error!r}") from error


def _read_more(reader: Any, source: Any, counts: list[int]) -> list[Any]:  # noqa: ANN401 - pyarrow ships no types
    """Return the record batches of these lengths that follow, each in a stream of its own.

    None for one that is empty, which is not there. Raises any of _DAMAGE.
    """
    batches: list[Any] = []
    for count in counts:
        if not count:
            batches.append(None)
            continue
        if next(iter(reader), None) is not None:
            raise ValueError("a second batch in a stream")
        reader = pa.ipc.open_stream(source)
        batch = reader.read_next_batch()
        batch.validate(full=True)
        if batch.num_rows != count:
            raise ValueError(f"{batch.num_rows} rows in a stream, not {count}")
        batches.append(batch)
    return batches


def _report_of(
    metadata: dict[str, Any],
    batch: Any,  # noqa: ANN401 - pyarrow ships no types
    moments: Any,  # noqa: ANN401 - likewise
    participations: Any,  # noqa: ANN401 - likewise
    acted: Any,  # noqa: ANN401 - likewise
) -> StageReport:
    """Return the report of its record batches; raises any of _DAMAGE where something is missing."""
    column = batch.column("row")
    if column.type.byte_width != REPORT.itemsize:
        raise ValueError(f"rows of {column.type.byte_width} bytes, not {REPORT.itemsize}")
    data = column.buffers()[1]
    rows = np.frombuffer(data, REPORT, count=len(column)) if len(column) else np.zeros(0, REPORT)
    if (np.diff(rows["bucket"]) < 0).any():
        raise ValueError("rows out of order")
    return StageReport(
        partition=metadata["partition"],
        partitions=metadata["partitions"],
        sequence=metadata["sequence"],
        through_bucket=metadata["through_bucket"],
        high_ms=metadata["high_ms"],
        videos=batch.column("video").dictionary.to_pylist(),
        video=batch.column("video").indices.to_numpy(zero_copy_only=False),
        rows=rows,
        profiles=[(row, profile) for row, profile in metadata["profiles"]],
        transitions=[(row, transition) for row, transition in metadata["transitions"]],
        explanations=[(row, why) for row, why in metadata["explanations"]],
        voices=[(row, said) for row, said in metadata["voices"]],
        summaries=[
            (epoch, name, EpochSummary.from_dict(stored))
            for epoch, name, stored in metadata["summaries"]
        ],
        evidence=[
            EpochEvidence(epoch, tested, [_candidate_of(*one) for one in candidates])
            for epoch, tested, candidates in metadata["evidence"]
        ],
        moments=np.zeros(0, MOMENT) if moments is None else _moments_of(moments),
        participations=(
            [] if participations is None else _participations_of(participations, len(rows))
        ),
        acted=np.zeros(0, ACTED) if acted is None else _acted_of(acted),
    )


def _candidate_of(video: str, log_e_value: float, signal: int, title: str) -> Candidate:
    """Return a candidate; raises any of _DAMAGE where it is none."""
    if not math.isfinite(log_e_value) or not 0 <= signal < SIGNALS:
        raise ValueError(f"no candidate: evidence {log_e_value}, signal {signal}")
    return Candidate(video, log_e_value, signal, title)

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from told_reports import report_of

from models.cohort_learning import EpochSummary
from models.epoch_evidence import Candidate, EpochEvidence
from models.forecast_features import FEATURES
from models.forecast_moments import MOMENT
from models.known_actors import ACTED
from models.stage_reports import (
    VERSION,
    ReportFormatError,
    StageReport,
    decode_report,
    encode_report,
)

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "video": NAMES,
            "profile": st.none() | st.just({"title": "大英", "topics": ["x"]}),
            "views": st.integers(0, 2**62),
            "acted": st.lists(st.integers(0, 2**62), min_size=4, max_size=4),
            "total_acted": st.lists(st.integers(0, 2**62), min_size=4, max_size=4),
            "probability": st.floats(0, 1, width=32),
            "explanation": st.none() | st.just({"model": "m", "signals": ["大英"]}),
            "voices": st.none() | st.just({"offered": 3, "phrases": {"大英": 2}}),
            "views_per_hour": st.floats(0, 1e9),
            "stage": st.integers(0, 3),
            "transitions": st.lists(
                st.fixed_dictionaries({"stage": st.just("judgment"), "time_ms": st.integers()}),
                max_size=2,
            ),
        }
    ),
    max_size=6,
)


MOMENTS = st.lists(
    st.tuples(
        *(st.integers(0, 2**62) for _ in range(4)),
        st.integers(-1, 2**62),
        st.integers(0, 2**62),
        st.floats(0, 1, width=32),
        st.lists(st.floats(-20, 20, width=32), min_size=len(FEATURES), max_size=len(FEATURES)),
    ),
    max_size=4,
)


PEOPLE = st.lists(
    st.tuples(st.integers(0, 2**62), st.integers(0, 2**62), st.integers(0, 2**64 - 1)),
    max_size=4,
)


@given(
    rows=ROWS,
    moments=MOMENTS,
    acted=PEOPLE,
    sequence=st.integers(0, 2**40),
    through=st.integers(-1, 2**40),
)
@settings(deadline=None)
def test_a_report_is_read_as_it_was_written(
    rows: list[dict[str, object]],
    moments: list[tuple[object]],
    acted: list[tuple[int, int, int]],
    sequence: int,
    through: int,
) -> None:
    summary = EpochSummary.empty()
    summary.propensity[2, 1, 3, 7] = 11
    summary.newcomers += 4
    before = report_of(*rows, partition=3, partitions=7, sequence=sequence, through_bucket=through)
    before.summaries.append((9, "douyin", summary))
    before.evidence.append(EpochEvidence(9, 70, [Candidate("douyin\x1fv", 7.25, 3, "大英")]))
    told = [(row, bytes([row, 0, 255])) for row in range(0, len(rows), 2)]
    before = replace(
        before,
        moments=np.array(moments, MOMENT),
        participations=told,
        acted=np.array(acted, ACTED),
    )
    after = decode_report(encode_report(before))
    for name in StageReport.__dataclass_fields__:
        if name not in ("rows", "video", "summaries", "moments", "acted"):
            assert getattr(after, name) == getattr(before, name), name
    np.testing.assert_array_equal(after.rows, before.rows)
    np.testing.assert_array_equal(after.video, before.video)
    assert after.moments.tobytes() == before.moments.tobytes()
    assert after.acted.tobytes() == before.acted.tobytes()
    (epoch, platform, got) = after.summaries[0]
    assert (epoch, platform, got.to_dict()) == (9, "douyin", summary.to_dict())


WHOLE = encode_report(
    replace(
        report_of({"video": "p\x1fv", "profile": {"title": "t"}, "views": 5}, {"video": "q"}),
        moments=np.zeros(3, MOMENT),
        participations=[(0, b"who"), (1, b"took part")],
        acted=np.zeros(2, ACTED),
    )
)


@pytest.mark.parametrize("length", range(0, len(WHOLE) - 16, 23))
def test_a_truncated_message_is_told(length: int) -> None:
    with pytest.raises(ReportFormatError):
        decode_report(WHOLE[:length])


@pytest.mark.parametrize(
    "metadata",
    [
        b'"version": 1',
        b'"VERSION": %d' % VERSION,
        b'"version": x',
    ],
)
def test_a_message_of_another_version_is_told(metadata: bytes) -> None:
    damaged = WHOLE.replace(b'"version": %d' % VERSION, metadata)
    assert damaged != WHOLE
    with pytest.raises(ReportFormatError, match=r"report|version"):
        decode_report(damaged)


@pytest.mark.parametrize(
    "name", [b"partition", b"sequence", b"profiles", b"transitions", b"explanations"]
)
def test_a_message_without_a_field_is_told(name: bytes) -> None:
    damaged = WHOLE.replace(b'"' + name + b'"', b'"' + name.upper() + b'"')
    assert damaged != WHOLE
    with pytest.raises(ReportFormatError):
        decode_report(damaged)


@pytest.mark.parametrize("rows", [[1, 0], [0, 0], [2]])
def test_participations_of_other_rows_are_told(rows: list[int]) -> None:
    wrong = report_of({"video": "a"}, {"video": "b"})
    with pytest.raises(ReportFormatError, match="participation"):
        decode_report(encode_report(replace(wrong, participations=[(row, b"") for row in rows])))


def test_what_is_no_arrow_stream_is_told() -> None:
    for value in (b"", b"{}", b"\x00" * 100, b"ARROW1" * 20):
        with pytest.raises(ReportFormatError):
            decode_report(value)


def test_rows_of_another_layout_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "models.stage_reports.REPORT", np.dtype([("bucket", np.int64), ("new", np.int64)])
    )
    with pytest.raises(ReportFormatError, match="bytes"):
        decode_report(WHOLE)


def test_rows_out_of_order_are_told() -> None:
    wrong = report_of({"video": "a", "bucket": 5}, {"video": "b", "bucket": 4})
    with pytest.raises(ReportFormatError, match="order"):
        decode_report(encode_report(wrong))


@pytest.mark.parametrize("wrong", [(math.nan, 1), (math.inf, 1), (3.0, 4), (3.0, -1)])
def test_evidence_that_is_none_is_told(wrong: tuple[float, int]) -> None:
    evidence = [EpochEvidence(1, 2, [Candidate("p\x1fv", *wrong, "")])]
    with pytest.raises(ReportFormatError, match="no candidate"):
        decode_report(encode_report(replace(report_of(), evidence=evidence)))


@given(
    buckets=st.lists(st.integers(0, 9), max_size=8).map(sorted),
    moments=st.lists(st.integers(0, 9), max_size=4).map(sorted),
    epochs=st.lists(st.integers(0, 4), max_size=3, unique=True),
    through=st.integers(-1, 10),
)
def test_after_a_bucket_only_what_lies_after_it_is_left(
    buckets: list[int], moments: list[int], epochs: list[int], through: int
) -> None:
    rows = [
        {"video": f"v{n % 3}", "bucket": bucket, "profile": {"n": n}, "explanation": {"n": n}}
        | {"transitions": [{"n": n}], "voices": {"n": n}, "views": n}
        for n, bucket in enumerate(buckets)
    ]
    report = report_of(*rows, through_bucket=9)
    report.summaries.extend((epoch, "p", EpochSummary.empty()) for epoch in epochs)
    report.evidence.extend(EpochEvidence(epoch, 3, []) for epoch in epochs)
    made = np.zeros(len(moments), MOMENT)
    made["bucket"] = moments
    report = replace(report, participations=[(n, b"%d" % n) for n in range(len(buckets))])
    left = replace(report, moments=made).after(through, buckets_per_epoch=2)
    expected = [n for n, bucket in enumerate(buckets) if bucket > through]
    assert left.rows["views"].tolist() == expected
    assert [left.videos[at] for at in left.video.tolist()] == [f"v{n % 3}" for n in expected]
    for said in (left.profiles, left.explanations, left.transitions, left.voices):
        assert [(row, what["n"]) for row, what in said] == list(enumerate(expected))
    assert left.participations == [(row, b"%d" % n) for row, n in enumerate(expected)]
    assert left.moments["bucket"].tolist() == [bucket for bucket in moments if bucket > through]
    assert [epoch for epoch, _, _ in left.summaries] == [
        epoch for epoch in epochs if epoch * 2 + 1 > through
    ]
    assert [told.epoch for told in left.evidence] == [epoch for epoch, _, _ in left.summaries]
    assert left.through_bucket == 9
    assert decode_report(encode_report(left)).rows.tobytes() == left.rows.tobytes()

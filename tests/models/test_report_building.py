"""What is told of decided buckets, and in which messages."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from told_reports import BUCKET_MS, START_BUCKET

from models import report_building
from models.cohort_learning import EpochSummary
from models.decisions import DECISION, MADE, Decided
from models.forecast_features import FEATURES
from models.parameters import Parameters
from models.report_building import ReportBuilder
from models.stage_reports import REPORT, StageReport, decode_report
from models.transition_words import Transition
from models.transitions import Reason
from models.video_state import NEVER, VideoTable
from models.vocabulary import Route, Stage, State

PARAMETERS = Parameters(bucket_ms=BUCKET_MS)
BESIDE = ("video", "happened", "profile", "why")
PER_EPOCH = PARAMETERS.epoch_ms // BUCKET_MS


def transition(row: int) -> Transition:
    return Transition(
        row, 5, Stage.JUDGMENT, State.ACTIVE, Route.CONTESTED, 1, Reason.INTENSITY, figures={"x": 1}
    )


@dataclass
class Platform:
    """Videos whose decided buckets are told."""

    table: VideoTable = field(default_factory=VideoTable)
    builder: ReportBuilder = field(default_factory=lambda: ReportBuilder(PARAMETERS))
    bucket: int = START_BUCKET

    def slot(self, video: str) -> int:
        return int(self.table.slots([f"p\x1f{video}"])[0])

    def decide(self, *buckets: Sequence[dict[str, Any]]) -> None:
        """Decide buckets together; each is given by its videos and what is decided of them."""
        said = [(self.bucket + at, one) for at, bucket in enumerate(buckets) for one in bucket]
        for bucket, one in said:
            if "profile" in one:
                slot = self.slot(one["video"])
                self.builder.describe(bucket, slot, self.table, one["profile"])
        decisions = np.zeros(len(said), DECISION)
        for decision, (bucket, one) in zip(decisions, said, strict=True):
            decision["slot"], decision["bucket"] = self.slot(one["video"]), bucket
            for name, value in one.items():
                if name not in BESIDE:
                    decision[name] = value
        happened = [at for at, (_, one) in enumerate(said) if one.get("happened")]
        transitions = [transition(at) for at in happened]
        why = {at: {"model": one["why"]} for at, (_, one) in enumerate(said) if "why" in one}
        made = np.zeros(len(why), MADE)
        made["decision"], made["episode_ms"] = list(why), NEVER
        made["features"] = 1 + np.array(list(why), np.float32)[:, np.newaxis]
        activity = np.zeros((1, 24))
        self.builder.add(self.table, Decided(decisions, transitions, activity, made, why))
        self.bucket += len(buckets)

    def messages(self) -> list[StageReport]:
        """Return what was told since the last call."""
        found = self.encoded()
        self.builder = ReportBuilder(PARAMETERS)
        return [decode_report(message) for message in found]

    def encoded(self) -> list[bytes]:
        last = StageReport(
            partition=2,
            partitions=3,
            sequence=7,
            through_bucket=self.bucket - 1,
            high_ms=self.bucket * BUCKET_MS,
            videos=[],
            video=np.zeros(0, np.int32),
            rows=np.zeros(0, REPORT),
        )
        return self.builder.messages(last)


def keys_of(report: StageReport) -> list[str]:
    return [report.videos[at].removeprefix("p\x1f") for at in report.video.tolist()]


def test_what_belongs_nowhere_and_stirs_nobody_is_not_told_but_the_progress_is() -> None:
    platform = Platform()
    assert not platform.builder
    quiet = {"video": "quiet", "views": 3, "probability": 0.59, "profile": {"title": "quiet"}}
    platform.decide([quiet, {"video": "other", "views": 1}])
    assert platform.builder
    (report,) = platform.messages()
    assert (len(report.rows), report.videos, report.profiles) == (0, [], [])
    assert (report.sequence, report.through_bucket) == (7, START_BUCKET)


@pytest.mark.parametrize(
    "why",
    [
        {"profile": {"topics": ["t"]}},
        {"profile": {"source": "p\x1forigin"}},
        {"happened": True},
        {"stage": Stage.JUDGMENT},
        {"probability": PARAMETERS.emerging_probability},
    ],
)
def test_a_video_is_told_from_the_bucket_on_in_which_it_matters(why: dict[str, Any]) -> None:
    platform = Platform()
    platform.decide([{"video": "a", "views": 4}])
    assert not platform.messages()[0].videos
    matters = {"video": "a", "views": 5, "total_views": 9, **why}
    platform.decide([{"video": "a"}], [matters, {"video": "b"}], [{"video": "a"}])
    (report,) = platform.messages()
    assert keys_of(report) == ["a", "a"]
    assert report.rows["bucket"].tolist() == [START_BUCKET + 2, START_BUCKET + 3]
    assert (report.rows["views"][0], report.rows["total_views"][0]) == (5, 9)
    assert report.profiles == ([(0, why["profile"])] if "profile" in why else [])
    assert [row for row, _ in report.transitions] == [0] * ("happened" in why)
    platform.decide([{"video": "a"}, {"video": "b"}])
    assert keys_of(platform.messages()[0]) == ["a"]


def test_what_a_profile_says_that_nobody_reads_is_left_out() -> None:
    platform = Platform()
    profile = {"title": "大英", "topics": ["t"], "creator_id": "c", "source": "p\x1fs"}
    platform.decide([{"video": "a", "profile": {**profile, "duration_ms": 3, "labels": ["y"]}}])
    assert platform.messages()[0].profiles == [(0, profile | {"labels": ["y"]})]


def test_a_profile_is_told_once_and_again_when_it_has_changed() -> None:
    platform = Platform()
    platform.decide([{"video": "a", "profile": {"title": "old"}}])
    assert not platform.messages()[0].profiles
    platform.decide(
        [{"video": "a", "stage": 1}],
        [{"video": "a", "profile": {"topics": ["t"]}}],
        [{"video": "a", "profile": {"topics": ["t"]}}],
        [{"video": "b", "stage": 1}, {"video": "a", "profile": {"title": "new"}}],
    )
    (report,) = platform.messages()
    assert report.profiles == [
        (0, {"title": "old"}),
        (1, {"title": "old", "topics": ["t"]}),
        (4, {"title": "new", "topics": ["t"]}),
    ]
    platform.decide([{"video": "a"}])
    assert not platform.messages()[0].profiles


def test_the_numbers_are_those_of_the_decision() -> None:
    platform = Platform()
    numbers = {
        "last_ms": 11, "age_ms": 12, "views": 13, "total_views": 14, "acted": [1, 2, 3, 4],
        "total_acted": [5, 6, 7, 8],
        "progress": 15, "total_progress": 16, "episode_progress": 17, "probability": 0.75,
        "roles": 18, "stage": 2, "route": 3, "state": 1, "episode": 4,
    }  # fmt: skip
    platform.decide([{"video": "a", "activity_per_hour": 2.5, **numbers}])
    (row,) = platform.messages()[0].rows
    assert {name: row[name].tolist() for name in numbers} == numbers
    assert (row["bucket"], row["views_per_hour"]) == (START_BUCKET, 2.5)


def test_everything_is_noted_for_who_asks_and_the_report_is_the_same() -> None:
    plain, asked = Platform(), Platform()
    asked.builder.everything = []
    for platform in (plain, asked):
        told = {"video": "b", "profile": {"topics": ["t"]}, "last_ms": 5, "probability": 0.25}
        platform.decide([{"video": "a", "last_ms": 4}, told], [{"video": "c"}])
    (everything,) = asked.builder.everything or ()
    assert everything.videos == ["p\x1fa", "p\x1fb", "p\x1fc"]
    assert everything.last_ms.tolist() == [4, 5, 0]
    assert everything.probability.tolist() == [0, 0.25, 0]
    assert plain.encoded() == asked.encoded()


def test_forecasts_are_noted_for_who_learns_from_them_and_the_report_is_the_same() -> None:
    plain, asked = Platform(), Platform()
    asked.builder.made = []
    for platform in (plain, asked):
        low = {"video": "a", "why": "m", "probability": 0.25, "last_ms": 4, "episode_progress": 7}
        high = {**low, "video": "b", "probability": 1.0, "last_ms": 9}
        platform.decide([{"video": "c", "views": 1}, low], [{"video": "c"}, high])
    (made,) = asked.builder.made or ()
    assert made.videos == ["p\x1fa", "p\x1fb"]
    assert (made.time_ms.tolist(), made.progress.tolist()) == ([4, 9], [7, 7])
    assert (made.episode.tolist(), made.probability.tolist()) == ([NEVER, NEVER], [0.25, 1.0])
    assert made.features.tolist() == [[2.0] * len(FEATURES), [4.0] * len(FEATURES)]
    assert plain.encoded() == asked.encoded()


def test_what_spoke_for_a_forecast_stands_beside_its_row() -> None:
    platform = Platform()
    hot = {"video": "a", "why": "m", "probability": 0.7}
    platform.decide([{"video": "b"}, {"video": "c", "stage": 1}], [hot])
    (report,) = platform.messages()
    assert keys_of(report) == ["c", "a"]
    assert report.explanations == [(1, {"model": "m"})]


VIDEO = st.fixed_dictionaries(
    {"stage": st.sampled_from([0, 0, 0, 1]), "probability": st.sampled_from([0, 0.1, 0.6])},
    optional={
        "happened": st.booleans(),
        "profile": st.fixed_dictionaries(
            {},
            optional={
                "title": st.sampled_from("ab"),
                "topics": st.lists(st.sampled_from("xy"), max_size=2),
                "source": st.just("p\x1fs"),
            },
        ),
    },
)
BUCKETS = st.lists(st.dictionaries(st.integers(0, 6), VIDEO, max_size=6), min_size=1, max_size=9)


def in_order(videos: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    made = [{"video": f"v{number}", **videos[number]} for number in sorted(videos)]
    # What suffices for an alert is explained.
    return [one | ({"why": one["video"]} if one["probability"] >= 0.6 else {}) for one in made]


@given(buckets=BUCKETS, cuts=st.sets(st.integers(1, 8)))
@settings(deadline=None)
def test_how_many_buckets_are_decided_at_a_time_changes_nothing(
    buckets: list[dict[int, dict[str, Any]]], cuts: set[int]
) -> None:
    found = []
    for stops in (range(1, 9), cuts):
        platform, first = Platform(), 0
        for number in range(7):
            platform.slot(f"v{number}")
        for stop in sorted({*stops, len(buckets)}):
            platform.decide(*map(in_order, buckets[first:stop]))
            first = max(first, stop)
        platform.bucket = START_BUCKET + len(buckets)
        found.append(platform.encoded())
    assert found[0] == found[1]


@given(buckets=BUCKETS)
@settings(deadline=None)
def test_what_is_told_is_what_a_plain_loop_would_tell(
    buckets: list[dict[int, dict[str, Any]]],
) -> None:
    platform = Platform()
    platform.decide(*map(in_order, buckets))
    (report,) = platform.messages()
    followed, known, told = set[str](), dict[str, dict[str, Any]](), dict[str, dict[str, Any]]()
    rows, profiles = list[str](), list[tuple[int, dict[str, Any]]]()
    for videos in buckets:
        for one in in_order(videos):
            video = one["video"]
            profile, more = known.setdefault(video, {}), one.get("profile", {})
            topics = list(dict.fromkeys([*profile.get("topics", []), *more.get("topics", [])]))
            profile.update(more)
            profile.update({"topics": topics} if topics else {})
            belongs = profile.get("topics") or profile.get("source")
            if belongs or one["stage"] or one["probability"] >= 0.6 or one.get("happened"):
                followed.add(video)
            if video in followed:
                shown = {name: value for name, value in profile.items() if value}
                if shown != told.get(video, {}):
                    profiles.append((len(rows), shown))
                    told[video] = shown
                rows.append(video)
    assert keys_of(report) == rows
    got = [(row, {name: value for name, value in p.items() if value}) for row, p in report.profiles]
    assert got == profiles


@given(
    buckets=BUCKETS,
    most=st.integers(200, 4_000),
    epochs=st.lists(st.integers(0, 20), max_size=3, unique=True),
)
@settings(deadline=None)
def test_messages_split_anywhere_say_the_same(
    buckets: list[dict[int, dict[str, Any]]], most: int, epochs: list[int]
) -> None:
    found = []
    for limit in (10**9, most):
        platform = Platform()
        platform.decide(*map(in_order, buckets))
        summaries = [(START_BUCKET // PER_EPOCH + e, "p", EpochSummary.empty()) for e in epochs]
        platform.builder.summaries += summaries
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(report_building, "REPORT_BYTES_MAX", limit)
            patch.setattr(report_building, "SUMMARIES_BESIDE_BYTES", limit // 2)
            found.append(platform.messages())
    ((whole,), parts) = found
    assert [part.sequence for part in parts] == list(range(7, 7 + len(parts)))
    assert np.concatenate([part.rows for part in parts]).tobytes() == whole.rows.tobytes()
    assert [key for part in parts for key in keys_of(part)] == keys_of(whole)
    starts = np.cumsum([0, *(len(part.rows) for part in parts)]).tolist()
    for name in ("profiles", "transitions", "explanations"):
        moved = [
            (start + row, what)
            for start, part in zip(starts, parts, strict=False)
            for row, what in getattr(part, name)
        ]
        assert moved == getattr(whole, name)
    assert [s[:2] for part in parts for s in part.summaries] == [s[:2] for s in whole.summaries]
    assert parts[-1].through_bucket == whole.through_bucket
    for position, part in enumerate(parts[:-1]):
        for later in parts[position + 1 :]:
            # Complete is what no later message has rows of; summaries come before their epoch ends.
            assert (later.rows["bucket"] > part.through_bucket).all()
            for epoch, _, _ in later.summaries:
                assert part.through_bucket < (epoch + 1) * PER_EPOCH - 1


def test_a_large_bucket_becomes_messages_below_four_megabytes() -> None:
    platform, count = Platform(), 40_000
    profile = {"title": "大英" * 20, "topics": ["t"]}
    platform.decide(
        [{"video": f"{'v' * 30}{number}", "profile": profile} for number in range(count)]
    )
    messages = platform.encoded()
    assert len(messages) > 3
    assert max(map(len, messages)) < 4 * 1024 * 1024
    assert sum(len(decode_report(message).rows) for message in messages) == count

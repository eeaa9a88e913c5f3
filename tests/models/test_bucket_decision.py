"""Stories of single videos through the decision of buckets: routes, ends and returns."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from building import BUCKET_MS, START_BUCKET, events_of

from models.bucket_decision import ReportBuilder, decide_bucket
from models.cohorts import CohortVersion
from models.evidence import log_threshold
from models.parameters import DAY_MS, Level, Parameters
from models.transitions import RULES, Reason, Transition
from models.video_state import VideoTable
from models.vocabulary import ACTION_CODE, ROLES, Route, Signal, Stage, State

PARAMETERS = Parameters(bucket_ms=BUCKET_MS, level=Level("view", 10_000))
HOUR = 12
LOG_C = log_threshold(0.001, DAY_MS / BUCKET_MS, RULES)


@dataclass
class Video:
    """One video, decided bucket by bucket; counts are per bucket, of people who are not known."""

    table: VideoTable = field(default_factory=VideoTable)
    bucket: int = START_BUCKET
    told: list[tuple[int, Transition]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.slot = int(self.table.slots(["douyin\x1fv"])[0])

    @property
    def row(self) -> np.void:
        return self.table.rows[self.slot]

    def goes_on(self, buckets: int, **counts: int) -> list[Transition]:
        """Let so many buckets pass with these counts in each; no counts is silence."""
        before = len(self.told)
        for _ in range(buckets):
            said: list[dict[str, Any]] = [
                {
                    "slot": self.slot,
                    "action": action,
                    "count": count,
                    "time_ms": self.bucket * BUCKET_MS + 1_000,
                }
                for action, count in counts.items()
            ]
            decided = decide_bucket(
                self.table,
                events_of(*said),
                self.bucket,
                CohortVersion(0),
                PARAMETERS,
                log_c=LOG_C,
            )
            self.told += [(self.bucket, t) for t in decided.transitions]
            self.bucket += 1
        return [t for _, t in self.told[before:]]


LOUD = {"view": 2_000}
LIKED = {**LOUD, "like": 700}
DISLIKED = {**LOUD, "dislike": 300}
DISCUSSED = {**LOUD, "comment": 300}
SHARED = {**LOUD, "share": 300}


def only(transitions: list[Transition]) -> Transition:
    (one,) = transitions
    return one


@pytest.mark.parametrize(
    ("counts", "signal", "stage", "route"),
    [
        (LIKED, Signal.IDENTIFICATION, Stage.JUDGMENT, Route.IDENTIFICATION),
        (DISLIKED, Signal.EXCLUSION, Stage.JUDGMENT, Route.EXCLUSION),
    ],
)
def test_a_judgment_says_its_route(
    counts: dict[str, int], signal: Signal, stage: Stage, route: Route
) -> None:
    told = only(Video().goes_on(HOUR, **counts))
    assert (told.signal, told.stage, told.route, told.state) == (
        signal,
        stage,
        route,
        State.ACTIVE,
    )
    assert told.juncture == "outbreak"
    assert told.episode == 1
    assert told.reason is Reason.RESPONSE_AND_INTENSITY
    assert float(told.figures["log_evidence"]) >= LOG_C - 0.01
    assert float(told.figures["per_exposure"]) > float(told.figures["null_per_exposure"])
    assert float(told.figures["per_hour"]) > float(told.figures["null_per_hour"])


def test_both_judgments_are_contested() -> None:
    told = Video().goes_on(HOUR, **{**LIKED, **DISLIKED})
    assert {t.signal for t in told} == {Signal.IDENTIFICATION, Signal.EXCLUSION}
    assert told[-1].route is Route.CONTESTED


@pytest.mark.parametrize(
    ("more", "route"),
    [
        ({}, Route.UNDECIDED),
        ({"like": 60}, Route.IDENTIFICATION),
        ({"dislike": 6}, Route.EXCLUSION),
        ({"like": 60, "dislike": 2}, Route.CONTESTED),
    ],
)
def test_a_skipped_judgment_takes_the_route_that_people_lean_to(
    more: dict[str, int], route: Route
) -> None:
    told = only(Video().goes_on(HOUR, **DISCUSSED, **more))
    assert (told.stage, told.signal, told.route) == (Stage.INTERACTION, Signal.INTERACTION, route)
    assert told.juncture == "sublimation"


def test_exclusion_may_lead_into_interaction_and_then_it_fades_rather_than_being_interrupted() -> (
    None
):
    video = Video()
    video.goes_on(HOUR, **DISLIKED)
    told = only(video.goes_on(HOUR, **{**DISLIKED, **DISCUSSED}))
    assert (told.stage, told.route) == (Stage.INTERACTION, Route.EXCLUSION)
    assert only(video.goes_on(36 * HOUR)).state is State.FADED


def test_without_exposures_intensity_alone_decides() -> None:
    told = only(Video().goes_on(HOUR, share=300))
    assert (told.stage, told.reason) == (Stage.DIFFUSION, Reason.INTENSITY)
    assert told.juncture == "continuation"


def test_a_crowd_is_more_than_a_few() -> None:
    # 149 people in all: whatever the evidence, they may all know each other.
    assert not Video().goes_on(1, view=150, share=149)
    assert Video().goes_on(1, view=150, share=2_000)


def test_a_stage_that_was_skipped_may_be_entered_later_and_each_only_once() -> None:
    video = Video()
    video.goes_on(2 * HOUR, **SHARED)
    video.goes_on(2 * HOUR, **{**SHARED, **DISCUSSED})
    video.goes_on(4 * HOUR, **{**SHARED, **DISCUSSED, **LIKED})
    stages = [t.stage for _, t in video.told]
    assert stages == [Stage.DIFFUSION, Stage.INTERACTION, Stage.JUDGMENT]
    assert video.row["stage"] == Stage.DIFFUSION


# -- ends -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "state", "reason"),
    [
        (LIKED, State.FADED, Reason.COLLAPSE),
        (DISLIKED, State.INTERRUPTED, Reason.COLLAPSE_AFTER_EXCLUSION),
        (SHARED, State.FADED, Reason.COLLAPSE),
    ],
)
def test_an_episode_ends_in_silence_once(
    counts: dict[str, int], state: State, reason: Reason
) -> None:
    video = Video()
    video.goes_on(3 * HOUR, **counts)
    told = only(video.goes_on(60 * HOUR))
    assert (told.state, told.reason, told.episode) == (state, reason, 1)
    at = video.told[-1][0]
    # Constant, then silent: it falls to a tenth of its peak in log2(10) half-lives of six hours.
    silence_h = (at - (START_BUCKET + 3 * HOUR - 1)) / HOUR
    assert silence_h == pytest.approx(6 * np.log2(10), abs=0.1)
    assert told.time_ms == (at + 1) * BUCKET_MS - 1


def test_a_collapse_is_found_in_the_bucket_where_step_by_step_decay_finds_it() -> None:
    """The closed form, on rises and falls of many shapes, against decay bucket by bucket."""
    rng = np.random.default_rng(4)
    for _ in range(12):
        video = Video()
        video.goes_on(2, view=4_000, like=1_500, share=500)
        for size in rng.integers(0, 40, rng.integers(1, 8)):
            video.goes_on(1, view=int(size) * 20 + 1)
            video.goes_on(int(rng.integers(0, 30)))
        assert video.row["state"] == 0
        assert video.row["due_bucket"] < 2**62
        rate, peak = float(video.row["activity_per_hour"]), video.row["activity_peak_per_hour"]
        last = int(video.row["last_bucket"])
        keep = 0.5 ** (BUCKET_MS / (6 * 3_600_000))
        bucket = last
        while rate > 0.1 * peak:
            rate *= keep
            bucket += 1
        video.goes_on(60 * HOUR)
        assert video.told[-1][1].state is State.FADED
        assert abs(video.told[-1][0] - max(bucket, last + 1)) <= 1e-9


def test_a_video_that_was_ignored_is_interrupted() -> None:
    video = Video()
    assert not video.goes_on(10 * HOUR, view=330)
    told = only(video.goes_on(60 * HOUR))
    assert (told.state, told.reason) == (State.INTERRUPTED, Reason.COLLAPSE_WHEN_IGNORED)
    assert told.stage is Stage.PRESENTATION
    assert not video.goes_on(5 * HOUR, view=330)


def test_an_ordinary_video_just_goes_silent() -> None:
    video = Video()
    video.goes_on(5 * HOUR, view=40, like=4, comment=1)
    assert not video.goes_on(60 * HOUR)
    assert not video.told


def test_deletion_ends_an_episode_and_nothing_is_entered_before_it_is_restored() -> None:
    video = Video()
    video.goes_on(HOUR, **LIKED)
    told = only(video.goes_on(1, delete=1))
    assert (told.state, told.reason) == (State.FADED, Reason.DELETED)
    assert not video.goes_on(2 * HOUR, **LIKED)
    again = only(video.goes_on(2 * HOUR, **LIKED, restore=1))
    assert (again.state, again.episode) == (State.REVIVED, 2)


def test_deletion_of_a_quiet_video_is_nothing_to_tell() -> None:
    video = Video()
    video.goes_on(5, view=10)
    assert not video.goes_on(1, delete=1)


# -- returns ----------------------------------------------------------------------------------


def test_what_returns_begins_a_new_episode_whose_level_counts_anew() -> None:
    video = Video()
    video.goes_on(3 * HOUR, **LIKED)
    assert video.row["probability"] == 1.0
    only(video.goes_on(40 * HOUR))
    assert video.row["resting"]
    assert video.row["probability"] == 0.0
    video.goes_on(1, view=5)
    assert video.row["probability"] == 0.0, "what still trickles in is no return"
    before = int(video.row["progress"])
    told = video.goes_on(4 * HOUR, view=100, dislike=60)
    assert [(t.state, t.episode, t.route) for t in told] == [(State.REVIVED, 2, Route.EXCLUSION)]
    assert video.row["stage"] == Stage.JUDGMENT
    since = int(video.row["progress"] - video.row["progress_before_episode"])
    assert 0 < since <= video.row["progress"] - before
    assert 0 < video.row["probability"] < 1
    assert only(video.goes_on(60 * HOUR)).state is State.INTERRUPTED


# -- the row and the report -------------------------------------------------------------------


def test_how_videos_share_a_bucket_changes_none_of_them() -> None:
    rng = np.random.default_rng(8)
    tables = VideoTable(), VideoTable(), VideoTable()
    keys = [f"p{i % 2}\x1fv{i}" for i in range(6)]
    together, apart, other = tables
    together.slots(keys)
    for bucket in range(START_BUCKET, START_BUCKET + 30):
        said = [
            {
                "slot": int(rng.integers(0, 6)),
                "action": str(rng.choice(["view", "like", "share", "dislike"])),
                "count": int(rng.integers(1, 3_000)),
                "time_ms": bucket * BUCKET_MS + int(rng.integers(0, BUCKET_MS)),
            }
            for _ in range(15)
        ]
        version = CohortVersion(0)
        decide_bucket(together, events_of(*said), bucket, version, PARAMETERS, log_c=LOG_C)
        for table, mine in ((apart, (0, 3, 5)), (other, (1, 2, 4))):
            own = [e for e in said if e["slot"] in mine]
            slots = table.slots([keys[int(str(e["slot"]))] for e in own])
            moved = [{**e, "slot": int(s)} for e, s in zip(own, slots, strict=True)]
            decide_bucket(table, events_of(*moved), bucket, version, PARAMETERS, log_c=LOG_C)
    for key in keys:
        table = apart if key in apart.slot_of else other
        alone, shared = table.rows[table.slot_of[key]], together.rows[together.slot_of[key]]
        assert alone.tobytes() == shared.tobytes(), key


def test_the_report_says_what_the_bucket_brought_and_where_the_video_stands() -> None:
    video = Video()
    video.goes_on(HOUR, **LIKED)
    video.table.describe(video.slot, {"title": "大英"})
    said = [
        {"slot": video.slot, "action": "view", "count": 7, "time_ms": video.bucket * BUCKET_MS},
        {"slot": video.slot, "action": "share", "role": ROLES.index("media")},
    ]
    said[1]["time_ms"] = video.bucket * BUCKET_MS + 5
    decided = decide_bucket(
        video.table, events_of(*said), video.bucket, CohortVersion(0), PARAMETERS, log_c=LOG_C
    )
    builder = ReportBuilder()
    assert not builder
    builder.add(video.bucket, video.table, decided)
    assert builder
    row = builder.rows()[0]
    assert builder.videos == ["douyin\x1fv"]
    assert builder.profiles == ['{"title": "大英"}']
    assert (row["bucket"], row["views"], row["total_views"]) == (video.bucket, 7, 24_007)
    assert row["acted"].tolist() == [0, 0, 0, 1]
    assert row["roles"] == 1 << ROLES.index("media")
    assert row["last_ms"] == video.bucket * BUCKET_MS + 5
    assert row["stage"] == Stage.JUDGMENT
    assert row["probability"] == 1
    assert decided.activity == {"douyin": 8.0}
    assert ACTION_CODE["view"] == 2


def test_silence_is_reported_without_growth() -> None:
    video = Video()
    video.goes_on(HOUR, **LIKED)
    builder = ReportBuilder()
    while not builder.transitions:
        decided = decide_bucket(
            video.table, events_of(), video.bucket, CohortVersion(0), PARAMETERS, log_c=LOG_C
        )
        builder.add(video.bucket, video.table, decided)
        video.bucket += 1
        assert video.bucket < START_BUCKET + 40 * HOUR
    (row,) = builder.rows()
    assert (row["views"], row["progress"], row["acted"].sum()) == (0, 0, 0)
    ((at, transition),) = builder.transitions
    assert at == 0
    assert transition["state"] == "faded"
    assert row["state"] == 2

"""Stories of single videos through the decision of buckets: routes, ends and returns."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from building import (
    BUCKET_MS,
    START_BUCKET,
    batch_of,
    decide,
    flat_cohort,
    visit_all,
)

from models import bucket_decision
from models.bucket_decision import Cohorts, decide_buckets
from models.cohorts import DRIFT, SHIPPED, CohortVersion
from models.decisions import Decided
from models.event_time import SourceClocks
from models.evidence import ALTERNATIVES, BETA_NUMBERS, betas_above, betas_below, log_threshold
from models.parameters import DAY_MS, Level, Parameters
from models.transition_words import Transition
from models.transitions import CROWD, RULES, WATCH_ACTED, Reason
from models.undecided import Undecided
from models.video_state import ROW, UNWATCHED, WATCH, VideoTable
from models.vocabulary import ACTION_CODE, ROLES, Route, Signal, Stage, State

PARAMETERS = Parameters(bucket_ms=BUCKET_MS, level=Level("view", 10_000))
HOUR = 12
LOG_C = log_threshold(0.001, DAY_MS / BUCKET_MS, RULES)
KEY = "douyin\x1fv"


@dataclass
class Video:
    """One video, decided bucket by bucket; counts are per bucket, of people who are not known."""

    table: VideoTable = field(default_factory=VideoTable)
    bucket: int = START_BUCKET
    told: list[tuple[int, Transition]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.slot = int(self.table.slots([KEY])[0])

    @property
    def row(self) -> np.void:
        return self.table.rows[self.slot]

    def goes_on(self, buckets: int, **counts: int) -> list[Transition]:
        """Let so many buckets pass with these counts in each; no counts is silence."""
        before = len(self.told)
        for _ in range(buckets):
            decided = self.decides(
                *({"action": action, "count": count} for action, count in counts.items())
            )
            self.told += [(self.bucket, t) for t in decided.transitions]
            self.bucket += 1
        return [t for _, t in self.told[before:]]

    def decides(self, *said: dict[str, Any]) -> Decided:
        """Decide its bucket with these events in it, a second in unless they say otherwise."""
        start_ms = self.bucket * BUCKET_MS
        events = [{**event, "time_ms": start_ms + event.get("after_ms", 1_000)} for event in said]
        return decide(self.table, [KEY], self.bucket, *events, parameters=PARAMETERS, log_c=LOG_C)


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


def test_an_entry_says_which_of_its_evidence_earlier_visits_brought() -> None:
    """A response shown while hardly anybody came, then a rush of people who respond less."""
    video = Video()
    assert not video.goes_on(HOUR, view=60, like=24)
    told = only(video.goes_on(1, view=12_000, like=1_000))
    figures = {name: float(told.figures[name]) for name in told.figures if name[-1] != "n"}
    assert figures["per_exposure"] < figures["null_per_exposure"]
    assert figures["log_evidence_per_exposure"] < figures["earlier_log_evidence_per_exposure"]
    assert figures["earlier_log_evidence_per_hour"] < LOG_C <= figures["log_evidence_per_hour"]
    both = figures["log_evidence_per_exposure"], figures["log_evidence_per_hour"]
    assert figures["log_evidence"] == min(both) >= LOG_C - 0.01


def test_an_entry_ahead_of_the_views_of_its_visit_is_told_by_the_response_so_far() -> None:
    video = Video()
    video.goes_on(1, view=20_000)
    told = only(video.goes_on(4, like=3_000))
    assert told.figures["people"] == 3_000
    # All who have acted by then, of all who have seen it: in the first visit, or a later one.
    responses = [3_000 * visits / 20_000 for visits in range(1, 5)]
    assert any(told.figures["per_exposure"] == pytest.approx(one) for one in responses)


def test_without_exposures_there_is_no_evidence_of_response_to_tell() -> None:
    told = only(Video().goes_on(HOUR, like=700))
    assert told.reason is Reason.INTENSITY
    assert told.figures["log_evidence"] == told.figures["log_evidence_per_hour"]
    assert not any(name.endswith("log_evidence_per_exposure") for name in told.figures)


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


@pytest.mark.parametrize("action", ["share", "repost", "derive", "media_report", "offline"])
def test_whatever_carries_a_video_on_is_diffusion(action: str) -> None:
    told = only(Video().goes_on(HOUR, view=2_000, **{action: 300}))
    assert (told.stage, told.signal) == (Stage.DIFFUSION, Signal.DIFFUSION)
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


def test_a_video_rests_until_its_activity_has_tripled_and_then_counts_anew() -> None:
    video = Video()
    video.goes_on(3 * HOUR, **LIKED)
    only(video.goes_on(40 * HOUR))
    video.goes_on(1, view=5)
    assert video.row["resting"]
    before = int(video.row["progress"])
    assert not video.goes_on(2 * HOUR, view=200, like=10)
    assert not video.row["resting"]
    assert video.row["progress"] > video.row["progress_before_episode"] >= before


# -- the row and the report -------------------------------------------------------------------


def test_how_videos_share_a_bucket_changes_none_of_them() -> None:
    rng = np.random.default_rng(8)
    together, apart, other = VideoTable(), VideoTable(), VideoTable()
    keys = [f"p{i % 2}\x1fv{i}" for i in range(6)]
    for bucket in range(START_BUCKET, START_BUCKET + 30):
        said = [
            {
                "video": int(rng.integers(0, 6)),
                "action": str(rng.choice(["view", "like", "share", "dislike"])),
                "count": int(rng.integers(1, 3_000)),
                "actor": int(rng.integers(0, 50)),
                "time_ms": bucket * BUCKET_MS + int(rng.integers(0, BUCKET_MS)),
            }
            for _ in range(15)
        ]
        for table, mine in ((together, range(6)), (apart, (0, 3, 5)), (other, (1, 2, 4))):
            own = [e for e in said if e["video"] in mine]
            decide(table, keys, bucket, *own, parameters=PARAMETERS, log_c=LOG_C)
    for video, key in enumerate(keys):
        table = apart if video in (0, 3, 5) else other
        alone, shared = table.slot_of[key], together.slot_of[key]
        assert table.rows[alone].tobytes() == together.rows[shared].tobytes(), key
        watches = table.watches[table.watch_of[alone]], together.watches[together.watch_of[shared]]
        assert (table.watch_of[alone] == UNWATCHED) == (together.watch_of[shared] == UNWATCHED)
        if table.watch_of[alone] != UNWATCHED:
            assert watches[0].tobytes() == watches[1].tobytes(), key


@pytest.mark.parametrize("at_once", [2, 7, 1_000])
def test_how_many_buckets_are_decided_at_a_time_changes_nothing(at_once: int) -> None:
    """Rises, collapses that nobody visits, and returns, decided bucket by bucket and in lots."""
    rng = np.random.default_rng(5)
    keys = [f"p\x1fv{i}" for i in range(4)]
    said: dict[int, list[dict[str, Any]]] = {}
    for video in range(4):
        for begin in (0, 30 * HOUR + 7 * video):
            for bucket in range(begin, begin + 20):
                for action, most in (("view", 4_000), ("like", 900), ("share", 500)):
                    event = {"video": video, "action": action, "count": int(rng.integers(1, most))}
                    event["time_ms"] = (START_BUCKET + bucket) * BUCKET_MS + video
                    said.setdefault(bucket, []).append(event)
    plain, lots = VideoTable(), VideoTable()
    told: list[list[tuple[int, int, str]]] = [[], []]
    for table, size, tell in ((plain, 1, told[0]), (lots, at_once, told[1])):
        for first in range(0, 64 * HOUR, size):
            some = [e for bucket in range(first, first + size) for e in said.get(bucket, ())]
            last = START_BUCKET + first + size - 1
            made = decide(table, keys, last, *some, parameters=PARAMETERS, log_c=LOG_C)
            slots, buckets = made.decisions["slot"], made.decisions["bucket"]
            tell += [
                (int(buckets[t.row]), int(slots[t.row]), repr(t.reason)) for t in made.transitions
            ]
    assert sorted(told[0]) == sorted(told[1])
    assert len({reason for _, _, reason in told[0]}) >= 2
    assert plain.used.tobytes() == lots.used.tobytes()


def test_the_outcome_does_not_depend_on_how_much_is_decided_in_one_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    people = np.random.default_rng(2).integers(100, 900, (60, len(Signal)))
    tables, outcomes = (VideoTable(), VideoTable()), []
    for table in tables:
        made = []
        for bucket in (START_BUCKET, START_BUCKET + 1, START_BUCKET + 2, START_BUCKET + 40 * HOUR):
            # The last bucket comes after a silence in which all that has entered ends.
            loud = people if bucket < START_BUCKET + 3 else people[:1]
            made.append(visit_all(table, bucket, 1_000, loud, parameters=PARAMETERS, log_c=LOG_C))
        outcomes.append(made)
        monkeypatch.setattr(bucket_decision, "_DECIDED_AT_ONCE", 7)
        monkeypatch.setattr(bucket_decision, "_TOLD_AT_ONCE", 2 * len(Signal) + 1)
        monkeypatch.setattr(bucket_decision, "_FORECAST_AT_ONCE", 2)
    for once, bit_by_bit in zip(*outcomes, strict=True):
        assert np.array_equal(once.decisions, bit_by_bit.decisions)
        assert once.transitions == bit_by_bit.transitions
        assert np.array_equal(once.activity, bit_by_bit.activity)
        assert np.array_equal(once.forecasts, bit_by_bit.forecasts)
        assert once.explanations == bit_by_bit.explanations
    assert len(outcomes[0][0].forecasts) > 2
    assert sum(len(made.transitions) for made in outcomes[0]) > len(people)
    assert tables[0].used.tobytes() == tables[1].used.tobytes()


@pytest.mark.parametrize("seed", range(6))
def test_looks_within_a_visit_are_the_same_however_many_buckets_come_at_once(seed: int) -> None:
    """What a look leaves out because another one follows changes nothing that is decided."""
    log_c = 1.0  # being ignored takes more visits to tell than entering
    fine = Parameters(bucket_ms=10_000, level=Level("view", 10_000))
    rng = np.random.default_rng(seed)
    keys = [f"p\x1fv{number}" for number in range(20)]
    buckets, first = 90, START_BUCKET * BUCKET_MS // 10_000
    # From a trickle to what enters at once; the rate changes from visit to visit. Some are ignored.
    rate = 10 ** rng.uniform(-1.5, 1.5, (len(keys), buckets // 30 + 1))
    ignored = np.arange(len(keys)) % 4 == 0
    said = [
        {"video": v, "action": action, "count": int(count), "time_ms": (first + at) * 10_000 + v}
        for at in range(buckets)
        for v in range(len(keys))
        for action, share in (("view", 20.0), ("like", 6.0), ("share", 1.0), ("dislike", 0.3))
        if (count := rng.poisson(rate[v, at // 30] * share)) > 0
        if action == "view" or not ignored[v]
    ]
    tables, told = (VideoTable(), VideoTable(), VideoTable()), []
    for table, size in zip(tables, (1, 7, buckets), strict=True):
        slots, told_now = table.slots(keys), []
        clocks = SourceClocks(10_000, allowed_lateness_ms=DAY_MS)
        clocks.accept(0, 1, -1, len(said))
        undecided = Undecided()
        batch = batch_of(*said, videos=keys)
        undecided.add(batch, slots, np.zeros(len(batch), np.bool_), clocks, 0)
        for last in [*range(size, buckets, size), buckets]:
            cohorts = Cohorts.of(CohortVersion(0), table.platforms)
            through = first + last - 1
            made = decide_buckets(table, undecided, through, cohorts, fine, log_c=log_c)
            told_now += [
                (made.decisions[["slot", "bucket"]][t.row].tolist(), replace(t, row=0))
                for t in made.transitions
            ]
        told.append(told_now)
        assert np.array_equal(tables[0].rows[slots], table.rows[slots])
    assert told[0], "some enter"
    assert tables[0].rows["ignored"].any()
    assert told[0] == told[1] == told[2]
    watched = [table.watches[table.watch_of[table.slots(keys)]] for table in tables]
    for name in WATCH.names or ():
        first_of, *others = (some[name] for some in watched)
        for other in others:
            assert np.array_equal(first_of, other), name


def test_each_platform_is_held_against_its_own_cohort() -> None:
    version = CohortVersion(0, {"b": flat_cohort()})
    cohort_of, cells, intensity, shape, rhythm = Cohorts.of(version, ["a", "b", "c"]).arrays
    assert cohort_of[0] == cohort_of[2], "of two platforms nothing was learned"
    betas = np.zeros((1 + len(ALTERNATIVES), BETA_NUMBERS))
    for number, cohort in ((cohort_of[0], SHIPPED), (cohort_of[1], flat_cohort())):
        assert np.array_equal(intensity[number], cohort.intensity)
        assert np.array_equal(shape[number], cohort.shape)
        assert np.array_equal(rhythm[number], cohort.rhythm)
        for age, reach in np.ndindex(cohort.scarcity.shape):
            cell = cells[number, age, reach]
            assert np.array_equal(cell["propensity"], cohort.propensity[:, age, reach])
            for signal in Signal:
                null = cohort.propensity[signal, age, reach] * DRIFT
                betas_above(null, cohort.concentration[signal], betas)
                assert np.array_equal(cell["above"][signal], betas)
            assert cell["scarcity"] == cohort.scarcity[age, reach]
            betas_below(cell["scarcity"] / DRIFT, cohort.concentration[0], betas)
            assert np.array_equal(cell["below"], betas)


def test_a_visit_is_the_same_however_finely_it_is_looked_at() -> None:
    """Thirty buckets of ten seconds carry the evidence and the sums of one of five minutes."""
    fine = Parameters(bucket_ms=10_000, level=Level("view", 10_000))
    tables = VideoTable(), VideoTable()
    rng = np.random.default_rng(3)
    for number in range(12):
        start_ms = (START_BUCKET + number) * BUCKET_MS
        said = [
            {
                "action": str(rng.choice(["view", "view", "like", "comment"])),
                "count": int(rng.integers(1, 60)),
                "time_ms": start_ms + int(rng.integers(0, BUCKET_MS)),
            }
            for _ in range(40)
        ]
        # Both have seen the whole visit: its first bucket answers for the silence before.
        said += [
            {"action": "view", "time_ms": start_ms},
            {"action": "view", "time_ms": start_ms + BUCKET_MS - 1},
        ]
        decide(tables[0], [KEY], START_BUCKET + number, *said, parameters=PARAMETERS, log_c=LOG_C)
        clocks = SourceClocks(10_000, allowed_lateness_ms=DAY_MS)
        clocks.accept(0, 1, -1, len(said))
        undecided = Undecided()
        batch = batch_of(*said, videos=[KEY])
        undecided.add(batch, tables[1].slots([KEY]), np.zeros(len(batch), np.bool_), clocks, 0)
        cohorts = Cohorts.of(CohortVersion(0), tables[1].platforms)
        last = (start_ms + BUCKET_MS - 1) // 10_000
        decide_buckets(tables[1], undecided, last, cohorts, fine, log_c=LOG_C)
    coarse, looked_at = (table.rows[0] for table in tables)
    for name in ROW.names or ():
        if name.startswith(("epoch", "views", "acted", "visit")):
            np.testing.assert_allclose(looked_at[name], coarse[name], rtol=1e-9, err_msg=name)
    once, often = (table.watches[table.watch_of[0]] for table in tables)
    np.testing.assert_allclose(
        often["intensity_evidence"], once["intensity_evidence"], rtol=1e-4, atol=1e-3
    )
    np.testing.assert_allclose(
        often["propensity_evidence"], once["propensity_evidence"], rtol=0.2, atol=0.5
    )


def test_what_the_bucket_brought_and_where_the_video_stands() -> None:
    video = Video()
    video.goes_on(HOUR, **LIKED)
    decided = video.decides(
        {"action": "view", "count": 7, "after_ms": 0},
        {"action": "share", "role": ROLES.index("media"), "after_ms": 5},
    )
    (row,) = decided.decisions
    assert (row["bucket"], row["views"], row["total_views"]) == (video.bucket, 7, 24_007)
    assert row["acted"].tolist() == [0, 0, 0, 1]
    assert row["roles"] == 1 << ROLES.index("media")
    assert row["last_ms"] == video.bucket * BUCKET_MS + 5
    assert row["stage"] == Stage.JUDGMENT
    assert row["probability"] == 1
    assert decided.activity.sum() == 8.0


def test_silence_is_decided_without_growth() -> None:
    video = Video()
    video.goes_on(HOUR, **LIKED)
    decided = video.decides()
    while not decided.transitions:
        assert not len(decided.decisions)
        video.bucket += 1
        assert video.bucket < START_BUCKET + 40 * HOUR
        decided = video.decides()
    (row,) = decided.decisions
    assert (row["views"], row["progress"], row["acted"].sum()) == (0, 0, 0)
    (transition,) = decided.transitions
    assert (transition.row, transition.state) == (0, State.FADED)
    assert row["state"] == 2


def test_people_count_not_clicks() -> None:
    video = Video()
    video.goes_on(1, view=500)
    hashes = np.random.default_rng(2).integers(1, 2**63, 40).tolist()
    crowd = [{"action": "like", "actor": actor} for actor in hashes]
    (row,) = video.decides(*crowd).decisions
    assert row["people"][0] == pytest.approx(40, rel=0.2)
    video.bucket += 1
    (row,) = video.decides(*crowd * 5).decisions
    # 240 likes by now, of forty accounts: each of the forty counts a sixth.
    assert row["acted"][0] == 200
    assert row["people"][0] == pytest.approx(40 / 6, rel=0.2)
    video.bucket += 1
    (row,) = video.decides({"action": "like", "count": 30}).decisions
    assert row["people"][0] == 30, "events of unknown actors count as people"


def test_counts_of_a_bucket_are_never_negative() -> None:
    video = Video()
    (row,) = video.decides(
        {"action": "view", "count": 3}, {"action": "like", "count": -2}
    ).decisions
    assert (row["views"], row["acted"][0]) == (3, 0)
    totals = video.table.totals.of(np.array([video.slot]))[0]
    assert totals[ACTION_CODE["like"]] == -2


def test_the_last_word_on_deletion_counts_whatever_the_order() -> None:
    for first, second, deleted in (("delete", "restore", 0), ("restore", "delete", 1)):
        for order in (1, -1):
            video = Video()
            said = [{"action": first, "after_ms": 1}, {"action": second, "after_ms": 2}]
            video.decides(*said[::order])
            assert video.row["deleted"] == deleted


def test_a_quiet_video_is_not_watched_and_a_crowd_is() -> None:
    video = Video()
    video.goes_on(3, view=int(CROWD / 3) - 1, like=WATCH_ACTED // 3 - 1)
    assert video.table.watch_of[video.slot] == UNWATCHED
    video.goes_on(1, view=3)
    assert video.table.watch_of[video.slot] != UNWATCHED
    loved = Video()
    loved.goes_on(1, like=WATCH_ACTED)
    assert loved.table.watch_of[loved.slot] != UNWATCHED


def test_more_videos_may_be_watched_than_there_was_room_for() -> None:
    table = VideoTable(2)
    keys = [f"p\x1fv{number}" for number in range(300)]
    said = [
        {"video": v, "action": "like", "count": 40 + v, "time_ms": START_BUCKET * BUCKET_MS}
        for v in range(300)
    ]
    decided = decide(table, keys, START_BUCKET, *said, parameters=PARAMETERS, log_c=LOG_C)
    assert len(decided.decisions) == 300
    watches = table.watch_of[table.slots(keys)]
    assert len(set(watches.tolist())) == 300
    assert (table.rows["visit_people"][table.slots(keys), 0] == 40 + np.arange(300)).all()

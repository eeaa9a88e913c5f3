import hashlib
import json
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from scipy.stats import spearmanr

from models.decoding import decode
from models.events import DecodingLimits
from models.guidance_actions import validate_action
from models.identity import HashKeys
from models.packed_chunk import packed
from models.parameters import HOUR_MS
from models.steps import Chunk
from models.vocabulary import SIGNAL_ACTIONS, Signal, Stage, State
from streams.scenarios import figures, incidents, judged_anew, museum_nights
from streams.scenarios.british_museum import Scenario, british_museum
from streams.scenarios.case import STAGE_SIGNALS, episodes
from streams.scenarios.derivatives import FLIPPED_BITS_MAX
from streams.scenarios.ordinary import propensities
from streams.scenarios.planted import RAMP_MS
from streams.scenarios.truth import Kind, Mechanism

ORDINARY_VIDEOS = 300


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return british_museum(ordinary_videos=ORDINARY_VIDEOS)


@pytest.fixture(scope="module")
def events(scenario: Scenario) -> pl.DataFrame:
    """All events, read back from their JSON."""
    fields = {
        "time": pl.Int64,
        "platform": pl.String,
        "video_id": pl.String,
        "action": pl.String,
        "count": pl.Int64,
        "actor_id": pl.String,
        "comment_id": pl.String,
        "parent_id": pl.String,
        "event_id": pl.String,
        "fingerprint": pl.String,
        "source_platform": pl.String,
        "source_video_id": pl.String,
        "actor_role": pl.String,
        "topics": pl.List(pl.String),
    }
    text = "\n".join(scenario.events["line"].to_list()).encode()
    frame = pl.read_ndjson(text, schema=fields)
    return frame.with_columns(
        pl.col("count").fill_null(1), arrival_ms=scenario.events["arrival_ms"]
    )


def of_kind(scenario: Scenario, events: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    names = [video_id for (_, video_id), k in scenario.truth.kinds.items() if k is kind]
    return events.filter(pl.col("video_id").is_in(names))


def total(events: pl.DataFrame, *actions: str) -> int:
    return int(events.filter(pl.col("action").is_in(actions))["count"].sum())


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    def digest(seed: int) -> str:
        lines = british_museum(seed, 20).events["line"]
        return hashlib.sha256("\n".join(lines.to_list()).encode()).hexdigest()

    assert digest(1) == digest(1)
    assert digest(1) != digest(2)


def test_another_seed_has_the_same_truth(scenario: Scenario) -> None:
    assert british_museum(7, 20).truth.planted == scenario.truth.planted


def test_every_event_keeps_the_contract(scenario: Scenario) -> None:
    lines = [line.encode() for line in scenario.events["line"].to_list()]
    n = len(lines)
    chunk = Chunk(0, n, list(range(n)), [None] * n, lines, [-1] * n)
    columns, rejects = decode(
        packed(chunk),
        received_ms=figures.ENDS_MS,
        limits=DecodingLimits(),
        keys=HashKeys.of(b"a key for tests!"),
    )
    assert rejects == []
    assert len(columns.time_ms) == n


def test_events_come_in_the_order_of_arrival_and_seconds_after_they_happened(
    events: pl.DataFrame,
) -> None:
    assert events["arrival_ms"].is_sorted()
    late_ms = events["arrival_ms"] - events["time"]
    assert late_ms.min() == 0
    assert 0 < int(late_ms.max() or 0) <= 20_000
    assert int(events["time"].min() or 0) >= figures.STARTS_MS
    assert int(events["time"].max() or 0) <= figures.ENDS_MS


def test_repeats_carry_the_same_event_id_twice(events: pl.DataFrame) -> None:
    repeated = events.filter(pl.col("event_id").is_not_null()).group_by("event_id").len()
    assert repeated.height > 100
    # An id may by chance be that of two different pairs of the same millisecond.
    assert (repeated["len"] == 2).mean() > 0.99


def test_the_seeds_totals_come_out_scaled(scenario: Scenario, events: pl.DataFrame) -> None:
    case = of_kind(scenario, events, Kind.EPISODE)
    made = of_kind(scenario, events, Kind.DERIVATIVE)
    scale = figures.SCALE
    assert total(case, "like") == pytest.approx(figures.LIKES * scale, rel=0.05)
    assert total(case, "follow") == pytest.approx(figures.NEW_FOLLOWERS * scale, rel=0.1)
    assert total(case, "comment", "reply") == pytest.approx(figures.COMMENTS * scale, rel=0.05)
    assert total(case, "follow") == pytest.approx(figures.NEW_FOLLOWERS * scale, rel=0.05)
    views = total(case, "view") + total(made, "view")
    assert views == pytest.approx(figures.VIEWS * scale, rel=0.08)


def response(own: pl.DataFrame, low_ms: int, high_ms: int, signal: Signal) -> tuple[int, int]:
    """Count the events of a signal and the views in a span of time."""
    actions = [a.value for a in SIGNAL_ACTIONS[signal]]
    span = own.filter(pl.col("time").is_between(low_ms, high_ms, closed="left"))
    return total(span, *actions), total(span, "view")


@pytest.mark.parametrize("signal", list(STAGE_SIGNALS))
def test_propensities_climb_when_planted_and_not_before(
    events: pl.DataFrame, signal: Signal
) -> None:
    counts = np.zeros((2, 2))
    for episode in episodes(0):
        own = events.filter(pl.col("video_id") == episode.video_id)
        planted_ms = episode.stage_ms(STAGE_SIGNALS[signal])
        begins_ms, ends_ms = planted_ms - RAMP_MS // 2, planted_ms + RAMP_MS // 2
        counts[0] += response(own, 0, begins_ms, signal)
        counts[1] += response(own, ends_ms, planted_ms + 6 * HOUR_MS, signal)
    before, after = counts[:, 0] / counts[:, 1]
    assert after > 2 * before


def test_planted_times_are_in_the_order_of_the_model() -> None:
    for episode in episodes(0):
        times = [episode.stage_ms(s) for s in (Stage.JUDGMENT, Stage.INTERACTION, Stage.DIFFUSION)]
        assert all(a < b for a, b in pairwise([episode.released_ms, *times, figures.ENDS_MS]))


def test_ordinary_propensities_have_the_measured_quantiles_and_correlations() -> None:
    rng = np.random.default_rng(5)
    n = 20_000
    drawn = propensities(rng, np.full(n, float(figures.SMALL_REACH)), np.ones(n, np.bool_))
    inner = (figures.QUANTILES >= 0.10) & (figures.QUANTILES <= 0.99)
    for signal in Signal:
        measured = figures.PROPENSITY_QUANTILES[signal][inner]
        found = np.quantile(drawn[signal], figures.QUANTILES[inner])
        np.testing.assert_allclose(found, measured, rtol=0.12)
    for a, b in ((0, 2), (0, 3), (2, 3)):
        rho = spearmanr(drawn[a], drawn[b]).statistic
        assert rho == pytest.approx(figures.RANK_CORRELATION[a, b], abs=0.03)


def test_large_audiences_respond_less() -> None:
    n = 4_000
    small, large = (
        propensities(np.random.default_rng(5), np.full(n, views), np.ones(n, np.bool_))
        for views in (float(figures.SMALL_REACH), float(figures.LARGE_REACH))
    )
    ratio = np.median(large, axis=1) / np.median(small, axis=1)
    np.testing.assert_allclose(ratio, [figures.LARGE_REACH_RATIO[s] for s in Signal], rtol=1e-9)


def test_ordinary_reach_is_heavy_tailed(scenario: Scenario, events: pl.DataFrame) -> None:
    ordinary = of_kind(scenario, events, Kind.ORDINARY)
    views = (
        ordinary.filter(pl.col("action") == "view")
        .group_by("video_id")
        .agg(pl.col("count").sum())["count"]
    )
    # Some were published so late that most of their views lie beyond the end.
    assert 80 < float(views.median() or 0) < 220
    assert float(views.max() or 0) > 15 * float(views.median() or 0)


def test_ordinary_days_have_a_rhythm(scenario: Scenario, events: pl.DataFrame) -> None:
    ordinary = of_kind(scenario, events, Kind.ORDINARY)
    views = ordinary.filter(pl.col("action") == "view").with_columns(
        hour=(pl.col("time") // HOUR_MS + 8) % 24
    )
    by_hour = dict(views.group_by("hour").agg(pl.col("count").sum()).iter_rows())
    assert by_hour[4] < by_hour[12] / 4


def test_bots_are_few_and_people_are_many(scenario: Scenario, events: pl.DataFrame) -> None:
    pushed = of_kind(scenario, events, Kind.BOTS).filter(
        pl.col("actor_id").str.starts_with("bot-").fill_null(value=False)
    )
    assert pushed["actor_id"].n_unique() == incidents.BOT_ACCOUNTS
    assert pushed.height > 10_000
    likes = of_kind(scenario, events, Kind.EPISODE).filter(pl.col("action") == "like")
    for _, of_one in likes.group_by("video_id"):
        assert of_one["actor_id"].n_unique() > 0.85 * of_one.height


def test_replies_answer_earlier_comments(events: pl.DataFrame) -> None:
    replies = events.filter((pl.col("action") == "reply") & pl.col("parent_id").is_not_null())
    assert replies.height > 1_000
    number = pl.col("comment_id").str.extract(r"-c(\d+)$").cast(pl.Int64)
    parent = pl.col("parent_id").str.extract(r"-c(\d+)$").cast(pl.Int64)
    assert replies.select((parent < number).all()).item()
    video = pl.col("comment_id").str.extract(r"^(.*)-c\d+$")
    assert replies.select((video == pl.col("video_id")).all()).item()


def fingerprints(scenario: Scenario, events: pl.DataFrame, kind: Kind) -> list[int]:
    made = of_kind(scenario, events, kind).filter(pl.col("action") == "derive")
    return [int(text, 16) for text in made["fingerprint"].to_list()]


def distances(prints: list[int]) -> Iterator[int]:
    for i, one in enumerate(prints):
        for other in prints[:i]:
            yield (one ^ other).bit_count()


def test_near_copies_are_near_and_originals_are_not(
    scenario: Scenario, events: pl.DataFrame
) -> None:
    copies = fingerprints(scenario, events, Kind.NEAR_COPY)
    assert max(distances(copies)) <= 2 * FLIPPED_BITS_MAX
    assert min(distances(fingerprints(scenario, events, Kind.DERIVATIVE))) > 2 * FLIPPED_BITS_MAX


def test_derivatives_are_made_of_what_is_out(events: pl.DataFrame) -> None:
    released = {(e.platform, e.video_id): e.released_ms for e in episodes(0)}
    made = events.filter(pl.col("action") == "derive")
    for time, platform, video in made.select(
        "time", "source_platform", "source_video_id"
    ).iter_rows():
        assert time > released[platform, video]


def test_the_ignored_video_is_shown_and_then_is_not(events: pl.DataFrame) -> None:
    own = events.filter(pl.col("video_id") == incidents.IGNORED[1])
    shown = own.filter(pl.col("time") < incidents.IGNORED_UNTIL_MS)
    after = own.filter(pl.col("time") >= incidents.IGNORED_UNTIL_MS + figures.SLOT_MS)
    assert total(shown, "view") > 20_000
    assert total(shown, "like", "bookmark", "tip", "follow") < 0.002 * total(shown, "view")
    assert total(after, "view") < 0.01 * total(shown, "view")


def per_view(own: pl.DataFrame, begins_ms: int, hours: float, signal: Signal) -> float:
    acted, views = response(own, begins_ms, begins_ms + round(hours * HOUR_MS), signal)
    return acted / views


def test_the_disputed_video_is_liked_and_then_rejected_as_well(
    scenario: Scenario, events: pl.DataFrame
) -> None:
    own = of_kind(scenario, events, Kind.DISPUTED)
    liked_ms, rejected_ms = judged_anew.DISPUTED_JUDGMENT_MS, judged_anew.DISPUTED_EXCLUSION_MS
    for signal, before_ms in (
        (Signal.IDENTIFICATION, liked_ms - HOUR_MS),
        (Signal.EXCLUSION, rejected_ms - HOUR_MS),
    ):
        before = per_view(own, judged_anew.DISPUTED_PUBLISHED_MS, 2, signal)
        assert per_view(own, before_ms + 2 * HOUR_MS, 6, signal) > 2 * before
    # Nobody stops liking it when others begin to reject it.
    before = per_view(own, liked_ms + HOUR_MS, 2, Signal.IDENTIFICATION)
    assert per_view(own, rejected_ms + HOUR_MS, 2, Signal.IDENTIFICATION) > 0.6 * before


def test_the_rejected_video_is_shown_until_it_is_not_and_hardly_spoken_of(
    scenario: Scenario, events: pl.DataFrame
) -> None:
    own = of_kind(scenario, events, Kind.REJECTED)
    shown_ms, until_ms = judged_anew.REJECTED_PUBLISHED_MS, judged_anew.REJECTED_UNTIL_MS
    assert per_view(own, until_ms - 5 * HOUR_MS, 5, Signal.EXCLUSION) > 0.03
    assert per_view(own, shown_ms, 10, Signal.INTERACTION) < 0.02
    after = own.filter(pl.col("time") >= until_ms + figures.SLOT_MS)
    assert total(after, "view") < 0.01 * total(own, "view")


def test_the_rediscovered_video_has_two_waves_and_nothing_between(
    scenario: Scenario, events: pl.DataFrame
) -> None:
    own = of_kind(scenario, events, Kind.REDISCOVERED)
    waves = judged_anew.REDISCOVERED_PUBLISHED_MS, judged_anew.REDISCOVERED_AGAIN_MS
    day_ms = 24 * HOUR_MS
    views = [response(own, ms, ms + day_ms, Signal.IDENTIFICATION)[1] for ms in waves]
    assert views[0] == pytest.approx(views[1], rel=0.3)
    assert response(own, waves[1] - day_ms, waves[1], Signal.IDENTIFICATION)[1] < 0.05 * views[0]
    for begins_ms in waves:
        before = per_view(own, begins_ms, 2, Signal.IDENTIFICATION)
        assert per_view(own, begins_ms + 4 * HOUR_MS, 8, Signal.IDENTIFICATION) > 2 * before


def test_one_of_many_nights_in_museums_is_seen_more_once_the_team_has_acted(
    scenario: Scenario, events: pl.DataFrame
) -> None:
    (line,) = scenario.actions
    action = validate_action(line, latest_ms=figures.ENDS_MS, limits=DecodingLimits())
    assert action.taken_at_ms == museum_nights.ACTED_MS
    own = of_kind(scenario, events, Kind.NIGHT).filter(pl.col("action") == "view")
    window_ms = 6 * HOUR_MS
    grown: dict[str, float] = {}
    for video in own["video_id"].unique().to_list():
        views = own.filter(pl.col("video_id") == video)
        after = views.filter(pl.col("time") >= action.taken_at_ms)
        before = views.filter(pl.col("time") < action.taken_at_ms)
        after = after.filter(pl.col("time") < action.taken_at_ms + window_ms)
        before = before.filter(pl.col("time") >= action.taken_at_ms - window_ms)
        grown[video] = total(after, "view") / total(before, "view")
    assert len(grown) == museum_nights.NIGHTS
    guided = grown.pop(museum_nights.GUIDED[1])
    found = guided / float(np.median(list(grown.values())))
    assert found == pytest.approx(museum_nights.FACTOR, rel=0.4)


def test_each_role_enters_when_planted_and_only_in_the_case(
    scenario: Scenario, events: pl.DataFrame
) -> None:
    entries = {
        p.what: p.time_ms for p in scenario.truth.mechanisms if p.mechanism is Mechanism.ELITE_ENTRY
    }
    assert set(entries) == {"media", "elite", "expert", "official"}
    elites = events.filter(pl.col("actor_role").is_in(list(entries)))
    first = dict(elites.group_by("actor_role").agg(pl.col("time").min()).iter_rows())
    assert first == entries
    kinds = {scenario.truth.kinds[name] for name in elites.select("platform", "video_id").rows()}
    assert kinds == {Kind.EPISODE}


def test_each_platform_takes_the_work_up_when_planted(
    scenario: Scenario, events: pl.DataFrame
) -> None:
    tagged = events.filter(pl.col("topics").list.contains(figures.TOPIC))
    first = dict(tagged.group_by("platform").agg(pl.col("time").min()).iter_rows())
    planted = {
        p.what: p.time_ms for p in scenario.truth.mechanisms if p.mechanism is Mechanism.TAKE_UP
    }
    assert planted == {name: ms for name, ms in first.items() if name != "douyin"}
    assert len(planted) == 4


def test_truth_knows_every_video(scenario: Scenario, events: pl.DataFrame) -> None:
    seen = set(events.select("platform", "video_id").unique().iter_rows())
    assert seen <= set(scenario.truth.kinds)
    planted = {(p.platform, p.video_id) for p in scenario.truth.planted}
    assert planted <= set(scenario.truth.kinds)
    states = {p.state for p in scenario.truth.planted}
    assert states == {State.ACTIVE, State.INTERRUPTED, State.REVIVED}
    assert {p.mechanism for p in scenario.truth.mechanisms} == set(Mechanism)
    written = json.loads(json.dumps(scenario.truth.to_dict()))
    assert len(written["planted"]) == len(scenario.truth.planted)
    assert len(written["mechanisms"]) == len(scenario.truth.mechanisms)

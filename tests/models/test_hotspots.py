import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from told_reports import BUCKET_MS, START_BUCKET, report_of

from models.alerts import ALERTS
from models.epoch_evidence import Candidate, EpochEvidence
from models.guidance import GUIDED
from models.guidance_actions import GuidanceAction, encode_action
from models.hotspots import LEARNED, HotspotsStep
from models.looks import look_buckets
from models.parameters import HOUR_MS, Level, Parameters
from models.ranking import BOARD
from models.stage_reports import StageReport, encode_report
from models.steps import BrokenChainError
from models.tracked_videos import TRACKED
from models.vocabulary import Stage
from models.works import WORK
from streams.offline.pipeline import chunk_of

LEVEL = 1_000
EPOCH = 6 * HOUR_MS // BUCKET_MS


def new_step(**changes: int) -> HotspotsStep:
    return HotspotsStep(0, Parameters(level=Level("view", LEVEL), bucket_ms=BUCKET_MS, **changes))


def tell(step: HotspotsStep, *reports: StageReport) -> list[dict[str, Any]]:
    """Feed reports, one chunk, and return the alerts."""
    step.process(chunk_of([encode_report(report) for report in reports], 0))
    outputs = step.cut().outputs
    return [json.loads(o.value) for o in outputs if o.topic == ALERTS and o.value is not None]


def row(video: str = "douyin\x1fv", views: int = 10, **more: object) -> dict[str, Any]:
    base: dict[str, Any] = {
        "video": video,
        "views": views,
        "progress": views,
        "total_views": views,
        "total_progress": views,
        "episode_progress": views,
        "last_ms": START_BUCKET * BUCKET_MS,
        "probability": 0.1,
    }
    return {**base, **more}


def entered(stage: Stage, state: str = "active", episode: int = 1) -> dict[str, Any]:
    return {
        "time_ms": START_BUCKET * BUCKET_MS,
        "stage": stage.name.lower(),
        "state": state,
        "route": "identification",
        "episode": episode,
        "reason": "a rule",
        "signal": "identification",
        "juncture": None,
        "figures": {},
    }


class Speaker:
    """Says one report after another in the name of a partition."""

    def __init__(self, partition: int = 0, partitions: int = 1) -> None:
        self.partition, self.partitions, self.sequence = partition, partitions, 0

    def say(self, bucket: int, *rows: dict[str, Any]) -> StageReport:
        report = report_of(
            *rows,
            partition=self.partition,
            partitions=self.partitions,
            sequence=self.sequence,
            through_bucket=START_BUCKET + bucket,
        )
        self.sequence += 1
        return report


def kinds(alerts: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(alert["type"].removeprefix("hotspot."), alert["subject"]) for alert in alerts]


def test_a_hole_in_a_partitions_reports_stops_the_step() -> None:
    one, two = Speaker(0, 2), Speaker(1, 2)
    step = new_step()
    tell(step, one.say(0), two.say(0))
    one.say(1)
    with pytest.raises(BrokenChainError, match="partition 0 said 2, expected 1"):
        tell(step, one.say(2))


@pytest.mark.parametrize("cuts", [(3,), (1, 3), (2, 3), (1, 2, 3), (3, 4), (2, 4)])
def test_what_is_told_again_is_passed_over_however_it_is_cut(cuts: tuple[int, ...]) -> None:
    def rows_of(buckets: range) -> list[dict[str, Any]]:
        return [
            row(bucket=START_BUCKET + bucket, probability=0.9, views=bucket) for bucket in buckets
        ]

    def told_by(cuts: tuple[int, ...], speaker: Speaker, step: HotspotsStep) -> list[Any]:
        alerts, first = [], 1
        for cut in cuts:
            alerts += tell(step, speaker.say(cut, *rows_of(range(first, cut + 1))))
            first = cut + 1
        return alerts

    step, once = new_step(), new_step()
    expected = told_by((3, 4), Speaker(), once)
    alerts = told_by((3,), Speaker(), step)
    # It crashed after it had told bucket 3, and before its rows were saved.
    again = Speaker()
    alerts += told_by(cuts, again, step)
    if cuts[-1] < 4:
        alerts += tell(step, again.say(4, *rows_of(range(4, 5))))
    assert alerts == expected
    assert kinds(alerts) == [("emerging", "douyin/v")]
    tracked, expected_rows = (s.roll_up.tracked.rows[:1].tobytes() for s in (step, once))
    assert tracked == expected_rows


def test_nothing_is_decided_before_every_partition_has_spoken() -> None:
    one, two = Speaker(0, 2), Speaker(1, 2)
    step = new_step()
    hot = row(probability=0.9)
    assert not tell(step, one.say(0, hot))
    assert not tell(step, one.say(5))
    assert kinds(tell(step, two.say(0))) == [("emerging", "douyin/v")]
    assert not tell(step, two.say(5))


def test_emerging_is_told_once_per_episode_and_again_after_it_ended() -> None:
    speaker, step = Speaker(), new_step()
    assert tell(step, speaker.say(0, row(probability=0.59))) == []
    (alert,) = tell(step, speaker.say(1, row(probability=0.75)))
    assert alert["data"]["probability"] == 0.75
    assert alert["data"]["reason"] == "forecast_above_alert_level"
    assert tell(step, speaker.say(2, row(probability=0.1))) == []
    assert tell(step, speaker.say(3, row(probability=0.99))) == []
    ended = row(transitions=[entered(Stage.JUDGMENT, "faded")], probability=0.0)
    assert kinds(tell(step, speaker.say(4, ended))) == [("faded", "douyin/v")]
    again = tell(step, speaker.say(5, row(probability=0.99, last_ms=5 + START_BUCKET * BUCKET_MS)))
    assert kinds(again) == [("emerging", "douyin/v")]
    assert again[0]["id"] != alert["id"]


def test_interruption_is_a_stage_entered_and_rearms_as_fading_does() -> None:
    speaker, step = Speaker(), new_step()
    tell(step, speaker.say(0, row(probability=0.9)))
    ended = row(transitions=[entered(Stage.JUDGMENT, "interrupted")], probability=0.0)
    assert kinds(tell(step, speaker.say(1, ended))) == [("stage.entered", "douyin/v")]
    again = row(probability=0.9, last_ms=5 + START_BUCKET * BUCKET_MS)
    assert kinds(tell(step, speaker.say(2, again))) == [("emerging", "douyin/v")]


STAGES = (Stage.JUDGMENT, Stage.INTERACTION, Stage.DIFFUSION)


@pytest.mark.parametrize("missing", [None, *STAGES, "level"])
def test_confirmed_takes_the_level_and_all_three_stages(missing: Stage | str | None) -> None:
    speaker, step = Speaker(), new_step()
    profile = {"topics": ["大英"]}
    views = 400 if missing == "level" else 600
    alerts = []
    for number, stage in enumerate(STAGES):
        happened = [] if stage == missing else [entered(stage)]
        told = row(f"douyin\x1fv{number % 2}", views, profile=profile, transitions=happened)
        if missing == "level" and number:
            told |= {"progress": 10, "views": 10}
        alerts += tell(step, speaker.say(number, told))
    confirmed = [a for a in alerts if a["type"] == "hotspot.confirmed"]
    if missing is not None:
        assert not confirmed
        return
    (alert,) = confirmed
    assert alert["subject"] == "topic:大英"
    assert alert["data"]["topic"] == "大英"
    assert alert["data"]["figures"]["stages"] == ["judgment", "interaction", "diffusion"]
    assert not tell(step, speaker.say(9, row(views=900, profile=profile)))


def test_a_topic_fades_in_silence_once_and_is_told_anew_when_it_returns() -> None:
    speaker, step = Speaker(), new_step()
    profile = {"topics": ["t"]}
    first = tell(step, speaker.say(0, row(views=2 * LEVEL, profile=profile, probability=1.0)))
    assert kinds(first) == [("emerging", "douyin/v"), ("emerging", "topic:t")]
    # A fall to a tenth takes log2(10) half-lives of six hours: 19.93 hours, 240 buckets.
    assert tell(step, speaker.say(238)) == []
    (faded,) = tell(step, speaker.say(300))
    assert kinds([faded]) == [("faded", "topic:t")]
    assert tell(step, speaker.say(900)) == []
    quiet = tell(step, speaker.say(901, row(views=1, profile=profile)))
    assert quiet == []
    for bucket in (902, 903, 904):
        alerts = tell(step, speaker.say(bucket, row(views=LEVEL, profile=profile)))
    assert kinds(alerts) in ([], [("emerging", "topic:t")])
    work = step.roll_up.works.by_id["topic:t"]
    assert work.number("episode") == 2
    assert work.number("emerging")


def judged(bucket: int, time_ms: int) -> list[dict[str, Any]]:
    """Return the transitions of a bucket in which an episode begins; every other is discussed."""
    if bucket % (9 * EPOCH):
        return []
    excluded = {"signal": "exclusion", "route": "exclusion", "time_ms": time_ms}
    discussed = {"signal": "interaction", "route": "exclusion", "time_ms": time_ms}
    told = [entered(Stage.JUDGMENT) | excluded, entered(Stage.INTERACTION) | discussed]
    return told[:1] if bucket % (18 * EPOCH) else told


def story() -> list[StageReport]:
    """Ten days of two partitions: works that grow, fall silent, expire and return."""
    speakers = [Speaker(0, 2), Speaker(1, 2)]
    reports = []
    for bucket in range(0, 10 * 4 * EPOCH, EPOCH // 4):
        for number, speaker in enumerate(speakers):
            rows = []
            name = f"p{number}\x1fv{bucket // EPOCH % 3}"
            if bucket // EPOCH % 9 < 2:
                topic, last_ms = f"t{bucket // EPOCH % 3}", (START_BUCKET + bucket) * BUCKET_MS
                rows.append(
                    row(
                        name,
                        300 + bucket % 7,
                        profile={"topics": [topic]},
                        last_ms=last_ms,
                        probability=0.7,
                        roles=1 << bucket % 7,
                        acted=[bucket % 5, bucket % 3, 1, 1],
                        transitions=judged(bucket, last_ms),
                    )
                )
                made = {"topics": [topic], "source": name, "title": f"同款{bucket % 2}"}
                rows += [
                    row(f"{name}-{bucket}-{copy}", 1, profile=made, last_ms=last_ms)
                    for copy in range(4)
                ]
            reports.append(speaker.say(bucket, *rows))
    return reports


def messages() -> list[bytes]:
    """Return the story, and between its reports what people did: some of it late, some twice."""
    told = []
    for number, report in enumerate(story()):
        told.append(encode_report(report))
        if number % 9 == 5:
            taken_at_ms = report.through_bucket * BUCKET_MS
            taken_at_ms -= number % 4 * 7 * HOUR_MS
            subject = (f"p0\x1fv{number % 3}", f"topic:t{number % 3}")[number % 2]
            action = GuidanceAction(f"a{number // 2}", taken_at_ms, subject, "creative", "recut")
            told += [encode_action(action)] * (1 + number % 2)
    return told


def known(step: HotspotsStep) -> dict[str, Any]:
    """Return all that a step knows of works and videos, without the slots it keeps them in."""
    roll_up = step.roll_up
    works = {
        work.work_id: (
            *(work.row[name].tolist() for name in WORK.names or () if name != "lead"),
            roll_up.lead_of(work),
            work.title,
            work.reason,
            tuple(work.platforms.items()),
        )
        for work in roll_up.works.by_id.values()
    }
    videos = {
        video.video: (
            replace(video, slot=0),
            [roll_up.tracked.rows[video.slot][name].tolist() for name in TRACKED.names or ()],
            [work.work_id for work in roll_up.works_of(video)],
        )
        for video in roll_up.tracked
    }
    by_slot = roll_up.works.by_slot
    guided = np.frombuffer(dict(step.guidance.rows())[b"g/rows"], GUIDED)
    guidance = {
        f"guidance of {work.work_id}": row.tobytes()[8:]
        for row in guided
        if (work := by_slot[row["slot"]]) is not None
    }
    assert len(guidance) == len(guided)
    looks = (roll_up.next_look - 1) // look_buckets(step.parameters)
    history = {
        f"look {look}": kept.tobytes()
        for look in range(looks - 1_000, looks + 1)
        if (kept := step.actions.history.at(look)) is not None
    }
    return {**works, **videos, **guidance, **history, "actions": step.actions.latest(1_000)}


def outcome(sizes: int, *, crash: bool) -> tuple[list[Any], Any, dict[str, Any], int]:
    """Feed the story, so many reports at a time; a crash goes back to the rows of the last cut."""
    parameters = {"expire_after_ms": 40 * HOUR_MS}
    step, rows, alerts, board = new_step(**parameters), dict[bytes, bytes | None](), [], None
    told = messages()
    for low in range(0, len(told), sizes):
        step.process(chunk_of(told[low : low + sizes], low))
        cut = step.cut()
        for key, value in cut.rows:
            rows[key] = value
            if value is None:
                del rows[key]
        for output in cut.outputs:
            assert output.topic in (ALERTS, BOARD, LEARNED)
            if output.topic == ALERTS and output.value is not None:
                alerts.append(json.loads(output.value))
            elif output.topic == BOARD and output.value is not None:
                board = json.loads(output.value)
        if crash:
            before = known(step)
            step = new_step(**parameters)
            for key, stored in rows.items():
                step.load(key, stored)
            step.recovered()
            assert known(step) == before
            assert not step.cut()
    return alerts, board, known(step), sum(key.startswith(b"r/") for key in rows)


def test_how_reports_are_chunked_and_crashes_change_nothing() -> None:
    alerts, board, works, kept = outcome(1, crash=False)
    assert len(alerts) > 10
    guided = {alert["type"].rpartition(".")[2] for alert in alerts if "urgency" in alert["data"]}
    assert guided == {"elite_entry", "homogenisation", "negative_value_surge", "interruption_risk"}
    effects = [a["data"]["action"]["action_id"] for a in alerts if "effect" in a["type"]]
    assert len(effects) == len(set(effects)) > 5
    assert kept > 20
    for sizes, crash in ((23, True), (2, False), (24, False)):
        again = outcome(sizes, crash=crash)
        assert again == (alerts, board, works, kept), f"{sizes} at a time"


@pytest.mark.parametrize("most", [0, 3, 20])
def test_when_works_are_saved_in_place_of_reports_changes_nothing(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerts, board, works, _ = outcome(1, crash=False)
    monkeypatch.setattr("models.report_log.SAVE_AFTER_REPORTS", most)
    for sizes, crash in ((29, True), (7, False)):
        *again, kept = outcome(sizes, crash=crash)
        assert again == [alerts, board, works], f"{sizes} at a time"
        assert kept <= most + 1


def test_a_bucket_spread_over_messages_is_decided_when_it_is_complete() -> None:
    step = new_step()
    hot = [row(f"p\x1fv{number}", probability=0.9, profile={"topics": ["t"]}) for number in (1, 2)]
    whole = report_of(*hot, through_bucket=START_BUCKET)
    first = replace(report_of(hot[1]), through_bucket=START_BUCKET - 1)
    last = report_of(hot[0], sequence=1)
    assert not tell(step, first)
    alerts = tell(step, last)
    assert kinds(alerts) == [("emerging", "p/v1"), ("emerging", "p/v2")]
    assert alerts == tell(new_step(), whole)


def test_summaries_that_travel_ahead_do_not_turn_the_clock_back() -> None:
    speaker, step = Speaker(), new_step()
    tell(step, speaker.say(0, row(probability=0.9)))
    ahead = replace(speaker.say(0), through_bucket=START_BUCKET - 5)
    assert not tell(step, ahead)
    assert kinds(tell(step, speaker.say(1, row("p\x1fw", probability=0.9)))) == [
        ("emerging", "p/w")
    ]


def test_a_version_is_urgent_and_an_alert_is_not() -> None:
    # The first report of all tells of epochs before it that are over: a version is due.
    speaker, step = Speaker(), new_step()
    step.process(chunk_of([encode_report(speaker.say(0))], 0))
    assert step.urgent
    step.cut()
    hot = row(views=2 * LEVEL, profile={"topics": ["t"]}, probability=1.0)
    step.process(chunk_of([encode_report(speaker.say(1, hot))], 1))
    assert (step.awaited, step.urgent) == (True, False)
    step.cut()
    step.process(chunk_of([encode_report(speaker.say(EPOCH))], 2))
    assert (step.awaited, step.urgent) == (True, True)
    step.cut()
    assert not step.urgent


def test_what_was_discovered_stands_in_the_alerts_of_the_epoch_that_follows() -> None:
    speaker, step = Speaker(), new_step()
    found = Candidate("douyin\x1fv", 12.0, 2, "t")
    epoch = START_BUCKET // EPOCH
    tell(step, speaker.say(0, row()))
    shown = replace(speaker.say(1, row()), evidence=[EpochEvidence(epoch, 40, [found])])
    assert tell(step, shown) == []
    both = [
        speaker.say(EPOCH - 1),
        speaker.say(EPOCH, row(probability=0.9), row("q\x1fw", probability=0.9)),
    ]
    first, second = tell(step, *both)
    assert first["data"]["discovery"]["tested"] == 40
    assert first["data"]["discovery"]["signal"] == "interaction"
    assert (first["subject"], second["subject"]) == ("douyin/v", "q/w")
    assert "discovery" not in second["data"]
    # It holds for the epoch that follows, and whether its end comes alone plays no part.
    again = HotspotsStep(0, step.parameters)
    speaker = Speaker()
    whole = [speaker.say(0, row()), replace(speaker.say(1, row()), evidence=shown.evidence)]
    whole += [speaker.say(EPOCH, row(probability=0.9), row("q\x1fw", probability=0.9))]
    assert tell(again, *whole) == [first, second]

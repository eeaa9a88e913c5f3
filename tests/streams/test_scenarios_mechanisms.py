from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from models.alerts import AlertType, rfc3339
from models.parameters import HOUR_MS
from streams.scenarios.mechanism_verdict import SHOWN_BY, judge_mechanisms
from streams.scenarios.truth import Kind, Mechanism, PlantedMechanism, Truth
from streams.scenarios.verdict import judge
from streams.scenarios.window import WINDOW_MS
from streams.verdict_table import sentences, show_verdict

AT_MS = 1_693_371_600_000
WORK = "topic:逃出大英博物馆"
KINDS = {("p", "hot"): Kind.DISPUTED, ("p", "plain"): Kind.ORDINARY}


def planted(mechanism: Mechanism, subject: str = WORK, what: str = "") -> PlantedMechanism:
    return PlantedMechanism(mechanism, subject, AT_MS, what)


def truth(*mechanisms: PlantedMechanism, video_days: float = 20_000.0) -> Truth:
    return Truth((), KINDS, video_days, mechanisms=mechanisms)


def alert(
    kind: AlertType, subject: str = WORK, *, after_ms: int = HOUR_MS, **data: object
) -> dict[str, Any]:
    told = {"reason": "because", "stage": "judgment", "route": "undecided", "state": "active"}
    video = {"platform": "p", "video_id": subject.rpartition("/")[2]}
    time = rfc3339(AT_MS + after_ms)
    return {"type": kind.value, "time": time, "subject": subject, "data": {**told, **video, **data}}


TAKEN = [{"platform": "weibo", "since_ms": AT_MS + 2 * HOUR_MS, "after_ms": 0}]
FOUND = {"ratio": 2.5, "low": 1.5, "high": 3.1}
SHOWN = {
    Mechanism.CONTROVERSY: ("", alert(AlertType.STAGE_ENTERED, route="contested")),
    Mechanism.NEGATIVE_VALUE: ("", alert(AlertType.NEGATIVE_VALUE_SURGE)),
    Mechanism.INTERRUPTION: ("", alert(AlertType.STAGE_ENTERED, state="interrupted")),
    Mechanism.REVIVAL: ("", alert(AlertType.STAGE_ENTERED, state="revived")),
    Mechanism.HOMOGENISATION: ("", alert(AlertType.HOMOGENISATION)),
    Mechanism.ELITE_ENTRY: ("expert", alert(AlertType.ELITE_ENTRY, role="expert")),
    Mechanism.PUSH: ("", alert(AlertType.COORDINATED_PUSH)),
    Mechanism.ACTION: ("", alert(AlertType.GUIDANCE_EFFECT, effect={"activity": FOUND})),
    Mechanism.TAKE_UP: ("weibo", alert(AlertType.CONFIRMED, take_up=TAKEN)),
}


@pytest.mark.parametrize("mechanism", list(SHOWN_BY))
def test_each_mechanism_is_shown_by_its_own_alert_and_by_no_other(mechanism: Mechanism) -> None:
    what, telling = SHOWN[mechanism]
    others = [other for each, (_, other) in SHOWN.items() if each is not mechanism]
    facts = truth(planted(mechanism, what=what))
    (missed,) = judge_mechanisms(others, facts)
    assert missed.shown is None
    (judged,) = judge_mechanisms([*others, telling], facts)
    assert judged.shown is not None
    assert judged.shown.by == telling["type"]
    hours = 2 if mechanism is Mechanism.TAKE_UP else 1
    assert judged.delay_ms == hours * HOUR_MS


def test_every_mechanism_that_is_planted_can_be_shown() -> None:
    assert set(SHOWN_BY) == set(Mechanism) == set(SHOWN)


@pytest.mark.parametrize(
    "wrong",
    [
        alert(AlertType.ELITE_ENTRY, role="media"),
        alert(AlertType.ELITE_ENTRY, "topic:other", role="expert"),
        alert(AlertType.ELITE_ENTRY, after_ms=WINDOW_MS + 1, role="expert"),
        alert(AlertType.ELITE_ENTRY, after_ms=-2 * HOUR_MS, role="expert"),
    ],
    ids=["another role", "another work", "too late", "too early"],
)
def test_what_is_not_it_leaves_it_missed_and_the_promise_broken(wrong: dict[str, Any]) -> None:
    facts = truth(planted(Mechanism.ELITE_ENTRY, what="expert"), planted(Mechanism.REVIVAL, "p/x"))
    verdict = judge([wrong], facts, 0.001)
    assert [judged.shown for judged in verdict.mechanisms] == [None, None]
    assert not verdict.passed


def test_an_effect_that_may_be_none_is_none() -> None:
    may_be = FOUND | {"low": 0.9}
    facts = truth(planted(Mechanism.ACTION, "p/hot"))
    for found, missed in ((may_be, True), (FOUND, False)):
        told = [alert(AlertType.GUIDANCE_EFFECT, "p/hot", effect={"activity": found})]
        (judged,) = judge_mechanisms(told, facts)
        assert (judged.shown is None) == missed
    assert judged.shown is not None
    assert judged.shown.figures == "2.50 times (1.50 to 3.10)"
    (judged,) = judge_mechanisms([alert(AlertType.GUIDANCE_EFFECT, "p/hot", effect=None)], facts)
    assert judged.shown is None


def test_the_work_of_one_video_is_that_video() -> None:
    facts = truth(planted(Mechanism.NEGATIVE_VALUE, "p/hot"))
    told = [alert(AlertType.NEGATIVE_VALUE_SURGE, "video:p/hot")]
    verdict = judge(told, facts, 0.001)
    assert verdict.mechanisms[0].shown is not None
    assert verdict.unasked == ()
    assert verdict.passed


def test_guidance_where_nothing_was_planted_is_listed_and_counts_against_the_promise() -> None:
    surge = AlertType.NEGATIVE_VALUE_SURGE
    allowed = judge([], truth(), 0.001).allowed
    unasked = [alert(surge, "video:p/plain", after_ms=k) for k in range(allowed)]
    asked = [alert(surge, "video:p/hot"), alert(AlertType.EMERGING, "topic:other")]
    verdict = judge([*unasked, *asked], truth(), 0.001)
    assert len(verdict.unasked) == allowed
    assert verdict.passed
    one_more = alert(AlertType.ELITE_ENTRY, "topic:other", role="media")
    assert not judge([*unasked, one_more], truth(), 0.001).passed


def test_the_tables_say_what_was_shown_by_what_and_what_nobody_planted() -> None:
    facts = truth(
        planted(Mechanism.ELITE_ENTRY, what="expert"), planted(Mechanism.REVIVAL, "p/hot")
    )
    told = [
        alert(AlertType.ELITE_ENTRY, role="expert"),
        alert(AlertType.NEGATIVE_VALUE_SURGE, "video:p/plain"),
    ]
    verdict = judge(told, facts, 0.001)
    console = Console(width=200, record=True, file=StringIO())
    show_verdict(verdict, facts, console)
    text = console.export_text()
    assert "elite entry: expert" in text
    assert "guidance.elite_entry" in text
    assert "+1.0 h" in text
    assert text.count("MISSED") == 1
    assert "video:p/plain" in text
    assert "1 of 2 planted mechanisms detected." in sentences(verdict)
    assert "guidance 1 times where nothing was planted" in text

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from models.alerts import rfc3339
from models.parameters import DAY_MS, HOUR_MS
from models.vocabulary import Route, Stage, State
from streams.scenarios.truth import Kind, PlantedTransition, Truth
from streams.scenarios.verdict import judge
from streams.scenarios.window import EARLY_MS, WINDOW_MS
from streams.verdict_table import sentences, show_verdict

AT_MS = 1_693_371_600_000
JUDGED = PlantedTransition("p", "hot", Stage.JUDGMENT, State.ACTIVE, AT_MS, Route.EXCLUSION)
STOPPED = PlantedTransition("p", "cold", None, State.INTERRUPTED, AT_MS)
KINDS = {
    ("p", "hot"): Kind.EXCLUDED,
    ("p", "cold"): Kind.IGNORED,
    ("p", "plain"): Kind.ORDINARY,
    ("p", "bots"): Kind.BOTS,
}
RATE = 0.001


def truth(*planted: PlantedTransition, video_days: float = 20_000.0) -> Truth:
    return Truth(planted, KINDS, video_days, frozenset({("p", "cold", Stage.JUDGMENT)}))


def alert(
    video: str = "hot",
    *,
    stage: str = "judgment",
    state: str = "active",
    route: str = "exclusion",
    after_ms: int = 0,
    kind: str = "hotspot.stage.entered",
) -> dict[str, Any]:
    return {
        "type": kind,
        "time": rfc3339(AT_MS + after_ms),
        "subject": f"p/{video}",
        "data": {
            "platform": "p",
            "video_id": video,
            "stage": stage,
            "state": state,
            "route": route,
            "reason": "response_and_intensity_above_cohort",
        },
    }


def test_the_first_alert_in_the_window_detects() -> None:
    alerts = [alert(after_ms=3 * HOUR_MS), alert(after_ms=2 * HOUR_MS, state="revived")]
    verdict = judge(alerts, truth(JUDGED), RATE)
    assert verdict.judged[0].delay_ms == 2 * HOUR_MS
    assert len(verdict.invented) == 1
    assert verdict.passed


@pytest.mark.parametrize(
    "wrong",
    [
        {"after_ms": -EARLY_MS - 1},
        {"after_ms": WINDOW_MS + 1},
        {"stage": "interaction"},
        {"route": "identification"},
        {"state": "interrupted"},
        {"video": "plain"},
    ],
    ids=str,
)
def test_anything_else_misses_and_is_invented(wrong: dict[str, Any]) -> None:
    verdict = judge([alert(**wrong)], truth(JUDGED), RATE)
    assert len(verdict.missed) == 1
    assert len(verdict.invented) == 1
    assert not verdict.passed


def test_a_revival_is_detected_by_nothing_that_went_on() -> None:
    planted = PlantedTransition(
        "p", "hot", Stage.JUDGMENT, State.REVIVED, AT_MS, Route.IDENTIFICATION
    )
    for state, missed in (("active", 1), ("revived", 0)):
        verdict = judge([alert(route="identification", state=state)], truth(planted), RATE)
        assert len(verdict.missed) == missed


def test_an_interruption_is_found_in_any_stage_and_judgment_before_it_is_tolerated() -> None:
    alerts = [
        alert("cold", after_ms=-5 * HOUR_MS),
        alert(
            "cold", stage="presentation", state="interrupted", after_ms=HOUR_MS, route="undecided"
        ),
    ]
    verdict = judge(alerts, truth(STOPPED), RATE)
    assert verdict.judged[0].delay_ms == HOUR_MS
    assert verdict.invented == ()


def test_other_alerts_play_no_part() -> None:
    alerts = [
        alert("plain", kind="hotspot.faded", state="faded"),
        {"type": "hotspot.emerging", "time": rfc3339(AT_MS), "subject": "topic:x", "data": {}},
    ]
    assert judge(alerts, truth(), RATE).invented == ()


def test_as_many_inventions_as_the_promise_allows_and_no_more() -> None:
    # Twenty expected: the 95 % quantile of Poisson(20) is 28 (any table).
    allowed = judge([], truth(), RATE).allowed
    assert allowed == 28
    enough = [alert("plain", after_ms=i) for i in range(allowed)]
    assert judge(enough, truth(), RATE).passed
    assert not judge([*enough, alert("plain", after_ms=DAY_MS)], truth(), RATE).passed


def test_one_entry_by_bots_is_one_too_many() -> None:
    verdict = judge([alert("bots")], truth(), RATE)
    assert len(verdict.by_bots) == 1
    assert not verdict.passed


def test_the_table_names_what_was_missed_and_what_was_invented() -> None:
    facts = truth(JUDGED, STOPPED)
    verdict = judge([alert(after_ms=2 * HOUR_MS), alert("plain")], facts, RATE)
    console = Console(width=200, record=True, file=StringIO())
    show_verdict(verdict, facts, console)
    text = console.export_text()
    assert "MISSED" in text
    assert "+2.0 h" in text
    assert "p/plain" in text
    assert sentences(verdict)[-1] == "The promise is NOT kept."
    assert sentences(verdict)[0].startswith("1 of 2 planted transitions detected")

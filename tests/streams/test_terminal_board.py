from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from models.alerts import AlertType
from models.parameters import HOUR_MS
from streams.terminal_board import ALERT_ROWS, DemoState, PlainBoard, headline, render

START_MS = 1_693_152_000_000
"""2023-08-28 00:00 in UTC+8."""


def hotspot(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {
        "hotspot_id": "topic:逃出大英博物馆",
        "kind": "topic",
        "title": "逃出大英博物馆",
        "rank": 1,
        "heat": 4521.7,
        "stage": "interaction",
        "route": "identification",
        "state": "active",
        "probability": 0.87,
        "reason": "response_and_intensity_above_cohort",
        "videos": 9,
        "views": 123_456,
        "confirmed": True,
    } | changes


def alert(kind: AlertType, **data: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {
        "type": kind.value,
        "time": "2023-08-30T05:00:00.000Z",
        "subject": "douyin/escape-1",
        "data": {"reason": "some_rule"} | data,
    }


FIGURES = {
    "per_exposure": 0.03,
    "null_per_exposure": 0.002,
    "per_hour": 1234.5,
    "null_per_hour": 7.0,
}
ENTERED = alert(
    AlertType.STAGE_ENTERED,
    stage="interaction",
    state="active",
    route="exclusion",
    figures=FIGURES,
)


def shown(state: DemoState) -> str:
    console = Console(width=140, file=StringIO(), record=True)
    console.print(render(state))
    return console.export_text()


def state_of(**changes: Any) -> DemoState:  # noqa: ANN401 - any field
    fields = {
        "starts_ms": START_MS,
        "ends_ms": START_MS + 100 * HOUR_MS,
        "total": 10,
        "metrics_url": "http://127.0.0.1:9464/metrics",
        "board_url": "http://127.0.0.1:9465/",
    }
    return DemoState(**(fields | changes))


def test_the_board_says_what_is_hot_in_which_stage_by_which_route_and_why() -> None:
    text = shown(state_of(board={"time_ms": START_MS + HOUR_MS, "hotspots": [hotspot()]}))
    for word in (
        "逃出大英博物馆",
        "9 videos",
        "interaction",
        "identification",
        "0.87",
        "123,456",
        "4,522",
        "response and intensity above cohort",
        "decided up to 08-28 01:00",
        "http://127.0.0.1:9464/metrics",
    ):
        assert word in text


def test_a_title_is_shown_as_it_is_not_as_markup() -> None:
    text = shown(state_of(board={"time_ms": 1, "hotspots": [hotspot(title="[bold]x[/bold]")]}))
    assert "[bold]x[/bold]" in text


def test_the_board_can_be_shown_before_there_is_one() -> None:
    assert "Alerts (0)" in shown(state_of())


def test_the_latest_alerts_stand_first_and_only_so_many() -> None:
    alerts = [ENTERED | {"subject": f"weibo/video-{i:02}"} for i in range(ALERT_ROWS + 3)]
    text = shown(state_of(alerts=alerts))
    assert f"Alerts ({ALERT_ROWS + 3})" in text
    assert "video-02" not in text
    assert text.index("video-12") < text.index("video-03")


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (
            ENTERED | {"data": ENTERED["data"] | {"figures": FIGURES | {"per_exposure": 0.001}}},
            (
                "enters interaction (exclusion): 0.001 per view against 0.002 "
                "(more in earlier visits), 1,234 an hour against 7"
            ),
        ),
        (
            ENTERED,
            "enters interaction (exclusion): 0.03 per view against 0.002, 1,234 an hour against 7",
        ),
        (
            alert(AlertType.STAGE_ENTERED, stage="judgment", state="revived", route="contested"),
            "again enters judgment (contested): some rule",
        ),
        (
            alert(
                AlertType.STAGE_ENTERED, stage="judgment", state="interrupted", route="exclusion"
            ),
            "is interrupted in judgment (exclusion): some rule",
        ),
        (alert(AlertType.EMERGING, probability=0.625), "is emerging, probability 0.62: some rule"),
        (alert(AlertType.CONFIRMED), "is a hotspot: some rule"),
        (alert(AlertType.FADED), "has faded: some rule"),
    ],
)
def test_every_type_of_alert_has_its_sentence(told: dict[str, Any], said: str) -> None:
    assert headline(told) == f"douyin/escape-1 {said}"


def test_no_type_of_alert_is_without_a_sentence() -> None:
    told = {"stage": "judgment", "state": "active", "route": "contested", "probability": 0.5}
    guided: dict[AlertType, dict[str, Any]] = {
        kind: {"urgency": "low"} for kind in AlertType if ".guidance." in kind
    }
    guided[AlertType.GUIDANCE_EFFECT] = {"action": {"kind": "pin"}, "why": "cannot be measured"}
    lines = {headline(alert(kind, **told, **guided.get(kind, {}))) for kind in AlertType}
    assert len(lines) == len(AlertType)


def test_guidance_is_told_with_its_urgency() -> None:
    told = alert(AlertType.EXPERTS_WANTED, urgency="medium")
    assert headline(told) == "douyin/escape-1: experts wanted (medium): some rule"


def test_plain_lines_tell_each_alert_once_and_progress_twice_a_day() -> None:
    out = StringIO()
    plain = PlainBoard(Console(file=out, width=200))
    state = state_of(phase="the week passes")
    for hour in range(49):
        state.sent_ms = START_MS + hour * HOUR_MS
        if hour == 40:
            state.alerts.append(ENTERED)
        plain.show(state)
    lines = out.getvalue().splitlines()
    assert sum("enters interaction" in line for line in lines) == 1
    assert sum("events sent" in line for line in lines) == 5
    assert sum("the week passes" in line for line in lines) == 1

import pytest

from models.alerts import Alert, AlertType
from models.parameters import DAY_MS, HOUR_MS
from streams.delivery import alertmanager
from streams.delivery.alertmanager import ENDS_AHEAD_MS, RESOLVED_MS, FiringAlerts
from streams.delivery.hook_metrics import HookFate
from streams.delivery.routes import Route

NOW_MS = 1_693_353_600_000


def firing(**more: object) -> FiringAlerts:
    route = {"name": "a", "kind": "alertmanager", "url": "https://example.org", **more}
    return FiringAlerts(Route.model_validate(route), HOUR_MS)


def take(
    found: FiringAlerts, kind: AlertType, subject: str = "p/v", at_ms: int = NOW_MS, **data: object
) -> HookFate | None:
    about = {"platform": "p", "reason": "r", **data}
    return found.take(Alert(kind, at_ms, subject, "1", about).to_event(), at_ms)


def ends(found: FiringAlerts, now_ms: int = NOW_MS) -> dict[str, str]:
    return {one["labels"]["alertname"]: one["endsAt"] for one in found.to_send(now_ms)}


@pytest.mark.parametrize(
    ("last", "data"),
    [(AlertType.FADED, {}), (AlertType.STAGE_ENTERED, {"state": "interrupted"})],
)
def test_what_fires_of_a_subject_ends_with_it_and_guidance_does_not(
    last: AlertType, data: dict[str, str]
) -> None:
    found = firing()
    for kind in (AlertType.EMERGING, AlertType.STAGE_ENTERED, AlertType.EXPERTS_WANTED):
        assert take(found, kind) is HookFate.DELIVERED
    take(found, AlertType.EMERGING, "p/other")
    found.has_changed = False
    assert take(found, last, at_ms=NOW_MS + 1, **data) is None
    assert found.has_changed
    resolved = {kind for (kind, about), one in found.by_key.items() if one.resolved_ms is not None}
    assert resolved == {"hotspot.emerging", "hotspot.stage.entered"}
    assert found.by_key["hotspot.emerging", "p/other"].resolved_ms is None


def test_a_work_that_is_a_video_fades_under_the_videos_name() -> None:
    found = firing(types=["hotspot.confirmed"])
    take(found, AlertType.CONFIRMED, "video:p/v")
    take(found, AlertType.FADED, "p/v", NOW_MS + 1)
    assert ends(found) == {"hotspot.confirmed": "2023-08-30T00:00:00.001Z"}


def test_an_alert_that_is_told_again_keeps_its_labels_and_its_beginning() -> None:
    found = firing()
    take(found, AlertType.STAGE_ENTERED, stage="judgment", vertical="culture")
    take(found, AlertType.STAGE_ENTERED, at_ms=NOW_MS + 5_000, stage="interaction")
    (told,) = found.to_send(NOW_MS)
    assert told["labels"]["vertical"] == "culture"
    assert told["startsAt"] == "2023-08-30T00:00:00.000Z"
    assert told["annotations"]["summary"] == "p/v enters interaction"


def test_what_nothing_ends_fires_for_so_long_and_is_forgotten_later() -> None:
    found = firing(fires_for="2h")
    take(found, AlertType.EMERGING)
    found.expire(NOW_MS + 2 * HOUR_MS)
    assert ends(found, 0) == {
        "hotspot.emerging": f"1970-01-01T00:0{ENDS_AHEAD_MS // 60_000}:00.000Z"
    }
    found.expire(NOW_MS + 2 * HOUR_MS + 1)
    assert ends(found, 0) == {"hotspot.emerging": "2023-08-30T02:00:00.001Z"}
    found.expire(NOW_MS + 2 * HOUR_MS + RESOLVED_MS + 2)
    assert ends(found, 0) == {}


def test_a_budget_counts_the_same_however_often_a_day_is_read() -> None:
    told = [
        (AlertType.EMERGING, "p/a", 0),
        (AlertType.EMERGING, "p/b", 1),
        (AlertType.EMERGING, "p/c", DAY_MS),
    ]
    fates = []
    for begin in (0, 2):
        found = firing(budget_per_day=1)
        fates.append([take(found, kind, about, at_ms) for kind, about, at_ms in told[begin:]])
    assert fates == [
        [HookFate.DELIVERED, HookFate.OVER_BUDGET, HookFate.DELIVERED],
        [HookFate.DELIVERED],
    ]


def test_the_past_wakes_nobody_and_ends_nothing() -> None:
    found = firing()
    take(found, AlertType.EMERGING)
    old = Alert(AlertType.FADED, NOW_MS, "p/v", "1", {"platform": "p"}).to_event()
    assert found.take(old, NOW_MS + HOUR_MS + 1) is HookFate.PAST
    assert found.by_key["hotspot.emerging", "p/v"].resolved_ms is None


@pytest.mark.parametrize(
    ("most", "fire"), [(2, [False, True, True]), (3, [True] * 3), (4, [True] * 3)]
)
def test_beyond_the_limit_what_was_told_longest_ago_gives_way(
    most: int, fire: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alertmanager, "MOST_FIRING", most)
    found = firing()
    for number in range(3):
        take(found, AlertType.EMERGING, f"p/{number}", NOW_MS + number)
    assert [one.resolved_ms is None for one in found.by_key.values()] == fire

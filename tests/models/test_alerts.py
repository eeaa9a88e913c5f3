import json
import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from models.alerts import Alert, AlertType, rfc3339

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
# The bounds of decoding: no event lies outside 1970 to 2099 (models/events.py).
TIMES_MS = st.integers(0, 4_102_444_799_999)


def alert(**changes: object) -> Alert:
    fields: dict[str, object] = {
        "type": AlertType.EMERGING,
        "time_ms": 1_693_353_600_123,
        "subject": "douyin/v1",
        "occurrence": "1",
        "data": {"video_id": "v1", "platform": "douyin", "reason": "level_reached"},
    }
    return Alert(**{**fields, **changes})  # type: ignore[arg-type]  # the fields stand above


def test_an_event_has_the_attributes_that_cloudevents_require() -> None:
    event = alert().to_event()
    assert event["specversion"] == "1.0"
    for required in ("id", "source", "type"):
        assert isinstance(event[required], str)
        assert event[required]
    assert event["datacontenttype"] == "application/json"
    # CloudEvents 1.0.2, section 3.1: names are lower-case letters and digits.
    assert all(re.fullmatch("[a-z0-9]{1,20}", name) for name in event)
    assert json.loads(alert().to_bytes()) == event


@given(kind=st.sampled_from(AlertType), time_ms=TIMES_MS, subject=TEXT, occurrence=TEXT, title=TEXT)
def test_the_id_says_what_happened_and_not_what_is_said_about_it(
    kind: AlertType, time_ms: int, subject: str, occurrence: str, title: str
) -> None:
    one = Alert(kind, time_ms, subject, occurrence, {"title": title})
    same = Alert(kind, time_ms, subject, occurrence, {})
    assert one.id == same.id
    assert re.fullmatch("[0-9a-f]{32}", one.id)


_ONE = st.tuples(st.sampled_from(AlertType), TIMES_MS, TEXT, TEXT)


@given(one=_ONE, other=_ONE)
def test_different_happenings_have_different_ids(
    one: tuple[AlertType, int, str, str], other: tuple[AlertType, int, str, str]
) -> None:
    assert (Alert(*one, {}).id == Alert(*other, {}).id) == (one == other)


def test_ids_stay_as_they_were_published() -> None:
    # A consumer drops what it has seen: an id that changed with a release would be told twice.
    assert alert().id == "b1abe7319385dc230afe7b7e781ce6b4"


@given(time_ms=TIMES_MS)
def test_times_are_rfc_3339_and_lose_nothing(time_ms: int) -> None:
    text = rfc3339(time_ms)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    read = datetime.fromisoformat(text)
    assert read.tzinfo == UTC
    assert read - datetime(1970, 1, 1, tzinfo=UTC) == timedelta(milliseconds=time_ms)


@given(subject=TEXT, title=TEXT)
def test_bytes_are_one_line_of_json(subject: str, title: str) -> None:
    written = alert(subject=subject, data={"title": title}).to_bytes()
    assert b"\n" not in written
    assert json.loads(written)["data"]["title"] == title

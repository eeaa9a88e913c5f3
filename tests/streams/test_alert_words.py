from typing import Any

import pytest

from models.alerts import Alert, AlertType
from streams.delivery.alert_words import TEXT_CHARACTERS_MAX, headline, text_of


def event(kind: AlertType, **data: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of an alert
    about = {"platform": "douyin", "reason": "because", **data}
    return Alert(kind, 1_693_353_600_000, "douyin/v", "1", about).to_event()


@pytest.mark.parametrize("kind", AlertType)
def test_every_type_has_words_of_its_own(kind: AlertType) -> None:
    said = headline(event(kind, stage="judgment", role="media"))
    assert said.startswith("douyin/v ")
    assert kind.value not in said
    assert "{" not in said


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("active", "a song enters judgment"),
        ("revived", "a song returns, and enters judgment"),
        ("interrupted", "a song is interrupted"),
    ],
)
def test_a_stage_is_told_by_the_state(state: str, said: str) -> None:
    alert = event(AlertType.STAGE_ENTERED, title="a song", stage="judgment", state=state)
    assert headline(alert) == said


def test_a_message_says_first_what_can_be_done_and_is_never_long() -> None:
    alert = event(
        AlertType.HOMOGENISATION, suggestion="Do it.", why=["one", "two"], stage="diffusion"
    )
    assert text_of(alert).splitlines() == [
        "Do it.",
        "one; two",
        "reason: because",
        "stage: diffusion",
        "platform: douyin",
        "douyin/v, 2023-08-30T00:00:00.000Z",
        alert["id"],
    ]
    long = text_of(event(AlertType.HOMOGENISATION, suggestion="x" * 10_000))
    assert len(long) < TEXT_CHARACTERS_MAX + 100
    assert long.splitlines()[-2] == "douyin/v, 2023-08-30T00:00:00.000Z"
